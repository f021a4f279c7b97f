"""The lease of a DAG: who must grant it, what a round of answers means; pure, knows no engine, no clock and no script.

One writer per DAG (design.md, "The lease"). Each host keeps a number of its own beside the receipts, which grows by one
whenever the lease is taken there; a script with a lower number is refused by the host. An ordinary run needs a majority
of the members (of an even number the witness host counts too, as it votes); a run in a disaster needs every survivor,
looks at the lost that still answer, and takes nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from starover.errors import NotSafe
from starover.estate import Dag, Estate
from starover.names import first_label, same_host
from starover.values import Plain

__all__ = ["Note", "Said", "Scope", "Seen", "dag_of", "lacking", "note_of", "one_dag", "other", "scope_of"]

State = Literal["mine", "held", "free", "expired"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it, for people; lies beside the number on each host."""

    run: str = ""
    who: str = ""
    runbook: str = ""
    since: str = ""
    """When it was first taken, by the clock of whoever took it: UTC, ISO 8601."""
    lost: tuple[str, ...] = ()
    """Members that a disaster run has given up; they do not count until one of them grants the lease again."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one host says of the lease (`wrapper/lease.ps1.j2`)."""

    state: State
    """`mine`: granted, or written as asked; `held`: somebody else's; `expired`: was mine, and is over."""
    token: int
    holder: str
    """RUN/LEG; `-`: given back; empty: never taken."""
    note: str
    """As it was before this script: JSON of a `Note`."""
    age: int
    """Seconds since it was last written, by the host's own clock."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else's lease, as a host told of it."""

    host: str
    said: Said

    @property
    def note(self) -> Note:
        """Who it is."""
        return note_of(self.said.note)


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is asked for the lease, and how many must grant it."""

    dag: str
    members: tuple[str, ...]
    """Asked at once: of them comes the majority, or all of them are needed."""
    witnesses: tuple[str, ...] = ()
    """The witness host: one more voter of an even number of members, asked when it is needed. Where every member must
    grant it, whichever witness host answers must do so too."""
    lost: tuple[str, ...] = ()
    """Members that are given up: looked at, never asked for it."""
    also: tuple[str, ...] = ()
    """Other hosts that the plan writes on: they keep the number too, and count for nothing."""
    every: bool = False
    """Every member must grant it; else a majority."""
    silent_lost: bool = False
    """A member that does not answer counts as lost: the run brings its own proof (G-FENCE)."""
    handled: tuple[str, ...] = ()
    """Members that the plan stops or starts from outside: whoever of them does not answer does not count."""


FREE = ("lease-release",)
"""Runbooks that work on the lease itself, and must not wait for it."""


def scope_of(
    estate: Estate,
    runbook: str,
    parameters: Mapping[str, Plain],
    hosts: Sequence[str],
    handled: Sequence[str] = (),
    *,
    split: bool,
) -> Scope | None:
    """Whom to ask before a plan is applied; None: it touches no DAG.

    `hosts`: where its scripts write; `handled`: what its calls are about, instances that are off among them.
    `split`: the plan may split the brain, so that a silent member is the normal case and the plan proves it dead.
    Raises `NotSafe` for a plan about members of several DAGs.
    """
    if runbook in FREE:
        return None
    dag = one_dag(estate, parameters, (*hosts, *handled))
    if dag is None:
        return None
    known = any(first_label(one.name) == first_label(dag.name) for one in estate.dags)
    named = tuple(one for one in _texts(parameters.get("members")) if not known)
    members = _known(estate, named or dag.members)
    gone = _lost(estate, members, parameters)
    every = bool(gone) or split or not known
    witnesses = _known(estate, [*_texts(parameters.get("witness_server")), dag.witness])
    if every:  # who votes is one host only; who may stand in its way, and answers, is asked in a disaster
        witnesses = _known(estate, [*witnesses, dag.alternate_witness])
    if gone:  # what lies in a site that is given up is not asked either
        sites = _texts(parameters.get("lost_site"))
        witnesses = tuple(one for one in witnesses if estate.server(one).site not in sites)
    left = tuple(one for one in members if one not in gone)
    if not left:
        left, witnesses = witnesses, ()
    if not left:
        return None
    asked = {*left, *gone}
    return Scope(
        dag=dag.name,
        members=left,
        witnesses=tuple(one for one in witnesses if one not in asked),
        lost=gone,
        also=tuple(dict.fromkeys(one for one in _known(estate, hosts) if one not in asked)),
        every=every,
        silent_lost=split and not (gone and any(one in left for one in _known(estate, hosts))),
        handled=tuple(one for one in _known(estate, handled) if one in left),
    )


def lacking(scope: Scope, granted: Iterable[str], *, silent: Iterable[str] = (), gone: Iterable[str] = ()) -> int:
    """How many grants are missing; 0: the lease is held. `gone`: members given up by an earlier disaster run."""
    given = set(granted)
    if scope.every:
        # a witness host that answers and has it from somebody else is found by `other`
        out = set(silent) if scope.silent_lost else set(silent) & set(scope.handled)
        wanted = [one for one in scope.members if one not in out]
        return sum(one not in given for one in wanted) if wanted else 1
    out = (set(gone) | (set(silent) & set(scope.handled))) - given
    members = [one for one in scope.members if one not in out]
    voters = len(members) + (1 if scope.witnesses and len(members) % 2 == 0 else 0)
    votes = sum(one in given for one in members)
    if voters > len(members) and any(one in given for one in scope.witnesses):
        votes += 1
    return max(0, voters // 2 + 1 - votes)


def other(scope: Scope, said: Mapping[str, Said]) -> Seen | None:
    """Somebody else's lease, wherever it was seen: it counts even where a majority was free."""
    for host in (*scope.members, *scope.witnesses, *scope.lost, *scope.also):
        if host in said and said[host].state == "held":
            return Seen(host=host, said=said[host])
    return None


