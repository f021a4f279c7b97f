"""How a server meets its clients before and after its certificate changes: page and serial number; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

from starover.estate import Server
from starover.runbook import Steps, attempt, together
from starover.step import Settle, wait
from starover.steps.certificates import Certificate, covers, same_serial
from starover.steps.client_check import HEALTH, WEB_S, Look, certificate_at, page
from starover.steps.services import service_states

__all__ = [
    "Looking",
    "Port",
    "Serving",
    "as_clients_have_it",
    "looked_at",
    "looking",
    "seen_by_port",
    "with_the_web",
]


@dataclass(frozen=True)
class Port:
    """Where a mail service shows its certificate."""

    service: Literal["SMTP", "IMAP", "POP"]
    """What Exchange calls it."""
    port: int
    starttls: Literal["", "smtp"] = ""
    """The protocol in which TLS is asked for; empty: it comes first."""


MAIL = {
    "MSExchangeFrontEndTransport": Port("SMTP", 25, "smtp"),
    "MSExchangeImap4": Port("IMAP", 993),
    "MSExchangePop3": Port("POP", 995),
}
"""By Windows service."""
_SEEN = Settle(every=10, limit=120)


class Looking(TypedDict, closed=True):
    """Where and how a port of one server is looked at: arguments of `certificate_at`."""

    address: str
    port: int
    seconds: int
    tls: bool
    starttls: str
    fqdn: str


def looking(server: Server, port: Port) -> Looking:
    """How the certificate of a mail service is looked at, before it changes and by the step that changes it."""
    return {
        "address": server.address,
        "port": port.port,
        "seconds": WEB_S,
        "tls": not port.starttls,
        "starttls": port.starttls,
        "fqdn": server.fqdn,
    }


@dataclass(frozen=True)
class Serving:
    """How a server served clients before."""

    page: bool
    """Its health page answered."""
    mail: tuple[Port, ...]
    """Mail services that run; SMTP always counts."""
    shown: tuple[Look | None, ...]
    """What each of them showed; None: nobody could look."""


def as_clients_have_it(servers: Sequence[Server]) -> Steps[list[Serving]]:
    """How servers serve clients now; one that cannot be looked at does not."""
    states = yield from together(service_states.read(server, names=tuple(MAIL)) for server in servers)
    mail = [
        tuple(
            port
            for name, port in MAIL.items()
            if port.service == "SMTP" or ((one := state.find(name)) is not None and one.status == "Running")
        )
        for state in states
    ]
    pages = yield from together(attempt(_page(server)) for server in servers)
    shown = yield from together(_shown(server, ports) for server, ports in zip(servers, mail, strict=True))
    return [
        Serving(isinstance(look, Look) and look.status == 200, ports, looks)
        for ports, look, looks in zip(mail, pages, shown, strict=True)
    ]


def _shown(server: Server, ports: Sequence[Port]) -> Steps[tuple[Look | None, ...]]:
    if not server.address:
        return (None,) * len(ports)
    heard = yield from together(attempt(certificate_at.read(server, **looking(server, one))) for one in ports)
    return tuple(one if isinstance(one, Look) and one.serial else None for one in heard)


def seen_by_port(was: Serving, new: Certificate) -> tuple[Port, ...]:
    """The mail services of which a look can tell that they show the new certificate.

    SMTP takes the certificate that is for the name of its connector, which greets with it: where the new one is not for
    that name it goes on showing another one, whatever it is enabled for [doc].
    """
    found: list[Port] = []
    for port, look in zip(was.mail, was.shown, strict=True):
        if look is None:
            continue
        greets = _greeting(look) if port.starttls else ""
        if not greets or covers(new.covered, greets) or same_serial(look.serial, new.serial):
            found.append(port)
    return tuple(found)


def with_the_web(was: Serving, new: Certificate) -> tuple[str, ...]:
    """The mail services that get the certificate together with the web, as no look tells of them."""
    told = seen_by_port(was, new)
    return tuple(one.service for one in was.mail if one not in told)


def _greeting(look: Look) -> str:
    """The host in the answer to EHLO: `250-ex1.example.com Hello`."""
    return next((line[4:].split(" ")[0] for line in look.said[1:2] if line[:3] == "250"), "")


def looked_at(server: Server, serial: str, was: Serving) -> Steps:
    """See what clients see: the new certificate (`serial`; empty: any), the health page where it answered before."""
    if not server.address:
        return

    def until(look: Look) -> bool:
        return (not was.page or look.status == 200) and (not serial or same_serial(look.serial, serial))

    yield from wait(
        page,
        server,
        until=until,
        settle=_SEEN,
        what=f"{server.name} serves clients with the new certificate",
        expected=True,
        address=server.address,
        port=443,
        seconds=WEB_S,
        tls=True,
        name=server.fqdn,
        path=HEALTH,
    )


def _page(server: Server) -> Steps[Look]:
    return (
        yield from page.read(
            server, address=server.address, port=443, seconds=WEB_S, tls=True, name=server.fqdn, path=HEALTH
        )
    )
