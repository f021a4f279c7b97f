"""A stand-in for Slack on loopback: its Web API over HTTP, socket mode over a websocket, for Slack's own client.

It keeps what a channel would show, and is as particular as Slack where that is documented: tokens, blocks, one ack for
each envelope, 429 with Retry-After, envelopes that come again when nobody said that they had come.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, generate_accept_token

BOT_TOKEN, APP_TOKEN = "xoxb-1-of-the-tests", "xapp-1-of-the-tests"
TEAM = "T0TEAM"
SECONDS = 60.0


@dataclass
class Message:
    """A message as the channel shows it."""

    ts: str
    channel: str
    thread: str
    versions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def now(self) -> dict[str, Any]:
        return self.versions[-1]

    @property
    def text(self) -> str:
        """All that is to be read, buttons in brackets."""
        return shown(self.now)

    def button(self, name: str) -> dict[str, Any]:
        for block in self.now.get("blocks", []):
            for element in block.get("elements", []):
                if element.get("type") == "button" and element["text"]["text"] == name:
                    return element
        raise AssertionError(f"there is no button {name}:\n{self.text}")


def shown(body: Mapping[str, Any]) -> str:
    return "\n".join(_words(body.get("blocks", [])))


def _says(text: str, words: tuple[str, ...]) -> bool:
    """Whether all of that is said, however the lines are broken."""
    flat = " ".join(text.split())
    return all(" ".join(word.split()) in flat for word in words)


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _words(one)
    elif isinstance(node, dict):
        if node.get("type") == "button":
            yield f"[{node['text']['text']}]"
        elif isinstance(node.get("text"), str):
            yield node["text"]
        else:
            for key in ("text", "elements"):
                yield from _words(node.get(key, []))


class Link:
    """One websocket, after its handshake."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.connection = Connection(ConnectionType.SERVER)
        self._lock = threading.Lock()

    def send(self, document: Mapping[str, Any]) -> None:
        with self._lock:
            self.sock.sendall(self.connection.send(TextMessage(data=json.dumps(document))))

    def close(self) -> None:
        with self._lock:
            try:
                if self.connection.state is ConnectionState.OPEN:
                    self.sock.sendall(self.connection.send(CloseConnection(code=1000)))
                self.sock.shutdown(socket.SHUT_RDWR)
            except (OSError, LocalProtocolError):
                pass

    def ping(self) -> None:
        """As Slack does: a client that is about to close waits for something to come, for three seconds else."""
        while self.connection.state is ConnectionState.OPEN:
            try:
                with self._lock:
                    self.sock.sendall(self.connection.send(Ping()))
            except (OSError, LocalProtocolError):
                return
            time.sleep(0.1)

    def texts(self) -> Iterator[dict[str, Any]]:
        text = ""
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            with self._lock:
                self.connection.receive_data(data or None)
                events = list(self.connection.events())
            for event in events:
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        yield json.loads(text)
                        text = ""
                elif isinstance(event, Ping):
                    with self._lock:
                        self.sock.sendall(self.connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    return
            if not data:
                return


class StandIn:
    """Slack, as far as a bot sees it. A context."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.whispers: list[tuple[str, str]] = []
        """Person and text."""
        self.files: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.later: Counter[str] = Counter()
        """How often each method answers 429 from now on."""
        self.broken: set[str] = set()
        """Methods that fail from now on."""
        self.outside: set[str] = set()
        """Channels that the bot is not in."""
        self.acks: Counter[str] = Counter()
        self._links: list[Link] = []
        self._uploads: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        stand_in = self

        class Handler(_Handler):
            slack = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._links:
            link.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    # -- what people do ------------------------------------------------------------------------------------------

    def type(self, person: str, text: str, **more: Any) -> dict[str, Any]:
        """Somebody types `/starover text`. Gives the envelope, which has been taken when this returns."""
        body = {
            "token": "old",
            "team_id": TEAM,
            "channel_id": "C0OPS",
            "channel_name": "ops",
            "user_id": person,
            "command": "/starover",
            "text": text,
            "api_app_id": "A1",
            "response_url": f"{self.api}reply/{person}",
            "trigger_id": f"{next(self._numbers)}.1.trigger",
        }
        return self.deliver(self.envelope("slash_commands", body), **more)

    def press(self, person: str, message: Message, button: str | dict[str, Any], team: str = TEAM) -> dict[str, Any]:
        """Somebody presses a button: one that is there now, or one (from `Message.button`) that was."""
        element = message.button(button) if isinstance(button, str) else button
        body = {
            "type": "block_actions",
            "user": {"id": person, "username": person.lower(), "team_id": team},
            "api_app_id": "A1",
            "team": {"id": TEAM, "domain": "x"},
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "channel": {"id": message.channel, "name": "ops"},
            "message": {"ts": message.ts, "text": "x"},
            "trigger_id": f"{next(self._numbers)}.1.trigger",
            "response_url": f"{self.api}reply/{person}",
            "actions": [{**element, "action_ts": f"{time.time():.6f}", "block_id": "b"}],
        }
        return self.deliver(self.envelope("interactive", body))

    def envelope(self, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        name = f"envelope-{next(self._numbers)}"
        return {"envelope_id": name, "type": kind, "accepts_response_payload": True, "payload": dict(payload)}

    def deliver(self, envelope: dict[str, Any], *, copies: int = 1) -> dict[str, Any]:
        """Send an envelope (again), and wait until each copy was taken."""
        wanted = self.acks[envelope["envelope_id"]] + copies
        for _ in range(copies):
            self.link().send(envelope)
        self.until(lambda: self.acks[envelope["envelope_id"]] >= wanted, "an envelope was not taken")
        return envelope

    def link(self) -> Link:
        self.until(lambda: bool(self._links), "nobody is connected")
        return self._links[-1]

    def goodbye(self) -> None:
        """The client is about to close."""
        for link in self._links:
            threading.Thread(target=link.ping, daemon=True).start()

    def hang_up(self) -> None:
        """Close the connection, as Slack does every few hours."""
        old = self.link()
        self._links.remove(old)
        old.send({"type": "disconnect", "reason": "refresh_requested"})
        self.until(lambda: bool(self._links), "nobody came back")
        old.close()

    # -- what there is to see ------------------------------------------------------------------------------------

    def until(self, holds: Callable[[], bool], why: str) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, SECONDS), f"{why}\n\n{self.story()}"

    def message(self, *words: str, thread: bool | None = None) -> Message:
        """The latest message that shows all these words, once it does."""
        found: list[Message] = []

        def there() -> bool:
            found[:] = [
                one for one in self.messages.values() if _says(one.text, words) and thread in (None, bool(one.thread))
            ]
            return bool(found)

        self.until(there, f"no message says {words}")
        return found[-1]

    def whisper(self, person: str, *words: str) -> str:
        """What one person alone was told, once it has these words."""

        def said() -> list[str]:
            return [text for who, text in self.whispers if who == person and _says(text, words)]

        self.until(lambda: bool(said()), f"{person} was not told {words}")
        return said()[-1]

    def story(self) -> str:
        lines = [f"--- {one.ts} in {one.thread or one.channel}\n{one.text}" for one in self.messages.values()]
        return "\n".join([*lines, *(f"--- to {who} alone\n{text}" for who, text in self.whispers)])

    # -- the Web API ---------------------------------------------------------------------------------------------

    def call(self, method: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
        with self._changed:
            self.calls[method] += 1
            self._changed.notify_all()
            if self.later[method] > 0:
                self.later[method] -= 1
                return 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "0"}
            if method in self.broken:
                return 500, {"ok": False, "error": "internal_error"}, {}
            if body.get("channel") in self.outside:
                return 200, {"ok": False, "error": "not_in_channel"}, {}
            if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
                return 200, {"ok": False, "error": "invalid_auth"}, {}
            if isinstance(body.get("blocks"), str):
                body["blocks"] = json.loads(body["blocks"])
            answer = getattr(self, f"_{method.replace('.', '_')}".lower(), None)
            said = answer(body) if answer is not None else {"ok": False, "error": "unknown_method"}
            self._changed.notify_all()
            return 200, {"ok": True, **said}, {}

    def _auth_test(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.api, "team": "x", "user": "bot", "team_id": TEAM, "user_id": "U0BOT", "bot_id": "B1"}

    def _apps_connections_open(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"ws://127.0.0.1:{self._server.server_port}/link/?ticket={next(self._numbers)}&app_id=A1"}

    def _chat_postmessage(self, body: dict[str, Any]) -> dict[str, Any]:
        if wrong := wrong_blocks(body):
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [wrong]}}
        thread = body.get("thread_ts") or ""
        if thread and thread not in self.messages:
            return {"ok": False, "error": "thread_not_found"}
        ts = f"1700000000.{next(self._numbers):06d}"
        self.messages[ts] = Message(ts, body["channel"], thread, [body])
        return {"channel": body["channel"], "ts": ts, "message": {"text": body.get("text", "")}}

    def _chat_update(self, body: dict[str, Any]) -> dict[str, Any]:
        if wrong := wrong_blocks(body):
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [wrong]}}
        message = self.messages.get(body["ts"])
        if message is None or message.channel != body["channel"]:
            return {"ok": False, "error": "message_not_found"}
        message.versions.append(body)
        return {"channel": body["channel"], "ts": body["ts"], "text": body.get("text", "")}

    def _chat_postephemeral(self, body: dict[str, Any]) -> dict[str, Any]:
        if wrong := wrong_blocks(body):
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [wrong]}}
        self.whispers.append((body["user"], shown(body)))
        return {"message_ts": f"1700000000.{next(self._numbers):06d}"}

    def _files_getuploadurlexternal(self, body: dict[str, Any]) -> dict[str, Any]:
        name = f"F{next(self._numbers)}"
        self._uploads[name] = {"name": body["filename"], "length": int(body["length"]), "data": b""}
        return {"upload_url": f"http://127.0.0.1:{self._server.server_port}/upload/{name}", "file_id": name}

    def _files_completeuploadexternal(self, body: dict[str, Any]) -> dict[str, Any]:
        files = json.loads(body["files"]) if isinstance(body["files"], str) else body["files"]
        for one in files:
            upload = self._uploads[one["id"]]
            if len(upload["data"]) != upload["length"]:
                return {"ok": False, "error": "file_upload_size_mismatch"}
            kept = {"title": one["title"], "channel": body["channel_id"], "thread": body.get("thread_ts", "")}
            self.files.append({**upload, **kept})
        return {"files": files}

    def reply(self, person: str, body: dict[str, Any]) -> None:
        assert not wrong_blocks(body)
        with self._changed:
            self.whispers.append((person, shown(body)))
            self._changed.notify_all()

    def upload(self, name: str, data: bytes) -> None:
        self._uploads[name]["data"] = data


def wrong_blocks(body: Mapping[str, Any]) -> str:
    """What Slack would not take; empty: nothing."""
    blocks = body.get("blocks") or []
    if not body.get("text"):
        return "a message needs a text for notifications"
    if len(blocks) > 50 or len("".join(_words(blocks))) > 11_000:
        return "more than 50 blocks, or too long a text"
    for block in blocks:
        if block["type"] not in ("rich_text", "actions", "context"):
            return f"unexpected block {block['type']}"
        for element in block["elements"]:
            text = json.dumps(element)
            if len(text) > 12_000 or (element["type"] == "plain_text" and len(element["text"]) > 3000):
                return "too long"
            if element["type"] == "button" and (len(element["text"]["text"]) > 75 or len(element["value"]) > 2000):
                return "a button is too long"
            if any(not one for one in _words(element)):
                return "an empty text"
            confirm = element.get("confirm")
            if confirm and (len(confirm["text"]["text"]) > 300 or len(confirm["title"]["text"]) > 100):
                return "a question is too long"
    return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slack: StandIn

    def log_message(self, *_args: Any) -> None:
        pass

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.startswith("/upload/"):
            self.slack.upload(path.rpartition("/")[2], data)
            self._answer(200, b"OK")
            return
        if path.startswith("/api/reply/"):
            self.slack.reply(path.rpartition("/")[2], json.loads(data))
            self._answer(200, b"ok")
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if "json" in self.headers.get("Content-Type", ""):
            body = json.loads(data or b"{}")
        else:
            body = {key: values[-1] for key, values in parse_qs(data.decode()).items()}
        status, said, headers = self.slack.call(path.rpartition("/")[2], token or body.get("token", ""), body)
        self._answer(status, json.dumps(said).encode(), **headers)

    def _answer(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_header("Sec-WebSocket-Accept", generate_accept_token(key).decode())
        self.end_headers()
        self.wfile.flush()
        link = Link(self.connection)
        link.send({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})
        slack = self.slack
        with slack._changed:
            slack._links.append(link)
            slack._changed.notify_all()
        for said in link.texts():
            with slack._changed:
                slack.acks[said["envelope_id"]] += 1
                slack._changed.notify_all()
        with slack._changed:
            if link in slack._links:
                slack._links.remove(link)
