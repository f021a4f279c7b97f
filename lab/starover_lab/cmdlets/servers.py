"""The cmdlets of Exchange servers: Get-/Set-MailboxServer, Get-ExchangeServer, component states; knows no session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED
from starover_lab.cmdlets.databases import ad_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, mutate, reading, switch
from starover_lab.cmdlets.objects import DATA, ad_id, list_of, make, moment, product, server_version, text_of, us_time
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, Unsupported, Value
from starover_lab.world.entities import Component, ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_REFRESH = timedelta(minutes=15)
"""How often Exchange looks for its domain controllers anew."""
_LEGACY = "/o=Exchange/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn="


def _selected(
    call: Invocation, here: Machine, identity: str, dc: str | None
) -> Iterator[tuple[Server, ExchangeServer]]:
    """The Exchange servers that an identity names, all without one; an unknown one is reported."""
    try:
        names = [known_server(here, identity)] if identity else [one.name for one in here.world.state.servers]
        here.world.dc_of(here.host, dc)
    except WorldError as error:
        call.error(exchange_error(call, error, identity, dc))
        return
    for name in sorted(names, key=str.casefold):
        server = here.world.server(name)
        if server.exchange is not None:
            yield server, server.exchange


def _columns(here: Machine, server: Server, exchange: ExchangeServer, dc: str | None) -> dict[str, Value]:
    origin = here.world.dc_of(here.host, dc).name
    return ad_columns(here, server.name, "server", str(server.guid), origin, "ms-Exch-Exchange-Server") | {
        "AdminDisplayVersion": server_version(exchange.build),
        "ServerRole": "Mailbox",
    }


def get_mailbox_server(call: Invocation) -> Iterator[Value]:
    """Get-MailboxServer."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        for server, exchange in _selected(call, here, text_of(bound.get("Identity")), dc):
            dag = here.world.dag_of(server.name)
            yield make(
                "Get-MailboxServer",
                _columns(here, server, exchange, dc)
                | {
                    "AutoDatabaseMountDial": exchange.auto_mount_dial,
                    "DatabaseAvailabilityGroup": ad_id(dag, "dag", here.world.state.dns_name) if dag else None,
                    "DatabaseCopyAutoActivationPolicy": exchange.activation_policy,
                    "DatabaseCopyActivationDisabledAndMoveNow": exchange.activation_disabled_and_move_now,
                    "MaximumActiveDatabases": exchange.max_active,
                    "MaximumPreferredActiveDatabases": exchange.max_preferred_active,
                },
                text=server.name,
            )


def _policy(text: str) -> Literal["Unrestricted", "IntrasiteOnly", "Blocked"] | None:
    for policy in ("Unrestricted", "IntrasiteOnly", "Blocked"):
        if text == policy:
            return policy
    return None


_SETTABLE = {
    "Identity",
    "DomainController",
    "DatabaseCopyAutoActivationPolicy",
    "DatabaseCopyActivationDisabledAndMoveNow",
    "AutoDatabaseMountDial",
    "MaximumActiveDatabases",
    "MaximumPreferredActiveDatabases",
}


def _dial(text: str) -> Literal["Lossless", "GoodAvailability", "BestAvailability"] | None:
    for dial in ("Lossless", "GoodAvailability", "BestAvailability"):
        if text == dial:
            return dial
    return None


def _maximum(bound: Mapping[str, Value], name: str) -> int | Literal["unlimited"] | None:
    """A limit of active databases; `$null` takes it away."""
    if name not in bound:
        return None
    value = bound[name]
    return int(value) if isinstance(value, int) else "unlimited"


def set_mailbox_server(call: Invocation) -> Iterator[Value]:
    """Set-MailboxServer, as far as activation goes: policy, dial and the limit of active databases."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        other = sorted(set(bound) - _SETTABLE)
        if other:
            raise Unsupported(f"Set-MailboxServer -{other[0]}: the lab does not simulate it")
        disabled = bound.get("DatabaseCopyActivationDisabledAndMoveNow")
        policy = _policy(text_of(bound.get("DatabaseCopyAutoActivationPolicy")))
        for server, exchange in _selected(call, here, text_of(bound.get("Identity")), dc):
            before = _activation(exchange)
            act = partial(
                here.world.set_activation,
                server.name,
                here.host,
                policy=policy,
                disabled_and_move_now=None if disabled is None else bool(disabled),
                dial=_dial(text_of(bound.get("AutoDatabaseMountDial"))),
                max_active=_maximum(bound, "MaximumActiveDatabases"),
                max_preferred_active=_maximum(bound, "MaximumPreferredActiveDatabases"),
            )
            if mutate(call, server.name, bound, act, dc=dc) and _activation(exchange) == before:
                call.warning(NOTHING_CHANGED.format(server.name))
    yield from ()


def _activation(exchange: ExchangeServer) -> tuple[object, ...]:
    policy = (exchange.activation_policy, exchange.activation_disabled_and_move_now)
    return (*policy, exchange.auto_mount_dial, exchange.max_active, exchange.max_preferred_active)


def get_exchange_server(call: Invocation) -> Iterator[Value]:
    """Get-ExchangeServer; the live columns need -Status."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        domain = here.world.state.dns_name
        if text_of(bound.get("Domain")).casefold() not in {"", domain.casefold()}:
            continue
        for server, exchange in _selected(call, here, text_of(bound.get("Identity")), dc):
            trial = exchange.edition.endswith("Evaluation")
            values = _columns(here, server, exchange, dc) | {
                "Domain": domain,
                "Edition": exchange.edition,
                "ExchangeLegacyDN": _LEGACY + server.name,
                "Fqdn": server.fqdn,
                "NetworkAddress": list_of(
                    [
                        f"ncacn_vns_spp:{server.name}",
                        f"netbios:{server.name}",
                        f"ncacn_np:{server.name}",
                        f"ncacn_spx:{server.name}",
                        f"ncacn_ip_tcp:{server.fqdn}",
                        f"ncalrpc:{server.name}",
                    ],
                    DATA + "NetworkAddressCollection",
                ),
                "OrganizationalUnit": f"{domain}/{server.name}",
                "Site": ad_id(server.site, "site", domain),
                "StaticExcludedDomainControllers": list_of(list(exchange.excluded_controllers)),
                "IsExchangeTrialEdition": trial,
                "IsExpiredExchangeTrialEdition": False,
            }
            if switch(bound.get("Status")):
                values |= _domain_controllers(here, server, exchange)
            yield make("Get-ExchangeServer", values, text=server.name)


