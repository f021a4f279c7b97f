"""What EC2 holds every call to: how ids are written, pages, and what excludes them; knows no instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply, number, text, texts

__all__ = ["held"]

_LEAST = 5
"""Of `MaxResults`."""
_WRITTEN: Mapping[str, tuple[str, str, str]] = {
    "InstanceIds": ("i-", "InvalidInstanceID.Malformed", 'Invalid id: "{0}"'),
    "GroupIds": ("sg-", "InvalidGroupId.Malformed", 'Invalid id: "{0}" (expecting "sg-...")'),
    "NetworkInterfaceIds": ("eni-", "InvalidNetworkInterfaceId.Malformed", 'Invalid id: "{0}"'),
    "VolumeIds": (
        "vol-",
        "InvalidParameterValue",
        "Value ({0}) for parameter volumes is invalid. Expected: 'vol-...'.",
    ),
    "SnapshotIds": (
        "snap-",
        "InvalidParameterValue",
        "Value ({0}) for parameter snapshotId is invalid. Expected: 'snap-...'.",
    ),
}
"""By parameter: how an id begins, and what is said of another one. The lab's own ids are shorter than AWS's."""
_ALONE = {"InstanceIds": "instancesSet", "VolumeIds": "volumeId", "SnapshotIds": "snapshotId"}
"""Parameters that exclude pages, and what they are called in the refusal."""


def held(call: Callable[[Given], Reply], given: Given) -> Reply:
    """Perform a call with well-formed ids, and give its list in pages where they are asked for.

    Raises `InvalidParameterCombination`, `InvalidParameterValue`, `InvalidPaginationToken`, `Invalid...Malformed`.
    """
    for name, (prefix, code, words) in _WRITTEN.items():
        for one in texts(given, name):
            if not one.startswith(prefix):
                raise CloudError(code, words.format(one))
    if "MaxResults" not in given and "NextToken" not in given:
        return call(given)
    for name, called in _ALONE.items():
        if "MaxResults" in given and texts(given, name):
            words = f"The parameter {called} cannot be used with the parameter maxResults"
            raise CloudError("InvalidParameterCombination", words)
    most = number(given, "MaxResults", 1000)
    if most < _LEAST:
        words = f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value greater than {_LEAST}."
        raise CloudError("InvalidParameterValue", words)
    first = text(given, "NextToken", "0")
    if not first.isdecimal():
        raise CloudError("InvalidPaginationToken", "The specified pagination token is not valid or is expired")
    reply = call({key: value for key, value in given.items() if key not in ("MaxResults", "NextToken")})
    return _page(reply, int(first), most)


def _page(reply: Reply, first: int, most: int) -> Reply:
    """The part of the list that a describing call has answered."""
    shown = dict(reply)
    for name, every in reply.items():
        if isinstance(every, list):
            things: list[object] = [*every]  # pyright: ignore[reportUnknownArgumentType] # of a reply, whatever it has
            shown[name] = things[first : first + most]
            if first + most < len(things):
                shown["NextToken"] = str(first + most)
    return shown
