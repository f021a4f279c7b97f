"""Cmdlets that a real host or Exchange session has and the lab does not: calling one is refused, not *not found*."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files

import msgspec

from starover_lab.powershell.command import CommandSpec, Invocation
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.world.entities import Server

__all__ = ["exchange_others", "windows_others"]

_ONLY_EXCHANGE = {"FailoverClusters", "WebAdministration"}


class _File(msgspec.Struct, frozen=True):
    exchange: dict[str, tuple[str, ...]]
    windows: dict[str, tuple[str, ...]]


@cache
def _file() -> _File:
    raw = (files("starover_lab.cmdlets") / "data" / "others.json").read_bytes()
    return msgspec.json.decode(raw, type=_File)


def _refused(call: Invocation) -> Iterator[Value]:
    raise Unsupported(f"{call.spec.name}: the lab does not simulate it")


def _spec(name: str, module: str) -> CommandSpec:
    return CommandSpec(name=name, body=_refused, module=module, class_name=name, cmdlet_binding=False)


def exchange_others(year: str, simulated: Collection[str]) -> Iterator[CommandSpec]:
    """The other cmdlets of that Exchange version, as far as the reference names them."""
    for name, versions in _file().exchange.items():
        if year in versions and name not in simulated:
            yield _spec(name, "ExchangePowerShell")


def windows_others(server: Server, simulated: Collection[str]) -> Iterator[CommandSpec]:
    """The other cmdlets of a host's modules, as far as the reference names them."""
    exchange = server.exchange is not None
    for module, names in _file().windows.items():
        if (
            (module in _ONLY_EXCHANGE and not exchange)
            or (module == "DnsServer" and not server.is_dc)
            or (module == "ActiveDirectory" and not (exchange or server.is_dc))
        ):
            continue
        for name in names:
            if name not in simulated:
                yield _spec(name, module)
