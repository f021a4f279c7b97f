"""What remote errors mean, held against what real servers printed and against every refusal of the lab's world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from starover_lab.cmdlets.wordings import kind_of, wording
from starover_lab.world.errors import Kind, WorldError

from starover.errors import ErrorRecord
from starover.remote_causes import CAUSES
from starover.remote_errors import NONE, UNKNOWN, advice, causes, classify, classify_all
from starover.remote_patterns import BY_CATEGORY, PATTERNS

FILE = Path(__file__).parents[1] / "data" / "exchange" / "transcripts.jsonl"
ROWS: dict[str, dict[str, Any]] = {
    row["id"]: row for row in map(json.loads, FILE.read_text("utf-8").splitlines()) if "message" in row
}
FILL = {
    "<DB>": "DB 01", "<DAG>": "DAG1", "<SERVER>": "EX1", "<ServerName>": "WIT1", "<Server Name>": "WIT1",
    "<FQDN>": "ex1.contoso.com", "<DC FQDN>": "dc1.contoso.com", "<NODE>": "EX2", "<n>": "1", "<m>": "2",
    "<dir>": "C:\\DAG1", "<id>": "someone", "<name>": "mail.contoso.com", "<pid>": "4711",
    "<guid>": "0f2c1fd6-2a0f-4b4e-8f56-1d7a6f1f8e10", "<tp>": "6E1A5A0D4B8C2F3E9D7B6A5C4F3E2D1C0B9A8F7E",
    "<SITE-or-DC>": "NY4", "<domain DN>": "DC=contoso,DC=com", "<time>": "2020-09-10 16:13:18",
    "<yyyy-MM-dd_HH-mm-ss.fff>": "2020-09-10_16-13-18.123", "<cmdlet in lower case>": "start-databaseavailabilitygroup",
}  # fmt: skip

WANTED = {
    "tr-005fb8e3d3": "product-bug", "tr-0738615367": "access-denied", "tr-0d7a4d6710": "availability-low",
    "tr-0f4c8d4777": "installer-failed", "tr-0fc51c3b5b": "not-exchange", "tr-1267c654f6": "store-unavailable",
    "tr-1560ad21d8": "product-bug", "tr-17382851b6": "node-lost", "tr-1764b5aa5d": "cluster-service-failed",
    "tr-285c93fb0f": "ad-lag", "tr-28d132ca52": "reboot-pending", "tr-2a4e2cbda7": "object-invalid",
    "tr-2a622f59d7": "dag-only-missing", "tr-31a3fea6f0": "database-file-missing", "tr-39ddff2c6b": "reboot-pending",
    "tr-3bd5e255ea": "access-denied", "tr-3bfe9fc8ab": "certificate-unusable", "tr-3defd126d0": "witness-unreachable",
    "tr-401f9ba533": "cluster-down", "tr-477f79852b": "access-denied", "tr-480eee74ca": "not-exchange",
    "tr-4a0cb7ea55": "seed-in-progress", "tr-4b3126fbb6": "witness-directory", "tr-4cb0a422f6": "name-in-use",
    "tr-4e0b377c3e": "replication-service-down", "tr-55da967275": "none", "tr-56aea81afe": "reboot-pending",
    "tr-578a82e708": "database-damaged",
    # its documented cause: source and target ask different DCs
    "tr-580fd1b8f2": "ad-lag",
    "tr-584132daa9": "bad-value", "tr-5a01da44ef": "setup-prerequisite", "tr-5ccca07f02": "no-gateway",
    "tr-5e1c849e67": "no-language", "tr-5f16cd2bd8": "timed-out", "tr-61fd532c36": "already-exists",
    "tr-646faf89d6": "command-missing", "tr-64ac127845": "move-failed", "tr-685afd58d9": "access-denied",
    "tr-68fab69c18": "certificate-unusable", "tr-6ae91d8e95": "rpc-unavailable", "tr-738db276e8": "witness-failed",
    "tr-742ed70e08": "already-exists", "tr-74e927ef3d": "access-denied", "tr-7606439d59": "replication-service-down",
    "tr-78deeedbc0": "dns-name-missing", "tr-7d262fc37c": "not-supported", "tr-7fb700044f": "already-exists",
    "tr-8c00228c25": "not-found", "tr-91903d0931": "installer-failed", "tr-9359f83247": "none",
    "tr-948a57c77c": "setup-prerequisite", "tr-9644570579": "access-denied", "tr-971e6e1b10": "access-denied",
    "tr-9798b050e3": "network-logon",
    # its note: the DC of the server has not seen the new database yet
    "tr-9a124b19d7": "ad-lag",
    "tr-9e127afba7": "files-in-use", "tr-9e8a9d438c": "access-denied", "tr-a00ddd5897": "bad-value",
    "tr-a6ac72e7d5": "already-member", "tr-a9f1131129": "setup-prerequisite", "tr-ab17683a1f": "network-logon",
    "tr-ac988d63ad": "service-start-failed", "tr-b2e0c502ed": "service-starting", "tr-b5663d4f2b": "already-exists",
    "tr-b68060fa16": "not-found",
    # its note: the cluster service still initialises, and the second run succeeds
    "tr-b8b3564618": "service-starting",
    "tr-b8cdd993b5": "ad-unreachable", "tr-ba651c3046": "service-disabled", "tr-bc8cabbea8": "access-denied",
    "tr-be40d1e513": "witness-unreachable", "tr-c270257ab7": "none", "tr-c749fc7d5f": "database-file-missing",
    "tr-cc7a2594d5": "bad-value", "tr-d2307ed35c": "see-log", "tr-d36163833a": "install-source-missing",
    "tr-d3bc0f3fc5": "ad-unreachable", "tr-d44a0dc125": "setup-prerequisite", "tr-d5ed99709f": "cluster-config-damaged",
    "tr-d78adcfe38": "setup-prerequisite", "tr-d80cb8199c": "access-denied", "tr-d9f422f449": "none",
    "tr-db50f4e0a8": "ad-refused", "tr-dea9af4861": "ad-lag", "tr-e4b37e49c8": "product-bug",
    "tr-e6c548e935": "install-source-missing", "tr-e98b6b5e5b": "none", "tr-ea3a72c6ed": "dns-name-missing",
    "tr-eba5828fc2": "object-invalid", "tr-ecce1344fe": "access-denied", "tr-f1096fe5c3": "install-source-missing",
    "tr-f9fe23bfc9": "access-denied", "tr-fd8d9d309b": "dns-failed", "tr-feae26e792": "object-invalid",
    "tr-ffacec5a22": "bad-value",
}  # fmt: skip
"""By row: what a person who reads message, category, type and note would say it is."""


def filled(text: str) -> str:
    for placeholder, value in FILL.items():
        text = text.replace(placeholder, value)
    return text


def record_of(row: dict[str, Any]) -> ErrorRecord:
    """A row as the record that a host would give us."""
    return ErrorRecord(
        message=filled(row["message"]),
        fqid=filled(row.get("fully_qualified_error_id", "")),
        category=row.get("category", "").partition(":")[0],
        type=row.get("exception_type", ""),
        command=row["cmdlet"],
    )


def test_every_message_of_a_real_server_is_expected_to_mean_something() -> None:
    assert set(WANTED) == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_what_real_servers_said_is_understood(row: str) -> None:
    assert classify(record_of(ROWS[row])).cause == WANTED[row]


@pytest.mark.parametrize("row", ROWS)
def test_an_error_through_implicit_remoting_means_the_same(row: str) -> None:
    """The type is lost there (`RemoteException`); the id keeps its name. Consoles wrap and curl apostrophes."""
    record = record_of(ROWS[row])
    fqid = record.fqid or (f"[FailureCategory=Cmdlet-{record.type.rpartition('.')[2]}] 1A2B3C4D" if record.type else "")
    again = ErrorRecord(
        message=record.message.replace("'t ", "’t\n"),
        fqid=fqid,
        category=record.category,
        type="System.Management.Automation.RemoteException" if fqid else "",
    )
    assert classify(again).cause == WANTED[row]


# -- other languages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (
            ErrorRecord(message="Der RPC-Server ist nicht verfügbar. (Ausnahme von HRESULT: 0x800706BA)"),
            "rpc-unavailable",
        ),
        (ErrorRecord(message="Fehler 0x6d9 aus cli_RpccGetDBSeedStatus"), "rpc-unavailable"),
        (ErrorRecord(message="AddClusterNode() ist mit 0x80070005 fehlgeschlagen. Zugriff verweigert"), "witness-acl"),
        (ErrorRecord(message="Zugriff verweigert (E_ACCESSDENIED) 0x80070005"), "access-denied"),
        (ErrorRecord(message="Accès refusé.", category="PermissionDenied"), "access-denied"),
        (ErrorRecord(message="Erreur système 5"), "access-denied"),
        (ErrorRecord(message="CreateCluster() 0x42a"), "cluster-service-failed"),
        (ErrorRecord(message="AddClusterNode() 0x5b4"), "timed-out"),
        (ErrorRecord(message="CreateCluster() 0x6ba"), "rpc-unavailable"),
        (ErrorRecord(message="cli_RpccCreateCluster 0x6f7"), "no-gateway"),
        (ErrorRecord(message="Kein Quorum (0x80071725)"), "quorum-lost"),
        (ErrorRecord(message="MapiExceptionJetErrorXyz: (hr=0x80004005, ec=-550)"), "database-damaged"),
        (
            ErrorRecord(
                message="Das Objekt 'DB01' wurde nicht auf 'dc1.contoso.com' gefunden.",
                fqid="[FailureCategory=Cmdlet-ManagementObjectNotFoundException] 1082ECE3,Microsoft.Exchange.X",
            ),
            "ad-lag",
        ),
        (ErrorRecord(message="Nicht gefunden.", type="ManagementObjectNotFoundException"), "not-found"),
        (ErrorRecord(message="x", fqid="ClusterEndpointNotRegistered,Microsoft.GetNodeCommand"), "cluster-down"),
        (
            ErrorRecord(message="x", fqid="[...] 2701F309,Microsoft.Exchange.MoveActiveMailboxDatabase"),
            "move-suppressed",
        ),
        (ErrorRecord(message="x", fqid="[...] FE1C6491,Microsoft.Exchange.Update"), "seed-in-progress"),
        (ErrorRecord(message="x", fqid="WIN32 9711,Add-DnsServerResourceRecordCName"), "already-exists"),
        (ErrorRecord(message="x", fqid="WIN32 9714,Get-DnsServerResourceRecord"), "dns-name-missing"),
        (ErrorRecord(message="x", fqid="-2144108477,PSSessionOpenFailed"), "access-denied"),
        (ErrorRecord(message="x", fqid="ActiveDirectoryServer:1378,Add-ADGroupMember"), "already-done"),
        (ErrorRecord(message="x", fqid="CommandNotFoundException"), "command-missing"),
        (ErrorRecord(message="x", fqid="NamedParameterNotFound,Set-DatabaseAvailabilityGroup"), "bad-value"),
        (ErrorRecord(message="0x80240016"), "update-busy"),
    ],
)
def test_ids_types_and_codes_decide_in_every_language(record: ErrorRecord, cause: str) -> None:
    assert classify(record).cause == cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        # what facts about real servers tell and the transcripts have not whole
        (
            (
                "An Active Manager operation failed. Error: Move for database 'DB01' was suppressed because too many "
                "moves have happened recently. 3 moves have happened within 01:00:00"
            ),
            "move-suppressed",
        ),
        (
            (
                "An Active Manager operation failed. Error: Server 'ex2.contoso.com' component (HighAvailability) "
                "state is offline. If you need to activate databases copies on this server, bring it online."
            ),
            "component-offline",
        ),
        (
            "An Active Manager operation failed. Error: database 'DB01' cannot be mounted due to a previous error",
            "mount-failed-before",
        ),
        (
            (
                "The server must be a member of a database availability group, and it must have quorum. Server 'EX1' "
                "isn't in the stopped or started servers list."
            ),
            "not-on-started-list",
        ),
        ("The Microsoft Failover Cluster Virtual Miniport adapter is missing on node EX1", "cluster-adapter-missing"),
        ("An Active Manager operation failed with a transient error. Please retry the operation.", "transient"),
        ("AD: The server is not operational.", "ad-unreachable"),
        ("The parameter 'X' isn't valid", "bad-value"),
        ("setup-running", "setup-running"),
        ("rbac-missing Get-MailboxDatabase,Mount-Database", "rbac-missing"),
        ("wrong-host EX9", "wrong-host"),
        ("lease-lost", "lease-lost"),
    ],
)
def test_an_active_manager_error_means_what_stands_behind_its_opening(message: str, cause: str) -> None:
    assert classify(ErrorRecord(message=message)).cause == cause


@pytest.mark.parametrize("message", ["An Active Manager operation failed.", "", "something new"])
def test_what_is_not_known_is_not_guessed(message: str) -> None:
    meaning = classify(ErrorRecord(message=message, category="NotSpecified"))
    assert (meaning.cause, meaning.retryable, meaning.advice) == (UNKNOWN, False, "")


# -- what the lab says -------------------------------------------------------------------------------------------------

OF_WORLD: dict[str, tuple[str, str]] = {
    "not_found": ("there is no database {name}", "ad-lag"),
    "server_down": ("{server} is down", "rpc-unavailable replication-service-down"),
    "service_down": ("{service} does not run", "rpc-unavailable replication-service-down"),
    "no_dc": ("no domain controller answers", "ad-unreachable"),
    "no_quorum": ("the cluster {name} has no quorum", "cluster-down quorum-lost"),
    "no_pam": ("there is no Primary Active Manager now", "no-pam"),
    "active_copy": ("{name} is the active copy", "copy-active"),
    "already_suspended": ("{name} is suspended already", "copy-suspended-already"),
    "already_mounted": ("{name} is mounted", "already-done"),
    "not_mounted": ("{name} is not mounted", "not-mounted"),
    "must_be_suspended": ("{name} is not suspended", "must-be-suspended"),
    "reseed_needed": ("its log has a gap", "reseed-needed"),
    "seed_in_progress": ("{name} is being seeded", "seed-in-progress"),
    "files_exist": ("{name} has files", "files-exist"),
    "source_unhealthy": ("{server} cannot give the seed", "source-unhealthy"),
    "activation_blocked": ("activation of {name} is suspended", "activation-blocked"),
    "is_up": ("{server} is a node that is up", "node-is-up"),
    "not_dac": ("{dag} is not in DAC mode", "dag-only-missing"),
    "none_stopped": ("{dag} has no stopped servers", "nothing-stopped"),
    "no_members_there": ("no member is in AZ1", "no-member-there"),
    "dac_not_agreed": ("DACP bit is 0", "dac-not-agreed"),
    "not_on_lists": ("{server} is stopped", "not-on-started-list"),
    "mount_failed": ("volume E: is full", "store-unavailable"),
    "validation_down": ("server is down", "rpc-unavailable replication-service-down"),
    "component_offline": ("HighAvailability is offline", "component-offline"),
    "copy_unhealthy": ("{copy} is Suspended", "copy-unhealthy"),
    "catalog_unhealthy": ("the index of {copy} is Failed", "catalog-unhealthy"),
    "queue_long": ("the copy queue of {copy} is long", "queue-long"),
    "limit_of_actives": ("{server} holds 2 actives", "activation-blocked"),
    "seeding_source": ("{copy} is used as the seeding source", "seeding-source"),
    "move_failed": ("server is down", "move-failed"),
    "too_many_lost_logs": ("12 logs would be lost", "data-loss"),
    "move_suppressed": ("too many moves", "move-suppressed"),
    "no_candidate": ("no copy of {name} can be activated", "activation-blocked"),
    "invalid": ("the activation preference must be 1 to 4", "preference-range"),
    "disk_full": ("no room for {name}", "disk-full"),
    "file_exists": ("{path} exists already", "already-exists"),
    "in_use": ("{path} is being used by another process", "files-in-use"),
    "log_missing": ("log 12 of {database} is missing", "unknown"),  # eseutil's: an exit code tells it
    "required_log_missing": ("log 12 of {database} is missing", "unknown"),
    "no_network_path": ("the network path was not found", "network-path"),
    "aws": ("AWS refuses it", "unknown"),  # of the host's own modules: no cmdlet of Exchange says it
    "file_not_found": ("there is no file {path}", "not-found"),
    "is_directory": ("{path} is a folder", "bad-value"),
    "not_a_directory": ("{path} is a file", "bad-value"),
    "expired": ("the certificate has expired", "certificate-unusable"),
    "name_in_use": ("there is a DAG {name}", "name-in-use already-exists"),
    "has_members": ("{name} has members", "copies-left"),
    "already_member": ("{server} is a member of {dag}", "already-member"),
    "member_elsewhere": ("{server} is a member of {dag}", "already-member"),
    "not_member": ("{server} is no member of {dag}", "not-member"),
    "busy": ("{server} is being added already", "busy"),
    "too_many": ("{dag} has 16 members", "limit-reached"),
    "is_dc": ("{server} is a domain controller", "member-unfit"),
    "other_domain": ("{server} is in another domain", "member-unfit"),
    "other_os": ("{server} has another Windows", "member-unfit"),
    "other_version": ("{server} has another Exchange", "member-unfit"),
    "feature_pending": ("Failover-Clustering waits for a reboot", "reboot-pending"),
    "witness_is_member": ("{server} is the witness", "witness-is-member"),
    "witness_default_directory": ("the default witness directory on {server} cannot be made", "witness-directory"),
    "cno_denied": ("no right to create the account {name}", "cno-denied"),
    "cno_in_use": ("{name} is a live computer", "name-in-use"),
    "no_ip_for_subnet": ("{dag} has no address in {subnet}", "cluster-address"),
    "ip_in_use": ("{address} is used by {by}", "name-in-use"),
    "has_copies": ("{server} has copies", "copies-left"),
    "networks_automatic": ("{dag} keeps its networks itself", "networks-automatic"),
    "has_subnets": ("{network} has subnets", "network-not-empty"),
    "copy_exists": ("there is a copy {name} already", "copy-exists"),
    "circular_logging": ("{database} has circular logging", "circular-logging"),
    "path_unavailable": ("{path} cannot be used on {server}", "path-unavailable"),
    "no_other_copy": ("no other copy of {name} is healthy", "last-copy"),
    "access_denied": ("access is denied", "access-denied"),
    "already_in_group": ("{server} is already a member of group {name}", "already-done already-member"),
    "has_dependents": ("{service} has dependent services", "has-dependents"),
    "not_in_group": ("{server} is not a member of group {name}", "not-member"),
    "exists": ("the computer {name} exists already", "already-exists"),
    "record_exists": ("{name} is there already", "already-exists"),
    "cname_conflict": ("{name} cannot have a CNAME and others", "dns-conflict"),
    "zone_readonly": ("nobody may write {name}", "access-denied"),
    "syntax": ("`{name}` is no host name", "bad-value"),
}
"""By kind of refusal: what the world says, and what it may be taken for."""
DATA: dict[str, Any] = {
    "name": "N1", "server": "EX1", "service": "MSExchangeRepl", "dag": "DAG1", "path": "D:\\DB01", "database": "DB01",
    "copy": "DB01\\EX1", "subnet": "10.0.1.0/24", "address": "10.0.1.9", "by": "computer", "network": "Net2",
    "limit": 16, "os": "2016", "wanted": "2019", "version": 2016, "members": ["EX1"], "databases": ["DB01"],
    "subnets": ["10.0.1.0/24"], "cluster": "DAG1", "moves": 3, "status": "Suspended", "what": "copy", "length": 12,
    "ci": "Failed",
}  # fmt: skip


def test_every_refusal_of_the_world_is_expected_to_mean_something() -> None:
    assert set(OF_WORLD) == set(get_args(Kind))


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("cmdlet", ["Set-DatabaseAvailabilityGroup", "Suspend-MailboxDatabaseCopy"])
def test_what_the_lab_says_is_understood(kind: Kind, cmdlet: str) -> None:
    said, causes = OF_WORLD[kind]
    error = WorldError(kind, said.format_map(DATA), **DATA)
    type_name, category = kind_of(error)
    text = wording(cmdlet, error, "DB01\\EX1", "dc1.contoso.com")
    record = ErrorRecord(message=text, fqid="[FailureCategory=Cmdlet-X] 1A2B3C4D", type=type_name, category=category)
    assert classify(record).cause in causes.split(), text


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_and_the_causes_are_of_one_piece() -> None:
    used = {pattern.cause for pattern in PATTERNS} | set(BY_CATEGORY.values())
    assert used == set(CAUSES)
    assert all(cause.advice for word, cause in CAUSES.items() if word != NONE)
    assert all(pattern.ids or pattern.text or pattern.codes for pattern in PATTERNS)


def test_several_records_mean_what_the_first_known_one_means() -> None:
    noise = ErrorRecord(message="The command completed successfully but no settings of 'X' have been modified.")
    new = ErrorRecord(message="something new")
    denied, down = ErrorRecord(message="Access is denied."), ErrorRecord(message="0x800706BA")
    assert classify_all((noise, new, denied, down)).cause == "access-denied"
    assert classify_all((noise, new)).cause == UNKNOWN
    assert advice((noise, new)) == advice(()) == ()
    assert advice((new, down)) == (CAUSES["rpc-unavailable"].advice,)


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (ErrorRecord(message="Vorgang fehlgeschlagen.", inner=("System.Exception: 0x800706BA",)), "rpc-unavailable"),
        (ErrorRecord(message="Fehler.", inner=("System.X: a", "M.E.SeedInProgressException: b")), "seed-in-progress"),
        (ErrorRecord(message="Zugriff.", hresult="0x80070005"), "access-denied"),
        (ErrorRecord(message="Fehler.", hresult="0x80131501"), "unknown"),
        (ErrorRecord(message="Fehler.", hresult="0x80004005"), "unknown"),
        (ErrorRecord(message="Error 0x6d9", hresult="0x80070005", inner=("X: 0x80071725",)), "rpc-unavailable"),
    ],
)
def test_what_lies_below_speaks_where_the_record_says_nothing(record: ErrorRecord, cause: str) -> None:
    assert classify(record).cause == cause


def test_a_text_may_speak_of_several_causes() -> None:
    text = "The seeding operation failed. Error: Error 0x6d9 (There are no more endpoints available)."
    assert {"seed-broken", "rpc-unavailable"} <= causes(ErrorRecord(message=text))
    assert classify(ErrorRecord(message=text)).cause == "rpc-unavailable"
