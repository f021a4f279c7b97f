"""Bring back what is left of a DAG that lost quorum."""

from collections.abc import Sequence
from typing import Literal

from starover import (
    Dag,
    Estate,
    Finding,
    Server,
    SiteName,
    Steps,
    runbook,
    same_host,
    together,
)
from starover.steps.afterwards import checked_afterwards, who_cannot_log_on
from starover.steps.assessing import Assessed, assessed, named_lost
from starover.steps.dag_recovery import dag_restored, side_stopped
from starover.steps.fence_first import fenced_first
from starover.steps.forcing import ForceReport, Way, pinned, survivor_warnings, way_of
from starover.steps.losses import AcceptedLoss, Loss, verdict_on
from starover.steps.mailflow import resubscribe
from starover.steps.maintenance_types import MountDial
from starover.steps.names_after_loss import Leads, names_led, names_to_lead
from starover.steps.preferences import policy_set
from starover.steps.recovery import all_up, dropped, mail_flows, mounts, planned, quorum_fixed
from starover.steps.recovery_cluster import (
    NAMES,
    cluster_joined,
    cluster_stopped,
    node_evicted,
    quorum_forced,
)
from starover.steps.resolvers import living_first, resolvers_ordered
from starover.steps.rest_witness import needs_witness, witness_to_be
from starover.steps.resubmitting import offers
from starover.steps.survivors import bound_to_lost, lost_controllers_left_out, masters_lost
from starover.steps.witness import prepared, witness_host
from starover.steps.witness_choice import WitnessChoice
from starover.steps.witness_write import path_beside, written_to


@runbook
def force_quorum(
    dag: Dag,
    estate: Estate,
    mode: Literal["auto", "dac", "nodac", "temporary"] = "auto",
    lost_site: Sequence[SiteName] = (),
    lost_server: Sequence[Server] = (),
    surviving_site: SiteName | None = None,
    force_node: Server | None = None,
    witness: WitnessChoice = WitnessChoice("alternate"),  # noqa: B008 - frozen
    dial: MountDial = "Lossless",
    accept_data_loss: Sequence[AcceptedLoss] = (),
    hold_mount: bool = False,
    remove_from_dag: bool = False,
    namespace: Literal["move", "none"] = "none",
    certified_by: Sequence[str] = (),
    break_glass: str = "",
) -> Steps[ForceReport]:
    """Bring back what is left of a DAG without quorum: fence the lost side, force, mount, and get mail moving.

    Which way depends on DAC. With it: the lost side is stopped in Active Directory and the DAG restored with the
    survivors. Without: one node is forced, the lost ones are evicted. Nothing is forced while anything may still run
    on the other side, and no database is mounted with more loss than its dial, or a person, allows.

    dag: the DAG; need not be named where the inventory has one
    mode: auto follows DAC and what az-loss-assess answers; temporary evicts nobody, for nodes that are back soon
    lost_site: AD sites; exactly their members are given up for now
    lost_server: members that are given up for now
    surviving_site: AD site of the survivors; left out where they lie in several
    force_node: where quorum is forced; default: the survivor with the newest configuration, then the best copies
    witness: alternate, primary, or new:SERVER:DIRECTORY
    dial: how much a mount by name may lose
    accept_data_loss: DB1=9, at most so many logs, or DB1=unknown; needed above the server's dial only
    hold_mount: nothing mounts by itself; each database is mounted by name
    remove_from_dag: without DAC, take the lost servers out of the DAG in Active Directory too
    namespace: move takes the client names to this side at the end
    certified_by: two different people, by name, who have seen the other side without power (F4)
    break_glass: why there is nobody else
    """
    named = named_lost(dag, estate, lost_site, lost_server)
    (found,) = yield from together([assessed(dag, estate, named)])
    way = way_of(found, dag, estate, mode=mode, lost=named, node=force_node, surviving_site=surviving_site or "")
    estate, way = pinned(way, estate)
    warnings = survivor_warnings(found, way)
    if way.lost_controllers:
        living = next((one for one in estate.servers if same_host(one.fqdn, way.controller)), None)
        warnings += yield from masters_lost(living, way.lost_controllers)
    names = (yield from names_to_lead(dag, estate, way.lost)) if namespace == "move" else Leads()
    lost_addresses = [one.address for one in estate.servers if one.fqdn in way.lost_controllers]
    asking = (yield from living_first(way.survivors, lost_addresses)) if lost_addresses else []
    bound = yield from bound_to_lost(way.asked, way.survivors, way.lost_controllers)
    costs = found.page.cost
    servers = tuple(one.name for one in way.survivors)
    planning = way.mode != "temporary" and (
        yield from fenced_first(
            dag, estate, way.lost, certified_by, break_glass, dac=way.mode == "dac", answering=found.situation.answering
        )
    )
    for one in asking:
        yield resolvers_ordered.on(one.server, adapter=one.adapter, order=one.order)
    yield from lost_controllers_left_out(way.asked, way.survivors, way.lost_controllers, bound)
    if hold_mount and not way.done:
        for one in way.survivors:
            yield policy_set.on(way.asked, server=one.name, policy="Blocked")
    held = "; nothing mounts by itself: held" if hold_mount else ""
    note = "; ".join(one.standing for one in costs) + held
    if way.mode == "dac":
        brought = yield from _restored(dag, estate, way, found, witness, note)
    else:
        brought = yield from _forced(dag, estate, way, found, witness, note)
    coming = yield from mounts(way.asked, way.survivors, costs, accept_data_loss, dial=dial, hold=hold_mount)
    leaving = False
    needed = [one.database for one in costs if not one.target or verdict_on(one, accept_data_loss)]
    if remove_from_dag and way.mode == "nodac" and needed:
        warnings.append(f"{', '.join(way.lost)} stay in the DAG: {', '.join(needed)} may need what is there")
    elif remove_from_dag and way.mode == "nodac":
        leaving = yield from dropped(way.asked, dag.name, way.lost, found.seen.databases or ())
    led, leading = yield from names_led(names)
    moving = yield from mail_flows(way.asked, way.survivors, found.connectors, way.lost)
    yield from together(
        [
            all_up(
                way.asked,
                way.survivors,
                costs,
                accept_data_loss,
                "force-quorum",
                planning=planning or brought or coming or leaving or leading or moving,
            )
        ]
    )
    waiting = planning or brought or coming or leaving or leading or moving
    mail = [] if waiting else (yield from offers(estate, found.seen.databases or (), costs, way.lost))
    after = [*led]
    if not waiting:
        after += yield from who_cannot_log_on(way.asked, [one.name for one in found.seen.databases or ()])
        silent = [one.server for one in found.seen.hosts if not one.answers or one.server in way.lost]
        after += yield from checked_afterwards(dag, estate, way.survivors, silent)
    site = way.survivors[0].site
    mail += [resubscribe(one, site) for one in found.severed]
    after += [Finding(check="S-LOGSPACE", on=one.server, level="info", says=one.text) for one in found.page.space]
    return _report(dag, way, costs, warnings, break_glass, servers, mail, after)


