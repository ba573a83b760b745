"""An IMAP client that sees bytes: each response as it came, literals and line ends and all.

imaplib, curl and mbsync show that real clients work; this one shows that no byte differs.
"""

import base64
import re
import socket
import ssl
import struct

from . import world

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Closed(Exception):
    """The other side closed the connection."""


def tls_context(ca, **settings):
    """A client's TLS settings: trusts `ca`; minimum_version, maximum_version, ciphers, alpn as given."""
    context = ssl.create_default_context(cafile=ca)
    for key in ("minimum_version", "maximum_version"):
        if key in settings:
            setattr(context, key, settings[key])
    if "ciphers" in settings:
        context.set_ciphers(settings["ciphers"])
    if "alpn" in settings:
        context.set_alpn_protocols(settings["alpn"])
    return context


class Imap:
    """One connection. tls: none, starttls or implicit. Each command waits for its tagged answer."""

    def __init__(self, address, tls="none", context=None, name="localhost", session=None,
                 greeting=True, deadline=world.DEADLINE):
        self.sock = socket.create_connection(address, timeout=deadline)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = self.sock.getsockname()
        self.context = context
        self.name = name
        self.greeting = None
        self.received = 0
        self._buffer = bytearray()
        self._number = 0
        if tls == "implicit":
            self.secure(session)
        if greeting:
            self.greeting = self.response()
        if tls == "starttls":
            self.starttls(session)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def secure(self, session=None):
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.name, session=session)

    def starttls(self, session=None):
        answer = self.command("STARTTLS")[-1]
        if b" OK" not in answer:
            raise AssertionError(f"STARTTLS was answered with {answer!r}")
        self.secure(session)

    # Bytes.

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def _fill(self):
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            raise Closed(f"the connection was closed; unread: {bytes(self._buffer[:200])!r}")
        self.received += len(data)
        self._buffer += data

    def _take(self, count):
        while len(self._buffer) < count:
            self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def line(self):
        start = 0
        while True:
            end = self._buffer.find(b"\n", start)
            if end >= 0:
                return self._take(end + 1)
            start = len(self._buffer)
            self._fill()

    def response(self):
        """One response: its line, with each literal and what follows it."""
        whole = line = self.line()
        while literal := _LITERAL.search(line):
            data = self._take(int(literal[1]))
            line = self.line()
            whole += data + line
        return whole

    def until_tagged(self, tag):
        """All responses up to the tagged one, which is the last of the list."""
        tag = (tag if isinstance(tag, bytes) else tag.encode()) + b" "
        found = []
        while True:
            found.append(self.response())
            if found[-1].startswith(tag):
                return found

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self._fill()
        except Closed:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data

    def pending(self):
        """What came and was not read yet."""
        return bytes(self._buffer)

    # Commands.

    def tag(self):
        self._number += 1
        return f"t{self._number}"

    def command(self, text, tag=None, literal=None):
        """Sends one command and returns its responses, the tagged one last. literal: bytes that are
        sent after the text as a synchronising literal."""
        tag = tag or self.tag()
        head = text if isinstance(text, bytes) else text.encode()
        if literal is None:
            self.send(tag.encode() + b" " + head + b"\r\n")
            return self.until_tagged(tag)
        self.send(tag.encode() + b" " + head + b" {%d}\r\n" % len(literal))
        before = []
        while not (answer := self.response()).startswith(b"+"):
            before.append(answer)
            if answer.startswith(tag.encode()):
                return before
        self.send(literal + b"\r\n")
        return before + self.until_tagged(tag)

    def ok(self, text, tag=None, literal=None):
        """A command that must succeed."""
        answers = self.command(text, tag, literal)
        if not re.match(rb"\S+ OK", answers[-1]):
            raise AssertionError(f"{text!r:.80} was answered with {answers[-1]!r}")
        return answers

    def login(self, user, password="secret"):
        return self.ok(f"LOGIN {quote(user)} {quote(password)}")

    def plain(self, user, password="secret"):
        """AUTHENTICATE PLAIN with an initial response."""
        return self.command("AUTHENTICATE PLAIN " + sasl_plain(user, password))

    def append(self, mailbox, message, flags="", more=False):
        """Appends; more: with a literal that does not wait for the server."""
        tag = self.tag()
        size = b"{%d%s}\r\n" % (len(message), b"+" if more else b"")
        self.send(f"{tag} APPEND {mailbox} {flags + ' ' if flags else ''}".encode() + size)
        if not more:
            while not self.response().startswith(b"+"):
                pass
        self.send(message)
        self.send(b"\r\n")
        answers = self.until_tagged(tag)
        if b" OK" not in answers[-1]:
            raise AssertionError(f"APPEND was answered with {answers[-1]!r}")
        return answers

    def uids(self, criteria="ALL"):
        for answer in self.ok(f"UID SEARCH {criteria}"):
            if answer.startswith(b"* SEARCH"):
                return [int(word) for word in answer.split()[2:]]
        return []

    def body(self, uid, part="BODY.PEEK[]"):
        """The literal of one part of one message."""
        for answer in self.ok(f"UID FETCH {uid} ({part})"):
            if literal := re.search(rb"\{(\d+)\}\r\n", answer):
                return answer[literal.end():literal.end() + int(literal[1])]
        raise AssertionError(f"message {uid} has no {part}")

    # Ends.

    def logout(self):
        answers = self.command("LOGOUT")
        if not answers[-1].split()[1] == b"OK" or not any(a.startswith(b"* BYE") for a in answers):
            raise AssertionError(f"LOGOUT was answered with {answers!r}")
        left = self.rest()
        self.close()
        if left:
            raise AssertionError(f"after LOGOUT came {left!r:.200}")

    def cut(self):
        """Ends the connection as a lost network would in the end: with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.sock.close()


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def sasl_plain(user, password, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


def message(user, number, size=0):
    """A message that says whose it is and which; at least `size` bytes."""
    head = (f"From: {user}@example.org\r\nTo: {user}@example.org\r\nSubject: message {number} of {user}\r\n"
            f"Message-ID: <{number}.{user}@example.org>\r\nX-Owner: {user}\r\n\r\n").encode()
    line = f"This is message {number} of {user}.\r\n".encode()
    body = line * (max(0, size - len(head)) // len(line) + 1)
    return head + body
