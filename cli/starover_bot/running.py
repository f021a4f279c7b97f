"""Runs from a chat: begun once, followed in one message, stopped, resumed, and told truly after the bot was cut off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from starover_cli.around import after_text, look_after, look_before
from starover_cli.experimental import asks_of_experiment, remark, with_waiver
from starover_cli.plan_files import find_approval
from starover_cli.prompt import Answers, NotConfirmed, consent
from starover_cli.report import show_ran
from starover_cli.shipping import copies_go_out
from starover_cli.views.head import Where
from starover_cli.views.runs import run_text, summary_of, verdict_of_run
from starover_cli.views.story import Story

from starover.errors import BadParameter, NotApproved, StaroverError
from starover.guard import check_applicable, needs_digest
from starover.journal import path_of, read_journal, resolve, run_ids
from starover_bot import asks
from starover_bot.bench import AtWork, Bench, Heard, error_card, for_chat
from starover_bot.cards import Button, Card, Part, in_chat, short
from starover_bot.looking import attach_report
from starover_bot.planning import accept_words, call_of, card_plan, drop, find, load, redraw, same
from starover_bot.rooms import WIDTH, ChatRoom, kept_of
from starover_bot.saying import Following, Gone, NotTold

if TYPE_CHECKING:
    from starover_cli.views.runs import RunSummary

    from starover.approval import Second
    from starover.drivers.local import Local, Ran
    from starover.plan import Plan
    from starover_bot.ledger import Leg, PlanCard

__all__ = ["apply", "cancel", "catch_up", "resume", "stop_all"]

_log = logging.getLogger("starover_bot")
LINES = 20
_MARKS = {"done": "ok", "nothing": "=", "unknown": "?"}


def apply(bench: Bench, room: ChatRoom, heard: Heard, ask: asks.Apply) -> None:
    """Do what a plan says: for whoever asked for it, once."""
    from starover.effects import Approval

    made, found = card_plan(bench, room, ask.plan, ask.card)
    if not same(room, made.by, heard.person):
        asked = call_of(room, made.by)
        raise NotApproved(
            f"only {asked} may press Apply: {asked} asked for plan {made.id}",
            certain=("nothing was sent",),
            next=(f"{made.command}   for a plan of your own",),
        )
    if made.nothing:
        raise BadParameter(f"plan {made.id} changes nothing")
    check_applicable(made)
    if (leg := bench.ledger.leg_of(made.run)) is not None:
        raise _begun(made, leg)
    rough = asks_of_experiment(room, made)
    if needs_digest(made.risk) and not (ask.approve or ask.accept):
        raise _typed(made, experimental=rough)
    if rough and not ask.experimental:
        raise NotConfirmed(
            f"{made.runbook} is experimental, and this is LIVE: that is typed, not pressed",
            certain=("nothing was sent", f"it has no certificate: see starover runbooks show {made.runbook}"),
            next=(f"starover apply {made.id} --experimental",),
        )
    by_policy = room.house.wants_second(made)
    room.settings.ticket = ask.ticket or (found.ticket if found is not None else "")
    now = room.clock.now()
    answers = Answers(
        yes=True,  # its card was looked at, and the button, or the line, is the answer
        approve=ask.approve,
        accept=ask.accept,
        ticket=room.settings.ticket,
        second=_second(bench, room, made) if by_policy else None,
    )

    def held(given: Approval) -> object:
        return room.house.check(made, given, now)

    dag = _dag(room, made)
    try:
        approval = consent(
            made, room.settings.console, answers, dag=dag, now=now, who=heard.person, held=held, second=by_policy
        )
    except NotConfirmed:
        raise _typed(made, experimental=rough) from None
    if rough and approval is not None:
        approval = with_waiver(approval, made)
    number = _begin(bench, made.run, made, heard)
    if number is None:
        leg = bench.ledger.leg_of(made.run)
        raise _begun(made, leg)
    try:
        channel, thread = (found.channel, found.message) if found is not None else (heard.channel, "")
        _post(bench, number, channel, thread, _drawn(room, made, Story(), heard))
        look_before(room, made, dag)  # kept, for the report
        released = _perform(
            bench, room, heard, number, made, lambda local: local.apply(made, approve=lambda _: approval)
        )
        if found is not None:
            _tell_card(bench, room, made, found, number, released=released)
    finally:
        with bench.guard:
            bench.at_work.pop(number, None)


def _typed(made: Plan, *, experimental: bool) -> NotConfirmed:
    return NotConfirmed(
        f"plan {made.id} has risk {made.risk.value}: what it may cost is typed, not pressed",
        certain=("nothing was sent",),
        next=(accept_words(made) + (" --experimental" if experimental else ""),),
    )


def _second(bench: Bench, room: ChatRoom, made: Plan) -> Second | None:
    """The second person's approval: given here, or signed and kept beside the plans; one that counts comes first."""
    found = bench.ledger.approvals(made.run)
    kept = find_approval(room.settings, made.id, made)
    found += [kept] if kept is not None else []
    now = room.clock.now()
    for one in found:
        with suppress(StaroverError):
            if not room.house.not_to_approve(made, one, now):
                return one
    return found[-1] if found else None


