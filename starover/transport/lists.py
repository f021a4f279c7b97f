"""pypsrp's pool, with lists read whose type it does not know, as Exchange's multi-valued properties; opens nothing.

pypsrp takes such an object apart, but leaves its list as a piece of XML, and forgets the types that were named in it: a
later object that only refers to one of them (rule R57 of the wire) ends the whole answer with a KeyError.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from pypsrp.powershell import Fragmenter, RunspacePool
from pypsrp.serializer import ObjectMeta, Serializer
from pypsrp.wsman import WSMan

__all__ = ["Pool", "Reader"]

_LISTS = frozenset({"LST", "IE", "QUE", "STK"})


class Reader(Serializer):
    """Makes a list of the elements of one, wherever it stands."""

    def deserialize(self, element: ET.Element | str, metadata: ObjectMeta | None = None, clear: bool = True) -> object:
        """As pypsrp's own."""
        if isinstance(element, ET.Element) and element.tag in _LISTS:
            return [self.deserialize(one, clear=False) for one in element]
        return super().deserialize(element, metadata, clear)


class Pool(RunspacePool):
    """A runspace pool that reads such lists."""

    def __init__(self, connection: WSMan, *, configuration_name: str) -> None:
        """Opens nothing."""
        super().__init__(connection, configuration_name=configuration_name)
        self._serializer = Reader()
        self._fragmenter = Fragmenter(connection.max_payload_size, self._serializer)
