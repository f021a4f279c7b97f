"""The lab's DCs as DNS servers on loopback, so that dig and nslookup see what a client would; knows no WinRM.

One port for each DC, the same number for both protocols. Where a DC is dead or its DNS server is down, nothing answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast, get_args

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT

from starover_lab.world.dns import Answer, Record, RecordType
from starover_lab.world.errors import WorldError

__all__ = ["DnsListener", "Zones", "reply"]

_LOG = logging.getLogger(__name__)
_PLAIN_UDP = 512
_EDNS_UDP = 4000
"""What Windows takes and sends over UDP with EDNS0 (MaximumUdpPacketSize)."""
_HEAD = 12
_MOST_ALIASES = 8
_TYPES: dict[str, RecordType] = {name: name for name in get_args(RecordType)}
_WITH_ADDRESS = {"MX": -1, "NS": -1, "SRV": -1}
"""Types whose answers bring the addresses of the hosts they name, and where in the data the host is."""


class Zones(Protocol):
    """What is asked of the simulated DNS servers (`world.dns.Dns`)."""

    def query(self, server: str, name: str, kind: RecordType) -> Answer:
        """What the server of that name answers. Raises `WorldError` when it answers nothing."""
        ...


def reply(zones: Zones, server: str, wire: bytes, *, udp: bool) -> bytes | None:
    """The answer to one message; None when there is none: the server is down, or this was no question."""
    try:
        asked = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return _failed(wire, dns.rcode.FORMERR)
    if asked.flags & dns.flags.QR:
        return None
    try:
        answer = _answered(zones, server, asked)
    except WorldError as error:
        _LOG.debug("%s does not answer: %s", server, error.message)
        return None
    room = 65535
    if udp:
        room = min(max(asked.payload, _PLAIN_UDP), _EDNS_UDP) if asked.edns >= 0 else _PLAIN_UDP
    return answer.to_wire(max_size=room, prefer_truncation=True)


def _failed(wire: bytes, rcode: dns.rcode.Rcode) -> bytes | None:
    """Only a head, if there is one to answer to."""
    if len(wire) < _HEAD or wire[2] & 0x80:
        return None
    answer = dns.message.Message(int.from_bytes(wire[:2], "big"))
    answer.flags = dns.flags.QR
    answer.set_rcode(rcode)
    return answer.to_wire()


def _answered(zones: Zones, server: str, asked: dns.message.Message) -> dns.message.Message:
    answer = dns.message.make_response(asked, recursion_available=True, our_payload=_EDNS_UDP)
    zones.query(server, ".", "NS")  # a server that is down refuses nothing either
    if asked.opcode() == dns.opcode.UPDATE:
        answer.set_rcode(dns.rcode.REFUSED)  # secure updates only, and nobody here has a Kerberos ticket
    elif asked.opcode() != dns.opcode.QUERY:
        answer.set_rcode(dns.rcode.NOTIMP)
    elif asked.edns > 0:
        answer.set_rcode(dns.rcode.BADVERS)
    elif len(asked.question) != 1:
        answer.set_rcode(dns.rcode.FORMERR)
    elif asked.question[0].rdclass != dns.rdataclass.IN:
        answer.set_rcode(dns.rcode.NOTIMP)
    elif dns.rdatatype.is_metatype(asked.question[0].rdtype) and asked.question[0].rdtype != dns.rdatatype.ANY:
        answer.set_rcode(dns.rcode.REFUSED)  # no zone transfer to strangers
    else:
        _fill(zones, server, answer)
    return answer


def _fill(zones: Zones, server: str, answer: dns.message.Message) -> None:
    question = answer.question[0]
    found = _found(zones, server, question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
    answer.set_rcode(dns.rcode.from_text(found.rcode))
    if found.authoritative:
        answer.flags |= dns.flags.AA
    answer.answer = _sets(found.answers)
    answer.authority = _sets(found.authority)
    answer.additional = _sets(_addresses(zones, server, found.answers))


def _found(zones: Zones, server: str, name: str, kind: str) -> Answer:
    """The world's answer. It knows the types that it has; of others a name has none, behind whatever alias."""
    if kind in _TYPES:
        return zones.query(server, name, _TYPES[kind])
    if kind == "ANY":
        answers = [zones.query(server, name, one) for one in _TYPES.values()]
        own = {one: None for answer in answers for one in answer.answers if _same(one.name, name)}
        return Answer(
            rcode=answers[0].rcode,
            authoritative=answers[0].authoritative,
            answers=tuple(own),
            authority=() if own else answers[0].authority,
        )
    aliases: list[Record] = []
    while True:
        answer = zones.query(server, aliases[-1].data if aliases else name, "CNAME")
        if not answer.answers or len(aliases) >= _MOST_ALIASES:
            break
        aliases += answer.answers[:1]
    return Answer(
        rcode=answer.rcode, authoritative=answer.authoritative, answers=tuple(aliases), authority=answer.authority
    )


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def _addresses(zones: Zones, server: str, answers: tuple[Record, ...]) -> tuple[Record, ...]:
    """Addresses of the hosts that the answers name, where the server knows them itself."""
    hosts = dict.fromkeys(one.data.split()[_WITH_ADDRESS[one.type]] for one in answers if one.type in _WITH_ADDRESS)
    known = (zones.query(server, host, "A") for host in hosts)
    return tuple(one for answer in known if answer.authoritative for one in answer.answers if one.type == "A")


