"""The networks of a DAG: which carry clients, which replication."""

from collections.abc import Sequence
from typing import Literal

from starover import DagName, Estate, Finding, Findings, NotSafe, Steps, runbook, together
from starover.steps import guards
from starover.steps.adapters import check_covered, one_adapter_each, replicating
from starover.steps.dag_object import dag_named, existing
from starover.steps.gate import admit, judged
from starover.steps.networks import (
    NetworkText,
    Port,
    dag_networks_of,
    network_gone,
    network_options_set,
    network_set,
    networks_discovered,
    networks_manual,
    read_networks,
)
from starover.steps.out_on_purpose import still_in
from starover.steps.preflight_reports import network as adapters_of

Option = Literal["Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"]


@runbook
def dag_networks(
    estate: Estate,
    network: Sequence[NetworkText],
    dag: DagName | None = None,
    manual: bool = True,
    encryption: Option | None = None,
    compression: Option | None = None,
    port: Port | None = None,
) -> Steps[Findings | None]:
    """Set a DAG's networks by hand, where members have an adapter of their own for replication.

    With one adapter a member, as on AWS, one network holds all subnets and carries everything: nothing is done then.

    network: NAME=CIDR,CIDR:USE; every subnet of every member in exactly one; USE is replication, mapi or ignore
    dag: the DAG; need not be named where the inventory has one
    manual: by hand; false gives the networks back to Exchange, which then rebuilds them
    encryption: of replication
    compression: of replication
    port: TCP port of replication; each member's firewall must let it in
    """
    specs = read_networks(network)
    name = dag_named(dag, estate)
    found = yield from existing(name, estate)
    asked = found.server
    members = yield from still_in([one for one in estate.servers if found.dag.has(one.name)], found.dag)
    now = yield from dag_networks_of.read(asked, dag=name)
    seen = yield from together(adapters_of.read(server) for server in members)
    check_covered(members, seen, specs)
    options = bool(encryption or compression or port)
    if manual and one_adapter_each(seen):
        if len([spec for spec in specs if spec.use != "ignore"]) > 1:
            raise NotSafe(
                f"the members of {name} have one adapter each: their subnets belong in one network",
                certain=("networks of their own would keep members from replicating", "nothing was changed"),
                next=("name one network with all subnets, :mapi",),
            )
        if not options:
            says = "one adapter a member: one network holds all subnets and carries replication; nothing to do"
            return Findings(findings=(Finding(check="networks", on=name, level="info", says=says),))
    admit(f"setting {name}", [judged("G-SETDAG", guards.set_dag_allowed(found.dag))])
    if manual and not one_adapter_each(seen):
        yield from replicating(members, seen, specs, aws=bool(estate.region))
        yield networks_manual.on(asked, dag=name, manual=True)
        for spec in specs:
            yield network_set.on(
                asked,
                dag=name,
                dag_network=f"{name}\\{spec.name}",
                name=spec.name,
                subnets=spec.subnets,
                replication=spec.replication,
                ignored=spec.use == "ignore",
            )
        wanted = {spec.name.casefold() for spec in specs}
        for one in now.networks:
            if one.name.casefold() not in wanted:
                yield network_gone.on(asked, dag=name, dag_network=f"{name}\\{one.name}", name=one.name)
        used = tuple(spec.name for spec in specs if spec.use != "ignore")
        yield networks_discovered.on(asked, dag=name, names=used)
    elif not manual:
        yield networks_manual.on(asked, dag=name, manual=False)
    if options:
        yield network_options_set.on(
            asked, dag=name, compression=compression or "", encryption=encryption or "", port=port or 0
        )
    return None
