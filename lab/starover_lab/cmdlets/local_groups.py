"""Local groups of a host: the LocalAccounts module and `net.exe localgroup`; knows no other host.

Members of the domain are found by name at a DC. A SID whose account is gone breaks Get-LocalGroupMember as it does in
Windows PowerShell 5.1; `net.exe` shows it. Group names are localised, their SIDs are not. Windows Server 2012 R2 has
no such module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.machine import Machine, given_list, machine, reading
from starover_lab.cmdlets.objects import make, product, text_of
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSObject, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same

__all__ = ["BODIES", "NET_FAILURES", "group_name", "group_sid", "native_name", "shown_name", "sid_object"]

_NS = "Microsoft.PowerShell.Commands."
_LOCALISED = {
    "de-DE": {
        "Administrators": "Administratoren",
        "Users": "Benutzer",
        "Backup Operators": "Sicherungs-Operatoren",
        "Remote Desktop Users": "Remotedesktopbenutzer",
        "Remote Management Users": "Remoteverwaltungsbenutzer",
    }
}
_DESCRIPTIONS = {
    "Administrators": "Administrators have complete and unrestricted access to the computer/domain",
    "Users": "Users are prevented from making accidental or intentional system-wide changes and can run most "
    "applications",
}
NET_FAILURES = {
    "already_in_group": (1378, "The specified account name is already a member of the group."),
    "not_in_group": (1377, "The specified account name is not a member of the group."),
    "not_found": (1376, "The specified local group does not exist."),
}
"""System errors of `net.exe localgroup`."""


def sid_object(text: str) -> PSObject:
    """A System.Security.Principal.SecurityIdentifier."""
    parts = text.split("-")
    domain = "-".join(parts[:-1]) if text.startswith("S-1-5-21-") else None
    return product(
        [f"System.Security.Principal.{name}" for name in ("SecurityIdentifier", "IdentityReference")],
        [("BinaryLength", 8 + 4 * (len(parts) - 3)), ("AccountDomainSid", domain), ("Value", text)],
        text=text,
    )


def native_name(here: Machine, name: str) -> str:
    """The English name of a group from the host's own; a name of no known group stays."""
    own = _LOCALISED.get(here.world.state.ui_culture, {})
    for english, local in own.items():
        if same(local, name):
            return english
    return "" if any(same(english, name) for english in own) else name


def shown_name(here: Machine, group: str) -> str:
    """The host's own name of a group."""
    return _LOCALISED.get(here.world.state.ui_culture, {}).get(group, group)


def group_name(here: Machine, asked: str) -> str:
    """The group that a name or SID means, as the world has it. Raises `not_found`."""
    for group in here.world.windows.groups(here.host):
        if same(group, native_name(here, asked)) or group_sid(here, group) == asked.upper():
            return group
    raise WorldError("not_found", f"there is no local group {asked}", object="group", name=asked)


def group_sid(here: Machine, group: str) -> str:
    """The SID of a group by its English name."""
    return here.world.ad.sid(f"BUILTIN\\{group}")


def _group_object(here: Machine, group: str) -> PSObject:
    return product(
        [_NS + "LocalGroup", _NS + "LocalPrincipal", "System.Object"],
        [
            ("Description", _DESCRIPTIONS.get(group, "")),
            ("Name", shown_name(here, group)),
            ("SID", sid_object(group_sid(here, group))),
            ("PrincipalSource", "Local"),
            ("ObjectClass", "Group"),
        ],
        text=shown_name(here, group),
    )


def get_group(call: Invocation) -> Iterator[Value]:
    """Get-LocalGroup, by name (wildcards) or SID."""
    for bound in call.records():
        here = reading(call)
        sids = [one.upper() for one in given_list(bound.get("SID"))]
        names = given_list(bound.get("Name"))
        for group in sorted(here.world.windows.groups(here.host), key=str.casefold):
            shown = shown_name(here, group)
            if (sids and group_sid(here, group) in sids) or (
                not sids and (not names or any(fits(shown, pattern) for pattern in names))
            ):
                yield _group_object(here, group)
        for name in sids or names:
            try:
                if not is_pattern(name):
                    group_name(here, name)
            except WorldError:
                call.error(_no_group(call, name))


