"""`world.dags`: making, changing and removing a DAG object; knows no cmdlet text. Members come and go in `members`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.cluster import Clusters
from starover_lab.world.dag_objects import NO_ADDRESS, dags_on, read_dag, remove_dag, write_dag
from starover_lab.world.entities import Cluster, DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.hosts import Hosts
from starover_lab.world.operations import Operation
from starover_lab.world.replication import REPL
from starover_lab.world.state import State
from starover_lab.world.witness import Witness
from starover_lab.world.witness_share import default_directory, obstacle

__all__ = ["DagChanges", "Dags"]

_DHCP = "0.0.0.0"  # noqa: S104 - a value of the cmdlet, nothing is bound
_NAME = re.compile(r"(?!\d+$)(?!-)[A-Za-z0-9-]{1,15}(?<!-)")
_LOCAL = re.compile(r"[A-Za-z]:\\[^\\/:*?\"<>|]+(?:\\[^\\/:*?\"<>|]+)*\\?")
_MOST_MOVE_FREQUENCY_S = 49.7 * 86_400
"""A longer one ends MSExchangeRepl on every member [doc]."""
T = TypeVar("T")
NetworkOption = Literal["Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"]


@dataclass(frozen=True, kw_only=True)
class DagChanges:
    """What Set-DatabaseAvailabilityGroup is to change; None: leave it."""

    witness_server: str | None = None
    witness_directory: str | None = None
    alternate_witness_server: str | None = None
    """Empty: none any more."""
    alternate_witness_directory: str | None = None
    dac_mode: Literal["Off", "DagOnly"] | None = None
    ip_addresses: Sequence[str] | None = None
    manual_networks: bool | None = None
    discover_networks: bool = False
    network_compression: NetworkOption | None = None
    network_encryption: NetworkOption | None = None
    replication_port: int | None = None
    preference_move_frequency_s: float | Literal["never"] | None = None
    replay_lag_manager: bool | None = None
    auto_reseed: bool | None = None
    auto_redistribute: bool | None = None
    file_system: Literal["NTFS", "ReFS"] | None = None


class Dags:
    """DAG objects."""

    def __init__(self, state: State, clusters: Clusters, hosts: Hosts, witness: Witness, ad: ActiveDirectory) -> None:
        self._state = state
        self._clusters = clusters
        self._hosts = hosts
        self._witness = witness
        self._ad = ad

    def create(
        self,
        name: str,
        asked: str,
        *,
        witness_server: str = "",
        witness_directory: str = "",
        ip_addresses: Sequence[str] = (),
        file_system: Literal["NTFS", "ReFS"] = "NTFS",
        dc: str | None = None,
    ) -> Operation:
        """New-DatabaseAvailabilityGroup: the AD object on one DC, without members; ends at once.

        Without `witness_directory` the default `C:\\DAGFileShareWitnesses\\NAME.DOMAIN` is made on the witness. No
        address, or 255.255.255.255: without an administrative access point (2013 takes no address as DHCP); 0.0.0.0:
        DHCP. Notices: `witness_*`.
        Raises `syntax` (Name, WitnessServer, WitnessDirectory, DatabaseAvailabilityGroupIpAddresses), `name_in_use`,
        `not_found` (object witness), `witness_default_directory`, `no_dc`.
        """
        state, asker = self._state, self._state.server(asked)
        if not _NAME.fullmatch(name):
            raise WorldError("syntax", f"`{name}` is no name of a DAG", parameter="Name", value=name)
        target = self._ad.dc(asked, dc)
        self._free(target.name, name, asked)
        host = self._witness_host(witness_server, "WitnessServer") if witness_server else None
        _check_directory(witness_directory, "WitnessDirectory")
        if host is not None and not witness_directory:
            trouble = obstacle(state, asker, host, default_directory(state, name))
            if trouble is not None and trouble.kind == "witness_rpc_unavailable":
                raise WorldError(
                    "witness_default_directory",
                    f"the default witness directory on {host.name} cannot be made",
                    server=host.name,
                    directory=default_directory(state, name),
                )
        made = DagObject(
            name=name,
            guid=state.dice.guid("dag", f"{name} {state.now.isoformat()}"),
            witness_server=host.fqdn if host else "",
            witness_directory=(witness_directory or default_directory(state, name)) if host else "",
            ip_addresses=_addresses(ip_addresses) or ((_DHCP,) if _takes_dhcp(asker) else (NO_ADDRESS,)),
            file_system=file_system,
            preference_move_frequency_s=3600.0,
            created=state.now,
            changed=state.now,
        )
        operation = Operation(state.now)
        if host is not None:
            self._witness.prepare(made, host, made.witness_directory, asker, operation)
        write_dag(state.directory, target, made, state.now)
        if not any(one.casefold() == name.casefold() for one in state.dags):
            state.dags.append(name)
        state.log.add("dag_created", name, dc=target.name, witness=made.witness_server)
        state.review()
        return operation

    def change(self, name: str, asked: str, changes: DagChanges, *, dc: str | None = None) -> Operation:
        """Set-DatabaseAvailabilityGroup; any call, without changes too, sets quorum type and witness anew.

        Notices: `witness_*`. Raises `not_found`, `no_quorum` (what the cluster keeps needs it), `syntax`, `invalid`
        (the kind of access point cannot change while there are members), `witness_is_member`, `no_dc`.
        """
        state, asker = self._state, self._state.server(asked)
        target = self._ad.dc(asked, dc)
        old = read_dag(state.directory, target, name)
        cluster = state.cluster_of(old.name, asker)
        if cluster is not None and not cluster.quorate and _is_kept_by_cluster(changes):
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)
        new = self._changed(old, changes)
        operation = Operation(state.now)
        write_dag(state.directory, target, new, state.now)
        state.log.add(
            "dag_changed",
            new.name,
            dc=target.name,
            what=", ".join(_differences(old, new)),
            named_witness=changes.witness_server,
        )
        if cluster is not None and cluster.quorate:
            if new.ip_addresses != old.ip_addresses:
                cluster.addresses = tuple(one for one in new.ip_addresses if one != NO_ADDRESS)
            if changes.discover_networks or new.manual_networks != old.manual_networks:
                self._discover(cluster)
            self._witness.settle(cluster, new, asker, operation)
        elif cluster is None and new.witness_server != old.witness_server and new.witness_server:
            host = state.server(new.witness_server)
            self._witness.prepare(new, host, new.witness_directory, asker, operation)
        if new.alternate_witness_server and changes.alternate_witness_server:
            host = state.server(new.alternate_witness_server)
            self._witness.prepare(new, host, new.alternate_witness_directory, asker, operation)
        self._activation_mode(old, new)
        self._move_frequency(old, new)
        state.cards_changed += 1
        state.review()
        return operation

    def remove(self, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-DatabaseAvailabilityGroup. Raises `not_found`, `has_members`, `no_dc`."""
        state, target = self._state, self._ad.dc(asked, dc)
        old = read_dag(state.directory, target, name)
        if old.members:
            raise WorldError("has_members", f"{old.name} has members", dag=old.name, members=list(old.members))
        remove_dag(state.directory, target, old.name)
        state.dags[:] = [one for one in state.dags if one.casefold() != old.name.casefold()]
        state.log.add("dag_removed", old.name, dc=target.name)

    # -- checks --------------------------------------------------------------------------------------------------

    def _free(self, dc: str, name: str, asked: str) -> None:
        directory = self._state.directory
        known = {one.name.casefold() for one in dags_on(directory, directory.controller(dc))}
        if name.casefold() in known:
            raise WorldError("name_in_use", f"there is a DAG {name}", name=name, by="dag")
        computers = {one.name.casefold(): one for one in self._ad.computers(asked, dc=dc)}
        taken = computers.get(name.casefold())
        if taken is not None and taken.enabled:
            raise WorldError("name_in_use", f"there is a computer {name}", name=name, by="computer")

    def _witness_host(self, name: str, parameter: str) -> Server:
        if set(name) & set("*?[]") or _is_address(name):
            raise WorldError("syntax", f"`{name}` is no host name", parameter=parameter, value=name)
        host = self._state.servers.get(name)
        if host is None:
            raise WorldError("not_found", f"there is no server {name}", object="witness", name=name)
        return host

    def _changed(self, old: DagObject, changes: DagChanges) -> DagObject:
        hosts: dict[str, str] = {}
        for parameter, given in (
            ("WitnessServer", changes.witness_server),
            ("AlternateWitnessServer", changes.alternate_witness_server),
        ):
            host = self._witness_host(given, parameter) if given else None
            if host is not None and any(host.name.casefold() == one.casefold() for one in old.members):
                raise WorldError("witness_is_member", f"{host.name} is a member", server=host.name, dag=old.name)
            hosts[parameter] = host.fqdn if host is not None else ""
        _check_directory(changes.witness_directory, "WitnessDirectory")
        _check_directory(changes.alternate_witness_directory, "AlternateWitnessDirectory")
        addresses = old.ip_addresses if changes.ip_addresses is None else _addresses(changes.ip_addresses)
        if old.members and (addresses == (NO_ADDRESS,)) != (old.ip_addresses == (NO_ADDRESS,)):
            raise WorldError(
                "invalid",
                f"{old.name} has members: it cannot get or lose its access point",
                parameter="DatabaseAvailabilityGroupIpAddresses",
                value=", ".join(addresses),
            )
        frequency = changes.preference_move_frequency_s
        default = default_directory(self._state, old.name)
        witness = old.witness_server if changes.witness_server is None else hosts["WitnessServer"]
        alternate = (
            old.alternate_witness_server
            if changes.alternate_witness_server is None
            else hosts["AlternateWitnessServer"]
        )
        directory = _or(changes.alternate_witness_directory, old.alternate_witness_directory)
        return replace(
            old,
            witness_server=witness,
            witness_directory=(_or(changes.witness_directory, old.witness_directory) or default) if witness else "",
            alternate_witness_server=alternate,
            alternate_witness_directory=(directory or default) if alternate else "",
            dac_mode=changes.dac_mode or old.dac_mode,
            ip_addresses=addresses,
            manual_networks=_or(changes.manual_networks, old.manual_networks),
            networks=old.networks if changes.manual_networks is not False else (),
            network_compression=changes.network_compression or old.network_compression,
            network_encryption=changes.network_encryption or old.network_encryption,
            replication_port=changes.replication_port or old.replication_port,
            preference_move_frequency_s=(
                old.preference_move_frequency_s if frequency is None else None if frequency == "never" else frequency
            ),
            replay_lag_manager=_or(changes.replay_lag_manager, old.replay_lag_manager),
            auto_reseed=_or(changes.auto_reseed, old.auto_reseed),
            auto_redistribute=_or(changes.auto_redistribute, old.auto_redistribute),
            file_system=changes.file_system or old.file_system,
        )

    # -- what follows from a change ------------------------------------------------------------------------------

    def _discover(self, cluster: Cluster) -> None:
        cluster.discovered.clear()
        for node in cluster.nodes:
            server = self._state.servers[node.server]
            if self._state.answers(server):
                cluster.discovered.update(nic.subnet for nic in server.nics if nic.subnet)
        self._state.log.add("networks_discovered", cluster.name, subnets=", ".join(sorted(cluster.discovered)))

    def _activation_mode(self, old: DagObject, new: DagObject) -> None:
        """DAC mode turned on in a running DAG sets the bit of every member that answers (simulator.md section 7)."""
        if new.dac_mode == old.dac_mode or new.dac_mode == "Off":
            return
        for name in new.members:
            server = self._state.servers[name]
            if server.exchange is not None and self._state.runs(server, REPL):
                server.exchange.dacp_bit, server.exchange.dacp_set_at = 1, self._state.now

    def _move_frequency(self, old: DagObject, new: DagObject) -> None:
        frequency = new.preference_move_frequency_s
        if frequency == old.preference_move_frequency_s:
            return
        breaks = frequency is not None and frequency > _MOST_MOVE_FREQUENCY_S
        broke = (old.preference_move_frequency_s or 0) > _MOST_MOVE_FREQUENCY_S
        for name in new.members:
            server = self._state.servers[name]
            if breaks and self._state.runs(server, REPL):
                self._hosts.crash(server, REPL)
            elif broke and not breaks:
                self._hosts.mend_service(server, REPL)


