"""Real Dovecot stores, each with its own folder, ports, users and log.

A store runs as an ordinary user altogether (base, login and mail processes alike), so that it needs
neither root nor system users. One store listens on a port with plaintext and STARTTLS and, unless made
without TLS, on a second one with implicit TLS.
"""

import os
import random
import re
import signal
import socket
import subprocess

from . import world
from .world import ACCOUNT, until

_CONFIG = """
protocols = imap
base_dir = {run}
state_dir = {run}
instance_name = {name}
log_path = {log}
listen = {listen}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_process_limit = 2000
default_client_limit = 8000
first_valid_uid = 1
first_valid_gid = 1
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =
auth_verbose = yes
mail_location = maildir:~/Maildir
mail_fsync = never
maildir_very_dirty_syncs = yes
mail_plugins = zlib
passdb {{
  driver = passwd-file
  args = username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={mail}/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_zlib
  mail_max_userip_connections = 8000
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 8000
  process_limit = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  client_limit = {imap_clients}
}}
{extra}
"""


def spare_port(taken=(), address="127.0.0.1"):
    """A port that nobody listens on, outside the range that the kernel gives to connections, so that
    nobody gets it by chance; whoever else picks it at the same moment makes the start fail, which is
    then tried with another."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    while True:
        port = random.randrange(10000, max(first, 11000))
        if port in taken:
            continue
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            try:
                probe.bind((address, port))
                return port
            except OSError:
                continue


class Dovecot:
    """One store. users: name -> password."""

    def __init__(self, work, name, users, certificate=None, key=None, imap_clients=1, listen="127.0.0.1",
                 extra=""):
        self.work = work
        self.name = name
        self.listen = listen
        self.tls = certificate is not None
        self.port = None
        self.tls_port = None
        self.process = None
        self._certificate = certificate
        self._key = key
        self._imap_clients = imap_clients
        self._extra = extra
        self.log = os.path.join(work.folder(name), "log")
        self.errors = work.file(f"{name}.err")
        self.mail = work.folder(f"{name}/mail")
        self._run = work.folder(f"{name}/run")
        # Dovecot escapes a name before it looks it up.
        self._users = work.file(f"{name}/users", "".join(
            re.sub(r"""(["'\\])""", r"\\\1", user) + f":{{PLAIN}}{password}\n"
            for user, password in users.items()))

    def _configure(self):
        tls = "ssl = no"
        if self.tls:
            tls = f"ssl = yes\nssl_cert = <{self._certificate}\nssl_key = <{self._key}"
        self.work.file(f"{self.name}/dovecot.conf", _CONFIG.format(
            run=self._run, name=self.name, log=self.log, listen=self.listen, user=ACCOUNT.user,
            group=ACCOUNT.group, tls=tls, users=self._users, mail=self.mail, port=self.port,
            tls_port=self.tls_port if self.tls else 0, imap_clients=self._imap_clients,
            extra=self._extra))

    def _greets(self):
        try:
            with socket.create_connection((self.listen, self.port), timeout=world.DEADLINE) as sock:
                return sock.recv(4) == b"* OK"
        except OSError:
            return False

    def start(self):
        """Starts it, for the first time on ports of its choice and later on the same."""
        for _ in range(20):
            if self._start_once():
                return self
            self.port = None
        raise AssertionError(f"store {self.name} found no port:\n{self.log_text()[-2000:]}")

    def _start_once(self):
        if self.port is None:
            self.port = spare_port(address=self.listen)
            self.tls_port = spare_port(taken=(self.port,), address=self.listen)
        self._configure()
        self.process = world.start(
            ["dovecot", "-F", "-c", os.path.join(self.work.path, self.name, "dovecot.conf")],
            stdout=open(self.errors, "wb"), stderr=subprocess.STDOUT)
        try:
            until(self._greets, f"the greeting of store {self.name}", alive=self.process)
        except AssertionError:
            world.stop(self.process)
            self.process = None
            said = open(self.errors, errors="replace").read() + self.log_text()[-2000:]
            if "Address already in use" in said:
                return False
            raise AssertionError(f"store {self.name} did not start: {said[-2000:]}") from None
        if self.process.poll() is not None:
            self.process = None
            return False  # it was somebody else who greeted
        return True

    def stop(self):
        if self.process is not None:
            world.stop(self.process, signal.SIGTERM)
            self.process = None

    def log_text(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def address(self, tls):
        """Where to connect for a kind of TLS: none, starttls or implicit."""
        return (self.listen, self.tls_port if tls == "implicit" else self.port)
