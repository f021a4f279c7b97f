"""Slack by slack-bolt in socket mode: what it delivers becomes asks, cards become messages. Only here it is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import RetryHandler
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from starover_bot import asks
from starover_bot.bench import Heard
from starover_bot.cards import Card
from starover_bot.saying import Gone, NotTold
from starover_bot.slack_blocks import blocks, fallback, whole_text
from starover_bot.slack_text import typed_text

__all__ = ["COMMAND", "SlackChannel", "client_of", "connected"]

COMMAND = "/starover"
PREFIX = "slack:"
PATIENCE = 20
"""Times that Slack may say "later" to one message; each says for how long."""
_GONE = ("message_not_found", "thread_not_found", "edit_window_closed", "cant_update_message")


class _Web(Protocol):
    """What is used of `WebClient`, with types."""

    def auth_test(self) -> Mapping[str, object]: ...
    def chat_postMessage(self, **given: object) -> Mapping[str, object]: ...  # noqa: N802 - Slack's name
    def chat_update(self, **given: object) -> Mapping[str, object]: ...
    def chat_postEphemeral(self, **given: object) -> Mapping[str, object]: ...  # noqa: N802
    def files_upload_v2(self, **given: object) -> Mapping[str, object]: ...


class _Bolt(Protocol):
    """What is used of `App`, with types."""

    def command(self, command: str, /) -> Callable[[Callable[..., None]], object]: ...
    def action(self, constraints: re.Pattern[str], /) -> Callable[[Callable[..., None]], object]: ...
    def event(self, event: re.Pattern[str], /) -> Callable[[Callable[..., None]], object]: ...


class _Socket(Protocol):
    """What is used of `SocketModeHandler`, with types."""

    def connect(self) -> None: ...
    def close(self) -> None: ...


def client_of(token: str, base_url: str = "") -> WebClient:
    """Slack's Web API. `base_url`: another one than Slack's own, for tests."""
    later: list[RetryHandler] = [RateLimitErrorRetryHandler(max_retry_count=PATIENCE), ConnectionErrorRetryHandler()]
    if base_url:
        return WebClient(token=token, base_url=base_url, retry_handlers=later)
    return WebClient(token=token, retry_handlers=later)


@dataclass(frozen=True)
class SlackChannel:
    """Says things in Slack. A message's name is its `ts`."""

    client: WebClient

    @property
    def _web(self) -> _Web:
        return cast(_Web, self.client)

    def post(self, channel: str, card: Card, *, thread: str = "") -> str:
        """A new message. Raises `NotTold`."""
        with _told():
            said = self._web.chat_postMessage(
                channel=channel,
                text=fallback(card),
                blocks=blocks(card),
                thread_ts=thread or None,
                unfurl_links=False,
                unfurl_media=False,
            )
        name = str(said["ts"])
        if whole := whole_text(card):
            self.attach(channel, thread or name, "all.txt", card.title, whole.encode())
        return name

    def edit(self, channel: str, message: str, card: Card) -> None:
        """Another text for a message. Raises `NotTold`, and `Gone` where somebody took it away."""
        with _told():
            self._web.chat_update(channel=channel, ts=message, text=fallback(card), blocks=blocks(card))

    def whisper(self, channel: str, person: str, card: Card, *, reply: str = "") -> None:
        """To one person alone; by the address for replies where the bot is not in the channel. Raises `NotTold`."""
        user = person.removeprefix(PREFIX).rpartition("/")[2]
        try:
            with _told():
                self._web.chat_postEphemeral(channel=channel, user=user, text=fallback(card), blocks=blocks(card))
        except NotTold:
            if not reply:
                raise
            with _told():
                answered = WebhookClient(reply).send(text=fallback(card), blocks=[*blocks(card)])
            if answered.status_code != 200:
                raise NotTold(f"Slack took no reply: {answered.status_code}") from None

    def attach(self, channel: str, thread: str, name: str, title: str, data: bytes) -> None:
        """A file. Raises `NotTold`."""
        with _told():
            self._web.files_upload_v2(
                channel=channel, thread_ts=thread or None, filename=name, title=title, content=data
            )


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except SlackApiError as error:
        response = cast("Mapping[str, object] | None", error.response)  # pyright: ignore[reportUnknownMemberType]
        said = str(response.get("error", "")) if response is not None else ""
        raise (Gone if said in _GONE else NotTold)(said or "Slack refused it") from None
    except (SlackClientError, OSError) as error:
        raise NotTold(f"Slack cannot be reached: {type(error).__name__}") from None


@contextmanager
def connected(client: WebClient, app_token: str, take: Callable[[Heard], object]) -> Generator[None]:
    """Everything that is typed and pressed, while it is open. What is delivered is taken before Slack hears so.

    Raises `NotTold` where Slack cannot be reached, or does not know the tokens.
    """
    with _told():
        team = str(cast(_Web, client).auth_test().get("team_id") or "")
    made = App(client=client, token_verification_enabled=False)
    app = cast(_Bolt, made)

    @app.command(COMMAND)
    def _typed(ack: Callable[[], object], body: dict[str, Any]) -> None:
        take(typed_of(body, team))
        ack()

    @app.action(re.compile(r"starover_[a-z]+"))
    def _pressed(ack: Callable[[], object], body: dict[str, Any]) -> None:
        heard = pressed_of(body, team)
        if heard is not None:
            take(heard)
        ack()

    @app.event(re.compile(r".*"))
    def _ignored(body: dict[str, Any]) -> None:
        """Messages, their edits and deletions: nothing is ever done for those."""
        del body

    handler = cast(_Socket, SocketModeHandler(made, app_token))
    try:
        with _told():
            handler.connect()
        yield
    finally:
        handler.close()


def typed_of(body: Mapping[str, Any], team: str) -> Heard:
    """What a slash command means. Its trigger is the same in every copy of the delivery."""
    return Heard(
        key=str(body["trigger_id"]),
        person=_person(str(body["user_id"]), str(body.get("team_id") or team), team),
        channel=str(body["channel_id"]),
        text=typed_text(str(body.get("text") or "")),
        reply=str(body.get("response_url") or ""),
    )


def pressed_of(body: Mapping[str, Any], team: str) -> Heard | None:
    """What a button means; None: it is none of ours."""
    action: Mapping[str, Any] = body["actions"][0]
    name, value = str(action["action_id"]).removeprefix("starover_"), str(action.get("value") or "")
    makers: dict[str, Callable[[], asks.Ask]] = {
        "apply": lambda: asks.Apply("", card=value),
        "approve": lambda: asks.Approve("", card=value),
        "scripts": lambda: asks.Scripts(value),
        "drop": lambda: asks.Drop(value),
        "stop": lambda: asks.Cancel(value),
        "resume": lambda: asks.Resume(value),
        "report": lambda: asks.Report(value),
    }
    if name not in makers:
        return None
    user: Mapping[str, Any] = body["user"]
    return Heard(
        key=str(body["trigger_id"]),
        person=_person(str(user["id"]), str(user.get("team_id") or team), team),
        channel=str(body["channel"]["id"]),
        text=f"[{name}] on {value}",
        ask=makers[name](),
        message=str(body["container"]["message_ts"]),
        reply=str(body.get("response_url") or ""),
    )


def _person(user: str, theirs: str, ours: str) -> str:
    """As the policy may name them. Somebody of another workspace in a shared channel has another name: theirs first."""
    return f"{PREFIX}{user}" if theirs == ours else f"{PREFIX}{theirs}/{user}"