def _restored(dag: Dag, estate: Estate, way: Way, found: Assessed, witness: WitnessChoice, note: str) -> Steps[bool]:
    """With DAC: Stop, Restore (steps 4 to 7). True: this is a plan, and it is still to be done."""
    sites = {one.site for one in way.survivors}
    gone = {server.site for server in estate.members(dag) if server.name in way.lost}
    whole = len(gone) == 1 and not gone & sites
    yield side_stopped.on(
        way.asked, dag=dag.name, site=gone.pop() if whole else "", servers=way.lost, controller=way.controller
    )
    if way.done:
        return False
    if needs_witness(len(way.survivors), dac=True):
        witness, name, directory = witness_to_be(found.seen, dag, estate, witness, way.lost)
        host = witness_host(name, estate)
        yield from prepared(host, estate, seen_from=way.asked)
        yield from together(_written(server, path_beside(host.fqdn, directory)) for server in way.survivors)
    yield from together(_stopped(server) for server in way.survivors)
    outcome = yield dag_restored.on(
        way.asked,
        dag=dag.name,
        site=sites.pop() if len(sites) == 1 else "",
        survivors=tuple(one.name for one in way.survivors),
        lost=way.lost,
        alternate=witness.server,
        alternate_directory=witness.directory or None,
        primary=witness.which == "primary",
        controller=way.controller,
        note=note,
    )
    return planned(outcome)


def _forced(dag: Dag, estate: Estate, way: Way, found: Assessed, witness: WitnessChoice, note: str) -> Steps[bool]:
    """Without DAC, or for a time: one node is forced, the lost are evicted, the others join (steps 3 to 7)."""
    voter = directory = ""
    if way.mode == "nodac" and needs_witness(len(way.survivors), dac=False):  # refused before anything is forced
        _, voter, directory = witness_to_be(found.seen, dag, estate, witness, way.lost)
    others = [one for one in way.survivors if one is not way.node]
    if not way.done:
        yield from together(_stopped(server) for server in others)
    outcome = yield quorum_forced.on(way.node, names=NAMES, server=way.node.name, note=note)
    if way.mode == "nodac":
        for name in way.lost:
            yield node_evicted.on(way.node, names=NAMES, node=name)
    for server in others:
        yield cluster_joined.on(server, names=NAMES, server=server.name)
    if way.mode == "temporary":
        return planned(outcome)
    yield from quorum_fixed(dag, estate, way.node, way.asked, len(way.survivors), voter, directory)
    return planned(outcome)


def _written(server: Server, file: str) -> Steps:
    yield written_to.on(server, test_file=file)


def _stopped(server: Server) -> Steps:
    yield cluster_stopped.on(server, names=NAMES, note="its databases are down already")


def _report(
    dag: Dag,
    way: Way,
    costs: Sequence[Loss],
    warnings: Sequence[str],
    break_glass: str,
    servers: Sequence[str],
    mail: Sequence[str],
    after: Sequence[Finding],
) -> ForceReport:
    findings = [Finding(check="G-SURVIVE", on=dag.name, level="warn", says=one) for one in warnings]
    findings += [Finding(check="mail flow", on=dag.name, level="warn", says=one) for one in mail]
    findings += after
    if break_glass:
        findings.append(Finding(check="break-glass", on=dag.name, level="warn", says=break_glass))
    notice = (
        f"fenced: {', '.join(way.lost) or 'nobody'}; back only through failback, never by hand",
        f"no Set-DatabaseAvailabilityGroup until failback; everything rests on {', '.join(servers)}",
    )
    return ForceReport(
        dag=dag.name, mode=way.mode, lost=way.lost, cost=tuple(costs), notice=notice, findings=tuple(findings)
    )
