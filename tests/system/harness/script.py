"""A store that says what a test tells it to: for what no real store does on demand."""

import contextlib
import re
import socket
import threading

from . import world


class ScriptedStore:
    """Listens on a port of the kernel's choice and runs `script(conversation)` for each connection.

    What it was sent is kept in `heard`, one bytes object a connection."""

    def __init__(self, script):
        self.script = script
        self.heard = []
        self.failures = []
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.address = self._sock.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock):
        sock.settimeout(world.DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = Conversation(sock)
        self.heard.append(talk.heard)
        with contextlib.suppress(OSError, EOFError):
            self.script(talk)
        with contextlib.suppress(OSError):
            sock.close()

    def close(self):
        self._sock.close()


class Conversation:
    """The store's side of one connection."""

    def __init__(self, sock):
        self.sock = sock
        self.heard = bytearray()
        self.tag = b""
        self._buffer = b""

    def say(self, text):
        """Sends; {tag} stands for the tag of the last command."""
        data = text if isinstance(text, bytes) else text.encode()
        self.sock.sendall(data.replace(b"{tag}", self.tag))

    def say_bytewise(self, text):
        data = (text if isinstance(text, bytes) else text.encode()).replace(b"{tag}", self.tag)
        for byte in data:
            self.sock.sendall(bytes([byte]))

    def line(self):
        while b"\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.heard += data
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def command(self):
        """The next command line without its tag; literals that do not wait are part of it."""
        line = self.line()
        while literal := re.search(rb"\{(\d+)\+?\}$", line):
            if not line.endswith(b"+}"):
                self.say("+ go\r\n")
            line += b"\r\n" + self.line()
        self.tag, _, rest = line.partition(b" ")
        return rest

    def serve_login(self, answer, capability=b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID\r\n{tag} OK\r\n"):
        """Answers what a proxy asks before its login and then says `answer` to the login."""
        while True:
            command = self.command().upper()
            if command.startswith(b"CAPABILITY"):
                self.say(capability)
            elif command.startswith(b"ID"):
                self.say("* ID NIL\r\n{tag} OK\r\n")
            elif command.startswith((b"LOGIN", b"AUTHENTICATE")):
                if callable(answer):
                    answer(self)
                else:
                    self.say(answer)
                return
            elif command.startswith(b"NOOP"):
                self.say("{tag} OK\r\n")
            else:
                self.say("{tag} BAD what\r\n")

    def serve_session(self):
        """After a login: answers every command with OK, LOGOUT with an end."""
        while True:
            command = self.command().upper()
            if command.startswith(b"LOGOUT"):
                self.say("* BYE\r\n{tag} OK\r\n")
                return
            if command.startswith(b"CAPABILITY"):
                self.say("* CAPABILITY IMAP4rev1 IDLE XSCRIPT\r\n{tag} OK\r\n")
            else:
                self.say("{tag} OK " + command.decode(errors="replace") + "\r\n")
