"""The witness of what is left of a DAG: which one can be had on a bad day; pure, asks and changes nothing.

The DAG object decides, the inventory only where it says nothing. A witness that does not answer is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from starover.errors import NotSafe
from starover.estate import Dag, Estate
from starover.names import same_host
from starover.steps.dag import short
from starover.steps.dag_object import default_directory, directory_of
from starover.steps.disaster import Survey
from starover.steps.witness_choice import WitnessChoice

__all__ = ["needs_witness", "rest_witness", "witness_to_be"]

Named = Literal["primary", "alternate"]
UNTOUCHED = ("quorum untouched, nothing forced, nothing mounted",)


def needs_witness(survivors: int, *, dac: bool) -> bool:
    """An even number does; with DAC one alone too, because Restore-DatabaseAvailabilityGroup wants it."""
    return survivors % 2 == 0 or (dac and survivors == 1)


def _named(seen: Survey, dag: Dag, which: Named) -> str:
    known = seen.object
    if which == "primary":
        return (known.witness_server if known is not None else "") or dag.witness
    return (known.alternate_server if known is not None else "") or dag.alternate_witness


def _dead(seen: Survey, name: str) -> bool:
    host = seen.host(short(name))
    return host is not None and not host.answers


def rest_witness(
    seen: Survey, dag: Dag, estate: Estate, lost: Collection[str], *, first: Named = "alternate"
) -> WitnessChoice:
    """The best that can be had: the one named `first`, the other one, a spare witness host outside the lost zones.

    Where nothing can be had: the one named `first`, whatever that comes to.
    """
    order: tuple[Named, Named] = ("primary", "alternate") if first == "primary" else ("alternate", "primary")
    for which in order:
        name = _named(seen, dag, which)
        if name and not _dead(seen, name):
            return WitnessChoice(which)
    if spare := _spare(seen, estate, lost):
        return WitnessChoice("new", spare, default_directory(dag.name, estate, estate.members(dag)[0].fqdn))
    return WitnessChoice(first)


def _spare(seen: Survey, estate: Estate, lost: Collection[str]) -> str:
    zones = {estate.server(one).az for one in lost}
    return next((one.server for one in seen.answering("witness") if one.az not in zones), "")


def witness_to_be(
    seen: Survey, dag: Dag, estate: Estate, choice: WitnessChoice, lost: Sequence[str], *, quorate: bool = False
) -> tuple[WitnessChoice, str, str]:
    """The choice as it is carried out, the server, and its directory.

    `alternate`, where the DAG names none and its own witness answers, is that one. Raises `NotSafe` where there is
    none, or it does not answer: quorum would be forced, and then the witness would not be found that what is left must
    have. `quorate`: there is quorum, so that a witness can be set before anything else.
    """
    why = f"has no {choice.which} witness"
    if choice.which == "alternate" and not _named(seen, dag, "alternate"):
        choice = rest_witness(seen, dag, estate, lost)
        if choice.which != "primary":
            raise _none(seen, dag, estate, lost, why, quorate=quorate)
    server = choice.server if choice.which == "new" else _named(seen, dag, choice.which)
    if not server:
        raise _none(seen, dag, estate, lost, why, quorate=quorate)
    if _dead(seen, server):
        raise _none(seen, dag, estate, lost, f"gets no answer of the witness {short(server)}", quorate=quorate)
    kept = dag.witness_directory if dag.witness and same_host(server, dag.witness) else ""
    directory = choice.directory or directory_of(seen.object, server) or kept
    return choice, server, directory or default_directory(dag.name, estate, estate.members(dag)[0].fqdn)


def _none(seen: Survey, dag: Dag, estate: Estate, lost: Sequence[str], why: str, *, quorate: bool) -> NotSafe:
    best = rest_witness(seen, dag, estate, lost)
    named = best.server if best.which == "new" else _named(seen, dag, best.which)
    there = named if named and not _dead(seen, named) else ""
    given = str(best) if there else r"new:SERVER:C:\DIRECTORY"
    forced = f"starover plan force-quorum --dag {dag.name} --lost-server {','.join(lost)} --witness '{given}'"
    first = (
        f"starover run dag-witness-repair --dag {dag.name}   brings the witness back",
        f"starover plan dag-set-witness --dag {dag.name} --server {there or 'SERVER'}   another one",
    )
    return NotSafe(
        f"{dag.name} {why}, and what is left of it needs a witness",
        certain=(*((f"{there} answers and may become it",) if there else ()), *UNTOUCHED),
        next=first if quorate else (forced,),
    )
