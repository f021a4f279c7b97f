"""Plans and approvals as files: found by id in the state's folder, or by path anywhere; contacts nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from starover.errors import BadParameter

if TYPE_CHECKING:
    from starover.approval import Second
    from starover.plan import Plan
    from starover_cli.settings import Settings

__all__ = ["approval_place", "find_approval", "load_plan", "named_file", "read_file", "write_file"]

_ID = re.compile(r"[0-9a-fA-F]{4,64}")


def load_plan(settings: Settings, named: str) -> Plan:
    """A plan by id, by a unique prefix, or a file that holds one. Raises `BadParameter`."""
    from starover.journal import resolve
    from starover.plan import read_plan

    if (file := named_file(named)) is not None:
        return read_plan(read_file(file))
    files = {file.stem: file for file in sorted((settings.state / "plans").glob("*.json"))}
    return read_plan(read_file(files[resolve(named, list(files), "plan")]))


def named_file(named: str) -> Path | None:
    """The file that was meant; None: it is an id."""
    if _ID.fullmatch(named):
        return None
    file = Path(named)
    return file if any(character in named for character in "./\\") or file.is_file() else None


def approval_place(settings: Settings, named: str, plan: Plan) -> Path:
    """Where an approval is kept: beside the file that held the plan, else beside the plans of this folder."""
    if (file := named_file(named)) is not None:
        return file.with_name(f"{file.name}.approval")
    return settings.state / "approvals" / f"{plan.id}.json"


def find_approval(settings: Settings, named: str, plan: Plan, file: str = "") -> Second | None:
    """The second person's approval: of `file`, else where `approval_place` would keep it. Raises `BadParameter`."""
    from starover.approval import read_approval

    if file:
        return read_approval(read_file(Path(file)))
    place = approval_place(settings, named, plan)
    return read_approval(read_file(place)) if place.is_file() else None


def read_file(path: Path) -> bytes:
    """All of a file. Raises `BadParameter`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadParameter(
            f"{path.as_posix()} cannot be read: {error.strerror or error}", certain=["nothing was sent"]
        ) from None


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole, its folder too. Raises `BadParameter`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise BadParameter(f"{path.as_posix()} cannot be written: {error.strerror or error}") from None
