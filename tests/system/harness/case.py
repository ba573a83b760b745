"""Test cases and how they are run and told: `ok - NAME` or `not ok - NAME: why`, one line a case."""

import os
import re
import signal
import sys
import traceback
import unittest

from . import certs, imap, proxy, store, world

# With SALLYPORT_DIRECT=1 (run --direct) the clients talk to the store itself: what then fails is a
# mistake of the test or a habit of the store, not of the proxy.
DIRECT = os.environ.get("SALLYPORT_DIRECT") == "1"
CASE_SECONDS = 300

LISTENERS = {"none": "plain", "starttls": "imap", "implicit": "imaps"}


def proxied(thing):
    """Marks a test or class that only makes sense with the proxy in between."""
    thing.proxied = True
    return thing


class World:
    """A store, certificates and a proxy before it; what most tests need."""

    def __init__(self):
        self.work = world.Workdir()
        self.ca = certs.Authority(self.work)
        self.stores = {}
        self.proxies = []
        self._certificates = {}

    def certificate(self, name="proxy", **options):
        if name not in self._certificates:
            self._certificates[name] = self.ca.issue(name, **options)
        return self._certificates[name]

    def store(self, name, users, tls=True, pair=None, **options):
        """Starts a Dovecot; users is a list of names (password `secret`) or a dictionary. pair: its
        certificate and key, if not made here."""
        if not isinstance(users, dict):
            users = {user: "secret" for user in users}
        if pair is None:
            pair = (None, None)
            if tls:
                pair = self.certificate(f"{name}-cert", owner=world.ACCOUNT.uid)
        self.stores[name] = store.Dovecot(self.work, name, users, *pair, **options).start()
        return self.stores[name]

    def listeners(self):
        """The three kinds of listener as configuration, with a certificate."""
        cert, key = self.certificate("proxy")
        return f"""
[listen plain]
address = 127.0.0.1:0
tls = none
plaintext_login = yes
[listen imap]
address = 127.0.0.1:0
tls = starttls
[listen imaps]
address = 127.0.0.1:0
tls = implicit
[tls default]
certificate = {cert}
key = {key}
"""

    def backend(self, name, address, tls="none"):
        text = f"[backend {name}]\naddress = {address[0]}:{address[1]}\ntls = {tls}\n"
        if tls != "none":
            text += f"ca = {self.ca.pem}\n"
        return text

    def users(self, text, name="routes"):
        return self.work.file(name, text)

    def proxy(self, body, **settings):
        """Starts a proxy with the three listeners and `body`; None when tests run directly."""
        if DIRECT:
            return None
        self.proxies.append(proxy.Proxy(self.work, self.listeners() + body,
                                        name=f"proxy{len(self.proxies)}", **settings).start())
        return self.proxies[-1]

    def context(self, **settings):
        return imap.tls_context(self.ca.pem, **settings)

    def address(self, tls="implicit"):
        if DIRECT:
            return next(iter(self.stores.values())).address(tls)
        return self.proxies[0].address(LISTENERS[tls])

    def connect(self, user=None, tls="implicit", password="secret", address=None, **options):
        """A client of the proxy, logged in when a user is named."""
        client = imap.Imap(address or self.address(tls), tls,
                           options.pop("context", None) or self.context(), **options)
        if user is not None:
            client.login(user, password)
        return client

    def direct(self, user, name=None, password="secret"):
        """A client of a store itself."""
        which = self.stores[name] if name else next(iter(self.stores.values()))
        client = imap.Imap(which.address("none"))
        client.login(user, password)
        return client

    def close(self):
        failures = []
        for part in self.proxies + list(self.stores.values()):
            try:
                part.stop()
            except AssertionError as error:
                failures.append(str(error))
        if not failures:
            self.work.remove()
        if failures:
            raise AssertionError("; ".join(failures))

    def logs(self):
        """The last lines of all logs, for whoever reads of a failure."""
        for part in self.proxies + list(self.stores.values()):
            for path in filter(None, (part.log, getattr(part, "errors", None))):
                try:
                    lines = open(path, errors="replace").read().splitlines()
                except OSError:
                    continue
                for line in lines[-20:]:
                    yield f"{part.name}: {line}"


