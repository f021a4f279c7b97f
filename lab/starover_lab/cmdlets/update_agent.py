"""The Windows Update Agent's COM objects as a script of this host sees them; decides nothing about updates.

A network logon may not download, install or accept a licence (0x80070005), and on Windows Server 2025 not even search
(facts/exchange.md point 4; knob `update_search_remote`). Where a real object asks Windows each time, so does this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from uuid import NAMESPACE_DNS, uuid5

from starover_lab.cmdlets.machine import Machine, machine
from starover_lab.cmdlets.objects import moment, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord, PSException, Terminated, failure
from starover_lab.powershell.values import Long, Property, PSArray, PSList, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.errors import WorldError
from starover_lab.world.update_parts import Update
from starover_lab.world.updates import NOT_ALLOWED

__all__ = ["new_object"]

_COM = "System.__ComObject"
_DENIED = 0x80070005
_BAD_CRITERIA = 0x80240032
_ALL_FAILED = 0x80240022
_NO_UPDATES = 0x80240024
_NOT_DOWNLOADED = 0x8024000E
_REBOOT = {"never": 0, "always": 1, "can": 2}
_CLASSIFICATIONS = {
    "applications": "5c9376ab-8ce6-464a-b136-22113dd69801",
    "critical updates": "e6cf1350-c01b-414d-a61f-263d14d133b4",
    "definition updates": "e0789628-ce08-4437-be74-2495b842f43b",
    "drivers": "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0",
    "feature packs": "b54e7d24-7add-428f-8b75-90a396fa584f",
    "security updates": "0fa1201d-4330-4fa8-8ae9-b877473b6441",
    "service packs": "68c5b0a3-d1a6-4553-ae49-01d3a7827828",
    "tools": "b4832bd8-e735-4761-8daf-37f882276dab",
    "update rollups": "28bc880e-0592-4cbf-8f95-c79b17911d5f",
    "updates": "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83",
}
"""Ids of classifications by their English names (WSUS documentation)."""
_SUCCEEDED, _WITH_ERRORS, _FAILED = 2, 3, 4


def _signed(hresult: int) -> int:
    return hresult - (1 << 32) if hresult >= 1 << 31 else hresult


def _failed(hresult: int) -> Terminated:
    """What a COM call that fails raises in PowerShell (tr-ecce1344fe)."""
    kind, message = "System.Runtime.InteropServices.COMException", f"Exception from HRESULT: 0x{hresult:08X}"
    if hresult == _DENIED:
        kind = "System.UnauthorizedAccessException"
        message = "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))"
    exception = PSException(kind, message, hresult=_signed(hresult))
    record = ErrorRecord(exception=exception, error_id=kind, category="OperationStopped")
    exception.record = record
    return Terminated(record)


class _Com(PSObject):
    """A COM object: some of its properties are asked for each time."""

    def __init__(self, interface: str, properties: Iterable[tuple[str, Value]] = ()) -> None:
        super().__init__(properties, type_names=[f"{_COM}#{interface}", _COM, "System.Object"], text=_COM)
        self.readers: dict[str, Callable[[], Value]] = {}
        for member in self.properties.values():
            member.kind = "Property"

    def reads(self, name: str, read: Callable[[], Value]) -> None:
        """A property that is read anew each time."""
        self.set(name, read())
        found = super().find(name)
        assert found is not None
        found.kind = "Property"
        self.readers[name.casefold()] = read

    def find(self, name: str) -> Property | None:
        """The member of that name, in any case."""
        read = self.readers.get(name.casefold())
        found = super().find(name)
        if read is not None and found is not None:
            found.value = read()
        return found


def _collection(items: Iterable[Value] = ()) -> PSList:
    return PSList(list(items))


def _remote(here: Machine) -> bool:
    return here.network_logon


def _search_refused(here: Machine) -> bool:
    knob = here.world.state.tuning.update_search_remote
    return _remote(here) and (knob == "refused" or (knob == "by_os" and here.server.os == "2025"))


# -- updates


class _Wrapped(_Com):
    """An update; `update` is the host's own."""

    def __init__(self, here: Machine, update: Update) -> None:
        identity = _Com("IUpdateIdentity", [("UpdateID", str(update.id)), ("RevisionNumber", update.revision)])
        behavior = _Com(
            "IInstallationBehavior",
            [
                ("CanRequestUserInput", False),
                ("Impact", 0),
                ("RebootBehavior", _REBOOT[update.reboot]),
                ("RequiresNetworkConnectivity", False),
            ],
        )
        categories = [
            _Com(
                "ICategory",
                [
                    ("Name", one),
                    ("CategoryID", _CLASSIFICATIONS.get(one.casefold(), str(uuid5(NAMESPACE_DNS, one.casefold())))),
                    ("Type", "UpdateClassification"),
                ],
            )
            for one in update.categories
        ]
        super().__init__(
            "IUpdate5",
            [
                ("Title", update.title),
                ("Description", f"Install this update. {update.kb}"),
                ("Identity", identity),
                ("KBArticleIDs", _collection([update.kb.removeprefix("KB")])),
                ("Categories", _collection(categories)),
                ("MsrcSeverity", update.severity or None),
                ("MaxDownloadSize", Long(update.size)),
                ("MinDownloadSize", Long(0)),
                ("BrowseOnly", update.browse_only),
                ("IsMandatory", False),
                ("IsHidden", update.hidden),
                ("IsUninstallable", False),
                ("AutoSelectOnWebSites", not update.browse_only),
                ("InstallationBehavior", behavior),
                ("Type", 1),
            ],
        )
        self.update = update
        self.reads("IsDownloaded", lambda: update.state != "applicable")
        self.reads("IsInstalled", lambda: update.state == "installed")
        self.reads("RebootRequired", lambda: update.state == "pending_reboot")
        self.reads("EulaAccepted", lambda: update.eula_accepted)
        self.methods["accepteula"] = lambda _: self._accept(here)

    def _accept(self, here: Machine) -> Value:
        if _remote(here):
            raise _failed(_DENIED)
        self.update.eula_accepted = True
        return None