def _takes_dhcp(asker: Server) -> bool:
    return asker.exchange is not None and asker.exchange.year == "2013"


def _is_kept_by_cluster(changes: DagChanges) -> bool:
    kept = (
        changes.witness_server,
        changes.witness_directory,
        changes.ip_addresses,
        changes.manual_networks,
        changes.network_compression,
        changes.network_encryption,
        changes.replication_port,
    )
    return changes.discover_networks or any(one is not None for one in kept)


def _differences(old: DagObject, new: DagObject) -> Iterable[str]:
    return sorted(key for key, value in vars(new).items() if value != getattr(old, key))


def _or(new: T | None, old: T) -> T:
    return old if new is None else new


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _addresses(given: Sequence[str]) -> tuple[str, ...]:
    parameter = "DatabaseAvailabilityGroupIpAddresses"
    for one in given:
        if not _is_address(one) or (one.startswith("169.254.") and one != NO_ADDRESS):
            raise WorldError("syntax", f"`{one}` is no address for a DAG", parameter=parameter, value=one)
    alone = [one for one in given if one in (NO_ADDRESS, _DHCP)]
    if alone and len(given) > 1:
        raise WorldError("syntax", f"{alone[0]} stands alone", parameter=parameter, value=", ".join(given))
    return tuple(given)


def _check_directory(given: str | None, parameter: str) -> None:
    if given and not _LOCAL.fullmatch(given):
        raise WorldError("syntax", f"`{given}` is no local path below a drive's root", parameter=parameter, value=given)
