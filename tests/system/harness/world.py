"""Work directories, child processes and waiting.

Whatever is started here is ended here, by its process id, when the test ends, when the program ends
and (by the parent-death signal) when the program is killed. As root everything that is not the proxy
runs as an ordinary user, so that the tests do the same on a developer's machine and in CI.
"""

import atexit
import os
import grp
import pwd
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time

# The machine may be slow; these bound a failure, they measure nothing.
DEADLINE = 60


class Account:
    """The ordinary user that stores and clients run as."""

    def __init__(self, uid, gid):
        self.uid = uid
        self.gid = gid
        self.user = pwd.getpwuid(uid).pw_name
        self.group = grp.getgrgid(gid).gr_name

    @staticmethod
    def get():
        if os.geteuid() != 0:
            return Account(os.geteuid(), os.getegid())
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_uid, nobody.pw_gid)

    def prefix(self):
        """The words before a command that make it run as this user and end with us."""
        words = ["setpriv", "--pdeathsig", "TERM"]
        if os.geteuid() == 0:
            words += ["--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups"]
        return words + ["--"]


ACCOUNT = Account.get()


def until(check, what, deadline=DEADLINE, alive=None):
    """The first true answer of check(); an error that names `what` when it never comes.

    alive, a started process, makes waiting for a dead one end at once."""
    end = time.monotonic() + deadline
    while True:
        answer = check()
        if answer:
            return answer
        if alive is not None and alive.poll() is not None:
            answer = check()
            if answer:
                return answer
            raise AssertionError(f"{what}: the process ended with status {alive.returncode}")
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline} s")
        time.sleep(0.02)  # the pace of looking again, not a guess at how long it takes


class Workdir:
    """A directory that every user may pass through and that goes away at the end (KEEP=1 keeps it)."""

    def __init__(self):
        base = os.environ.get("TMPDIR", "/tmp")
        # Dovecot puts Unix sockets below it, whose path has 107 bytes.
        self.path = tempfile.mkdtemp(prefix="sallyport-", dir=base if len(base) < 40 else "/tmp")
        os.chmod(self.path, 0o711)
        atexit.register(self.remove)

    def file(self, name, content=None, mode=0o644):
        path = os.path.join(self.path, name)
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, mode)
        return path

    def folder(self, name):
        """A folder that belongs to ACCOUNT."""
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, ACCOUNT.uid, ACCOUNT.gid)
        return path

    def remove(self):
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(self.path, ignore_errors=True)


# Stores and clients of the large tests hold thousands of files; the daemon gets the usual limit back.
FILES_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_HARD, 65536), FILES_HARD))

_running = []


def start(argv, account=ACCOUNT, **options):
    """Starts a program in a session of its own, so that it can be ended with all its children."""
    if account is not None:
        argv = account.prefix() + argv
    else:
        argv = ["setpriv", "--pdeathsig", "TERM", "--"] + argv
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    _running.append(process)
    return process


def stop(process, sign=signal.SIGTERM, deadline=DEADLINE):
    """Ends a started program and all it started; the exit status of the program."""
    if process in _running:
        _running.remove(process)
    if process.poll() is None:
        process.send_signal(sign)
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    return process.wait(deadline)


def _stop_all():
    for process in list(_running):
        try:
            stop(process, deadline=10)
        except Exception:  # at exit the next one must be ended too
            pass


atexit.register(_stop_all)
for _signal in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_signal, lambda number, frame: os.sys.exit(128 + number))


def run(argv, account=ACCOUNT, deadline=DEADLINE * 2, **options):
    """Runs a program to its end; its standard output, or an error with what it said."""
    words = (account.prefix() if account is not None else []) + argv
    done = subprocess.run(words, stdin=options.pop("stdin", subprocess.DEVNULL), timeout=deadline,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise AssertionError(f"{argv[0]} ended with status {done.returncode}: "
                             + " | ".join(said[-6:]))
    return done.stdout


def children(pid):
    """The process ids of a process's children."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    # the name in brackets may hold spaces and brackets itself
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(name))
    return sorted(found)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descriptors(pid):
    """How many files a process has open; 0 where only root may know (a worker is not dumpable)."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return 0


def resident(pid):
    """Resident memory of a process in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def readable(sock, seconds):
    """Whether something is to be read within so many seconds."""
    return bool(select.select([sock], [], [], seconds)[0])
