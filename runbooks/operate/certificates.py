"""Certificates renewed: what servers show clients, what their back ends show, what signs Exchange's tokens."""

from collections.abc import Sequence
from typing import Literal

from starover import DagName, Estate, NotSafe, Server, Steps, attempt, runbook, together
from starover.steps.certificate_looks import as_clients_have_it, looked_at, services_for
from starover.steps.certificate_roll import (
    PLANNED_S,
    AuthConfig,
    auth_config,
    auth_in_force,
    auth_next,
    back_end_shown,
    certificate_present,
    certificate_shown,
)
from starover.steps.certificates import Certificate, Certificates, Thumbprint, certificates, missing_names, shows
from starover.steps.client_access import Providers, providers
from starover.steps.client_servers import client_servers, protection_of, settings_of
from starover.steps.mailflow import EdgeSubscriptions, edge_subscriptions
from starover.steps.namespaces import client_hosts
from starover.steps.services import ServiceStates, service_restarted, service_states

WEB = "W3SVC"
"""The service of the pools that keep an old Auth certificate in mind."""
SHORT_DAYS = 60
"""P54: an Auth certificate with fewer days is no renewal."""


@runbook
def certificate_roll(
    estate: Estate,
    kind: Literal["san", "auth", "back-end"],
    thumbprint: Thumbprint,
    servers: Sequence[Server] = (),
    dag: DagName | None = None,
) -> Steps:
    """Put a new certificate to use on every member: on the first, then a look as clients have it, then on the rest.

    It must be installed on the first server with an exportable key, and is brought to the others. The old one stays
    installed, and undo goes back to it; nothing is ever removed. The next Auth certificate is named two days ahead, or
    put in force at once where the current one has expired; then the web service of each member is restarted.

    kind: san (443 and mail), auth (Exchange's tokens), back-end (444)
    thumbprint: of the new certificate, 40 hex digits
    servers: only these, the first one is the source; else every member
    dag: the DAG; need not be named where the inventory has one
    """
    chosen = yield from client_servers(estate, servers, dag)
    seen = yield from together(certificates.read(server) for server in chosen)
    source, new = chosen[0], _usable(chosen[0], seen[0], thumbprint)
    notes: list[str] = []
    if kind == "san":
        notes = yield from _fit_for_clients(estate, chosen, new)
    elif kind == "auth" and new.days < SHORT_DAYS:
        raise NotSafe(f"P54: {thumbprint[:8]} ends in {new.days} days", certain=("nothing was changed",))
    if kind == "auth":
        now = yield from auth_config.read(source)
        states = yield from together(service_states.read(server, names=(WEB,)) for server in chosen)
        yield from _brought(chosen, thumbprint)
        yield from _sign(chosen, now, states, seen[0], thumbprint)
        return
    before = yield from as_clients_have_it(chosen)
    yield from _brought(chosen, thumbprint)
    for server, was in zip(chosen, before, strict=True):
        if kind == "san":
            step = certificate_shown.on(
                server, thumbprint=thumbprint, whose=new.principal, name=server.name, services=services_for(was)
            )
            yield step.warned(*notes)
            notes = []
            yield from looked_at(server, new.serial, was)
        else:
            yield back_end_shown.on(server, thumbprint=thumbprint, whose=new.principal, name=server.name)
            yield from looked_at(server, "", was)


def _brought(servers: Sequence[Server], thumbprint: str) -> Steps:
    """From the first server to all others."""
    for server in servers[1:]:
        yield certificate_present.on(server, thumbprint=thumbprint, source=servers[0].name, name=server.name)


def _usable(source: Server, found: Certificates, thumbprint: str) -> Certificate:
    """The new certificate on the first server. Raises `NotSafe`."""
    new = found.find(thumbprint)
    why = (
        "is not installed" if new is None else "has expired" if new.expired else "" if new.key else "has no private key"
    )
    if new is None or why:
        raise NotSafe(
            f"P42: the certificate {thumbprint[:8]} {why} on {source.name}",
            certain=("nothing was changed",),
            next=("import it there with an exportable key, or name another first server: --servers",),
            host=source.name,
        )
    return new


def _fit_for_clients(estate: Estate, servers: Sequence[Server], new: Certificate) -> Steps[list[str]]:
    """What a person should know of a new certificate for clients. Raises `NotSafe` where it would lock them out."""
    settings = yield from settings_of(servers)
    missing = missing_names(new, client_hosts(estate, settings))
    if missing:
        raise NotSafe(
            f"P42: {new.thumbprint[:8]} is not good for {', '.join(missing)}",
            certain=("nothing was changed", f"it is good for {', '.join(new.covered) or 'nothing'}"),
            next=("order one with these names too",),
        )
    told = yield from attempt(providers.read(servers[0]))
    expected = told.find("EXPR") if isinstance(told, Providers) else None
    wanted = expected.principal.partition(":")[2] if expected is not None else ""
    if wanted and not shows(new, wanted):
        raise NotSafe(
            f"P43: Outlook expects {wanted}, which {new.thumbprint[:8]} does not bear",
            certain=("nothing was changed",),
            next=(f"starover plan outlook-provider --cert-principal-name msstd:{new.principal}   afterwards",),
        )
    notes = [f"{new.thumbprint[:8]} is self-signed: clients do not trust it"] if new.self_signed else []
    edges = yield from attempt(edge_subscriptions.read(servers[0]))
    if isinstance(edges, EdgeSubscriptions) and edges.edges:
        names = ", ".join(one.name for one in edges.edges)
        notes.append(f"Edge ({names}) trusts the old certificate of SMTP: subscribe anew")
    guarded = yield from protection_of(servers)
    if any(not isinstance(one, str) and one.protected for one in guarded.values()) and estate.balancers:
        ending = ", ".join(one.name for one in estate.balancers)
        notes.append(f"P53: a listener of {ending} that ends TLS needs it too (ACM)")
    return notes


def _sign(
    servers: Sequence[Server], now: AuthConfig, states: Sequence[ServiceStates], seen: Certificates, thumbprint: str
) -> Steps:
    """The Auth certificate: the next one, or where the current one has expired, in force now."""
    current = seen.find(now.current)
    expired = current is None or current.expired
    yield auth_next.on(servers[0], thumbprint=thumbprint, ahead=0 if expired else PLANNED_S)
    if not expired:
        return
    yield auth_in_force.on(servers[0], thumbprint=thumbprint)
    for server, state in zip(servers, states, strict=True):
        one = state.find(WEB)
        if one is not None:
            yield service_restarted.on(
                server, server=server.name, service=WEB, names=(WEB,), after=one.since, note="its clients connect anew"
            )
