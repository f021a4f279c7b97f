"""What clients meet: health pages, mail protocols and redirects, looked at from where the tool runs (catalogue 7.4).

A page that is not there is a server that does not serve: managed availability answers it from memory while the
protocol's component is Active. Everything but 200 counts as out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from starover.errors import BadParameter, StaroverError
from starover.estate import Dag, Estate, Server
from starover.runbook import Finding, Steps, attempt, together
from starover.step import Query, Report
from starover.steps.certificates import covers

__all__ = [
    "HEALTH",
    "PROTOCOLS",
    "WEB_S",
    "Look",
    "Protocol",
    "Target",
    "certificate_at",
    "check_protocols",
    "finding_of",
    "look_at_all",
    "looks",
    "page",
    "serves",
    "targets",
]

Protocol: TypeAlias = Literal["https", "smtp", "imap", "pop", "rpc", "oab", "epmap", "redirect"]
PROTOCOLS: tuple[Protocol, ...] = ("https", "smtp", "redirect")
"""What is looked at unless others are named."""
HEALTH = "/owa/healthcheck.htm"
WEB_S, MAIL_S = 11, 32
"""Seconds of patience for a page, and for a mail protocol."""
OLD: dict[Protocol, int] = {"rpc": 60000, "oab": 60001, "epmap": 135}
"""TCP ports of clients older than MAPI over HTTP; offered only where the inventory has Exchange 2013."""
_MAIL: dict[str, tuple[tuple[int, bool], ...]] = {
    "smtp": ((25, False),),
    "imap": ((143, False), (993, True)),
    "pop": ((110, False), (995, True)),
}
"""Ports by protocol, and whether TLS comes first."""


class Look(Report):
    """What a probe saw (`probe/*.call.j2`)."""

    answers: bool
    error: str
    """`name`, `refused`, `silent`, `reset`, `tls`; empty: none."""
    status: int
    location: str
    said: tuple[str, ...]
    names: tuple[str, ...]
    """Whom the certificate is for."""
    serial: str
    """Of the certificate, in hex; empty: there was none."""
    days: int | None
    milliseconds: int

    @property
    def words(self) -> str:
        """What went wrong, for people."""
        if self.error:
            return {"name": "there is no such name", "silent": "silent", "tls": "TLS failed"}.get(
                self.error, "refused the connection" if self.error == "refused" else "the connection was cut"
            )
        if self.status:
            return f"answered {self.status}"
        return f"said {self.said[0]!r}" if self.said else "said nothing"


page = Query("probe/http.call.j2", Look)
"""Arguments: `address`, `port`, `seconds`, `tls`, `name`, `path`."""
smtp = Query("probe/smtp.call.j2", Look)
"""Arguments: `address`, `port`, `seconds`, `tls`, `name`."""
imap = Query("probe/imap.call.j2", Look)
"""Arguments as of `smtp`."""
pop = Query("probe/pop.call.j2", Look)
"""Arguments as of `smtp`."""
tcp = Query("probe/tcp.call.j2", Look)
"""Arguments: `address`, `port`, `seconds`."""
certificate_at = Query("probe/certificate.call.j2", Look)
"""Arguments: `address`, `port`, `seconds`, `tls`, `fqdn`, and `starttls`, the protocol in which TLS is asked for."""
_SPOKEN = {"smtp": smtp, "imap": imap, "pop": pop}


@dataclass(frozen=True)
class Target:
    """A place where clients come."""

    address: str
    name: str
    """The name that they ask for."""
    what: str
    """`EX1`, or `mail.example.com`."""
    server: Server
    """About whom the look is: that of the address, else any."""
    shared: bool
    """An address of the service, in front of several servers."""

    def __str__(self) -> str:
        """For a finding."""
        return f"{self.what} {self.address}"


@dataclass(frozen=True)
class Seen:
    """One look at one target."""

    target: Target
    protocol: str
    port: int
    look: Look | str
    """A sentence where nobody could look."""


def check_protocols(wanted: Sequence[Protocol], estate: Estate) -> None:
    """Raises `BadParameter` for what only old clients use, where there are none."""
    old = [one for one in wanted if one in OLD]
    versions = [one.exchange.version for one in estate.servers if one.exchange is not None]
    if old and not any(version.startswith("15.0.") for version in versions):
        raise BadParameter(
            f"--protocols {','.join(old)}: only where the inventory has Exchange 2013",
            certain=("nothing was contacted",),
            next=("https,smtp,imap,pop,redirect",),
        )


def targets(
    dag: Dag, estate: Estate, servers: Sequence[Server], names: dict[str, tuple[str, ...]]
) -> tuple[Target, ...]:
    """Each server, and each address of the service once. `names`: client names with what DNS gives for them."""
    members = servers or estate.members(dag)
    anybody = members[0]
    service = next(iter(names), "")
    found = [Target(one.address, one.fqdn, one.name, one, shared=False) for one in members if one.address]
    seen = {one.address for one in found}
    for name, addresses in names.items():
        for address in addresses:
            if address not in seen:
                seen.add(address)
                found.append(Target(address, name, name, anybody, shared=True))
    for balancer in estate.balancers:
        for address in balancer.addresses:
            if address not in seen:
                seen.add(address)
                found.append(Target(address, service or balancer.name, balancer.name, anybody, shared=True))
    return tuple(found)


def looks(target: Target, protocol: Protocol) -> Iterator[tuple[int, Steps[Look]]]:
    """The looks that one protocol takes, by port."""
    server, address, name = target.server, target.address, target.name
    if protocol == "https":
        yield 443, page.read(server, address=address, port=443, seconds=WEB_S, tls=True, name=name, path=HEALTH)
    elif protocol == "redirect":
        yield 80, page.read(server, address=address, port=80, seconds=WEB_S, tls=False, name=name, path="/")
    elif protocol in OLD:
        yield OLD[protocol], tcp.read(server, address=address, port=OLD[protocol], seconds=MAIL_S)
    else:
        for port, tls in _MAIL[protocol]:
            yield port, _SPOKEN[protocol].read(server, address=address, port=port, seconds=MAIL_S, tls=tls, name=name)


def look_at_all(where: Sequence[Target], protocols: Sequence[Protocol]) -> Steps[tuple[Seen, ...]]:
    """Look at every target by every protocol, side by side."""
    plans = [
        (target, protocol, port, look)
        for target in where
        for protocol in protocols
        if protocol != "redirect" or target.shared
        for port, look in looks(target, protocol)
    ]
    heard = yield from together(attempt(look) for _, _, _, look in plans)
    return tuple(
        Seen(target, protocol, port, one.what if isinstance(one, StaroverError) else one)
        for (target, protocol, port, _), one in zip(plans, heard, strict=True)
    )


def serves(seen: Seen) -> str:
    """Why clients are not served by what was seen; empty: they are."""
    look = seen.look
    if isinstance(look, str):
        return look
    if not look.answers:
        return look.words
    if seen.protocol == "https" and look.status != 200:
        return f"{HEALTH} {look.words}"
    if seen.protocol == "redirect":
        wanted = f"https://{seen.target.name}/"
        if look.status not in (301, 302) or not look.location.casefold().startswith(wanted.casefold()):
            return f"{look.words}, to {look.location or 'nowhere'}: clients want {wanted}"
    return ""


def finding_of(seen: Seen) -> Finding:
    """How one look was."""
    why = serves(seen)
    check, on = f"{seen.protocol} {seen.port}", str(seen.target)
    if isinstance(seen.look, str):
        return Finding(check=check, on=on, level="unknown", says=why)
    if why:
        return Finding(check=check, on=on, level="fail", says=why)
    name = seen.target.name
    if seen.look.names and not covers(seen.look.names, name):
        says = f"its certificate is for {', '.join(seen.look.names)}, and clients ask for {name}"
        return Finding(check=check, on=on, level="warn", says=says)
    return Finding(check=check, on=on, level="ok", says=f"answers in {seen.look.milliseconds} ms")
