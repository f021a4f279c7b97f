"""The hosts of a side that comes back: domain controller first, then members one by one in quarantine (S-UNFENCE)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from starover.errors import NotSafe
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Finding, Steps, recall, together
from starover.step import Blocked, Change, Risk, Settle, step, wait
from starover.steps import guards
from starover.steps.ad_wait import Directory, server_directory
from starover.steps.dag import short
from starover.steps.disaster import CLUSTER_SERVICE, Machine, machine
from starover.steps.failback_dag import OnController, lists_on
from starover.steps.failback_side import NAMES, Returning, ReturningSide, asleep, closed_by_us, skewed
from starover.steps.fence_hosts import power_off
from starover.steps.fencing import RECOVERY_TAG
from starover.steps.instances import OneInstance, auto_recovery_set, instance_of, instance_running
from starover.steps.preflight_reports import Partner, Replication, replication
from starover.steps.subnet_rules import denies_all, subnet_acl
from starover.steps.unfencing import (
    QUARANTINE,
    fence_tag_gone,
    groups_of,
    groups_set,
    own_networks,
    quarantine_made,
    subnet_reopened,
    winrm_let_in,
)

__all__ = [
    "BEYOND",
    "cluster_kept_off",
    "controllers_back",
    "controllers_started",
    "everywhere",
    "fences_gone",
    "members_awake",
    "network_opened",
    "quarantined",
    "stopped_again",
    "witnesses_back",
]

BOOT = Settle(every=15, limit=1800)
"""P(15s,30m)."""
STABLE = 3600.0
"""Seconds for which the domain controller of that side must have run (AD, DNS and the way there with it)."""
STEADY = Settle(every=60, limit=STABLE + 1800)
DIRECTORY = Settle(every=60, limit=7200)


@step(check=machine, apply="failback/keep_off.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=180))
def cluster_kept_off(now: Machine, /, *, names: tuple[str, ...], wipe: bool) -> Change | Blocked | None:
    """A returning member whose cluster service is stopped and starts by nobody's hand but ours (S-UNFENCE).

    `wipe`: what it knows of the cluster goes too, because the cluster has evicted it (without DAC).
    """
    del names
    if now.running(CLUSTER_SERVICE) is None:
        return Blocked(
            f"{short(now.name)} has no cluster service: it is no member of a DAG", certain=("nothing was changed",)
        )
    if now.cluster is not None:
        return Blocked(
            f"{short(now.name)} has a cluster of its own that has quorum",
            guard="G-FENCE",
            certain=("nothing was changed",),
            next=("starover assess",),
        )
    if asleep(now):
        return None
    wanted = "stopped, Disabled" + (", what it knew of the cluster wiped" if wipe else "")
    return Change(f"{short(now.name)} cluster service", "starts by itself", wanted)


BEYOND = (
    winrm_let_in,
    groups_set,
    subnet_reopened,
    instance_running,
    cluster_kept_off,
    auto_recovery_set,
    fence_tag_gone,
)
"""What may follow once the quarantine is there."""


# -- before anybody comes ----------------------------------------------------------------------------------------------


def stopped_again(side: ReturningSide, dag: str) -> Steps:
    """Fenced hosts that run all the same, cut off and unseen, are stopped: each is to start behind the quarantine.

    Those that nobody could tag on that day are tagged: the tag stays until they are back.
    """
    wanted = [
        one.host
        for one in (*side.away, *side.fenced_witnesses)
        if not one.tagged or (one.host.runs and not one.behind and not one.out)
    ]
    yield from power_off(wanted, dag)


def quarantined(side: ReturningSide, estate: Estate) -> Steps:
    """The quarantine is there, and every member that is off is in it; then its subnet is what it was."""
    coming = [one for one in side.away if not one.out]
    vpcs = {one.host.vpc: one.server for one in coming if one.host.vpc}
    for vpc, server in vpcs.items():
        yield quarantine_made.on(server, vpc=vpc)
    groups: dict[str, str] = {}
    for vpc, server in vpcs.items():
        made = (yield from groups_of.read(server, vpc=vpc, name=QUARANTINE)).one
        if made is None:
            raise NotSafe(
                f"S-UNFENCE: {vpc} has no security group {QUARANTINE} any more", certain=("nobody was started",)
            )
        groups[vpc] = made.id
        yield winrm_let_in.on(server, vpc=vpc, name=QUARANTINE, group=made.id, cidrs=own_networks(estate))
    for one in coming:
        if one.host.vpc in groups:
            yield groups_set.on(one.server, instance=one.server.instance, groups=(groups[one.host.vpc],))
    subnets = {one.host.subnet: one.server for one in (*coming, *side.fenced_witnesses) if one.host.subnet}
    for subnet, server in subnets.items():
        yield from _reopened(side, server, subnet)


def _reopened(side: ReturningSide, server: Server, subnet: str) -> Steps:
    """A subnet that a fence of ours closed has the network ACL again that it had before."""
    current = (yield from subnet_acl.read(server, subnet=subnet)).acl
    if current is None or not denies_all(current.entries):
        return
    before = yield from closed_by_us(side, subnet)
    if before is None:
        raise NotSafe(
            f"S-UNFENCE: nothing passes {subnet}, and no journal here tells which network ACL it had before",
            certain=(f"network ACL {current.id} is in force", "nobody was started"),
            next=(f"give {subnet} its own network ACL back, then this again",),
        )
    yield subnet_reopened.on(server, subnet=subnet, association=current.association(subnet), acl=before.id)


# -- domain controllers ------------------------------------------------------------------------------------------------


def controllers_started(side: ReturningSide) -> Steps:
    """The domain controllers of that side that are off run: they alone."""
    for host in side.controllers:
        if host.instance is not None and host.instance.state == "stopped":
            yield instance_running.on(host.server, instance=host.server.instance)


def controllers_back(side: ReturningSide, estate: Estate, dag: str) -> Steps:
    """They have run for an hour, replicate both ways, and know who is to stay out."""
    here = [host.server for host in side.controllers]
    there = [one for one in estate.having("dc") if one.site != here[0].site] if here else []
    out = [one.server.name for one in side.away if side.mode == "dac" and not side.kept(one)]

    def known(now: OnController) -> bool:
        return all(now.keeps_out(name) for name in out)

    for server in here:
        yield from wait(machine, server, until=_an_hour, settle=STEADY, what="it has run for an hour", names=NAMES)
        if there:
            yield from wait(
                replication,
                server,
                until=partial(_both_ways, server=server, others=there),
                settle=DIRECTORY,
                what="it replicates with the other side, both ways (waiting-ad)",
                forest=estate.forest.name,
            )
        if out:
            yield from wait(
                lists_on,
                side.asked,
                until=known,
                settle=DIRECTORY,
                what=f"{server.name} knows that {', '.join(out)} stay out (waiting-ad)",
                dag=dag,
                controller=server.fqdn,
            )


def everywhere(side: ReturningSide, estate: Estate, dag: str, witness: str) -> Steps:
    """Every domain controller of the DAG's sites names the witness: who asks the far one must not see the old one."""
    sites = {one.site for one in (*(each.server for each in side.members), *side.survivors)}
    for server in [one for one in estate.having("dc") if one.site in sites]:
        yield from wait(
            lists_on,
            side.asked,
            until=lambda now: same_host(short(now.witness), short(witness)),
            settle=DIRECTORY,
            what=f"AD: {server.name} names the witness {short(witness)} (waiting-ad)",
            expected=True,
            dag=dag,
            controller=server.fqdn,
        )


