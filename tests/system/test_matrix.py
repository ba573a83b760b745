"""Each kind of listener with each kind of store connection, with imaplib, curl, mbsync and bytes."""

import base64
import imaplib
import os
import random
import re

from harness import world
from harness.case import Case, DIRECT, LISTENERS
from harness.imap import message

STORES = ("none", "starttls", "implicit")
PROGRAMS = ("imaplib", "curl", "mbsync", "bytes")

MULTIPART = (b"From: a@example.org\r\nTo: b@example.org\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
             b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n"
             b"preamble\r\n--frontier\r\nContent-Type: text/plain; charset=utf-8\r\n"
             b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln\r\n"
             + b"a line of the first part {10}\r\n" * 20 +
             b"--frontier\r\nContent-Type: application/octet-stream\r\n"
             b"Content-Transfer-Encoding: base64\r\n\r\n"
             + base64.encodebytes(bytes(range(256)) * 4).replace(b"\n", b"\r\n") +
             b"--frontier\r\nContent-Type: message/rfc822\r\n\r\n"
             b"From: c@example.org\r\nSubject: inner\r\n\r\nt1 OK not a tagged answer\r\n"
             b"--frontier--\r\nepilogue\r\n")

SIZES = (1, 2, 100, 1023, 4096, 16383, 16384, 16385, 65537, 1 << 20, 30 * 1000 * 1000)


def user_name(program, listener, store):
    return f"{program}-{listener}-{store}"


