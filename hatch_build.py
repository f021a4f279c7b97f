"""Packs the content (runbooks, templates) into wheels only; an editable install reads the checkout."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ContentHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `runbooks/`, `ps_templates/` and `calls/` to a wheel as `starover/_content/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; `version` is `editable` for an editable install."""
        if version != "editable":
            for folder in ("runbooks", "ps_templates", "calls"):
                build_data["force_include"][folder] = f"starover/_content/{folder}"