def _an_hour(now: Machine) -> bool:
    return (guards.moment(now.utc) - guards.moment(now.boot_time)).total_seconds() >= STABLE


def _both_ways(now: Replication, /, server: Server, others: Sequence[Server]) -> bool:
    """Whether it hears from one of the others, and one of them from it, without a failure since an hour at most."""
    return any(_hears(now.partners, [server], others)) and any(_hears(now.partners, others, [server]))


def _hears(partners: Iterable[Partner], listening: Sequence[Server], speaking: Sequence[Server]) -> Iterable[bool]:
    for one in partners:
        names = one.partner.casefold()
        if any(one.server.partition(".")[0].casefold() == s.name.casefold() for s in listening) and any(
            s.name.casefold() in names for s in speaking
        ):
            yield not one.failures and not one.result and one.age is not None and one.age < STABLE


# -- members -----------------------------------------------------------------------------------------------------------


def members_awake(side: ReturningSide) -> Steps[list[Finding]]:
    """One member after the other runs behind the quarantine, its cluster service off; what their clocks say."""
    said: list[Finding] = []
    for one in side.away:
        if one.out:
            continue
        yield instance_running.on(one.server, instance=one.server.instance)
        yield from wait(machine, one.server, until=_answers, settle=BOOT, what="Windows answers", names=NAMES)
        yield from machine.read(one.server, names=NAMES)  # here a plan ends: nobody can read a host that is off
        yield cluster_kept_off.on(one.server, names=NAMES, wipe=side.mode == "nodac" and not side.kept(one))
        there, here = yield from together(machine.read(server, names=NAMES) for server in (one.server, side.asked))
        if apart := skewed(there, here):
            said.append(Finding(check="P36", on=one.server.name, level="warn", says=apart))
        yield from wait(
            server_directory,
            one.server,
            until=_has_controller,
            settle=BOOT,
            what="it works with a domain controller",
            name=one.server.name,
        )
    return said


