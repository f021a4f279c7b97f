"""Certificates renewed: what servers show clients, what their back ends show, what signs Exchange's tokens."""

from collections.abc import Sequence
from typing import Literal

from starover import DagName, Estate, NotSafe, Server, Steps, attempt, recall, runbook, together
from starover.steps.certificate_looks import (
    Serving,
    as_clients_have_it,
    looked_at,
    looking,
    seen_by_port,
    with_the_web,
)
from starover.steps.certificate_roll import (
    IIS,
    PLANNED_S,
    AuthConfig,
    auth_config,
    auth_in_force,
    auth_next,
    back_end_shown,
    certificate_present,
    certificate_shown,
    mail_certificate_shown,
    smtp_certificate_shown,
)
from starover.steps.certificates import (
    Certificate,
    Certificates,
    Thumbprint,
    certificates,
    missing_names,
    plain_serial,
    shows,
)
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

    It must be installed on the first server with an exportable key, and is brought to the others. Web, SMTP, IMAP and
    POP get it each by a step of its own that looks at the port as a client does. The old one stays installed, and undo
    gives web, IMAP and POP each the one that they had; nothing is ever removed, and SMTP keeps the new one too. The
    next Auth certificate is named two days ahead, or put in force at once where the current one has expired; then the
    web service of each member is restarted, also where an earlier run was cut off before it.

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
        yield from _sign(chosen, now, states, seen, thumbprint)
        return
    before = yield from as_clients_have_it(chosen)
    yield from _brought(chosen, thumbprint)
    for server, was in zip(chosen, before, strict=True):
        if kind == "san":
            yield from _shown(server, new, was, notes)
            notes = []
        else:
            yield back_end_shown.on(server, thumbprint=thumbprint, whose=new.principal, name=server.name)
            yield from looked_at(server, "", was)


def _shown(server: Server, new: Certificate, was: Serving, notes: Sequence[str]) -> Steps:
    """Web and mail services of one server get it, each with a look of its own; those no look tells of go by the web."""
    blind = with_the_web(was, new)
    untold = [f"{', '.join(blind)}: no look tells what it shows, and undo leaves it"] if blind else []
    step = certificate_shown.on(
        server,
        thumbprint=new.thumbprint,
        whose=new.principal,
        name=server.name,
        services=", ".join((IIS, *blind)),
    )
    yield step.warned(*notes, *untold)
    for one in seen_by_port(was, new):
        kind = smtp_certificate_shown if one.service == "SMTP" else mail_certificate_shown
        yield kind.on(
            server,
            services=one.service,
            serial=plain_serial(new.serial),
            whose=new.principal,
            name=server.name,
            **looking(server, one),
        )
    yield from looked_at(server, new.serial, was)


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
    servers: Sequence[Server],
    now: AuthConfig,
    states: Sequence[ServiceStates],
    seen: Sequence[Certificates],
    thumbprint: str,
) -> Steps:
    """The Auth certificate: the next one, or where the current one has expired, in force now.

    Restarts that an earlier run still owed after it had put it in force are made up.
    """
    note = f"it reads the Auth certificate {thumbprint[:8].upper()}; its clients connect anew"
    held = [one.find(now.current) for one in seen]
    expired = all(one is None or one.expired for one in held)
    owed = now.current.casefold() == thumbprint.casefold() and (yield from _put_in_force(servers[0], thumbprint))
    lacking = [server.name for server, one in zip(servers, held, strict=True) if one is None]
    step = auth_next.on(servers[0], thumbprint=thumbprint, ahead=0 if expired else PLANNED_S)
    yield step.warned(f"P54: the current one is not on {', '.join(lacking)}" if lacking else "")
    if not expired and not owed:
        return
    asked = servers if owed else ()
    found = yield from together(recall(server, service_restarted, service=WEB, note=note) for server in asked)
    done = [server for server, before in zip(asked, found, strict=True) if before is not None]
    yield auth_in_force.on(servers[0], thumbprint=thumbprint)
    for server, state in zip(servers, states, strict=True):
        one = state.find(WEB)
        if one is not None and server not in done:
            yield service_restarted.on(
                server, server=server.name, service=WEB, names=(WEB,), after=one.since, note=note
            )


def _put_in_force(first: Server, thumbprint: str) -> Steps[bool]:
    """Whether an earlier run put it in force at once: it did, or it had prepared nothing else and was cut off then."""
    published = yield from recall(first, auth_in_force, thumbprint=thumbprint)
    return published is not None or (yield from recall(first, auth_next, thumbprint=thumbprint, ahead=0)) is not None
