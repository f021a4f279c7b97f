"""How a server meets its clients before and after its certificate changes: page and serial number; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starover.estate import Server
from starover.runbook import Steps, attempt, together
from starover.step import Query, Settle, wait
from starover.steps.client_check import HEALTH, WEB_S, Look, imap, page, pop
from starover.steps.services import service_states

__all__ = ["Serving", "as_clients_have_it", "looked_at", "services_for"]

MAIL: Mapping[str, tuple[str, Query[Look], int]] = {
    "MSExchangeImap4": ("IMAP", imap, 993),
    "MSExchangePop3": ("POP", pop, 995),
}
"""Windows services of mail protocols: what Exchange calls them, and how they are looked at."""
_SEEN = Settle(every=10, limit=120)


@dataclass(frozen=True)
class Serving:
    """How a server served clients before."""

    page: bool
    """Its health page answered."""
    mail: tuple[str, ...]
    """Windows services of mail protocols that run."""


def as_clients_have_it(servers: Sequence[Server]) -> Steps[list[Serving]]:
    """How servers serve clients now; one that cannot be looked at does not."""
    states = yield from together(service_states.read(server, names=tuple(MAIL)) for server in servers)
    pages = yield from together(attempt(_page(server)) for server in servers)
    return [
        Serving(
            isinstance(look, Look) and look.status == 200,
            tuple(one.name for one in state.services if one.name in MAIL and one.status == "Running"),
        )
        for state, look in zip(states, pages, strict=True)
    ]


def services_for(was: Serving) -> str:
    """What a certificate for clients is enabled for: the web, SMTP, and the mail protocols that are in use."""
    return ", ".join(("IIS", "SMTP", *(MAIL[name][0] for name in was.mail)))


def looked_at(server: Server, serial: str, was: Serving) -> Steps:
    """See what clients see: the new certificate (`serial`; empty: any), the health page where it answered before."""
    if not server.address:
        return

    def until(look: Look) -> bool:
        return (not was.page or look.status == 200) and (not serial or _same(look.serial, serial))

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
    for name in was.mail if serial else ():
        protocol, look, port = MAIL[name]
        yield from wait(
            look,
            server,
            until=lambda seen: _same(seen.serial, serial),
            settle=_SEEN,
            what=f"{server.name} shows the new certificate on {port} ({protocol})",
            expected=True,
            address=server.address,
            port=port,
            seconds=WEB_S,
            tls=True,
            name=server.fqdn,
        )


def _page(server: Server) -> Steps[Look]:
    return (
        yield from page.read(
            server, address=server.address, port=443, seconds=WEB_S, tls=True, name=server.fqdn, path=HEALTH
        )
    )


def _same(one: str, other: str) -> bool:
    """Whether two serial numbers in hex are one number."""
    return bool(one) and int(one, 16) == int(other, 16)
