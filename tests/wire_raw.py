"""WS-Management by hand: Basic over TLS, one request at a time, so that a test can send what no library would."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import struct
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from wire_lab import PASSWORD, USER, WireLab

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
POWERSHELL = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
ZERO = bytes(16)


def fragment(object_id: int, kind: int, body: str, *, rpid: bytes, pid: bytes = ZERO) -> bytes:
    data = struct.pack("<II", 2, kind) + rpid + pid + body.encode()
    return struct.pack(">QQBI", object_id, 0, 3, len(data)) + data


@dataclass(frozen=True)
class Received:
    """One whole PSRP message of the server."""

    object_id: int
    kind: int
    rpid: bytes
    pid: bytes
    payload: bytes


def messages(body: bytes) -> list[Received]:
    """The messages in an answer; each must be in one fragment."""
    found = []
    for text in re.findall(rb"<(?:rsp:Stream|connectResponseXml)[^>]*>([^<]+)<", body):
        raw = base64.b64decode(text)
        while raw:
            object_id, number, flags, length = struct.unpack_from(">QQBI", raw)
            assert (number, flags) == (0, 3)
            data, raw = raw[21 : 21 + length], raw[21 + length :]
            destination, kind = struct.unpack_from("<II", data)
            assert destination == 1
            found.append(Received(object_id, kind, data[8:24], data[24:40], data[40:]))
    return found


class RawClient:
    """One connection; used as a context manager."""

    def __init__(self, lab: WireLab) -> None:
        assert lab.host.https is not None
        context = ssl.create_default_context(cafile=str(lab.ca_file))
        self._line = http.client.HTTPSConnection("127.0.0.1", lab.host.https.port, context=context, timeout=15)
        self.shell = str(uuid.uuid4()).upper()
        self.rpid = uuid.UUID(self.shell).bytes  # big-endian, as older clients write it
        self._objects = 0
        self._waits = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._line.close()

    def next_object(self) -> int:
        self._objects += 1
        return self._objects

    def post(self, document: bytes, *, user: str = USER, password: str = PASSWORD) -> tuple[int, bytes]:
        given = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {given}", "Content-Type": "application/soap+xml;charset=UTF-8"}
        self._line.request("POST", "/wsman", document, headers)
        if not self._waits:
            return 0, b""
        answer = self._line.getresponse()
        return answer.status, answer.read()

    def ask(
        self,
        action: str,
        body: str = "",
        *,
        shell: str | None = None,
        message_id: str = "",
        timeout: str = "PT8S",
        size: int = 512000,
        resource: str = POWERSHELL,
        base: str = SHELL + "/",
    ) -> tuple[int, bytes]:
        """Status and envelope of the answer."""
        selected = self.shell if shell is None else shell
        selector = (
            f'<w:SelectorSet><w:Selector Name="ShellId">{selected}</w:Selector></w:SelectorSet>' if selected else ""
        )
        return self.post(
            (
                '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
                'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
                f'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="{SHELL}">'
                f"<s:Header><a:To>https://ex1.example.com:5986/wsman</a:To><a:Action>{base}{action}</a:Action>"
                f"<a:MessageID>{message_id or 'uuid:' + str(uuid.uuid4()).upper()}</a:MessageID>"
                f"<w:ResourceURI>{resource}</w:ResourceURI><w:MaxEnvelopeSize>{size}</w:MaxEnvelopeSize>"
                f"<w:OperationTimeout>{timeout}</w:OperationTimeout>{selector}</s:Header>"
                f"<s:Body>{body}</s:Body></s:Envelope>"
            ).encode()
        )

    def open(self) -> list[Received]:
        """Create the shell and receive until the pool is open."""
        capability = '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version></MS></Obj>'
        init = '<Obj RefId="0"><MS><I32 N="MinRunspaces">1</I32><I32 N="MaxRunspaces">1</I32></MS></Obj>'
        data = fragment(self.next_object(), 0x00010002, capability, rpid=self.rpid)
        data += fragment(self.next_object(), 0x00010004, init, rpid=self.rpid)
        status, _ = self.ask(
            "Create",
            f'<rsp:Shell ShellId="{self.shell}"><rsp:InputStreams>stdin pr</rsp:InputStreams>'
            '<rsp:OutputStreams>stdout</rsp:OutputStreams><creationXml xmlns="http://schemas.microsoft.com/powershell">'
            f"{base64.b64encode(data).decode()}</creationXml></rsp:Shell>",
            shell="",
            base=TRANSFER,
        )
        assert status == 200
        return messages(self.receive()[1]) + messages(self.receive()[1])

    def command(self, script: str, *, command_id: str = "") -> tuple[int, bytes, str]:
        """Begin a script; status, answer and the command's id."""
        command_id = command_id or str(uuid.uuid4()).upper()
        pid = uuid.UUID(command_id).bytes
        body = (
            '<Obj RefId="0"><MS><B N="NoInput">true</B><Obj N="PowerShell" RefId="1"><MS><Obj N="Cmds" RefId="2"><LST>'
            f'<Obj RefId="3"><MS><S N="Cmd">{script}</S><B N="IsScript">true</B><Nil N="UseLocalScope" /></MS></Obj>'
            '</LST></Obj><B N="IsNested">false</B></MS></Obj></MS></Obj>'
        )
        data = base64.b64encode(fragment(self.next_object(), 0x00021006, body, rpid=self.rpid, pid=pid)).decode()
        status, answer = self.ask(
            "Command",
            f'<rsp:CommandLine CommandId="{command_id}"><rsp:Command /><rsp:Arguments>{data}</rsp:Arguments>'
            "</rsp:CommandLine>",
        )
        return status, answer, command_id

    def receive(self, command_id: str = "", **options: str) -> tuple[int, bytes]:
        attribute = f' CommandId="{command_id}"' if command_id else ""
        return self.ask(
            "Receive", f"<rsp:Receive><rsp:DesiredStream{attribute}>stdout</rsp:DesiredStream></rsp:Receive>", **options
        )

    def begin_receive(self, command_id: str) -> None:
        """Send a Receive and do not wait for its answer."""
        self._waits = False
        self.receive(command_id)
        self._waits = True

    def hang_up(self) -> None:
        """Close the connection under the lab's hands."""
        self._line.close()

    def delete(self) -> tuple[int, bytes]:
        return self.ask("Delete", base=TRANSFER)


def fault_code(body: bytes) -> int:
    found = re.search(rb'WSManFault[^>]* Code="(\d+)"', body)
    assert found is not None, body.decode()
    return int(found[1])


def fault_message(body: bytes) -> str:
    found = re.search(rb"<f:Message>(?:<f:ProviderFault[^>]*>)?([^<]*)<", body)
    assert found is not None
    return found[1].decode()


def shown(payload: bytes) -> str:
    """A payload without its BOM."""
    assert payload.startswith(b"\xef\xbb\xbf")
    return payload[3:].decode()
