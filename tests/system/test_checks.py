"""Checks of stores: down and up again, and what an operator sees of it."""

import re
import threading
import time

from harness.case import Case, proxied
from harness.script import ScriptedStore
from harness.world import until

USERS = [f"user{n}" for n in range(8)]


@proxied
class Checks(Case):

    @classmethod
    def build(cls, world):
        cls.one = world.store("one", USERS, imap_clients=20)
        cls.two = world.store("two", USERS, imap_clients=20)
        world.proxy(world.backend("one", cls.one.address("starttls"), "starttls")
                    + world.backend("two", cls.two.address("implicit"), "implicit") + """
[pool stores]
backends = one, two
check_interval = 200ms
check_rise = 2
check_fall = 2
[route]
default = stores
""", control=world.work.file("control.sock"))

    def state(self, name):
        return next(b for b in self.proxy.ask_json("pool", "status")["backends"] if b["backend"] == name)

    def test_down_and_up(self):
        until(lambda: all(self.state(name)["checks"] >= 2 for name in ("one", "two")), "checks")
        for name in ("one", "two"):
            told = self.state(name)
            self.assertEqual((told["state"], told["checks_failed"]), ("up", 0))
        mine = next(user for user in USERS
                    if self.proxy.ask_json("explain", user)["candidates"][0]["backend"] == "one")
        self.one.stop()
        down = self.proxy.wait_log(event="backend_down", backend="one")
        self.assertEqual(down["stage"], "connect")
        told = self.state("one")
        self.assertEqual((told["state"], told["stage"], told["reason"]), ("down", "connect", "connect"))
        self.assertRegex(self.proxy.ask("pool", "status"), r"(?m)^one +connect +\d")
        client = self.connect(mine)
        client.ok("NOOP")
        self.assertEqual(self.proxy.wait_log(event="login", user=mine)["backend"], "two")
        self.assertFalse(self.proxy.find_log(event="store_failed"))
        client.logout()
        self.one.start()
        self.proxy.wait_log(event="backend_up", backend="one")
        self.assertEqual(self.state("one")["state"], "up")


GREETING = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] script\r\n"
OK = b"{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"


@proxied
class Outcomes(Case):
    """Without checks logins alone show whether a store works."""

    @classmethod
    def build(cls, world):
        cls.well = threading.Event()
        cls.store = ScriptedStore(cls.serve)
        world.proxy(world.backend("shaky", cls.store.address) + """
[route]
default = shaky
""", control=world.work.file("control.sock"))

    @classmethod
    def serve(cls, talk):
        if not cls.well.is_set():
            talk.say("* BYE not today\r\n")
            return
        talk.say(GREETING)
        talk.serve_login(OK)
        talk.serve_session()

    def shaky(self):
        return self.proxy.ask_json("pool", "status")["backends"][0]

    def fails(self, user):
        client = self.connect(tls="none")
        self.assertAnswer(client.command(f"LOGIN {user} secret"), rb"\S+ NO \[UNAVAILABLE\]")
        client.close()

    def test_down_by_logins_and_up_by_one(self):
        for _ in range(12):
            self.fails("fred")
        until(lambda: self.shaky()["logins_failed"] == 12, "outcomes of logins")
        told = self.shaky()
        self.assertEqual((told["state"], told["logins"], told["stage"], told["reason"]),
                         ("up", 12, "greeting", "store-bye"))
        self.assertFalse(self.proxy.find_log(event="backend_down"))
        self.fails("anne")
        self.fails("bob")
        down = self.proxy.wait_log(event="backend_down", backend="shaky")
        self.assertEqual((down["by"], down["stage"], down["reason"]), ("logins", "greeting", "store-bye"))
        self.assertEqual(self.shaky()["state"], "down")
        asked = len(self.store.heard)
        self.fails("anne")
        self.assertEqual(len(self.store.heard), asked)  # answered without asking it
        self.well.set()

        def works():
            client = self.connect(tls="none")
            answers = client.command("LOGIN anne secret")
            if b" OK" in answers[-1][:12]:
                client.logout()
                return True
            client.close()
            return False
        until(works, "a login on trial")
        self.proxy.wait_log(event="backend_up", backend="shaky")
        self.assertEqual(self.shaky()["state"], "up")