def note_of(text: str) -> Note:
    """The note that a host keeps; an empty one where it cannot be read."""
    try:
        return msgspec.json.decode(text or "{}", type=Note)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Note()


def dag_of(estate: Estate, parameters: Mapping[str, Plain], hosts: Sequence[str]) -> Dag | None:
    """The DAG that a plan is about: the one it names, else that of the first host that is a member."""
    name = str(parameters.get("dag") or "")
    if name:
        found = next((one for one in estate.dags if first_label(one.name) == first_label(name)), None)
        if found is not None or estate.dags:
            return found or Dag(name=name)
        return estate.dag(name)
    member = {first_label(one): dag for dag in estate.dags for one in dag.members}
    return next((member[first_label(one)] for one in hosts if first_label(one) in member), None)


def one_dag(estate: Estate, parameters: Mapping[str, Plain], hosts: Sequence[str]) -> Dag | None:
    """As `dag_of`, for what is to be changed: a run holds one lease, and is judged by one DAG's rules.

    Raises `NotSafe` where it names no DAG and is about members of several. (A run that names its DAG may write on
    another one's member: that may be its witness.)
    """
    owners = {
        one: {dag.name for dag in estate.dags if any(same_host(one, name) for name in dag.members)} for one in hosts
    }
    owned = {one: dags for one, dags in owners.items() if dags}
    if (
        owned
        and not parameters.get("dag")
        and not any(all(dag.name in dags for dags in owned.values()) for dag in estate.dags)
    ):
        raise NotSafe(
            "the plan is about members of several DAGs: "
            + ", ".join(f"{one} of {' and '.join(sorted(dags))}" for one, dags in owned.items()),
            certain=("nothing was sent but reads", "a run holds the lease of one DAG, and is held to its rules"),
            next=("plan it once for the servers of each DAG",),
        )
    return dag_of(estate, parameters, hosts)


def _lost(estate: Estate, members: Sequence[str], parameters: Mapping[str, Plain]) -> tuple[str, ...]:
    servers, sites = _texts(parameters.get("lost_server")), _texts(parameters.get("lost_site"))
    return tuple(
        one for one in members if any(same_host(one, name) for name in servers) or estate.server(one).site in sites
    )


def _known(estate: Estate, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are servers of the estate, as it spells them, each once."""
    found = [server.name for name in names if name for server in estate.servers if same_host(server.name, name)]
    return tuple(dict.fromkeys(found))


def _texts(value: Plain) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
