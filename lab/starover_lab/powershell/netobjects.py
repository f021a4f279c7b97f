"""Live .NET objects without a class of their own among the values: how they are made; `members` has what they do."""

from __future__ import annotations

import re

from starover_lab.powershell.errors import failure
from starover_lab.powershell.values import NetObject, Unsupported

__all__ = ["ip_address"]

_SHAPE = re.compile(r"(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})(?:\.(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})){3}")


def ip_address(text: str) -> NetObject:
    """`[ipaddress]'...'` of an IPv4 address in four parts (a leading 0 means octal, as in .NET).

    Raises `Terminated` (InvalidCastParseTargetInvocation) for what is surely no address.
    """
    numbers: list[int] = []
    if _SHAPE.fullmatch(text):
        for part in text.split("."):
            radix = 16 if part[:2].lower() == "0x" else 8 if part[0] == "0" and len(part) > 1 else 10
            try:
                numbers.append(int(part.removeprefix("0x").removeprefix("0X"), radix))
            except ValueError:
                numbers.append(256)
    elif ":" in text or re.fullmatch(r"[0-9xX.]*", text):
        raise Unsupported(f"the address '{text}'")
    if len(numbers) != 4 or max(numbers) > 255:
        raise failure(
            "InvalidCastParseTargetInvocation",
            "InvalidArgument",
            f'Cannot convert value "{text}" to type "System.Net.IPAddress". '
            'Error: "An invalid IP address was specified."',
        )
    plain = ".".join(str(n) for n in numbers)
    return NetObject("System.Net.IPAddress", plain, tuple(numbers), {"IPAddressToString": plain})
