"""What can be wrong on the other side, in one word each, and what a person does about it; knows no error record.

A cause that passes by itself is worth another try, after the fact was read again.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAUSES", "Cause"]


class Cause(NamedTuple):
    """What follows from a cause."""

    advice: str
    retryable: bool = False
    after: float | None = None
    """Seconds before another try is worth it; None: the usual back-off."""
    times: int = 3
    """How often it is tried again at most."""


_LATER = 3600.0

CAUSES: dict[str, Cause] = {
    "none": Cause(""),
    # -- said by our own scripts
    "setup-running": Cause(
        "Exchange setup runs on that server: wait until it has ended, then look at the server before going on",
        retryable=True,
        after=_LATER,
    ),
    "rbac-missing": Cause(
        "the account's management roles lack that cmdlet (or the module is not there): add it to the role group, "
        "then open a new session"
    ),
    "wrong-host": Cause("another computer answered at that address: correct DNS or `address:` in the inventory"),
    "wrong-edition": Cause("PowerShell 7 answered: the endpoint must be Windows PowerShell 5.1 (Microsoft.PowerShell)"),
    "lease-lost": Cause("another run has taken over: look at its run before doing anything"),
    "bad-script": Cause("the script itself is wrong or not allowed there: that is ours, not the server's; report it"),
    "no-language": Cause("the endpoint allows no language: use a full Windows PowerShell endpoint, not /PowerShell/"),
    "not-interactive": Cause("the cmdlet asked for confirmation and nobody can answer: report it"),
    # -- reaching things
    "rpc-unavailable": Cause(
        "RPC got no answer: is the server named in the message up, its service running, and are ports 135 and "
        "49152-65535 open to it?",
        retryable=True,
    ),
    "replication-service-down": Cause(
        "look at the service MSExchangeRepl on the server named in the message, and whether that server is up",
        retryable=True,
    ),
    "network-path": Cause("SMB did not get there: is the host up, its name right and port 445 open?", retryable=True),
    "session-failed": Cause("no session to that server: check that it is up, WinRM or /PowerShell runs, DNS is right"),
    "timed-out": Cause("it took too long: look whether it still goes on before trying again", retryable=True),
    "connection-lost": Cause("the connection broke: look what became of it, then try again", retryable=True),
    "throttled": Cause("the other side asks for patience: close idle sessions or wait", retryable=True, after=60.0),
    "credential-unread": Cause(
        "the host reads it with the role of its instance: allow it secretsmanager:GetSecretValue or ssm:GetParameters "
        "(and kms:Decrypt), and look whether `credential:` names the right one"
    ),
    "balancer-failed": Cause("the balancer failed at it: its own log (zapi.log) says why", retryable=True),
    "busy": Cause("the same is under way already: wait for it", retryable=True),
    "transient": Cause("Exchange calls it transient: try again", retryable=True),
    # -- AWS
    "capacity-missing": Cause(
        "that zone has no room for the instance type now: wait, or give the instance another type; never another zone, "
        "since subnet, address and volumes stay in theirs",
        retryable=True,
        after=60.0,
        times=120,
    ),
    "cloud-refused": Cause("this tool's AWS identity lacks the right for that call: add it to its policy"),
    # -- Active Directory, DNS
    "ad-unreachable": Cause(
        "no domain controller answered: check DNS, the DCs of the site and MSExchangeADTopology", retryable=True
    ),
    "ad-lag": Cause(
        "the domain controller that answered does not know it: replication has not got there yet, or it does not "
        "exist (Get-... -DomainController <the other DCs> tells which)",
        retryable=True,
    ),
    "not-found": Cause("it does not exist by that name: check the name, and whether AD has replicated it"),
    "ad-refused": Cause("Active Directory refused the value: the message says which; correct it"),
    "already-exists": Cause("something of that name is there: see whether it is the wanted one"),
    "name-in-use": Cause("the name or address is taken by something else: choose another or remove the other one"),
    "already-done": Cause("it is so already: nothing to do; if the check says otherwise, see which DC answers"),
    "dns-name-missing": Cause("DNS does not know the name: check the record on the server that was asked"),
    "dns-zone-missing": Cause("that DNS server does not hold the zone: check its name and replication scope"),
    "dns-conflict": Cause("a CNAME stands alone on its name: remove the other records of the name first"),
    "dns-failed": Cause("the DNS server did not give an answer: check the server and its forwarders", retryable=True),
    # -- rights
    "access-denied": Cause(
        "the account lacks a right there: local Administrators, the role or AD group in the message, or a second hop"
    ),
    "network-logon": Cause(
        "Windows Update refuses a network logon: run it on the server as SYSTEM (a scheduled task), not over WinRM"
    ),
    "not-authenticated": Cause("wrong or expired credential: correct it first; trying again may lock the account"),
    # -- witness
    "witness-acl": Cause(
        "Exchange Trusted Subsystem is not in Administrators of the witness (or has no right in the cluster): "
        "run witness-prepare, then dag-witness-repair"
    ),
    "witness-unreachable": Cause(
        "the witness was not reached (down, or 445/135/WMI closed in its firewall): run witness-prepare, then "
        "dag-witness-repair",
        retryable=True,
    ),
    "witness-directory": Cause(
        "no witness directory could be made: name one with WitnessDirectory and let WMI through to the witness"
    ),
    "witness-failed": Cause(
        "the witness has failed, the DAG may lose quorum with the next node: run dag-witness-repair"
    ),
    "witness-is-member": Cause("a member cannot be the witness: choose another server"),
    "witness-differs": Cause("the cluster uses another witness than the DAG names: run dag-witness-repair"),
    # -- cluster
    "quorum-lost": Cause(
        "the cluster has no quorum: bring nodes or the witness back; never force it while others may run",
        retryable=True,
    ),
    "cluster-down": Cause(
        "clussvc does not run there, or the cluster has no quorum: look at Get-ClusterNode on another member",
        retryable=True,
    ),
    "cluster-service-failed": Cause(
        "clussvc ended at its start: read the cluster log and the System log of that node, then clear the node"
    ),
    "cluster-config-damaged": Cause(
        "the node's cluster configuration cannot be read: evict it, Clear-ClusterNode on it, and add it again"
    ),
    "service-starting": Cause("the service is still starting: run the same again in a minute", retryable=True),
    "service-start-failed": Cause("the service does not start: read that server's Application and System log"),
    "service-disabled": Cause("the service is disabled: set its start type first"),
    "node-lost": Cause("a node fell out of the cluster: look at its clussvc and its network"),
    "node-quarantined": Cause("the node is quarantined after repeated losses: mend its network, then -ClearQuarantine"),
    "no-gateway": Cause("the cluster call was garbled: give one network adapter of the node a default gateway"),
    "cluster-adapter-missing": Cause(
        "the failover cluster virtual adapter is missing: rescan or reinstall the feature"
    ),
    "cluster-address": Cause("none of the DAG's addresses fits the node's subnet: give the DAG one for it"),
    "cno-denied": Cause("the cluster's computer account (CNO) cannot be made or enabled: run cno-prestage"),
    "reboot-pending": Cause("Windows waits for a restart: restart that server, then go on"),
    # -- DAG
    "dag-only-missing": Cause("the DAG is not in DAC mode (DagOnly): use the runbook for DAGs without DAC"),
    "not-on-started-list": Cause(
        "the server is on neither list of the DAG, or it has no quorum: see Started- and StoppedMailboxServers"
    ),
    "dac-not-agreed": Cause(
        "DAC keeps databases dismounted until the members agree: bring back the members of the Started list",
        retryable=True,
    ),
    "nothing-stopped": Cause(
        "no member stands on the DAG's list of stopped servers: Stop-DatabaseAvailabilityGroup comes first"
    ),
    "no-member-there": Cause("the DAG has no such member in that AD site: check the site's name and its subnets"),
    "node-is-up": Cause("the node is up in its cluster: stop its cluster service first, if that is really wanted"),
    "already-member": Cause(
        "it is a member already: of this DAG nothing is to be done, of another one remove it there"
    ),
    "not-member": Cause("it is no member of that DAG (as this DC sees it): check the name and AD replication"),
    "copies-left": Cause("replicated copies or members are still there: remove them first"),
    "member-unfit": Cause(
        "that server cannot be a member beside the others: same domain, Windows and Exchange version, no DC, 16 at most"
    ),
    "limit-reached": Cause("a limit of Exchange is reached (16 members, 16 copies): take one away first"),
    "networks-automatic": Cause("DAG networks are automatic: set ManualDagNetworkConfiguration first (dag-networks)"),
    "network-not-empty": Cause("the DAG network still has subnets: move them to another one first"),
    # -- databases and copies
    "move-suppressed": Cause(
        "too many moves of that database within the hour: find out why it moves; wait an hour, or ask the on-call lead",
        retryable=True,
        after=_LATER,
    ),
    "no-pam": Cause("nobody is Primary Active Manager at the moment: wait a minute", retryable=True),
    "activation-blocked": Cause(
        "that copy or server is blocked for activation (policy, suspended, component offline or a limit): unblock it"
    ),
    "component-offline": Cause("the component HighAvailability is off there: see who switched it off, then turn it on"),
    "catalog-unhealthy": Cause("the content index is not healthy: mend it, or skip that check knowingly"),
    "queue-long": Cause("logs are still to be copied or replayed: wait until the queues are short", retryable=True),
    "seeding-source": Cause("the copy is the source of a seed: wait until the seed has ended", retryable=True),
    "seed-in-progress": Cause(
        "a seed runs already: wait for it (one target at a time without -DatabaseOnly)", retryable=True
    ),
    "seed-broken": Cause("the seed broke off; the copy object stays: run copy-seed"),
    "copy-unhealthy": Cause("the copy is not healthy: its status and last error say why"),
    "source-unhealthy": Cause("the seed's source is not healthy: choose another source"),
    "must-be-suspended": Cause("the copy must be suspended before it is seeded"),
    "copy-diverged": Cause(
        "its logs went another way than the active copy's: keep its files, they may hold mail that is lost elsewhere, "
        "then run copy-seed"
    ),
    "reseed-needed": Cause("the copy must be seeded anew: run copy-seed, resuming does not help"),
    "copy-suspended-already": Cause("the copy is suspended already: see by whom and why before resuming it"),
    "copy-active": Cause("that is not possible on the active copy: move the database first"),
    "copy-exists": Cause("the copy is there already: only its properties may need a change"),
    "files-exist": Cause("old files lie at the target: look at them, then seed with -SafeDeleteExistingFiles"),
    "last-copy": Cause("no other healthy copy would be left: bring another one to Healthy first"),
    "circular-logging": Cause("JET circular logging is on: switch it off and remount before adding the second copy"),
    "path-unavailable": Cause("the database's path is not to be had on that server: the volume must be there too"),
    "disk-full": Cause("no room on the disk: make room or choose another volume"),
    "preference-range": Cause("the activation preference must lie between 1 and the number of copies"),
    "data-loss": Cause("logs are missing: mounting loses mail; only a person may accept that"),
    "database-file-missing": Cause(
        "the .edb is gone and its logs are not: restore it or seed it; do not mount it empty"
    ),
    "database-damaged": Cause("the store cannot use the files (dirty or of another set): seed from a healthy copy"),
    "mount-failed-before": Cause("an earlier mount failed: its event in the server's Application log says why"),
    "store-unavailable": Cause("the store did not answer: look at MSExchangeIS on that server", retryable=True),
    "store-restart-wanted": Cause(
        "MSExchangeIS of that server wants a restart: in the window, after its databases have moved away"
    ),
    "not-mounted": Cause("the database must be mounted for that"),
    "availability-low": Cause("fewer healthy copies than wanted: see Get-MailboxDatabaseCopyStatus"),
    "move-failed": Cause("the database could not be moved and the script rolled back: see why before the next try"),
    # -- certificates
    "certificate-unusable": Cause("Exchange cannot use the certificate (key, chain or password): import it again"),
    # -- updates and setup
    "update-busy": Cause("another installation runs on that server: wait for it", retryable=True),
    "update-source": Cause(
        "the update service was not reached: check WSUS, proxy and DNS of that server", retryable=True
    ),
    "update-failed": Cause("Windows Update failed with the code in the message: look it up before the next try"),
    "setup-prerequisite": Cause(
        "setup refuses: a prerequisite is missing; do what the message says and start it again"
    ),
    "files-in-use": Cause("a process holds the files: end it, then go on"),
    "install-source-missing": Cause("the installer's source is gone: mount the media it was installed from"),
    "installer-failed": Cause("the installer broke off: read its log, and leave the server in maintenance"),
    # -- the rest
    "not-exchange": Cause("that is no Exchange server: check the name"),
    "command-missing": Cause("the command is not there: module missing, no role for it, or a file is gone"),
    "has-dependents": Cause("running services need it: they are stopped with it, or first"),
    "bad-value": Cause("a value is not accepted: the message says which; correct it"),
    "not-supported": Cause("that server does not support the call: check its version and build"),
    "object-invalid": Cause("an object in AD is damaged or incomplete: mend it before going on"),
    "product-bug": Cause("Exchange fell over its own feet: read the log behind it; restart of the service may help"),
    "see-log": Cause("the task's log on that server says why: C:\\ExchangeSetupLogs\\DagTasks"),
}
