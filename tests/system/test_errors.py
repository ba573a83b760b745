"""Refusals: wrong passwords, unknown users, stores that are down or not to be trusted, limits."""

import random

from harness import certs
from harness.case import Case, proxied
from harness.imap import Closed, b64, sasl_plain
from harness.store import spare_port
from harness.world import ACCOUNT


class Refusals(Case):

    @classmethod
    def build(cls, world):
        users = [f"user{n}" for n in range(20)] + ["known"]
        store = world.store("store", users)
        other = certs.Authority(world.work, "other-ca")
        wrong = world.ca.issue("wrong-name", names=("elsewhere.example.org",), addresses=("192.0.2.1",),
                               owner=ACCOUNT.uid)
        misnamed = world.store("misnamed", users, pair=wrong)
        dead = ("127.0.0.1", spare_port())
        routes = world.users("""
known store
user0 store
user1 dead
user2 untrusted-starttls
user3 untrusted-implicit
user4 misnamed
user5 unverified
user6 byname
user7 deadpool
user8 spared
unrouted-* store
""")
        world.proxy(
            world.backend("store", store.address("none"))
            + world.backend("dead", dead)
            + world.backend("untrusted-starttls", store.address("starttls"), "starttls").replace(
                world.ca.pem, other.pem)
            + world.backend("untrusted-implicit", store.address("implicit"), "implicit").replace(
                world.ca.pem, other.pem)
            + world.backend("misnamed", misnamed.address("implicit"), "implicit")
            + world.backend("unverified", misnamed.address("starttls"), "starttls") + "verify = no\n"
            + world.backend("byname", ("localhost", store.port), "starttls")
            + world.backend("dead2", ("127.0.0.1", spare_port(taken=(dead[1],))))
            + "[pool deadpool]\nbackends = dead, dead2\n"
            + "[pool spared]\nbackends = dead, dead2\nfallback = store\n"
            + f"[route]\nlookup = file:{routes}\n")

    def test_wrong_password_then_the_right_one(self):
        for tls in ("none", "starttls", "implicit"):
            client = self.connect(tls=tls)
            self.assertAnswer(client.command("LOGIN known wrong"), rb"t\d+ NO \[AUTHENTICATIONFAILED\] ")
            self.assertAnswer(client.plain("known", "wrong"), rb"t\d+ NO \[AUTHENTICATIONFAILED\] ")
            client.login("known")
            client.ok("SELECT INBOX")
            client.logout()

    @proxied
    def test_failed_login_is_logged_at_once(self):
        client = self.connect()
        client.command("LOGIN known wrong")
        host, port = client.local[:2]
        event = self.proxy.wait_log(event="login_failed", client=f"{host}:{port}")
        self.assertEqual(event["user"], "known")
        self.assertTrue(event["reason"])
        client.login("known")

    def test_unknown_users_look_like_wrong_passwords(self):
        """Wrong password, unknown to the store, unknown to the routes: the same bytes."""
        answers = set()
        for user, password in (("known", "wrong"), ("unrouted-nobody", "x"), ("nobody-knows", "x")):
            client = self.connect()
            answers.add(b"".join(client.command(f"LOGIN {user} {password}", tag="same")))
            self.assertAnswer(client.command(f"AUTHENTICATE PLAIN {sasl_plain(user, password)}"),
                              rb"\S+ NO \[AUTHENTICATIONFAILED\]")
        self.assertEqual(len(answers), 1, answers)

    @proxied
    def test_store_down_is_unavailable(self):
        for user in ("user1", "user7"):
            client = self.connect()
            for _ in range(2):
                self.assertAnswer(client.command(f"LOGIN {user} secret"), rb"\S+ NO \[UNAVAILABLE\] ")
            client.login("known")  # the connection goes on
            client.logout()
        event = self.proxy.wait_log(event="login_failed", user="user1")
        self.assertNotIn("password", event["reason"])

    @proxied
    def test_fallback_of_a_dead_pool(self):
        self.connect("user8").logout()
        self.assertEqual(self.proxy.wait_log(event="login", user="user8")["backend"], "store")

    @proxied
    def test_store_that_nobody_vouches_for(self):
        for user in ("user2", "user3"):
            client = self.connect()
            self.assertAnswer(client.command(f"LOGIN {user} secret"), rb"\S+ NO \[UNAVAILABLE\] ")
            self.proxy.wait_log(event="login_failed", user=user)
        # No password reached it: the store itself would have logged the user's name.
        self.assertNotIn("user2", self.world.stores["store"].log_text())
        self.assertNotIn("user3", self.world.stores["store"].log_text())

    @proxied
    def test_store_with_another_name(self):
        client = self.connect()
        self.assertAnswer(client.command("LOGIN user4 secret"), rb"\S+ NO \[UNAVAILABLE\] ")
        self.assertNotIn("user4", self.world.stores["misnamed"].log_text())

    @proxied
    def test_store_that_is_not_verified_if_so_configured(self):
        self.connect("user5").logout()

    @proxied
    def test_store_by_host_name(self):
        """localhost has two addresses; the store has one of them."""
        self.connect("user6").logout()

    @proxied
    def test_plaintext_login_is_refused(self):
        client = self.connect(tls="none", address=self.proxy.address("imap"))
        self.assertIn(b"LOGINDISABLED", client.greeting)
        self.assertNotIn(b"AUTH=PLAIN", client.greeting)
        self.assertIn(b"LOGINDISABLED", client.ok("CAPABILITY")[0])
        for command in ("LOGIN user0 secret", "AUTHENTICATE PLAIN " + sasl_plain("user0", "secret"),
                        "AUTHENTICATE PLAIN", "AUTHENTICATE LOGIN"):
            self.assertAnswer(client.command(command), rb"\S+ NO \[PRIVACYREQUIRED\] ")
        client.starttls()
        secured = client.ok("CAPABILITY")[0]
        self.assertNotIn(b"LOGINDISABLED", secured)
        self.assertNotIn(b"STARTTLS", secured)
        self.assertIn(b"AUTH=PLAIN", secured)
        client.login("user0")
        self.assertNotIn("PRIVACY", self.world.stores["store"].log_text())

    @proxied
    def test_starttls_injection_is_discarded(self):
        client = self.connect(tls="none", address=self.proxy.address("imap"))
        client.send("i1 STARTTLS\r\ni2 LOGIN user0 secret\r\ni3 NOOP\r\n")
        self.assertAnswer(client.until_tagged("i1"), rb"i1 OK")
        self.assertEqual(client.pending(), b"")
        client.secure()
        answers = client.command("NOOP", tag="i4")
        self.assertEqual(len(answers), 1, answers)
        host, port = client.local[:2]
        self.proxy.wait_log(event="starttls_injection", client=f"{host}:{port}")
        client.login("user0")
        client.logout()

    @proxied
    def test_starttls_where_there_is_none(self):
        client = self.connect(tls="none")
        self.assertNotIn(b"STARTTLS", client.greeting)
        self.assertAnswer(client.command("STARTTLS"), rb"\S+ BAD")
        client = self.connect(tls="implicit")
        self.assertAnswer(client.command("STARTTLS"), rb"\S+ BAD")
        client = self.connect(tls="starttls")
        self.assertAnswer(client.command("STARTTLS"), rb"\S+ BAD")

    @proxied
    def test_commands_before_login(self):
        client = self.connect()
        self.assertAnswer(client.greeting, rb"\* OK \[CAPABILITY IMAP4rev1[^\]]* ID[^\]]*\]")
        self.assertAnswer(client.ok("CAPABILITY"), rb"\S+ OK")
        self.assertAnswer(client.ok("NOOP"), rb"\S+ OK")
        answers = client.ok('ID ("name" "tests" "version" NIL)')
        self.assertTrue(any(a.startswith(b"* ID ") for a in answers))
        client.ok("ID NIL")
        client.send(b'i ID ("name" {5+}\r\ntests)\r\n')
        self.assertAnswer(client.until_tagged("i"), rb"i OK")
        client.ok("ENABLE CONDSTORE")
        for command in ("SELECT INBOX", 'LIST "" *', "UID FETCH 1 FLAGS", "IDLE", "FROBNICATE"):
            self.assertAnswer(client.command(command), rb"\S+ BAD")
            client.ok("NOOP")
        client.login("known")
        client.logout()

    @proxied
    def test_no_password_in_the_log(self):
        word = "Str4nge-Passw0rd"
        for tls in ("none", "implicit"):
            client = self.connect(tls=tls)
            client.command(f"LOGIN known {word}")
            client.command("AUTHENTICATE PLAIN " + sasl_plain("known", word))
        self.proxy.wait_log(2, event="login_failed", client=lambda value: True)
        for path in (self.proxy.log, self.proxy.errors):
            with open(path, errors="replace") as file:
                text = file.read()
            self.assertNotIn(word, text)
            self.assertNotIn(b64(word), text)
            self.assertNotIn(sasl_plain("known", word), text)


