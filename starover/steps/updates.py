"""Which updates are wanted, what a failure means, and the verdict on a host after a round; pure, asks nobody.

Catalogue 5.6. What the agent says of an installation is a hint; what counts is our own search after the restart, and
the boot time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.errors import BadParameter
from starover.estate import Server
from starover.expressions import LONGEST, SUBJECT, why_not
from starover.steps.update_task import Installation, Offer, UpdateResult

__all__ = [
    "DENIED",
    "Category",
    "Exclude",
    "Failure",
    "Kb",
    "Method",
    "Reboot",
    "Round",
    "Rounds",
    "Verdict",
    "Wish",
    "failure_of",
    "judge",
    "judge_hung",
    "judge_setup",
]

CATEGORIES = {
    "security": "0fa1201d-4330-4fa8-8ae9-b877473b6441",
    "critical": "e6cf1350-c01b-414d-a61f-263d14d133b4",
    "rollups": "28bc880e-0592-4cbf-8f95-c79b17911d5f",
    "service-packs": "68c5b0a3-d1a6-4553-ae49-01d3a7827828",
    "updates": "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83",
    "definitions": "e0789628-ce08-4437-be74-2495b842f43b",
    "features": "b54e7d24-7add-428f-8b75-90a396fa584f",
    "tools": "b4832bd8-e735-4761-8daf-37f882276dab",
}
"""Classifications by their ids, because their names are localised (WSUS documentation)."""
Category: TypeAlias = Literal[
    "security", "critical", "rollups", "service-packs", "updates", "definitions", "features", "tools"
]
Method: TypeAlias = Literal["task", "ssm-script", "patch-baseline"]
Reboot: TypeAlias = Literal["if-needed", "always", "never"]
Rounds: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=5, description="a number from 1 to 5")]
Kb: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^KB[0-9]{6,7}(?![\s\S])", title="KB", description="KB and six or seven digits")
]
_CONTACTED = ("nothing was contacted",)
_KB = re.compile(r"KB[0-9]{6,7}", re.IGNORECASE)


@dataclass(frozen=True)
class Exclude:
    """What is left alone: an article (`KB5044411`), or titles by a regular expression."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Exclude:
        """Read it. Raises `BadParameter`, also for what another version of Python would read otherwise."""
        if why := why_not(text):
            shown = text if len(text) <= LONGEST else f"{text[:40]}..."
            raise BadParameter(
                f"`{shown}` is neither an article such as KB5044411 nor a regular expression: {why}",
                certain=("nothing was contacted",),
            )
        return cls(text)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return self.text

    def meets(self, offer: Offer) -> bool:
        """Whether it leaves this update out."""
        if _KB.fullmatch(self.text):
            return self.text.upper() in (one.upper() for one in offer.articles)
        return re.search(self.text, offer.title[:SUBJECT], re.IGNORECASE) is not None


DENIED = (
    Exclude(r"(cumulative|security|hotfix) update.*exchange server"),
    Exclude(r"exchange server.*(cumulative|security|hotfix) update"),
    Exclude(r"^microsoft \.net framework \d"),
)
"""Updates of Exchange and new versions of .NET Framework: each has a procedure of its own (S-WU-SCAN)."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which updates are to be installed, and how."""

    categories: Sequence[Category] = ("security", "critical")
    include: Sequence[str] = ()
    """Articles that are wanted whatever their category."""
    exclude: Sequence[Exclude] = DENIED
    reboot: Reboot = "if-needed"
    max_rounds: int = 3
    method: Method = "task"

    def by(self, method: Method | None, servers: Sequence[Server]) -> Wish:
        """The same on these servers by this method; None: by the one that fits their roads. Raises `BadParameter`."""
        return replace(self, method=_method_of(method, servers, self))

    def chosen(self, offers: Sequence[Offer]) -> tuple[Offer, ...]:
        """Those that are wanted."""
        return tuple(one for one in offers if not self.why_not(one))

    def why_not(self, offer: Offer) -> str:
        """Why an update is left alone; empty: it is wanted."""
        if any(one.meets(offer) for one in self.exclude):
            return "excluded"
        named = {one.upper() for one in self.include} & {one.upper() for one in offer.articles}
        if named:
            return ""
        if offer.browse_only:
            return "optional"
        wanted = {CATEGORIES[name] for name in self.categories}
        if not wanted & {one.lower() for one in offer.categories}:
            return f"not among {', '.join(self.categories)}"
        return ""


