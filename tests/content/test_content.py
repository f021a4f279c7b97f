"""Content: where it is found, what is refused before it runs, and that a wheel carries it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from starover import content
from starover.changes import Risk
from starover.content import Content, check_runbook, find
from starover.errors import BadParameter, BadTemplate

REPO = Path(__file__).parents[2]

RUNBOOK = '''"""Look at one thing."""

from starover import Report, Query, Server, Steps, runbook


class Thing(Report):
    name: str


thing = Query("thing.ps1.j2", Thing)


@runbook
def thing_look(server: Server) -> Steps:
    """Look at a thing on a server."""
    yield from thing.read(server)
'''
TEMPLATE = "[pscustomobject]@{ name = [string]$env:COMPUTERNAME }\n"


def made(runbook: str = RUNBOOK, **more: str) -> Content:
    files = {"runbooks/look/thing.py": runbook, "ps_templates/thing.ps1.j2": TEMPLATE} | more
    return Content({name: text.encode() for name, text in files.items()})


def home(folder: Path) -> Path:
    (folder / "runbooks" / "look").mkdir(parents=True)
    (folder / "ps_templates").mkdir()
    (folder / "runbooks" / "look" / "thing.py").write_text(RUNBOOK, encoding="utf-8")
    (folder / "ps_templates" / "thing.ps1.j2").write_text(TEMPLATE, encoding="utf-8")
    return folder


def test_runbooks_are_found_by_name() -> None:
    got = made()
    assert list(got.runbooks) == ["thing-look"]
    assert got.runbook("thing-look").summary == "Look at a thing on a server."
    with pytest.raises(BadParameter) as raised:
        got.runbook("thing-lock")
    assert "thing-look" in raised.value.next[0]


def test_templates_are_rendered() -> None:
    got = made(**{"ps_templates/a/b.ps1.j2": "Get-X -N {{ n }}\r\n"})
    assert got.body("a/b.ps1.j2", {"n": 1}).text == "Get-X -N 1\n"
    assert got.variables("a/b.ps1.j2") == {"n"}
    with pytest.raises(BadTemplate):
        got.body("none.ps1.j2", {})


def test_a_home_comes_before_what_came_with_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(content.HOME_VARIABLE, raising=False)
    assert find().folder == REPO
    assert list(find(home(tmp_path)).runbooks) == ["thing-look"]
    monkeypatch.setenv(content.HOME_VARIABLE, str(tmp_path))
    assert find().folder == tmp_path


def test_a_home_without_content_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="runbooks/"):
        find(tmp_path)


def test_the_hash_covers_names_and_bytes_but_not_line_ends(tmp_path: Path) -> None:
    plain = made().sha256
    assert made().sha256 == plain
    assert made(RUNBOOK.replace("\n", "\r\n")).sha256 == plain
    assert made(RUNBOOK + "\n").sha256 != plain
    assert made(**{"ps_templates/other.ps1.j2": ""}).sha256 != plain
    moved = {"runbooks/other/thing.py": RUNBOOK.encode(), "ps_templates/thing.ps1.j2": TEMPLATE.encode()}
    assert Content(moved).sha256 != plain
    assert find(home(tmp_path)).sha256 == plain


def test_two_versions_of_a_file_live_side_by_side() -> None:
    one, other = made(), made(RUNBOOK.replace("Look at a thing", "Watch a thing"))
    assert one.runbook("thing-look").summary != other.runbook("thing-look").summary
    assert one.runbook("thing-look").__module__ in sys.modules


def test_a_name_that_stands_twice_is_told() -> None:
    got = made(**{"runbooks/other.py": RUNBOOK})
    with pytest.raises(BadParameter, match="stands in both"):
        got.runbook("thing-look")
    assert not got.runbooks


OTHER = RUNBOOK.replace("thing_look", "other_look")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OTHER + "\nx = 1 / 0\n", "cannot be loaded: ZeroDivisionError"),
        (OTHER + "\nx = (\n", "not Python"),
        ("import os\n" + OTHER, "not `os`"),
        (OTHER.replace("server: Server", "server: Server, dc: str"), "which every runbook has already"),
        (OTHER.replace("@runbook\n", "@runbook(\n    beyond=[nothing],\n)\n"), "NameError"),
    ],
)
def test_a_file_that_is_refused_takes_only_its_own_runbooks_with_it(text: str, why: str) -> None:
    before = set(sys.modules)
    got = made(**{"runbooks/operate/other.py": text})
    assert list(got.runbooks) == ["thing-look"]
    assert got.folder_of("thing-look") == "look"
    (broken,) = got.broken
    assert broken.file == "runbooks/operate/other.py"
    assert broken.names == ("other-look",)
    assert why in broken.why
    with pytest.raises(BadParameter) as refused:
        got.runbook("other-look")
    assert why in refused.value.what
    assert any(broken.file in line for line in refused.value.next)
    left = [name for name in set(sys.modules) - before if name.startswith("starover_content")]
    assert not [name for name in left if "other" in name]


def test_a_file_that_is_not_text_is_refused_alone() -> None:
    files = {"runbooks/look/thing.py": RUNBOOK.encode(), "runbooks/look/bad.py": OTHER.encode() + b"# \xff"}
    got = Content({**files, "ps_templates/thing.ps1.j2": TEMPLATE.encode()})
    assert list(got.runbooks) == ["thing-look"]
    with pytest.raises(BadParameter, match="not UTF-8"):
        got.runbook("other-look")


BODY = "from starover import runbook, together\n@runbook\ndef f(server):\n    {}\n"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import os\n", "not `os`"),
        ("import starover.engine\n", "not `starover.engine`"),
        ("from starover.transport.psrp import PsrpTransport\n", "not `starover.transport.psrp`"),
        ("from . import other\n", "not `."),
        ("import starover, subprocess\n", "not `subprocess`"),
        ("def f():\n    import socket\n", "not `socket`"),
        ("x = __import__('os')\n", "__import__"),
        ("x = open('f')\n", "open"),
        ("def f(:\n", "not Python"),
        (BODY.format("suspended.on(server)"), "not yielded"),
        (BODY.format("copies.read(server)"), "not yielded"),
        (BODY.format("together(x for x in ())"), "not yielded"),
        (BODY.format("s = suspended.on(server)"), "never yielded"),
        (BODY.format("yield copies.read(server)"), "yield from"),
        (BODY.format("yield together([])"), "yield from"),
        (BODY.format("yield from suspended.on(server)"), "one step"),
        (
            "def part(s):\n    yield step.on(s)\n\n\ndef f(s):\n    part(s)\n    yield step.on(s)\n",
            ":6: this does nothing",
        ),
    ],
)
def test_what_a_runbook_must_not_do(source: str, why: str) -> None:
    found = check_runbook(source, "r.py")
    assert any(why in one for one in found), found
    assert all(one.startswith("r.py:") for one in found)


@pytest.mark.parametrize(
    "source",
    [
        RUNBOOK,
        "from starover.steps.copies import suspended\n",
        "from __future__ import annotations\nfrom typing import Literal\n",
        BODY.format("yield suspended.on(server)"),
        BODY.format("s = suspended.on(server)\n    yield s"),
        BODY.format("now = yield from copies.read(server)"),
        BODY.format("yield from together(part(s) for s in server)"),
        "def back(prev, server):\n    return resumed.on(server)\n",
    ],
)
def test_what_a_runbook_may_do(source: str) -> None:
    assert check_runbook(source, "r.py") == []


def test_our_own_content_loads() -> None:
    got = find(REPO)
    for path in (REPO / "runbooks").rglob("*.py"):
        assert check_runbook(path.read_text(encoding="utf-8"), path.name) == []
    assert got.runbooks
    assert got.broken == ()


def test_what_only_looks_changes_nothing_and_the_danger_of_a_runbook_is_that_of_its_worst_step() -> None:
    got = find(REPO)
    looks = {name for name in got.runbooks if got.folder_of(name) == "look"}
    assert {got.runbooks[name].risk for name in looks} == {Risk.READ}
    # the classes of the catalogue, section 6
    for name, risk in (
        ("copies-suspend", Risk.LOW),
        ("pam-move", Risk.LOW),
        ("maintenance-start", Risk.SERVICE),
        ("rolling-windows-update", Risk.SERVICE),
        ("disk-relief", Risk.DATA),
        ("az-loss-assess", Risk.READ),
        ("force-quorum", Risk.SPLIT),
    ):
        assert got.runbooks[name].risk is risk, name
    for one in got.runbooks.values():
        assert one.risk.rank >= max((kind.risk.rank for kind in one.beyond), default=0), one.name


def test_content_and_inventory_load_nothing_heavy() -> None:
    program = (
        "import sys, starover, starover.inventory, starover.content\n"
        "starover.content.find().runbooks\n"
        "heavy = {'jinja2', 'pypsrp', 'boto3', 'rich', 'click', 'requests', 'tenacity', 'yaml'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.strip() == "[]"


def test_a_wheel_carries_the_content(tmp_path: Path) -> None:
    build = "from hatchling.build import build_wheel\nimport sys\nprint(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], check=True, capture_output=True, cwd=REPO)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from starover import content\n"
        "got = content.find(); print(got.folder); print(got.sha256); print(*got.runbooks)\n"
        "from starover.envelope import probe\n"
        "from starover.inventory import Server\n"
        "probe(Server(name='A', fqdn='a.b', roles=('dc',)), [], '0' * 16)\n"
        "from importlib import resources\n"
        "assert resources.files('starover.transport').joinpath('close.ps1').is_file()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    folder, digest, *names = done.stdout.split()
    here = find(REPO)
    assert Path(folder) == tmp_path / "site" / "starover" / "_content"
    assert digest == here.sha256
    assert names == list(here.runbooks)
    assert (tmp_path / "site" / "starover" / "py.typed").exists()
