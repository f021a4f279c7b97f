"""`starover-bot`: the bot as a process; tokens by reference, never in a file of ours."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click
from starover_cli.settings import STATE_FOLDER, Settings
from starover_cli.views.error import error_text

from starover.child_environment import hide
from starover.errors import AuthFailed, BadInventory, StaroverError, Unreachable
from starover_bot.rooms import Kept

__all__ = ["main", "token"]

AGAIN = 60.0
"""Seconds after which a thread that could not be told how a run ended is told again."""


@click.command("starover-bot", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--inventory", metavar="FILE", envvar="STAROVER_INVENTORY", default="", help="The estate.")
@click.option(
    "--home", metavar="DIR", envvar="STAROVER_HOME", default="", help="Where runbooks/ and ps_templates/ are."
)
@click.option(
    "--dir", "folder", metavar="DIR", envvar="STAROVER_DIR", default="", help=f"State; default: {STATE_FOLDER}"
)
@click.option(
    "--bot-token",
    metavar="REF",
    default="env:SLACK_BOT_TOKEN",
    help="Where the token xoxb-... is: env:NAME, file:PATH.",
)
@click.option("--app-token", metavar="REF", default="env:SLACK_APP_TOKEN", help="Where the token xapp-... is.")
@click.option("--api", metavar="URL", default="", hidden=True, help="Another Web API than Slack's, for tests.")
def main(inventory: str, home: str, folder: str, bot_token: str, app_token: str, api: str) -> None:
    """Runbooks in a team's Slack, by socket mode: nothing listens here, and each person acts with their own rights.

    People are found in policy.yaml beside the inventory by names such as slack:U0123ABCD (docs/chat.md).
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings(inventory=inventory, home=home, dir=folder, console=Kept())
    try:
        _serve(settings, token(bot_token, "bot-token"), token(app_token, "app-token"), api)
    except StaroverError as error:
        click.echo(error_text(error, 100), err=True)
        sys.exit(error.exit)


def token(reference: str, option: str) -> str:
    """The token behind a reference that `option` gave.

    Raises `BadInventory` for what is no reference, `AuthFailed` where nothing is.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        hide([name])
        if found := os.environ.get(name, "").strip():
            return found
        raise AuthFailed(
            f"the environment has no {name}",
            certain=("nothing was contacted",),
            next=(f"export {name}=...", f"starover-bot --{option} file:PATH"),
        )
    if kind == "file" and name:
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise AuthFailed(
                f"{name} cannot be read: {error.strerror or error}",
                certain=("nothing was contacted",),
                next=(f"starover-bot --{option} file:PATH   of a file that this user may read",),
            ) from None
    # the text is not repeated: it may be a token in the wrong place
    raise BadInventory(
        "a token is given by reference: env:NAME or file:PATH",
        certain=("nothing was contacted",),
        next=(f"starover-bot --{option} env:NAME",),
    )


def _serve(settings: Settings, bot: str, app: str, api: str) -> None:
    try:
        from starover_bot.slack import SlackChannel, client_of, connected
    except ImportError:
        raise BadInventory("the bot needs the extra `chat`", next=("pip install 'starover[chat]'",)) from None
    from starover_bot.desk import Desk
    from starover_bot.saying import NotTold

    over = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda _number, _frame: over.set())
    client = client_of(bot, api)
    desk = Desk(settings, SlackChannel(client), secrets=(bot, app))
    try:
        desk.wake()
        with connected(client, app, desk.take):
            click.echo("starover-bot is connected", err=True)
            while not over.wait(AGAIN):
                desk.catch_up()
    except NotTold as error:
        if "cannot be reached" in str(error):
            raise Unreachable(str(error), certain=("nothing was begun",)) from None
        raise AuthFailed(
            f"Slack does not take the bot: {error}", next=("docs/chat.md says which rights it needs",)
        ) from None
    finally:
        desk.close()


if __name__ == "__main__":
    main()
