"""Get-CimInstance for the classes that scripts about Exchange servers read; knows no session and no other host.

`-Filter` and `-Query` take comparisons joined by AND or OR without brackets. Classes of Windows that are not here are
refused (`Unsupported`), names that no class of Windows has answer *Invalid class*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from starover_lab.cmdlets.cim_machine import ABOVE, Row, computer_system, processor
from starover_lab.cmdlets.cim_objects import cim, cim_error
from starover_lab.cmdlets.local_groups import group_sid, shown_name
from starover_lab.cmdlets.machine import Machine, given_list, reading
from starover_lab.cmdlets.objects import guid_of, moment, text_of
from starover_lab.cmdlets.releases import release
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, UInt32, UInt64, Unsupported, Value
from starover_lab.world.entities import Service
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

T = TypeVar("T", int, str)


def _operating_system(here: Machine) -> list[Row]:
    server = here.server
    system = release(server.os)
    memory = server.memory_gb * 1024 * 1024
    return [
        [
            ("BootDevice", "\\Device\\HarddiskVolume1"),
            ("BuildNumber", str(system.build)),
            ("Caption", system.caption),
            ("CSName", server.name),
            ("CSDVersion", None),
            ("FreePhysicalMemory", UInt64(memory // 3)),
            ("LastBootUpTime", moment(server.boot_time)),
            ("LocalDateTime", moment(here.world.now)),
            ("CurrentTimeZone", 0),
            ("Manufacturer", "Microsoft Corporation"),
            ("Name", f"{system.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition2"),
            ("OperatingSystemSKU", UInt32(7 if server.os == "2012R2" else 8)),
            ("OSArchitecture", "64-bit"),
            ("OSLanguage", UInt32(1033)),
            ("ProductType", UInt32(2 if server.is_dc else 3)),
            ("Status", "OK"),
            ("SystemDirectory", "C:\\Windows\\system32"),
            ("SystemDrive", "C:"),
            ("TotalVisibleMemorySize", UInt64(memory)),
            ("Version", system.version),
            ("WindowsDirectory", "C:\\Windows"),
        ]
    ]


def _volumes(here: Machine) -> list[Row]:
    rows: list[Row] = []
    for volume in sorted(here.server.volumes, key=lambda one: one.mount.casefold()):
        space = here.world.space(here.host, volume.mount)
        if space is None:
            continue
        plain = volume.mount.rstrip("\\")
        name = plain + "\\"
        rows.append(
            [
                ("BlockSize", UInt64(65536)),
                ("BootVolume", plain.casefold() == "c:"),
                ("Capacity", UInt64(space.size)),
                ("Caption", name),
                ("DeviceID", f"\\\\?\\Volume{{{guid_of('volume', here.host, volume.mount).text}}}\\"),
                ("DriveLetter", plain if plain.endswith(":") else None),
                ("DriveType", UInt32(3)),
                ("FileSystem", volume.fs),
                ("FreeSpace", UInt64(space.free)),
                ("Label", ""),
                ("Name", name),
                ("SystemVolume", False),
            ]
        )
    return rows


def _logical_disks(here: Machine) -> list[Row]:
    rows: list[Row] = []
    for volume in _volumes(here):
        columns = dict(volume)
        letter = columns["DriveLetter"]
        if letter is not None:
            rows.append(
                [
                    ("DeviceID", letter),
                    ("DriveType", columns["DriveType"]),
                    ("FileSystem", columns["FileSystem"]),
                    ("FreeSpace", columns["FreeSpace"]),
                    ("Name", letter),
                    ("Size", columns["Capacity"]),
                    ("VolumeName", ""),
                ]
            )
    return rows


_START = {"Automatic": "Auto", "Manual": "Manual", "Disabled": "Disabled"}
_STATE = {"StartPending": "Start Pending", "StopPending": "Stop Pending"}


def _process_id(here: Machine, service: Service) -> int:
    """Of the service's process; 0: it has none. Another start is another process, and no two have one number."""
    if service.status in ("Stopped", "StopPending"):
        return 0
    place = next(at for at, one in enumerate(here.server.services) if one is service)
    start = int(guid_of("service", here.host, service.name, f"{_began(here, service)}").text[:3], 16)
    return 4 * (300 + start * len(here.server.services) + place)


def _began(here: Machine, service: Service) -> datetime:
    return max(here.server.boot_time, service.began or here.server.boot_time)


def _processes(here: Machine) -> list[Row]:
    """The processes of services; others are not looked at."""
    return [
        [
            ("ProcessId", UInt32(number)),
            ("Name", f"{one.name}.exe"),
            ("CreationDate", moment(_began(here, one))),
        ]
        for one in here.server.services
        if (number := _process_id(here, one))
    ]


def _services(here: Machine) -> list[Row]:
    return [
        [
            ("Name", one.name),
            ("DisplayName", one.display_name),
            ("State", _STATE.get(one.status, one.status)),
            ("StartMode", _START[one.start_type]),
            ("ProcessId", UInt32(_process_id(here, one))),
            ("Started", one.status == "Running"),
            ("Status", "OK"),
            ("SystemName", here.host),
        ]
        for one in sorted(here.server.services, key=lambda one: one.name.casefold())
    ]