_TERM = re.compile(r"(?P<name>\w+)\s*(?P<op>=|!=)\s*(?:'(?P<text>[^']*)'|(?P<number>\d+))", re.IGNORECASE)


def _matches(update: Update, criteria: str) -> bool:
    """Terms joined by `and`. Raises `Terminated` for criteria that the agent does not take."""
    for part in re.split(r"\s+and\s+", criteria.strip(), flags=re.IGNORECASE):
        match = _TERM.fullmatch(part.strip().strip("()").strip())
        if match is None:
            raise _failed(_BAD_CRITERIA)
        wanted = match["text"] if match["text"] is not None else match["number"]
        facts = {
            "isinstalled": "1" if update.state in ("installed", "pending_reboot") else "0",
            "ishidden": "1" if update.hidden else "0",
            "type": "Software",
            "browseonly": "1" if update.browse_only else "0",
            "rebootrequired": "1" if update.state == "pending_reboot" else "0",
            "isassigned": "0" if update.browse_only else "1",
            "updateid": str(update.id),
            "deploymentaction": "Installation",
        }
        known = facts.get(match["name"].casefold())
        if known is None:
            raise _failed(_BAD_CRITERIA)
        if (known.casefold() == wanted.casefold()) != (match["op"] == "="):
            return False
    return True


def _searcher(here: Machine) -> _Com:
    made = _Com(
        "IUpdateSearcher3",
        [
            ("ClientApplicationID", None),
            ("Online", True),
            ("ServerSelection", 0),
            ("ServiceID", "00000000-0000-0000-0000-000000000000"),
            ("CanAutomaticallyUpgradeService", False),
            ("IncludePotentiallySupersededUpdates", False),
        ],
    )
    made.methods["search"] = lambda given: _search(here, text_of(given[0]) if given else "IsInstalled=0")
    made.methods["gettotalhistorycount"] = lambda _: _history_count(here)
    made.methods["queryhistory"] = lambda given: _history(here, given)
    return made


