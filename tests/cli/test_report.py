"""The story of a run as one page: complete, self-contained, escaped, readable on a phone; opened in a real browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_danger import bad_day, dangerous
from cli_estate import FakeFault, Hosts, typing
from click.testing import Result

Do = Callable[..., Result]
GLASS = ("--break-glass", "nobody answers <b>the</b> phone")
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Whether every tag is closed in order, what is loaded from elsewhere, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "onclick", "onload")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def hosts() -> Hosts:
    return dangerous(Hosts())


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path) -> Do:
    return typing(hosts, tmp_path / "state", "--home", str(bad_day(tmp_path / "home")))


@pytest.fixture
def run(do: Do, hosts: Hosts) -> str:
    """A bad night: assessed, forced alone with broken glass, an answer lost on the way; then all is well."""
    lost = [FakeFault("silent", host=host, times=-1) for host in ("EX1", "EX2", "DC1")]
    hosts.transport.fail(*lost)
    said = json.loads(do("--format", "json", "assess").stdout)
    assert said["plan"]["runbook"] == "force"
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=3))
    hosts.transport.fail(FakeFault("lost-after", what="write"))
    ran = do("apply", said["id"], "--ticket", "INC1234", *GLASS, "--dag", "DAG1")
    assert ran.exit_code == 0, ran.output
    return f"{said['id']}.1"


def page_of(do: Do, run: str, folder: Path) -> tuple[str, Page]:
    file = folder / "report.html"
    result = do("report", run, "--html", str(file))
    assert result.exit_code == 0, result.output
    text = file.read_text(encoding="ascii")
    page = Page(text)
    assert page.open == []
    return text, page


def test_the_page_tells_everything_in_order(do: Do, run: str, tmp_path: Path) -> None:
    text, page = page_of(do, run, tmp_path)
    order = [
        "LAB pa-4x2 DAG DAG1",
        f"force, run {run}",
        "BREAK GLASS by",
        "Changed 1",
        "Mail",
        "down since",
        "The DAG at each stage",
        "before,",
        "no answer from",
        "Decisions and their facts",
        "az-loss-assess answered: force-quorum",
        "The proof",
        "no survivor has an event of it",
        "Timeline",
        "sent, no answer",
        "Steps",
        "Everything that was read",
        "The record",
    ]
    places = [page.text.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "Write-Verbose -Message" in page.text, "the script as it was sent"
    assert "sha256" in page.text
    assert "INC1234" in page.text
    assert "<b>the</b>" not in text, "what people wrote is escaped"
    assert "nobody answers <b>the</b> phone" in page.text


def test_the_page_needs_nothing_else_and_runs_nothing(do: Do, run: str, tmp_path: Path) -> None:
    text, page = page_of(do, run, tmp_path)
    assert "script" not in page.tags
    assert page.loads == []
    assert "url(" not in text
    assert "@import" not in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert re.search(r"Content-Security-Policy. content=.default-src &#x27;none&#x27;", text)


def test_the_map_after_the_run_is_kept_and_shown(do: Do, run: str, hosts: Hosts, tmp_path: Path) -> None:
    _, page = page_of(do, run, tmp_path)
    assert "after," not in page.text, "this home cannot look afterwards"
    hosts.transport.heal()
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=1))
    assert do("assess", "--no-plan").exit_code == 0
    _, page = page_of(do, run, tmp_path)
    assert "before," in page.text
    assert "after," in page.text
    assert "back at" in page.text
    assert "RTO" in page.text


def test_the_same_story_as_text_and_for_a_machine(do: Do, run: str) -> None:
    told = do("report", run).stdout
    for words in ("BREAK GLASS", "timeline", "sent, no answer", "down since", "next:"):
        assert words in told, words
    data = json.loads(do("--format", "json", "report", run).stdout)
    assert [one["text"] for one in data["timeline"]][-1].startswith("ended: done")
    assert data["down"] is not None


def test_a_refused_run_is_a_story_too(do: Do, hosts: Hosts, tmp_path: Path) -> None:
    hosts.transport.fail(FakeFault("silent", host="EX1", times=-1))
    plan = json.loads(do("--format", "json", "assess").stdout)["id"]
    assert do("apply", plan, "--ticket", "INC1", "--approve", plan).exit_code == 4
    _, page = page_of(do, f"{plan}.1", tmp_path)
    assert "needs a second person" in page.text
    assert "It ended because" in page.text


def test_a_report_of_nothing_is_bad_input(do: Do, run: str, tmp_path: Path) -> None:
    assert do("report", "abcd1234.1").exit_code == 2
    assert do("report", run, "--html", str(tmp_path)).exit_code == 2


# -- in a real browser -------------------------------------------------------------------------------------------------

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
LOUD = "NOT TESTED IN A BROWSER: there is no Chromium on this machine (Debian: apt install chromium)"


def browser(*words: str) -> subprocess.CompletedProcess[bytes]:
    line = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *words]
    return subprocess.run(line, capture_output=True, timeout=300, check=False)


@pytest.mark.skipif(not BROWSER, reason=LOUD)
def test_a_real_browser_shows_it_also_as_narrow_as_a_phone(do: Do, run: str, tmp_path: Path) -> None:
    page_of(do, run, tmp_path)
    place = (tmp_path / "report.html").as_uri()
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = browser(profile, "--dump-dom", place)
    assert shown.returncode == 0, shown.stderr.decode("utf-8", "replace")
    assert "BREAK GLASS by" in Page(shown.stdout.decode("utf-8")).text
    # A frame as wide as a phone holds the page; whoever holds it says how wide the page became in there.
    frame = f'<iframe id="f" width="390" height="800" srcdoc="{html.escape((tmp_path / "report.html").read_text())}">'
    script = "onload = () => { document.title = f.contentDocument.documentElement.scrollWidth + ' of 390' }"
    probe = tmp_path / "probe.html"
    probe.write_text(f"<!doctype html><title>-</title><script>{script}</script>{frame}</iframe>")
    narrow = browser(profile, "--dump-dom", probe.as_uri()).stdout.decode("utf-8")
    found = re.search(r"<title>(\d+) of 390</title>", narrow)
    assert found is not None
    assert int(found[1]) <= 390
    picture = tmp_path / "phone.png"
    browser(profile, "--window-size=390,800", f"--screenshot={picture}", place)
    assert picture.stat().st_size > 5000


@pytest.mark.skipif(bool(BROWSER), reason="there is a browser")
def test_there_is_no_browser_and_that_is_said_loudly() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn(LOUD, stacklevel=1)
