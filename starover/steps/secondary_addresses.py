"""Addresses that a cluster's name gets, one in each subnet of the members: what can be known without AWS; asks only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate, Server
from starover.runbook import Steps, together
from starover.step import Query, Report
from starover.steps.preflight_reports import Network, network

__all__ = ["AddressOf", "AddressText", "Answers", "answers", "read_addresses", "usable"]

AddressText: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9.-]+=[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\s\S])",
        title="ServerAddress",
        description="SERVER=ADDRESS, such as EX1=10.0.0.101",
    ),
]
"""An address of a server as a person types it."""
CERTAIN = ("nothing was contacted",)
AWS_KEEPS = 4
"""How many addresses at the beginning of a subnet AWS keeps for itself; the last one too."""


@dataclass(frozen=True)
class AddressOf:
    """A secondary address, and the server that is to carry it."""

    server: Server
    address: str


class Answers(Report):
    """Whether somebody answers at an address (`network/answers.ps1.j2`)."""

    answers: bool


answers = Query("network/answers.ps1.j2", Answers)
"""Argument: `address`."""


def read_addresses(texts: Sequence[str], estate: Estate) -> tuple[AddressOf, ...]:
    """What was typed. Raises `BadParameter` where an address cannot be that server's, as far as the inventory knows."""
    found = [AddressOf(estate.server(text.partition("=")[0]), text.partition("=")[2]) for text in texts]
    for at, one in enumerate(found):
        try:
            address = ipaddress.IPv4Address(one.address)
        except ValueError:
            raise BadParameter(f"--ip {one.address}: this is no IPv4 address", certain=CERTAIN) from None
        if any(one.address == other.address for other in found[:at]):
            raise BadParameter(f"--ip names {one.address} twice", certain=CERTAIN)
        if one.server.subnet and any(one.server.subnet == other.server.subnet for other in found[:at]):
            raise BadParameter(f"--ip: exactly one address in {one.server.subnet}", certain=CERTAIN)
        taken = next((server.name for server in estate.servers if server.address == one.address), "")
        if taken:
            raise BadParameter(f"--ip {one.address} is {taken}'s own", certain=CERTAIN)
        _check_subnet(one, address)
    return tuple(found)


def _check_subnet(one: AddressOf, address: ipaddress.IPv4Address) -> None:
    if not one.server.subnet:
        return
    subnet = ipaddress.IPv4Network(one.server.subnet)
    if address not in subnet:
        raise BadParameter(f"--ip {address} is not in {one.server.name}'s subnet {subnet}", certain=CERTAIN)
    offset = int(address) - int(subnet.network_address)
    if offset < AWS_KEEPS or address == subnet.broadcast_address:
        raise BadParameter(
            f"--ip {address}: AWS keeps the first {AWS_KEEPS} addresses of {subnet} and the last one", certain=CERTAIN
        )


def usable(wanted: Sequence[AddressOf]) -> Steps[tuple[str, ...]]:
    """What the hosts know of the addresses, a sentence each. Raises `NotSafe` where one is taken."""
    held = yield from together(network.read(one.server) for one in wanted)
    heard = yield from together(answers.read(one.server, address=one.address) for one in wanted)
    sentences: list[str] = []
    for one, adapters, answer in zip(wanted, held, heard, strict=True):
        on = _configured(adapters, one.address)
        if on or answer.answers:
            raise NotSafe(
                f"P25: {one.address} is in use: " + (f"{on} of {one.server.name} has it" if on else "somebody answers"),
                certain=(
                    "nothing was changed",
                    "the cluster brings its address online itself, Windows must not have it",
                ),
                next=("choose a free address in the same subnet",),
                host=one.server.name,
            )
        sentences.append(f"{one.address}: {one.server.name} does not have it in Windows, and nobody answers there")
    return tuple(sentences)


def _configured(adapters: Network, address: str) -> str:
    return next((one.name for one in adapters.adapters for ip in one.ipv4 if ip.address == address), "")
