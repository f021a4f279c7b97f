"""The lost side of a DAG: kept from going on and from coming back by itself, or simply started again."""

from collections.abc import Sequence

from starover import (
    BadParameter,
    Dag,
    Estate,
    Finding,
    NotSafe,
    NotVerified,
    Server,
    SiteName,
    Steps,
    runbook,
)
from starover.steps.assessing import named_lost
from starover.steps.fence_hosts import (
    BEYOND,
    FenceReport,
    LostHost,
    Method,
    cut_off,
    fence_facts,
    lost_hosts,
    power_off,
    sides,
)
from starover.steps.fencing import Fenced, level_of, strength
from starover.steps.start_hosts import (
    automount_awaited,
    hosts_to_start,
    quorum_awaited,
    refuse_replaced,
    started,
)


@runbook(beyond=BEYOND)
def fence(
    dag: Dag,
    estate: Estate,
    lost_site: Sequence[SiteName] = (),
    lost_server: Sequence[Server] = (),
    include_witness: bool = True,
    method: Method = "auto",
    certified_by: Sequence[str] = (),
    break_glass: str = "",
) -> Steps[FenceReport]:
    """Bring the lost members and their witness host to a level of G-FENCE, and write down what proves it.

    Nothing of that side serves users any more afterwards. A fence is lifted by failback only.

    F1 stopped. F2 a stop is accepted, nobody reaches it, and its status checks fail for five minutes. F3 its subnet's
    network ACL lets nothing pass, and nobody reaches it. F4 two people certify a loss of power that AWS Health shows.
    That nobody reaches it is no level.

    dag: the DAG; need not be named where the inventory has one
    lost_site: AD sites; exactly their members are fenced
    lost_server: members
    include_witness: the witness host of that side too
    method: auto: EC2 stops it, plainly, then by force, and where that does not reach F2 its subnet is closed
    certified_by: two different people, by name, who have seen it without power (F4)
    break_glass: why there is nobody else; the level that is wanted is one lower then
    """
    names = named_lost(dag, estate, lost_site, lost_server)
    if not names:
        raise BadParameter("fence needs --lost-site or --lost-server", certain=("nothing was contacted",))
    lost, survivors, others = sides(dag, estate, names, witness=include_witness)
    hosts = yield from lost_hosts(lost, names)
    serving = [host.serves for host in hosts if host.serves]
    if serving and method in ("network", "certify"):
        raise NotSafe(
            f"G-FENCE: that side serves users ({serving[0]}): only F1, stopped, fences it",
            certain=("nothing was changed",),
            next=("--method stop   says in the plan what goes down",),
        )
    if method in ("auto", "stop"):
        yield from power_off(hosts, dag.name)
    reached = yield from _levels(hosts, survivors, others, certified_by)
    weak = [host for host in hosts if strength(reached[host.server.name].level) < strength("F2")]
    if weak and method in ("auto", "network"):
        neighbours = yield from lost_hosts(survivors, ())
        yield from cut_off(weak, neighbours)
        reached = yield from _levels(hosts, survivors, others, certified_by)
    report = _report(dag.name, [reached[host.server.name] for host in hosts], break_glass)
    missing = [one for one in report.hosts if not one.level]
    if missing:
        raise NotVerified(
            f"{', '.join(one.host for one in missing)} is fenced at no level",
            certain=tuple(f"{one.host}: {fact}" for one in missing for fact in one.why),
            uncertain=tuple(f"whether {one.host} still runs, or comes back" for one in missing),
            next=tuple(dict.fromkeys(line for one in missing for line in one.further)),
        )
    return report


def _levels(
    hosts: Sequence[LostHost], survivors: Sequence[Server], others: Sequence[Server], certified_by: Sequence[str]
) -> Steps[dict[str, Fenced]]:
    facts = yield from fence_facts(hosts, survivors, others, certified_by=certified_by)
    return {one.host: level_of(one) for one in facts}


def _report(dag: str, hosts: Sequence[Fenced], break_glass: str) -> FenceReport:
    findings = [
        Finding(
            check="G-FENCE",
            on=one.host,
            level="ok" if one.level in ("F1", "F2") else "warn" if one.level else "fail",
            says=f"{one.level or 'no level'}: {'; '.join(one.why)}",
        )
        for one in hosts
    ]
    if break_glass:
        findings.append(Finding(check="break-glass", on=dag, level="warn", says=break_glass))
    told = tuple(f"{one.on} {one.says}" for one in findings)
    return FenceReport(dag=dag, fenced=told, hosts=tuple(hosts), findings=tuple(findings))


@runbook
def start_nodes(dag: Dag, estate: Estate, server: Sequence[Server] = (), witness_host: bool = True) -> Steps:
    """Start members and the witness host that are merely off: the cheap way back, before anything is forced.

    Domain controllers of their sites come first. Nobody fenced is started, nor a side that may have been replaced while
    it was off: that is what failback is for. Then the cluster is waited for; Active Manager mounts by itself.

    dag: the DAG; need not be named where the inventory has one
    server: members; default: all that are off
    witness_host: the witness host too
    """
    members = estate.members(dag)
    foreign = [one.name for one in server if one not in members]
    if foreign:
        raise BadParameter(
            f"--server {', '.join(foreign)}: no member of {dag.name}",
            certain=("nothing was contacted",),
            next=(f"its members: {', '.join(dag.members)}",),
        )
    hosts = yield from hosts_to_start(dag, estate, server, witness=witness_host)
    off = {host.server.name for host in hosts}
    yield from refuse_replaced(dag, estate, off)
    yield from started(hosts, dag.members)
    if hosts:
        asked = next((host.server for host in hosts if host.server in members), members[0])
        yield from quorum_awaited(asked)
        yield from automount_awaited(asked, members)
