"""Get-DatabaseAvailabilityGroup and Get-MailboxDatabase; knows no session and no wire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from starover_lab.cmdlets.identities import find_databases, known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, reading, switch
from starover_lab.cmdlets.objects import (
    DATA,
    ad_id,
    enhanced_timespan,
    guid_of,
    list_of,
    make,
    moment,
    path,
    product,
    server_version,
    size,
    span,
    text_of,
)
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Guid, NetObject, PSObject, UInt16, Value
from starover_lab.world.copy_sets import CopyConfig, DatabaseConfig
from starover_lab.world.database_parts import Database
from starover_lab.world.entities import DagObject
from starover_lab.world.errors import WorldError
from starover_lab.world.views import DagStatus

__all__ = ["BODIES", "ad_columns", "dag_object"]

_CONFIGURATION = DATA + "Directory.SystemConfiguration."
_IDS = DATA + "Directory.ADMultiValuedProperty`1[[Microsoft.Exchange.Data.Directory.ADObjectId]]"
_WITNESS_FAILED = (
    "Database availability group {0} witness is in a failed state. The database availability group requires the "
    "witness server to maintain quorum. Please use the Set-DatabaseAvailabilityGroup cmdlet to re-create the witness "
    "server and the directory."
)
"""As published (conformance tr-738db276e8)."""
_NO_STATUS = (
    "Unable to get Primary Active Manager information due to an Active Manager call failure. Please check that the "
    "Microsoft Exchange Replication service is running on members of the database availability group {0}."
)
"""Unverified wording."""


def ad_columns(here: Machine, name: str, kind: str, guid: str, dc: str, class_name: str) -> dict[str, Value]:
    """What every object of the configuration partition shows about itself."""
    domain = here.world.state.dns_name
    identity = ad_id(name, kind, domain)
    identity.set("ObjectGuid", Guid(guid))
    return {
        "Name": name,
        "Identity": identity,
        "Id": identity,
        "Guid": Guid(guid),
        "DistinguishedName": identity.get("DistinguishedName"),
        "ObjectCategory": ad_id(class_name, "schema", domain),
        "ObjectClass": list_of(["top", class_name.replace("-", "")]),
        "OriginatingServer": f"{dc}.{domain}",
    }


def _servers(here: Machine, names: tuple[str, ...]) -> Value:
    return list_of([ad_id(name, "server", here.world.state.dns_name) for name in names], _IDS)


def get_dag(call: Invocation) -> Iterator[Value]:
    """Get-DatabaseAvailabilityGroup: the AD object, and with -Status what the cluster tells."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        try:
            names = [identity] if identity else here.world.dag_names(here.host, dc)
            for name in names:
                yield dag_object(call, here, name, dc, status=switch(bound.get("Status")))
        except WorldError as error:
            call.error(exchange_error(call, error, identity, dc))


def dag_object(call: Invocation, here: Machine, name: str, dc: str | None, *, status: bool = False) -> PSObject:
    """A DAG as this DC knows it, with `status` also what the cluster tells. Raises `WorldError`."""
    dag = here.world.dag(name, here.host, dc)
    live: DagStatus | None = None
    if status:
        try:
            live = here.world.dag_status(name, here.host, dc)
        except WorldError as error:
            if error.kind == "not_found":
                raise
            call.wait(error.blocked_s)
            call.warning(_NO_STATUS.format(dag.name))
    if live is not None and live.witness_failed:
        call.warning(_WITNESS_FAILED.format(dag.name))
    origin = live.dc if live is not None else here.world.dc_of(here.host, dc).name
    values = _dag_values(here, dag, origin)
    if live is not None:
        values |= {
            "OperationalServers": _servers(here, live.operational),
            "PrimaryActiveManager": (
                ad_id(live.primary_active_manager, "server", here.world.state.dns_name)
                if live.primary_active_manager
                else None
            ),
            "ServersInMaintenance": _servers(here, live.in_maintenance),
            "ReplicationPort": UInt16(dag.replication_port),
            "NetworkNames": list_of([one.name for one in here.world.networks.of(dag.name, here.host, dc=dc)]),
            "WitnessShareInUse": live.witness_share_in_use,
        }
    made = make("Get-DatabaseAvailabilityGroup", values, text=dag.name)
    if here.year == "2013":
        for newer in ("PreferenceMoveFrequency", "FileSystem", "AutoDagAutoRedistributeEnabled"):
            made.remove(newer)
    return made


