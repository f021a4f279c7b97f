"""The lease of a DAG while a run is under way: taken, joined by further hosts, confirmed, given back; knows no step.

What counts is decided in `starover.lease`; hosts judge time by their own clocks. The order is what makes it safe: first
our own number on a host, then whatever tells that nobody else has the lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from starover.effects import Dead, Facts, Failed, Keep, Ok, Reaction, Script, Send, Until
from starover.engine.state import State
from starover.engine.tasks import Join, Process, perform
from starover.envelope import LEASE_TTL, Lease
from starover.errors import ConnectFailed, Locked, NotSafe, StaroverError
from starover.estate import Server
from starover.events import Leased
from starover.lease import Note, Said, Scope, Seen, lacking, note_of, other
from starover.lease_script import Verb, compose
from starover.retry import Again, decide
from starover.transport import Part

__all__ = ["Leasing", "refused"]

DEADLINE = 20.0
"""Seconds for one host to answer about the lease."""
TURNS = 3
"""Of two who begin at once, the one that has the first member asks so often."""
REGAINED = 2
"""How often a lease that was over is taken anew for one step."""
PAUSE = 2.0
"""Seconds between those turns: the other one gives back what it has."""


class Leasing:
    """The lease that one run holds, or tries to."""

    def __init__(self, state: State, scope: Scope) -> None:
        """Nothing is held yet."""
        self.state = state
        self.scope = scope
        self.tokens: dict[str, int] = {}
        """What each host that granted it keeps for us."""
        self.takes = 0
        """How often it was taken: what was read before the last time may be old."""
        self._leg = -1
        """The leg of the run that holds it."""
        self._holder = ""
        """What that leg is called on the hosts."""
        self._dead = ""
        """UUID of a run of ours that had it, and has ended."""
        self._lost: tuple[str, ...] = scope.lost
        self._silent: dict[str, str] = {}
        """Hosts that gave no answer when asked last, and why."""
        self._regained: Counter[str] = Counter()
        """How often it was taken anew for an operation."""
        self._doubt = False
        """A renewal went wrong on some host."""
        self.first = 0
        """Number of the first answer since it was last asked for: a later leg goes on there, and asks all again."""
        self._asking = 0
        """How many parts of the run ask for it just now."""

    # -- what a run asks for -------------------------------------------------------------------------------------

    def take(self) -> Process:
        """Take the lease for this leg of the run. Raises `Locked`, and `NotSafe` when too few hosts answer."""
        scope, run, now = self.scope, self.state.run, self.state.leg
        self.tokens = {}
        self._holder = holder = f"{run.key}/{run.legs[now - 1][1] if now else run.key}"
        for turn in range(TURNS):
            said = yield from self._round("take", (*scope.members, *scope.also))
            if scope.witnesses and not scope.every and other(scope, said) is None and self._lacking(said):
                said |= yield from self._round("take", scope.witnesses)
            if (yield from self._is_dead(other(scope, said))):
                said |= yield from self._round("take", [host for host, one in said.items() if one.state == "held"])
            if scope.every and other(scope, said) is None:
                # After our own number is there: of two sides that try at once one sees the other, or has the witness.
                # All of them may be silent, so side by side.
                said |= yield from self._round("take", scope.witnesses, look=scope.lost)
            granted = [host for host, one in said.items() if one.state == "mine"]
            if self._holder != holder:  # a resume came between, and another part of the run takes it for the new leg
                yield from self.take()
                return
            newer = next((host for host in granted if self._leg == now and self._is_newer(said[host])), None)
            if newer is not None:  # it is not given back: that leg takes it anew, as it is an earlier one's now
                raise _locked(scope, Seen(host=newer, said=said[newer]), taken=True)
            seen, short = other(scope, said), self._lacking(said)
            if seen is None and not short:
                yield from self._hold(said, granted, now)
                return
            yield from self._round("release", granted)
            if seen is None:
                raise self._too_few(short)
            first = scope.members[0] in granted
            if turn + 1 == TURNS or not first or seen.said.age > PAUSE * TURNS:
                raise _locked(scope, seen)
            yield from perform(Until(seconds=PAUSE))

    def ready(self, server: Server, *, traced: bool) -> Process[Lease | None]:
        """What the write that comes next carries. Raises `Locked`, and `Unreachable` where nobody can say.

        `traced`: the script checks the lease on its host. What does not run on a host is confirmed on one just before;
        the moment between the two remains.
        """
        if not self._asking:
            self.first = 0
        self._asking += 1
        try:
            return (yield from self._ready(server, traced=traced))
        finally:
            self._asking -= 1

    def _ready(self, server: Server, *, traced: bool) -> Process[Lease | None]:
        while self._leg != self.state.leg:  # what an earlier leg had asked for is its own, and does not count
            yield from self.take()
        if self._doubt:
            self._doubt = False
            yield from self._confirm(every=True)
        if not traced:
            yield from self._confirm(every=False)
            return None
        while server.name not in self.tokens:  # joining may find that it was over: then it is taken anew, without it
            yield from self._join(server.name)
        return Lease(dag=self.scope.dag, token=self.tokens[server.name], holder=self._holder)

    def regain(self, host: str, operation: str, *, expired: bool) -> Process:
        """A host has refused the number. Raises `Locked` unless it was merely over, or an earlier leg's."""
        self._regained[operation] += 1
        often = self._regained[operation] > REGAINED
        if often or not (expired or self._leg != self.state.leg):
            said = yield from self._round("look", [host])
            if often or host not in said or not self._is_earlier(said[host]):
                raise _locked(self.scope, Seen(host=host, said=said[host]) if host in said else None, taken=True)
        yield from self.take()

    def give_back(self) -> Process:
        """Let others have it, where that can be said now."""
        hosts = list(self.tokens)
        self.tokens = {}
        self._leg = -1
        if hosts:
            yield from self._round("release", hosts)

    # -- inside --------------------------------------------------------------------------------------------------

    def _note(self) -> Note:
        run = self.state.run
        return Note(run=run.id, who=run.who, runbook=run.bound.runbook, since=run.started.isoformat(), lost=self._lost)

    def _lacking(self, said: dict[str, Said]) -> int:
        granted = [host for host, one in said.items() if one.state == "mine"]
        gone = {name for one in said.values() if one.state == "mine" for name in note_of(one.note).lost}
        return lacking(self.scope, granted, silent=self._silent, gone=gone)

    def _hold(self, said: dict[str, Said], granted: Sequence[str], leg: int) -> Process:
        scope = self.scope
        self._leg, self._doubt = leg, False
        self.takes += 1
        self.tokens = {host: said[host].token for host in granted}
        before = {name for host in granted for name in note_of(said[host].note).lost}
        gone = tuple(sorted({*before, *scope.lost} - set(granted)))
        if scope.silent_lost:
            gone = tuple(sorted({*gone, *(one for one in scope.members if one not in granted)}))
        if gone != self._lost:  # whoever takes it next counts without them too
            self._lost = gone
            yield from self._round("renew", granted)
        silent = tuple(sorted(host for host in (*scope.members, *scope.also) if host not in granted))
        yield from self.state.record(Leased(dag=scope.dag, tokens=dict(self.tokens), silent=silent, lost=gone))
        for host in granted:
            self.state.scheduler.start(self._keep(host, self._leg))

    def _is_dead(self, seen: Seen | None) -> Process[bool]:
        """Whether it is a run of our own that has it, which has ended and could not give it back."""
        if seen is None:
            return False
        key = seen.said.holder.partition("/")[0]
        answer = yield from perform(Dead(run=seen.note.run, key=key))
        self._dead = key if isinstance(answer, Ok) else ""
        return bool(self._dead)

    def _is_earlier(self, said: Said) -> bool:
        """Whether an earlier leg of this run has it: it was killed, and what it had sent reached the host after us.

        A leg that this one does not know of has gone on with a copy of the journal: that one is the newer.
        """
        key, _, leg = said.holder.partition("/")
        run, now = self.state.run, self.state.leg
        return bool(now) and key == run.key and leg in (run.key, *(begins for _, begins in run.legs[: now - 1]))

    def _is_newer(self, said: Said) -> bool:
        """Whether a leg that this one does not know of had it: somebody resumed the run with a copy of the journal."""
        key, _, leg = said.holder.partition("/")
        run = self.state.run
        return key == run.key and leg not in (run.key, *(begins for _, begins in run.legs[: self.state.leg]))

    def _keep(self, host: str, leg: int) -> Process:
        """Have the lease renewed on a host for as long as the run is under way."""
        script = self._script(host, "renew")
        if script is None:
            return
        yield from perform(Keep(script=script, every=LEASE_TTL / 3))
        if leg == self._leg:  # an answer comes only when it is not ours any more
            self._doubt = True

    def _join(self, host: str) -> Process:
        """One more host is to be written on: our number there first, then once more the others' word."""
        said = yield from self._round("take", [host])
        if host not in said:
            raise ConnectFailed(
                f"{host} does not say whether the DAG's lease is held there: {self._silent.get(host, 'no answer')}",
                certain=("the step was not begun",),
                host=host,
            )
        if said[host].state != "mine":
            raise _locked(self.scope, Seen(host=host, said=said[host]))
        self.tokens[host] = said[host].token
        yield from self._confirm(every=True)

    def _confirm(self, *, every: bool) -> Process:
        """Hear from the hosts that the lease is still ours: from all of them, or from the first that answers."""
        hosts = [host for host in (*self.scope.members, *self.scope.witnesses) if host in self.tokens]
        said: dict[str, Said] = {}
        for some in [hosts] if every else [[host] for host in hosts]:
            said |= yield from self._round("renew", some)
            if said:
                break
        for host, one in said.items():
            # A number that is gone meanwhile: another part of the run takes the lease anew, under the same name.
            gone = one.state == "held" or one.token > self.tokens.get(host, one.token)
            if gone and not self._is_earlier(one):
                raise _locked(self.scope, Seen(host=host, said=one), taken=True)
        if any(one.state != "mine" for one in said.values()):
            yield from self.take()  # it was over, and nobody else has had it
        elif not said or (every and self._lacking(said)):
            raise ConnectFailed(
                f"too few hosts say whether the lease of {self.scope.dag} is still held: "
                f"{', '.join(sorted(self._silent)) or 'none'} gave no answer",
                certain=("the step was not begun",),
            )

    def _round(self, verb: Verb, hosts: Iterable[str], *, look: Iterable[str] = ()) -> Process[dict[str, Said]]:
        """Ask hosts side by side, and only look at some others; those that answered."""
        said: dict[str, Said] = {}
        wanted: dict[str, Verb] = {**dict.fromkeys(look, "look"), **dict.fromkeys(hosts, verb)}
        yield Join([self._ask(host, what, said) for host, what in wanted.items()])
        return {host: said[host] for host in wanted if host in said}

    def _ask(self, host: str, verb: Verb, said: dict[str, Said]) -> Process:
        attempt = 1
        leased = self.state.run.leased
        if verb == "take":
            leased[host] = lambda: self._script(host, "release")
        while True:
            script = self._script(host, verb)
            if script is None:
                self._silent[host] = "it has no road"
                return
            answer = yield from perform(Send(what="lease", script=script))
            self.first = self.first or self.state.scheduler.answered
            if isinstance(answer, Facts):
                if "lease" in answer.results:
                    self._silent.pop(host, None)  # not before: another part of the run may be counting just now
                    said[host] = msgspec.json.decode(answer.results["lease"], type=Said)
                    if verb == "release" or (verb == "take" and said[host].state != "mine"):
                        leased.pop(host, None)
                else:
                    record = answer.errors.get("lease")
                    self._silent[host] = record.message if record is not None else "it said nothing of the lease"
                return
            assert isinstance(answer, Failed)
            error = answer.fault.raised()
            decision = decide(error, mutates=False, attempt=attempt)  # asked twice it answers the same
            if not isinstance(decision, Again):
                self._silent[host] = error.what
                return
            attempt += 1
            yield from perform(Until(seconds=decision.seconds))

    def _script(self, host: str, verb: Verb) -> Script | None:
        server = self.state.run.servers.get(host)
        if server is None:
            return None
        nonce = self.state.scheduler.nonce()
        arguments = msgspec.Raw(
            msgspec.json.encode({"dag": self.scope.dag, "holder": self._holder, "dead": self._dead})
        )
        return Script(
            host=host,
            text=compose(server, self.scope.dag, verb, nonce, self._holder, self._note(), self._dead),
            nonce=nonce,
            deadline=DEADLINE,
            parts=(Part(id="lease", template=f"lease/{verb}", sha256="", arguments=arguments),),
        )

    def _too_few(self, short: int) -> StaroverError:
        silent = "; ".join(f"{host}: {why}" for host, why in sorted(self._silent.items()))
        whom = "every surviving member" if self.scope.every else "a majority of the members"
        return NotSafe(
            f"the lease of {self.scope.dag} needs {whom}, and {short} more must grant it",
            certain=("nothing was changed; what had been granted was given back",),
            uncertain=(f"who else may be at work there: no answer from {silent}",) if silent else (),
            next=(
                "starover assess   what is lost, and the runbook that names it",
                "what is lost for good is named to a disaster runbook (--lost-server): then the survivors are enough",
            ),
        )


