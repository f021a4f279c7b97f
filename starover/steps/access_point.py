"""A DAG's access point: which addresses it is created with, and whether they can be right; contacts nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starover.errors import BadParameter
from starover.estate import Estate, Server
from starover.steps.dag_object import DHCP, NO_ACCESS_POINT

__all__ = ["access_point"]

CERTAIN = ("nothing was contacted",)
NAMELESS_TOO_OLD = ("2008", "2012")
"""Windows that knows no cluster without a name; 2012 R2 does (P29)."""


def access_point(aap: str, given: Sequence[str], members: Sequence[Server], estate: Estate) -> str | tuple[str, ...]:
    """The addresses to create a DAG with; a single one as text.

    Raises `BadParameter` where they do not fit the choice or the members. Static: exactly one in each subnet of the
    members (P25), on AWS no two members in one subnet (P26), because a secondary private address belongs to one
    instance.
    """
    if aap != "static" and given:
        raise BadParameter(f"--ip belongs to --aap static, and --aap {aap} was asked for", certain=CERTAIN)
    if aap == "none":
        old = [server.name for server in members if _too_old(server.os)]
        if old:
            raise BadParameter(
                f"P29: a DAG without an access point needs Windows Server 2012 R2; older: {', '.join(old)}",
                certain=CERTAIN,
                next=("--aap static --ip ADDRESS,ADDRESS   one address in each subnet of the members",),
            )
        return NO_ACCESS_POINT
    if aap == "dhcp":
        if estate.region:
            raise BadParameter(
                "--aap dhcp: the DHCP of an AWS subnet gives an instance no second address",
                certain=CERTAIN,
                next=("--aap none", "--aap static --ip ADDRESS,ADDRESS"),
            )
        return DHCP
    if not given:
        raise BadParameter("--aap static needs --ip, one address in each subnet of the members", certain=CERTAIN)
    _check_subnets(given, members, estate)
    return given[0] if len(given) == 1 else tuple(given)


def _too_old(os: str) -> bool:
    words = os.upper().replace(" ", "")
    return any(old in words for old in NAMELESS_TOO_OLD) and not words.endswith("2012R2")


def _check_subnets(given: Sequence[str], members: Sequence[Server], estate: Estate) -> None:
    subnets = [server.subnet for server in members if server.subnet]
    twice = sorted({subnet for subnet in subnets if subnets.count(subnet) > 1})
    if twice and estate.region:
        raise BadParameter(
            f"P26: several members are in {', '.join(twice)}: on AWS they cannot share a secondary private address",
            certain=CERTAIN,
            next=("--aap none   needs no address",),
        )
    found: dict[str, list[str]] = {subnet: [] for subnet in dict.fromkeys(subnets)}
    for address in given:
        inside = [subnet for subnet in found if ipaddress.ip_address(address) in ipaddress.ip_network(subnet)]
        if found and not inside:
            raise BadParameter(
                f"--ip {address} is in no subnet of the members", certain=CERTAIN, next=(f"theirs: {', '.join(found)}",)
            )
        for subnet in inside:
            found[subnet].append(address)
    wrong = [f"{subnet} has {len(ips)}" for subnet, ips in found.items() if len(ips) != 1]
    if wrong:
        raise BadParameter(
            f"exactly one --ip in each subnet of the members: {', '.join(wrong)}",
            certain=CERTAIN,
        )
    servers = {server.address: server.name for server in estate.servers if server.address}
    taken = [f"{address} is {servers[address]}'s own" for address in given if address in servers]
    if taken:
        raise BadParameter(f"--ip: {', '.join(taken)}", certain=CERTAIN)
