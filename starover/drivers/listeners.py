"""Those who are told what happens, as long as they can take it; a screen that is gone ends no run."""

from __future__ import annotations

from collections.abc import Sequence

from starover.events import Sink, Told

__all__ = ["Listeners"]


class Listeners:
    """Sinks; one that cannot take what it is told (`events.Sink`) is told nothing more."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        """All of them listen."""
        self._sinks = list(sinks)

    def tell(self, told: Told) -> None:
        """Tell each of them; from any thread. What a sink raises beyond `OSError` and `ValueError` is raised."""
        for sink in tuple(self._sinks):
            try:
                sink.tell(told)
            except (OSError, ValueError):  # a closed pipe, a console that has no such letter: the run is what matters
                self._sinks = [one for one in self._sinks if one is not sink]
