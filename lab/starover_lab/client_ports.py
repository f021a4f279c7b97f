"""What mail clients meet on the lab's servers and balancers: health pages, SMTP, IMAP and POP on real sockets.

Each address and port of the estate is a port of loopback. What answers there is decided anew for every connection, by
power, network, services and component states; protocols go only as far as a look at them goes (catalogue 7.4).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from starover_lab.client_services import KINDS, ClientService, certificate_for, inactive, reached
from starover_lab.tls import Authority
from starover_lab.world.entities import Server
from starover_lab.world.world import World

__all__ = ["ClientPorts", "Place"]

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """An address and port of the estate."""

    address: str
    port: int


class _Reset(Exception):
    """The connection ends without a word."""


class ClientPorts:
    """All of them."""

    def __init__(
        self,
        world: World,
        authority: Authority,
        targets: Callable[[str, int], Sequence[Server] | None] = lambda _address, _port: None,
    ) -> None:
        """`targets` of a balancer's address and port; None: it has no listener of its own there, and all are."""
        self._targets = targets
        self._world = world
        self._state = world.state
        self._authority = authority
        self._tls: dict[tuple[str, str], ssl.SSLContext] = {}
        """By server and thumbprint."""
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()
        self.at: dict[Place, int] = {}
        """Where each place is: a port of 127.0.0.1."""

    async def serve(self) -> None:
        """Listen everywhere. Raises `OSError`."""
        for address in self._addresses():
            for port in KINDS:
                place = Place(address, port)
                server = await asyncio.start_server(self._meets(place), _LOOPBACK, 0)
                self._servers.append(server)
                self.at[place] = int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Give the ports back."""
        for server in self._servers:
            server.close()
        for task in self._open:
            task.cancel()

    def _addresses(self) -> Iterator[str]:
        for server in self._state.servers:
            if server.exchange is not None and server.address:
                yield server.address
        for addresses in self._state.balancer_addresses.values():
            yield from addresses

    # -- who answers ---------------------------------------------------------------------------------------------

    def _meets(self, place: Place) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._open.add(task)
            try:
                await self._meet(place, reader, writer)
            except (_Reset, ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                _reset(writer)
            except asyncio.CancelledError:
                pass  # the lab ends
            finally:
                self._open.discard(task)
                writer.close()
                with contextlib.suppress(Exception):
                    await writer.wait_closed()

        return met

    async def _meet(self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = KINDS[place.port]
        server = self._behind(place, kind)
        if server is None:
            await reader.read()  # silence: until the other one has had enough
            return
        if not self._state.runs(server, kind.service):
            raise _Reset
        if kind.tls:
            await self._secured(server, kind, writer)
        await _SPEAKS[kind.speaks](self, server, kind, reader, writer)

    def _behind(self, place: Place, kind: ClientService) -> Server | None:
        """The server that a connection reaches; None: packets go nowhere."""
        own = next((one for one in self._state.servers if one.address == place.address), None)
        if own is not None:
            return own if reached(self._state, own) else None
        subnet = next(
            (
                one
                for one in self._state.subnets
                if ipaddress.ip_address(place.address) in ipaddress.ip_network(one.cidr)
            ),
            None,
        )
        zone = self._state.azs.get(subnet.az) if subnet is not None else None
        if zone is not None and zone.state != "up":
            return None
        chosen = self._targets(place.address, place.port)
        every = [one for one in self._state.servers if one.exchange is not None] if chosen is None else chosen
        behind = [one for one in every if reached(self._state, one)]
        able = [one for one in behind if self._state.runs(one, kind.service)] or behind
        near = [one for one in able if zone is not None and one.az == zone.name]
        if not able:
            raise _Reset
        return (near or able)[0]

    async def _secured(self, server: Server, kind: ClientService, writer: asyncio.StreamWriter) -> None:
        """TLS from here on."""
        await writer.start_tls(self._context(server, kind))

    def _offers(self, server: Server, kind: ClientService) -> bool:
        """Whether TLS may be asked for in the protocol itself: not where it is there already, nor without anything."""
        return not kind.tls and certificate_for(server, kind.speaks, self._state.now) is not None

    def _context(self, server: Server, kind: ClientService) -> ssl.SSLContext:
        """With the names and the serial number of the certificate that the server has for what stands there."""
        shown = certificate_for(server, kind.speaks, self._state.now)
        key = (server.name, shown.thumbprint if shown is not None else "")
        if key not in self._tls:
            names = list(dict.fromkeys([*(shown.domains if shown is not None else ()), server.fqdn]))
            serial = shown.serial if shown is not None else 0
            self._tls[key] = self._authority.server(names, [server.address], serial)[0]
        return self._tls[key]

    # -- what they say -------------------------------------------------------------------------------------------

    async def _http(
        self, server: Server, kind: ClientService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        host = next((value for name, value in headers.items() if name.casefold() == "host"), server.fqdn)
        status, more, body = 404, "", b""
        if method not in ("GET", "HEAD"):
            status = 405
        elif path.casefold().endswith("/healthcheck.htm"):
            page = self._world.health_page(server.name, path.rpartition("/")[0])
            if page == "timeout":
                await reader.read()
                return
            if page in ("reset", "refused"):
                raise _Reset
            status, body = int(page), f"200 OK<br/>{server.fqdn}".encode() if page == "200" else b""
        elif path == "/":
            target = f"https://{host.partition(':')[0]}/" + ("owa/" if kind.tls else "")
            status, more = 302, f"Location: {target}\r\n"
        words = {200: "OK", 302: "Found", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
        writer.write(
            f"HTTP/1.1 {status} {words[status]}\r\n{more}X-FEServer: {server.name}\r\nContent-Type: text/html\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + (body if method == "GET" else b"")
        )
        await writer.drain()

    async def _smtp(
        self, server: Server, kind: ClientService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if inactive(self._world, server, kind.component):
            await _say(writer, "421 4.3.2 Service not active")
            return
        await _say(writer, f"220 {server.fqdn} Microsoft ESMTP MAIL Service ready")
        offered = self._offers(server, kind)
        while line := await reader.readline():
            word = line.decode("latin-1").strip().partition(" ")[0].upper()
            if word == "EHLO":
                more = ("250-STARTTLS",) if offered else ()
                await _say(writer, f"250-{server.fqdn} Hello", "250-SIZE 37748736", *more, "250 CHUNKING")
            elif word == "STARTTLS" and offered:
                await _say(writer, "220 2.0.0 SMTP server ready")
                await self._secured(server, kind, writer)
                offered = False
            elif word in ("HELO", "NOOP", "RSET"):
                await _say(writer, "250 OK")
            elif word == "QUIT":
                await _say(writer, "221 2.0.0 Service closing transmission channel")
                return
            else:
                await _say(writer, "502 5.3.3 Command not implemented")

    async def _imap(
        self, server: Server, kind: ClientService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if inactive(self._world, server, kind.component):
            raise _Reset
        await _say(writer, "* OK The Microsoft Exchange IMAP4 service is ready.")
        offered = self._offers(server, kind)
        while line := await reader.readline():
            tag, _, word = line.decode("latin-1").strip().partition(" ")
            if word.upper() == "LOGOUT":
                await _say(writer, "* BYE Microsoft Exchange IMAP4 server signing off.", f"{tag} OK LOGOUT completed.")
                return
            if word.upper() == "STARTTLS" and offered:
                await _say(writer, f"{tag} OK Begin TLS negotiation now.")
                await self._secured(server, kind, writer)
                offered = False
                continue
            await _say(writer, f"{tag} BAD Command received in Invalid state.")

    async def _pop(
        self, server: Server, kind: ClientService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if inactive(self._world, server, kind.component):
            raise _Reset
        await _say(writer, "+OK The Microsoft Exchange POP3 service is ready.")
        offered = self._offers(server, kind)
        while line := await reader.readline():
            if line.strip().upper() == b"QUIT":
                await _say(writer, "+OK Microsoft Exchange Server POP3 server signing off.")
                return
            if line.strip().upper() == b"STLS" and offered:
                await _say(writer, "+OK Begin TLS negotiation.")
                await self._secured(server, kind, writer)
                offered = False
                continue
            await _say(writer, "-ERR Protocol error.")


async def _say(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a host does on which nobody listens any more."""
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


_SPEAKS: Mapping[
    str,
    Callable[[ClientPorts, Server, ClientService, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
] = {
    "http": ClientPorts._http,  # pyright: ignore[reportPrivateUsage]
    "smtp": ClientPorts._smtp,  # pyright: ignore[reportPrivateUsage]
    "imap": ClientPorts._imap,  # pyright: ignore[reportPrivateUsage]
    "pop": ClientPorts._pop,  # pyright: ignore[reportPrivateUsage]
}
