"""The daemon under test: start, addresses, log, processes, end."""

import json
import os
import re
import signal
import subprocess

from . import world
from .world import ACCOUNT, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MODE = os.environ.get("MODE", "release")
BUILD = os.environ.get("BUILD", os.path.join("build", MODE))
BINARY = os.environ.get("SALLYPORT", os.path.join(ROOT, BUILD, "sallyport"))
# Sanitizers hold on to what is freed: the memory of such a build says nothing.
SANITIZED = MODE not in ("release", "debug")

_PAIR = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPE = {"n": "\n", "r": "\r", "t": "\t"}


def parse_line(line):
    """One line of the log, logfmt or JSON, as a dictionary of strings."""
    line = line.strip()
    if line.startswith("{"):
        return {key: str(value) for key, value in json.loads(line).items()}
    event = {}
    for key, value in _PAIR.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", lambda m: _ESCAPE.get(m[1], m[1]), value[1:-1])
        event[key] = value
    return event


class Proxy:
    """One running sallyport. body: the configuration without [proxy]; settings: keys of [proxy].

    account: the user it is started as, by default the one who runs the tests (who may be root; its
    workers then give up their rights). files: its limit of open files, soft and hard as prlimit has it; by
    default as a shell or systemd starts it."""

    def __init__(self, work, body, account=None, name="proxy", files="1024:", **settings):
        self.work = work
        self.name = name
        self.account = account
        self.files = files
        self.log = work.file(f"{name}.log", "" if account is None else None)
        self.errors = work.file(f"{name}.err")
        self.addresses = {}
        self.process = None
        values = {"workers": 2, "hostname": "imap.example.org", "log": self.log,
                  "auth_failure_delay": "0s", "stop_timeout": "5s"}
        if os.geteuid() == 0 and account is None:
            values["user"] = ACCOUNT.user
        values.update(settings)
        self.settings = values
        self.config = work.file(f"{name}.conf", "[proxy]\n" + "".join(
            f"{key} = {value}\n" for key, value in values.items()) + body)

    def start(self):
        folder = self.work.folder(f"{self.name}.d")
        path = os.path.join(folder, "address")
        if os.path.exists(path):
            os.unlink(path)
        binary = BINARY
        if self.account is not None:
            self.log = os.path.join(folder, "log")
            text = open(self.config).read()
            self.work.file(f"{self.name}.conf", re.sub(r"(?m)^log = .*$", f"log = {self.log}", text))
            # the build may lie where only its owner may look
            binary = os.path.join(folder, "sallyport")
            subprocess.run(["install", "-m", "755", BINARY, binary], check=True)
        environment = dict(os.environ)
        for tool in ("ASAN", "UBSAN"):
            environment[f"{tool}_OPTIONS"] = ":".join(filter(None, [
                os.environ.get(f"{tool}_OPTIONS"), f"log_path={folder}/sanitizer"]))
        self.process = world.start(
            ["prlimit", f"--nofile={self.files}", binary, "run", "-c", self.config, "--address-file", path],
            account=self.account, env=environment, cwd="/",
            stdout=open(self.errors, "ab"), stderr=subprocess.STDOUT)
        try:
            until(lambda: os.path.exists(path), "the proxy's address file", alive=self.process)
        except AssertionError as error:
            said = open(self.errors, errors="replace").read()
            world.stop(self.process)
            self.process = None
            raise AssertionError(f"{error}; it said: {said[-1500:]}") from None
        self.addresses = {}
        with open(path) as file:
            for line in file:
                name, address = line.split()
                host, port = address.rsplit(":", 1)
                self.addresses.setdefault(name, []).append((host.strip("[]"), int(port)))
        return self

    def address(self, name, number=0):
        return self.addresses[name][number]

    def stop(self):
        """Ends it as an operator would; complains when that does not go cleanly."""
        if self.process is None:
            return
        family = [self.process.pid] + world.children(self.process.pid)
        ended_before = self.process.poll()
        status = world.stop(self.process, signal.SIGTERM)
        self.process = None
        left = [pid for pid in family if world.alive(pid)]
        self.check_sanitizers()
        if ended_before is not None:
            raise AssertionError(f"the proxy had ended by itself with status {ended_before}: "
                                 + open(self.errors, errors="replace").read()[-1500:])
        if status != 0:
            raise AssertionError(f"on SIGTERM the proxy ended with status {status}: "
                                 + open(self.errors, errors="replace").read()[-1500:])
        if left:
            raise AssertionError(f"processes {left} outlived the proxy")

    def check_sanitizers(self):
        """Reports of the master are in files; its children, which can open none, write to standard error."""
        with open(self.errors, errors="replace") as file:
            text = file.read()
        found = re.search(r"==\d+==ERROR: \w+Sanitizer|runtime error: ", text)
        if found:
            raise AssertionError("a sanitizer says: " + text[found.start():][:3000])
        folder = os.path.join(self.work.path, f"{self.name}.d")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.startswith("sanitizer"):
                text = open(os.path.join(folder, name), errors="replace").read()
                raise AssertionError("a sanitizer says: " + text[:3000])

    # The control socket, when the settings have one.

    def ask(self, *words, status=0, prefix=()):
        """What a verb says, as an operator would run it: standard output, or what is wrong when a status is expected."""
        done = subprocess.run([*prefix, BINARY, words[0], "-s", self.settings["control"], *words[1:]],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=world.DEADLINE, text=True)
        if done.returncode != status:
            raise AssertionError(f"{words}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stderr if status else done.stdout

    def ask_json(self, *words):
        """The object, or the list of objects of a verb that lists."""
        lines = self.ask(*words, "--json").splitlines()
        return json.loads(lines[0]) if words[0] != "sessions" else [json.loads(line) for line in lines]

    # The log.

    def events(self):
        with open(self.log, errors="replace") as file:
            text = file.read()
        return [parse_line(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def find_log(self, **wanted):
        """Events whose keys have these values (a callable value is asked)."""
        def fits(event):
            return all(key in event and (value(event[key]) if callable(value)
                                         else event[key] == str(value))
                       for key, value in wanted.items())
        return [event for event in self.events() if fits(event)]

    def wait_log(self, count=1, **wanted):
        """The first event that fits, or with count the first that many; waits for them."""
        shown = " ".join(f"{k}={v}" for k, v in wanted.items() if not callable(v))
        found = until(lambda: (lambda f: f if len(f) >= count else None)(self.find_log(**wanted)),
                      f"{count} log line(s) with {shown}")
        return found[0] if count == 1 else found[:count]

    def worker_of(self, client, listener_event="login"):
        """The process id of the worker that serves a connection that has logged in."""
        host, port = client.local[:2]
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return int(self.wait_log(event=listener_event, client=name)["pid"])

    # Processes.

    def pids(self):
        return world.children(self.process.pid)

    def role_of(self, pid):
        """worker or directory, from the command line of the process."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except FileNotFoundError:  # gone meanwhile
            return ""
        for role in (b"directory", b"worker"):
            if role in line:
                return role.decode()
        return ""

    def role(self, name):
        return [pid for pid in self.pids() if self.role_of(pid) == name]


def check(work, text, name="checked"):
    """What `sallyport check` says of a configuration: exit status and lines of standard error."""
    path = work.file(f"{name}.conf", text)
    done = subprocess.run([BINARY, "check", "-c", path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=world.DEADLINE)
    return done.returncode, done.stderr.decode(errors="replace").splitlines()
