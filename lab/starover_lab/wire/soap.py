"""WS-Management envelopes: requests into data, answers as the bytes that Windows writes; knows no shell and no PSRP.

Prefixes, order of headers and spellings follow the recorded answers of real servers (rules R1-R7).
"""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from starover_lab.wire.clixml_in import Element

__all__ = [
    "ACTION_BASE",
    "RSP",
    "WSMAN_SHELL",
    "BadEnvelope",
    "Request",
    "answer",
    "attribute",
    "base64_text",
    "duration",
    "new_id",
    "octets",
    "parse",
    "text",
]

_S = "http://www.w3.org/2003/05/soap-envelope"
_A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
_P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
WSMAN_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
RSP = "{" + WSMAN_SHELL + "}"
ACTION_BASE = {
    "Create": "http://schemas.xmlsoap.org/ws/2004/09/transfer/",
    "Delete": "http://schemas.xmlsoap.org/ws/2004/09/transfer/",
    "Get": "http://schemas.xmlsoap.org/ws/2004/09/transfer/",
    "Enumerate": "http://schemas.xmlsoap.org/ws/2004/09/enumeration/",
    "Command": WSMAN_SHELL + "/",
    "Receive": WSMAN_SHELL + "/",
    "Send": WSMAN_SHELL + "/",
    "Signal": WSMAN_SHELL + "/",
    "Connect": WSMAN_SHELL + "/",
    "Disconnect": WSMAN_SHELL + "/",
    "Reconnect": WSMAN_SHELL + "/",
}
"""Actions that a shell's client uses, and what their address begins with."""
_NAMES = {base + name: name for name, base in ACTION_BASE.items()}
_URIS = {
    "s": _S,
    "a": _A,
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "e": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "w": _W,
    "rsp": WSMAN_SHELL,
    "p": _P,
}
_PREFIXES = {
    "Receive": "s a w rsp p",
    "Delete": "s a w p",
    "Disconnect": "s a w p",
    "Reconnect": "s a w p",
    "Enumerate": "s a n w p",
    "Get": "s a x w p",
    "fault": "s a x e n w p",
}
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DURATION = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class BadEnvelope(Exception):
    """What came is no envelope of WS-Management."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of a client."""

    action: str
    """`Create`, `Receive`...; the whole address of an action that a shell's client never uses."""
    message_id: str
    to: str
    resource: str
    timeout: str
    """OperationTimeout as it came, empty when none did."""
    envelope_size: int
    """MaxEnvelopeSize: no answer may be longer."""
    selectors: dict[str, str]
    options: dict[str, str]
    session: str
    """SessionId: which of its sessions the client speaks in."""
    locale: str
    data_locale: str
    body: Element

    @property
    def shell(self) -> str:
        """The ShellId it is for, upper case as Windows writes it; empty for none."""
        return self.selectors.get("ShellId", "").upper()

    @property
    def machine(self) -> str:
        """The host part of the address it was sent to (rule E: the Machine of a fault)."""
        host = self.to.partition("://")[2].partition("/")[0]
        return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]

    def only(self, tag: str) -> Element | None:
        """The body's child of that name in the shell's namespace."""
        return self.body.find(RSP + tag)


def duration(text_: str) -> float | None:
    """Seconds of an xs:duration, negative ones too; None when it is none."""
    match = _DURATION.fullmatch(text_)
    if match is None or text_.endswith(("P", "T")):
        return None
    sign, days, hours, minutes, seconds = match.groups()
    total = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
    return -total if sign else total


def parse(document: bytes) -> Request:
    """A request. Raises `BadEnvelope`; a DTD is refused."""
    if _DTD.search(document):
        raise BadEnvelope("the document has a DTD")
    try:
        root = ET.fromstring(document)  # noqa: S314 - no DTD, hence no entity can be declared
    except ET.ParseError as error:
        raise BadEnvelope(str(error)) from None
    header, body = root.find(f"{{{_S}}}Header"), root.find(f"{{{_S}}}Body")
    if root.tag != f"{{{_S}}}Envelope" or header is None or body is None:
        raise BadEnvelope("not a SOAP 1.2 envelope")

    def head(uri: str, name: str) -> str:
        found = header.find(f"{{{uri}}}{name}")
        return "" if found is None else (found.text or "").strip()

    def locale(name: str, uri: str) -> str:
        found = header.find(f"{{{uri}}}{name}")
        language = None if found is None else found.get("{http://www.w3.org/XML/1998/namespace}lang")
        return language or "en-US"

    size = head(_W, "MaxEnvelopeSize")
    action = head(_A, "Action")
    return Request(
        action=_NAMES.get(action, action),
        message_id=head(_A, "MessageID"),
        to=head(_A, "To"),
        resource=head(_W, "ResourceURI"),
        timeout=head(_W, "OperationTimeout"),
        envelope_size=int(size) if size.isdecimal() else 153600,
        selectors=_named(header, "SelectorSet", "Selector"),
        options=_named(header, "OptionSet", "Option"),
        session=head(_P, "SessionId"),
        locale=locale("Locale", _W),
        data_locale=locale("DataLocale", _P),
        body=body,
    )


def _named(header: Element, outer: str, inner: str) -> dict[str, str]:
    return {one.get("Name", ""): (one.text or "").strip() for one in header.findall(f"{{{_W}}}{outer}/{{{_W}}}{inner}")}


def octets(element: Element | None) -> bytes:
    """The bytes of an element in base64; an absent element has none. Raises `BadEnvelope`."""
    try:
        return b"" if element is None else base64.b64decode((element.text or "").strip(), validate=True)
    except ValueError:
        raise BadEnvelope("an element is not base64") from None


def base64_text(data: bytes) -> str:
    """Bytes for an element, without line breaks (R38)."""
    return base64.b64encode(data).decode()


def text(value: str) -> str:
    """Text for an element of a SOAP document."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(value: str) -> str:
    """Text for an attribute in double quotes."""
    return text(value).replace('"', "&quot;")


def new_id() -> str:
    """A new identifier, upper case as Windows writes them (R5)."""
    return str(uuid.uuid4()).upper()


def answer(kind: str, relates_to: str, body: str, *, action: str | None = None) -> bytes:
    """The answer to a request: `kind` is its action's name, or `fault`; `action` where it is not that plus Response."""
    names = _PREFIXES.get(kind, "s a x w rsp p").split()
    spaces = "".join(f' xmlns:{name}="{_URIS[name]}"' for name in names)
    return (
        f'<s:Envelope xml:lang="en-US"{spaces}><s:Header>'
        f"<a:Action>{action or ACTION_BASE[kind] + kind + 'Response'}</a:Action>"
        f"<a:MessageID>uuid:{new_id()}</a:MessageID>"
        f"<a:To>{_ANONYMOUS}</a:To><a:RelatesTo>{text(relates_to)}</a:RelatesTo>"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