def _begun(made: Plan, leg: Leg | None) -> BadParameter:
    run = leg.run if leg is not None and leg.run else made.id
    return BadParameter(
        f"plan {made.id} was begun already, as run {run}: nothing is done twice",
        certain=("this did nothing",),
        next=(f"starover runs {run}", f"{made.command}   looks again"),
    )


def _begin(bench: Bench, key: str, made: Plan, heard: Heard) -> int | None:
    """Keep that it begins; None: it has."""
    with bench.guard:
        number = bench.ledger.begin(key, made.id, heard.person, run_ids(bench.settings.state))
        if number is not None:
            bench.at_work[number] = AtWork(plan=made.id, local=None)
        return number


def _post(bench: Bench, number: int, channel: str, thread: str, card: Card, message: str = "") -> None:
    """Begin to tell it. What nobody could follow is not begun: raises `NotTold`."""
    try:
        if message:
            bench.channel.edit(channel, message, card)
        else:
            message = bench.channel.post(channel, card, thread=thread)
    except NotTold:
        bench.ledger.end(number, released=True)
        bench.ledger.told(number)
        raise
    bench.ledger.place(number, channel, thread or message, message)


def _perform(
    bench: Bench,
    room: ChatRoom,
    heard: Heard,
    number: int,
    made: Plan,
    act: Callable[[Local], Ran],
    *,
    again: bool = False,
) -> bool:
    """Do it, and follow it in its message. Gives whether nothing was done, so that it may be begun again."""
    leg = _leg(bench, number)
    story = Story(simulated=room.estate.lab, plan=made)
    following = Following(
        story,
        draw=lambda: _drawn(room, made, story, heard),
        say=lambda card: bench.channel.edit(leg.channel, leg.message, card),
        named=lambda run: bench.ledger.named(number, run),
        pace=bench.pace,
    )
    local = room.local([following])
    with bench.guard:
        bench.at_work[number] = AtWork(plan=made.id, local=local)
    kept = kept_of(room.settings)
    try:
        with following:
            ran = act(local)
    except StaroverError as error:
        # before it was a run: another content, no such plan. Or in the middle, when the journal takes no more: whatever
        # was sent is in there, so it may be resumed and never be begun again
        released = again or not story.run
        bench.ledger.end(number, released=released)
        card = error_card(error)
        if story.run:
            title = f"!  {made.runbook}: {error.word}.  run {story.run}  by {_by(room, heard)}"
            card = replace(card, title=title, buttons=_after(story.run, resume=True))
        _say(bench, number, card)
        return released
    released = again or (ran.state == "refused" and not ran.changed and not ran.under_way)
    bench.ledger.end(number, released=released)
    kept.results.clear()
    kept.notes.clear()
    if ran.error is not None:
        for_chat(ran.error)
    after = look_after(room, made, _dag(room, made), changed=ran.changed)
    with copies_go_out(room):
        show_ran(room, ran, story)
    text = in_chat("\n".join([*kept.results, *kept.notes]).strip("\n"))
    what = "nothing was sent" if ran.state == "refused" and not ran.changed else f"changed {ran.changed}"
    title = f"{_MARKS.get(ran.state, '!')}  {made.runbook}: {ran.state}, {what}.  run {ran.run}  by {_by(room, heard)}"
    stands = [Part(after_text(room, ran.run, after, WIDTH))] if after is not None else []
    card = Card(title=title, parts=(*stands, Part(text)), buttons=_after(ran.run, resume=ran.resumable))
    if _say(bench, number, card) and (ran.changed or ran.state != "refused"):
        with suppress(NotTold, StaroverError):
            attach_report(bench, room.settings, ran.run, leg.channel, leg.thread)
    return released


