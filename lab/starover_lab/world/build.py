"""From a topology to a state: an estate that has been running for a month when the lab begins; makes no transition."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from functools import partial

from starover.estate import Subnet as SubnetSpec
from starover_lab.world import quorum
from starover_lab.world.access_points import fitting
from starover_lab.world.build_client_access import settle_client_access
from starover_lab.world.build_directory import plant_cno, plant_directory, plant_dns
from starover_lab.world.build_operations import settle_operations
from starover_lab.world.client_settings import Organization
from starover_lab.world.clock import Scheduler
from starover_lab.world.copy_sets import config_of, database_key
from starover_lab.world.dag_objects import NO_ADDRESS, plant_dag
from starover_lab.world.database_files import DatabaseFiles
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.dice import Dice
from starover_lab.world.directory import Directory, DomainController
from starover_lab.world.entities import (
    Account,
    AdSite,
    Az,
    Cluster,
    ClusterNode,
    DagObject,
    ExchangeServer,
    Server,
    Subnet,
    Volume,
)
from starover_lab.world.events import EventLog
from starover_lab.world.files import FileStore, clean_path, parent_of
from starover_lab.world.logs import LogStream, Rate
from starover_lab.world.machine_build import features_of, firewall_of, groups_of, nics_of, shares_of
from starover_lab.world.machine_parts import SmbShare
from starover_lab.world.names import Names
from starover_lab.world.principals import Principals
from starover_lab.world.remote_files import over_smb
from starover_lab.world.services import components_of, services_of
from starover_lab.world.state import State, first_label
from starover_lab.world.topology_specs import (
    AccountSpec,
    DagSpec,
    DatabaseSpec,
    ExchangeSpec,
    ServerSpec,
    Topology,
    VolumeSpec,
    seconds,
)
from starover_lab.world.witness_share import open_witness, share_rights

__all__ = ["build"]

_GB = 1 << 30
_MEMORY_DAYS = 30
"""How long before the start the lab's log streams begin."""
_EXCHANGE_VOLUMES = (
    VolumeSpec(mount="C:", size_gb=100, used_gb=50),
    VolumeSpec(mount="D:", size_gb=500),
    VolumeSpec(mount="E:", size_gb=500),
)
_PLAIN_VOLUMES = (VolumeSpec(mount="C:", size_gb=100, used_gb=30),)
_ADMINISTRATORS = ("NT AUTHORITY\\SYSTEM", "BUILTIN\\Administrators")


def build(topology: Topology, *, seed: int | None = None) -> State:
    """The state at the topology's start."""
    scheduler = Scheduler(topology.start)
    dice = Dice(topology.seed if seed is None else seed)
    dns_name, netbios = topology.forest.name or "example.com", topology.forest.netbios or "EXAMPLE"
    state = State(
        name=topology.name,
        dns_name=dns_name,
        netbios=netbios,
        region=topology.region,
        scheduler=scheduler,
        tuning=topology.tuning,
        dice=dice,
        log=EventLog(lambda: scheduler.now),
        directory=Directory(
            scheduler,
            intra_site_s=topology.tuning.ad_intra_site_s,
            inter_site_s=topology.tuning.ad_inter_site_s,
        ),
        principals=Principals(dice, netbios, dns_name),
        organization=Organization(),
        cno_creation=topology.cno_creation,
    )
    state.directory.joined = lambda one, other: state.linked(state.servers[one], state.servers[other])
    for az in topology.azs:
        state.azs.add(az, Az(az))
    for site in topology.sites:
        state.sites.add(site.name, AdSite(site.name, site.az))
    for subnet in topology.subnets:
        state.subnets.add(subnet.cidr, Subnet(subnet.cidr, subnet.az, subnet.site))
    member_of = {first_label(name).casefold(): dag.name for dag in topology.dags for name in dag.members}
    dns_servers = [spec.address for spec in topology.servers if "dc" in spec.roles and spec.address]
    for spec in topology.servers:
        _server(state, spec, topology.subnets, dns_servers, clustered=first_label(spec.name).casefold() in member_of)
    for account in topology.accounts:
        _account(state, account)
    plant_directory(state, topology)
    for dag in topology.dags:
        _dag(state, dag)
    plant_dns(state, topology)
    settle_client_access(state, topology)
    settle_operations(state, topology)
    for database in topology.databases:
        _database(state, database, member_of.get(first_label(database.copies[0].server).casefold(), ""))
    for made in state.databases:
        state.directory.plant(database_key(made.name), config_of(made))
    return state


