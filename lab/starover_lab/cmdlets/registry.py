"""The registry of a host as far as scripts read it: pending reboots, Windows' and Exchange's versions.

Written is one key of Exchange alone, BackupInformation; anything else is refused.
Keys below HKEY_LOCAL_MACHINE that a real host has and that are not here are refused (`Unsupported`) where they lie
beside what is here, and missing elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starover_lab.cmdlets.exsetup import FOLDER
from starover_lab.cmdlets.machine import Machine, given_list, machine, switch
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.releases import release
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSArray, PSObject, Unsupported, Value
from starover_lab.world.cluster import CLUSSVC
from starover_lab.world.entities import ExchangeServer
from starover_lab.world.names import same

__all__ = ["children", "exists", "item", "new_key", "new_property", "property_of"]

_PROVIDER = "Microsoft.PowerShell.Core\\Registry"
_ROOT = "HKEY_LOCAL_MACHINE"
_WINDOWS = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
_SERVICING = f"{_WINDOWS}\\Component Based Servicing"
_UPDATE = f"{_WINDOWS}\\WindowsUpdate\\Auto Update"
_NT = "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
_SESSION_MANAGER = "SYSTEM\\CurrentControlSet\\Control\\Session Manager"
_LSA = "SYSTEM\\CurrentControlSet\\Control\\Lsa"
_EXCHANGE = "SOFTWARE\\Microsoft\\ExchangeServer\\v15"
_BACKUPS = f"{_EXCHANGE}\\BackupInformation"
_UNINSTALL = f"{_WINDOWS}\\Uninstall\\{{CD981244-E9B8-405A-9026-6AEB9DCEF1F1}}"
_ROLES = ("AdminTools", "ClientAccessRole", "FrontendTransportRole", "HubTransportRole", "MailboxRole")

Values = dict[str, Value]


def _keys(here: Machine) -> dict[str, Values]:
    """Every key below HKLM with its values, by path."""
    server = here.server
    pending = here.world.windows.pending_reboot(here.host)
    system = release(server.os)
    keys: dict[str, Values] = {
        _SERVICING: {},
        _UPDATE: {},
        _NT: {
            "ProductName": system.caption.removeprefix("Microsoft "),
            "CurrentBuild": str(system.build),
            "CurrentBuildNumber": str(system.build),
            "InstallationType": "Server",
            "SystemRoot": "C:\\Windows",
        },
        _SESSION_MANAGER: {},
        _LSA: {"LsaPid": 700},
    }
    if "cbs" in pending:
        keys[f"{_SERVICING}\\RebootPending"] = {}
    if "wu" in pending:
        keys[f"{_UPDATE}\\RebootRequired"] = {}
    if "rename" in pending:
        renamed: list[Value] = ["\\??\\C:\\Windows\\Temp\\pending.tmp", ""]
        keys[_SESSION_MANAGER]["PendingFileRenameOperations"] = PSArray(renamed, "System.String[]")
    if server.os == "2025":
        keys[_LSA]["LsaCfgFlags"] = 0  # Credential Guard, on by default there, was turned off
    if server.exchange is not None:
        major, minor, build, revision = (int(part) for part in server.exchange.build.split("."))
        keys[f"{_EXCHANGE}\\Setup"] = {
            "MsiInstallPath": FOLDER,
            "MsiProductMajor": major,
            "MsiProductMinor": minor,
            "MsiBuildMajor": build,
            "MsiBuildMinor": revision,
            "OwaVersion": server.exchange.build,
        }
        for role in _ROLES:
            version = server.exchange.build
            keys[f"{_EXCHANGE}\\{role}"] = {"ConfiguredVersion": version, "UnpackedVersion": version}
        if any(one["kind"] == "su_failed" and same(str(one["target"]), here.host) for one in here.world.faults()):
            # What setup leaves where it broke off (powershell.md section 2).
            keys[f"{_EXCHANGE}\\HubTransportRole"] |= {"Action": "BuildToBuildUpgrade", "Watermark": "Transport"}
        if (backups := server.exchange.backup_information) is not None:
            keys[_BACKUPS] = dict(backups)
        keys[_UNINSTALL] = {"DisplayName": "Microsoft Exchange Server", "VersionMajor": major, "VersionMinor": minor}
    cluster = here.world.state.cluster_on(server)
    if cluster is not None and here.world.state.runs(server, CLUSSVC):  # its service loads the hive
        keys["Cluster"] = {"ClusterName": cluster.name, "PaxosTag": cluster.paxos_tag}
    for path in list(keys):
        above = path.rpartition("\\")[0]
        while above and above not in keys:
            keys[above] = {}
            above = above.rpartition("\\")[0]
    return keys


def _plain(path: str) -> str:
    """A path below HKLM, without its drive."""
    text = path.replace("/", "\\")
    for lead in ("Microsoft.PowerShell.Core\\", "Registry::"):
        if text.casefold().startswith(lead.casefold()):
            text = text[len(lead) :]
    for lead in ("HKLM:", _ROOT):
        if text.casefold().startswith(lead.casefold()):
            text = text[len(lead) :]
    return text.strip("\\")


def _found(here: Machine, path: str) -> list[tuple[str, Values]]:
    """The keys that a path names, with wildcards in its parts."""
    wanted = _plain(path)
    parts = wanted.split("\\")
    return [
        (key, values)
        for key, values in sorted(_keys(here).items())
        if len(key.split("\\")) == len(parts)
        and all(
            fits(own, part) if is_pattern(part) else own.casefold() == part.casefold()
            for own, part in zip(key.split("\\"), parts, strict=True)
        )
    ]


def exists(here: Machine, path: str) -> bool:
    """Whether there is such a key."""
    return not _plain(path) or bool(_found(here, path))


def _missing(call: Invocation, path: str) -> ErrorRecord:
    return call.record(
        "PathNotFound",
        "ObjectNotFound",
        f"Cannot find path '{path}' because it does not exist.",
        type_name="System.Management.Automation.ItemNotFoundException",
        target=path,
    )


def _notes(key: str) -> list[tuple[str, Value]]:
    above, _, name = key.rpartition("\\")
    return [
        ("PSPath", f"{_PROVIDER}::{_ROOT}\\{key}"),
        ("PSParentPath", f"{_PROVIDER}::{_ROOT}\\{above}".rstrip("\\")),
        ("PSChildName", name),
        (
            "PSDrive",
            product(["System.Management.Automation.PSDriveInfo", "System.Object"], [("Name", "HKLM")], text="HKLM"),
        ),
        (
            "PSProvider",
            product(
                ["System.Management.Automation.ProviderInfo", "System.Object"], [("Name", "Registry")], text=_PROVIDER
            ),
        ),
    ]


def _key(key: str, values: Values, below: int) -> PSObject:
    names: list[Value] = list(values)
    made = product(
        ["Microsoft.Win32.RegistryKey", "System.MarshalByRefObject", "System.Object"],
        [
            ("Name", f"{_ROOT}\\{key}"),
            ("SubKeyCount", below),
            ("ValueCount", len(values)),
            ("Property", PSArray(names, "System.String[]")),
        ],
        text=f"{_ROOT}\\{key}",
    )
    made.methods["getvalue"] = lambda given: values.get(text_of(given[0]))
    for name, value in _notes(key):
        made.set(name, value)
    return made


def _below(here: Machine, key: str) -> list[tuple[str, Values]]:
    return [(one, values) for one, values in sorted(_keys(here).items()) if one.rpartition("\\")[0] == key]


def item(call: Invocation, path: str) -> Iterator[Value]:
    """Get-Item on a key; a missing one is reported."""
    here = machine(call)
    found = _found(here, path)
    if not found and not is_pattern(path):
        call.error(_missing(call, path))
    yield from (_key(key, values, len(_below(here, key))) for key, values in found)


def children(call: Invocation, path: str) -> Iterator[Value]:
    """Get-ChildItem on a key."""
    here = machine(call)
    found = _found(here, path)
    if not found and not is_pattern(path):
        call.error(_missing(call, path))
    for key, _ in found:
        yield from (_key(one, values, len(_below(here, one))) for one, values in _below(here, key))


def property_of(call: Invocation, path: str, bound: Mapping[str, Value]) -> Iterator[Value]:
    """Get-ItemProperty: the values of a key as one object, those named or all."""
    here = machine(call)
    found = _found(here, path)
    if not found and not is_pattern(path):
        call.error(_missing(call, path))
    patterns = given_list(bound.get("Name"))
    for key, values in found:
        kept = {
            name: value for name, value in values.items() if not patterns or any(fits(name, one) for one in patterns)
        }
        for pattern in patterns:
            if not is_pattern(pattern) and not any(fits(name, pattern) for name in values):
                call.error(
                    call.record(
                        "System.Management.Automation.PSArgumentException",
                        "InvalidArgument",
                        f"Property {pattern} does not exist at path {_ROOT}\\{key}.",
                        type_name="System.Management.Automation.PSArgumentException",
                        target=pattern,
                    )
                )
        if kept:
            yield PSObject([*kept.items(), *_notes(key)])


def _backups(call: Invocation, path: str) -> ExchangeServer:
    """Whose key is written. Raises `Unsupported` for any other."""
    here = machine(call)
    if _plain(path).casefold() != _BACKUPS.casefold() or here.server.exchange is None:
        raise Unsupported(f"{call.spec.name} on {path}: of the registry the lab writes {_BACKUPS} only")
    return here.server.exchange


def new_key(call: Invocation, path: str) -> Iterator[Value]:
    """New-Item on a key."""
    exchange = _backups(call, path)
    if may(call, f"Key: {path}", "Create Key"):
        exchange.backup_information = {}  # -Force makes it anew, as the registry does
        yield from item(call, path)


def new_property(call: Invocation) -> Iterator[Value]:
    """New-ItemProperty: a number; one that is there already is an error unless -Force."""
    for bound in call.records():
        for path in given_list(bound.get("LiteralPath") or bound.get("Path")):
            exchange, name, value = _backups(call, path), text_of(bound.get("Name")), bound.get("Value")
            if exchange.backup_information is None:
                call.error(_missing(call, path))
                continue
            if text_of(bound.get("PropertyType")).casefold() != "dword" or not isinstance(value, int):
                raise Unsupported("New-ItemProperty: the lab keeps numbers (DWord) in that key")
            known = next((one for one in exchange.backup_information if same(one, name)), None)
            if known is not None and not switch(bound.get("Force")):
                call.error(
                    call.record(
                        "System.IO.IOException",
                        "ResourceExists",
                        "The property already exists.",
                        type_name="System.IO.IOException",
                        target=path,
                    )
                )
                continue
            if may(call, f"Item: {path} Property: {name}", "New Property"):
                exchange.backup_information[known or name] = int(value)
                yield PSObject([(name, int(value)), *_notes(_BACKUPS)])