class Case(unittest.TestCase):
    """A test case of the daemon; cls.build(world) prepares what all its tests share."""

    world = None
    failed = False

    @classmethod
    def build(cls, world):
        """Starts stores and proxies."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        try:
            cls.build(cls.world)
        except BaseException:
            _show_logs(cls.world)
            try:
                cls.world.close()
            except AssertionError:
                pass
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.failed:
            _show_logs(cls.world)
        cls.world.close()

    @property
    def proxy(self):
        return self.world.proxies[0]

    def setUp(self):
        def late(number, frame):
            raise AssertionError(f"no end after {CASE_SECONDS} s")
        signal.signal(signal.SIGALRM, late)
        signal.alarm(CASE_SECONDS)
        self.addCleanup(signal.alarm, 0)

    def connect(self, *arguments, **options):
        client = self.world.connect(*arguments, **options)
        self.addCleanup(client.close)
        return client

    def direct(self, *arguments, **options):
        client = self.world.direct(*arguments, **options)
        self.addCleanup(client.close)
        return client

    def assertAnswer(self, answer, pattern):
        """A response, or the last of several, fits a pattern from its start."""
        last = answer[-1] if isinstance(answer, list) else answer
        if not re.match(pattern.encode() if isinstance(pattern, str) else pattern, last):
            raise AssertionError(f"wanted an answer like {pattern!r}, got {last!r:.300}")

    def assertSameMessages(self, got, wanted):
        """Two collections of messages hold the same ones; assertEqual would describe at length."""
        got, wanted = sorted(got), sorted(wanted)
        self.assertEqual(len(got), len(wanted), "number of messages")
        for one, other in zip(got, wanted):
            self.assertSameBytes(one, other, "messages")

    def assertSameBytes(self, got, wanted, what="the bytes"):
        """Like assertEqual, for megabytes."""
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
                      min(len(got), len(wanted)))
            raise AssertionError(f"{what} differ at {at} of {len(got)} and {len(wanted)}: "
                                 f"{got[at:at + 40]!r} instead of {wanted[at:at + 40]!r}")


def _show_logs(shown):
    for line in shown.logs() if shown is not None else ():
        print(f"# {line}", file=sys.stderr)


class Result(unittest.TestResult):
    """Tells each case as it ends."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def _name(self, test):
        name = getattr(test, "_testMethodName", None)
        if name is None:  # setUpClass or tearDownClass
            name = re.sub(r" \(.*", "", str(test))
        return f"system/{self.module}/{name.removeprefix('test_')}"

    def addSuccess(self, test):
        super().addSuccess(test)
        print(f"ok - {self._name(test)}", flush=True)

    def _fail(self, test, error):
        why = " ".join(f"{error[1]}".split()) or error[0].__name__
        if not issubclass(error[0], AssertionError):
            why = f"{error[0].__name__}: {why}"
        place = [f for f in traceback.extract_tb(error[2]) if "/harness/" not in f.filename
                 and "/unittest/" not in f.filename]
        if place:
            why += f" ({os.path.basename(place[-1].filename)}:{place[-1].lineno})"
        print(f"not ok - {self._name(test)}: {why[:600]}", flush=True)
        if os.environ.get("V"):
            traceback.print_exception(*error)
        type(test).failed = True

    def addError(self, test, error):
        super().addError(test, error)
        self._fail(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fail(test, error)


def select(suite, wanted):
    """The tests of a suite that are to run, flat and by class."""
    chosen = unittest.TestSuite()
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            chosen.addTests(select(part, wanted))
        elif not (DIRECT and (getattr(type(part), "proxied", False)
                              or getattr(getattr(part, part._testMethodName, None), "proxied", False))):
            if wanted(part):
                chosen.addTest(part)
    return chosen
