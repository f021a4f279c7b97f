"""Windows features: installed or not, and installing them; never restarts a host, knows no runbook."""

from __future__ import annotations

from starover.step import Blocked, Change, Query, Report, Risk, Settle, step

__all__ = ["FAILOVER_CLUSTERING", "FILE_SERVER", "FeatureState", "feature_installed", "feature_state"]

FILE_SERVER = "FS-FileServer"
FAILOVER_CLUSTERING = "Failover-Clustering"


class FeatureState(Report):
    """A feature as `Get-WindowsFeature` has it (`feature/state.ps1.j2`)."""

    state: str
    """`Available`, `Installed`, `InstallPending`, `UninstallPending`, `Removed`; empty: this Windows has none such."""


feature_state = Query("feature/state.ps1.j2", FeatureState)
"""Argument: `feature`."""


@step(
    check=feature_state,
    apply="feature/install.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=300),
    deadline=1800,
)
def feature_installed(now: FeatureState, /, *, feature: str, management: bool) -> Change | Blocked | None:
    """A Windows feature is installed and wants no restart (S-WIT-FEATURE, S-FEATURE)."""
    del management
    if now.state == "Installed":
        return None
    if now.state == "Available":
        return Change(f"feature {feature}", "not installed", "installed", action="add")
    if now.state.endswith("Pending"):
        return Blocked(
            f"the feature {feature} is {now.state}: the host must restart first",
            certain=("a DAG member cannot be added while the feature waits for a restart",),
            next=(
                "starover plan server-reboot --server NAME   in a DAG; another host by hand, when its databases can go",
                "then run this again: it goes on from here",
            ),
        )
    return Blocked(
        f"the feature {feature} is {now.state or 'unknown to this Windows'}",
        next=(f"Install-WindowsFeature -Name {feature} -Source ...   by hand, with the installation files",),
    )
