"""A throw-away Kerberos realm on loopback: a real KDC (Debian's krb5-kdc), users and services; knows no lab."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")


def missing() -> str:
    """What is not there for tests with tickets, in a sentence; empty: all is."""
    programs = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    packages = [name for name in ("gssapi", "krb5") if importlib.util.find_spec(name) is None]
    what = [f"{', '.join(programs)} (apt-get install krb5-kdc krb5-admin-server krb5-user)"] if programs else []
    what += [f"{', '.join(packages)} (pip install 'starover[kerberos]')"] if packages else []
    return f"NO KERBEROS HERE, nothing of it is tested: {' and '.join(what)} is missing" if what else ""


@dataclass
class Kdc:
    """The realm, up as long as the context lasts."""

    folder: Path
    realm: str
    users: Mapping[str, str]
    """Name and password."""
    hosts: Iterable[str]
    """FQDNs, whose HTTP/ goes into the keytab; in small letters, as MIT's clients ask for them (AD ignores case)."""
    others: Iterable[str] = ()
    """FQDNs whose HTTP/ the realm knows and the keytab does not."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def environment(self) -> dict[str, str]:
        """For whoever is to live in the realm: its configuration, the lab's keys, and a cache of tickets."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KTNAME": str(self.folder / "lab.keytab"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
        }

    def __enter__(self) -> Kdc:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        domain = self.realm.lower()
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {self.realm}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
            f"[realms]\n {self.realm} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
            f"[domain_realm]\n .{domain} = {self.realm}\n"
        )
        (self.folder / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
            f"[realms]\n {self.realm} = {{\n  database_name = {self.folder}/principal\n"
            f"  key_stash_file = {self.folder}/stash\n  acl_file = {self.folder}/acl\n }}\n"
            f"[logging]\n kdc = FILE:{self.folder}/kdc.log\n"
        )
        self._run("kdb5_util", "create", "-s", "-r", self.realm, "-P", "throw-away")
        lines = [f'addprinc -pw "{password}" "{name}"' for name, password in self.users.items()]
        lines += [f"addprinc -randkey HTTP/{name.lower()}" for name in (*self.hosts, *self.others)]
        lines += [f"ktadd -k {self.folder}/lab.keytab HTTP/{name.lower()}" for name in self.hosts]
        self._run("kadmin.local", "-r", self.realm, given="\n".join(lines) + "\n")
        program = shutil.which("krb5kdc", path=_PATH)
        assert program is not None
        self._process = subprocess.Popen([program, "-n", "-r", self.realm], env=self._environment())
        for _ in range(200):
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("the KDC does not listen")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def kinit(self, user: str) -> None:
        """A ticket for `user` into the cache."""
        self._run("kinit", f"{user}@{self.realm}", given=self.users[user] + "\n")

    def keytab(self, user: str) -> Path:
        """A keytab of a user's own, as jobs have it."""
        file = self.folder / f"{user}.keytab"
        if not file.exists():
            self._run("kadmin.local", "-r", self.realm, given=f"ktadd -norandkey -k {file} {user}\n")
        return file

    def forget(self) -> None:
        """An empty cache."""
        (self.folder / "tickets").unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        return os.environ | self.environment | {"KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def _run(self, name: str, *words: str, given: str = "") -> None:
        program = shutil.which(name, path=_PATH)
        assert program is not None
        done = subprocess.run(
            [program, *words], input=given, env=self._environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
