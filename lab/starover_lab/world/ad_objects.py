"""`world.ad`: computer accounts, groups, DCs and their replication, as each DC knows them; knows no DAG rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from starover_lab.world.directory import DomainController
from starover_lab.world.errors import WorldError
from starover_lab.world.state import State

__all__ = [
    "ActiveDirectory",
    "ComputerObject",
    "ControllerView",
    "GroupObject",
    "PartnerView",
    "computer_key",
    "computer_object",
    "group_key",
]

_SYNC_S = 5.0
_MOST_NAME = 15


@dataclass(frozen=True, kw_only=True)
class ComputerObject:
    """A computer account."""

    name: str
    sid: str
    enabled: bool
    path: str
    """Distinguished name of its container."""
    description: str = ""
    full_control: tuple[str, ...] = ()
    r"""Who has GenericAll beside the administrators, `DOMAIN\name`."""
    created: datetime
    password_set: datetime | None = None
    dns_name: str = ""


@dataclass(frozen=True, kw_only=True)
class GroupObject:
    """A group of the domain."""

    name: str
    sid: str
    members: tuple[str, ...] = ()
    r"""`DOMAIN\name`."""
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class ControllerView:
    """A domain controller."""

    name: str
    fqdn: str
    site: str
    address: str
    is_gc: bool
    writable: bool
    up: bool


@dataclass(frozen=True, kw_only=True)
class PartnerView:
    """Inbound replication of one DC from one partner."""

    dc: str
    partner: str
    last_attempt: datetime
    last_success: datetime
    failures: int
    """In a row."""


class ActiveDirectory:
    """The directory; `asked` is the server whose site's DC is used unless `dc` names one."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- DCs -----------------------------------------------------------------------------------------------------

    def dc(self, asked: str, name: str | None = None) -> DomainController:
        """The DC that a cmdlet on `asked` uses, or the one named. Raises `no_dc`, `not_found`, `server_down`."""
        directory = self._state.directory
        return directory.controller(name) if name else directory.closest(self._state.server(asked).site)

    def controllers(self) -> list[ControllerView]:
        """Get-ADDomainController -Filter *."""
        found: list[ControllerView] = []
        for dc in self._state.directory.controllers:
            server = self._state.servers[dc.name]
            found.append(
                ControllerView(
                    name=dc.name,
                    fqdn=server.fqdn,
                    site=dc.site,
                    address=server.address,
                    is_gc=dc.is_gc,
                    writable=True,
                    up=dc.up(),
                )
            )
        return found

    def replication(self) -> list[PartnerView]:
        """Get-ADReplicationPartnerMetadata -Scope Forest."""
        directory = self._state.directory
        found: list[PartnerView] = []
        for target in directory.controllers:
            for source in directory.controllers:
                if source is target:
                    continue
                near = source.site.casefold() == target.site.casefold()
                interval = max(directory.intra_site_s if near else directory.inter_site_s, 15.0)
                success = directory.last_success(target, source)
                since = (self._state.now - success).total_seconds()
                found.append(
                    PartnerView(
                        dc=target.name,
                        partner=source.name,
                        last_attempt=self._state.now,
                        last_success=success,
                        failures=int(since // interval),
                    )
                )
        return found

    def sync(self, asked: str) -> datetime:
        """`repadmin /syncall /A /e /P`: push what is pending; returns when it should have arrived.

        Raises `no_dc`.
        """
        self.dc(asked)
        return self._state.directory.sync(_SYNC_S)

    # -- accounts ------------------------------------------------------------------------------------------------

    def sid(self, account: str) -> str:
        r"""The SID of `DOMAIN\name`, `BUILTIN\Administrators`, `NT AUTHORITY\SYSTEM`. Raises `not_found` (account)."""
        return self._state.principals.sid(account)

    def account_of(self, sid: str) -> str:
        r"""`DOMAIN\name` of a SID. Raises `not_found`."""
        return self._state.principals.account(sid)

    # -- computers -----------------------------------------------------------------------------------------------

    def computer(self, name: str, asked: str, *, dc: str | None = None) -> ComputerObject:
        """A computer account by name, with or without `$`. Raises `not_found` (object computer)."""
        return self.computer_on(self.dc(asked, dc), name)

    def computer_on(self, dc: DomainController, name: str) -> ComputerObject:
        """The same on a DC. Raises `not_found`."""
        found = self._state.directory.read(dc, computer_key(name), ComputerObject)
        if found is None:
            raise WorldError("not_found", f"there is no computer {name}", object="computer", name=name, dc=dc.name)
        return found

    def computers(self, asked: str, *, dc: str | None = None) -> list[ComputerObject]:
        """All computer accounts that this DC knows, by name."""
        directory, known = self._state.directory, self.dc(asked, dc)
        found = [directory.read(known, key, ComputerObject) for key in directory.keys(known, "computer:")]
        return sorted((one for one in found if one is not None), key=lambda one: one.name.casefold())

    def new_computer(
        self,
        name: str,
        asked: str,
        *,
        path: str = "",
        enabled: bool = True,
        description: str = "",
        dc: str | None = None,
    ) -> ComputerObject:
        """New-ADComputer. Raises `exists`, `syntax`."""
        state, target = self._state, self.dc(asked, dc)
        plain = name.rstrip("$")
        if not plain or len(plain) > _MOST_NAME or set(plain) & set('\\/:*?"<>|., '):
            raise WorldError("syntax", f"`{name}` is no computer name", parameter="Name", value=name)
        if state.directory.read(target, computer_key(plain), ComputerObject) is not None:
            raise WorldError("exists", f"the computer {plain} exists already", object="computer", name=plain)
        made = computer_object(state, plain, path=path, enabled=enabled, description=description)
        self._write(target, made, "computer_created")
        return made

    def set_computer(
        self,
        name: str,
        asked: str,
        *,
        enabled: bool | None = None,
        description: str | None = None,
        dc: str | None = None,
    ) -> None:
        """Set-ADComputer, Enable-/Disable-ADAccount. Raises `not_found`."""
        target = self.dc(asked, dc)
        old = self.computer_on(target, name)
        new = replace(
            old,
            enabled=old.enabled if enabled is None else enabled,
            description=old.description if description is None else description,
        )
        if new != old:
            self._write(target, new, "computer_changed")

    def grant(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Give an account GenericAll over a computer object (Set-Acl, dsacls). Raises `not_found`."""
        target = self.dc(asked, dc)
        old, full = self.computer_on(target, name), self._state.principals.full(account)
        if full not in old.full_control:
            self._write(target, replace(old, full_control=(*old.full_control, full)), "computer_changed")

    def revoke(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Take it away again. Raises `not_found`."""
        target = self.dc(asked, dc)
        old, full = self.computer_on(target, name), self._state.principals.full(account)
        left = tuple(one for one in old.full_control if one != full)
        if left != old.full_control:
            self._write(target, replace(old, full_control=left), "computer_changed")

    def remove_computer(self, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-ADComputer. Raises `not_found`."""
        target = self.dc(asked, dc)
        old = self.computer_on(target, name)
        self._state.directory.write(target, computer_key(old.name), None)
        self._state.log.add("computer_removed", old.name, dc=target.name)

    def put_computer(self, dc: DomainController, made: ComputerObject, event: str) -> None:
        """Write a computer account as the cluster service does. `event` is what is logged."""
        self._write(dc, made, event)

    def _write(self, dc: DomainController, made: ComputerObject, event: str) -> None:
        self._state.directory.write(dc, computer_key(made.name), made)
        self._state.log.add(event, made.name, dc=dc.name, enabled=made.enabled, full_control=list(made.full_control))
        self._state.review()

    # -- groups --------------------------------------------------------------------------------------------------

    def group(self, name: str, asked: str, *, dc: str | None = None) -> GroupObject:
        """Get-ADGroup, Get-ADGroupMember; `Administrators` is the domain's builtin group. Raises `not_found`."""
        return self._group(self.dc(asked, dc), name)

    def add_to_group(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Add-ADGroupMember. Raises `not_found`, `already_in_group`."""
        target = self.dc(asked, dc)
        group, full = self._group(target, name), self._state.principals.full(account)
        if full in group.members:
            raise WorldError("already_in_group", f"{full} is in {group.name}", group=group.name, member=full)
        self._write_group(target, replace(group, members=(*group.members, full)), added=full)

    def remove_from_group(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-ADGroupMember. Raises `not_found`, `not_in_group`."""
        target = self.dc(asked, dc)
        group, full = self._group(target, name), self._state.principals.full(account)
        if full not in group.members:
            raise WorldError("not_in_group", f"{full} is not in {group.name}", group=group.name, member=full)
        left = tuple(one for one in group.members if one != full)
        self._write_group(target, replace(group, members=left), removed=full)

    def _group(self, dc: DomainController, name: str) -> GroupObject:
        plain = name.rpartition("\\")[2]
        if name.upper().startswith("S-1-"):
            plain = self._state.principals.account(name).rpartition("\\")[2]
        found = self._state.directory.read(dc, group_key(plain), GroupObject)
        if found is None:
            raise WorldError("not_found", f"there is no group {name}", object="group", name=name, dc=dc.name)
        return found

    def _write_group(self, dc: DomainController, group: GroupObject, **data: str) -> None:
        self._state.directory.write(dc, group_key(group.name), group)
        self._state.log.add("group_changed", group.name, dc=dc.name, **data)
        self._state.review()


def computer_key(name: str) -> str:
    """Where the directory keeps a computer account."""
    return f"computer:{name.rstrip('$').casefold()}"


def group_key(name: str) -> str:
    """Where the directory keeps a group."""
    return f"group:{name.casefold()}"


def computer_object(
    state: State, name: str, *, path: str = "", enabled: bool = True, description: str = "", dns_name: str = ""
) -> ComputerObject:
    """A new computer account with a SID of its own."""
    root = ",".join(f"DC={label}" for label in state.dns_name.split("."))
    return ComputerObject(
        name=name,
        sid=state.principals.add(f"{name}$"),
        enabled=enabled,
        path=path or f"CN=Computers,{root}",
        description=description,
        created=state.now,
        password_set=state.now if enabled else None,
        dns_name=dns_name,
    )
