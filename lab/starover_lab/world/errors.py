"""What the world answers when a transition is not possible; knows no wording of Exchange or Windows.

The cmdlets turn a `WorldError` into the error text, id and category that the real thing has.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Data", "Kind", "WorldError"]

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data] | None"
"""JSON-able values, as events and snapshots carry them."""

Kind = Literal[
    "not_found",  # no such object: data object (server, database, copy, dag, account, service, volume...), name
    "server_down",  # the host does not answer at all: data server
    "service_down",  # the host answers, the service does not run: data server, service
    "no_dc",  # no domain controller answers: data site
    "no_quorum",  # cluster calls fail: data cluster
    "no_pam",  # nobody owns the core group at the moment: data cluster
    "active_copy",  # not possible on the active copy: data copy
    "already_suspended",
    "already_mounted",
    "not_mounted",
    "must_be_suspended",
    "reseed_needed",  # FailedAndSuspended: data copy, reason
    "seed_in_progress",  # data copy, source
    "files_exist",
    "source_unhealthy",  # data source, status
    "activation_blocked",  # data server, reason
    "too_many_lost_logs",  # data copy, lost, allowed
    "move_suppressed",  # data database, moves
    "no_candidate",  # no copy can be activated: data database, reasons
    "dac_not_agreed",  # the DACP bit is 0: data database, server, fqdn
    "not_on_lists",  # the server is stopped: data database, server, fqdn
    "mount_failed",  # the server could mount and yet cannot: data database, server, fqdn
    "validation_down",  # a copy cannot be validated for activation: data database, server, fqdn, copy
    "component_offline",  # HighAvailability: data database, server, fqdn, copy
    "copy_unhealthy",  # data copy, status
    "catalog_unhealthy",  # data copy, ci
    "queue_long",  # data copy, what (copy, replay), length
    "aws",  # AWS refuses what a host asks of it: data code
    "limit_of_actives",  # data server, limit
    "seeding_source",  # the active copy feeds a seed: data copy
    "move_failed",  # begun and given up: data database, server, reason
    "invalid",  # a value out of range: data parameter, value, allowed
    "disk_full",
    "file_exists",
    "in_use",
    "log_missing",
    "required_log_missing",
    "file_not_found",
    "is_directory",
    "not_a_directory",
    "expired",
    # DAGs and members
    "name_in_use",  # by a DAG, a computer account or a DAG network: data name, by
    "has_members",  # a DAG that is not empty: data members
    "already_member",  # of this DAG: data server, dag
    "member_elsewhere",  # of another DAG: data server, dag
    "not_member",  # data server, dag
    "busy",  # the same is under way already: data server
    "too_many",  # members or copies beyond the limit: data limit
    "is_dc",  # a domain controller cannot be a member: data server
    "other_domain",  # data server, domain
    "other_os",  # data server, os, wanted
    "other_version",  # data server, version, wanted
    "feature_pending",  # Failover-Clustering waits for a reboot: data server, feature
    "witness_is_member",  # data server
    "witness_default_directory",  # it cannot be made on the witness: data server, directory
    "cno_denied",  # no right to create or to enable the cluster's computer account: data name
    "cno_in_use",  # a live computer has that name: data name
    "no_ip_for_subnet",  # none of the DAG's addresses fits the node's subnet: data server, subnet
    "ip_in_use",  # data address, by
    "is_up",  # a cluster node that is up: data server, cluster
    "not_dac",  # the DAG is not in DAC mode: data dag
    "none_stopped",  # StoppedMailboxServers is empty: data dag
    "no_members_there",  # the site has no member that is meant: data dag, site
    "has_copies",  # replicated databases are still on the server: data server, databases
    "networks_automatic",  # ManualDagNetworkConfiguration is off: data dag
    "has_subnets",  # a DAG network that is not empty: data network
    # copies
    "copy_exists",  # data copy
    "circular_logging",  # data database
    "path_unavailable",  # no such volume there, or another database's place: data server, path
    "no_other_copy",  # no other healthy copy is left: data copy
    # Windows, AD, DNS
    "access_denied",  # data what
    "no_network_path",  # nobody answers on SMB, or there is no such share: data path
    "already_in_group",  # data group, member
    "not_in_group",  # data group, member
    "exists",  # the object is there already: data object, name
    "has_dependents",  # running services need it: data service, dependents
    "record_exists",  # data zone, name, type
    "cname_conflict",  # a CNAME excludes all other records of its name: data zone, name
    "zone_readonly",  # data zone
    "syntax",  # a value that can never be: data parameter, value
]


class WorldError(Exception):
    """A transition was refused; nothing changed."""

    def __init__(self, kind: Kind, message: str, *, blocked_s: float = 0.0, **data: Data) -> None:
        """`blocked_s`: simulated seconds that the caller spends before it learns this (a dead host does not refuse)."""
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.blocked_s = blocked_s
        self.data = data
