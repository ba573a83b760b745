"""A thousand sessions at once, fifty users, two stores: no message lost, none in a stranger's hands."""

import asyncio
import re

from harness.case import Case, DIRECT
from harness.imap import quote

USERS = [f"load{n:02}" for n in range(50)]
PER_USER = 20
MESSAGES = 2       # that each session adds
AT_ONCE = 64       # that may be logging in at the same moment
STEP_SECONDS = 180


class Lost(Exception):
    """The connection ended when it should not."""


class Session:
    """One IMAP session over asyncio, as plain as can be."""

    def __init__(self, user, number):
        self.user = user
        self.number = number
        self.count = 0

    async def open(self, address, tls, context):
        implicit = tls == "implicit"
        self.reader, self.writer = await asyncio.open_connection(
            *address, ssl=context if implicit else None, limit=1 << 21,
            server_hostname="localhost" if implicit else None)
        await self.response()
        if tls == "starttls":
            await self.ok(b"STARTTLS")
            await self.writer.start_tls(context, server_hostname="localhost")
        await self.ok(f"LOGIN {quote(self.user)} {quote('secret of ' + self.user)}".encode())

    async def line(self):
        line = await self.reader.readuntil(b"\n")
        return line

    async def response(self):
        try:
            whole = line = await self.line()
            while literal := re.search(rb"\{(\d+)\}\r\n$", line):
                whole += await self.reader.readexactly(int(literal[1]))
                line = await self.line()
                whole += line
            return whole
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Lost(f"session {self.number} of {self.user} was closed") from error

    async def ok(self, command):
        self.count += 1
        tag = f"s{self.number}x{self.count}".encode()
        self.writer.write(tag + b" " + command + b"\r\n")
        await self.writer.drain()
        answers = []
        while True:
            answers.append(await self.response())
            if answers[-1].startswith(tag + b" "):
                assert answers[-1].startswith(tag + b" OK"), \
                    f"{self.user}: {command[:60]!r} was answered with {answers[-1]!r}"
                return answers
            # tagged, but not with this session's tag: an answer meant for another
            assert answers[-1].startswith((b"* ", b"+")), \
                f"session {self.number} of {self.user} got {answers[-1][:80]!r}"

    def mail(self, number):
        """Mail that says whose it is; 1 KB to 64 KB."""
        line = f"{self.user} owns this line of message {number} of session {self.number}\r\n".encode()
        size = 1024 << (self.number + number) % 7
        head = (f"From: {self.user}@example.org\r\nSubject: {self.number}.{number}\r\n"
                f"X-Owner: {self.user}\r\n\r\n").encode()
        return head + line * (size // len(line))

    async def move_mail(self):
        await self.ok(b"SELECT INBOX")
        for number in range(MESSAGES):
            text = self.mail(number)
            answers = await self.ok(b"APPEND INBOX {%d+}\r\n" % len(text) + text)
            uid = re.search(rb"APPENDUID \d+ (\d+)", answers[-1])[1]
            got = b"".join(await self.ok(b"UID FETCH " + uid + b" BODY.PEEK[]"))
            assert text in got, f"{self.user}: message {uid} came back changed: {got[:200]!r}"

    async def check(self):
        """All that the sessions of this user added, and nothing else."""
        await self.ok(b"NOOP")
        answers = await self.ok(b"UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-Owner Subject)])")
        owners = [owner for a in answers for owner in re.findall(rb"X-Owner: (\w+)\r\n", a)]
        subjects = [s for a in answers for s in re.findall(rb"Subject: (\S+)\r\n", a)]
        assert set(owners) == {self.user.encode()}, f"{self.user} got mail of {set(owners)}"
        assert len(subjects) == len(set(subjects)) == PER_USER * MESSAGES, \
            f"{self.user} has {len(subjects)} messages, {len(set(subjects))} different ones"

    async def close(self):
        await self.ok(b"LOGOUT")
        self.writer.close()


class Load(Case):

    EXCLUSIVE = True

    @classmethod
    def build(cls, world):
        users = {user: f"secret of {user}" for user in USERS}
        stores = [world.store(name, users, imap_clients=20) for name in ("one", "two")]
        world.proxy(world.backend("one", stores[0].address("none"))
                    + world.backend("two", stores[1].address("starttls"), "starttls")
                    + "[pool stores]\nbackends = one, two\nbalance = hash\n[route]\ndefault = stores\n")

    async def thousand(self):
        context = self.world.context()
        gate = asyncio.Semaphore(AT_ONCE)
        sessions = [Session(user, number) for number in range(PER_USER) for user in USERS]

        async def open_one(index, session):
            tls = ("none", "starttls", "implicit")[index % 3]
            async with gate:
                await session.open(self.world.address(tls), tls, context)

        async def all_of(steps):
            await asyncio.wait_for(asyncio.gather(*steps), STEP_SECONDS)

        await all_of(open_one(index, session) for index, session in enumerate(sessions))
        self.assertEqual(len(sessions), 1000)
        if not DIRECT:
            ends = len(self.proxy.find_log(event="session_end"))
            self.assertEqual(len(self.proxy.wait_log(1000, event="login")), 1000)
            self.assertEqual(ends, 0)
        await all_of(session.move_mail() for session in sessions)
        await all_of(session.check() for session in sessions)
        await all_of(session.close() for session in sessions)

    def test_a_thousand_sessions(self):
        asyncio.run(self.thousand())
        if DIRECT:
            return
        ends = self.proxy.wait_log(1000, event="session_end")
        self.assertEqual({event["backend"] for event in ends}, {"one", "two"})
        self.assertEqual(len({event["session"] for event in ends}), 1000)
        homes = {}
        for event in ends:
            homes.setdefault(event["user"], set()).add(event["backend"])
        self.assertTrue(all(len(home) == 1 for home in homes.values()), homes)
        busy = {event["pid"] for event in ends}
        self.assertEqual(len(busy), 2, "one worker did it all")
