"""What mail clients meet."""

from collections.abc import Sequence

from starover import Dag, Estate, Finding, Findings, Server, Steps, attempt, runbook, together
from starover.steps.client_check import PROTOCOLS, Protocol, check_protocols, finding_of, look_at_all, targets
from starover.steps.dns import ALL, Answer, Asked, Fqdn, answer, answering, servers_of


@runbook
def client_check(
    dag: Dag,
    estate: Estate,
    namespace: Sequence[Fqdn] = (),
    protocols: Sequence[Protocol] = PROTOCOLS,
    servers: Sequence[Server] = (),
) -> Steps[Findings]:
    """Look at every server, every virtual address and every DNS answer as a mail client does.

    A server whose health page is not there does not serve: its component is inactive, or the server is ill. The names
    of certificates are compared with the names that clients use.

    dag: the DAG; need not be named where the inventory has one
    namespace: client names; default: those of the inventory
    protocols: https, smtp, imap, pop, redirect; rpc, oab and epmap only where there is Exchange 2013
    servers: default: all members
    """
    check_protocols(protocols, estate)
    wanted = namespace or tuple(one.name for one in estate.client_names if one.dag in ("", dag.name))
    asked = yield from attempt(answering(servers_of(ALL, estate)))
    names: dict[str, tuple[str, ...]] = {}
    findings: list[Finding] = []
    for name in wanted:
        told = (yield from _answers(asked, name)) if isinstance(asked, Asked) else {}
        names[name] = tuple(dict.fromkeys(address for addresses in told.values() for address in addresses))
        findings += _dns(name, told, () if isinstance(asked, Asked) else (asked.what,))
    seen = yield from look_at_all(targets(dag, estate, servers, names), protocols)
    return Findings(findings=(*findings, *(finding_of(one) for one in seen)))


def _answers(asked: Asked, name: str) -> Steps[dict[str, tuple[str, ...]]]:
    """What each DNS server answers; one that did not answer has nothing."""
    heard = yield from together(
        attempt(answer.read(asked.writer, fqdn=name, controller=server.fqdn)) for server in asked.up
    )
    pairs = zip(asked.up, heard, strict=True)
    return {server.name: one.addresses for server, one in pairs if isinstance(one, Answer)}


def _dns(name: str, told: dict[str, tuple[str, ...]], why: Sequence[str]) -> list[Finding]:
    if not told:
        says = "; ".join(why) or "no DNS server said what it answers"
        return [Finding(check="dns", on=name, level="unknown", says=says)]
    answers = {frozenset(addresses) for addresses in told.values()}
    if len(answers) > 1:
        shown = "; ".join(f"{server}: {', '.join(found) or 'nothing'}" for server, found in told.items())
        return [Finding(check="dns", on=name, level="warn", says=f"the DNS servers do not agree: {shown}")]
    (addresses,) = answers
    if not addresses:
        return [Finding(check="dns", on=name, level="fail", says="has no address")]
    return [Finding(check="dns", on=name, level="ok", says=", ".join(sorted(addresses)))]
