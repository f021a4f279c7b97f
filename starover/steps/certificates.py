"""The certificates that servers show to clients: which names they cover, for how long; reads and grades only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias

import msgspec

from starover.runbook import Finding
from starover.step import Query, Report

__all__ = [
    "Certificate",
    "Certificates",
    "Thumbprint",
    "certificate_findings",
    "certificates",
    "covers",
    "missing_names",
    "plain_serial",
    "same_serial",
    "shows",
    "uncovered",
]


Thumbprint: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{40}(?![\s\S])", title="Thumbprint", description="40 hex digits")
]
"""Of a certificate."""


class Certificate(Report):
    """A certificate of the machine's store."""

    thumbprint: str
    subject: str
    """`CN=mail.example.com, O=...`."""
    self_signed: bool
    names: tuple[str, ...]
    days: int
    """Whole days until it ends."""
    expired: bool
    serial: str
    """Serial number, in hex."""
    key: bool
    """Its private key is there."""
    back: bool
    """The back end shows it on 444."""
    shown: bool
    """The web server shows it on 443."""

    @property
    def principal(self) -> str:
        """The common name of its subject."""
        for part in self.subject.split(","):
            key, _, value = part.strip().partition("=")
            if key.casefold() == "cn":
                return value.strip()
        return ""

    @property
    def covered(self) -> tuple[str, ...]:
        """Every name it is good for."""
        return tuple(dict.fromkeys(name for name in (*self.names, *([] if self.names else [self.principal])) if name))


class Certificates(Report):
    """What a host has (`client/certificates.ps1.j2`)."""

    certificates: tuple[Certificate, ...]

    @property
    def shown(self) -> Certificate | None:
        """The one that clients see."""
        return next((one for one in self.certificates if one.shown), None)

    @property
    def back(self) -> Certificate | None:
        """The one that the back end shows."""
        return next((one for one in self.certificates if one.back), None)

    def find(self, thumbprint: str) -> Certificate | None:
        """A certificate by its thumbprint."""
        return next((one for one in self.certificates if one.thumbprint.casefold() == thumbprint.casefold()), None)


certificates = Query("client/certificates.ps1.j2", Certificates)
"""Of the host that is asked."""


def same_serial(one: str, other: str) -> bool:
    """Whether two serial numbers in hex are one number."""
    return bool(one) and bool(other) and int(one, 16) == int(other, 16)


def plain_serial(serial: str) -> str:
    """A serial number without the zeros before it, which Windows may write."""
    return f"{int(serial, 16):X}"


def covers(names: Sequence[str], host: str) -> bool:
    """Whether a certificate of these names is good for a host; `*.example.com` is for one label."""
    wanted = host.rstrip(".").casefold()
    above = "*." + wanted.partition(".")[2]
    return any(name.casefold() in (wanted, above) for name in names)


def shows(one: Certificate, name: str) -> bool:
    """Whether a certificate bears a name, a wildcard included: as its subject's, or among its others."""
    return name.casefold() in {text.casefold() for text in (one.principal, *one.covered)} or covers(one.covered, name)


def uncovered(now: Certificates, hosts: Sequence[str]) -> list[str]:
    """The hosts that the certificate which clients see is not good for; all of them where there is none."""
    shown = now.shown
    return missing_names(shown, hosts) if shown is not None else list(dict.fromkeys(hosts))


def missing_names(one: Certificate, hosts: Sequence[str]) -> list[str]:
    """The hosts that a certificate is not good for."""
    return [host for host in dict.fromkeys(hosts) if not covers(one.covered, host)]


def certificate_findings(
    seen: Mapping[str, Certificates | str], names: Sequence[str], principal: str, days: int
) -> Iterator[Finding]:
    """P42 and P43: each server's certificate, whether all show one, and whether Outlook expects it.

    `seen`: by server what it has, or why it could not be read. `principal`: that of EXPR. `days`: amber below.
    """
    shown: dict[str, Certificate] = {}
    for server, found in seen.items():
        if isinstance(found, str):
            yield Finding(check="P42", on=server, level="unknown", says=found)
            continue
        one = found.shown
        if one is None:
            yield Finding(check="P42", on=server, level="fail", says="the web server shows no certificate on 443")
            continue
        shown[server] = one
        missing = uncovered(found, names)
        said = f"{one.principal or one.subject}, {one.days} days left"
        if one.expired:
            yield Finding(check="P42", on=server, level="fail", says=f"{one.principal} has expired")
        elif missing:
            yield Finding(check="P42", on=server, level="fail", says=f"{said}: not good for {', '.join(missing)}")
        elif one.self_signed:
            yield Finding(
                check="P42", on=server, level="warn", says=f"{said}: clients do not trust it, it is self-signed"
            )
        elif one.days < days:
            yield Finding(check="P42", on=server, level="warn", says=f"{said}: fewer than {days}")
        else:
            yield Finding(check="P42", on=server, level="ok", says=said)
    if len({one.thumbprint for one in shown.values()}) > 1:
        each = ", ".join(f"{server} {one.thumbprint[:8]}" for server, one in shown.items())
        principals = {one.principal.casefold() for one in shown.values()}
        says = f"the servers show different certificates: {each}"
        yield Finding(check="P42", on="all", level="fail" if len(principals) > 1 else "warn", says=says)
    yield _expected(shown, principal)


def _expected(shown: Mapping[str, Certificate], principal: str) -> Finding:
    """P43."""
    wanted = principal.partition(":")[2]
    if not wanted:
        says = f"EXPR expects {principal or 'no certain name'}: Outlook takes the name it connects to"
        return Finding(check="P43", on="EXPR", level="info", says=says)
    wrong = [server for server, one in shown.items() if not shows(one, wanted)]
    if wrong:
        says = f"EXPR expects {principal}, and {', '.join(wrong)} show another name: Outlook Anywhere would refuse them"
        return Finding(check="P43", on="EXPR", level="warn", says=says)
    return Finding(check="P43", on="EXPR", level="ok", says=f"EXPR expects {principal}")
