"""SMB shares of a host and who holds files open on them: the SmbShare module as far as scripts use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.cim_objects import chosen, cim, objects_of
from starover_lab.cmdlets.machine import Machine, given_list, machine, reading, switch
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import guid_of, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSObject, UInt32, UInt64, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import SmbShare
from starover_lab.world.names import same

__all__ = ["BODIES"]

_NAMESPACE = "ROOT/Microsoft/Windows/SMB"
_SPECIAL = {"ADMIN$": "Remote Admin", "C$": "Default share", "IPC$": "Remote IPC"}


def _share(here: Machine, share: SmbShare) -> PSObject:
    special = share.name.endswith("$") and len(share.name) <= 6
    return cim(
        "MSFT_SMBShare",
        [
            ("PresetPathAcl", None),
            ("ShareState", net_enum("SmbShare.ShareState", "Online")),
            ("AvailabilityType", net_enum("SmbShare.AvailabilityType", "NonClustered")),
            ("ShareType", net_enum("SmbShare.ShareType", "FileSystemDirectory")),
            ("FolderEnumerationMode", net_enum("SmbShare.FolderEnumerationMode", "Unrestricted")),
            ("CachingMode", net_enum("SmbShare.CachingMode", "Manual")),
            ("CATimeout", UInt32(0)),
            ("ConcurrentUserLimit", UInt32(0)),
            ("ContinuouslyAvailable", False),
            ("CurrentUsers", UInt32(len(_holders(here, share.name)))),
            ("Description", _SPECIAL.get(share.name, "")),
            ("EncryptData", False),
            ("Name", share.name),
            ("Path", share.path),
            ("Scoped", False),
            ("ScopeName", "*"),
            ("SecurityDescriptor", "O:SYG:SYD:" + "".join(f"(A;;FA;;;{_sid(here, who)})" for who in share.access)),
            ("ShadowCopy", False),
            ("Special", special),
            ("Temporary", False),
            ("Volume", f"\\\\?\\Volume{{{guid_of('volume', here.host, share.path[:2]).text}}}\\"),
        ],
        namespace=_NAMESPACE,
        text=f'MSFT_SMBShare (Name = "{share.name}", ScopeName = "*")',
    )


def _sid(here: Machine, account: str) -> str:
    try:
        return here.world.ad.sid(account)
    except WorldError:
        return account


def get_share(call: Invocation) -> Iterator[Value]:
    """Get-SmbShare of this host."""
    for bound in call.records():
        here = reading(call)
        every = sorted(here.world.windows.shares(here.host), key=lambda one: one.name.casefold())
        columns = ("Name", "ScopeName", "Special")
        yield from chosen(call, bound, "MSFT_SMBShare", [_share(here, one) for one in every], *columns)


def _access(share: SmbShare, account: str) -> PSObject:
    return cim(
        "MSFT_SmbShareAccessControlEntry",
        [
            ("Name", share.name),
            ("ScopeName", "*"),
            ("AccountName", account),
            ("AccessControlType", net_enum("SmbShare.AccessControlType", "Allow")),
            ("AccessRight", net_enum("SmbShare.ShareAccessRight", "Full")),
        ],
        namespace=_NAMESPACE,
    )


def _names(bound: Mapping[str, Value]) -> list[str]:
    return given_list(bound.get("Name")) or [text_of(one.get("Name")) for one in objects_of(bound.get("InputObject"))]


def get_access(call: Invocation) -> Iterator[Value]:
    """Get-SmbShareAccess."""
    for bound in call.records():
        here = reading(call)
        names = _names(bound)
        for share in here.world.windows.shares(here.host):
            if any(same(share.name, name) for name in names):
                yield from (_access(share, account) for account in share.access)


def _refusal(call: Invocation, name: str, error: WorldError) -> ErrorRecord:
    if error.kind == "exists":
        message, number, category = "The name has already been shared. ", 2118, "NotSpecified"
    elif error.kind == "file_not_found":
        message, number, category = "The system cannot find the path specified. ", 3, "NotSpecified"
    else:
        message = f"No MSFT_SMBShare objects found with property 'Name' equal to '{name}'.  Verify the value of the "
        kind = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
        return call.record(
            "CmdletizationQuery_NotFound_Name",
            "ObjectNotFound",
            message + "property and retry.",
            type_name=kind,
            target=name,
        )
    kind = "Microsoft.Management.Infrastructure.CimException"
    return call.record(f"Windows System Error {number}", category, message, type_name=kind, target=name)


def _make(here: Machine, name: str, path: str, access: list[str], made: list[SmbShare]) -> None:
    made.append(here.world.windows.make_share(here.host, name, path, access))


def new_share(call: Invocation) -> Iterator[Value]:
    """New-SmbShare with -FullAccess; without it everybody may read, which the lab keeps as no access at all."""
    for bound in call.records():
        here = machine(call)
        name, path = text_of(bound.get("Name")), text_of(bound.get("Path"))
        made: list[SmbShare] = []

        act = partial(_make, here, name, path, given_list(bound.get("FullAccess")), made)
        if change(call, name, act, partial(_refusal, call, name)):
            yield _share(here, made[0])


def remove_share(call: Invocation) -> Iterator[Value]:
    """Remove-SmbShare."""
    for bound in call.records():
        here = machine(call)
        if switch(bound.get("Force")):
            call.common.setdefault("Confirm", False)
        for name in _names(bound):
            act = partial(here.world.windows.remove_share, here.host, name)
            change(call, f"*,{name}", act, partial(_refusal, call, name), action="Remove-Share")
    yield from ()


def grant(call: Invocation) -> Iterator[Value]:
    """Grant-SmbShareAccess -AccessRight Full."""
    for bound in call.records():
        here = machine(call)
        if switch(bound.get("Force")):
            call.common.setdefault("Confirm", False)
        for name in given_list(bound.get("Name")):
            for account in given_list(bound.get("AccountName")):
                act = partial(here.world.windows.grant_share, here.host, name, account)
                change(call, f"*,{name}", act, partial(_refusal, call, name), action="Grant-Access")
            for share in here.world.windows.shares(here.host):
                if same(share.name, name):
                    yield from (_access(share, account) for account in share.access)


def _holders(here: Machine, name: str) -> list[tuple[str, str, str]]:
    """Who holds a witness's file open on a share of this host: node, account, path."""
    found: list[tuple[str, str, str]] = []
    for cluster in here.world.state.clusters:
        if not (cluster.quorate and cluster.votes.witness and cluster.votes.witness_online and cluster.core_owner):
            continue
        share = cluster.witness_path.rpartition("\\")[2]
        if same(cluster.witness_server, here.host) and same(share, name):
            account = cluster.name if cluster.addresses else cluster.core_owner
            own = next((one.path for one in here.world.windows.shares(here.host) if same(one.name, name)), "")
            guid = guid_of("witness", cluster.name).text
            found.append((cluster.core_owner, f"{here.world.state.netbios}\\{account}$", f"{own}\\{guid}\\Witness.log"))
    return found


