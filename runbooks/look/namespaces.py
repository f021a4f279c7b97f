"""Look at where clients are sent, and at the certificates they are shown."""

from collections.abc import Sequence

from starover import DagName, Estate, Finding, Findings, Server, Steps, attempt, runbook
from starover.steps.certificates import certificate_findings
from starover.steps.client_access import Providers, mapi_http, providers
from starover.steps.client_servers import (
    answers_of,
    certificates_of,
    client_servers,
    fact,
    protection_of,
    settings_of,
)
from starover.steps.namespaces import Days, access_findings, client_hosts, name_findings

LEVELS = ("fail", "unknown", "warn", "info", "ok")


@runbook
def namespace_audit(
    estate: Estate, servers: Sequence[Server] = (), days: Days = 30, dag: DagName | None = None
) -> Steps[Findings]:
    """Look at all that sends clients somewhere: URLs, Autodiscover, providers, certificates, DNS; and at differences.

    servers: only these; else every member
    days: certificates that end sooner are amber
    dag: the DAG; need not be named where the inventory has one
    """
    chosen = yield from client_servers(estate, servers, dag)
    settings = yield from settings_of(chosen)
    guarded = yield from protection_of(chosen)
    mapi = yield from attempt(mapi_http.read(chosen[0]))
    every = [server.name for server in estate.servers if server.exchange is not None]
    hosts = client_hosts(estate, settings)
    found = list(access_findings(settings, guarded, fact(mapi), every))
    found += yield from _certificates(chosen, hosts, days)
    found += name_findings((yield from answers_of(hosts, estate, chosen[0])))
    return _sorted(found)


@runbook
def cert_check(
    estate: Estate, servers: Sequence[Server] = (), days: Days = 30, dag: DagName | None = None
) -> Steps[Findings]:
    """Look at the certificates that servers show: names, days left, all the same, and what Outlook expects.

    Services other than the web server's are not looked at: Exchange does not tell them to a remote session.

    servers: only these; else every member
    days: certificates that end sooner are amber
    dag: the DAG; need not be named where the inventory has one
    """
    chosen = yield from client_servers(estate, servers, dag)
    settings = yield from settings_of(chosen)
    return _sorted((yield from _certificates(chosen, client_hosts(estate, settings), days)))


def _certificates(servers: Sequence[Server], hosts: Sequence[str], days: int) -> Steps[list[Finding]]:
    seen = yield from certificates_of(servers)
    told = yield from attempt(providers.read(servers[0]))
    expected = told.find("EXPR") if isinstance(told, Providers) else None
    return list(certificate_findings(seen, hosts, expected.principal if expected else "", days))


def _sorted(found: Sequence[Finding]) -> Findings:
    return Findings(findings=tuple(sorted(found, key=lambda one: LEVELS.index(one.level))))