def _after(run: str, *, resume: bool) -> tuple[Button, ...]:
    report = Button(name="report", text="Report", value=run)
    return (Button(name="resume", text="Resume", value=run), report) if resume else ()


def _say(bench: Bench, number: int, card: Card) -> bool:
    """The last word in the message of a leg; where the chat does not take it, `catch_up` says it later."""
    leg = _leg(bench, number)
    try:
        _edit(bench, leg, card)
    except NotTold as error:
        _log.warning("run %s: the thread does not know yet how it ended: %s", leg.run or leg.plan, error)
        return False
    bench.ledger.told(number)
    return True


def _edit(bench: Bench, leg: Leg, card: Card) -> None:
    """The message of a leg; a new one where somebody took it away. Raises `NotTold`."""
    try:
        bench.channel.edit(leg.channel, leg.message, card)
    except Gone:
        thread = leg.thread if leg.thread != leg.message else ""
        bench.ledger.place(leg.leg, leg.channel, leg.thread, bench.channel.post(leg.channel, card, thread=thread))


def _leg(bench: Bench, number: int) -> Leg:
    leg = bench.ledger.leg(number)
    assert leg is not None
    return leg


def _tell_card(bench: Bench, room: ChatRoom, made: Plan, found: PlanCard, number: int, *, released: bool) -> None:
    leg = _leg(bench, number)
    with suppress(NotTold, StaroverError):
        redraw(
            bench,
            room,
            made,
            found,
            ended="" if released else f"applied as run {leg.run} by {call_of(room, leg.person)}",
        )


def _drawn(room: ChatRoom, made: Plan, story: Story, heard: Heard) -> Card:
    """A run as it is now."""
    lines = story.block(story.heard, WIDTH, LINES)
    done = sum(row.mark in ("ok", "=") for row in story.rows.values())
    count = f"{done} of {len(made.steps)}" if made.complete else f"{done} done"
    return Card(
        title=f">  {made.runbook}: {count}.  run {story.run or made.id}  by {_by(room, heard)}",
        parts=(Part("\n".join(lines) or "reading the facts again"),),
        buttons=(Button(name="stop", text="Stop", value=made.id, sure="It ends after the steps that are under way."),),
    )


def _by(room: ChatRoom, heard: Heard) -> str:
    return call_of(room, heard.person)


def _dag(room: ChatRoom, made: Plan) -> str:
    known = room.dag_of(step.host for step in made.steps)
    return str(made.parameters.get("dag") or "") or (known.name if known is not None else "")


# -- stopping and going on ---------------------------------------------------------------------------------------------


def resume(bench: Bench, room: ChatRoom, heard: Heard, run: str) -> None:
    """Go on with a run: it looks first and sends nothing twice. For whoever may do such things."""
    run = resolve(run, run_ids(room.settings.state), "run")
    one = _summary(room, run)
    if one.plan is None:
        raise BadParameter(f"run {run} was a look: there is nothing to resume")
    made = one.plan
    earlier = bench.ledger.leg_by_run(run)
    with bench.guard:
        busy = earlier is not None and earlier.leg in bench.at_work
    if not busy:
        room.local().may_resume(run)
    number = None if busy else _begin(bench, f"resume {run}", made, heard)
    if number is None:
        raise BadParameter(f"run {run} is under way", certain=("this did nothing",))
    try:
        bench.ledger.named(number, run)
        channel, thread, message = (
            (earlier.channel, earlier.thread, earlier.message) if earlier is not None else (heard.channel, "", "")
        )
        _post(bench, number, channel, thread, _drawn(room, made, Story(run=run), heard), message)
        _perform(bench, room, heard, number, made, lambda local: local.resume(run), again=True)
    finally:
        with bench.guard:
            bench.at_work.pop(number, None)


