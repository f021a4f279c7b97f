"""Kerberos for the tool's roads: who asks for a ticket, and what its refusals mean to a person; sends nothing.

The numbers are krb5's (RFC 4120 7.5.9, and the library's own), and Windows' where the ticket comes from SSPI.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from starover.errors import AuthFailed

__all__ = ["Trouble", "is_wrong_password", "principal", "trouble"]

_NOTHING = ("nothing was sent",)
_TABLE = -1765328384
"""Where krb5's error codes begin."""


@dataclass(frozen=True)
class Trouble:
    """Why there is no ticket, or why the host does not take it."""

    what: str
    """`{host}` is the server's name."""
    next: tuple[str, ...]
    password: bool = False
    """The directory counts it as a bad logon."""


_CLOCKS = Trouble(
    "Kerberos refuses {host}: its clock, the domain's and this machine's differ by more than five minutes (0x80090324)",
    ("compare the clocks: `w32tm /stripchart /computer:DC` there, `chronyc tracking` or `w32tm /query /status` here",),
)
_WRONG_NAME = Trouble(
    "Kerberos refuses {host}: the target principal name is incorrect (0x80090322): what answers there has the "
    "key of another account",
    (
        "is it a balanced name? Kerberos goes to a server by its own name: correct `fqdn:` in the inventory",
        "setspn -Q HTTP/FQDN   should name one account only",
    ),
)
_NO_SUCH_HOST = Trouble(
    "the domain knows no HTTP/ of the FQDN that the inventory gives {host}, so there is no ticket for it",
    ("correct `fqdn:` of the server in the inventory", "setspn -Q HTTP/FQDN"),
)
_NO_TICKET = Trouble("there is no Kerberos ticket here for {host}", ("kinit USER@REALM", "klist"))
_EXPIRED = Trouble("the Kerberos ticket has expired", ("kinit USER@REALM", "klist"))
_NO_USER = Trouble(
    "the domain knows no such user as the credential for {host} names",
    ("write the user as name@REALM: look at `credential:` in the inventory, and at what is behind it",),
    password=True,
)
_PASSWORD = Trouble(
    "the domain does not accept the user and password of the credential for {host}",
    ("look at `credential:` in the inventory, and at what is behind it",),
    password=True,
)
_NO_KDC = Trouble(
    "no domain controller (KDC) of the realm can be reached, so there is no ticket for {host}",
    ("look at the realm in /etc/krb5.conf, at DNS, and at port 88 of the DCs", "or use `auth: negotiate` with a user"),
)
_KRB5 = {
    6: _NO_USER,
    7: _NO_SUCH_HOST,
    18: _PASSWORD,  # locked, disabled or expired account
    23: _PASSWORD,  # the password has expired
    24: _PASSWORD,
    31: _PASSWORD,  # decrypt integrity check failed: what came back cannot be read with this password
    32: _EXPIRED,
    35: _WRONG_NAME,
    36: _WRONG_NAME,
    37: _CLOCKS,
    41: _WRONG_NAME,
    141: _NO_TICKET,  # no credentials in the cache
    154: _NO_KDC,  # KRB5_REALM_CANT_RESOLVE
    156: _NO_KDC,  # KRB5_KDC_UNREACH
    195: _NO_TICKET,  # KRB5_FCC_NOFILE
}
_WINDOWS = {
    0x80090303: _NO_SUCH_HOST,
    0x8009030C: _PASSWORD,
    0x8009030E: _NO_TICKET,
    0x80090311: _NO_KDC,
    0x80090322: _WRONG_NAME,
    0x80090324: _CLOCKS,
}


def principal(user: str, fqdn: str) -> str:
    r"""The user as Kerberos wants it: `name@REALM`.

    `DOMAIN\name` is understood where DOMAIN is the first label of the server's own domain. Raises `AuthFailed`.
    SSPI takes every form, so on Windows the user stays as it is.
    """
    if sys.platform == "win32":
        return user
    domain, slash, name = user.partition("\\")
    if not slash:
        name, at, realm = user.partition("@")
        return f"{name}@{realm.upper()}" if at else user
    own = fqdn.partition(".")[2]
    if own.partition(".")[0].casefold() != domain.casefold():
        raise AuthFailed(
            f"Kerberos wants the user as name@REALM, and nobody knows the realm of {domain}\\",
            certain=_NOTHING,
            next=("write the user of the credential as name@REALM",),
        )
    return f"{name}@{own.upper()}"


def trouble(error: BaseException) -> Trouble | None:
    """What a refusal of Kerberos means; None for what is none, or none that is known."""
    at: BaseException | None = error
    while at is not None:
        for name in ("min_code", "err_code"):
            code: object = getattr(at, name, None)
            if isinstance(code, int) and (found := _KRB5.get((code - _TABLE) & 0xFFFFFFFF)) is not None:
                return found
        code = getattr(at, "winerror", None)
        if isinstance(code, int) and (found := _WINDOWS.get(code & 0xFFFFFFFF)) is not None:
            return found
        at = at.__cause__ or at.__context__
    return None


def is_wrong_password(error: BaseException) -> bool:
    """Whether the directory has counted a bad logon."""
    found = trouble(error)
    return found is not None and found.password