def _method_of(method: Method | None, servers: Sequence[Server], wish: Wish) -> Method:
    """How updates are installed there; not said: by a script of the agent where Run Command is the only road.

    A network logon may not install (catalogue 5.6), so a script in the foreground must not go by any other road. Raises
    `BadParameter` where the method does not fit.
    """
    other = [one.name for one in servers if not one.roads or any(road.kind != "ssm" for road in one.roads)]
    if method is None:
        return "task" if other else "ssm-script"
    if method == "ssm-script" and other:
        raise BadParameter(
            f"--method ssm-script: {', '.join(other)} may be asked by WinRM too, whose logons may not install",
            certain=_CONTACTED,
            next=("--transport ssm   leaves Run Command alone", "--method task   a scheduled task installs as SYSTEM"),
        )
    if method == "patch-baseline":
        _fits_baseline(servers, wish)
    return method


def _fits_baseline(servers: Sequence[Server], wish: Wish) -> None:
    strange = [one.name for one in servers if not one.instance]
    if strange:
        raise BadParameter(
            f"--method patch-baseline: the inventory does not say which instance {', '.join(strange)} is",
            certain=_CONTACTED,
            next=("starover inventory discover   finds instances",),
        )
    if wish.include or tuple(wish.exclude) != DENIED:
        raise BadParameter(
            "--method patch-baseline: its patch baseline says what is installed, --include and --exclude do not",
            certain=_CONTACTED,
            next=("leave them out, or change the baseline in Patch Manager",),
        )


# -- failures ----------------------------------------------------------------------------------------------------------

_BUSY = "another installation, or a restart from before, stands in its way"
_NETWORK = "the update service could not be reached"
_STORE = "the component store is damaged (DISM /RestoreHealth mends it)"
_FAILURES = {
    "0x80240016": (True, _BUSY),
    "0x8007045B": (True, "the host was going down"),
    "0x80072EE2": (True, _NETWORK),
    "0x80072EE7": (True, _NETWORK),
    "0x80072EFD": (True, _NETWORK),
    "0x80072EFE": (True, _NETWORK),
    "0x8024402C": (True, _NETWORK),
    "0x80244022": (True, _NETWORK),
    "0x8024401C": (True, _NETWORK),
    "0x80240438": (True, _NETWORK),
    "0x80240022": (False, "nothing could be installed at all"),
    "0x80070005": (False, "access was denied"),
    "0x80070070": (False, "the disk is full"),
    "0x80070643": (False, "its own installer failed"),
    "0x80073712": (False, _STORE),
    "0x800F081F": (False, _STORE),
    "0x800F0922": (False, "it was rolled back: too little room in the system partition, or its own servicing failed"),
}
"""Codes of the agent and of servicing: whether another round may help, and what it means (catalogue 5.6)."""


@dataclass(frozen=True)
class Failure:
    """Why an installation failed."""

    again: bool
    """Another round may help."""
    says: str


def failure_of(hresult: str) -> Failure:
    """What a code means; one that nobody knows is not tried again."""
    again, says = _FAILURES.get(f"0x{hresult[2:].upper()}", (False, "nobody here knows this code"))
    return Failure(again, f"{hresult}, {says}")


# -- verdicts ----------------------------------------------------------------------------------------------------------

SUCCEEDED = 2


