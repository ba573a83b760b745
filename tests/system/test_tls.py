"""TLS towards the client: versions, certificates, names, resumption, and what is not TLS."""

import os
import re
import ssl
import warnings

from harness import world
from harness.case import Case, proxied
from harness.imap import Closed, Imap
from harness.proxy import Proxy

warnings.filterwarnings("ignore", category=DeprecationWarning)


@proxied
class Tls(Case):

    @classmethod
    def build(cls, world):
        store = world.store("store", ["tls"], tls=False)
        pairs = [world.ca.issue(f"default-{kind}", kind) for kind in ("ecdsa", "rsa")]
        net = world.ca.issue("net", names=("mail.example.net", "*.mail.example.net"))
        cls.net = net[0]
        text = world.listeners()
        text = text[:text.index("[tls default]")]
        world.proxies.append(Proxy(world.work, text + f"""
[tls default]
certificate = {pairs[0][0]}, {pairs[1][0]}
key = {pairs[0][1]}, {pairs[1][1]}
min_version = 1.2
[tls example.net]
names = mail.example.net, *.mail.example.net
certificate = {net[0]}
key = {net[1]}
{world.backend("store", store.address("none"))}
[route]
default = store
""").start())

    def secure(self, tls="implicit", name="localhost", session=None, **settings):
        context = settings.pop("context", None) or self.world.context(**settings)
        client = Imap(self.world.address(tls), tls, context, name=name, session=session)
        self.addCleanup(client.close)
        return client

    def test_versions(self):
        for tls in ("starttls", "implicit"):
            for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
                client = self.secure(tls, minimum_version=version, maximum_version=version)
                self.assertEqual(client.sock.version(), name)
                client.login("tls")
                client.ok("SELECT INBOX")
                host, port = client.local[:2]
                event = self.proxy.wait_log(event="login", client=f"{host}:{port}")
                self.assertEqual((event["tls"], event["cipher"]), (name, client.sock.cipher()[0]))
                client.logout()

    def test_old_versions_are_refused(self):
        for tls in ("starttls", "implicit"):
            with self.assertRaises((ssl.SSLError, Closed, ConnectionError)):
                self.secure(tls, minimum_version=ssl.TLSVersion.TLSv1_1,
                            maximum_version=ssl.TLSVersion.TLSv1_1, ciphers="ALL:@SECLEVEL=0")
        self.proxy.wait_log(event="tls_failed", listener="imaps")

    def names_of(self, client):
        return [value for key, value in client.sock.getpeercert()["subjectAltName"]]

    def test_server_name_picks_the_certificate(self):
        for tls in ("starttls", "implicit"):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for name, wanted in (("mail.example.net", "mail.example.net"),
                                     ("MAIL.Example.NET", "mail.example.net"),
                                     ("a.mail.example.net", "*.mail.example.net"),
                                     ("localhost", "localhost")):
                    client = self.secure(tls, name, minimum_version=version, maximum_version=version)
                    self.assertIn(wanted, self.names_of(client))
        context = self.world.context()
        context.check_hostname = False
        for name in ("unknown.example.org", None, "127.0.0.1", "a.b.mail.example.net"):
            client = self.secure(name=name, context=context)
            self.assertIn("localhost", self.names_of(client), name)

    def test_certificate_for_what_the_client_can(self):
        for ciphers, kind in (("ECDHE-RSA-AES256-GCM-SHA384", "RSA"), ("ECDHE+ECDSA", "ECDSA"),
                              ("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305", "ECDSA")):
            client = self.secure(maximum_version=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)
            self.assertIn(kind, client.sock.cipher()[0])
            client.login("tls")
        for algorithms, kind in (("rsa_pss_rsae_sha256", "RSA"), ("ecdsa_secp256r1_sha256", "ECDSA")):
            said = self.s_client("-tls1_3", "-sigalgs", algorithms)
            self.assertRegex(said, f"Peer signature type: {kind}")

    def s_client(self, *words, listener="imaps", commands=b"a LOGOUT\r\n"):
        host, port = self.proxy.address(listener)
        need = ["-starttls", "imap"] if listener == "imap" else []
        path = self.world.work.file("commands", commands)
        with open(path, "rb") as file:
            return world.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile",
                              self.world.ca.pem, "-verify_return_error", "-ign_eof", "-servername",
                              "localhost", *need, *words], stdin=file).decode(errors="replace")

    def test_s_client(self):
        for listener in ("imap", "imaps"):
            said = self.s_client(listener=listener, commands=b"a LOGIN tls secret\r\nb SELECT INBOX\r\n"
                                                             b"c LOGOUT\r\n")
            self.assertIn("Verification: OK", said)
            self.assertRegex(said, r"(?m)^b OK \[READ-WRITE\]")

    def test_key_update(self):
        """openssl s_client sends a KeyUpdate on a line K; the session goes on under the new keys."""
        said = self.s_client("-tls1_3", commands=b"a LOGIN tls secret\r\nb NOOP\r\nK\r\nc NOOP\r\n"
                                                 b"d LOGOUT\r\n").replace("\r", "")
        self.assertRegex(said, r"(?m)^d OK")

    def test_alpn(self):
        self.assertEqual(self.secure(alpn=["imap"]).sock.selected_alpn_protocol(), "imap")
        self.assertEqual(self.secure(alpn=["h2", "imap"]).sock.selected_alpn_protocol(), "imap")
        self.assertIsNone(self.secure().sock.selected_alpn_protocol())
        for tls in ("starttls", "implicit"):
            with self.assertRaises((ssl.SSLError, Closed, ConnectionError)):
                self.secure(tls, alpn=["http/1.1"]).login("tls")

    def test_resumption_over_workers(self):
        """A ticket from one worker is good at every other, both ways."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.world.context(minimum_version=version, maximum_version=version)
            client = self.secure(context=context)
            client.login("tls")
            client.ok("NOOP")
            pid = self.proxy.worker_of(client)
            crossed = set()
            for _ in range(64):
                session = client.sock.session
                self.assertIsNotNone(session)
                client.close()
                client = self.secure(context=context, session=session)
                self.assertTrue(client.sock.session_reused, f"not resumed with {version.name}")
                client.login("tls")
                client.ok("NOOP")
                before, pid = pid, self.proxy.worker_of(client)
                if before != pid:
                    crossed.add((before, pid))
                if len(crossed) == 2:
                    break
            self.assertEqual(len(crossed), 2, "no two workers met")

    def test_large_records_and_small_ones(self):
        client = self.secure()
        client.login("tls")
        for byte in b"x NOOP\r\n":
            client.send(bytes([byte]))
        client.until_tagged("x")
        text = os.urandom(1 << 20).hex().encode()
        client.append("INBOX", text)
        client.ok("SELECT INBOX")
        self.assertSameBytes(client.body("*"), text)

    def closed(self, listener, data):
        """What the proxy says to these bytes before it closes."""
        client = Imap(self.proxy.address(listener), greeting=False)
        self.addCleanup(client.close)
        client.send(data)
        said = client.rest()
        host, port = client.local[:2]
        return said, f"{host}:{port}"

    def test_plaintext_on_the_tls_port(self):
        for data in (b"a CAPABILITY\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 64):
            said, name = self.closed("imaps", data)
            self.assertFalse(re.search(rb"OK|BAD|BYE", said), said)
            self.proxy.wait_log(event="tls_failed", client=name)

    def test_tls_on_the_plaintext_port(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = self.world.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            hello.do_handshake()
        except ssl.SSLWantReadError:
            pass
        data = outgoing.read()
        for listener in ("plain", "imap"):
            said, name = self.closed(listener, data)
            self.assertEqual(said.count(b"\n"), said.count(b"* "), said)
            self.proxy.wait_log(event="session_end", client=name)
            events = [event["event"] for event in self.proxy.find_log(client=name)]
            self.assertEqual(sorted(events), ["session_end", "tls_failed"])

    def test_http_on_the_plaintext_port(self):
        said, name = self.closed("imap", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n"
                                         b"a LOGIN tls secret\r\na LOGOUT\r\n")
        self.assertNotIn(b"a OK LOGIN", said)

    def test_end_with_close_notify(self):
        """A client can tell an end from a cut: TLS is closed properly, by LOGOUT and before login."""
        for login in (True, False):
            client = self.secure()
            if login:
                client.login("tls")
            client.send("x LOGOUT\r\n")
            client.sock.suppress_ragged_eofs = False
            client.until_tagged("x")
            self.assertEqual(client.sock.recv(100), b"")