def _server(
    state: State, spec: ServerSpec, subnets: tuple[SubnetSpec, ...], dns_servers: list[str], *, clustered: bool
) -> None:
    nics = spec.nics
    address = spec.address or next((nic.address.partition("/")[0] for nic in nics if nic.purpose == "mapi"), "")
    subnet = spec.subnet or _subnet_of(address, subnets)
    site = spec.site or next((one.site for one in subnets if one.cidr == subnet), "")
    site = site or next((one.name for one in state.sites if one.az == spec.az), "Default-First-Site-Name")
    name = first_label(spec.name)
    if site not in state.sites:
        state.sites.add(site, AdSite(site, spec.az))
    known = state.sites.get(site)
    az = spec.az or next((one.az for one in subnets if one.cidr == subnet), "") or (known.az if known else "")
    year = spec.exchange.year if spec.exchange is not None else None
    is_dc = "dc" in spec.roles
    server = Server(
        name=name,
        fqdn=f"{name}.{state.dns_name}",
        domain=state.dns_name,
        site=site,
        az=az,
        subnet=subnet,
        address=address,
        os=spec.os,
        instance=spec.instance,
        instance_type=spec.instance_type,
        instance_store=spec.instance_store,
        cores=spec.cores,
        memory_gb=spec.memory_gb,
        roles=tuple(spec.roles),
        guid=state.dice.guid("server", name),
        boot_time=state.now - timedelta(days=11, seconds=int(state.dice.between(0, 86_400, name, "boot"))),
        files=FileStore(lambda: state.now, DatabaseFiles(state, name), partial(_shared_files, state, name)),
        services=services_of(dc=is_dc, year=year, clustered=clustered),
        shares=shares_of(spec),
        exchange=_exchange(state, name, spec.exchange) if spec.exchange is not None else None,
        local_groups=groups_of(spec, name, state.netbios),
        nics=nics_of(spec, subnet, _nearest_first(dns_servers, subnet), state.dice),
        features=features_of(spec, clustered=clustered),
        firewall=firewall_of(spec),
        pending_reboot=set(spec.pending_reboot),
        time_skew_s=spec.time_skew_s,
    )
    for volume in spec.volumes or (_EXCHANGE_VOLUMES if spec.exchange is not None else _PLAIN_VOLUMES):
        size, used = int(volume.size_gb * _GB), int(volume.used_gb * _GB)
        server.volumes.add(volume.mount, Volume(volume.mount, volume.fs, size, used))
    for folder in ("C:\\Windows", "C:\\ProgramData", "C:\\Temp", *spec.shares.values()):
        server.files.make_folder(folder)
    state.servers.add(name, server)
    if is_dc:
        state.directory.controllers.add(
            name,
            DomainController(name, site, lambda: state.answers(server) and state.runs(server, "NTDS"), is_gc=spec.gc),
        )


def _shared_files(state: State, server: str, path: str) -> tuple[FileStore, str]:
    """What a UNC path means to a server's own account."""
    return over_smb(state, state.servers[server], path)


def _nearest_first(dns_servers: list[str], subnet: str) -> list[str]:
    """The DNS servers with that of the own subnet first."""
    if not subnet:
        return dns_servers
    network = ipaddress.ip_network(subnet)
    return sorted(dns_servers, key=lambda one: ipaddress.ip_address(one) not in network)


def _subnet_of(address: str, subnets: tuple[SubnetSpec, ...]) -> str:
    if not address:
        return ""
    ip = ipaddress.ip_address(address)
    return next((one.cidr for one in subnets if ip in ipaddress.ip_network(one.cidr)), "")


def _exchange(state: State, name: str, spec: ExchangeSpec) -> ExchangeServer:
    components = components_of(spec.year)
    since = state.now - timedelta(days=_MEMORY_DAYS)
    for component in ("ServerWideOffline", "Monitoring", "RecoveryActionsEnabled"):
        components[component].local["Functional"] = ("Active", since)
        components[component].remote["Functional"] = ("Active", since)
    return ExchangeServer(
        year=spec.year,
        cu=spec.cu,
        build=spec.installed,
        edition=spec.edition,
        guid=state.dice.guid("exchange", name),
        components=components,
        dacp_set_at=state.now,
        activation_policy=spec.activation_policy,
        auto_mount_dial=spec.auto_mount_dial,
        max_active=spec.max_active,
    )


def _account(state: State, spec: AccountSpec) -> None:
    password = spec.password or f"Lab-{state.dice.text('password', spec.name, 16)}-7"
    state.accounts.add(
        spec.name,
        Account(
            name=spec.name,
            netbios=state.netbios,
            dns_name=state.dns_name,
            password=password,
            groups=spec.groups,
            role_groups=spec.role_groups,
            roles=spec.roles,
            administrator=spec.administrator,
        ),
    )


