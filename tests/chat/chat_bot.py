"""A bot on a lab in process, in a Slack that is a stand-in: what the tests of the chat share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat.slack_stand_in import APP_TOKEN, BOT_TOKEN, StandIn
from inner_cli import InnerParts
from inner_lab import InnerLab
from starover_bot.desk import Desk
from starover_bot.rooms import Kept
from starover_bot.slack import SlackChannel, client_of, connected
from starover_cli.settings import Settings

POLICY = r"""
people:
  anna: {names: ['EXAMPLE\anna', 'slack:U0ANNA']}
  ben: {names: ['slack:U0BEN']}
  chris: {names: ['slack:U0CHRIS']}
groups:
  operators: [anna, ben]
  approvers: [anna, ben]
rules:
  '*':
    L: {by: [operators]}
    S: {by: [operators], second: true, approved_by: [approvers]}
    D: {by: [operators], approved_by: [approvers]}
    X: {by: [operators], approved_by: [approvers], chat: true}
"""
ALONE = POLICY.replace("S: {by: [operators], second: true, approved_by: [approvers]}", "S: {by: [operators]}")
"""The same, where an interruption needs no second person."""
ANNA, BEN, CHRIS = "U0ANNA", "U0BEN", "U0CHRIS"


def settings_of(lab: InnerLab, policy: str = POLICY) -> Settings:
    (lab.folder / "policy.yaml").write_text(policy, encoding="utf-8")
    return Settings(dir=str(lab.folder), parts=InnerParts(lab), console=Kept())


@contextmanager
def bot(slack: StandIn, lab: InnerLab, policy: str = POLICY) -> Iterator[Desk]:
    """The bot, awake and connected."""
    client = client_of(BOT_TOKEN, slack.api)
    desk = Desk(settings_of(lab, policy), SlackChannel(client), secrets=(BOT_TOKEN, APP_TOKEN), pace=0.0)
    try:
        desk.wake()
        with connected(client, APP_TOKEN, desk.take):
            yield desk
            desk.wait()
            slack.goodbye()
    finally:
        desk.close()


def journals(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "runs").glob("*.jsonl"))