def _search(here: Machine, criteria: str) -> Value:
    if _search_refused(here):
        raise _failed(_DENIED)
    here.world.scheduler.wait(here.pace(here.world.state.tuning.update_search_s))
    offered = here.world.updates.offered(here.host)
    every = [*offered, *here.world.updates.installed(here.host)]
    found = [_Wrapped(here, one) for one in every if _matches(one, criteria)]
    if not every:
        _matches(Update(id=here.server.guid, kb="", title="", size=0, install_s=0), criteria)
    return _Com(
        "ISearchResult",
        [
            ("ResultCode", _SUCCEEDED),
            ("RootCategories", _collection()),
            ("Updates", _collection(found)),
            ("Warnings", _collection()),
        ],
    )


def _history_count(here: Machine) -> Value:
    if _search_refused(here):
        raise _failed(_DENIED)
    return len(here.world.updates.history(here.host))


def _history(here: Machine, given: list[Value]) -> Value:
    if _search_refused(here):
        raise _failed(_DENIED)
    first, count = (one if isinstance(one, int) else 0 for one in (*given, 0, 0)[:2])
    return _collection(
        _Com(
            "IUpdateHistoryEntry2",
            [
                ("Operation", 1),
                ("ResultCode", entry.result),
                ("HResult", _signed(entry.hresult)),
                ("Date", moment(entry.time)),
                ("UpdateIdentity", _Com("IUpdateIdentity", [("UpdateID", str(entry.update_id))])),
                ("Title", entry.title),
                ("Description", ""),
                ("UnmappedResultCode", 0),
                ("ClientApplicationID", "starover"),
                ("ServerSelection", 0),
            ],
        )
        for entry in here.world.updates.history(here.host)[first : first + count]
    )


# -- downloading and installing


def _given(owner: _Com) -> list[_Wrapped]:
    value = owner.get("Updates")
    items = list(enumerate_(value)) if isinstance(value, PSList | PSArray) else [value]
    found = [one for one in items if isinstance(one, _Wrapped)]
    if not found:
        raise _failed(_NO_UPDATES)
    return found


def _result(interface: str, codes: list[tuple[int, int, bool]]) -> _Com:
    """The result of several updates: code, HRESULT and whether a reboot is needed, one by one."""
    good = sum(code == _SUCCEEDED for code, _, _ in codes)
    whole = _SUCCEEDED if good == len(codes) else _WITH_ERRORS if good else _FAILED
    made = _Com(
        interface,
        [
            ("ResultCode", whole),
            ("HResult", _signed(_ALL_FAILED if whole == _FAILED else 0)),
            ("RebootRequired", any(reboot for _, _, reboot in codes)),
        ],
    )

    def one(given: list[Value]) -> Value:
        at = given[0] if given else None
        if not isinstance(at, int) or not 0 <= at < len(codes):
            raise _failed(0x80070057)
        code, hresult, reboot = codes[at]
        return _Com(
            "IUpdateInstallationResult",
            [("ResultCode", code), ("HResult", _signed(hresult)), ("RebootRequired", reboot)],
        )

    made.methods["getupdateresult"] = one
    return made


def _downloader(here: Machine) -> _Com:
    made = _Com("IUpdateDownloader", [("Updates", None), ("ClientApplicationID", None), ("IsForced", False)])

    def download(_: list[Value]) -> Value:
        codes: list[tuple[int, int, bool]] = []
        for one in _given(made):
            ends = here.world.updates.download(here.host, one.update)
            here.world.scheduler.wait((ends - here.world.now).total_seconds())
            codes.append((_SUCCEEDED, 0, False))
        return _result("IDownloadResult", codes)

    made.methods["download"] = download
    return made