def _answers(_: Machine) -> bool:
    return True


def _has_controller(now: Directory) -> bool:
    return bool(now.controllers)


def network_opened(side: ReturningSide) -> Steps:
    """All of them have the security groups that they had before: none is awake enough to vote."""
    for one in side.away:
        if one.out:
            continue
        known = one.host.instance.instance if one.host.instance is not None else None
        before = known.groups if known is not None and not one.behind else ()
        if not before:
            now = (yield from instance_of.read(one.server, instance=one.server.instance)).instance
            kept = (
                (yield from recall(one.server, groups_set, instance=one.server.instance, groups=now.groups))
                if now is not None
                else None
            )
            before = kept.instance.groups if isinstance(kept, OneInstance) and kept.instance is not None else ()
        if not before:
            raise NotSafe(
                f"S-UNFENCE: no journal here tells which security groups {one.server.name} had before the quarantine",
                certain=("it runs behind the quarantine, its cluster service off",),
                next=(f"give {one.server.instance} its own groups by hand, then this again",),
                host=one.server.name,
            )
        yield groups_set.on(one.server, instance=one.server.instance, groups=before)


def fences_gone(hosts: Sequence[Returning], dag: str) -> Steps:
    """They are fenced no more: the last step of lifting a fence. Automatic recovery is what its tag tells before."""
    for one in hosts:
        if before := _recovered_before(one):
            yield auto_recovery_set.on(one.server, instance=one.server.instance, mode=before)
            yield fence_tag_gone.on(one.server, instance=one.server.instance, value=before, key=RECOVERY_TAG)
        yield fence_tag_gone.on(one.server, instance=one.server.instance, value=dag)


def _recovered_before(one: Returning) -> str:
    """Automatic recovery of its instance before the fence, this run's own included; empty: nobody changed it."""
    known = one.host.instance.instance if one.host.instance is not None else None
    return (known.tag(RECOVERY_TAG) if known is not None else "") or ("default" if one.host.recovers else "")


def witnesses_back(side: ReturningSide) -> Steps:
    """The witness hosts of that side run again."""
    for one in side.fenced_witnesses:
        yield instance_running.on(one.server, instance=one.server.instance)
        yield from wait(machine, one.server, until=_answers, settle=BOOT, what="Windows answers", names=NAMES)
        yield from machine.read(one.server, names=NAMES)  # here a plan ends: nobody can read a host that is off
