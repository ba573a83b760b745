"""Stores that misbehave, each a script: what they do costs their session, never the proxy, and a client
is told the truth about it."""

import re

from harness.case import Case, proxied
from harness.imap import Closed
from harness.script import ScriptedStore

GREETING = "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=LOGIN] script\r\n"
OK = b"{tag} OK [CAPABILITY IMAP4rev1 IDLE XSCRIPT] in\r\n"


def greeted(answer, greeting=GREETING):
    """A script: a greeting, a login answered so, then a session."""
    def script(talk):
        talk.say(greeting)
        talk.serve_login(answer)
        talk.serve_session()
    return script


def bytewise(talk):
    talk.say_bytewise(GREETING)
    talk.serve_login(lambda t: t.say_bytewise(OK))
    talk.serve_session()


def starttls_with_more(talk):
    talk.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] script\r\n")
    while not talk.command().upper().startswith(b"STARTTLS"):
        talk.say("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n{tag} OK\r\n")
    talk.say("{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
    talk.serve_login(OK)


def no_starttls(talk):
    talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] script\r\n")
    talk.serve_login(OK)


def endless_line(talk):
    talk.say("* OK ")
    while True:
        talk.say("x" * 65536)


def endless_untagged(talk):
    talk.say(GREETING)

    def flood(t):
        while True:
            t.say("* OK still thinking\r\n" * 1000)
    talk.serve_login(flood)


def huge_literal(talk):
    talk.say(GREETING)

    def flood(t):
        t.say("* XDATA {4000000000}\r\n")
        while True:
            t.say("y" * 65536)
    talk.serve_login(flood)


def tag_in_literal(talk):
    """The proxy's tag inside a literal ends nothing."""
    talk.say(GREETING)

    def answer(t):
        inner = b"{tag} OK in\r\n".replace(b"{tag}", t.tag)
        t.say(b"* XDATA {%d}\r\n" % len(inner) + inner + b" end\r\n")
        t.say("{tag} NO [AUTHENTICATIONFAILED] never\r\n")
    talk.serve_login(answer)


def without_sasl_ir(talk):
    talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] script\r\n")

    def answer(t):
        if b"AUTHENTICATE" in bytes(t.heard).upper():
            t.say("+ \r\n")
            t.line()
        t.say(OK)
    talk.serve_login(answer)
    talk.serve_session()


