"""Computer accounts and groups by the ActiveDirectory module, as one domain controller knows them; knows no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.ad_security import descriptor
from starover_lab.cmdlets.ad_session import (
    AD,
    controller,
    distinguished,
    filtered,
    identity_missing,
    plain_name,
    root,
)
from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.local_groups import sid_object
from starover_lab.cmdlets.machine import Machine, given_list, switch
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import guid_of, moment, product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSArray, PSList, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.ad_objects import ComputerObject, GroupObject
from starover_lab.world.directory import DomainController
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same

__all__ = ["BODIES", "computer_of"]

_BASE = ("ADAccount", "ADPrincipal", "ADObject", "ADEntity")


def _types(leading: str) -> list[str]:
    return [f"{AD}{name}" for name in (leading, *_BASE)] + ["System.Object"]


def _computer(here: Machine, one: ComputerObject, asked: list[str]) -> PSObject:
    """An ADComputer with its default properties, and those asked for by -Properties."""
    dn = distinguished(one.name, one.path)
    host = here.world.state.servers.get(one.name)
    more: dict[str, Value] = {
        "Description": one.description or None,
        "Created": moment(one.created),
        "whenCreated": moment(one.created),
        "PasswordLastSet": moment(one.password_set),
        "IPv4Address": host.address if host is not None and host.address else None,
        "CanonicalName": f"{here.world.state.dns_name}/{'/'.join(_containers(one.path))}/{one.name}",
        "CN": one.name,
        "nTSecurityDescriptor": descriptor(here, one),
        "servicePrincipalName": PSList([], AD + "ADPropertyValueCollection"),
    }
    made = product(
        _types("ADComputer"),
        [
            ("DistinguishedName", dn),
            ("DNSHostName", one.dns_name or None),
            ("Enabled", one.enabled),
            ("Name", one.name),
            ("ObjectClass", "computer"),
            ("ObjectGUID", guid_of("computer", here.world.state.dns_name, one.name)),
            ("SamAccountName", f"{one.name}$"),
            ("SID", sid_object(one.sid)),
            ("UserPrincipalName", None),
        ],
        text=dn,
    )
    for name in asked:
        found = [key for key in more if name == "*" or same(key, name)]
        if not found and made.find(name) is None and name != "*":
            raise Unsupported(f"the property {name} of a computer account: the lab does not simulate it")
        for key in found:
            if key != "nTSecurityDescriptor" or name != "*":
                made.set(key, more[key])
    return made


def _containers(path: str) -> list[str]:
    return [part.partition("=")[2] for part in reversed(path.split(",")) if not part.upper().startswith("DC=")]


def computer_of(call: Invocation, here: Machine, dc: DomainController, identity: Value) -> ComputerObject:
    """The account of an identity: name, account, DN or SID. Raises `Terminated`."""
    text = text_of(identity)
    name = plain_name(identity)
    if text.upper().startswith("S-1-"):
        try:
            name = here.world.ad.account_of(text).rpartition("\\")[2].rstrip("$")
        except WorldError:
            raise call.fail(identity_missing(call, here, text)) from None
    try:
        return here.world.ad.computer(name, here.host, dc=dc.name)
    except WorldError:
        raise call.fail(identity_missing(call, here, text)) from None


def get_computer(call: Invocation) -> Iterator[Value]:
    """Get-ADComputer by -Identity or -Filter."""
    for bound in call.records():
        here, dc = controller(call, bound)
        asked = given_list(bound.get("Properties"))
        if bound.get("LDAPFilter") is not None:
            raise Unsupported("Get-ADComputer -LDAPFilter: the lab does not simulate it")
        if bound.get("Identity") is not None:
            yield _computer(here, computer_of(call, here, dc, bound["Identity"]), asked)
            continue
        base = text_of(bound.get("SearchBase")).casefold()
        every = [one for one in here.world.ad.computers(here.host, dc=dc.name) if one.path.casefold().endswith(base)]
        wide = [*asked, "Description"]
        found = filtered(bound.get("Filter"), (_computer(here, one, wide) for one in every))
        names = {text_of(one.get("Name")) for one in found}
        yield from (_computer(here, one, asked) for one in every if one.name in names)


def _refusal(call: Invocation, target: str, error: WorldError) -> ErrorRecord:
    if error.kind == "exists":
        message, kind = "The specified account already exists", AD + "ADIdentityAlreadyExistsException"
        return call.record("ActiveDirectoryServer:1316", "NotSpecified", message, type_name=kind, target=target)
    if error.kind == "access_denied":
        message, kind = "Insufficient access rights to perform the operation", AD + "ADException"
        return call.record("ActiveDirectoryServer:8344", "PermissionDenied", message, type_name=kind, target=target)
    if error.kind == "already_in_group":
        message = "The specified account name is already a member of the group."
        return call.record(
            "ActiveDirectoryServer:1378", "NotSpecified", message, type_name=AD + "ADException", target=target
        )
    if error.kind == "not_found":
        message, kind = f"Cannot find an object with identity: '{target}'.", AD + "ADIdentityNotFoundException"
        error_id = f"ActiveDirectoryCmdlet:{AD}ADIdentityNotFoundException"
        return call.record(error_id, "ObjectNotFound", message, type_name=kind, target=target)
    message = "A value in the request is invalid" if error.kind == "syntax" else error.message
    return call.record("ActiveDirectoryServer:87", "InvalidArgument", message, type_name="System.ArgumentException")


_NEW = {"Name", "Path", "Enabled", "Description", "SAMAccountName", "Server", "Credential", "PassThru", "DNSHostName"}


def _refuse_other(call: Invocation, bound: Mapping[str, Value], known: set[str]) -> None:
    other = sorted(name for name in bound if name not in known and bound[name] is not None)
    if other:
        raise Unsupported(f"{call.spec.name} -{other[0]}: the lab does not simulate it")


def new_computer(call: Invocation) -> Iterator[Value]:
    """New-ADComputer."""
    for bound in call.records():
        _refuse_other(call, bound, _NEW)
        here, dc = controller(call, bound)
        name = text_of(bound.get("Name"))
        path = text_of(bound.get("Path"))
        enabled = bound.get("Enabled")
        act = partial(
            here.world.ad.new_computer,
            name,
            here.host,
            path=path,
            enabled=True if enabled is None else bool(enabled),
            description=text_of(bound.get("Description")),
            dc=dc.name,
        )
        dn = distinguished(name, path or f"CN=Computers,{root(here)}")
        if change(call, dn, act, partial(_refusal, call, dn), action="New") and switch(bound.get("PassThru")):
            yield _computer(here, here.world.ad.computer(name, here.host, dc=dc.name), [])


def _changed(
    call: Invocation,
    known: set[str],
    act: Callable[[Machine, ComputerObject, str, Mapping[str, Value]], object],
    action: str,
) -> Iterator[Value]:
    for bound in call.records():
        _refuse_other(call, bound, known | {"Identity", "Server", "Credential", "PassThru"})
        here, dc = controller(call, bound)
        found = computer_of(call, here, dc, bound.get("Identity"))
        dn = distinguished(found.name, found.path)
        done = change(call, dn, partial(act, here, found, dc.name, bound), partial(_refusal, call, dn), action=action)
        if done and switch(bound.get("PassThru")):
            yield _computer(here, here.world.ad.computer(found.name, here.host, dc=dc.name), [])


def _set(here: Machine, found: ComputerObject, dc: str, bound: Mapping[str, Value]) -> None:
    enabled, description = bound.get("Enabled"), bound.get("Description")
    here.world.ad.set_computer(
        found.name,
        here.host,
        enabled=None if enabled is None else bool(enabled),
        description=None if description is None else text_of(description),
        dc=dc,
    )


def set_computer(call: Invocation) -> Iterator[Value]:
    """Set-ADComputer -Enabled, -Description."""
    yield from _changed(call, {"Enabled", "Description"}, _set, "Set")


def _switched(*, on: bool) -> Body:
    def act(here: Machine, found: ComputerObject, dc: str, _: Mapping[str, Value]) -> None:
        here.world.ad.set_computer(found.name, here.host, enabled=on, dc=dc)

    def body(call: Invocation) -> Iterator[Value]:
        yield from _changed(call, set(), act, "Set")

    return body


def _remove(here: Machine, found: ComputerObject, dc: str, _: Mapping[str, Value]) -> None:
    here.world.ad.remove_computer(found.name, here.host, dc=dc)


def remove_computer(call: Invocation) -> Iterator[Value]:
    """Remove-ADComputer."""
    yield from _changed(call, set(), _remove, "Remove")


# -- groups


def _group_dn(here: Machine, group: GroupObject) -> str:
    builtin = group.sid.startswith("S-1-5-32-")
    return distinguished(group.name, group.path or f"CN={'Builtin' if builtin else 'Users'},{root(here)}")


def _group(here: Machine, group: GroupObject) -> PSObject:
    dn = _group_dn(here, group)
    scope = "DomainLocal" if group.sid.startswith("S-1-5-32-") else "Universal"
    return product(
        [f"{AD}{name}" for name in ("ADGroup", "ADPrincipal", "ADObject", "ADEntity")] + ["System.Object"],
        [
            ("DistinguishedName", dn),
            ("GroupCategory", net_enum("ADGroupCategory", "Security")),
            ("GroupScope", net_enum("ADGroupScope", scope)),
            ("Name", group.name),
            ("ObjectClass", "group"),
            ("ObjectGUID", guid_of("group", here.world.state.dns_name, group.name)),
            ("SamAccountName", group.name),
            ("SID", sid_object(group.sid)),
        ],
        text=dn,
    )


def _asked_group(call: Invocation, here: Machine, dc: DomainController, identity: Value) -> GroupObject:
    text = text_of(identity)
    try:
        return here.world.ad.group(
            text if text.upper().startswith("S-1-") else plain_name(identity), here.host, dc=dc.name
        )
    except WorldError:
        raise call.fail(identity_missing(call, here, text)) from None


def get_group(call: Invocation) -> Iterator[Value]:
    """Get-ADGroup -Identity."""
    for bound in call.records():
        here, dc = controller(call, bound)
        if bound.get("Identity") is None:
            raise Unsupported("Get-ADGroup -Filter: the lab does not simulate it")
        yield _group(here, _asked_group(call, here, dc, bound["Identity"]))


def _principal(here: Machine, account: str) -> PSObject:
    name = account.rpartition("\\")[2]
    kind = "computer" if name.endswith("$") else "user" if here.world.account(account) is not None else "group"
    kind = "user" if same(name, "Administrator") else kind
    dn = distinguished(name.rstrip("$"), f"CN={'Computers' if kind == 'computer' else 'Users'},{root(here)}")
    return product(
        [f"{AD}{one}" for one in ("ADPrincipal", "ADObject", "ADEntity")] + ["System.Object"],
        [
            ("distinguishedName", dn),
            ("name", name.rstrip("$")),
            ("objectClass", kind),
            ("objectGUID", guid_of(kind, here.world.state.dns_name, name)),
            ("SamAccountName", name),
            ("SID", sid_object(here.world.ad.sid(account))),
        ],
        text=dn,
    )


def get_group_member(call: Invocation) -> Iterator[Value]:
    """Get-ADGroupMember, not recursive."""
    for bound in call.records():
        here, dc = controller(call, bound)
        if switch(bound.get("Recursive")):
            raise Unsupported("Get-ADGroupMember -Recursive: the lab does not simulate it")
        group = _asked_group(call, here, dc, bound.get("Identity"))
        yield from (_principal(here, one) for one in group.members)


def _join(here: Machine, group: str, name: str, dc: str, *, strict: bool) -> None:
    try:
        here.world.ad.add_to_group(group, name, here.host, dc=dc)
    except WorldError as error:
        if error.kind != "already_in_group" or strict:
            raise


def add_group_member(call: Invocation) -> Iterator[Value]:
    """Add-ADGroupMember: who is in it already makes no error, as the module's default is permissive."""
    for bound in call.records():
        here, dc = controller(call, bound)
        group = _asked_group(call, here, dc, bound.get("Identity"))
        given, strict = bound.get("Members"), switch(bound.get("DisablePermissiveModify"))
        for member in enumerate_(given) if isinstance(given, PSArray | PSList) else [given]:
            name = text_of(member.get("SamAccountName")) if isinstance(member, PSObject) else text_of(member)
            name = name if name.upper().startswith("S-1-") else name.rpartition("\\")[2]

            act = partial(_join, here, group.name, name, dc.name, strict=strict)
            change(call, _group_dn(here, group), act, partial(_refusal, call, name), action="Set")
        if switch(bound.get("PassThru")):
            yield _group(here, _asked_group(call, here, dc, bound.get("Identity")))


BODIES: dict[str, Body] = {
    "Get-ADComputer": get_computer,
    "New-ADComputer": new_computer,
    "Set-ADComputer": set_computer,
    "Remove-ADComputer": remove_computer,
    "Enable-ADAccount": _switched(on=True),
    "Disable-ADAccount": _switched(on=False),
    "Get-ADGroup": get_group,
    "Get-ADGroupMember": get_group_member,
    "Add-ADGroupMember": add_group_member,
}