def get_open_file(call: Invocation) -> Iterator[Value]:
    """Get-SmbOpenFile: on a witness, the lock of the node that owns the core group."""
    for bound in call.records():
        here = reading(call)
        found: list[PSObject] = []
        for share in here.world.windows.shares(here.host):
            for node, account, path in _holders(here, share.name):
                number = int(guid_of("open", path, node).text[:8], 16)
                found.append(
                    cim(
                        "MSFT_SmbOpenFile",
                        [
                            ("ClientComputerName", here.world.server(node).address),
                            ("ClientUserName", account),
                            ("ClusterNodeName", ""),
                            ("ContinuouslyAvailable", False),
                            ("Encrypted", False),
                            ("FileId", UInt64(number)),
                            ("Locks", UInt64(1)),
                            ("Path", path),
                            ("Permissions", UInt32(1179785)),
                            ("ScopeName", "*"),
                            ("SessionId", UInt64(number + 8)),
                            ("ShareRelativePath", path[len(share.path) + 1 :]),
                        ],
                        namespace=_NAMESPACE,
                    )
                )
        columns = ("ClientComputerName", "ClientUserName", "ClusterNodeName", "FileId", "ScopeName", "SessionId")
        yield from chosen(call, bound, "MSFT_SmbOpenFile", found, *columns)


BODIES: dict[str, Body] = {
    "Get-SmbShare": get_share,
    "Get-SmbShareAccess": get_access,
    "New-SmbShare": new_share,
    "Remove-SmbShare": remove_share,
    "Grant-SmbShareAccess": grant,
    "Get-SmbOpenFile": get_open_file,
}
