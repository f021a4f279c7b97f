"""Farms of a balancer and the servers behind them, as plain facts (simulator.md section 1); makes no transition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Farm", "FarmBackend"]


@dataclass(eq=False)
class FarmBackend:
    """A server behind a farm."""

    id: int
    server: str
    address: str
    port: int
    mode: Literal["", "drain", "cut"] = ""
    """Empty: it is not in maintenance."""


@dataclass(eq=False)
class Farm:
    """A farm of a Zevenet balancer."""

    name: str
    balancer: str
    profile: Literal["http", "l4xnat"]
    vip: str
    vport: int
    service: str
    """Of an http farm; empty: it has none."""
    backends: list[FarmBackend] = field(default_factory=list[FarmBackend])
    needs_restart: bool = False
    """Fault: somebody has changed it and not restarted it."""