def _local_path(text: str) -> Value:
    return path(text, DATA + "NonRootLocalLongFullPath") if text else None


def _dag_values(here: Machine, dag: DagObject, dc: str) -> dict[str, Value]:
    addresses = list_of(
        [NetObject("System.Net.IPAddress", address) for address in dag.ip_addresses],
        DATA + "MultiValuedProperty`1[[System.Net.IPAddress]]",
    )
    frequency = dag.preference_move_frequency_s
    return ad_columns(here, dag.name, "dag", str(dag.guid), dc, "ms-Exch-MDB-Availability-Group") | {
        # Short names, the newest member first; the other two lists hold FQDNs (facts/exchange.md, confirmed).
        "Servers": _servers(here, tuple(reversed(dag.members))),
        "WitnessServer": dag.witness_server or None,
        "WitnessDirectory": _local_path(dag.witness_directory),
        "AlternateWitnessServer": dag.alternate_witness_server or None,
        "AlternateWitnessDirectory": _local_path(dag.alternate_witness_directory),
        "ManualDagNetworkConfiguration": dag.manual_networks,
        "DatacenterActivationMode": dag.dac_mode,
        "StartedMailboxServers": list_of(dag.started),
        "StoppedMailboxServers": list_of(dag.stopped),
        "DatabaseAvailabilityGroupIpAddresses": addresses,
        "DatabaseAvailabilityGroupIpv4Addresses": addresses,
        "PreferenceMoveFrequency": span(
            timedelta(milliseconds=-1) if frequency is None else timedelta(seconds=frequency)
        ),
        "NetworkCompression": dag.network_compression,
        "NetworkEncryption": dag.network_encryption,
        "FileSystem": dag.file_system,
        "AutoDagAutoRedistributeEnabled": dag.auto_redistribute,
        "ReplayLagManagerEnabled": dag.replay_lag_manager,
        "AutoDagAutoReseedEnabled": dag.auto_reseed,
        "WhenCreated": moment(dag.created),
        "WhenCreatedUTC": moment(dag.created, utc=True),
        "WhenChanged": moment(dag.changed),
        "WhenChangedUTC": moment(dag.changed, utc=True),
    }


def get_database(call: Invocation) -> Iterator[Value]:
    """Get-MailboxDatabase: one, those with a copy on a server, or all."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        identity, server = text_of(bound.get("Identity")), text_of(bound.get("Server"))
        try:
            found = here.world.databases_on(known_server(here, server)) if server else find_databases(here, identity)
            asked_dc = here.world.dc_of(here.host, dc).name
        except WorldError as error:
            call.error(exchange_error(call, error, server or identity, dc))
            continue
        status = switch(bound.get("Status"))
        if status:
            _wait_for_dead(call, here, found)
        for database in found:
            config = _config(here, database.name, dc)
            if config is not None:
                yield _database(here, database, config, asked_dc, status=status)


def _config(here: Machine, database: str, dc: str | None) -> DatabaseConfig | None:
    """A database's copies as this DC knows them; None: it has not heard of the database."""
    try:
        return here.world.copies.config(database, here.host, dc=dc)
    except WorldError:
        return None


def _wait_for_dead(call: Invocation, here: Machine, databases: list[Database]) -> None:
    longest = 0.0
    for server in {database.active for database in databases}:
        try:
            here.world.reach(here.host, server)
        except WorldError as error:
            longest = max(longest, error.blocked_s)
    call.wait(longest)


def _pair(here: Machine, server: str, value: Value, kind: str, text: str) -> PSObject:
    key = ad_id(server, "server", here.world.state.dns_name)
    name = f"System.Collections.Generic.KeyValuePair`2[[Microsoft.Exchange.Data.Directory.ADObjectId],[{kind}]]"
    return product(
        [name, "System.ValueType", "System.Object"], [("Key", key), ("Value", value)], text=f"[{server}, {text}]"
    )


def _lags(here: Machine, copies: tuple[CopyConfig, ...], which: str) -> Value:
    pairs: list[Value] = []
    for copy in copies:
        length = timedelta(seconds=copy.replay_lag_s if which == "ReplayLagTimes" else copy.truncation_lag_s)
        value = enhanced_timespan(length)
        pairs.append(_pair(here, copy.server, value, DATA + "EnhancedTimeSpan", value.text or ""))
    return list_of(pairs, _CONFIGURATION + which)