def _sets(records: tuple[Record, ...]) -> list[dns.rrset.RRset]:
    """Records by name and type, in their order."""
    found: dict[tuple[str, str], dns.rrset.RRset] = {}
    for record in records:
        name = dns.name.from_text(record.name)
        kind = dns.rdatatype.from_text(record.type)
        key = (record.name.casefold(), record.type)
        rrset = found.setdefault(key, dns.rrset.RRset(name, dns.rdataclass.IN, kind))
        rrset.add(_data(record, kind), ttl=record.ttl_s)
    return list(found.values())


def _data(record: Record, kind: dns.rdatatype.RdataType) -> dns.rdata.Rdata:
    if record.type == "TXT" and not record.data.startswith('"'):
        text = record.data.encode()
        return TXT(dns.rdataclass.IN, kind, [text[at : at + 255] for at in range(0, len(text), 255)] or [b""])
    return dns.rdata.from_text(dns.rdataclass.IN, kind, record.data)


Reply = Callable[[bytes], bytes | None]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Reply) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Its own type in Python 3.11 does not say that it is one.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class _Stream(asyncio.Protocol):
    """One TCP connection: messages behind their length, any number."""

    def __init__(self, answer: Reply, connections: set[_Stream]) -> None:
        self._answer = answer
        self._connections = connections
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for message in self._messages():
            answer = self._answer(message)
            if answer is not None and self.transport is not None:
                self.transport.write(len(answer).to_bytes(2, "big") + answer)

    def _messages(self) -> Iterator[bytes]:
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[2:end])
            del self._buffer[:end]
            yield message


@dataclass(eq=False)
class DnsListener:
    """The DNS server of one DC on one port."""

    name: str
    """The DC's."""
    zones: Zones
    address: str = "127.0.0.1"
    port: int = 0
    """0 until it serves: then one that was free for both protocols."""
    _datagrams: asyncio.DatagramTransport | None = field(default=None, repr=False)
    _server: asyncio.Server | None = field(default=None, repr=False)
    _connections: set[_Stream] = field(default_factory=set[_Stream], repr=False)

    async def serve(self) -> None:
        """Listen. Raises `OSError` when no port is free for both protocols."""
        loop = asyncio.get_running_loop()
        stream, datagram = _both(self.address, self.port)
        self.port = stream.getsockname()[1]
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(lambda message: self._reply(message, udp=True)), sock=datagram
        )
        self._server = await loop.create_server(
            lambda: _Stream(lambda message: self._reply(message, udp=False), self._connections), sock=stream
        )

    def _reply(self, message: bytes, *, udp: bool) -> bytes | None:
        try:
            return reply(self.zones, self.name, message, udp=udp)
        except Exception:
            _LOG.exception("the DNS server of %s failed", self.name)
            return _failed(message, dns.rcode.SERVFAIL)

    def close(self) -> None:
        """Give the port back."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for one in list(self._connections):
            if one.transport is not None:
                one.transport.abort()


_TRIES = 20


def _both(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for TCP and UDP on the same number."""
    for left in reversed(range(1 if port else _TRIES)):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stream.bind((address, port))
            datagram.bind((address, stream.getsockname()[1]))
        except OSError:
            with contextlib.suppress(OSError):
                stream.close()
            datagram.close()
            if left == 0:
                raise
            continue
        for one in (stream, datagram):
            one.setblocking(False)
        return stream, datagram
    raise AssertionError("unreachable")
