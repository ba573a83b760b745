"""Who goes where: users files, pools, normalised names, and stores that come and go."""

import re

from harness.case import Case, proxied
from harness.imap import message
from harness.proxy import Proxy
from harness.store import spare_port

NAMES = [f"user{n}@example.org" for n in range(24)]


@proxied
class Route(Case):

    @classmethod
    def build(cls, world):
        one = world.store("one", NAMES + ["renamed", "exact@pattern.org", "bare", "grüße@example.org"])
        two = world.store("two", NAMES + ["x@domain.org", "p-1@pattern.org", "q-1@pattern.org",
                                          "far@example.org"])
        three = world.store("three", NAMES, tls=False)
        routes = world.users(f"""# comments and empty lines

exact@pattern.org one
@domain.org two
p-*@pattern.org two
?-1@pattern.org two
*@pattern.org nowhere
alias@example.org one user=renamed
far@example.org {two.listen}:{two.port} tls=none
""")
        cls.backends = "".join(world.backend(s.name, s.address("none")) for s in (one, two, three))
        cls.routes = routes
        world.proxy(cls.backends + world.backend("nowhere", ("127.0.0.1", spare_port())) + f"""
[pool stores]
backends = one, two
balance = hash
fallback = three
[route]
username = lowercase, default-domain example.org
lookup = file:{routes}
default = stores
""")

    def backend_of(self, user, proxy=None, expect=None):
        proxy = proxy or self.proxy
        client = self.connect(user, address=proxy.address("imaps"))
        host, port = client.local[:2]
        event = proxy.wait_log(event="login", client=f"{host}:{port}")
        client.logout()
        return event["backend"]

    def test_exact_names_before_domains_before_patterns(self):
        for user, wanted in (("exact@pattern.org", "one"), ("x@domain.org", "two"),
                             ("p-1@pattern.org", "two"), ("q-1@pattern.org", "two")):
            self.assertEqual(self.backend_of(user), wanted, user)
        client = self.connect()
        self.assertAnswer(client.command("LOGIN z-2@pattern.org secret"), rb"\S+ NO \[UNAVAILABLE\]")

    def test_another_name_at_the_store(self):
        client = self.connect("alias@example.org")
        client.append("INBOX", message("renamed", 1))
        client.logout()
        direct = self.direct("renamed", "one")
        direct.ok("EXAMINE INBOX")
        self.assertTrue(direct.uids())

    def test_host_and_port_as_target(self):
        client = self.connect("far@example.org")
        client.append("INBOX", message("far", 1))
        direct = self.direct("far@example.org", "two")
        direct.ok("EXAMINE INBOX")
        self.assertTrue(direct.uids())

    def test_names_are_made_one(self):
        """Small letters, and the domain that is not said."""
        wanted = self.backend_of("user7@example.org")
        for spelling in ("user7", "USER7", "User7@Example.ORG"):
            client = self.connect(spelling)
            client.append("INBOX", message("user7", 1))
            self.assertEqual(self.backend_of(spelling), wanted)
        direct = self.direct("user7@example.org", wanted)
        direct.ok("EXAMINE INBOX")
        self.assertEqual(len(direct.uids()), 3)

    def test_a_user_has_one_store(self):
        homes = {user: self.backend_of(user) for user in NAMES}
        self.assertEqual(set(homes.values()), {"one", "two"})
        for user in NAMES[:8]:
            for _ in range(3):
                self.assertEqual(self.backend_of(user), homes[user])

    def test_the_same_store_from_every_proxy_and_order(self):
        """Rendezvous hash: neither the order of the list nor another member moves who need not move."""
        def fresh(backends, name):
            one = Proxy(self.world.work, self.world.listeners() + self.backends
                        + f"[pool stores]\nbackends = {backends}\nbalance = hash\n"
                        f"[route]\ndefault = stores\n", name=name)
            self.addCleanup(one.stop)
            return one.start()

        swapped = fresh("two, one", "swapped")
        more = fresh("one, two, three", "more")
        moved = 0
        for user in NAMES:
            home = self.backend_of(user)
            self.assertEqual(self.backend_of(user, swapped), home)
            third = self.backend_of(user, more)
            self.assertIn(third, (home, "three"))
            moved += third == "three"
        self.assertTrue(0 < moved < len(NAMES))

    def test_weights(self):
        body = self.backends.replace("[backend one]\n", "[backend one]\nweight = 1\n").replace(
            "[backend two]\n", "[backend two]\nweight = 1000\n")
        proxy = Proxy(self.world.work, self.world.listeners() + body
                      + "[pool stores]\nbackends = one, two\nbalance = hash\n[route]\ndefault = stores\n",
                      name="weighted")
        self.addCleanup(proxy.stop)
        proxy.start()
        homes = [self.backend_of(user, proxy) for user in NAMES]
        self.assertGreater(homes.count("two"), len(NAMES) * 3 // 4)


@proxied
class Failover(Case):
    """Stores that stop and come back while the proxy runs."""

    @classmethod
    def build(cls, world):
        for name in ("one", "two", "spare"):
            world.store(name, NAMES)
        world.proxy("".join(world.backend(s.name, s.address("starttls"), "starttls")
                            for s in world.stores.values()) + """
[pool stores]
backends = one, two
balance = hash
fallback = spare
[route]
default = stores
""")

    def homes(self):
        found = {}
        for user in NAMES[:10]:
            client = self.connect(user)
            host, port = client.local[:2]
            event = self.proxy.wait_log(event="login", client=f"{host}:{port}")
            client.logout()
            found[user] = event["backend"]
            self.proxy.wait_log(event="session_end", client=f"{host}:{port}")
        return found

    def test_next_candidate_when_a_store_is_down(self):
        before = self.homes()
        self.assertEqual(set(before.values()), {"one", "two"})
        self.world.stores["one"].stop()
        during = self.homes()
        self.assertEqual(set(during.values()), {"two"})
        self.world.stores["two"].stop()
        self.assertEqual(set(self.homes().values()), {"spare"})
        self.world.stores["spare"].stop()
        client = self.connect()
        self.assertAnswer(client.command(f"LOGIN {NAMES[0]} secret"), rb"\S+ NO \[UNAVAILABLE\]")
        self.assertAnswer(client.command(f"LOGIN {NAMES[0]} wrong"), rb"\S+ NO \[UNAVAILABLE\]")
        for name in ("one", "two", "spare"):
            self.world.stores[name].start()
        client.login(NAMES[0])  # the very same connection
        client.logout()

    def test_wrong_password_is_tried_at_one_store_only(self):
        user = NAMES[11]
        client = self.connect()
        self.assertAnswer(client.command(f"LOGIN {user} wrong"), rb"\S+ NO \[AUTHENTICATIONFAILED\]")
        tries = sum(len(re.findall(re.escape(user) + r".*Password mismatch", store.log_text()))
                    for store in self.world.stores.values())
        self.assertEqual(tries, 1)
