"""Collections keyed by a name that compares as Windows compares names; knows nothing of what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Names", "same"]

T = TypeVar("T")


def same(one: str, other: str) -> bool:
    """Whether two names are one name: case does not matter."""
    return one.casefold() == other.casefold()


class Names(Generic[T]):
    """Things by name, in the order they were added; iterating gives the things.

    `alias` may turn a spelling into the name that is kept (an FQDN into its first label, say).
    """

    def __init__(self, alias: Callable[[str], str] | None = None) -> None:
        self._items: dict[str, T] = {}
        self._alias = alias

    def _key(self, name: str) -> str:
        return (self._alias(name) if self._alias is not None else name).casefold()

    def add(self, name: str, item: T) -> T:
        """Keep `item` under `name`; an item of that name is replaced."""
        self._items[self._key(name)] = item
        return item

    def discard(self, name: str) -> None:
        """Forget the thing of that name, if it is there."""
        self._items.pop(self._key(name), None)

    def get(self, name: str) -> T | None:
        """The thing of that name, or None."""
        return self._items.get(self._key(name))

    def __getitem__(self, name: str) -> T:
        return self._items[self._key(name)]

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)
