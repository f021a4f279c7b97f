"""A home whose runbooks are as dangerous as they come, on fake hosts: for tests of who must agree to what."""

from __future__ import annotations

from pathlib import Path

from cli_estate import CONTENT, Hosts

RUNBOOK = '''"""Dangerous things."""

from collections.abc import Sequence

from starover import Blocked, Change, Comment, Dag, Finding, Findings, Query, Report, Risk, Server, Steps, runbook, step


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


@step(check=look, apply="danger/do.ps1.j2", risk=Risk.SERVICE)
def restarted(now: Lamp, /, *, loss: str) -> Change | Blocked | None:
    """A service that is away for a moment."""
    return None if now.on else Change("service", "old", "new", note=loss)


@step(check=look, apply="danger/note.ps1.j2", risk=Risk.LOW)
def noted(now: Lamp, /, *, comment: str) -> Change | Blocked | None:
    """A word left behind."""
    return None if now.on else Change("note", "", comment)


@runbook
def force(dag: Dag, server: Server, loss: str = "") -> Steps:
    """Force something."""
    yield quorum_forced.on(server, loss=loss)


@runbook
def force_warned(dag: Dag, server: Server) -> Steps[Findings]:
    """Force something of which more is to be said."""
    yield quorum_forced.on(server, loss="").warned("one good copy is left")
    wrong = Finding(check="G-SURVIVE", on=dag.name, level="warn", says="DC1 is lost and holds PDCEmulator")
    fine = Finding(check="node", on=server.name, level="ok", says="Up")
    return Findings(findings=(wrong, fine))


@runbook
def mount(dag: Dag, server: Server, loss: str = "", accept_data_loss: Sequence[str] = ()) -> Steps:
    """Mount something."""
    yield mounted.on(server, loss=loss)


@runbook
def restart(dag: Dag, server: Server, loss: str = "") -> Steps:
    """Restart something."""
    yield restarted.on(server, loss=loss)


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


ASSESS = '''"""Look at a bad day."""

from starover import Dag, Estate, Steps, runbook
from starover.steps.assessment import Assessment, HostRoad, ProofLine
from starover.steps.dag import look_at, members_of


@runbook
def az_loss_assess(dag: Dag, estate: Estate) -> Steps[Assessment]:
    """Say what is wrong."""
    facts = yield from look_at(dag, estate, members_of(dag, estate), health=False)
    silent = [host for host in (*facts.members, *facts.others) if not host.answers]
    return Assessment(
        dag=dag.name,
        answer="force-quorum" if silent else "none",
        runbook="force" if silent else "",
        parameters={"server": "EX3"} if silent else {},
        verdict=f"{len(silent)} hosts are silent." if silent else "Nothing is wrong.",
        mail_down=bool(silent),
        since="2026-11-20T03:01:37+00:00" if silent else "",
        certain=("EX3 is the only member that answers", "EX3 is the only member that answers"),
        uncertain=("whether EX1 still runs",),
        recovery="nothing mounts by itself",
        proof=(
            ProofLine(number=1, what="last quorum", says="unknown", unknown="no survivor has an event of it"),
            ProofLine(number=11, what="afterwards", says="only through failback"),
        ),
        hosts=tuple(
            HostRoad(server=host.server, role="member", az="a", answers=host.answers, roads=("psrp",), says="no answer")
            for host in (*facts.members, *facts.others)
        ),
        facts=facts,
    )
'''


def bad_day(folder: Path) -> Path:
    """The home, with a runbook that assesses: whoever is silent makes it answer `force`."""
    (home(folder) / "runbooks" / "assess.py").write_text(ASSESS)
    templates = {name: text for name, text in CONTENT.templates.items() if name.split("/")[0] in LOOKED_AT}
    for name, text in templates.items():
        file = folder / "ps_templates" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


LOOKED_AT = ("server", "cluster", "dag", "copy", "database")
