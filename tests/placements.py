"""Databases and their copies made by hand, as templates report them: for tests of what decides on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dag_facts import status

from starover.steps.copies import CopyStatus
from starover.steps.dag import Pair, Volume
from starover.steps.placement import HostView, Placement, SeedOf, ServerFacts

GB = 2**30


def pair(server: str, value: object) -> Pair:
    return Pair(key=f"example.com/Configuration/{server}", name=server, value=str(value), text=f"[{server}, {value}]")


def place(
    *copies: CopyStatus,
    name: str = "DB01",
    lags: Mapping[str, str] | None = None,
    size: int = 40 * GB,
    **fields: Any,
) -> Placement:
    """A database whose copies have preferences in the order they are given; the one that is active serves mail."""
    renamed = tuple(
        status(
            one.server,
            **{field: getattr(one, field) for field in one.__struct_fields__ if field not in ("server", "identity")}
            | {"database": name, "identity": f"{name}\\{one.server}"},
        )
        for one in copies
    )
    active = next((one.server for one in copies if one.active), copies[0].server if copies else "")
    values: dict[str, Any] = {
        "found": True,
        "name": name,
        "dag": "DAG1",
        "active": f"example.com/Configuration/{active}",
        "mounted": any(one.mounted for one in copies),
        "size": f"{size // GB} GB ({size:,} bytes)",
        "circular_logging": False,
        "edb_path": f"D:\\Databases\\{name}\\{name}.edb",
        "log_folder": f"E:\\Databases\\{name}",
        "preferences": tuple(pair(one.server, number) for number, one in enumerate(copies, 1)),
        "replay_lags": tuple(pair(one.server, (lags or {}).get(one.server, "00:00:00")) for one in copies),
        "truncation_lags": tuple(pair(one.server, "00:00:00") for one in copies),
        "copies": renamed,
    }
    return Placement(**(values | fields))


def view(host: str, placement: Placement, *, files: bool = False, free: int = 400 * GB, **fields: Any) -> HostView:
    """What `host` says of a database."""
    names = dict.fromkeys([*placement.order, host])
    values: dict[str, Any] = {
        "host": host.upper(),
        "placement": placement,
        "servers": tuple(
            ServerFacts(name=one, dag="DAG1", build="Version 15.2 (Build 2562.37)", policy="Unrestricted")
            for one in names
        ),
        "volumes": tuple(Volume(name=f"{letter}:\\", capacity=500 * GB, free=free) for letter in "CDE"),
        "files": files,
        "seeds": tuple(SeedOf(server=one.server, status="") for one in placement.copies),
    }
    return HostView(**(values | fields))
