"""Facts of a DAG made by hand, for tests of what decides on them."""

from __future__ import annotations

from starover.steps.copies import CopyStatus


def status(server: str, state: str = "Healthy", **fields: object) -> CopyStatus:
    values: dict[str, object] = {
        "identity": f"DB01\\{server}",
        "database": "DB01",
        "server": server,
        "status": state,
        "active": state == "Mounted",
        "activation_suspended": False,
        "suspend_comment": "",
        "preference": 1,
        "copy_queue": 0,
        "replay_queue": 0,
        "content_index": "NotApplicable",
        "replay_lag": "Enabled:False; Configured:00:00:00; MaxDelay:1.00:00:00; Actual:00:00:00",
        "error_message": "",
    }
    return CopyStatus(**(values | fields))  # type: ignore[arg-type]
