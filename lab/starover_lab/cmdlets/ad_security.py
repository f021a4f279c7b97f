"""Who controls a computer account: its security descriptor, `dsacls.exe`, and the AD drive; knows no other object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starover_lab.cmdlets.ad_session import plain_name
from starover_lab.cmdlets.machine import Machine, machine
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import list_of, product
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import PSObject, Unsupported, Value
from starover_lab.world.ad_objects import ComputerObject
from starover_lab.world.errors import WorldError

__all__ = ["acl", "descriptor", "dsacls", "exists"]

_ACCESS = "System.Security.AccessControl."
_BASES = (f"{_ACCESS}ObjectAccessRule", f"{_ACCESS}AccessRule", f"{_ACCESS}AuthorizationRule")
_RULES = f"{_ACCESS}AuthorizationRuleCollection"


def _rule(account: str) -> PSObject:
    return product(
        ["System.DirectoryServices.ActiveDirectoryAccessRule", *_BASES, "System.Object"],
        [
            ("ActiveDirectoryRights", net_enum("ActiveDirectoryRights", "GenericAll")),
            ("InheritanceType", net_enum("ActiveDirectorySecurityInheritance", "None")),
            ("AccessControlType", net_enum("System.Security.AccessControl.AccessControlType", "Allow")),
            ("IdentityReference", product(["System.Security.Principal.NTAccount"], [("Value", account)], text=account)),
            ("IsInherited", False),
        ],
    )


def descriptor(here: Machine, one: ComputerObject) -> PSObject:
    """The ActiveDirectorySecurity of an account: those with full control."""
    netbios = here.world.state.netbios
    masters = ["NT AUTHORITY\\SYSTEM", f"{netbios}\\Domain Admins", *one.full_control]
    rules: list[Value] = [_rule(account) for account in masters]
    return product(
        ["System.DirectoryServices.ActiveDirectorySecurity", "System.Object"],
        [
            ("Owner", f"{netbios}\\Domain Admins"),
            ("Access", list_of(rules, _RULES)),
            ("AreAccessRulesProtected", False),
        ],
    )


def exists(here: Machine, path: str) -> bool:
    """Test-Path on the AD drive: whether there is such a computer account, as this DC knows it."""
    name = plain_name(path.partition(":")[2].lstrip("\\/:"))
    try:
        here.world.ad.computer(name, here.host)
    except WorldError:
        return False
    return True


def acl(call: Invocation, path: str) -> Iterator[Value]:
    """Get-Acl on the AD drive: who controls a computer account."""
    here = machine(call)
    try:
        found = here.world.ad.computer(plain_name(path.partition(":")[2].lstrip("\\/:")), here.host)
    except WorldError:
        message = f"Cannot find path '{path}' because it does not exist."
        kind = "System.Management.Automation.ItemNotFoundException"
        call.error(call.record("ItemNotFound", "ObjectNotFound", message, type_name=kind, target=path))
        return
    yield descriptor(here, found)


_GRANT = re.compile(r"(.+):GA", re.IGNORECASE)


def dsacls(call: Invocation, arguments: list[str]) -> tuple[list[str], int]:
    r"""`dsacls.exe DN [/G DOMAIN\NAME:GA] [/R DOMAIN\NAME]`: the lines it prints and its exit code."""
    if not arguments:
        raise Unsupported("dsacls.exe without arguments")
    here = machine(call)
    if not here.server.is_dc and here.network_logon:
        return ["Access is denied.", "The command failed to complete successfully."], 5
    target, *rest = arguments
    name = plain_name(target)
    call.wait(here.pace(here.world.state.tuning.write_s if rest else here.world.state.tuning.read_s))
    try:
        found = here.world.ad.computer(name, here.host)
        if not rest:
            lines = [f"Allow {account}   FULL CONTROL" for account in found.full_control]
            return ["Access list:", *lines, "The command completed successfully"], 0
        for option, value in zip(rest[::2], rest[1::2], strict=False):
            grant = _GRANT.fullmatch(value)
            if option.upper() == "/G" and grant:
                here.world.ad.grant(name, grant[1], here.host)
            elif option.upper() == "/R":
                here.world.ad.revoke(name, value, here.host)
            else:
                raise Unsupported(f"dsacls.exe {option} {value}: the lab does not simulate it")
    except WorldError as error:
        if error.data.get("object") == "account":
            text = f"No Sid Found for {error.data.get('name')}."
            return [text, "The parameter is incorrect.", "The command failed to complete successfully."], 87
        return ["The specified object does not exist.", "The command failed to complete successfully."], 2
    return ["The command completed successfully"], 0