def refused(answer: Reaction, operation: str) -> bool | None:
    """A host did not take a write's number: whether the lease is merely over there. None: nothing of the kind."""
    if not isinstance(answer, Facts):
        return None
    held, record = answer.receipts.get(operation), answer.errors.get(operation)
    if held is None or held.state != "refused":
        return None
    return record is not None and record.message.startswith("lease-expired")


def _locked(scope: Scope, seen: Seen | None, *, taken: bool = False) -> Locked:
    if seen is None or seen.said.holder in ("", "-"):
        return Locked(
            f"the lease of {scope.dag} was taken over, or given back by somebody, while this run was under way",
            certain=("the step was not begun",),
            next=(f"starover lease show --dag {scope.dag}",),
        )
    note = seen.note
    by = f"{note.who}, {note.runbook}, since {note.since[11:16]} UTC" if note.who else "nobody knows whom"
    what = "was taken over by" if taken else "is leased to"
    return Locked(
        f"{scope.dag} {what} run {note.run or '?'} ({by}), as {seen.host} says",
        certain=("the step was not begun",) if taken else ("nothing was changed",),
        next=(
            "look at that run before anything else; it gives the lease back when it ends",
            f"starover lease show --dag {scope.dag}   until when, and on which hosts",
        ),
        host=seen.host,
    )