def old_store(talk):
    """Neither AUTH= nor capabilities in any answer that was not asked for them."""
    talk.say("* OK old\r\n")
    talk.serve_login(b"{tag} OK in\r\n", capability=b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
    talk.serve_session()


def pushes(talk):
    """What comes behind the tagged OK belongs to the client."""
    talk.say(GREETING)
    talk.serve_login(b"* OK [ALERT] before\r\n* XFIRST 1\r\n" + OK
                     + b"* OK [ALERT] behind\r\n* XSECOND 2\r\n")
    talk.serve_session()


def silent_after_login(talk):
    talk.say(GREETING)
    talk.serve_login(lambda t: t.sock.close())


SCRIPTS = {
    "bytewise": bytewise,
    "injection": starttls_with_more,
    "nostarttls": no_starttls,
    "line": endless_line,
    "untagged": endless_untagged,
    "literal": huge_literal,
    "tag": tag_in_literal,
    "noir": without_sasl_ir,
    "old": old_store,
    "pushes": pushes,
    "gone": silent_after_login,
    "preauth": lambda talk: (talk.say("* PREAUTH [CAPABILITY IMAP4rev1] you are in\r\n"),
                             talk.serve_session()),
    "bye": lambda talk: talk.say("* BYE [UNAVAILABLE] not today\r\n"),
    "noise": lambda talk: (talk.say(b"\0\xff\r\n220 smtp.example.org ESMTP\r\n"), talk.serve_login(OK)),
    "disabled": greeted(OK, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] script\r\n"),
    "plainno": greeted(b"{tag} NO you are not who you say, Fred\r\n"),
    "expired": greeted(b"{tag} NO [EXPIRED] your password is a year old\r\n"),
    "contact": greeted(b"{tag} NO [CONTACTADMIN] ask the desk\r\n"),
    "limit": greeted(b"{tag} NO [LIMIT] too many of you\r\n"),
    "busy": greeted(b"{tag} NO [UNAVAILABLE] come back later\r\n"),
    "referral": greeted(b"{tag} NO [REFERRAL imap://elsewhere.example.org/] go there\r\n"),
    "bad": greeted(b"{tag} BAD what was that\r\n"),
    "good": greeted(OK),
}


@proxied
class Stores(Case):

    @classmethod
    def build(cls, world):
        cls.scripts = {name: ScriptedStore(script) for name, script in SCRIPTS.items()}
        secure = ("injection", "nostarttls")
        routes = world.users("".join(f"{name} {name}\n" for name in SCRIPTS)
                             + "candidates candidates\nfailing failing\n")
        world.proxy("".join(world.backend(name, script.address, "starttls" if name in secure else "none")
                            for name, script in cls.scripts.items()) + f"""
[pool candidates]
backends = bye, preauth, noise
fallback = good
[pool failing]
backends = bye
fallback = plainno
[route]
lookup = file:{routes}
""", login_timeout="20s")

    def login(self, user, tls="none"):
        client = self.connect(tls=tls)
        return client, client.command(f"LOGIN {user} hunter22")

    def refused(self, user, pattern):
        client, answers = self.login(user)
        self.assertAnswer(answers, pattern)
        client.ok("NOOP")  # and the connection is still good
        return client, answers

    def heard(self, name):
        return b"".join(bytes(part) for part in self.scripts[name].heard)

    def works(self, user):
        client, answers = self.login(user)
        self.assertAnswer(answers, rb"\S+ OK")
        self.assertAnswer(client.ok("XPROBE 1"), rb"\S+ OK XPROBE 1")
        client.logout()
        return answers

    def test_answers_in_single_bytes(self):
        self.works("bytewise")

    def test_injection_behind_starttls(self):
        self.refused("injection", rb"\S+ NO \[UNAVAILABLE\]")
        self.assertNotIn(b"hunter22", self.heard("injection"))

    def test_starttls_that_is_not_offered(self):
        self.refused("nostarttls", rb"\S+ NO \[UNAVAILABLE\]")
        self.assertNotIn(b"hunter22", self.heard("nostarttls"))

    def test_preauth(self):
        self.refused("preauth", rb"\S+ NO \[UNAVAILABLE\]")
        self.assertNotIn(b"hunter22", self.heard("preauth"))

    def test_login_disabled(self):
        self.refused("disabled", rb"\S+ NO \[UNAVAILABLE\]")
        self.assertNotIn(b"hunter22", self.heard("disabled"))
        self.assertNotIn(b"aHVudGVyMjI", self.heard("disabled"))

    def test_floods_cost_one_session(self):
        before = self.proxy.pids()
        other, _ = self.login("good")
        for user in ("line", "untagged", "literal"):
            client = self.connect(tls="none")
            try:
                answers = client.command(f"LOGIN {user} hunter22")
                self.assertAnswer(answers, rb"\S+ NO \[(UNAVAILABLE|SERVERBUG)\]")
            except Closed:
                pass
            other.ok("XSTILL")
        self.assertEqual(self.proxy.pids(), before)

    def test_bye_and_noise_are_unavailable(self):
        for user in ("bye", "noise", "gone"):
            self.refused(user, rb"\S+ NO \[UNAVAILABLE\]")

    def test_next_candidates(self):
        self.works("candidates")
        self.refused("failing", rb"\S+ NO \[AUTHENTICATIONFAILED\]")

    def test_tag_in_a_literal_is_not_the_answer(self):
        self.refused("tag", rb"t1 NO \[AUTHENTICATIONFAILED\]")

    def test_without_initial_response(self):
        self.works("noir")

    def test_store_that_says_little(self):
        answers = self.works("old")
        self.assertIn(b"XSCRIPT", b"".join(answers))

    def test_what_belongs_to_the_login_is_passed_on_in_order(self):
        client, answers = self.login("pushes")
        whole = b"".join(answers)
        self.assertRegex(whole, rb"(?s)\* OK \[ALERT\] before\r\n\* XFIRST 1\r\n.*t1 OK")
        rest = b"".join(client.ok("XPROBE 1"))
        self.assertTrue(rest.startswith(b"* OK [ALERT] behind\r\n* XSECOND 2\r\n"), rest)
        client.logout()

    def test_codes_of_refusals(self):
        _, answers = self.refused("plainno", rb"t1 NO \[AUTHENTICATIONFAILED\]")
        self.assertNotIn(b"Fred", b"".join(answers))
        self.refused("expired", rb"t1 NO \[EXPIRED\] your password is a year old\r\n")
        self.refused("contact", rb"t1 NO \[CONTACTADMIN\] ask the desk\r\n")
        self.refused("limit", rb"t1 NO \[LIMIT\] too many of you\r\n")
        self.refused("busy", rb"t1 NO \[UNAVAILABLE\]")
        _, answers = self.refused("referral", rb"t1 NO ")
        self.assertNotIn(b"REFERRAL", b"".join(answers))
        self.assertAnswer(self.login("bad")[1], rb"t1 (NO|BAD) ")

    def test_nothing_of_the_client_comes_before_the_login(self):
        """Pipelined commands reach the store after its login, once and in order."""
        client = self.connect(tls="none")
        client.send("a LOGIN good hunter22\r\n" + "".join(f"b{n} XORDER {n}\r\n" for n in range(50)))
        client.until_tagged("a")
        for number in range(50):
            self.assertAnswer(client.until_tagged(f"b{number}"), rb"b\d+ OK XORDER %d\r\n" % number)
        heard = bytes(self.scripts["good"].heard[-1])
        order = [int(n) for n in re.findall(rb"XORDER (\d+)", heard)]
        self.assertEqual(order, list(range(50)))
        self.assertNotIn(b"XORDER", heard[:re.search(rb"(?i)authenticate|login", heard).end()])

    def test_client_that_leaves_while_the_store_thinks(self):
        before = self.proxy.pids()
        for user in ("untagged", "line"):
            for _ in range(5):
                client = self.connect(tls="none")
                client.send(f"a LOGIN {user} hunter22\r\n")
                client.cut()
        self.works("good")
        self.assertEqual(self.proxy.pids(), before)
