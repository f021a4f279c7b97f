"""`plans`, `runs` and `audit`: what was planned and done, and that nobody changed the record; contacts nothing."""

from __future__ import annotations

COMMANDS = ()
