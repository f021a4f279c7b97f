"""PSRP framing: messages with their 40-byte header, cut into fragments with theirs; knows no payload and no SOAP.

Layouts from MS-PSRP 2.2.1 and 2.2.4; object ids, the BOM and the identifiers given back byte for byte are rules
R50-R54 of the recorded conversations.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field

__all__ = ["FRAGMENT_SIZE", "NO_ID", "BadFragment", "Message", "MessageType", "Outgoing", "Reassembler"]

FRAGMENT_SIZE = 32768
"""Most bytes of one fragment of a Windows server, its header included (facts/winrm.md, gotcha 11)."""
NO_ID = bytes(16)
_BOM = b"\xef\xbb\xbf"
_HEADER = struct.Struct(">QQBI")
_TO_CLIENT = 1
_LONGEST = 512 * 1024 * 1024


class MessageType(enum.IntEnum):
    """The message types of MS-PSRP 2.2.1 that a server meets."""

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    PUBLIC_KEY = 0x00010005
    ENCRYPTED_SESSION_KEY = 0x00010006
    CONNECT_RUNSPACEPOOL = 0x00010008
    RUNSPACEPOOL_INIT_DATA = 0x0002100B
    RESET_RUNSPACE_STATE = 0x0002100C
    SET_MAX_RUNSPACES = 0x00021002
    SET_MIN_RUNSPACES = 0x00021003
    RUNSPACE_AVAILABILITY = 0x00021004
    RUNSPACEPOOL_STATE = 0x00021005
    CREATE_PIPELINE = 0x00021006
    GET_AVAILABLE_RUNSPACES = 0x00021007
    APPLICATION_PRIVATE_DATA = 0x00021009
    GET_COMMAND_METADATA = 0x0002100A
    RUNSPACEPOOL_HOST_RESPONSE = 0x00021101
    PIPELINE_INPUT = 0x00041002
    END_OF_PIPELINE_INPUT = 0x00041003
    PIPELINE_OUTPUT = 0x00041004
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    DEBUG_RECORD = 0x00041007
    VERBOSE_RECORD = 0x00041008
    WARNING_RECORD = 0x00041009
    PROGRESS_RECORD = 0x00041010
    INFORMATION_RECORD = 0x00041011
    PIPELINE_HOST_CALL = 0x00041100
    PIPELINE_HOST_RESPONSE = 0x00041101


class BadFragment(Exception):
    """What came is no PSRP: the text says what is wrong with it."""


@dataclass(frozen=True)
class Message:
    """One whole message of the client."""

    kind: MessageType
    rpid: bytes
    """The pool's id as the client wrote it; older clients write it big-endian, and Windows gives it back as it came."""
    pid: bytes
    body: bytes
    """CLIXML in UTF-8; empty for END_OF_PIPELINE_INPUT."""


class Reassembler:
    """Puts the client's fragments together."""

    def __init__(self) -> None:
        self._partial: dict[int, list[bytes]] = {}

    def feed(self, data: bytes) -> list[Message]:
        """Take the bytes of one stream element: whole fragments, any number. Raises `BadFragment`."""
        found: list[Message] = []
        at = 0
        while at < len(data):
            if len(data) - at < _HEADER.size:
                raise BadFragment("a fragment's header is cut short")
            object_id, number, flags, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            if length > len(data) - at or length > _LONGEST:
                raise BadFragment("a fragment is shorter than its header says")
            parts = self._partial.setdefault(object_id, [])
            if number != len(parts) or bool(flags & 1) != (number == 0):
                del self._partial[object_id]
                raise BadFragment(f"fragment {number} of object {object_id} is out of order")
            parts.append(data[at : at + length])
            at += length
            if flags & 2:
                found.append(_message(b"".join(self._partial.pop(object_id))))
        return found


def _message(raw: bytes) -> Message:
    if len(raw) < 40:
        raise BadFragment("a message is shorter than its header")
    kind = int.from_bytes(raw[4:8], "little")
    try:
        known = MessageType(kind)
    except ValueError:
        raise BadFragment(f"message type 0x{kind:08X} is not known") from None
    return Message(known, raw[8:24], raw[24:40], raw[40:].removeprefix(_BOM))


@dataclass
class Outgoing:
    """One message of the server on its way: cut when it is fetched, because only then the room is known."""

    object_id: int
    data: bytes
    """Header and payload."""
    last_of_answer: bool = False
    """Nothing follows in the same answer: the pool's state comes in a Receive of its own (R10)."""
    ends: bool = False
    """With this message the pipeline is over."""
    _at: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)

    @classmethod
    def of(
        cls,
        kind: MessageType,
        payload: str,
        *,
        object_id: int,
        rpid: bytes,
        pid: bytes = NO_ID,
        last_of_answer: bool = False,
        ends: bool = False,
    ) -> Outgoing:
        """With the server's header and its BOM."""
        header = struct.pack("<II", _TO_CLIENT, kind) + rpid + pid
        return cls(object_id, header + _BOM + payload.encode("utf-8", "surrogatepass"), last_of_answer, ends)

    @property
    def begun(self) -> bool:
        """Whether a part of it has gone out."""
        return self._at > 0

    @property
    def done(self) -> bool:
        """Whether all of it has gone out."""
        return self._at >= len(self.data)

    @property
    def left(self) -> int:
        """Bytes of the next fragment, header included, if there were room for a full one."""
        return min(len(self.data) - self._at + _HEADER.size, FRAGMENT_SIZE)

    def cut(self, room: int) -> bytes:
        """The next fragment of at most `room` bytes, its header included; `room` is over 21."""
        size = min(room, FRAGMENT_SIZE) - _HEADER.size
        blob = self.data[self._at : self._at + size]
        flags = (1 if self._at == 0 else 0) | (2 if self._at + len(blob) >= len(self.data) else 0)
        head = _HEADER.pack(self.object_id, self._number, flags, len(blob))
        self._at += len(blob)
        self._number += 1
        return head + blob
