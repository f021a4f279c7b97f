"""Every number of the simulated world that may be turned, with its default; knows no transition that uses it.

The defaults are those of simulator.md section 5. A topology file sets others under `tuning`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Tuning"]


class Tuning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Durations are simulated seconds, speeds as their names say."""

    read_s: float = 0.5
    """A cmdlet that reads."""
    write_s: float = 2.0
    """A cmdlet that writes."""
    rpc_timeout_s: float = 21.0
    """How long a caller waits before it learns that a dead server does not answer (three TCP attempts of Windows)."""
    slow_factor: float = 10.0
    """How much longer everything takes on a host with the fault `winrm_slow`."""

    add_first_member_s: float = 150.0
    """Add-DatabaseAvailabilityGroupServer for the first member: it forms the cluster."""
    add_member_s: float = 180.0
    remove_member_s: float = 60.0
    feature_install_s: float = 60.0
    shutdown_s: float = 30.0
    """From the wish to restart until the host is off."""
    rtt_same_az_ms: float = 0.4
    rtt_cross_az_ms: float = 1.2

    ad_intra_site_s: float = 15.0
    ad_inter_site_s: float = 180.0
    """Change notification is on; without it an interval of 900 s is usual."""

    busy_hour: float = 14.0
    """Hour of the day (UTC) at which databases write their full `log_rate_per_min`."""
    quiet_share: float = 0.2
    """Share of that rate written twelve hours later; sinus between."""
    ship_latency_s: float = 1.0
    """From a log's closing to its arrival on a passive copy, beside the round trip."""
    inspect_s: float = 0.5
    ship_logs_per_s: float = 40.0
    """While catching up; a log is 1 MB."""
    replay_logs_per_s: float = 20.0
    """The documented floor for planning is 2/s."""
    replay_latency_s: float = 0.5
    initializing_s: float = 15.0
    """Typical; 30 s is the most that is documented."""
    resynchronizing_s: float = 20.0
    seed_mb_per_s_same_az: float = 80.0
    seed_mb_per_s_cross_az: float = 60.0
    """Shared by all seeds of one source."""

    heartbeat_same_subnet_s: float = 10.0
    heartbeat_cross_subnet_s: float = 20.0
    witness_check_s: float = 20.0
    """Until the cluster notices that its file share witness is gone."""
    join_s: float = 15.0
    """A node that starts while the cluster runs: from `Joining` to `Up`."""
    cluster_restart_s: float = 60.0
    """The service control manager starts the cluster service again after it gave up."""
    pam_election_s: float = 5.0
    arbitration_delay_s: float = 6.0
    """How much later than the owner of the core group other nodes reach for the witness's lock."""
    lock_round_trips: float = 10.0
    """That it takes to lock the share: with a bad way the owner may come too late."""
    isolated_s: float = 240.0
    """How long a node that lost its heartbeats stays Isolated before it is Down; 2012 R2 knows no such time."""
    quarantine_exits: int = 3
    """So many unexpected exits within an hour put a node into quarantine."""
    quarantine_s: float = 7200.0
    restore_dag_s: float = 300.0
    """Restore-DatabaseAvailabilityGroup."""
    start_dag_member_s: float = 120.0
    """Start-DatabaseAvailabilityGroup, for each server."""
    stop_dag_member_s: float = 30.0
    """Stop-DatabaseAvailabilityGroup, for each server that answers."""
    restore_evicts: Literal["first", "second"] = "first"
    """second: a Restore that had to force quorum evicts nobody, the next one does (facts/exchange.md point 15)."""
    setdag_after_restore: Literal["primary", "keep"] = "primary"
    """Where a Set-DAG that names no witness puts it after a Restore: back to the primary one, or nowhere else."""

    failover_min_s: float = 15.0
    failover_max_s: float = 30.0
    mount_s: float = 5.0
    """Plus the replay queue at replay speed."""
    dismount_s: float = 3.0
    switchover_s: float = 10.0
    moves_before_suppression: int = 3
    """So many moves of one database within `move_suppression_s` suppress the next (facts/exchange.md point 5); 0: none
    is ever suppressed."""
    move_suppression_s: float = 3600.0
    move_now_s: float = 30.0
    """How often what is active on a server with `DisabledAndMoveNow` is tried to be moved off it."""
    rebalance_pause_s: float = 10.0
    """Between two databases that the rebalance moves."""
    lost_log_resilience: int = 1
    """Logs beyond the branch point that a returning copy mends by itself."""
    divergence_mend_s: float = 60.0

    play_down_copies: int = 3
    """Fewer good copies for high availability than these, and the lag manager plays lagged copies down [doc]."""
    play_down_after_s: float = 86_400.0
    play_down_free_mb: float = 10_000.0
    """Less free space than that on a lagged copy's log volume plays it down at once."""
    slow_disk_ms: float = 25.0
    """Above it a disk is slow: replay takes longer and a play-down is put off, at most by ReplayLagMaxDelay."""

    messages_per_log: int = 8
    resubmit_s: float = 120.0
    """Until a Safety Net whose servers answer has resubmitted everything."""
    resubmit_retry_s: float = 43_200.0
    """How long a dead primary Safety Net is tried before its shadow is asked [doc: 12 hours]."""
    safety_net_recovers: float = 0.95
    """Chance that a resubmission brings all lost mail back."""

    service_stop_s: float = 5.0
    service_start_s: float = 20.0
    store_start_s: float = 30.0
    transport_start_s: float = 40.0
    update_mb_per_s: float = 20.0
    """Download of Windows updates."""
    update_search_s: float = 20.0
    update_reboot_s: float = 300.0
    """How much longer a reboot takes that ends installations."""
    update_search_remote: Literal["by_os", "allowed", "refused"] = "by_os"
    """Whether a network logon may search for updates; by_os: not on Windows Server 2025 (facts/exchange.md point 4)."""
    healthcheck_mode: Literal["503", "reset", "timeout"] = "503"
    """What the health page of an inactive protocol answers."""
    mail_per_min: float = 180.0
    """Messages that each transport server takes in."""
    delivery_s: float = 2.0
    """How long a message stays in a queue that works."""
    queue_drain_per_s: float = 50.0
    redirect_per_s: float = 50.0
    queues_answer_s: float = 30.0
    """From the start of the transport service until it tells about its queues."""
    transport_poll_s: float = 900.0
    """When a running transport service notices at the latest that its component was set."""
    reboot_s: float = 240.0
    aws_call_s: float = 0.3
    """A call of AWS's API."""
    ec2_stop_s: float = 60.0
    """From the stop of an instance until EC2 says `stopped`."""
    ec2_force_stop_s: float = 120.0
    ec2_start_s: float = 90.0
    """From the start of an instance until EC2 says `running`; Windows boots meanwhile, and longer."""
    ec2_check_s: float = 60.0
    """How often the status checks of an instance are made."""
    ec2_recover_s: float = 240.0
    """From failing hardware until simplified automatic recovery has moved the instance; AWS names no time."""
    health_event_s: float = 180.0
    """From the loss of a zone until AWS Health tells of it."""
    security_group_flows_s: float = 350.0
    """How long established flows survive a security group that forbids them."""
    snapshot_mb_per_s: float = 200.0
    ebs_change_every_s: float = 21_600.0
    """A volume is changed once in so many seconds."""
    ebs_modify_s: float = 60.0
    """Until a change of a volume is in force."""
    ebs_optimize_s: float = 3600.0
    elb_check_s: float = 90.0
    """Until a target's health is known: interval 30 s, threshold 3."""
    ssm_deliver_s: float = 0.6
    """From SendCommand until the agent has it."""
    ssm_ping_s: float = 300.0
    """After so long without a word an agent counts as lost."""
    route53_change_s: float = 30.0
    """Until a change is INSYNC."""
    route53_per_s: float = 5.0
    """Calls a second for an account, of clients that announce nothing, where the lab's clock runs by itself; 0: any."""
    elb_zonal_shift: float = 0.0
    """1: `zonal_shift.config.enabled` of network load balancers is on from the beginning; AWS has it off."""
    elb_deregister_s: float = 20.0
    """deregistration_delay of the AWS template."""
    services_after_boot_s: float = 60.0
    """From the first possible login until automatic services run."""

    exchange_open_s: float = 3.0
    exchange_import_s: float = 1.0
    exchange_import_per_command_s: float = 0.4
    exchange_import_all_min_s: float = 8.0
    exchange_import_all_max_s: float = 30.0
    exchange_sessions_per_user: int = 18
    shells_per_user: int = 30