def _installer(here: Machine) -> _Com:
    updates = here.world.updates
    made = _Com(
        "IUpdateInstaller4",
        [
            ("Updates", None),
            ("ClientApplicationID", None),
            ("AllowSourcePrompts", False),
            ("ForceQuiet", False),
            ("IsForced", False),
        ],
    )
    made.reads("IsBusy", lambda: updates.busy(here.host))
    made.reads("RebootRequiredBeforeInstallation", lambda: updates.blocked(here.host))
    made.methods["install"] = lambda _: _result(
        "IInstallationResult", [_install(here, one.update) for one in _given(made)]
    )
    return made


def _install(here: Machine, update: Update) -> tuple[int, int, bool]:
    """Install one: its result code, HRESULT, and whether it needs a reboot."""
    world = here.world
    if update.state == "applicable":
        return (_FAILED, _NOT_DOWNLOADED, False)
    try:
        operation = world.updates.install(here.host, update)
    except WorldError as error:
        raise _failed(NOT_ALLOWED) from error
    try:
        if operation is None:
            world.scheduler.pause()  # it never ends
            raise _failed(_FAILED)
        world.scheduler.wait((operation.ends - world.now).total_seconds())
        operation.result()
    except WorldError:
        return (_FAILED, update.hresult, False)
    finally:
        world.updates.abort(here.host)  # does nothing when the installation has ended
    return (_SUCCEEDED, 0, update.state == "pending_reboot")


# -- the objects that New-Object makes


def _session(here: Machine) -> _Com:
    made = _Com("IUpdateSession3", [("ClientApplicationID", None), ("ReadOnly", False), ("UserLocale", 1033)])

    def local(make: Callable[[Machine], _Com]) -> Callable[[list[Value]], Value]:
        def create(_: list[Value]) -> Value:
            if _remote(here):
                raise _failed(_DENIED)
            return make(here)

        return create

    def searcher(_: list[Value]) -> Value:
        if _search_refused(here):
            raise _failed(_DENIED)
        return _searcher(here)

    made.methods["createupdatesearcher"] = searcher
    made.methods["createupdatedownloader"] = local(_downloader)
    made.methods["createupdateinstaller"] = local(_installer)
    return made


def _system_info(here: Machine) -> _Com:
    """ISystemInformation; over WinRM a local call, so that it answers there too."""
    made = _Com("ISystemInformation", [("OemHardwareSupportLink", None)])
    made.reads("RebootRequired", lambda: here.world.updates.reboot_required(here.host))
    return made


_CLASSES: dict[str, Callable[[Machine], Value]] = {
    "microsoft.update.session": _session,
    "microsoft.update.updatecoll": lambda _: _collection(),
    "microsoft.update.systeminfo": _system_info,
}


def new_object(other: Body) -> Body:
    """New-Object with -ComObject for the Windows Update Agent; everything else as PowerShell's own, `other`."""

    def body(call: Invocation) -> Iterator[Value]:
        name = call.bound.get("ComObject")
        if name is None:
            yield from other(call)
            return
        make = _CLASSES.get(text_of(name).casefold())
        if make is not None:
            yield make(machine(call))
            return
        if re.match(r"(?i)(Microsoft|Schedule|WScript|Shell|Scripting|ADODB|MSXML|WbemScripting|HNetCfg)\.", str(name)):
            raise Unsupported(f"the COM object {name}: the lab does not simulate it")
        raise failure(
            "NoCOMClassIdentified",
            "ResourceUnavailable",
            f"Retrieving the COM class factory for component with CLSID {{{'0' * 8}-0000-0000-0000-{'0' * 12}}} failed "
            "due to the following error: 80040154 Class not registered (Exception from HRESULT: 0x80040154 "
            "(REGDB_E_CLASSNOTREG)).",
            type_name="System.Runtime.InteropServices.COMException",
            command=call.spec.class_name,
        )

    return body
