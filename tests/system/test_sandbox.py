"""The fences around the running processes, as the kernel tells of them, and that the daemon lives behind them."""

import os
import re
import signal

from harness import proxy as daemon
from harness.case import Case, proxied
from harness.world import ACCOUNT, until


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@proxied
class Sandbox(Case):

    @classmethod
    def build(cls, world):
        cls.store = world.store("store", ["inside"])
        cls.body = (world.backend("store", cls.store.address("starttls"), "starttls")
                    + "[route]\ndefault = store\n")
        world.proxy(cls.body)

    def as_ordinary_user(self):
        """A second proxy, started by an ordinary user; the common one, if that is who runs the tests."""
        if os.geteuid() != 0:
            return self.proxy
        cert, key = self.world.certificate("proxy")
        own = self.world.certificate("own", owner=ACCOUNT.uid)
        listeners = self.world.listeners().replace(cert, own[0]).replace(key, own[1])
        one = daemon.Proxy(self.world.work, listeners + self.body, name="ordinary", account=ACCOUNT)
        self.addCleanup(one.stop)
        return one.start()

    def check_fences(self, proxy, bounding):
        pids = proxy.role("worker") + proxy.role("directory")
        self.assertGreaterEqual(len(pids), 2)
        for pid in pids:
            facts = status(pid)
            role = proxy.role_of(pid)
            self.assertEqual(facts["NoNewPrivs"], "1", role)
            self.assertEqual(facts["Seccomp"], "2", role)
            for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") + (("CapBnd",) if bounding else ()):
                self.assertEqual(int(facts[name], 16), 0, f"{name} of the {role}")
            self.assertNotIn("0", facts["Uid"].split(), role)
            # what is not dumpable belongs to root
            self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0, f"the {role} is dumpable")
            with open(f"/proc/{pid}/limits") as file:
                self.assertRegex(file.read(), r"(?m)^Max core file size +0 +0 ")
        told = proxy.find_log(event="sandbox", seccomp="yes")
        self.assertLessEqual({str(pid) for pid in pids}, {event["pid"] for event in told})
        return pids

    def test_children_of_root(self):
        if os.geteuid() != 0:
            return
        self.check_fences(self.proxy, True)
        if not daemon.SANITIZED:
            for pid in self.proxy.role("worker"):
                self.assertEqual(os.listdir(f"/proc/{pid}/root"), [])
                with self.assertRaises(OSError):
                    os.mkdir(f"/proc/{pid}/root/new")
        for pid in self.proxy.role("directory"):
            self.assertTrue(os.path.exists(f"/proc/{pid}/root/etc/hosts"))

    def test_children_of_an_ordinary_user(self):
        proxy = self.as_ordinary_user()
        self.check_fences(proxy, False)
        client = self.connect("inside", address=proxy.address("imaps"))
        client.ok("SELECT INBOX")
        client.logout()

    def test_the_master_has_its_own(self):
        facts = status(self.proxy.process.pid)
        self.assertEqual(facts["Seccomp"], "2")
        if not daemon.SANITIZED:
            self.assertEqual(os.stat(f"/proc/{self.proxy.process.pid}/mem").st_uid, 0)

    def test_workers_hold_what_they_were_given(self):
        """Descriptors of a worker without clients: channels, listeners, log; no file of the configuration."""
        if os.geteuid() != 0:
            return
        for pid in self.proxy.pids():
            for number in os.listdir(f"/proc/{pid}/fd"):
                what = os.readlink(f"/proc/{pid}/fd/{number}")
                if what.startswith("/") and what not in ("/dev/null", self.proxy.log, self.proxy.errors):
                    self.fail(f"the {self.proxy.role_of(pid)} holds {what}")
                if what.startswith("/memfd:"):
                    self.fail(f"the {self.proxy.role_of(pid)} holds {what}")

    def test_a_crash_is_a_crash(self):
        """The signal reaches the master's log, and the next one is behind the same fences."""
        for role in ("worker", "directory"):
            before = self.proxy.role(role)
            for sign in ("ABRT",) if daemon.SANITIZED else ("SEGV", "ABRT"):
                victim = self.proxy.role(role)[0]
                os.kill(victim, getattr(signal, f"SIG{sign}"))
                self.proxy.wait_log(event="process_exit", process_pid=victim, signal_name=sign)
                until(lambda: victim not in self.proxy.role(role)
                      and len(self.proxy.role(role)) == len(before), f"another {role}")
                until(lambda: all(self.proxy.find_log(event="sandbox", pid=pid)
                                  for pid in self.proxy.role(role)), "its fences")
        self.check_fences(self.proxy, os.geteuid() == 0)

        def login():
            client = self.connect(address=self.proxy.address("imaps"))
            return re.match(rb"\S+ OK", client.command("LOGIN inside secret")[-1])
        until(login, "a login")
