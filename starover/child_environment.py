"""What a program that is started from here finds in its environment: no password that is ours; starts nothing itself.

An environment is handed on whole unless somebody says otherwise, and `env:` references of an inventory stand on it.
Which variables those are is known once the inventory is read: whoever reads it says so (`hide`). What a program of
somebody's own needs besides (a token of a vault, AWS's keys) is its business and stays.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable

__all__ = ["for_keys", "for_ourselves", "hide", "inherited", "password_of"]

_OURS = re.compile(r"STAROVER_(?:.*_)?(?:PASSWORD|TOKEN|SECRET)", re.IGNORECASE)
_KEYS = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TERM|TMPDIR|TZ|SSH_.*|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR"
    r"|DBUS_SESSION_BUS_ADDRESS"
    r"|SYSTEMROOT|WINDIR|SYSTEMDRIVE|TEMP|TMP|PATHEXT|COMSPEC|USERNAME|USERPROFILE|HOMEDRIVE|HOMEPATH|APPDATA"
    r"|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES",
    re.IGNORECASE,
)
"""What OpenSSH needs: to be found, an agent or a token, somewhere to ask for a passphrase, and Windows's own."""
_hidden: set[str] = set()
_guard = threading.Lock()


def password_of(reference: str) -> str:
    """The variable that a credential's reference (`env:NAME`) has its password in; empty: in none."""
    scheme, _, name = reference.partition(":")
    return f"{name.strip()}_PASSWORD" if scheme == "env" and name.strip() else ""


def hide(names: Iterable[str]) -> None:
    """Variables that hold a secret: no program is handed them from now on."""
    with _guard:
        _hidden.update(name.upper() for name in names if name)


def inherited(**more: str) -> dict[str, str]:
    """The environment for a program that somebody else has named: everything but secrets of ours, and `more`."""
    with _guard:
        hidden = frozenset(_hidden)
    secret = {name for name in os.environ if name.upper() in hidden or _OURS.fullmatch(name)}
    return {**{name: value for name, value in os.environ.items() if name not in secret}, **more}


def for_ourselves() -> dict[str, str]:
    """The environment for starover itself, in a folder of its own: without any option that is given by a variable."""
    return {name: value for name, value in inherited().items() if not name.startswith("STAROVER_")}


def for_keys(**more: str) -> dict[str, str]:
    """The environment for ssh-keygen: what it needs, and `more`."""
    return {**{name: value for name, value in os.environ.items() if _KEYS.fullmatch(name)}, **more}
