"""A home whose runbooks are as dangerous as they come, on fake hosts: for tests of who must agree to what."""

from __future__ import annotations

from pathlib import Path

from cli_estate import Hosts

RUNBOOK = '''"""Dangerous things."""

from collections.abc import Sequence

from starover import Blocked, Change, Comment, Dag, Query, Report, Risk, Server, Steps, runbook, step


class Lamp(Report):
    """What danger/look.ps1.j2 reports."""

    on: bool


look = Query("danger/look.ps1.j2", Lamp)


@step(check=look, apply="danger/do.ps1.j2", risk=Risk.SPLIT)
def quorum_forced(now: Lamp, /, *, loss: str) -> Change | Blocked | None:
    """A node that is the whole cluster."""
    return None if now.on else Change("quorum", "lost", "forced", note=loss)


@step(check=look, apply="danger/do.ps1.j2", risk=Risk.DATA)
def mounted(now: Lamp, /, *, loss: str) -> Change | Blocked | None:
    """A database that is mounted whatever is missing."""
    return None if now.on else Change("DB01", "Dismounted", "Mounted", note=loss)


@step(check=look, apply="danger/note.ps1.j2", risk=Risk.LOW)
def noted(now: Lamp, /, *, comment: str) -> Change | Blocked | None:
    """A word left behind."""
    return None if now.on else Change("note", "", comment)


@runbook
def force(dag: Dag, server: Server, loss: str = "") -> Steps:
    """Force something."""
    yield quorum_forced.on(server, loss=loss)


@runbook
def mount(dag: Dag, server: Server, loss: str = "", accept_data_loss: Sequence[str] = ()) -> Steps:
    """Mount something."""
    yield mounted.on(server, loss=loss)


@runbook
def recover(dag: Dag, lost_server: Sequence[Server], certified_by: Sequence[str] = ()) -> Steps:
    """Recover from something."""
    for server in lost_server:
        yield noted.on(server, comment=",".join(certified_by))


@runbook
def leave_note(server: Server, comment: Comment = "maintenance") -> Steps:
    """Leave a word."""
    yield noted.on(server, comment=comment)
'''


def home(folder: Path) -> Path:
    """Write the home."""
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "danger.py").write_text(RUNBOOK)
    templates = folder / "ps_templates" / "danger"
    templates.mkdir(parents=True)
    (templates / "look.ps1.j2").write_text("[pscustomobject]@{ on = [bool]$false }\n")
    (templates / "do.ps1.j2").write_text("Write-Verbose -Message {{ loss }}\n")
    (templates / "note.ps1.j2").write_text("Write-Verbose -Message {{ comment }}\n")
    return folder


def dangerous(hosts: Hosts) -> Hosts:
    """Hosts that answer its templates; what was done is in `transport.writes`."""
    lit: set[str] = set()
    hosts.transport.templates.update(  # type: ignore[attr-defined]
        {
            "danger/look.ps1.j2": lambda host, **rest: {"on": host in lit},
            "danger/do.ps1.j2": lambda host, **rest: lit.add(host),
            "danger/note.ps1.j2": lambda host, **rest: lit.add(host),
        }
    )
    return hosts