@proxied
class Probe(Case):
    """Checks that log in: as somebody whom the store knows, and as somebody whose password is wrong."""

    @classmethod
    def build(cls, world):
        cls.one = world.store("one", USERS + ["probe"], imap_clients=20)
        cls.two = world.store("two", USERS + ["probe"], imap_clients=20)
        cls.password = world.work.file("probe", "secret\nof the user of checks\n", mode=0o600)
        cls.wrong = world.work.file("wrong", "not-the-53cret\n", mode=0o600)
        world.proxy(world.backend("one", cls.one.address("starttls"), "starttls")
                    + f"probe_user = probe\nprobe_password_file = {cls.password}\n"
                    + world.backend("two", cls.two.address("implicit"), "implicit")
                    + f"probe_user = probe\nprobe_password_file = {cls.wrong}\n" + """
[pool stores]
backends = one, two
check_interval = 200ms
check_rise = 1
check_fall = 1
[route]
default = stores
""", control=world.work.file("control.sock"))

    def state(self, name):
        return next(b for b in self.proxy.ask_json("pool", "status")["backends"] if b["backend"] == name)

    def test_logs_in_and_out(self):
        until(lambda: self.state("one")["checks"] >= 3, "checks")
        told = self.state("one")
        self.assertEqual((told["state"], told["checks_failed"], told["reason"]), ("up", 0, ""))
        until(lambda: re.search(r"imap\(probe\).*: Logged out", self.one.log_text()), "a LOGOUT at the store")
        self.assertRegex(self.one.log_text(), r"imap-login: Info: Login: user=<probe>.*TLS")
        self.assertFalse(self.proxy.find_log(event="probe_refused", backend="one"))

    def test_wrong_password(self):
        refused = self.proxy.wait_log(event="probe_refused", backend="two")
        self.assertEqual((refused["stage"], refused["reason"]), ("login", "credentials"))
        until(lambda: self.state("two")["checks"] >= 5, "checks")
        told = self.state("two")
        self.assertEqual((told["state"], told["checks_failed"]), ("up", 0))
        self.assertEqual((told["stage"], told["reason"]), ("login", "credentials"))
        self.assertIn("probe user", told["detail"])
        self.assertIn("user=<probe>", self.two.log_text())
        self.assertNotIn("53cret", str(self.proxy.events()) + self.proxy.ask("pool", "status"))
        # Told once, and users go there all the same.
        self.assertEqual(len(self.proxy.find_log(event="probe_refused")), 1)
        self.assertFalse(self.proxy.find_log(event="backend_down"))
        mine = next(user for user in USERS
                    if self.proxy.ask_json("explain", user)["candidates"][0]["backend"] == "two")
        client = self.connect(mine)
        client.ok("NOOP")
        client.logout()
        # The password is read again at a reload.
        self.assertNotIn("Login: user=<probe>", self.two.log_text())
        with open(self.wrong, "w") as file:
            file.write("secret\n")
        self.proxy.ask("reload")
        until(lambda: "Login: user=<probe>" in self.two.log_text(), "a login at the store")
        self.assertEqual(len(self.proxy.find_log(event="probe_refused")), 1)


@proxied
class LoggingIn(Case):
    """max_logging_in over all workers."""
    CLIENTS = 300
    MAX = 10

    @classmethod
    def build(cls, world):
        cls.lock = threading.Lock()
        cls.now = cls.most = 0
        cls.store = ScriptedStore(cls.serve)
        world.proxy(world.backend("slow", cls.store.address) + f"max_logging_in = {cls.MAX}\n" + """
[route]
default = slow
""", workers=2)

    @classmethod
    def serve(cls, talk):
        with cls.lock:
            cls.now += 1
            cls.most = max(cls.most, cls.now)

        def answer(talk):
            time.sleep(0.02)  # a store that takes its time
            with cls.lock:  # before the answer: after it the next may come at once
                cls.now -= 1
            talk.say(OK)
        talk.say(GREETING)
        talk.serve_login(answer)
        talk.serve_session()

    def test_a_burst_waits_its_turn(self):
        clients = [self.connect(tls="none") for _ in range(self.CLIENTS)]
        for number, client in enumerate(clients):
            client.send(f"a LOGIN user{number} secret\r\n".encode())
        for client in clients:
            self.assertAnswer(client.until_tagged("a"), rb"a OK")
        self.assertLessEqual(self.most, self.MAX)
        self.assertGreater(self.most, 1)
        self.assertEqual(len(self.store.heard), self.CLIENTS)
        for client in clients:
            client.close()