def _copy_object(here: Machine, database: Database, copy: CopyConfig) -> PSObject:
    return product(
        [_CONFIGURATION + "DatabaseCopy", "System.Object"],
        [
            ("Name", copy.server),
            ("DatabaseName", database.name),
            ("HostServerName", copy.server),
            ("ActivationPreference", copy.preference),
            ("ReplayLagTime", enhanced_timespan(timedelta(seconds=copy.replay_lag_s))),
            ("TruncationLagTime", enhanced_timespan(timedelta(seconds=copy.truncation_lag_s))),
            ("ReplayLagMaxDelay", enhanced_timespan(timedelta(seconds=copy.replay_lag_max_delay_s))),
            ("HostServer", ad_id(copy.server, "server", here.world.state.dns_name)),
        ],
        text=f"{database.name}\\{copy.server}",
    )


def _database(here: Machine, database: Database, config: DatabaseConfig, dc: str, *, status: bool) -> PSObject:
    domain = here.world.state.dns_name
    copies = config.copies
    master = ad_id(config.dag, "dag", domain) if config.dag else ad_id(database.active, "server", domain)
    build = here.world.server(database.active).exchange
    values: dict[str, Value] = ad_columns(
        here, database.name, "database", str(database.guid), dc, "ms-Exch-Private-MDB"
    ) | {
        "ReplicationType": "Remote" if len(copies) > 1 else "None",
        "CircularLoggingEnabled": config.circular_logging,
        "DatabaseCopies": list_of(
            [_copy_object(here, database, copy) for copy in copies], _CONFIGURATION + "DatabaseCopy[]"
        ),
        "EdbFilePath": path(database.edb_path, DATA + "EdbFilePath"),
        "LogFolderPath": path(database.log_path, DATA + "NonRootLocalLongFullPath"),
        "LogFilePrefix": database.log_prefix,
        "ExchangeLegacyDN": (
            "/o=Exchange/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/"
            f"cn={database.active}/cn=Microsoft Private MDB"
        ),
        "MasterServerOrAvailabilityGroup": master,
        "MasterType": "DatabaseAvailabilityGroup" if config.dag else "Server",
        "MountAtStartup": database.mount_at_startup,
        "Organization": "Exchange",
        "Recovery": database.recovery,
        "Server": ad_id(database.active, "server", domain),
        "ServerName": database.active,
        "Servers": _servers(here, tuple(copy.server for copy in copies)),
        "ReplayLagTimes": _lags(here, copies, "ReplayLagTimes"),
        "TruncationLagTimes": _lags(here, copies, "TruncationLagTimes"),
        "ActivationPreference": list_of(
            [_pair(here, copy.server, copy.preference, "System.Int32", str(copy.preference)) for copy in copies],
            _CONFIGURATION + "ActivationPreference",
        ),
        "AdminDisplayVersion": server_version(build.build) if build is not None else None,
    }
    if status:
        values |= _database_status(here, database)
    return make("Get-MailboxDatabase", values, text=database.name)


def _database_status(here: Machine, database: Database) -> dict[str, Value]:
    view = here.world.database_view(database.name, here.host)
    if view.mounted is None:
        # The store cannot be asked: the live columns stay blank.
        return {"Mounted": None}
    active = here.world.server(view.active_server)
    backup = here.world.copy_view(database.name, database.active, here.host).last_full_backup
    values: dict[str, Value] = {
        "Mounted": view.mounted,
        "MountedOnServer": active.fqdn if view.mounted else None,
        "BackupInProgress": False if view.mounted else None,
        "LastFullBackup": moment(backup),
        "SnapshotLastFullBackup": None if backup is None else True,
    }
    if view.mounted:
        values |= {
            "DatabaseSize": size(view.size),
            "AvailableNewMailboxSpace": size(view.available_new_mailbox_space),
            "WorkerProcessId": 4 * (700 + int(guid_of("store", database.name).text[:4], 16) % 6000),
        }
    return values


BODIES: dict[str, Body] = {
    "Get-DatabaseAvailabilityGroup": get_dag,
    "Get-MailboxDatabase": get_database,
}