class Limits(Case):

    @classmethod
    def build(cls, world):
        store = world.store("store", ["limit"])
        body = world.backend("store", store.address("none")) + "[route]\ndefault = store\n"
        world.proxy(body)
        world.proxy(body, login_timeout="1s")

    def ends(self, client):
        """The proxy says BYE and closes."""
        said = client.rest()
        self.assertRegex(said, rb"(?m)^\* BYE ")

    @proxied
    def test_long_line(self):
        client = self.connect()
        client.send(b"x NOOP " + b"a" * 9000 + b"\r\n")
        answer = client.response()
        self.assertAnswer(answer, rb"(x BAD|\* BAD|\* BYE)")

    @proxied
    def test_line_without_end(self):
        client = self.connect(tls="none")
        try:
            for _ in range(1000):
                client.send(b"a" * 10000)
        except OSError:
            pass
        said = client.rest()
        self.assertAnswer(said or b"* BYE", rb"(\S+ BAD|\* BYE)")

    @proxied
    def test_long_literal_that_waits(self):
        client = self.connect()
        client.send("x LOGIN {4097}\r\n")
        self.assertAnswer(client.response(), rb"x BAD \[TOOBIG\]")
        # the line of the refused literal is over with its CRLF: nothing is left that could be a command
        self.assertEqual(len(client.ok("NOOP")), 1)
        client.send("x LOGIN {99999999999999999999}\r\n")
        self.assertAnswer(client.response(), rb"x BAD")
        client.login("limit")
        client.logout()

    @proxied
    def test_literal_at_the_limit(self):
        client = self.connect()
        client.send(b"x LOGIN {4096+}\r\n" + b"u" * 4096 + b" secret\r\n")
        self.assertAnswer(client.until_tagged("x"), rb"x NO")
        client.login("limit")

    @proxied
    def test_long_literal_that_does_not_wait(self):
        client = self.connect()
        client.send(b"x LOGIN {5000+}\r\n" + b"u" * 5000 + b" secret\r\n")
        self.ends(client)

    @proxied
    def test_long_command_of_short_literals(self):
        client = self.connect()
        try:
            client.send(b"x ID (" + (b"{4000+}\r\n" + b"k" * 4000 + b" ") * 20 + b")\r\n")
            answer = client.response()
        except (Closed, OSError):
            return
        self.assertAnswer(answer, rb"(x BAD|\* BYE)")

    @proxied
    def test_bad_commands_in_a_row(self):
        client = self.connect()
        for number in range(9):
            self.assertAnswer(client.command("BOGUS"), rb"\S+ BAD")
        client.ok("NOOP")  # begins the row anew
        for number in range(9):
            self.assertAnswer(client.command("BOGUS"), rb"\S+ BAD")
        client.send("last BOGUS\r\n")
        self.ends(client)

    @proxied
    def test_failed_logins(self):
        client = self.connect()
        for number in range(2):
            self.assertAnswer(client.command("LOGIN limit wrong"), rb"\S+ NO \[AUTHENTICATIONFAILED\]")
        client.send("last LOGIN limit wrong\r\n")
        said = client.rest()
        self.assertIn(b"last NO [AUTHENTICATIONFAILED]", said)
        self.assertRegex(said, rb"(?m)^\* BYE ")

    @proxied
    def test_login_timeout(self):
        proxy = self.world.proxies[1]
        for listener, tls in (("plain", "none"), ("imap", "starttls"), ("imaps", "implicit")):
            client = self.connect(tls=tls, address=proxy.address(listener))
            self.ends(client)
        # neither small talk nor a handshake that never comes puts it off
        client = self.connect(tls="none", address=proxy.address("plain"))
        try:
            while True:
                client.ok("NOOP")
        except (Closed, AssertionError, OSError):
            pass
        silent = self.connect(tls="none", address=proxy.address("imaps"), greeting=False)
        self.assertEqual(silent.rest(), b"")
        # and it is over with the login
        client = self.connect(address=proxy.address("imaps"))
        client.login("limit")
        late = self.connect(tls="none", address=proxy.address("plain"))
        late.rest()
        client.ok("NOOP")
        client.logout()

    @proxied
    def test_noise(self):
        """Random bytes and random lines, on every listener: a refusal, and the proxy is still there."""
        pids = self.proxy.pids()
        chance = random.Random(143)
        lines = [b"x LOGIN {3}\r\n", b"{5+}\r\n", b'"', b"\r\n", b"x AUTHENTICATE PLAIN\r\n", b"=\r\n",
                 b"* ", b"\0", b"((((((((", b"x ID (", b"NIL ", b"x LOGIN ", b"\\", b"x STARTTLS\r\n"]
        for listener in ("plain", "imap", "imaps"):
            for _ in range(60):
                client = self.connect(tls="none", address=self.proxy.address(listener), greeting=False)
                data = b"".join(chance.choice(lines) if chance.random() < .8 else chance.randbytes(40)
                                for _ in range(chance.randrange(30)))
                try:
                    client.send(data)
                    client.sock.shutdown(2)
                except OSError:
                    pass
                client.close()
        client = self.connect("limit")
        client.logout()
        self.assertEqual(pids, self.proxy.pids())
