"""Checks of stores: down and up again, and what an operator sees of it."""

from harness.case import Case, proxied
from harness.world import until

USERS = [f"user{n}" for n in range(8)]


@proxied
class Checks(Case):

    @classmethod
    def build(cls, world):
        cls.one = world.store("one", USERS, imap_clients=20)
        cls.two = world.store("two", USERS, imap_clients=20)
        world.proxy(world.backend("one", cls.one.address("starttls"), "starttls")
                    + world.backend("two", cls.two.address("implicit"), "implicit") + """
[pool stores]
backends = one, two
check_interval = 200ms
check_rise = 2
check_fall = 2
[route]
default = stores
""", control=world.work.file("control.sock"))

    def state(self, name):
        return next(b for b in self.proxy.ask_json("pool", "status")["backends"] if b["backend"] == name)

    def test_down_and_up(self):
        until(lambda: all(self.state(name)["checks"] >= 2 for name in ("one", "two")), "checks")
        for name in ("one", "two"):
            told = self.state(name)
            self.assertEqual((told["state"], told["checks_failed"]), ("up", 0))
        mine = next(user for user in USERS
                    if self.proxy.ask_json("explain", user)["candidates"][0]["backend"] == "one")
        self.one.stop()
        down = self.proxy.wait_log(event="backend_down", backend="one")
        self.assertEqual(down["stage"], "connect")
        told = self.state("one")
        self.assertEqual((told["state"], told["stage"], told["reason"]), ("down", "connect", "connect"))
        self.assertRegex(self.proxy.ask("pool", "status"), r"(?m)^one +connect +\d")
        client = self.connect(mine)
        client.ok("NOOP")
        self.assertEqual(self.proxy.wait_log(event="login", user=mine)["backend"], "two")
        self.assertFalse(self.proxy.find_log(event="store_failed"))
        client.logout()
        self.one.start()
        self.proxy.wait_log(event="backend_up", backend="one")
        self.assertEqual(self.state("one")["state"], "up")