@dataclass(frozen=True, kw_only=True)
class Round:
    """One installation and what came of it."""

    wanted: tuple[Offer, ...]
    results: tuple[UpdateResult, ...]
    problem: str = ""
    """What broke the worker itself."""
    booted: bool
    """The host has restarted since: its boot time says so."""

    def said(self, id_: str) -> UpdateResult | None:
        """What the agent said of an update; None: the worker never came to it."""
        return next((one for one in self.results if one.id == id_), None)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be thought of a host after it was patched."""

    word: Literal["patched", "restart-due", "hung", "looping", "failing", "second-round", "half-repaired"]
    says: str
    next: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """The host may serve again."""
        return self.word in ("patched", "restart-due")


def judge(server: str, rounds: Sequence[Round], left: Sequence[Offer], *, max_rounds: int, due: bool) -> Verdict | None:
    """The verdict after the last round; None: another round is to come. `left` is what our own search still finds.

    `due`: a restart is still outstanding.
    """
    last = rounds[-1]
    if not left:
        if due:
            return Verdict(word="restart-due", says=f"{server} has installed everything and waits for a restart")
        return Verdict(word="patched", says=f"{server} is offered nothing any more")
    wanted = {one.id for one in last.wanted}
    failed = [(one, why) for one in left if one.id in wanted and (why := _why(last, one)) is not None]
    hopeless = [(one, why) for one, why in failed if not why.again]
    looping = [one for one in left if _installed(rounds, one.id) > 1]
    over = len(rounds) >= max_rounds
    if hopeless or (failed and over):
        return _failing(server, hopeless or failed)
    looping = looping or ([one for one in left if _installed(rounds, one.id)] if over else [])
    if looping:
        names = ", ".join(one.name for one in looping)
        times = max(_installed(rounds, one.id) for one in looping)
        again = "after it had been installed" if times == 1 else f"although it was installed {times} times"
        restarted = "the host has restarted since" if last.booted else "the host has not restarted since"
        return Verdict(
            word="looping",
            says=f"{server} is offered {names} again {again}; {restarted}: a loop, not a slow update",
            next=("look at WSUS, or at CBS.log on the host: what is detected is not what is installed",),
        )
    if over:
        names = ", ".join(one.name for one in left)
        return Verdict(
            word="second-round",
            says=f"{server} is offered {names} after {len(rounds)} rounds: more came than --max-rounds allows",
            next=(f"starover run windows-update --server {server}   installs the rest",),
        )
    return None


def _failing(server: str, failed: Sequence[tuple[Offer, Failure]]) -> Verdict:
    says = "; ".join(f"{one.name}: {why.says}" for one, why in failed)
    articles = " ".join(f"--exclude {article}" for one, _ in failed for article in one.articles[:1])
    return Verdict(
        word="failing",
        says=f"{server} fails to install {says}",
        next=(f"starover run windows-update --server {server} {articles}   leaves it out",) if articles else (),
    )


def _why(last: Round, offer: Offer) -> Failure | None:
    """Why an update was not installed in a round; None: it was, as far as the agent says."""
    said = last.said(offer.id)
    if said is None:
        code = last.problem.partition(" ")[0]
        return failure_of(code) if code.startswith("0x") else Failure(True, "the worker never came to it")
    if said.code == SUCCEEDED:
        return None
    if not said.hresult:
        return Failure(True, said.problem)
    why = failure_of(said.hresult)
    return Failure(True, why.says) if said.code == SUCCEEDED + 1 else why  # installed with errors: once more


def _installed(rounds: Sequence[Round], id_: str) -> int:
    """In how many rounds the agent said that it was installed."""
    return sum(said is not None and said.code == SUCCEEDED for said in (one.said(id_) for one in rounds))


def judge_hung(server: str, now: Installation, names: Sequence[tuple[str, str]]) -> Verdict:
    """The verdict on a worker without a sign of life. `names`: what the updates are called, by id."""
    at = dict(names).get(now.current, "an update")
    minutes = int(now.silent.total_seconds() // 60)
    return Verdict(
        word="hung",
        says=f"{server} hangs: {now.phase} {at}, no sign of life for {minutes} minutes; its task was stopped",
        next=(
            f"starover plan server-reboot --server {server}   a restart ends what hangs; a person decides that",
            f"starover run windows-update --server {server}   tries again",
        ),
    )


def judge_setup(server: str, unfinished: Sequence[str], disabled: Sequence[str]) -> Verdict | None:
    """The verdict on an update of Exchange that broke off half-way; None: there is none."""
    if not unfinished and not disabled:
        return None
    left = [
        *([f"Setup has not ended for {', '.join(unfinished)}"] if unfinished else []),
        *([f"Disabled: {', '.join(disabled)}"] if disabled else []),
    ]
    return Verdict(
        word="half-repaired",
        says=f"Exchange on {server} is half updated: {'; '.join(left)}",
        next=(f"starover run update-repair --server {server}   start types and components; then Setup to its end",),
    )
