"""Plans as cards: made, shown with map, danger, proof and digest, approved by a second person, dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from starover_cli.around import map_text
from starover_cli.cmd_do import make_plan
from starover_cli.cmd_look import read_facts, read_where
from starover_cli.look import dag_map
from starover_cli.report import show_plan, show_value
from starover_cli.runbook_group import RunbookGroup
from starover_cli.views.approval import approval_text
from starover_cli.views.plan import plan_verdict, step_script
from starover_cli.views.text import clock_time
from starover_cli.wrong_usage import as_mistake

from starover.approval_signature import agreed
from starover.errors import BadParameter, NotApproved, StaroverError
from starover.guard import FRESH, check_fresh, needs_digest
from starover.journal import resolve
from starover.loss import bounds
from starover.plan import Plan, read_plan
from starover.policy import person_of
from starover.step import Risk
from starover_bot import asks
from starover_bot.bench import Bench, Heard
from starover_bot.cards import Button, Card, Part, short
from starover_bot.ledger import PlanCard
from starover_bot.rooms import WIDTH, ChatRoom, kept_of

if TYPE_CHECKING:
    from starover_cli.settings import Settings
    from starover_cli.views.dag_map import DagMap
    from starover_cli.views.head import Where

    from starover.drivers.local import Planned
    from starover.runbook import AnyRunbook

__all__ = ["approve", "call_of", "card_of", "drop", "find", "plan", "post_plan", "redraw", "same", "scripts"]


def plan(bench: Bench, room: ChatRoom, heard: Heard, ask: asks.Plan) -> None:
    """Make it, and post its card; what a runbook that looks has found is posted as it is."""
    if not ask.words or ask.words[0].startswith("-"):
        every = sorted(room.content.runbooks.values(), key=lambda one: one.name)
        lines = [f"{one.name.ljust(24)} {one.risk.value}  {one.summary}" for one in every]
        bench.whisper(heard, short("plan NAME: the runbooks, and the highest risk of each", "\n".join(lines)))
        return
    if set(ask.words) & {"--help", "-h"}:
        bench.whisper(heard, short(f"plan {ask.words[0]}", _help(room.settings, ask.words[0])))
        return
    made: list[tuple[Planned, Where]] = []

    def act(_settings: Settings, runbook: AnyRunbook, values: dict[str, object]) -> int:
        made.append(make_plan(room, runbook, values))
        return 0

    group = RunbookGroup("plan", add_help_option=False)
    group.act = act
    try:
        group.main([*ask.words], "/starover plan", standalone_mode=False, obj=room.settings)
    except click.UsageError as error:
        raise as_mistake(error) from None
    except click.ClickException as error:
        raise BadParameter(error.format_message()) from None
    for planned, where in made:
        if planned.value is not None and planned.plan.nothing:
            show_value(room, planned, where, exit_code=False)
            bench.post(heard, short(f"{planned.plan.runbook}  for {call_of(room, heard.person)}", _kept(room)))
        else:
            post_plan(bench, room, heard, planned.plan)


def _help(settings: Settings, name: str) -> str:
    group = RunbookGroup("plan")
    group.act = lambda *_args, **_more: 0
    with click.Context(group, info_name="/starover plan", obj=settings, terminal_width=WIDTH) as ctx:
        command = group.get_command(ctx, name)
        assert command is not None
        with click.Context(command, parent=ctx, info_name=name, terminal_width=WIDTH) as inner:
            return command.get_help(inner)


def post_plan(bench: Bench, room: ChatRoom, heard: Heard, made: Plan, drawn: DagMap | None = None) -> None:
    """The card of a plan; it is in the ledger before it is in the chat."""
    if made.nothing or made.blocked:
        show_plan(room, made, read_where(room), exit=0, exit_code=False, asking=True)
        bench.post(heard, short(_title(room, made), _kept(room)))
        return
    bench.ledger.card(made.run, made.digest, room.settings.ticket, heard.channel)
    found = find(bench, made.run)
    assert found is not None
    if found.message:
        return  # it is the very same planning: posted before
    message = bench.post(heard, card_of(bench, room, made, found, drawn))
    bench.ledger.posted(made.run, message)


def card_of(
    bench: Bench, room: ChatRoom, made: Plan, card: PlanCard, drawn: DagMap | None = None, *, ended: str = ""
) -> Card:
    """The card as it is now; `ended`: why nothing on it can be pressed any more."""
    title = _title(room, made)
    seconds = bench.ledger.approvals(card.card)
    said = [f"{call_of(room, one.by)} approved it at {clock_time(one.at, simulated=made.lab)}" for one in seconds]
    if ended:
        parts = (Part(f"{plan_verdict(made)}\ndigest   {made.digest}"),)
        return Card(title=title, parts=parts, foot=". ".join([*said, ended]))
    where = read_where(room, [step.host for step in made.steps], str(made.parameters.get("dag") or ""))
    room.settings.ticket = card.ticket
    kept_of(room.settings).results.clear()
    presses, room.settings.by = room.settings.by, made.by  # what the policy says is said of who asked
    try:
        show_plan(room, made, where, exit=0, exit_code=False, asking=True, second=seconds[-1] if seconds else None)
    finally:
        room.settings.by = presses
    shown = [_kept(room), _map(room, made, drawn)]
    # what it stops, forces, may lose, and what makes it void
    grave = needs_digest(made.risk) or room.house.wants_second(made)
    shown.append(approval_text(made, WIDTH) if grave else f"digest   {made.digest}")
    until = clock_time(made.made + FRESH, simulated=made.lab)
    asked = call_of(room, made.by)
    why_not = room.house.not_for(made, made.by)
    who = f"{why_not}: it can be looked at" if why_not else f"only {asked} may press Apply"
    return Card(
        title=title,
        parts=tuple(Part(text) for text in shown if text),
        buttons=_buttons(room, made, card.card, may=not why_not),
        foot=". ".join([*said, f"{who}; good until {until}"]),
    )


def redraw(bench: Bench, room: ChatRoom, made: Plan, card: PlanCard, ended: str = "") -> None:
    """The posted card, as it is now. Raises `NotTold`."""
    if card.message:
        bench.channel.edit(card.channel, card.message, card_of(bench, room, made, card, ended=ended))


def _title(room: ChatRoom, made: Plan) -> str:
    kind = "LAB" if made.lab else "LIVE"
    asked = call_of(room, made.by)
    return f"{kind} {made.estate}  plan {made.id}  {made.runbook}  risk {made.risk.value}  for {asked}"


def _buttons(room: ChatRoom, made: Plan, card: str, *, may: bool) -> tuple[Button, ...]:
    found: list[Button] = []
    rule = room.house.rule(made)
    if may:
        sure = f"{made.runbook}, risk {made.risk.value}: it is done now." if made.risk is not Risk.LOW else ""
        found.append(Button(name="apply", text="Apply", value=card, sure=sure, grave=needs_digest(made.risk)))
        if rule is not None and rule.second and rule.chat:
            binds_it = f"You agree to plan {made.id} ({made.runbook}, risk {made.risk.value}) as the second person."
            found.append(Button(name="approve", text="Approve", value=card, sure=binds_it))
    found.append(Button(name="scripts", text="Scripts", value=card))
    found.append(Button(name="drop", text="Drop", value=card))
    return tuple(found)


def _map(room: ChatRoom, made: Plan, drawn: DagMap | None) -> str:
    """The DAG as it is; empty where there is none to draw, or nobody answers."""
    try:
        name = str(made.parameters.get("dag") or "")
        dag = room.estate.dag(name) if name else room.dag_of(step.host for step in made.steps)
        if drawn is None and dag is not None:
            room.settings.dag = dag.name
            drawn = dag_map(read_facts(room, room.settings, told=False), room.estate, dag, room.clock.now())
    except StaroverError:
        return ""
    return map_text(drawn, WIDTH) if drawn is not None else ""


def _kept(room: ChatRoom) -> str:
    return kept_of(room.settings).text()


# -- one that was made -------------------------------------------------------------------------------------------------


def find(bench: Bench, card: str) -> PlanCard | None:
    """A card by its name."""
    return bench.ledger.find_card(card)


def load(room: ChatRoom, plan_id: str, card: str = "") -> Plan:
    """A plan by id or digest, and as that card shows it. Raises `BadParameter`."""
    folder = room.settings.state / "plans"
    known = sorted(file.stem for file in folder.glob("*.json"))
    made = read_plan((folder / f"{resolve(plan_id[:8], known, 'plan')}.json").read_bytes())
    if card and made.run != card:
        when = clock_time(made.made, simulated=made.lab)
        raise BadParameter(
            f"plan {made.id} was made again at {when} by {call_of(room, made.by)}: this card is not the latest",
            certain=("nothing was sent",),
        )
    return made


def card_plan(bench: Bench, room: ChatRoom, plan_id: str, card: str) -> tuple[Plan, PlanCard | None]:
    """The plan that was named, or whose button was pressed. Raises `BadParameter`, `PlanIsStale`, `NotApproved`."""
    found = find(bench, card) if card else None
    if card and found is None:
        raise BadParameter("this card is not known here: it is of another bot, or of another folder of state")
    made = load(room, found.plan if found is not None else plan_id, card)
    if found is not None and made.digest != found.plan:
        raise BadParameter(f"this card is of plan {found.plan[:16]}, and {made.id} is another now")
    found = found or find(bench, made.run)
    if found is not None and found.dropped:
        raise BadParameter(
            f"plan {made.id} was dropped by {call_of(room, found.dropped)}", next=(f"{made.command}   looks again",)
        )
    try:
        check_fresh(made, room.clock.now())
    except StaroverError:
        if found is not None and found.message:
            redraw(bench, room, made, found, ended="too old: plan it again")
        raise
    return made, found


def call_of(room: ChatRoom, name: str) -> str:
    """What the policy calls somebody."""
    policy = room.policy
    return (person_of(policy, name) if policy is not None else None) or name or "nobody"


def same(room: ChatRoom, one: str, other: str) -> bool:
    """Whether two names are one person."""
    policy = room.policy
    person = person_of(policy, one) if policy is not None else None
    return policy is not None and person is not None and person == person_of(policy, other)


def approve(bench: Bench, room: ChatRoom, heard: Heard, ask: asks.Approve) -> None:
    """The second person agrees. Raises `NotApproved` where that does not count, and says why."""
    made, found = card_plan(bench, room, ask.plan, ask.card)
    if found is None:
        raise BadParameter(
            f"plan {made.id} was not made in this chat: it is approved where it was made",
            next=(f"starover approve {made.id} --key KEY",),
        )
    if made.nothing or made.blocked:
        raise BadParameter(f"plan {made.id} is not to be applied: there is nothing to approve")
    if not room.house.wants_second(made):
        raise BadParameter(f"plan {made.id} needs no second person", certain=("nothing was approved",))
    dag = str(made.parameters.get("dag") or "")
    if not ask.card and dag and ask.dag.casefold() != dag.casefold():
        raise BadParameter(
            "an approval is typed with the DAG's name",
            certain=("nothing was approved",),
            next=(f"starover approve {made.id} --dag NAME",),
        )
    now = room.clock.now()
    made_now = agreed(made, heard.person, now)
    believed = room.house.with_heard(lambda second: second == made_now or bench.ledger.heard(second))
    if why := believed.not_to_approve(made, made_now, now):
        raise NotApproved(why, certain=("nothing was approved",))
    bench.ledger.approve(found.card, heard.person, made_now)
    redraw(bench, room, made, found)
    said = f"{call_of(room, heard.person)} approved plan {made.id}: {call_of(room, made.by)} may apply it"
    bench.channel.post(found.channel or heard.channel, short(said, f"digest {made.digest}"), thread=found.message)


def scripts(bench: Bench, room: ChatRoom, card: str) -> None:
    """Every script that would be sent, as a file in the thread."""
    found = find(bench, card)
    if found is None:
        raise BadParameter("this card is not known here")
    made = load(room, found.plan, card)
    text = "\n\n".join(step_script(made, step, step.script, 0) for step in made.changes)
    bench.channel.attach(
        found.channel, found.message, f"{made.id}.ps1.txt", f"scripts of plan {made.id}", text.encode()
    )


def drop(bench: Bench, room: ChatRoom, heard: Heard, card: str) -> None:
    """Put a card away: by whoever asked, or may apply such a plan."""
    found = find(bench, card)
    if found is None:
        raise BadParameter("this card is not known here")
    made = load(room, found.plan, card)
    if not same(room, made.by, heard.person) and (why := room.house.not_for(made, heard.person)):
        raise NotApproved(why, certain=("the plan stays",))
    if bench.ledger.leg_of(card) is not None:
        raise BadParameter(f"plan {made.id} was begun already", next=(f"starover cancel {made.id}",))
    bench.ledger.drop(card, heard.person)
    redraw(bench, room, made, found, ended=f"dropped by {call_of(room, heard.person)}")


def accept_words(made: Plan) -> str:
    """What has to be typed to apply a plan that may lose mail or split the brain."""
    loss = ",".join(str(one) for one in bounds(made).values())
    taken = f" --accept-data-loss {loss}" if loss else ""
    return f"starover apply {made.id} --ticket ID{taken} --approve {made.id}"