def _groups(here: Machine) -> list[Row]:
    """Local groups by the host's own names; a domain controller has those of its domain's Builtin container."""
    return [
        [
            ("Name", shown_name(here, group)),
            ("Caption", f"{here.host}\\{shown_name(here, group)}"),
            ("Domain", here.host),
            ("LocalAccount", True),
            ("SID", group_sid(here, group)),
            ("SIDType", 4),
            ("Status", "OK"),
        ]
        for group in here.world.windows.groups(here.host)
    ]


_CLASSES: dict[str, Callable[[Machine], list[Row]]] = {
    "Win32_OperatingSystem": _operating_system,
    "Win32_ComputerSystem": computer_system,
    "Win32_Processor": processor,
    "Win32_Volume": _volumes,
    "Win32_LogicalDisk": _logical_disks,
    "Win32_Service": _services,
    "Win32_Process": _processes,
    "Win32_Group": _groups,
}
_QUERY = re.compile(
    r"\s*select\s+(?P<columns>.+?)\s+from\s+(?P<name>\w+)(?:\s+where\s+(?P<where>.+?))?\s*", re.IGNORECASE | re.DOTALL
)
_COMPARISON = re.compile(
    r"""\s*(?P<name>\w+)\s*(?P<op><>|!=|<=|>=|=|<|>|\blike\b|\bis\s+not\b|\bis\b)\s*
    (?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+|true|false|null)\s*""",
    re.IGNORECASE | re.VERBOSE,
)


def _literal(text: str) -> str | int | bool | None:
    if text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    low = text.casefold()
    if low in {"true", "false"}:
        return low == "true"
    return None if low == "null" else int(text)


def _compare(value: Value, operator: str, literal: str | int | bool | None) -> bool:
    if literal is None:
        return (value is None) == (operator in {"is", "="})
    if value is None:
        return False
    if operator == "like":
        pattern = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in str(literal))
        return re.fullmatch(pattern, str(value), re.IGNORECASE | re.DOTALL) is not None
    if isinstance(value, bool) or isinstance(literal, bool):
        wanted = literal if isinstance(literal, bool | int) else literal.casefold() == "true"
        return _ordered(int(bool(value)), operator, int(wanted))
    if isinstance(value, int):
        return _ordered(int(value), operator, int(literal))
    return _ordered(text_of(value).casefold(), operator, str(literal).casefold())


def _ordered(left: T, operator: str, right: T) -> bool:
    match operator:
        case "=":
            return left == right
        case "<>" | "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def _where(text: str) -> Callable[[dict[str, Value]], bool]:
    """A WQL condition as a test of a row with casefolded names. Raises `ValueError` for what WQL does not have."""
    parts: list[tuple[str, str, str, str | int | bool | None]] = []
    joiner, at = "or", 0
    while True:
        match = _COMPARISON.match(text, at)
        if match is None:
            raise ValueError(text)
        operator = " ".join(match["op"].casefold().split())
        parts.append((joiner, match["name"].casefold(), operator, _literal(match["value"])))
        at = match.end()
        if at == len(text):
            break
        following = re.compile(r"(and|or)\b", re.IGNORECASE).match(text, at)
        if following is None:
            raise ValueError(text)
        joiner, at = following[1].casefold(), following.end()

    def test(row: dict[str, Value]) -> bool:
        groups: list[bool] = []
        for how, name, operator, literal in parts:
            if name not in row:
                raise ValueError(name)
            one = _compare(row[name], operator, literal)
            if how == "or" or not groups:
                groups.append(one)
            else:
                groups[-1] = groups[-1] and one
        return any(groups)

    return test


def get_instance(call: Invocation) -> Iterator[Value]:
    """Get-CimInstance by class or query, of this host."""
    for bound in call.records():
        here = reading(call)
        for computer in given_list(bound.get("ComputerName")):
            if not same(first_label(computer), here.host) and computer not in {".", "localhost"}:
                cim_error(call, "0x80070005", "PermissionDenied", "Access is denied. ", f"root\\cimv2:{computer}")
                return
        for session in ("CimSession", "ResourceUri", "InputObject"):
            if bound.get(session) is not None:
                raise Unsupported(f"Get-CimInstance -{session}: the lab does not simulate it")
        name, where = text_of(bound.get("ClassName")), text_of(bound.get("Filter"))
        query = text_of(bound.get("Query"))
        if query:
            match = _QUERY.fullmatch(query)
            if match is None:
                cim_error(call, "0x80041017", "InvalidArgument", "Invalid query ", query)
                continue
            name, where = match["name"], match["where"] or ""
        known = next((one for one in _CLASSES if same(one, name)), None)
        if known is None:
            if re.match(r"(Win32|CIM|MSFT|Msft)_", name):
                raise Unsupported(f"the CIM class {name}: the lab does not simulate it")
            cim_error(call, "0x80041010", "MetadataError", "Invalid class ", f"root\\cimv2:{name}")
            continue
        try:
            found = _matching(known, _CLASSES[known](here), where)
        except ValueError:
            cim_error(call, "0x80041017", "InvalidArgument", "Invalid query ", where)
            continue
        yield from found


def _matching(name: str, rows: list[Row], where: str) -> list[PSObject]:
    test = _where(where) if where else None
    return [
        cim(name, row, namespace="root/cimv2", above=ABOVE.get(name, ()))
        for row in rows
        if test is None or test({column.casefold(): value for column, value in row})
    ]


BODIES: dict[str, Body] = {"Get-CimInstance": get_instance}
