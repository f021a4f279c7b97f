"""Out-String for what prints as its plain text: strings, numbers, Booleans, enums; tables and lists are refused.

Clients such as pypsrp's `execute_ps` pipe everything through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from starover_lab.cmdlets.machine import switch
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import Char, PSEnum, Unsupported, Value, base, enumerate_, type_name

__all__ = ["BODIES", "lines"]


def lines(value: Value) -> list[str]:
    """What one object prints, line by line. Raises `Unsupported` for what prints as a table or list."""
    inner = base(value)
    if inner is None:
        return []
    if not isinstance(inner, str | Char | bool | int | float | Decimal | PSEnum):
        raise Unsupported(f"Out-String of a {type_name(value)}: the lab formats no tables and lists")
    return to_string(value).replace("\r\n", "\n").split("\n")


def out_string(call: Invocation) -> Iterator[Value]:
    """Out-String: with -Stream line by line, otherwise one text."""
    whole: list[str] = []
    for bound in call.records():
        for item in enumerate_(bound.get("InputObject")):
            for line in lines(item):
                if switch(call.bound.get("Stream")):
                    yield line
                else:
                    whole.append(line)
    if not switch(call.bound.get("Stream")):
        yield "".join(f"{line}\r\n" for line in whole)


BODIES: dict[str, Body] = {"Out-String": out_string}
