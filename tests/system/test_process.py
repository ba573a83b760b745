"""Processes: workers and the directory die and are replaced, the whole thing ends, nothing is left over."""

import json
import os
import re
import signal
import socket

from harness import proxy as daemon
from harness import world
from harness.case import Case, proxied
from harness.imap import Closed, Imap, message
from harness.proxy import Proxy
from harness.world import ACCOUNT, until


@proxied
class Process(Case):

    @classmethod
    def build(cls, world):
        cls.store_ = world.store("store", ["crash", "stay", "other"], imap_clients=50)
        cls.body = (world.backend("store", cls.store_.address("starttls"), "starttls")
                    + "[route]\ndefault = store\n")
        world.proxy(cls.body)

    def fresh(self, body=None, **options):
        """A proxy of this test's own; it is stopped, and its end checked, at the end of the test."""
        name = f"own{len(os.listdir(self.world.work.path))}"
        one = Proxy(self.world.work, (self.world.listeners() if body is None else "")
                    + (body or self.body), name=name, **options)
        self.addCleanup(one.stop)
        return one.start()

    def spread(self, proxy, count=2):
        """Sessions on at least so many workers: pid -> clients."""
        found = {}
        for _ in range(64):
            client = self.connect("stay", address=proxy.address("imaps"))
            found.setdefault(proxy.worker_of(client), []).append(client)
            if len(found) >= count:
                return found
        raise AssertionError(f"64 connections on {len(found)} workers")

    def test_killed_worker_is_replaced_and_others_go_on(self):
        proxy = self.fresh()
        clients = self.spread(proxy)
        victim = next(iter(clients))
        before = set(proxy.pids())
        os.kill(victim, signal.SIGKILL)
        for client in clients.pop(victim):
            self.assertEqual(client.rest(), b"")
        for others in clients.values():
            for client in others:
                client.ok("SELECT INBOX")
        until(lambda: len(proxy.pids()) == len(before) and victim not in proxy.pids(),
              "a worker in place of the killed one")
        # Whatever the kernel hands to which worker: every new connection is served.
        pids = set()
        for _ in range(40):
            client = self.connect("other", address=proxy.address("imaps"))
            pids.add(proxy.worker_of(client))
            client.logout()
        self.assertEqual(len(pids), 2)
        self.assertNotIn(victim, pids)
        self.assertTrue(proxy.find_log(event="process_exit"))

    def test_connections_wait_for_the_new_worker(self):
        """Connections that come in the moment of a worker's death are served, not reset."""
        proxy = self.fresh()
        for pid in proxy.role("worker"):
            os.kill(pid, signal.SIGKILL)
            clients = [Imap(proxy.address("plain"), greeting=False) for _ in range(20)]
            for client in clients:
                self.addCleanup(client.close)
                self.assertAnswer(client.response(), rb"\* OK ")

    def test_killed_directory_is_replaced_and_sessions_do_not_notice(self):
        proxy = self.fresh()
        clients = self.spread(proxy)
        directory, = proxy.role("directory")
        workers = set(proxy.role("worker"))
        os.kill(directory, signal.SIGKILL)
        for others in clients.values():
            for client in others:
                client.ok("NOOP")
        # A login in between may be told to come again, never that the password is wrong.
        def login():
            with Imap(proxy.address("plain")) as client:
                answer = client.command("LOGIN other secret")[-1]
            self.assertRegex(answer, rb"\S+ (OK|NO \[UNAVAILABLE\])")
            return b" OK" in answer
        until(login, "a login after the directory's death")
        self.assertEqual(workers, set(proxy.role("worker")))
        for others in clients.values():
            for client in others:
                client.ok("SELECT INBOX")

    def test_crash_again_and_again(self):
        """A worker killed several times in a row comes back, at growing intervals perhaps."""
        proxy = self.fresh()
        for _ in range(3):
            victim = proxy.role("worker")[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in proxy.pids() and len(proxy.role("worker")) == 2,
                  "a worker in place of the killed one")
        self.connect("other", address=proxy.address("imaps")).logout()

    def test_sigterm_ends_everything(self):
        proxy = self.fresh(stop_timeout="3s")
        clients = [client for some in self.spread(proxy).values() for client in some]
        waiting = self.connect(tls="none", address=proxy.address("plain"))
        pids = proxy.pids()
        self.assertGreaterEqual(len(pids), 3)
        proxy.stop()  # complains of a bad status and of processes left over
        for client in clients:
            client.sock.suppress_ragged_eofs = False
            self.assertEqual(client.rest(), b"")
        self.assertAnswer(waiting.rest() or b"* BYE", rb"\* BYE")
        for name in proxy.addresses:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(proxy.address(name))
        self.assertTrue(proxy.find_log(event="stop"))
        self.assertEqual(len(proxy.find_log(event="session_end", state="relay", closed_by="proxy")),
                         len(clients))

    def test_sigint_ends_everything(self):
        proxy = self.fresh()
        pids = proxy.pids()
        proxy.process.send_signal(signal.SIGINT)
        self.assertEqual(proxy.process.wait(world.DEADLINE), 0)
        proxy.process, process = None, proxy.process
        world.stop(process)
        self.assertFalse([pid for pid in pids if world.alive(pid)])

    def test_master_that_dies_leaves_sessions_alone(self):
        proxy = self.fresh()
        clients = [client for some in self.spread(proxy).values() for client in some]
        workers = proxy.role("worker")
        everyone = proxy.pids()
        os.kill(proxy.process.pid, signal.SIGKILL)
        proxy.process.wait(world.DEADLINE)
        proxy.process, process = None, proxy.process
        for client in clients:
            client.ok("SELECT INBOX")
            self.assertTrue(any(world.alive(pid) for pid in workers))
            client.logout()
        until(lambda: not any(world.alive(pid) for pid in everyone), "the end of the empty workers")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(proxy.address("imaps"))
        world.stop(process)

    def test_workers_have_given_up_their_rights(self):
        for pid in self.proxy.pids():
            with open(f"/proc/{pid}/status") as file:
                status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
            for key in ("Uid", "Gid"):
                self.assertNotIn("0", status[key].split(), f"{key} of {self.proxy.role_of(pid)}")
            self.assertEqual(int(status["CapEff"], 16), 0)
            if os.geteuid() == 0:
                self.assertLessEqual(set(status["Groups"].split()), {str(ACCOUNT.gid)})

    def test_started_by_an_ordinary_user(self):
        """(Run by an ordinary user this is what all the other tests do.)"""
        cert, key = self.world.certificate("proxy")
        own = self.world.certificate("own", owner=ACCOUNT.uid)
        listeners = self.world.listeners().replace(cert, own[0]).replace(key, own[1])
        proxy = self.fresh(body=listeners + self.body, account=ACCOUNT)
        client = self.connect("other", address=proxy.address("imaps"))
        client.append("INBOX", message("other", 1))
        client.logout()
        with open(f"/proc/{proxy.process.pid}/status") as file:
            self.assertNotIn("Uid:\t0", file.read())

    def test_ipv6(self):
        cert, key = self.world.certificate("proxy")
        proxy = self.fresh(body=f"""
[listen both]
address = 127.0.0.1:0, [::1]:0
tls = implicit
[tls default]
certificate = {cert}
key = {key}
""" + self.body)
        self.assertEqual([a[0] for a in proxy.addresses["both"]], ["127.0.0.1", "::1"])
        for address in proxy.addresses["both"]:
            client = self.connect("other", address=address)
            self.assertTrue(proxy.worker_of(client))
            client.logout()

    def test_json_log(self):
        proxy = self.fresh(log_format="json")
        client = self.connect("other", address=proxy.address("imaps"))
        client.logout()
        bad = self.connect(tls="none", address=proxy.address("plain"))
        bad.command('LOGIN {6+}\r\no\\"th\t x')
        bad.command(b'LOGIN "gr\xc3\xbc\xc3\x9fe \xff" x')
        proxy.wait_log(event="session_end", user="other")
        proxy.wait_log(event="login_failed")
        with open(proxy.log) as file:
            for line in file:
                one = json.loads(line)
                for key in ("ts", "level", "role", "pid", "event"):
                    self.assertIn(key, one)
                self.assertRegex(one["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        events = [event["event"] for event in proxy.events()]
        for event in ("start", "process_start", "ready", "login", "session_end"):
            self.assertIn(event, events)

    def test_logfmt_is_one_line_an_event(self):
        """Whatever a client calls itself, it writes no line of the log."""
        client = self.connect(tls="none")
        client.command(b'LOGIN "x event=login user=root" y')
        client.send(b"f LOGIN {30+}\r\nuser\r\nts=1 event=login user=evil y\r\n")
        client.until_tagged("f")
        line_of_the_log = (r"^ts=\S+ level=\w+ role=\w+ pid=\d+ event=\w+"
                           r"( [\w.-]+=(\"(\\.|[^\"\\])*\"|[^\s\"]*))*\n$")
        with open(self.proxy.log) as file:
            for line in file:
                self.assertRegex(line, line_of_the_log)
        self.assertFalse(self.proxy.find_log(event="login", user="evil"))
        self.assertFalse(self.proxy.find_log(event="login", user="root"))

    def test_descriptors_and_memory_are_given_back(self):
        """Some hundreds of sessions that end in different ways leave the workers as they were."""
        proxy = self.fresh(workers=1)
        worker, = proxy.role("worker")
        directory, = proxy.role("directory")

        def round_():
            for number in range(60):
                tls = ("none", "starttls", "implicit")[number % 3]
                address = proxy.address({"none": "plain", "starttls": "imap", "implicit": "imaps"}[tls])
                client = self.connect(tls=tls, address=address)
                kind = number % 5
                if kind == 0:
                    client.cut()
                elif kind == 1:
                    client.command("LOGIN other wrong")
                    client.close()
                else:
                    client.login("other")
                    if kind == 2:
                        client.cut()
                    elif kind == 3:
                        client.logout()
                    else:
                        client.ok("SELECT INBOX")
                        client.close()

        def idle():
            return len(proxy.find_log(event="login")) == len(proxy.find_log(event="session_end",
                                                                            state="relay"))

        before = {}
        for times in range(4):
            round_()
            until(idle, "the end of all sessions in the log")
            if times == 0:
                before = {pid: world.descriptors(pid) for pid in (worker, directory)}
                memory = world.resident(worker)
        for pid, files in before.items():
            # a last connection may be on its way out for a moment
            until(lambda: world.descriptors(pid) <= files + 1, f"{files} open files again")
        if not daemon.SANITIZED:
            self.assertLess(world.resident(worker) - memory, 4 << 20)

    def test_no_credentials_left_in_memory(self):
        """Neither worker nor directory keeps a password once the relay has begun."""
        if daemon.SANITIZED or os.geteuid() != 0:
            return  # and only root may look into the processes
        word = b"S3cr3t-And-Rare-" + os.urandom(8).hex().encode()
        store = self.world.store("memory", {"memory": word.decode()}, tls=False)
        proxy = self.fresh(body=self.world.listeners() + self.world.backend("store", store.address("none"))
                           + "[route]\ndefault = store\n")
        clients = []
        for tls, listener in (("none", "plain"), ("starttls", "imap"), ("implicit", "imaps")):
            for how in ("LOGIN", "AUTHENTICATE"):
                client = self.connect(tls=tls, address=proxy.address(listener))
                if how == "LOGIN":
                    client.ok(b"LOGIN memory " + word)
                else:
                    self.assertAnswer(client.plain("memory", word.decode()), rb"\S+ OK")
                client.ok("SELECT INBOX")
                clients.append(client)
        for pid in proxy.pids():
            where = self.find_in_memory(pid, word)
            self.assertEqual(where, [], f"the password is in the memory of the {proxy.role_of(pid)}")

    @staticmethod
    def find_in_memory(pid, word):
        found = []
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                if not area or "[v" in line:
                    continue
                start, end = (int(part, 16) for part in area.groups())
                try:
                    memory.seek(start)
                    data = memory.read(end - start)
                except (OSError, ValueError):
                    continue
                if word in data:
                    found.append(f"{line.split()[-1]}+{data.index(word):#x}")
        return found

    def test_out_of_descriptors(self):
        """With too few descriptors connections are refused or wait; the worker lives and recovers."""
        proxy = self.fresh(workers=1, files=64)
        worker, = proxy.role("worker")
        clients = []
        for _ in range(100):
            clients.append(Imap(proxy.address("plain"), greeting=False))
            self.addCleanup(clients[-1].close)
        for client in clients[:5]:
            self.assertAnswer(client.response(), rb"\* OK ")
        for client in clients:
            client.close()

        def login():
            try:
                with Imap(proxy.address("plain")) as client:
                    return b" OK" in client.command("LOGIN other secret")[-1]
            except (Closed, OSError):
                return False
        until(login, "a login after the shortage")
        self.assertEqual(proxy.role("worker"), [worker])


@proxied
class Check(Case):
    """`sallyport check` and starts that fail: the operator is told where and what."""

    def test_mistakes_are_all_told(self):
        status, said = daemon.check(self.world.work, "[proxy]\nworkrs = 2\nworkers = many\n"
                                    "[listen a]\naddress = 127.0.0.1:99999\ntls = sometimes\n[nonsense]\n")
        self.assertEqual(status, 1)
        whole = "\n".join(said)
        for line in (2, 3, 5, 6, 7):
            self.assertRegex(whole, rf"(?m)^\S*checked\.conf:{line}: ")
        self.assertIn("workers", next(l for l in said if ":2: " in l))

    def test_good_configuration(self):
        status, said = daemon.check(self.world.work, "[proxy]\nworkers = 1\n[listen a]\n"
                                    "address = 127.0.0.1:0\ntls = none\nplaintext_login = yes\n"
                                    "[backend b]\naddress = 127.0.0.1:1143\n[route]\ndefault = b\n")
        self.assertEqual((status, said), (0, []))

    def test_start_that_cannot_be(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            proxy = Proxy(self.world.work, f"[listen a]\naddress = 127.0.0.1:{port}\ntls = none\n"
                          "plaintext_login = yes\n[backend b]\naddress = 127.0.0.1:1\n"
                          "[route]\ndefault = b\n", name="taken")
            with self.assertRaisesRegex(AssertionError, r"ended with status [1-9].*"):
                proxy.start()
            with open(proxy.errors) as file, open(proxy.log) as log:
                self.assertIn(str(port), file.read() + log.read())