def _dag(state: State, spec: DagSpec) -> None:
    members = tuple(state.server(name).name for name in spec.members)
    created = state.now - timedelta(days=_MEMORY_DAYS)
    witness = state.servers.get(spec.witness) if spec.witness else None
    alternate = state.servers.get(spec.alternate_witness) if spec.alternate_witness else None
    directory = spec.witness_directory or f"C:\\DAGFileShareWitnesses\\{spec.name}.{state.dns_name}"
    frequency = None if spec.preference_move_frequency == "never" else seconds(spec.preference_move_frequency)
    dag = DagObject(
        name=spec.name,
        guid=state.dice.guid("dag", spec.name),
        members=members,
        started=tuple(state.servers[name].fqdn for name in members),
        witness_server=witness.fqdn if witness else "",
        witness_directory=directory if witness else "",
        alternate_witness_server=alternate.fqdn if alternate else "",
        alternate_witness_directory=(spec.alternate_witness_directory or directory) if alternate else "",
        dac_mode=spec.dac_mode,
        ip_addresses=spec.ip_addresses,
        preference_move_frequency_s=frequency,
        replay_lag_manager=spec.replay_lag_manager,
        created=created,
        changed=created,
    )
    state.dags.append(spec.name)
    plant_dag(state.directory, dag)
    if not members:
        return
    addresses = tuple(one for one in spec.ip_addresses if one != NO_ADDRESS)
    if addresses:
        plant_cno(state, dag)
        for name in members:
            _route_addresses(state.servers[name], addresses)
    for host, folder in ((witness, dag.witness_directory), (alternate, dag.alternate_witness_directory)):
        if host is not None:
            open_witness(state, host)
            host.files.make_folder(folder)
    uses_witness = witness is not None and len(members) % 2 == 0
    if witness is not None and uses_witness:
        share = f"{spec.name}.{state.dns_name}"
        rights = share_rights(state, spec.name, members, named=bool(addresses))
        witness.shares.add(share, SmbShare(share, directory, rights))
    nodes: Names[ClusterNode] = Names(first_label)
    for id_, name in enumerate(members, start=1):
        nodes.add(name, ClusterNode(name, id_))
    votes = quorum.recalc(
        quorum.Quorum(
            up={node.id: True for node in nodes},
            witness=uses_witness,
            witness_online=uses_witness,
            dynamic=spec.dynamic_quorum,
        )
    )
    owner = state.server(spec.primary_active_manager).name if spec.primary_active_manager else members[0]
    state.clusters.add(
        spec.name,
        Cluster(
            name=spec.name,
            origin=spec.name,
            holders={name.casefold() for name in members},
            nodes=nodes,
            votes=votes,
            witness_server=witness.name if witness and uses_witness else "",
            witness_path=f"\\\\{witness.fqdn}\\{spec.name}.{state.dns_name}" if witness and uses_witness else "",
            core_owner=owner,
            addresses=addresses,
            online_address=fitting(addresses, state.servers[owner]),
            discovered={nic.subnet for name in members for nic in state.servers[name].nics if nic.subnet},
        ),
    )


def _route_addresses(server: Server, addresses: tuple[str, ...]) -> None:
    """A cluster that has been running on EC2 has its addresses on its members' interfaces."""
    for nic in server.nics:
        if nic.eni and nic.subnet:
            network = ipaddress.ip_network(nic.subnet)
            own = [one for one in addresses if ipaddress.ip_address(one) in network and one not in nic.secondary]
            nic.secondary = (*nic.secondary, *own)


def _database(state: State, spec: DatabaseSpec, dag: str) -> None:
    begins = state.now - timedelta(days=_MEMORY_DAYS)
    rate = Rate(spec.log_rate_per_min, state.tuning.busy_hour, state.tuning.quiet_share)
    stream = LogStream(rate)
    preferences = {copy.server: copy.preference or at for at, copy in enumerate(spec.copies, start=1)}
    first = min(spec.copies, key=lambda copy: preferences[copy.server])
    active = first_label(spec.active) if spec.active else state.server(first.server).name
    older = int(state.dice.between(400_000, 900_000, spec.name, "generation"))
    stream.open(active, older, begins)
    if not spec.mounted:
        stream.close(state.now)
    edb = spec.edb_path or f"D:\\Databases\\{spec.name}\\{spec.name}.edb"
    database = Database(
        name=spec.name,
        guid=state.dice.guid("database", spec.name),
        edb_path=edb,
        log_path=spec.log_path or f"E:\\Databases\\{spec.name}",
        log_prefix=f"E{len(state.databases):02d}",
        size=int(spec.size_gb * _GB),
        active=active,
        copies=Names(first_label),
        stream=stream,
        dag=dag,
        circular_logging=spec.circular_logging,
        mount_at_startup=spec.mount_at_startup,
        mailboxes=spec.mailboxes,
        state="Mounted" if spec.mounted else "Dismounted",
        wanted=spec.mounted,
        mounted_since=begins if spec.mounted else None,
    )
    for at, copy in enumerate(spec.copies, start=1):
        server = state.server(copy.server)
        server.files.make_folder(parent_of(edb))
        server.files.make_folder(clean_path(database.log_path))
        lag = seconds(copy.replay_lag)
        newest = stream.generated(state.now)
        running = copy.files and not copy.replication_suspended
        database.copies.add(
            server.name,
            Copy(
                server.name,
                copy.preference or at,
                replay_lag_s=lag,
                truncation_lag_s=seconds(copy.truncation_lag),
                replication_suspended=copy.replication_suspended,
                activation_suspended=copy.activation_suspended or copy.replication_suspended,
                comment=copy.comment,
                files_present=copy.files,
                running=running,
                flowing=running,
                replaying=running,
                since=state.now,
                copied=newest if copy.files else 0,
                inspected=newest if copy.files else 0,
                replayed=stream.generated(state.now - timedelta(seconds=lag)) if copy.files else 0,
                notified=newest,
                started=server.boot_time,
                status_since=server.boot_time,
            ),
        )
    state.databases.add(spec.name, database)
