"""`lab`: a twin of Windows, Exchange and AWS on loopback, as a process of its own; here it is only talked to."""

from __future__ import annotations

COMMANDS = ()
