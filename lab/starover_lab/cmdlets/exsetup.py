r"""Exchange's `bin\ExSetup.exe`, whose version tells which update a server has; knows no provider and runs nothing.

AD keeps the version of the last cumulative update; a security update changes files only.
"""

from __future__ import annotations

from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import extend, list_of, product
from starover_lab.powershell.command import CommandSpec
from starover_lab.powershell.values import PSObject, Value, Version
from starover_lab.world.entities import Server
from starover_lab.world.files import Entry, FileStore, parent_of

__all__ = ["FOLDER", "NAME", "application", "files_of", "version_info"]

FOLDER = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\"
"""Where Exchange is installed, as the registry and `$env:ExchangeInstallPath` say it."""
NAME = "ExSetup.exe"
_PATH = f"{FOLDER}bin\\{NAME}"
_SMA = "System.Management.Automation."


def files_of(server: Server) -> FileStore:
    """A host's files, with Exchange's own where it is installed."""
    if server.exchange is not None and not server.files.exists(_PATH):
        server.files.make_folder(parent_of(_PATH))
        server.files.write(_PATH, b"MZ")
    return server.files


def _is_it(server: Server, path: str) -> bool:
    return server.exchange is not None and path.casefold() == _PATH.casefold()


def version_info(server: Server, entry: Entry) -> PSObject:
    """System.Diagnostics.FileVersionInfo of a file; empty for a file without a version."""
    exchange = server.exchange if _is_it(server, entry.path) else None
    parts = [int(part) for part in exchange.build.split(".")] if exchange is not None else [0, 0, 0, 0]
    text: Value = "{:02}.{:02}.{:04}.{:03}".format(*parts) if exchange is not None else None
    numbers = ("Major", "Minor", "Build", "Private")
    columns: list[tuple[str, Value]] = [
        ("Comments", "" if exchange is not None else None),
        ("CompanyName", "Microsoft Corporation" if exchange is not None else None),
        ("FileDescription", "" if exchange is not None else None),
        ("FileName", entry.path),
        ("FileVersion", text),
        ("InternalName", entry.name if exchange is not None else None),
        ("Language", "Language Neutral" if exchange is not None else None),
        ("LegalCopyright", None),
        ("LegalTrademarks", None),
        ("OriginalFilename", entry.name if exchange is not None else None),
        ("PrivateBuild", None),
        ("ProductName", "Microsoft® Exchange" if exchange is not None else None),
        ("ProductVersion", text),
        ("SpecialBuild", None),
        *((name, False) for name in ("IsDebug", "IsPatched", "IsPrivateBuild", "IsPreRelease", "IsSpecialBuild")),
        *((f"File{name}Part", part) for name, part in zip(numbers, parts, strict=True)),
        *((f"Product{name}Part", part) for name, part in zip(numbers, parts, strict=True)),
        ("FileVersionRaw", Version(*parts)),
        ("ProductVersionRaw", Version(*parts)),
    ]
    return product(["System.Diagnostics.FileVersionInfo", "System.Object"], sorted(columns, key=lambda one: one[0]))


def application(server: Server, spec: CommandSpec) -> PSObject:
    """What Get-Command tells about a program: an ApplicationInfo."""
    setup = _is_it(server, f"{FOLDER}bin\\{spec.name}")
    path = _PATH if setup else f"C:\\Windows\\system32\\{spec.name}"
    entry = files_of(server).get(path)
    info = None if entry is None else version_info(server, entry)
    version = info.get("FileVersionRaw") if info is not None else Version(10, 0)
    made = product(
        [f"{_SMA}ApplicationInfo", f"{_SMA}CommandInfo", "System.Object"],
        [
            ("Path", path),
            ("Extension", ".exe"),
            ("Definition", path),
            ("Source", path),
            ("Version", version),
            ("Visibility", net_enum("SessionStateEntryVisibility", "Public")),
            ("OutputType", list_of(["System.String"], "System.Collections.ObjectModel.ReadOnlyCollection`1")),
            ("Name", spec.name),
            ("CommandType", net_enum("CommandTypes", "Application")),
            ("ModuleName", ""),
            ("Module", None),
            ("RemotingCapability", net_enum("RemotingCapability", "PowerShell")),
            ("Namespace", ""),
            ("HelpUri", ""),
            ("FileVersionInfo", info),
        ],
        text=spec.name,
    )
    extend(made, "Namespace", "HelpUri", "FileVersionInfo")
    return made
