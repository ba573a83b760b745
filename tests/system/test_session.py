"""What a logged-in session does beyond the plain commands, and how it begins and ends."""

import re
import select
import socket
import zlib

from harness import world
from harness.case import Case, DIRECT, proxied
from harness.imap import b64, message, quote, sasl_plain
from harness.proxy import SANITIZED, Proxy

AWKWARD = {
    'quo"te': 'pass"word',
    "back\\slash": "\\\\back\\",
    "with space": " lead and trail ",
    "percent%41": "%41%00{3}",
    "braces{4}": "{4+}(paren)*",
    "müller": "grüße ß",
    "long": "x" * 900,
}


class Session(Case):

    @classmethod
    def build(cls, world):
        users = {name: "secret" for name in (
            "idle", "push", "deflate", "pipeline", "behind", "behindauth", "qresync", "capability",
            "slow", "both", "half", "reset", "logout", "untagged", "forms", "cutidle", "literal")}
        store = world.store("store", {**users, **AWKWARD})
        routes = world.users("half bare\nreset bare\n")
        world.proxy(world.backend("store", store.address("starttls"), "starttls")
                    + world.backend("bare", store.address("none"))
                    + f"[route]\nlookup = file:{routes}\ndefault = store\n")

    def on_another_worker(self, client, user):
        """A second client of the user that another worker serves."""
        if DIRECT:
            return self.connect(user)
        first = self.proxy.worker_of(client)
        for _ in range(64):
            other = self.connect(user)
            if self.proxy.worker_of(other) != first:
                return other
        raise AssertionError("64 connections, all on one worker")

    def test_idle_learns_of_a_message_from_another_worker(self):
        watcher = self.connect("idle")
        watcher.ok("SELECT INBOX")
        watcher.send("w IDLE\r\n")
        self.assertAnswer(watcher.response(), rb"\+ ")
        sender = self.on_another_worker(watcher, "idle")
        for number in range(1, 4):
            sender.append("INBOX", message("idle", number))
            while (line := watcher.response()) != b"* %d EXISTS\r\n" % number:
                self.assertAnswer(line, rb"\* (\d+ RECENT|\d+ EXISTS|OK Still here)")
        watcher.send("DONE\r\n")
        self.assertAnswer(watcher.until_tagged("w"), rb"w OK")
        watcher.logout()

    def test_compress_deflate(self):
        client = self.connect("deflate")
        self.assertTrue(any(b"COMPRESS=DEFLATE" in line for line in client.ok("CAPABILITY")))
        self.assertAnswer(client.ok("COMPRESS DEFLATE"), rb"\S+ OK")
        pack = zlib.compressobj(9, zlib.DEFLATED, -15)
        unpack = zlib.decompressobj(-15)
        plain = b""

        def ask(tag, text, literal=b""):
            nonlocal plain
            data = pack.compress(f"{tag} {text}".encode() + literal + b"\r\n")
            client.send(data + pack.flush(zlib.Z_SYNC_FLUSH))
            # The answer is read as it unpacks; a literal in it never ends like a tagged line here.
            while not re.search(rb"(?m)^%s (OK|NO|BAD).*\r\n" % tag.encode(), plain):
                if not client.pending():
                    client._fill()
                plain += unpack.decompress(client._take(len(client.pending())))
            answer, plain = plain, b""
            return answer

        text = message("deflate", 1, 2000000)
        self.assertIn(b"z1 OK", ask("z1", "APPEND INBOX {%d+}\r\n" % len(text), text))
        self.assertIn(b"z2 OK", ask("z2", "SELECT INBOX"))
        self.assertIn(text, ask("z3", "FETCH 1 BODY.PEEK[]"))
        self.assertIn(b"z4 OK", ask("z4", "LOGOUT"))
        self.assertEqual(client.rest(), b"")

    def check_pipelined(self, client, tags):
        """Each tag is answered OK, once. (Dovecot itself answers some ahead of others.)"""
        seen = []
        while len(seen) < len(tags):
            answer = client.response()
            if not answer.startswith((b"* ", b"+ ")):
                seen.append(answer.split(b" ")[0].decode())
                self.assertAnswer(answer, rb"\S+ OK")
        self.assertEqual(sorted(seen), sorted(tags))

    def pipelined(self, prefix, user):
        """200 commands as bytes, and their tags; thirty of them append."""
        tags, data = [], b""
        for number in range(200):
            tag = f"{prefix}{number}"
            tags.append(tag)
            if number == 40:
                command = b"SELECT INBOX"
            elif number % 7 == 3:
                text = message(user, number)
                command = b"APPEND INBOX {%d+}\r\n" % len(text) + text
            elif number % 5 == 1:
                command = b'LIST "" *'
            else:
                command = b"NOOP"
            data += tag.encode() + b" " + command + b"\r\n"
        return tags, data, len([n for n in range(200) if n != 40 and n % 7 == 3])

    def check_appended(self, user, count):
        direct = self.direct(user)
        direct.ok("EXAMINE INBOX")
        got = [direct.body(uid) for uid in direct.uids()]
        wanted = [message(user, n) for n in range(200) if n != 40 and n % 7 == 3]
        self.assertEqual(len(wanted), count)
        self.assertSameBytes(b"".join(got), b"".join(wanted), "the messages, in order,")

    def test_200_commands_in_one_write(self):
        for tls in ("none", "implicit"):
            client = self.connect("pipeline", tls)
            tags, data, count = self.pipelined("p", "pipeline")
            client.send(data)
            self.check_pipelined(client, tags)
            self.check_appended("pipeline", count)
            client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
            client.logout()

    def test_commands_in_the_segment_of_login(self):
        client = self.connect()
        tags, data, count = self.pipelined("b", "behind")
        client.send(b"a LOGIN behind secret\r\n" + data)
        self.check_pipelined(client, ["a"] + tags)
        self.check_appended("behind", count)
        client.logout()

    def test_commands_in_the_segment_of_authenticate(self):
        client = self.connect(tls="none")
        tags, data, count = self.pipelined("b", "behindauth")
        client.send(f"a AUTHENTICATE PLAIN {sasl_plain('behindauth', 'secret')}\r\n".encode() + data)
        self.check_pipelined(client, ["a"] + tags)
        self.check_appended("behindauth", count)
        client.logout()

    def test_qresync_after_a_cut_connection(self):
        client = self.connect("qresync")
        for number in range(20):
            client.append("INBOX", message("qresync", number))
        client.ok("ENABLE QRESYNC")
        selected = b"".join(client.ok("SELECT INBOX"))
        validity = int(re.search(rb"UIDVALIDITY (\d+)", selected)[1])
        sequence = int(re.search(rb"HIGHESTMODSEQ (\d+)", selected)[1])
        client.send("x FETCH 1:* BODY.PEEK[]\r\n")
        client.response()
        client.cut()
        other = self.connect("qresync")
        other.ok("SELECT INBOX")
        other.ok("UID STORE 3,5:7 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        other.ok("UID STORE 10 +FLAGS.SILENT (\\Flagged)")
        other.append("INBOX", message("qresync", 20))
        answers = []
        for again in (self.connect("qresync"), self.direct("qresync")):
            again.ok("ENABLE QRESYNC", tag="e")
            got = again.ok(f"SELECT INBOX (QRESYNC ({validity} {sequence} 1:20))", tag="q")
            answers.append(b"".join(got))
        for whole in answers:
            self.assertIn(b"* VANISHED (EARLIER) 3,5:7\r\n", whole)
            self.assertRegex(whole, rb"\* \d+ FETCH \(UID 10 FLAGS \([^)]*\\Flagged[^)]*\) MODSEQ")
            self.assertIn(b"* 17 EXISTS", whole)
        clean = [re.sub(rb"\(\d+\.\d+ \+[^)]*secs\)|\\Recent ?|\* \d+ RECENT\r\n", b"", whole)
                 for whole in answers]
        self.assertSameBytes(clean[0], clean[1], "the answers to SELECT with QRESYNC")

    def test_capability_after_login_in_the_form_the_client_reads(self):
        listed = {}
        for asked in (True, False):
            client = self.connect()
            if asked:
                before = client.ok("CAPABILITY")[0]
                self.assertAnswer(before, rb"\* CAPABILITY .*IMAP4rev1")
                self.assertNotIn(b"CONDSTORE", before)
            answers = client.login("capability")
            if asked and not DIRECT:
                self.assertEqual(len([a for a in answers if a.startswith(b"* CAPABILITY ")]), 1)
                line = next(a for a in answers if a.startswith(b"* CAPABILITY "))
                listed[asked] = line[len("* CAPABILITY "):].split()
            elif not asked:
                # a proxy has no list of its own to add in the other form
                self.assertFalse([a for a in answers if a.startswith(b"* CAPABILITY")])
                listed[asked] = re.match(rb"\S+ OK \[CAPABILITY ([^\]]*)\]", answers[-1])[1].split()
        for words in listed.values():
            for word in (b"IMAP4rev1", b"IDLE", b"CONDSTORE", b"QRESYNC", b"COMPRESS=DEFLATE", b"MOVE"):
                self.assertIn(word, words)
            if not DIRECT:
                for word in (b"STARTTLS", b"LOGINDISABLED", b"AUTH=PLAIN", b"UNAUTHENTICATE",
                             b"LOGIN-REFERRALS"):
                    self.assertNotIn(word, words)
        if not DIRECT:
            self.assertEqual(listed[True], listed[False])

    def test_capability_after_authenticate(self):
        client = self.connect(tls="starttls")
        answers = client.plain("capability")
        self.assertAnswer(answers, rb"\S+ OK \[CAPABILITY IMAP4rev1[^\]]* CONDSTORE")

    def test_slow_reader_holds_up_nobody(self):
        """A client that asks for 60 MB and does not read them: the proxy holds them back, others go on,
        and in the end every byte is there."""
        client = self.connect("slow")
        text = message("slow", 1, 30 * 1000 * 1000)
        client.append("INBOX", text)
        client.ok("SELECT INBOX")
        client.send("s1 FETCH 1 BODY.PEEK[]\r\ns2 FETCH 1 BODY.PEEK[]\r\n")
        self.assertTrue(world.readable(client.sock, world.DEADLINE))
        others = [self.connect("slow") for _ in range(8)]
        for _ in range(20):
            for other in others:
                other.ok("NOOP")
        if not DIRECT and not SANITIZED:
            for pid in self.proxy.role("worker"):
                self.assertLess(world.resident(pid), 64 << 20)
        for tag in ("s1", "s2"):
            answers = client.until_tagged(tag)
            self.assertIn(text, answers[0])
            self.assertAnswer(answers, rb"s\d OK")

    def test_both_directions_at_once(self):
        """An APPEND of 10 MB goes up while answers to earlier commands come down unread."""
        client = self.connect("both")
        text = message("both", 1, 10 * 1000 * 1000)
        client.append("INBOX", text)
        client.ok("SELECT INBOX")
        client.send("d1 FETCH 1 BODY.PEEK[]\r\n")
        client.send(b"d2 APPEND INBOX {%d+}\r\n" % len(text))
        # Sent and received in turns: neither side may wait for the other to finish.
        view = memoryview(text + b"\r\nd3 NOOP\r\n")
        while view:
            ready = select.select([client.sock], [client.sock], [], world.DEADLINE)
            self.assertTrue(ready[0] or ready[1], "neither direction moves")
            if ready[1]:
                client.sock.settimeout(0.2)  # how long this side insists before it reads again
                try:
                    view = view[client.sock.send(view[:1 << 16]):]
                except TimeoutError:
                    pass
                client.sock.settimeout(world.DEADLINE)
            if ready[0]:
                client._fill()
        self.assertIn(text, client.until_tagged("d1")[0])
        self.assertAnswer(client.until_tagged("d2"), rb"d2 OK")
        self.assertAnswer(client.until_tagged("d3"), rb"d3 OK")

    def test_half_close_lets_the_answers_come(self):
        """A client that says all it has to say and closes its side still gets every answer."""
        client = self.connect("half", "none")
        text = message("half", 1, 3 * 1000 * 1000)
        client.append("INBOX", text)
        client.send("h1 SELECT INBOX\r\nh2 FETCH 1 BODY.PEEK[]\r\nh3 LOGOUT\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        client.until_tagged("h1")
        self.assertIn(text, client.until_tagged("h2")[0])
        client.until_tagged("h3")
        self.assertEqual(client.rest(), b"")

    def test_literal_that_looks_like_an_answer(self):
        """What a message says never ends a login or a session."""
        text = (b"Subject: t1 OK\r\n\r\nt1 OK LOGIN done\r\n* BYE bye\r\nt1 NO [UNAVAILABLE] x\r\n"
                b"a {100}\r\n+ go\r\n")
        client = self.connect("literal")
        client.append("INBOX", text)
        client.ok("SELECT INBOX")
        self.assertSameBytes(client.body(1), text, "the message")
        client.logout()

    def test_logout_before_login(self):
        self.connect().logout()

    @proxied
    def test_reset_by_the_client_is_logged(self):
        client = self.connect("reset", "none")
        local = client.local
        client.ok("SELECT INBOX")
        client.cut()
        event = self.proxy.wait_log(event="session_end", client=f"{local[0]}:{local[1]}")
        self.assertEqual((event["user"], event["closed_by"]), ("reset", "client"))

    @proxied
    def test_session_end_tells_all(self):
        client = self.connect("logout", "implicit")
        local = client.local
        text = message("logout", 1, 500000)
        client.append("INBOX", text)
        client.ok("SELECT INBOX")
        client.ok("FETCH 1 BODY.PEEK[]")
        client.logout()
        name = f"{local[0]}:{local[1]}"
        event = self.proxy.wait_log(event="session_end", client=name)
        login = self.proxy.wait_log(event="login", client=name)
        self.assertEqual(login["session"], event["session"])
        for each in (login, event):
            self.assertEqual((each["user"], each["listener"], each["backend"]),
                             ("logout", "imaps", "store"))
            self.assertRegex(each["tls"], r"^TLSv1\.[23]$")
            self.assertTrue(each["cipher"])
        # counted are the bytes of the relay: the message up and down, and little more
        for key in ("client_bytes", "store_bytes"):
            self.assertGreater(int(event[key]), len(text))
            self.assertLess(int(event[key]), len(text) + 5000)
        self.assertIn("duration", event)
        self.assertIn("reason", event)

    @proxied
    def test_store_that_dies_ends_the_session_cleanly(self):
        """A second store, killed: its sessions end with close_notify and FIN, and the log says who."""
        self.world.store("mortal", ["mortal"], tls=False)
        # routed by host:port of its own users file, hence a proxy of its own
        store = self.world.stores["mortal"]
        routes = self.world.users(f"mortal {store.address('none')[0]}:{store.port} tls=none\n", "mortals")
        second = Proxy(self.world.work, self.world.listeners()
                             + f"[route]\nlookup = file:{routes}\n", name="second").start()
        self.world.proxies.append(second)
        client = self.connect("mortal", address=second.address("imaps"))
        client.ok("SELECT INBOX")
        store.stop()
        said = client.rest()
        self.assertAnswer(said or b"\r\n", rb"(\* BYE .*)?\r\n")
        client.close()
        event = second.wait_log(event="session_end", user="mortal")
        self.assertEqual(event["closed_by"], "store")


class Login(Case):
    """All the ways to say who one is."""

    @classmethod
    def build(cls, world):
        store = world.store("store", {"plain": "secret", "empty": "", **AWKWARD})
        world.proxy(world.backend("store", store.address("none"))
                    + "[route]\ndefault = store\n")

    def check_in(self, client, user):
        """It is this user's mailbox: what was left there directly is found."""
        direct = self.direct(user, password=AWKWARD.get(user, "secret"))
        direct.command("CREATE Mark")
        before = len(self.marks(direct))
        client.append("Mark", message("mark", before))
        self.assertEqual(len(self.marks(direct)), before + 1)
        client.logout()

    @staticmethod
    def marks(client):
        client.ok("SELECT Mark")
        return client.uids()

    def test_quoted(self):
        for user, password in AWKWARD.items():
            client = self.connect(tls="none")
            client.send(f"q LOGIN {quote(user)} {quote(password)}\r\n".encode())
            self.assertAnswer(client.until_tagged("q"), rb"q OK")
            self.check_in(client, user)

    def test_literals(self):
        for user, password in AWKWARD.items():
            client = self.connect(tls="starttls")
            client.send(b"l LOGIN {%d}\r\n" % len(user.encode()))
            self.assertAnswer(client.response(), rb"\+ ?.*\r\n")
            client.send(user.encode() + b" {%d}\r\n" % len(password.encode()))
            self.assertAnswer(client.response(), rb"\+ ?.*\r\n")
            client.send(password.encode() + b"\r\n")
            self.assertAnswer(client.until_tagged("l"), rb"l OK")
            self.check_in(client, user)

    def test_literals_that_do_not_wait(self):
        for user, password in AWKWARD.items():
            client = self.connect()
            name, word = user.encode(), password.encode()
            client.send(b"l LOGIN {%d+}\r\n" % len(name) + name + b" {%d+}\r\n" % len(word) + word
                        + b"\r\n")
            self.assertAnswer(client.until_tagged("l"), rb"l OK")
            self.check_in(client, user)

    def test_mixed_forms_byte_by_byte(self):
        client = self.connect(tls="none")
        for byte in b'm LOGIN {5+}\r\nplain "secret"\r\n':
            client.send(bytes([byte]))
        self.assertAnswer(client.until_tagged("m"), rb"m OK")
        client.logout()

    def test_small_letters_and_bare_line_feed(self):
        client = self.connect(tls="none")
        client.send(b"a login plain secret\n")
        self.assertAnswer(client.until_tagged("a"), rb"a OK")
        client.logout()

    def test_authenticate_plain(self):
        for user, password in AWKWARD.items():
            client = self.connect()
            self.assertAnswer(client.plain(user, password), rb"\S+ OK")
            self.check_in(client, user)
            client = self.connect(tls="starttls")
            client.send("p AUTHENTICATE PLAIN\r\n")
            self.assertEqual(client.response().rstrip(), b"+")
            client.send(sasl_plain(user, password) + "\r\n")
            self.assertAnswer(client.until_tagged("p"), rb"p OK")
            self.check_in(client, user)

    def test_authenticate_login(self):
        for user, password in AWKWARD.items():
            for first in (False, True):
                client = self.connect(tls="implicit" if first else "none")
                if first and DIRECT:
                    continue  # Dovecot takes the user's name in an initial response, too
                client.send("p AUTHENTICATE LOGIN" + (" " + b64(user) if first else "") + "\r\n")
                if not first:
                    self.assertAnswer(client.response(), rb"\+ VXNlciBOYW1l|\+ VXNlcm5hbWU6")
                    client.send(b64(user) + "\r\n")
                self.assertAnswer(client.response(), rb"\+ UGFzc3dvcmQ")
                client.send(b64(password) + "\r\n")
                self.assertAnswer(client.until_tagged("p"), rb"p OK")
                self.check_in(client, user)

    def test_cancelled_exchanges_leave_the_connection_usable(self):
        client = self.connect()
        for start, steps in (("PLAIN", 0), ("LOGIN", 0), ("LOGIN", 1)):
            client.send(f"c AUTHENTICATE {start}\r\n")
            self.assertAnswer(client.response(), rb"\+ ?")
            if steps:
                client.send(b64("plain") + "\r\n")
                self.assertAnswer(client.response(), rb"\+ ")
            client.send("*\r\n")
            self.assertAnswer(client.until_tagged("c"), rb"c BAD")
        client.login("plain")
        client.logout()

    def test_broken_exchanges(self):
        client = self.connect()
        for bad in ("AUTHENTICATE PLAIN ####", "AUTHENTICATE PLAIN " + b64("no zeros"),
                    "AUTHENTICATE PLAIN " + b64("\0\0"), "AUTHENTICATE NOSUCH"):
            self.assertAnswer(client.command(bad), rb"\S+ (NO|BAD)")
        self.assertAnswer(client.command("LOGIN plain"), rb"\S+ BAD")
        self.assertAnswer(client.plain("plain"), rb"\S+ OK")
        client.logout()

    @proxied
    def test_nul_is_an_error_never_an_end(self):
        client = self.connect()
        client.send(b"n LOGIN {10+}\r\nplain\0more {6+}\r\nsecret\r\n")
        self.assertAnswer(client.until_tagged("n"), rb"n (BAD|NO)")
        client = self.connect()
        client.send(b'n LOGIN "plain\0" "secret"\r\n')
        self.assertAnswer(client.until_tagged("n"), rb"n (BAD|NO)")
        client = self.connect()
        self.assertAnswer(client.plain("plain", "secret\0x"), rb"\S+ (BAD|NO)")

    @proxied
    def test_refused_authorisation_identity(self):
        """authzid other than the user's own name is not passed on unless so configured."""
        client = self.connect()
        answer = client.command("AUTHENTICATE PLAIN " + sasl_plain("plain", "secret", "with space"))
        self.assertAnswer(answer, rb"\S+ NO \[AUTHORIZATIONFAILED\]")
        self.assertAnswer(client.command("AUTHENTICATE PLAIN " + sasl_plain("plain", "secret", "plain")),
                          rb"\S+ OK")
        client.logout()