class Matrix(Case):

    @classmethod
    def build(cls, world):
        store = world.store("store", [user_name(p, l, s) for p in PROGRAMS for l in LISTENERS
                                      for s in STORES])
        routes = world.users("".join(f"*-{kind} store-{kind}\n" for kind in STORES))
        world.proxy("".join(world.backend(f"store-{kind}", store.address(kind), kind)
                            for kind in STORES) + f"[route]\nlookup = file:{routes}\n")
        noise = random.Random(1).randbytes(30 * 1000 * 1000 * 57 // 78 + 100)
        cls.text = base64.encodebytes(noise).replace(b"\n", b"\r\n")

    # imaplib

    def imaplib_login(self, listener, user):
        host, port = self.world.address(listener)
        context = self.world.context()
        if listener == "implicit":
            client = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=world.DEADLINE)
        else:
            client = imaplib.IMAP4(host, port, timeout=world.DEADLINE)
            if listener == "starttls":
                self.good(client.starttls(context))
        self.addCleanup(lambda: client.sock.close())
        self.good(client.login(user, "secret"))
        return client

    def good(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def imaplib_case(self, listener, user):
        client = self.imaplib_login(listener, user)
        self.assertTrue(any(b'"/" INBOX' in line for line in self.good(client.list())))
        self.good(client.create("Archive"))
        self.good(client.subscribe("Archive"))
        for number in range(5):
            self.good(client.append("INBOX", r"(\Flagged)" if number % 2 else None, None,
                                    message(user, number, 2000 * number)))
        self.assertEqual(self.good(client.select()), [b"5"])
        for number in range(5):
            parts = self.good(client.fetch(str(number + 1), "(UID FLAGS BODY.PEEK[])"))
            self.assertEqual(parts[0][1], message(user, number, 2000 * number))
        self.assertEqual(self.good(client.search(None, "FLAGGED")), [b"2 4"])
        self.assertIn(b"\\Answered", self.good(client.store("1", "+FLAGS", r"\Answered"))[0])
        self.good(client.copy("2:3", "Archive"))
        if "MOVE" in self.capabilities(client):
            imaplib.Commands.setdefault("MOVE", ("SELECTED",))
            self.good(client.uid("MOVE", "1", "Archive"))
        else:
            self.fail(f"no MOVE among {client.capabilities}")
        self.good(client.store("1", "+FLAGS", r"\Deleted"))
        self.assertEqual(self.good(client.expunge())[-1:], [b"1"])
        self.assertEqual(self.good(client.status("Archive", "(MESSAGES)")), [b"Archive (MESSAGES 3)"])
        self.assertEqual(self.good(client.select("Archive", readonly=True)), [b"3"])
        self.good(client.noop())
        self.assertEqual(client.logout()[0], "BYE")

    @staticmethod
    def capabilities(client):
        """imaplib learns capabilities by asking; after login it does not ask again by itself."""
        return client.capability()[1][0].decode().split()

    # curl

    def curl(self, listener, user, path, *words):
        host, port = self.world.address(listener)
        scheme = "imaps" if listener == "implicit" else "imap"
        need = ["--ssl-reqd"] if listener == "starttls" else []
        return world.run(["curl", "-sS", "--max-time", str(world.DEADLINE), "--cacert",
                          self.world.ca.pem, *need, "-u", f"{user}:secret", *words,
                          f"{scheme}://{host}:{port}/{path}"])

    def curl_case(self, listener, user):
        folder = self.world.work.folder(f"curl-{user}")
        for number, size in enumerate((0, 5000, 3 * 1000 * 1000)):
            path = os.path.join(folder, str(number))
            with open(path, "wb") as file:
                file.write(message(user, number, size))
            self.curl(listener, user, "INBOX", "-T", path)
        self.assertIn(b'* LIST (\\HasNoChildren) "/" INBOX', self.curl(listener, user, ""))
        self.assertIn(b"* SEARCH 1 2 3", self.curl(listener, user, "INBOX?ALL"))
        for number, size in enumerate((0, 5000, 3 * 1000 * 1000)):
            self.assertSameBytes(self.curl(listener, user, f"INBOX;MAILINDEX={number + 1}"),
                                 message(user, number, size), "a message that curl fetched")
        text = message(user, 1, 5000).split(b"\r\n\r\n", 1)[1]
        self.assertSameBytes(self.curl(listener, user, "INBOX;UID=2;SECTION=TEXT"), text, "the text")
        self.assertIn(b"MESSAGES 3", self.curl(listener, user, "", "-X", "STATUS INBOX (MESSAGES)"))
        self.assertIn(b"\\Deleted", self.curl(listener, user, "INBOX", "-X", r"STORE 1 +FLAGS \Deleted"))
        self.curl(listener, user, "INBOX", "-X", "EXPUNGE")
        with self.assertRaisesRegex(AssertionError, "status 67"):  # login denied
            self.curl(listener, user, "INBOX", "-u", f"{user}:wrong")
        direct = self.direct(user)
        self.assertAnswer(direct.ok("EXAMINE INBOX"), r"\S+ OK")
        self.assertEqual(direct.uids(), [2, 3])

    # mbsync

    def mbsync_case(self, listener, user):
        folder = self.world.work.folder(f"mbsync-{user}")
        host, port = self.world.address(listener)
        secure = {"none": "None", "starttls": "STARTTLS", "implicit": "IMAPS"}[listener]
        config = self.world.work.file(f"mbsync-{user}.rc", f"""
IMAPAccount account
Host {host}
Port {port}
User {user}
Pass secret
AuthMechs {'*' if listener != 'none' else 'LOGIN'}
SSLType {secure}
SystemCertificates no
CertificateFile {self.world.ca.pem}

IMAPStore far
Account account

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")

        def sync():
            world.run(["mbsync", "-c", config, "-a"], env={**os.environ, "HOME": folder})

        def local(name):
            found = {}
            for place in ("cur", "new"):
                where = os.path.join(folder, name, place)
                for file in os.listdir(where) if os.path.isdir(where) else ():
                    with open(os.path.join(where, file), "rb") as data:
                        found[os.path.join(where, file)] = data.read()
            return found

        def own(files):
            """The messages without what mbsync adds, and with the line ends of the wire."""
            return [re.sub(rb"(?m)^X-TUID: .*\n", b"", data).replace(b"\n", b"\r\n")
                    for data in files.values()]

        direct = self.direct(user)
        for number in range(20):
            direct.append("INBOX", message(user, number, 500 * number))
        direct.ok("CREATE Work")
        direct.append("Work", MULTIPART)
        sync()
        near = local("INBOX")
        self.assertSameMessages(own(near), [message(user, n, 500 * n) for n in range(20)])
        self.assertSameMessages(own(local("Work")), [MULTIPART])

        # One new and one gone on either side, and a flag on this one.
        name = next(path for path, data in near.items() if b"Subject: message 3 of" in data)
        os.unlink(name)
        seen = next(path for path, data in near.items() if b"Subject: message 4 of" in data)
        os.rename(seen, seen.replace("/new/", "/cur/").split(":2,")[0] + ":2,FS")
        fresh = os.path.join(folder, "INBOX", "new", f"1.{user}.here")
        with open(fresh, "wb") as file:
            file.write(message(user, 100, 70000).replace(b"\r\n", b"\n"))
        os.chmod(fresh, 0o666)
        direct.ok("SELECT INBOX")
        gone = direct.uids('SUBJECT "message 7 of"')[0]
        direct.ok(f"UID STORE {gone} +FLAGS.SILENT (\\Deleted)")
        direct.ok("EXPUNGE")
        direct.append("INBOX", message(user, 101, 10))
        sync()
        direct.ok("NOOP")
        bodies = {uid: direct.body(uid) for uid in direct.uids()}
        wanted = [message(user, n, 500 * n) for n in range(20) if n not in (3, 7)]
        wanted += [message(user, 100, 70000), message(user, 101, 10)]
        self.assertSameMessages([re.sub(rb"X-TUID: .*\r\n", b"", body) for body in bodies.values()],
                                wanted)
        self.assertSameMessages(own(local("INBOX")), wanted)
        self.assertEqual(len(direct.uids("SEEN FLAGGED")), 1)

    # bytes

    def both(self, client, direct, command, tag):
        """The same command through the proxy and directly: the same bytes in answer."""
        got = b"".join(client.command(command, tag))
        wanted = b"".join(direct.command(command, tag))
        timing = rb"\(\d+\.\d+ \+ [\d.]+( \+ [\d.]+)? secs\)"  # Dovecot tells how long it took
        self.assertSameBytes(re.sub(timing, b"", got), re.sub(timing, b"", wanted),
                             f"the answers to {command!r}")
        return got

    def bytes_case(self, listener, user):
        client = self.connect(user, listener)
        for number, size in enumerate(SIZES):
            client.append("INBOX", self.text[:size], more=number % 2 == 1)
        client.append("INBOX", MULTIPART, r"(\Seen $label)")
        count = len(SIZES) + 1
        direct = self.direct(user)
        number = 0

        def both(command):
            nonlocal number
            number += 1
            return self.both(client, direct, command, f"x{number}")

        client.ok("EXAMINE INBOX")
        direct.ok("EXAMINE INBOX")
        for index, size in enumerate(SIZES):
            self.assertIn(self.text[:size], both(f"FETCH {index + 1} (BODY.PEEK[])"))
        self.assertIn(MULTIPART, both(f"FETCH {count} BODY.PEEK[]"))
        for part in ("BODYSTRUCTURE", "ENVELOPE", "FULL", "BODY.PEEK[1]", "BODY.PEEK[2]",
                     "BODY.PEEK[2.MIME]", "BODY.PEEK[3.HEADER]", "BODY.PEEK[3.TEXT]",
                     "BODY.PEEK[TEXT]<0.100>", "BODY.PEEK[]<10.5000>",
                     "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])", "BINARY.PEEK[2]"):
            both(f"FETCH {count} {part}")
        both(f"FETCH {len(SIZES)} BODY.PEEK[TEXT]<29000000.100>")
        both("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        both("FETCH 1:9 BODY.PEEK[]")
        both('LIST "" *')
        both("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")
        both("UID SEARCH RETURN (ALL COUNT) LARGER 1000")
        both("NAMESPACE")
        both("NONSENSE")
        client.ok("CREATE Copies")
        client.ok("SELECT INBOX")
        self.assertAnswer(client.ok(f"COPY {count} Copies"), rb"\S+ OK \[COPYUID")
        self.assertTrue(any(b"EXPUNGE" in answer for answer in client.ok("MOVE 3:4 Copies")))
        client.ok("STORE 1:2 +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
        client.ok("FETCH 1 BODY[]")  # without PEEK: sets \Seen
        for mailbox in ("INBOX", "Copies"):
            client.ok(f"EXAMINE {mailbox}")
            direct.ok(f"EXAMINE {mailbox}")
            both("FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER])")
        client.logout()


def _add():
    for listener in LISTENERS:
        for store in STORES:
            if DIRECT and store != "none":
                continue
            for program in PROGRAMS:
                user = user_name(program, listener, store)

                def case(self, program=program, listener=listener, user=user):
                    getattr(self, f"{program}_case")(listener, user)
                setattr(Matrix, f"test_{program}_through_{listener}_to_{store}", case)


_add()
