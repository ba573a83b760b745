"""The control socket: each verb as an operator would use it."""

import contextlib
import grp
import json
import os
import select
import signal
import socket
import stat
import subprocess

from harness import proxy as daemon
from harness.case import Case, proxied
from harness.imap import Closed, Imap
from harness.proxy import Proxy
from harness.world import ACCOUNT, until

USERS = ["alice", "bob", "carol"] + [f"user{n}" for n in range(16)]


class Controlled(Case):

    @classmethod
    def build(cls, world):
        cls.stores = [world.store(name, USERS, imap_clients=50) for name in ("one", "two")]
        cls.body = "".join(world.backend(s.name, s.address("none")) for s in cls.stores) + """
[pool stores]
backends = one, two
affinity_time = 1h
[route]
default = stores
"""
        world.proxy(cls.body, control=world.work.file("control.sock"))

    def fresh(self, **settings):
        number = len(os.listdir(self.world.work.path))
        settings.setdefault("control", self.world.work.file(f"own{number}.sock"))
        one = Proxy(self.world.work, self.world.listeners() + self.body, name=f"own{number}", **settings)
        self.addCleanup(one.stop)
        return one.start()

    def relayed(self, user, proxy=None):
        client = self.connect(user, address=(proxy or self.proxy).address("imaps"))
        return client

    def sessions(self, *words, proxy=None):
        return (proxy or self.proxy).ask_json("sessions", *words)

    def ended(self, client):
        with contextlib.suppress(Closed, OSError):
            return client.rest()
        return b""

    @contextlib.contextmanager
    def tracing(self, proxy, *words):
        process = subprocess.Popen([daemon.BINARY, "trace", "-s", proxy.settings["control"], *words],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@proxied
class Control(Controlled):

    def test_status(self):
        self.relayed("alice")
        told = self.proxy.ask_json("status")
        self.assertEqual(told["generation"], 1)
        self.assertGreaterEqual(told["logins"], 1)
        self.assertEqual([p["process"] for p in told["processes"]],
                         ["master", "directory", "worker", "worker"])
        self.assertEqual({p["pid"] for p in told["processes"]},
                         {self.proxy.role("directory")[0], *self.proxy.role("worker"),
                          next(p["pid"] for p in told["processes"] if p["process"] == "master")})
        self.assertEqual({b["backend"]: (b["state"], b["admin"]) for b in told["backends"]},
                         {"one": ("up", "enabled"), "two": ("up", "enabled")})
        text = self.proxy.ask("status")
        self.assertRegex(text, r"(?m)^version +\S")
        self.assertRegex(text, r"(?m)^backend +state +admin")
        self.assertNotIn("\t", text)

    def test_sessions(self):
        self.relayed("alice")
        self.relayed("alice")
        self.relayed("bob")
        waiting = self.connect()
        rows = self.sessions("--user", "alice")
        self.assertEqual([row["user"] for row in rows], ["alice", "alice"])
        for row in rows:
            self.assertEqual((row["state"], row["listener"], row["tls"]), ("relay", "imaps", "TLSv1.3"))
            self.assertIn(row["backend"], ("one", "two"))
        host, port = waiting.local[:2]
        mine, = [row for row in self.sessions() if row["client"] == f"{host}:{port}"]
        self.assertEqual((mine["state"], mine["user"], mine["backend"]), ("command", "", ""))
        text = self.proxy.ask("sessions", "--user", "bob").splitlines()
        self.assertEqual(len(text), 2)
        self.assertEqual(text[0].index("user"), text[1].index("bob"))

    def test_many_sessions_stream(self):
        """More rows than a message holds, of clients that come and go meanwhile."""
        proxy = self.fresh()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Imap(proxy.address("plain"))) for _ in range(300)]
            self.assertEqual(len(clients), 300)
            rows = self.sessions(proxy=proxy)
            self.assertEqual(len({row["session"] for row in rows}), 300)

    def test_kick_user(self):
        alice = [self.relayed("alice") for _ in range(3)]
        bob = self.relayed("bob")
        before = self.sessions("--user", "alice")
        self.assertEqual(self.proxy.ask_json("kick", "alice"), {"kicked": len(before)})
        for client in alice:
            self.assertEqual(self.ended(client), b"")
        bob.ok("NOOP")
        self.assertFalse(self.sessions("--user", "alice"))
        self.assertEqual(self.proxy.ask("kick", "alice"), "kicked  0\n")
        self.assertGreaterEqual(len(self.proxy.find_log(event="session_end", user="alice",
                                                        reason="kicked")), 3)

    def test_kick_session(self):
        one, two = self.relayed("carol"), self.relayed("carol")
        host, port = one.local[:2]
        row, = [r for r in self.sessions("--user", "carol") if r["client"] == f"{host}:{port}"]
        self.assertEqual(self.proxy.ask_json("kick", "--session", row["session"]), {"kicked": 1})
        self.assertEqual(self.ended(one), b"")
        two.ok("NOOP")

    def test_kick_before_login_says_bye(self):
        client = self.connect(tls="none", address=self.proxy.address("plain"))
        host, port = client.local[:2]
        row, = [r for r in self.sessions() if r["client"] == f"{host}:{port}"]
        self.proxy.ask("kick", "--session", row["session"])
        self.assertAnswer(self.ended(client), rb"\* BYE \[UNAVAILABLE\]")

    def test_kick_backend(self):
        proxy = self.fresh()
        clients = {user: self.relayed(user, proxy) for user in USERS}
        where = {row["user"]: row["backend"] for row in self.sessions(proxy=proxy)}
        count = sum(1 for backend in where.values() if backend == "one")
        self.assertGreater(count, 0)
        self.assertEqual(proxy.ask_json("kick", "--backend", "one"), {"kicked": count})
        for user, client in clients.items():
            if where[user] == "one":
                self.assertEqual(self.ended(client), b"")
            else:
                client.ok("NOOP")

    def test_explain(self):
        told = self.proxy.ask_json("explain", "alice", "--from", "192.0.2.1", "--listener", "imaps")
        self.assertEqual((told["result"], told["route"], told["user"]), ("ok", "stores", "alice"))
        self.assertEqual({c["backend"] for c in told["candidates"]}, {"one", "two"})
        self.assertIn("default -> stores, hash", self.proxy.ask("explain", "alice"))
        client = self.relayed("bob")
        where = self.sessions("--user", "bob")[0]["backend"]
        until(lambda: self.proxy.ask_json("explain", "bob")["pinned"], "the report of the session")
        self.assertEqual(self.proxy.ask_json("explain", "bob")["candidates"][0]["backend"], where)
        client.logout()

    def test_explain_without_a_proxy(self):
        config = self.world.work.file("offline.conf", "[proxy]\n" + self.world.listeners() + self.body)
        done = subprocess.run([daemon.BINARY, "explain", "-c", config, "alice", "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["candidates"],
                         self.proxy.ask_json("explain", "alice")["candidates"])
        self.assertIn("no proxy answers", done.stderr)

    def test_user_where(self):
        client = self.relayed("user0")
        backend = self.sessions("--user", "user0")[0]["backend"]
        told = until(lambda: (lambda t: t if t["places"] else None)(
            self.proxy.ask_json("user", "where", "user0")), "the report of the session")
        self.assertEqual([(p["backend"], p["sessions"]) for p in told["places"]], [(backend, 1)])
        client.logout()
        until(lambda: self.proxy.ask_json("user", "where", "user0")["places"][0]["sessions"] == 0,
              "the report of its end")
        self.assertIn(backend, self.proxy.ask("user", "where", "user0"))

    def test_pool_status(self):
        told = self.proxy.ask_json("pool", "status")
        self.assertEqual([(b["pool"], b["backend"]) for b in told["backends"]],
                         [("stores", "one"), ("stores", "two")])
        self.assertRegex(self.proxy.ask("pool", "status"), r"(?m)^stores +one +127\.0\.0\.1:\d+ +100 +up")

    def test_trace(self):
        with self.tracing(self.proxy, "user1") as trace:
            text = ""
            while "LOGIN user1" not in text:  # until the worker had heard of it before the login
                client = self.connect(tls="none", address=self.proxy.address("plain"))
                client.ok('LOGIN user1 "secret"')
                client.logout()
                self.relayed("user2").logout()
                if self.sessions("--user", "user1") or select.select([trace.stdout], [], [], 1)[0]:
                    for line in trace.stdout:
                        text += line
                        if "the relay begins" in line:
                            break
        for part in ("client: ", "LOGIN user1 (secret not shown)", "directory: goes to",
                     "connects to ", "store: * OK", "(login: credentials not shown)"):
            self.assertIn(part, text)
        self.assertNotIn('secret"', text)
        self.assertNotIn("user2", text)
        self.assertNotIn("AHVzZXIx", text)  # the beginning of its SASL message

    def test_mistakes(self):
        for words, why in ((("kick",), "whom?"), (("kick", "a", "--backend", "one"), "whom?"),
                           (("kick", "--session", "xyz"), "not a session id"),
                           (("backend", "one"), "a word is missing"),
                           (("backend", "none", "drain"), "there is no backend none"),
                           (("backend", "one", "frobnicate"), "what is frobnicate?"),
                           (("backend", "one", "enable", "--rate", "1"), "--rate is for drain"),
                           (("backend", "one", "drain", "--rate", "0"), "a rate is"),
                           (("sessions", "--what"), "unknown option"),
                           (("explain", "u", "--from", "nowhere"), "not an address")):
            self.assertIn(why, self.proxy.ask(*words, status=1), words)

    def test_nobody_answers(self):
        done = subprocess.run([daemon.BINARY, "status", "-s", self.world.work.file("none.sock")],
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.sock", done.stderr)

    def test_the_configuration_names_the_socket(self):
        done = subprocess.run([daemon.BINARY, "status", "-c", self.proxy.config],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("version", done.stdout)

    def test_clients_are_bounded(self):
        """Forty that ask nothing are not in the way for long, and neither is one that asks too much."""
        path = self.proxy.settings["control"]
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(path)
            self.assertIn("version", self.proxy.ask("status"))
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            one.sendall(b"x" * 5000)
            self.assertIn(b"error request too long", one.recv(1000))
        for request in (b"\0", b"status\0\0more\0\0", b"nothing\0\0"):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)
                one.sendall(request)
                self.assertTrue(one.recv(1000).startswith(b"error "), request)

    def test_who_may(self):
        path = self.proxy.settings["control"]
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        if os.geteuid() != 0:
            self.skipTest("needs root")
        binary = self.world.work.file("sallyport")
        subprocess.run(["install", "-m", "755", daemon.BINARY, binary], check=True)
        command = [*ACCOUNT.prefix(), binary, "status", "-s"]
        done = subprocess.run([*command, path], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)
        os.chmod(path, 0o666)  # the mode is not all that protects it
        self.addCleanup(os.chmod, path, 0o600)
        done = subprocess.run([*command, path], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("you may not", done.stderr)
        group = grp.getgrgid(ACCOUNT.gid).gr_name
        other = self.fresh(control_group=group)
        self.assertEqual(stat.S_IMODE(os.stat(other.settings["control"]).st_mode), 0o660)
        done = subprocess.run([*command, other.settings["control"]], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0)

    def test_reload(self):
        proxy = self.fresh()
        client = self.relayed("alice", proxy)
        proxy.ask("reload")
        self.assertEqual(proxy.ask_json("status")["generation"], 2)
        with open(proxy.config) as file:
            good = file.read()
        with open(proxy.config, "w") as file:
            file.write(good + "\nnonsense = 1\n")
        self.assertRegex(proxy.ask("reload", status=1), r"own\d+\.conf:\d+: .*nonsense")
        self.assertEqual(proxy.ask_json("status")["generation"], 2)
        client.ok("NOOP")

    def test_stop_and_the_file(self):
        proxy = self.fresh()
        path = proxy.settings["control"]
        proxy.ask("stop")
        self.assertEqual(proxy.process.wait(60), 0)
        proxy.process = None
        self.assertFalse(os.path.exists(path))

    def test_stale_socket_is_replaced_and_a_live_one_not(self):
        path = self.world.work.file("stale.sock")
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path)
        proxy = self.fresh(control=path)
        proxy.ask("status")
        with self.assertRaisesRegex(AssertionError, "another proxy answers"):
            self.fresh(control=path)
        proxy.ask("status")


@proxied
class Backends(Controlled):

    def where(self, proxy):
        return {row["user"]: row["backend"] for row in self.sessions(proxy=proxy)}

    def test_drain_leaves_users_and_takes_no_new_ones(self):
        proxy = self.fresh()
        stay = {user: self.relayed(user, proxy) for user in USERS[:6]}
        where = self.where(proxy)
        proxy.ask("backend", "one", "drain")
        self.assertEqual({b["backend"]: b["admin"] for b in proxy.ask_json("status")["backends"]},
                         {"one": "drain", "two": "enabled"})
        for user in USERS[6:]:
            self.relayed(user, proxy)
        for user in USERS[:6]:
            self.relayed(user, proxy)
        for user, client in stay.items():
            client.ok("NOOP")
        after = self.where(proxy)
        self.assertEqual({user: after[user] for user in stay}, where)
        self.assertEqual({after[user] for user in USERS[6:]}, {"two"})

    def test_drain_at_a_rate_moves_users(self):
        proxy = self.fresh()
        for user in USERS:
            self.relayed(user, proxy)
            self.relayed(user, proxy)
        self.assertIn("one", self.where(proxy).values())
        proxy.ask("backend", "one", "drain", "--rate", "20")
        until(lambda: "one" not in self.where(proxy).values(), "an empty store")
        for user in USERS:
            self.relayed(user, proxy)
        self.assertEqual(set(self.where(proxy).values()), {"two"})
        proxy.ask("backend", "one", "enable")
        told = {b["backend"]: b["admin"] for b in proxy.ask_json("pool", "status")["backends"]}
        self.assertEqual(told, {"one": "enabled", "two": "enabled"})

    def test_disable_and_maintenance(self):
        proxy = self.fresh()
        mine = {user: proxy.ask_json("explain", user)["candidates"][0]["backend"] for user in USERS}
        user = next(u for u in USERS if mine[u] == "one")
        proxy.ask("backend", "one", "disable")
        self.relayed(user, proxy).logout()
        self.assertEqual(proxy.find_log(event="login", user=user)[-1]["backend"], "two")
        proxy.ask("backend", "one", "maintenance")
        user = next(u for u in USERS if mine[u] == "one" and u != user)
        client = self.connect(address=proxy.address("imaps"))
        self.assertAnswer(client.command(f"LOGIN {user} secret"), rb"\S+ NO \[UNAVAILABLE\]")
        self.assertIn("maintenance", proxy.ask("explain", user))
        for other in (u for u in USERS if mine[u] == "two"):
            self.relayed(other, proxy)
        proxy.ask("backend", "one", "enable")
        client.login(user, "secret")

    def test_states_survive_the_directory(self):
        proxy = self.fresh()
        proxy.ask("backend", "two", "maintenance")
        victim, = proxy.role("directory")
        os.kill(victim, signal.SIGKILL)
        def again():
            return [pid for pid in proxy.role("directory") if pid != victim]
        until(again, "another directory")
        told = {b["backend"]: b["admin"] for b in proxy.ask_json("status")["backends"]}
        self.assertEqual(told, {"one": "enabled", "two": "maintenance"})

    def test_lists_and_kicks_while_a_worker_dies(self):
        proxy = self.fresh()
        for user in USERS:
            self.relayed(user, proxy)
        os.kill(proxy.role("worker")[0], signal.SIGKILL)
        self.sessions(proxy=proxy)
        proxy.ask("kick", "--backend", "one")
        proxy.ask("kick", "--backend", "two")
        until(lambda: not self.where(proxy), "no session")
