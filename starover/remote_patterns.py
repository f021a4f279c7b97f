"""The table behind `remote_errors`: what an error record of each cause (`remote_causes`) looks like.

Data only; knows no engine and no wire. Most specific first, since the first pattern that fits decides; ids, types and
codes before words within the same weight. Every Active Manager error opens with the same words, so those words decide
nothing: what stands behind them does.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["BY_CATEGORY", "PATTERNS", "Mark", "Pattern"]

Mark: TypeAlias = Literal["obs", "doc", "mem"]
"""Where a pattern comes from. `obs`: seen in a published transcript or log of a real server. `doc`: documented by
Microsoft, or an id, type or code that Windows defines. `mem`: remembered wording, never seen in a source: change it
freely."""


class Pattern(NamedTuple):
    """What an error record of a cause looks like. Every part that is given must fit."""

    cause: str
    mark: Mark
    ids: re.Pattern[str] | None
    """Searched in FullyQualifiedErrorId and exception type."""
    text: re.Pattern[str] | None
    """Searched in the message."""
    codes: frozenset[int]
    """Windows codes (an HRESULT 0x8007xxxx counts as its last four digits), or other HRESULTs whole; one is enough."""
    command: re.Pattern[str] | None
    """Searched in the command's name and its id."""


def _p(
    cause: str, mark: Mark, text: str = "", *, ids: str = "", codes: tuple[int, ...] = (), command: str = ""
) -> Pattern:
    compiled = [re.compile(one, re.IGNORECASE) if one else None for one in (ids, text, command)]
    return Pattern(cause, mark, compiled[0], compiled[1], frozenset(codes), compiled[2])


