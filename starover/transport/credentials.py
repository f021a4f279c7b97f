"""Turns a reference of the inventory into user and password, when a road needs them; knows no host and no script.

References: `env:NAME` (NAME_USER and NAME_PASSWORD), `command:PROGRAM ARGUMENTS` (prints user and password on two
lines), `keyring:SERVICE` (needs the extra `starover[keyring]`), `secretsmanager:NAME` and `ssm:NAME` (of AWS, see
`aws_secrets`), and in a lab `lab:USER` (from the lab's own lab.json).
`ticket` is no password: the roads with `auth: kerberos` then take the ticket of whoever runs this (docs/kerberos.md).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from starover.child_environment import hide, inherited, password_of
from starover.errors import AuthFailed, BadInventory
from starover.estate import TICKET

__all__ = ["Credential", "Credentials", "Resolver"]

_COMMAND_SECONDS = 30.0


@dataclass(frozen=True)
class Credential:
    """A user and a password. The password is in no repr, so that it is in no log and no traceback."""

    user: str
    password: str = field(repr=False)


class Resolver(Protocol):
    """Whatever turns references into credentials."""

    def resolve(self, reference: str, /) -> Credential:
        """Raises `BadInventory` for a reference that cannot be read, `AuthFailed` when nothing is behind it."""
        ...

    def passwords(self) -> Sequence[str]:
        """Every password told so far, for whoever has to mask them."""
        ...


class Credentials:
    """Resolves references, each once in a process. Safe to share between threads."""

    def __init__(
        self,
        *,
        folder: Path | None = None,
        lab: bool = False,
        environment: Mapping[str, str] | None = None,
        more: Mapping[str, Callable[[str], Credential]] | None = None,
    ) -> None:
        """`folder` is where the inventory lies (`command:` runs there); `lab`: `lab:` references are good; `more`:
        other kinds of reference, such as `secretsmanager` (`aws_secrets`).
        """
        self._more = more or {}
        self._folder = folder
        self._lab = lab
        self._environment = os.environ if environment is None else environment
        self._known: dict[str, Credential] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._known))})"

    def resolve(self, reference: str, /) -> Credential:
        """User and password of a reference. Raises `BadInventory` and `AuthFailed`; neither tells a secret."""
        with self._lock:
            if reference not in self._known:
                self._known[reference] = self._find(reference)
            return self._known[reference]

    def passwords(self) -> Sequence[str]:
        """Every password told so far."""
        with self._lock:
            return [one.password for one in self._known.values()]

    def _find(self, reference: str) -> Credential:
        if not reference:
            raise BadInventory(
                "the server has no credential", next=("give it `credential: env:NAME`, or `defaults:` one for all",)
            )
        if reference == TICKET:
            raise BadInventory(
                "the credential `ticket` is for roads with `auth: kerberos`",
                next=("give the road `auth: kerberos`, or the server another credential",),
            )
        scheme, _, rest = reference.partition(":")
        ways: dict[str, Callable[[str], Credential]] = {
            "env": self._from_environment,
            "command": self._from_command,
            "keyring": _from_keyring,
            "lab": self._from_lab,
            **self._more,
        }
        if scheme not in ways:  # the text is not repeated: it may be a password in the wrong place
            raise BadInventory(
                "a credential is a reference: `env:NAME`, `command:...`, `keyring:SERVICE`, `secretsmanager:NAME` "
                "or `ssm:NAME`"
            )
        return ways[scheme](rest.strip())

    def _from_environment(self, name: str) -> Credential:
        user, password = f"{name}_USER", password_of(f"env:{name}")
        hide([password])
        missing = [one for one in (user, password) if not self._environment.get(one)]
        if missing:
            raise AuthFailed(
                f"the credential env:{name} needs {' and '.join(missing)} in the environment",
                certain=("nothing was sent",),
                next=(f"export {user}='EXAMPLE\\operator'", f"read -rs {password} && export {password}"),
            )
        return Credential(self._environment[user], self._environment[password])

    def _from_command(self, line: str) -> Credential:
        try:
            words = shlex.split(line, posix=sys.platform != "win32")
        except ValueError as error:  # the line is not repeated: a password may stand in the wrong place
            raise AuthFailed(f"a credential command cannot be read: {error}", certain=("nothing was sent",)) from None
        program = words[0] if words else ""
        try:
            done = subprocess.run(  # noqa: S603 - the command is the inventory owner's own
                words,
                cwd=self._folder,
                env=inherited(),
                capture_output=True,
                timeout=_COMMAND_SECONDS,
                check=False,
                text=True,
            )
        except (OSError, ValueError, IndexError) as error:
            raise AuthFailed(f"the credential command `{program}` cannot be run: {error}") from None
        except subprocess.TimeoutExpired:
            raise AuthFailed(f"the credential command `{program}` took more than {_COMMAND_SECONDS:g} s") from None
        lines = done.stdout.splitlines()
        if done.returncode != 0 or len(lines) < 2 or not all(lines[:2]):  # its output may hold the secret: not shown
            how = f"ended with {done.returncode}" if done.returncode else "did not print user and password on two lines"
            raise AuthFailed(f"the credential command `{program}` {how}", certain=("nothing was sent",))
        return Credential(lines[0].strip(), lines[1])

    def _from_lab(self, user: str) -> Credential:
        file = (self._folder or Path()) / "lab.json"
        if not self._lab:
            raise BadInventory("the credential `lab:...` is for an inventory that says `lab: true`")
        try:
            known = msgspec.json.decode(file.read_bytes(), type=_Lab)
        except (OSError, msgspec.MsgspecError) as error:
            raise AuthFailed(f"the lab's users cannot be read from {file}: {error}") from None
        for one in (*known.users, *(_User(key.name, key.key) for key in known.keys)):
            if one.name.casefold() == user.casefold():
                return Credential(one.name, one.password)
        raise AuthFailed(f"the lab has no user `{user}`", next=(f"{file} lists them",))


class _User(msgspec.Struct):
    name: str
    password: str

    def __repr__(self) -> str:
        return f"_User({self.name!r})"


class _Key(msgspec.Struct):
    name: str
    key: str

    def __repr__(self) -> str:
        return f"_Key({self.name!r})"


class _Lab(msgspec.Struct):
    users: list[_User]
    keys: list[_Key] = []
    """Of balancers' APIs."""


def _from_keyring(service: str) -> Credential:
    try:
        import keyring  # pyright: ignore[reportMissingModuleSource] # an extra
    except ImportError:
        raise AuthFailed(
            "the credential `keyring:...` needs the keyring package", next=("pip install 'starover[keyring]'",)
        ) from None
    found = keyring.get_credential(service, None)
    if found is None or not found.username or not found.password:
        raise AuthFailed(
            f"the keyring has nothing for `{service}`", next=(f"keyring set {service} 'EXAMPLE\\operator'",)
        )
    return Credential(found.username, found.password)