def cancel(bench: Bench, room: ChatRoom, heard: Heard, what: str) -> None:
    """Stop a run of this bot after the steps under way, or drop a plan that was not begun."""
    plan_id = what.partition(".")[0].casefold()
    with bench.guard:
        working = [one for one in bench.at_work.values() if one.plan.startswith(plan_id)]
    for one in working:
        made = load(room, one.plan)
        if not same(room, made.by, heard.person) and (why := room.house.not_for(made, heard.person)):
            raise NotApproved(why, certain=("the run goes on",))
        if one.local is None:
            raise BadParameter(f"the run of plan {one.plan} is only just beginning: say it again in a moment")
        one.local.stop()
        bench.whisper(heard, short(f"the run of plan {one.plan} stops after the steps that are under way"))
    if working:
        return
    made = load(room, plan_id)
    if find(bench, made.run) is None or bench.ledger.leg_of(made.run) is not None:
        raise BadParameter(
            f"no run of plan {made.id} is under way here", certain=("nothing was stopped",), next=("starover runs",)
        )
    drop(bench, room, heard, made.run)


def stop_all(bench: Bench) -> None:
    """Everything that is under way ends after its steps."""
    with bench.guard:
        for one in bench.at_work.values():
            if one.local is not None:
                one.local.stop()


# -- what is true ------------------------------------------------------------------------------------------------------


def catch_up(bench: Bench) -> None:
    """Every thread that does not know how its run ended is told: after a restart, or when the chat was away."""
    with bench.guard:
        legs = [leg for leg in bench.ledger.untold() if leg.leg not in bench.at_work]
    for leg in legs:
        heard = Heard(key="", person=leg.person, channel=leg.channel, text="")
        try:
            with bench.secrets.of(bench.room(heard)) as room:
                _tell_truth(bench, room, leg)
        except (StaroverError, NotTold) as error:
            _log.warning("run %s: the thread does not know how it stands: %s", leg.run or leg.plan, error)


def _tell_truth(bench: Bench, room: ChatRoom, leg: Leg) -> None:
    """Say what the journal of a leg's run says; where it has none, that nothing was begun. Raises `NotTold`."""
    state = room.settings.state
    fresh = [run for run in run_ids(state) if run.startswith(f"{leg.plan}.") and run not in leg.before]
    run = leg.run or next((run for run in fresh if _is_written(room, run)), "")
    again = leg.key.startswith("resume ")
    if not run:
        released, card = (
            True,
            short(f"!  plan {leg.plan}: the bot was cut off before it had begun", "Nothing was sent."),
        )
    else:
        bench.ledger.named(leg.leg, run)
        one = _summary(room, run)
        ended = one.ended
        cut = "" if ended is not None else "The bot was cut off in the middle of it.\n\n"
        where = Where(lab=one.lab, estate=one.estate, dag=str(one.parameters.get("dag") or ""), at=one.last)
        text = in_chat(run_text(one, where, WIDTH, certificate=remark(room.content, one.plan)))
        mark = "?" if ended is None else _MARKS.get(ended.state, "!")
        released = again or (ended is not None and ended.state == "refused" and not ended.changed)
        card = Card(
            title=f"{mark}  {one.runbook}: {verdict_of_run(one)}  run {run}  by {call_of(room, leg.person)}",
            parts=(Part(cut + text),),
            buttons=_after(run, resume=ended is None or bool(ended.resume)),
        )
    if leg.state == "open":
        bench.ledger.end(leg.leg, released=released)
    if leg.message:
        _edit(bench, leg, card)
    bench.ledger.told(leg.leg)
    found = find(bench, leg.key)
    if found is not None and found.message:
        made = load(room, found.plan)
        ended_by = "" if released else f"applied as run {run} by {call_of(room, leg.person)}"
        with suppress(StaroverError):
            redraw(bench, room, made, found, ended=ended_by)


def _is_written(room: ChatRoom, run: str) -> bool:
    file = path_of(room.settings.state, run)
    return file.is_file() and file.stat().st_size > 0


def _summary(room: ChatRoom, run: str) -> RunSummary:
    """A run as its journal has it. Raises `BadParameter`."""
    one = summary_of(run, read_journal(room.settings.state, run))
    if one is None:
        raise BadParameter(f"the journal of {run} has no first line", next=("starover audit verify",))
    return one
