"""The line to a Temporal server: where it is, how it is known, with what key payloads are sealed; submits nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from starover.errors import BadParameter, Mistake

if TYPE_CHECKING:
    from starover.drivers.temporal import Client, Codec
    from starover_cli.room import Room

__all__ = ["ENGINES", "FLAGS", "Line", "connected", "engine", "line_of", "need_temporal", "talk"]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")
ADDRESS = "127.0.0.1:7233"
ENGINES = ("journal", "temporal")


@dataclass(frozen=True, kw_only=True)
class Line:
    """How the server is reached. Holds references and names of files, never a secret."""

    named: str = ""
    """HOST:PORT, where somebody has said so."""
    namespace: str = "default"
    tls: bool = False
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    api_key: str = ""
    """A reference, as the inventory has credentials."""
    codec_key: str = ""
    """The file of the key for payloads."""

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.named or ADDRESS

    @property
    def sealed(self) -> bool:
        """Whether payloads are encrypted."""
        return bool(self.codec_key)


_OPTIONS = (
    ("address", "HOST:PORT", "ADDRESS", f"The Temporal server; default: {ADDRESS}"),
    ("namespace", "NAME", "NAMESPACE", "Its namespace; default: default"),
    ("tls", "", "TLS", "Speak TLS."),
    ("tls_ca", "FILE", "TLS_CA", "Certificates that the server's is held against; default: the system's."),
    ("tls_cert", "FILE", "TLS_CERT", "This client's own certificate (mTLS)."),
    ("tls_key", "FILE", "TLS_KEY", "The key of that certificate."),
    ("api_key", "REFERENCE", "API_KEY", "Where an API key is, such as env:NAME or command:...; goes over TLS only."),
    ("codec_key", "FILE", "CODEC_KEY", "Encrypt what lies at the server: 32 bytes in base64, the same for everybody."),
)


def _option(name: str, metavar: str, variable: str, text: str, *, hidden: bool = False) -> Callable[[Any], Any]:
    flag, variable = "--" + name.replace("_", "-"), f"STAROVER_TEMPORAL_{variable}"
    if not metavar:
        return click.option(flag, name, is_flag=True, envvar=variable, help=text, hidden=hidden)
    return click.option(flag, name, metavar=metavar, envvar=variable, default=None, help=text, hidden=hidden)


FLAGS: Mapping[str, Callable[[Any], Any]] = {one[0]: _option(*one) for one in _OPTIONS}
"""The options of the line, by name."""


def line_of(given: dict[str, Any]) -> Line:
    """What was given of them; takes them out."""
    own = {name: given.pop(name) for name in FLAGS if name in given}
    return Line(**{"named" if name == "address" else name: value for name, value in own.items() if value})


def connected(function: _F, *, hidden: bool = False) -> _F:
    """The options of a command that speaks with the server; it gets them as `line`."""

    @wraps(function)
    def within(*arguments: Any, **given: Any) -> Any:
        return function(*arguments, line=line_of(given), **given)

    made: Any = within
    for one in reversed(_OPTIONS):
        made = _option(*one, hidden=hidden)(made)
    whole: _F = made
    return whole


def engine(function: _F) -> _F:
    """`--engine temporal`, with the options of the line behind it, where a command has another way by itself."""
    option = click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default=ENGINES[0],
        help="Whose runs: the journals here (default), or those that a Temporal server knows.",
    )
    made: _F = option(connected(function, hidden=True))
    return made


def need_temporal() -> None:
    """Raises `Mistake` where the extra is not installed, and says how it is."""
    if importlib.util.find_spec("temporalio") is None:
        raise Mistake(
            "this needs Temporal's client, which is not installed here.",
            certain=["nothing was contacted."],
            next=["pip install 'starover[temporal]'", "starover apply PLAN   needs no server and no client"],
        )


def talk(room: Room, line: Line, act: Callable[[Client], Awaitable[_T]]) -> _T:
    """Do something with the server. Raises `Mistake` (no client, no file), `ConnectFailed`, and what `act` does."""
    need_temporal()
    import asyncio
    import logging

    from starover.drivers.temporal import connect
    from starover.drivers.temporal.tls import tls_of

    # What the client logs on its way is told by our own errors; a worker listens to it.
    logger = logging.getLogger("temporalio")
    logger.propagate, logger.handlers = False, logger.handlers or [logging.NullHandler()]

    async def whole() -> _T:
        client = await connect(
            line.address,
            namespace=line.namespace,
            sealing=sealing(line),
            tls=tls_of(wanted=line.tls or bool(line.api_key), ca=line.tls_ca, cert=line.tls_cert, key=line.tls_key),
            api_key=_api_key(room, line),
        )
        return await act(client)

    return asyncio.run(whole())


def sealing(line: Line) -> Codec:
    """What seals payloads. Raises `BadParameter`; the key is in no message."""
    from starover.drivers.temporal import codec

    if not line.codec_key:
        return codec()
    how = f"openssl rand -base64 32 > {line.codec_key}   makes one; every client and worker needs the same"
    try:
        text = Path(line.codec_key).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not base64"
        raise BadParameter(
            f"the key for payloads cannot be read: {line.codec_key}: {why}",
            certain=("nothing was contacted",),
            next=(how,),
        ) from None
    if not text.strip():  # whoever names a key wants nothing to lie there in the clear
        raise BadParameter(
            f"the key for payloads is empty: {line.codec_key}", certain=("nothing was contacted",), next=(how,)
        )
    return codec(text)


def _api_key(room: Room, line: Line) -> str:
    if not line.api_key:
        return ""
    from starover.transport.aws_secrets import aws_secrets
    from starover.transport.credentials import Credentials

    more = aws_secrets(room.parts.aws(room.estate, room.file))
    known = Credentials(folder=room.file.parent, lab=room.estate.lab, more=more)
    key = known.resolve(line.api_key).password
    before = room.settings.secrets
    room.settings.secrets = lambda: [*before(), key]
    return key
