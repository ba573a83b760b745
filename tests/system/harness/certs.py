"""A certificate authority for one run, made with the openssl command."""

import os
import subprocess


def _openssl(*words):
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError("openssl: " + done.stdout.decode(errors="replace").strip())


_KEYS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


class Authority:
    """One CA; `pem` is the file that clients and the proxy trust."""

    def __init__(self, work, name="ca"):
        self.work = work
        self.pem = work.file(f"{name}.pem")
        self.key = work.file(f"{name}.key")
        _openssl("req", "-x509", *_KEYS["ecdsa"], "-nodes", "-days", "30", "-subj", f"/CN={name}",
                 "-keyout", self.key, "-out", self.pem)
        os.chmod(self.pem, 0o644)

    # mbsync compares addresses, too, with the names in a certificate.
    def issue(self, name, kind="ecdsa", names=("localhost", "127.0.0.1"),
              addresses=("127.0.0.1", "::1"), owner=None):
        """A certificate and its key: two paths. owner: the uid that alone may read the key."""
        cert = self.work.file(f"{name}.pem")
        key = self.work.file(f"{name}.key")
        alternatives = [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses]
        _openssl("req", "-x509", "-CA", self.pem, "-CAkey", self.key, *_KEYS[kind], "-nodes",
                 "-days", "30", "-subj", f"/CN={(list(names) + list(addresses))[0]}",
                 "-addext", "subjectAltName=" + ",".join(alternatives),
                 "-addext", "basicConstraints=critical,CA:false",
                 "-keyout", key, "-out", cert)
        os.chmod(cert, 0o644)
        os.chmod(key, 0o600)
        if owner is not None and os.geteuid() == 0:
            os.chown(key, owner, -1)
        return cert, key