def _asked_group(bound: Mapping[str, Value]) -> str:
    for name in ("SID", "Name", "Group"):
        if bound.get(name) is not None:
            return text_of(bound[name])
    return ""


def _no_group(call: Invocation, asked: str) -> ErrorRecord:
    message, kind = f"Group {asked} was not found.", _NS + "GroupNotFoundException"
    return call.record("GroupNotFound", "ObjectNotFound", message, type_name=kind, target=asked)


def get_member(call: Invocation) -> Iterator[Value]:
    """Get-LocalGroupMember."""
    for bound in call.records():
        here = reading(call)
        asked = _asked_group(bound)
        try:
            members = here.world.windows.group_members(here.host, group_name(here, asked))
        except WorldError:
            call.error(_no_group(call, asked))
            continue
        if any(one.startswith("S-1-") for one in members):
            message = "Failed to compare two elements in the array."
            raise call.fail(call.record("An unspecified error occurred.", "NotSpecified", message))
        pattern = text_of(bound.get("Member"))
        found = [one for one in members if not pattern or fits(one, pattern) or _means(here, pattern, one)]
        yield from (_member(here, one) for one in found)
        if not found and pattern and not is_pattern(pattern):
            call.error(_not_member(call, pattern, asked))


def _means(here: Machine, asked: str, member: str) -> bool:
    try:
        return here.world.ad.sid(asked) == here.world.ad.sid(member)
    except WorldError:
        return False


def _member(here: Machine, name: str) -> PSObject:
    authority, _, plain = name.rpartition("\\")
    local = same(authority, here.host)
    domain = same(authority, here.world.state.netbios)
    person = plain.endswith("$") or same(plain, "Administrator") or here.world.account(name) is not None
    return make(
        "Get-LocalGroupMember",
        {
            "Name": name,
            "SID": sid_object(here.world.ad.sid(name)),
            "PrincipalSource": "Local" if local else "ActiveDirectory" if domain else "Unknown",
            "ObjectClass": "User" if person else "Group",
        },
        text=name,
    )


def _not_member(call: Invocation, member: str, group: str) -> ErrorRecord:
    return call.record(
        "PrincipalNotFound",
        "ObjectNotFound",
        f"Principal {member} was not found.",
        type_name=_NS + "PrincipalNotFoundException",
        target=group,
    )


def _refusal(call: Invocation, group: str, member: str, error: WorldError) -> ErrorRecord:
    if error.kind == "already_in_group":
        message, kind = f"{member} is already a member of group {group}.", _NS + "MemberExistsException"
        return call.record("MemberExists", "ResourceExists", message, type_name=kind, target=group)
    if error.kind == "not_in_group":
        message, kind = f"Member {member} was not found in group {group}.", _NS + "MemberNotFoundException"
        return call.record("MemberNotFound", "ObjectNotFound", message, type_name=kind, target=group)
    if error.data.get("object") == "group":
        return _no_group(call, group)
    return _not_member(call, member, group)


def _change_members(call: Invocation, *, add: bool) -> None:
    for bound in call.records():
        here = machine(call)
        asked = _asked_group(bound)
        try:
            group = group_name(here, asked)
        except WorldError:
            call.error(_no_group(call, asked))
            continue
        act = here.world.windows.add_to_group if add else here.world.windows.remove_from_group
        shown = shown_name(here, group)
        for member in given_list(bound.get("Member")):
            action = f"{'Add' if add else 'Remove'} member {member}"
            change(
                call,
                shown,
                partial(act, here.host, group, member),
                partial(_refusal, call, shown, member),
                action=action,
            )


def add_member(call: Invocation) -> Iterator[Value]:
    """Add-LocalGroupMember."""
    _change_members(call, add=True)
    yield from ()


def remove_member(call: Invocation) -> Iterator[Value]:
    """Remove-LocalGroupMember."""
    _change_members(call, add=False)
    yield from ()


BODIES: dict[str, Body] = {
    "Get-LocalGroup": get_group,
    "Get-LocalGroupMember": get_member,
    "Add-LocalGroupMember": add_member,
    "Remove-LocalGroupMember": remove_member,
}
