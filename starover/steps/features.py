"""Windows features: installed or not, installing them, and the restart that one may want; knows no runbook."""

from __future__ import annotations

from starover.step import Blocked, Change, Query, Report, Risk, Settle, step

__all__ = [
    "FAILOVER_CLUSTERING",
    "FILE_SERVER",
    "FeatureState",
    "feature_complete",
    "feature_installed",
    "feature_state",
]

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
def feature_installed(
    now: FeatureState, /, *, feature: str, management: bool, restarts: bool = False
) -> Change | Blocked | None:
    """A Windows feature is installed (S-WIT-FEATURE, S-FEATURE).

    `restarts`: what it may still wait for is the affair of `feature_complete`, which follows; else that needs a person.
    """
    del management
    if now.state == "Installed" or (restarts and now.state == "InstallPending"):
        return None
    if now.state == "Available":
        return Change(f"feature {feature}", "not installed", "installed", action="add")
    if now.state.endswith("Pending"):
        return Blocked(
            f"the feature {feature} is {now.state}: the host must restart first",
            certain=("nothing can use the feature before that",),
            next=(
                "restart the host by hand, when what it serves may be away",
                "then run this again: it goes on from here",
            ),
        )
    return Blocked(
        f"the feature {feature} is {now.state or 'unknown to this Windows'}",
        next=(f"Install-WindowsFeature -Name {feature} -Source ...   by hand, with the installation files",),
    )


@step(
    check=feature_state,
    apply="restart/host.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=1800),
)
def feature_complete(now: FeatureState, /, *, feature: str, server: str, comment: str) -> Change | None:
    """A feature waits for no restart of its host (S-FEATURE, S-REBOOT).

    A plan in which the feature is yet to be installed holds no restart. When one turns out to be wanted, that plan is
    not right any more, and the next one holds it: nobody restarts a host that no plan named.
    """
    del comment
    if now.state != "InstallPending":
        return None
    return Change(f"{feature} of {server}", "InstallPending", "Installed", note=f"{server} restarts")