def set_exchange_server(call: Invocation) -> Iterator[Value]:
    """Set-ExchangeServer -StaticExcludedDomainControllers: which domain controllers a server shall not use."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        other = sorted(set(bound) - {"Identity", "DomainController", "StaticExcludedDomainControllers"})
        if other:
            raise Unsupported(f"Set-ExchangeServer -{other[0]}: the lab does not simulate it")
        names = tuple(given_list(bound.get("StaticExcludedDomainControllers")))
        for server, exchange in _selected(call, here, text_of(bound.get("Identity")), dc):
            before = exchange.excluded_controllers
            mutate(call, server.name, bound, partial(_exclude, here, exchange, names), dc=dc)
            if before == names:
                call.warning(NOTHING_CHANGED.format(server.name))
    yield from ()


def _exclude(here: Machine, exchange: ExchangeServer, names: tuple[str, ...]) -> None:
    if names != exchange.excluded_controllers:
        exchange.excluded_before = _barred(here, exchange)
        exchange.excluded_controllers, exchange.excluded_at = names, here.world.now


def _barred(here: Machine, exchange: ExchangeServer) -> tuple[str, ...]:
    """What is excluded in fact: a change acts when the topology is refreshed, or its service starts."""
    since = exchange.excluded_at
    if since is None or here.world.now >= since + _REFRESH:
        return exchange.excluded_controllers
    started = exchange.topology_at is not None and exchange.topology_at > since
    return exchange.excluded_controllers if started else exchange.excluded_before


def _domain_controllers(here: Machine, server: Server, exchange: ExchangeServer) -> dict[str, Value]:
    """The DCs that a server uses now: those of its own site first, none that is excluded (simulator.md section 4)."""
    domain = here.world.state.dns_name
    barred = {first_label(name).casefold() for name in _barred(here, exchange)}
    living = [one for one in here.world.state.directory.controllers if one.up()]
    ups = [one for one in living if one.name.casefold() not in barred]
    near = [one.name for one in ups if one.site.casefold() == server.site.casefold()] or [one.name for one in ups]
    names = [f"{name}.{domain}" for name in near]
    return {
        "CurrentDomainControllers": list_of(names),
        "CurrentGlobalCatalogs": list_of(names),
        "CurrentConfigDomainController": names[0] if names else None,
    }


def _requester(name: str, state: str, when: datetime, component: str) -> PSObject:
    return product(
        [
            "Microsoft.Exchange.Data.Directory.Management.ServerComponentStatePresentationObject+RequesterDetails",
            "System.Object",
        ],
        [("Requester", name), ("State", state), ("Timestamp", moment(when)), ("Component", component)],
        text=f"Requestor:{name}; State:{state}; Timestamp:{us_time(when)}",
    )


def _requesters(component: Component, states: dict[str, tuple[str, datetime]]) -> Value:
    return list_of(
        [_requester(name, state, when, component.name) for name, (state, when) in states.items()],
        "System.Collections.Generic.List`1[[Microsoft.Exchange.Data.Directory.Management."
        "ServerComponentStatePresentationObject+RequesterDetails]]",
    )


def get_component_state(call: Invocation) -> Iterator[Value]:
    """Get-ServerComponentState of one server; -Component picks one."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        identity, wanted = text_of(bound.get("Identity")), text_of(bound.get("Component"))
        for server, _ in _selected(call, here, identity, dc):
            try:
                found = here.world.components(server.name, here.host)
            except WorldError as error:
                call.error(exchange_error(call, error, server.name, dc))
                continue
            offline = any(one.name == "ServerWideOffline" and state == "Inactive" for one, state in found)
            for component, state in found:
                if wanted and component.name.casefold() != wanted.casefold():
                    continue
                yield make(
                    "Get-ServerComponentState",
                    {
                        "ServerFqdn": server.fqdn,
                        "Component": component.name,
                        "State": state,
                        "ServerWideOfflineIsOffline": offline,
                        "LocalStates": _requesters(component, component.local),
                        "RemoteStates": _requesters(component, component.remote),
                        "Identity": ad_id(server.name, "server", here.world.state.dns_name),
                    },
                    text=server.name,
                )


BODIES: dict[str, Body] = {
    "Get-MailboxServer": get_mailbox_server,
    "Set-ExchangeServer": set_exchange_server,
    "Set-MailboxServer": set_mailbox_server,
    "Get-ExchangeServer": get_exchange_server,
    "Get-ServerComponentState": get_component_state,
}