PATTERNS: tuple[Pattern, ...] = (
    # -- our own words, which no language changes
    _p("setup-running", "obs", r"^setup-running\b"),
    _p("rbac-missing", "obs", r"^rbac-missing\b"),
    _p("wrong-host", "obs", r"^wrong-host\b"),
    _p("wrong-edition", "obs", r"^wrong-edition\b"),
    _p("lease-lost", "obs", r"^lease-lost\b"),
    _p("bad-script", "obs", r"^not-one-object\b"),
    _p("credential-unread", "obs", r"^credential-unread\b"),
    _p("balancer-failed", "obs", ids=r"^zapi-5\d\d\b"),
    # -- no errors at all
    _p("none", "obs", r"completed successfully"),
    _p("none", "obs", r"some failover clustering cmdlets do not work remotely"),
    _p("none", "obs", r"^\[.* UTC\] \S+: Name='.*', Status="),
    _p("none", "obs", r"performance counter"),
    _p("see-log", "obs", r"DagTasks\\dagtask_"),
    # -- the session
    _p("no-language", "doc", ids=r"^ScriptsNotAllowed\b"),
    _p("no-language", "doc", r"no-language mode"),
    _p("not-interactive", "doc", r"NonInteractive mode|does not support user interaction"),
    _p("throttled", "mem", codes=(2150859174, 2150859236)),  # WS-Management: quota of operations, of shells
    _p("throttled", "mem", ids=r"OverBudget|Throttl|LimitsExceeded|BackoffException"),
    _p(
        "throttled",
        "mem",
        r"maximum number of (concurrent|connections)|throttl|exceeded .*(budget|quota)|quota .*exceeded",
    ),
    # -- what the script or the session got wrong, whatever the words behind it
    _p("throttled", "doc", ids=r"^ConcurrentSnapshotLimitExceeded\b"),
    _p("capacity-missing", "doc", ids=r"^InsufficientInstanceCapacity\b"),
    _p("cloud-refused", "doc", ids=r"^UnauthorizedOperation\b"),
    _p("rbac-missing", "doc", ids=r"ErrorNoResultsFromRemoteEnd|ErrorNoCommandsImported"),
    _p("command-missing", "obs", ids=r"CommandNotFound"),
    _p(
        "bad-script",
        "doc",
        ids=r"ParseException|ParserError|UnexpectedToken|InvokeMethodOnNull|MethodInvocationNotSupportedInConstrainedLanguage",
    ),
    _p(
        "bad-value",
        "doc",
        ids=r"ParameterBinding|ParameterArgument|CannotConvertArgument|NamedParameterNotFound|AmbiguousParameter",
    ),
    _p(
        "bad-value",
        "doc",
        r"parameter cannot be found|cannot (bind|process) (argument|parameter)|cannot validate argument",
    ),
    _p("bad-script", "doc", r"null-valued expression"),
    # -- ids and types that mean one thing
    _p("has-dependents", "doc", ids=r"^ServiceHasDependentServices\b"),
    _p("has-dependents", "doc", r"has dependent services"),
    _p("dac-not-agreed", "mem", ids=r"AutoMountConsensus|DatacenterActivation"),
    _p("move-suppressed", "obs", ids=r"MoveSuppress|2701F309"),
    _p("seed-in-progress", "doc", ids=r"SeedInProgress|FE1C6491"),
    _p("ad-lag", "obs", ids=r"InvalidDbForSeedSpecified"),
    _p("copy-diverged", "mem", ids=r"Divergen|IncrementalReseedFailed"),
    _p("must-be-suspended", "doc", ids=r"InvalidStateForBegin|CopyNotSuspended"),
    _p("reseed-needed", "doc", ids=r"ReseedRequired|ReseedNeeded"),
    _p("database-damaged", "obs", ids=r"JetError"),
    _p("dns-name-missing", "obs", ids=r"DNS_ERROR_RCODE_NAME_ERROR|DNS_INFO_NO_RECORDS"),
    _p("dns-failed", "obs", ids=r"DNS_ERROR_RCODE_\w+"),
    _p("dns-failed", "doc", ids=r"ResolveDnsName", codes=(1460, 9002, 9005)),
    _p("dns-failed", "mem", ids=r"ERROR_TIMEOUT.*ResolveDnsName"),
    _p("cluster-down", "obs", ids=r"ClusterEndpointNotRegistered"),
    _p("cluster-down", "mem", ids=r"AmClusterNotRunning|ClusterNotRunning|ClusterNotInstalled"),
    _p("rpc-unavailable", "mem", ids=r"ClusterRpcConnection"),
    _p("access-denied", "mem", ids=r"ClusterAccessDenied"),
    _p("quorum-lost", "mem", ids=r"NoQuorum|QuorumLost|QuorumNotEnough"),
    _p("no-pam", "mem", ids=r"AmInvalidConfiguration|AmReferralException|AmServerNotFound"),
    _p("replication-service-down", "mem", ids=r"ReplayServiceDown|ReplayServiceRpc"),
    _p(
        "ad-unreachable",
        "mem",
        ids=r"ADServerDown|ADTopology\w*Exception|SuitabilityDirectory|NoSuitableServer|ADTransient",
    ),
    _p("ad-lag", "obs", r"'[^']*'.*'[\w-]+(\.[\w-]+)+'", ids=r"ManagementObjectNotFound"),  # names the DC
    _p("already-done", "doc", ids=r"MemberExists"),
    _p("name-in-use", "doc", ids=r"IdentityAlreadyExists|PropertyValueNotUnique"),
    # -- witness: the same codes mean something else there
    _p("witness-acl", "doc", r"exchange trusted subsystem|insufficient (permission|access).*witness"),
    _p("witness-acl", "doc", r"AddClusterNode\(\)", codes=(5,)),
    _p("witness-acl", "doc", r"witness.*access (is|was) denied"),
    _p("witness-unreachable", "doc", r"witness", codes=(1722, 1753, 53, 64, 67)),
    _p(
        "witness-unreachable",
        "doc",
        r"access file shares? on witness|witness directory .* on witness server|witness.*network path",
    ),
    _p("witness-directory", "doc", r"default witness directory"),
    _p("witness-differs", "doc", r"witness .*(doesn't|does not) match"),
    _p("witness-is-member", "mem", r"witness.*(is|cannot be|can't be|and) a member|\bis the witness\b"),
    _p("witness-failed", "obs", r"witness (is|was)?.*(failed|offline)|witness .*(can't|couldn't|cannot) be"),
    # -- cluster
    _p("quorum-lost", "doc", codes=(5925,)),  # ERROR_CLUSTER_NO_QUORUM
    _p("already-member", "obs", codes=(5065,)),  # ERROR_CLUSTER_NODE_EXISTS
    _p("no-gateway", "doc", codes=(1783,)),  # the stub received bad data
    _p("cluster-service-failed", "obs", r"CreateCluster|AddClusterNode|clus", codes=(1066,)),
    _p("service-starting", "obs", codes=(70,)),  # the remote server is paused or starting
    _p("service-starting", "obs", r"marked as stopped .* but couldn't be removed from the cluster"),
    _p("cluster-adapter-missing", "obs", r"miniport|virtual adapter"),
    _p("cluster-config-damaged", "obs", r"cluster service cannot be started.*(registry|configuration)"),
    _p("node-quarantined", "obs", r"quarantine"),
    _p("node-lost", "obs", r"removed from the active failover cluster membership"),
    _p(
        "reboot-pending",
        "obs",
        r"(reboot|restart)\b.*\b(pending|required|needed)|pending (reboot|restart)|waits for a reboot",
    ),
    _p("reboot-pending", "obs", r"failover-clustering.*(pending|reboot|fully installed)"),
    _p("reboot-pending", "doc", codes=(3010, 1641)),
    # -- the account's groups
    _p("access-denied", "obs", r"\ba member of\b.{0,60}\b(role group|admins|operators|management|administrators)\b"),
    # -- DAG, before bare codes
    _p("dag-only-missing", "obs", r"DatacenterActivationMode|\bDagOnly\b"),
    _p("not-on-started-list", "obs", r"stopped or started servers list"),
    _p("nothing-stopped", "doc", r"\bno (mailbox )?servers\b.*(stopped|StoppedMailboxServers)|has no stopped servers"),
    _p("no-member-there", "mem", r"has no such member servers in site|no member is in "),
    _p("node-is-up", "mem", r"is a node that is up"),
    _p("dac-not-agreed", "mem", r"datacenter activation|\bDACP\b|not permitted to mount|auto-?mount consensus"),
    _p("networks-automatic", "doc", r"ManualDagNetworkConfiguration|keeps its networks itself"),
    _p("network-not-empty", "obs", r"network .*(has|contains|still).*subnets|has subnets"),
    _p("cno-denied", "doc", r"(CNO|computer (account|object)|network name).*(right|permission|access|denied|disabled)"),
    _p("cno-denied", "doc", r"(right|full control).*(create|over) the account"),
    _p("cluster-address", "doc", r"addresses? .*(fits|matches|in|for) .*subnet|no address in \S+/\d+"),
    _p(
        "already-member",
        "mem",
        r"already (a |an )?(member|node)|is a (member|node) already|(already )?belongs to .*availability group",
    ),
    _p(
        "copies-left",
        "doc",
        r"(replicated|database) .*copies|still (has|hosts).*(copies|members|databases)|has (copies|members)\b",
        command=r"^(Remove|Set)-DatabaseAvailabilityGroup|RemoveDatabaseAvailabilityGroup",
    ),
    _p("copies-left", "doc", r"replicated (mailbox )?databases|(isn't|is not) empty.*availability group"),
    _p("limit-reached", "doc", r"limit of \d+ .*reached|maximum number of (members|servers|(database )?copies)"),
    _p("member-unfit", "doc", r"runs? (exchange|windows)\b.*\b(members|instead)\b"),
    _p(
        "member-unfit", "doc", r"same operating system|different .*operating system|another (windows|exchange|domain)\b"
    ),
    _p(
        "member-unfit",
        "doc",
        r"is a domain controller|in another domain|different (domain|version)",
    ),
    _p(
        "not-member",
        "doc",
        r"(not|no|isn't) (a )?member of|(not|isn't) in (a|the) (dag|database availability group)|is in no dag",
    ),
    _p("copies-left", "mem", r"still (has|have|hosts)( \w+)? (member|cop(y|ies)|database)"),
    # -- moves
    _p("copy-unhealthy", "obs", r"is in an? \w+ state on server .*SkipHealthChecks"),
    _p("move-suppressed", "obs", r"suppressed because|too many moves|moved too recently"),
    _p("component-offline", "obs", r"component .*\bstate is offline|component .*\b(inactive|offline)\b"),
    _p("availability-low", "obs", r"availability check failures|lowering its availability|fault tolerant"),
    _p("move-failed", "obs", r"\*FAILED\* to move|failed to move.*rollback"),
    # -- seeds
    _p(
        "seed-in-progress",
        "doc",
        r"SeedInProgress|existing seed|seed\w* .*already .*in progress|already .*(being seeded|seed .*progress)",
    ),
    _p("ad-lag", "obs", r"isn't configured for replication"),
    _p("must-be-suspended", "doc", r"must be suspended|(isn't|is not) suspended"),
    _p("seeding-source", "doc", r"(used as|is) (a |the )?(seeding source|source of a seed)|gives a seed"),
    _p("seed-in-progress", "mem", r"is being seeded"),
    _p("source-unhealthy", "mem", r"source .*(isn't|is not|un)\s?healthy|cannot give the seed"),
    _p("last-copy", "mem", r"no other (healthy )?copy|last (remaining |healthy )?copy"),
    _p("files-exist", "doc", r"DeleteExistingFiles|files? already exist|has (database|log|existing)?.*\bfiles\.?$"),
    _p("copy-diverged", "mem", r"\bdiverge|incremental (re)?seed"),
    _p(
        "reseed-needed",
        "doc",
        r"needs? to be (re)?seeded|must be (re)?seeded|(requires?|needs?) a (full )?reseed|FailedAndSuspended",
    ),
    # -- copies
    _p("copy-unhealthy", "mem", r"(isn't|is not) in a healthy state|copy .*(isn't|is not) healthy"),
    _p("copy-suspended-already", "mem", r"(already suspended|suspended already)"),
    _p("copy-exists", "doc", r"already (hosts|has) a copy|copy .*already( exists)?\.?$"),
    _p(
        "copy-active",
        "doc",
        r"is the active (mailbox )?(database )?copy|active (mailbox )?database copy|on an? active copy"
        r"|currently hosted on",
    ),
    _p("circular-logging", "doc", r"circular logging"),
    _p("preference-range", "doc", r"activation preference"),
    _p("catalog-unhealthy", "doc", r"content ?index|search catalog|catalog (is|isn't|state)"),
    _p("queue-long", "mem", r"(copy|replay) ?queue"),
    _p(
        "activation-blocked",
        "doc",
        r"Maximum(Preferred)?ActiveDatabases|activation .*(blocked|suspended|disabled)|blocked .*activation",
    ),
    _p("activation-blocked", "mem", r"no (other )?(healthy )?copy of|can (not |')?be activated|cannot be activated"),
    # -- mounting
    _p("database-file-missing", "obs", r"database file .* is missing|\.edb'? is missing"),
    _p("database-damaged", "obs", r"JetError|\bec=-\d{3,4}\b|dirty shutdown|file check failed"),
    _p("database-damaged", "mem", r"\bchecksum|(?<!\d)-1018\b"),
    _p(
        "data-loss",
        "mem",
        r"AcceptDataLoss|data loss|logs? (would be|are|were|is) (lost|missing)|lost logs|MountDialOverride",
    ),
    _p("mount-failed-before", "obs", r"cannot be mounted due to a previous error"),
    _p("ad-lag", "obs", codes=(0x8004010F,)),  # MapiExceptionNotFound: the DC of the server does not know it yet
    _p("ad-lag", "obs", r"MapiExceptionNotFound"),
    _p("access-denied", "mem", r"MapiException(NoAccess|NotAuthorized)"),
    _p("store-restart-wanted", "doc", r"restart the microsoft exchange information store"),
    _p("store-unavailable", "obs", codes=(0x80040115,)),
    _p("store-unavailable", "obs", r"MapiExceptionNetworkError"),
    _p("store-unavailable", "mem", r"MapiException\w+|unable to mount|information store .*not .*running"),
    _p("already-done", "mem", r"(already|is) mounted|mounted already"),
    _p("not-mounted", "doc", r"(not|isn't) mounted|\bdismounted\b"),
    # -- certificates
    _p("not-found", "obs", r"certificate .*was not found"),
    _p(
        "certificate-unusable",
        "obs",
        r"PrivateKeyMissing|certificate .*(not|n't) valid|cannot be imported or the wrong password",
    ),
    _p("certificate-unusable", "mem", r"certificate.*\bexpired"),
    _p("certificate-unusable", "mem", r"special rpc error", ids=r"ExchangeCertificate"),
    # -- Windows Update
    _p("update-busy", "doc", codes=(0x80240016, 1618)),
    _p("network-logon", "doc", r"0x80240044"),
    _p(
        "network-logon",
        "obs",
        r"CreateUpdate(Searcher|Downloader|Installer)|IUpdate\w+|AddScanPackageService|QueryHistory",
    ),
    _p("network-logon", "obs", ids=r"WindowsUpdate|Microsoft\.Update", codes=(5,)),
    _p("update-source", "doc", r"0x8024402c|0x80244[0-9a-f]{3}|0x80072e[ef][0-9a-f]"),
    _p("update-failed", "doc", r"0x8024[0-9a-f]{4}"),
    # -- setup
    _p("install-source-missing", "obs", codes=(1612, 1706)),
    _p("install-source-missing", "obs", r"installation source .*not available"),
    _p("installer-failed", "obs", codes=(1603, 1602, 1619, 1620, 1635)),
    _p("installer-failed", "obs", r"fatal error during installation"),
    _p(
        "files-in-use",
        "obs",
        r"has open files|being used by another process",
    ),
    _p(
        "setup-prerequisite",
        "obs",
        r"(isn't|is not|must be|needs? to be) installed|redistributable|\brequires? (the )?(\.net|windows|visual)",
    ),
    _p(
        "setup-prerequisite",
        "obs",
        r"/prepare(AD|Domain|Schema|AllDomains)|schema master|functional level|\bsetup (can't|cannot|must|needs)",
    ),
    # -- DNS
    _p("dns-name-missing", "mem", codes=(9003, 9701, 9714, 9501)),
    _p("dns-failed", "mem", codes=(9002, 9005)),
    _p("dns-zone-missing", "mem", codes=(9601,)),
    _p("already-exists", "mem", codes=(9711, 9609)),
    _p("dns-conflict", "mem", codes=(9709,)),
    _p("dns-conflict", "mem", r"CNAME .*(conflict|and others|other)"),
    _p("bad-value", "mem", codes=(9560,)),
    # -- quorum, Active Manager, AD
    _p(
        "quorum-lost",
        "doc",
        r"quorum (was|is|has been) lost|(lost|no|without|(not|must|n't) have|loss of) (the )?(cluster )?quorum",
    ),
    _p("no-pam", "mem", r"primary active manager"),
    _p("replication-service-down", "obs", r"replication service (may not be|isn't|is not) running"),
    _p("ad-lag", "obs", r"couldn't be found on '[^']+'"),
    _p("not-authenticated", "doc", codes=(1326, 1327, 1330, 1331, 1907, 1909)),
    # -- codes of Windows
    _p("access-denied", "doc", codes=(5, 8344, 0x80070005, 0x80090010, 0x80338043)),
    _p("rpc-unavailable", "doc", codes=(1722, 1726, 1727, 1753)),
    _p("ad-unreachable", "doc", codes=(8250, 1355, 1311, 0x80040A02, 81)),  # 8250: the server is not operational
    _p("network-path", "doc", codes=(53, 64, 67, 1203, 1231)),
    _p("timed-out", "doc", codes=(1460, 121, 258)),
    _p("already-done", "doc", codes=(1378, 1377, 1056)),
    _p("name-in-use", "doc", codes=(1316, 2224, 52, 5010, 5057, 8305, 8647, 8648)),
    _p("already-exists", "doc", codes=(183, 80, 2118)),
    _p("disk-full", "doc", codes=(112, 39)),
    _p("files-in-use", "doc", codes=(32, 33)),
    _p("service-disabled", "doc", codes=(1058,)),
    _p("service-start-failed", "doc", codes=(1053, 1066, 1067, 1068, 1069)),
    _p("not-found", "doc", codes=(2, 3, 1060, 1168, 1332, 1387, 8240, 8333, 5042)),
    _p("ad-refused", "doc", codes=(8245, 8239, 8202, 8204)),
    _p("session-failed", "doc", codes=(0x80338012, 0x80338126)),
    # -- types that many cmdlets share
    _p("transient", "mem", ids=r"\w*Transient\w*Exception"),
    _p(
        "not-found",
        "obs",
        ids=r"ObjectNotFound|IdentityNotFound|ItemNotFound|\w+NotFoundException(?<!CommandNotFoundException)",
    ),
    _p(
        "not-found",
        "doc",
        ids=r"CmdletizationQuery_NotFound|NotFoundForGivenName|(Group|Member|Principal|Path|Object)NotFound",
    ),
    _p("already-exists", "doc", ids=r"AlreadyExists|ADObjectAlreadyExists|DirectoryExist"),
    _p(
        "access-denied",
        "obs",
        ids=r"UnauthorizedAccess|AccessDenied|SecurityException|PermissionDenied|InsufficientAccess",
    ),
    _p("object-invalid", "obs", r"corrupted|inconsistent state|deleted object|invalid DN"),
    _p(
        "bad-value",
        "doc",
        ids=r"DataValidation|ValidationException|ArgumentException|ArgumentOutOfRange|FormatException",
    ),
    _p("timed-out", "obs", ids=r"TimeoutException|OperationTimeout"),
    _p("product-bug", "obs", ids=r"NullReference|TypeInitialization|Watson"),
    _p("session-failed", "doc", ids=r"PSSessionOpenFailed|PSSessionStateBroken|PSRemotingTransport"),
    # -- words alone: English only
    _p("product-bug", "obs", r"Watson dump|object reference not set|type initializer for"),
    _p(
        "ad-unreachable",
        "obs",
        r"ldap server is unavailable|active directory (server )?.*(not available|can't be contacted|unavailable)",
    ),
    _p("ad-unreachable", "mem", r"LDAP_SERVER_DOWN|suitable global catalog|set of domain controllers"),
    _p(
        "ad-unreachable",
        "obs",
        r"server is not operational|no (suitable )?domain controller|shared config dc|unable to contact the server",
    ),
    _p("cluster-down", "obs", r"cluster service .*(not running|stopped)|cluster is not running|clussvc .*not running"),
    _p(
        "rpc-unavailable", "obs", r"rpc server is (unavailable|too busy)|no more endpoints|remote procedure call failed"
    ),
    _p("service-disabled", "obs", r"service .*disabled"),
    _p(
        "service-start-failed",
        "obs",
        r"service .*failed to reach status|service .*(cannot|can't|couldn't|could not|failed to) (be )?(start|stop)",
    ),
    _p("service-starting", "obs", r"service checkpoint"),
    _p("network-path", "doc", r"network (path|name) (was|is|cannot|could not)"),
    _p("timed-out", "obs", r"timed? ?out\b|timeout|within the time specified"),
    _p("transient", "obs", r"transient (error|failure|exception)|please retry the operation"),
    _p("ad-refused", "obs", r"constraint violation(?!.*unique)|ldifde"),
    _p("busy", "mem", r"resource is in use"),
    _p(
        "name-in-use",
        "obs",
        r"not unique|name .*in use|in use by|already (in use|used|taken)|(is|belongs to) a live|belongs to|used by",
    ),
    _p("command-missing", "obs", r"not recognized as (the|a) name of a cmdlet"),
    _p(
        "access-denied",
        "obs",
        r"access .*(is|was) denied|insufficient access|(not|n't) have .*(permission|privilege|access right)|nobody may",
    ),
    _p("not-authenticated", "doc", r"password is incorrect|logon failure|unknown user name"),
    _p("access-denied", "obs", r"isn't assigned to any management roles|is not authorized|second hop"),
    _p("disk-full", "mem", r"(not enough|insufficient|no) .*(space|room)|disk .*full"),
    _p("path-unavailable", "doc", r"path .*(not|isn't) (available|to be had)|cannot be used on"),
    _p(
        "already-done",
        "mem",
        r"is already (a member|in)\b|is (not )?in Administrators|already (set|enabled|disabled|done)",
    ),
    _p(
        "busy", "mem", r"being added|is (already )?(in progress|under way|running already)|another (operation|instance)"
    ),
    _p("not-exchange", "obs", r"(is not|isn't|is no) an? ?exchange server|has no exchange"),
    _p("already-exists", "obs", r"already exists|exists already|(is )?there already|already in use"),
    _p("object-invalid", "obs", r"is mandatory on"),
    _p(
        "not-found",
        "obs",
        r"(couldn't|could not|cannot|can't|unable to) (be )?(find|found|locate|resolve)|failed to find"
        r"|(was|were|is) not found|does(n't| not) exist|no such",
    ),
    _p(
        "not-found",
        "mem",
        r"^(there is )?no (such|certificate|account|rule|zone|file|folder|copy|group|server|dag)\b|^there is no",
    ),
    _p("cluster-address", "obs", r"incorrectly configured static addresses"),
    _p("bad-value", "obs", r"matches multiple|more than one (object|entry)"),
    _p("seed-broken", "obs", r"seeding operation failed"),
    _p(
        "connection-lost",
        "mem",
        r"forcibly closed|connection was (closed|reset|aborted)|communication channel|I/O operation has been aborted",
    ),
    _p(
        "rpc-unavailable",
        "mem",
        r"(couldn't|could not|can't|cannot|unable to) (contact|connect|communicate|be contacted)",
    ),
    _p("bad-value", "mem", r"is (a|not a|no) (folder|directory|file)\b"),
    _p("bad-value", "obs", r"^cannot convert"),
    _p("not-supported", "obs", r"not supported|isn't supported|doesn't support"),
    _p(
        "bad-value",
        "obs",
        r"cannot convert|cannot (bind|validate)|not a valid|is invalid|isn't valid|value cannot be null|out of range",
    ),
    _p("ad-refused", "obs", r"active directory operation failed"),
)

BY_CATEGORY = {
    "AuthenticationError": "not-authenticated",
    "ConnectionError": "session-failed",
    "InvalidArgument": "bad-value",
    "InvalidData": "bad-value",
    "InvalidType": "bad-value",
    "LimitsExceeded": "throttled",
    "NotImplemented": "not-supported",
    "NotInstalled": "command-missing",
    "ObjectNotFound": "not-found",
    "OperationTimeout": "timed-out",
    "ParserError": "bad-script",
    "PermissionDenied": "access-denied",
    "QuotaExceeded": "throttled",
    "ResourceBusy": "busy",
    "ResourceExists": "already-exists",
    "SecurityError": "access-denied",
    "SyntaxError": "bad-script",
}
"""PowerShell's own categories, the same in every language: what they mean when no pattern fits."""
