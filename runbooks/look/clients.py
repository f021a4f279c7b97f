"""What mail clients meet."""

from collections.abc import Sequence

from starover import Dag, Estate, Finding, Findings, Server, Steps, attempt, runbook, together
from starover.steps.client_check import (
    PROTOCOLS,
    Protocol,
    Seen,
    check_protocols,
    finding_of,
    look_at_all,
    serves,
    targets,
)
from starover.steps.dag_object import Seen as Known
from starover.steps.dag_object import existing
from starover.steps.dns import ALL, Answer, Asked, Fqdn, answer, answering, servers_of
from starover.steps.out_on_purpose import left_of, out_by_dag, put_out


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
    out = yield from _out(dag, estate, seen)
    findings += [
        Finding(check="server", on=name, level="info", says=f"out on purpose: {why}; it is to serve nobody")
        for name, why in out.items()
    ]
    there = [one for one in seen if one.target.shared or one.target.server.name not in out]
    return Findings(findings=(*findings, *(finding_of(one) for one in there)))


def _out(dag: Dag, estate: Estate, seen: Sequence[Seen]) -> Steps[dict[str, str]]:
    """Of the servers that serve nobody at all those that are out on purpose; where none is silent nobody is asked."""
    every = {one.target.server.name: one.target.server for one in seen if not one.target.shared}
    served = {one.target.server.name for one in seen if not one.target.shared and not serves(one)}
    dark = [server for name, server in every.items() if name not in served]
    found = (yield from attempt(existing(dag.name, estate))) if dark else None
    if not isinstance(found, Known):
        return {}
    out = {one.name: why for one in dark if (why := out_by_dag(one.name, found.dag))}
    mute = [one for one in dark if one.name not in out]
    return out | (yield from put_out(mute, left_of(mute, found.dag), estate.members(dag)))


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
