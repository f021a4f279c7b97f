"""`world.ad`: computer accounts, groups, DCs and their replication, as each DC knows them; knows no DAG rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.state import State

__all__ = ["ActiveDirectory", "ComputerObject", "ControllerView", "GroupObject", "PartnerView"]


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

    def controllers(self) -> list[ControllerView]:
        """Get-ADDomainController -Filter *."""
        raise NotImplementedError

    def replication(self) -> list[PartnerView]:
        """Get-ADReplicationPartnerMetadata -Scope Forest."""
        raise NotImplementedError

    def sync(self, asked: str) -> datetime:
        """`repadmin /syncall /A /e /P`: push what is pending; returns when it should have arrived."""
        raise NotImplementedError

    def sid(self, account: str) -> str:
        r"""The SID of `DOMAIN\name`, `BUILTIN\Administrators`, `NT AUTHORITY\SYSTEM`. Raises `not_found` (account)."""
        raise NotImplementedError

    def account_of(self, sid: str) -> str:
        r"""`DOMAIN\name` of a SID. Raises `not_found`."""
        raise NotImplementedError

    def computer(self, name: str, asked: str, *, dc: str | None = None) -> ComputerObject:
        """A computer account by name, with or without `$`. Raises `not_found` (object computer)."""
        raise NotImplementedError

    def computers(self, asked: str, *, dc: str | None = None) -> list[ComputerObject]:
        """All computer accounts that this DC knows, by name."""
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    def grant(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Give an account GenericAll over a computer object (Set-Acl, dsacls). Raises `not_found`."""
        raise NotImplementedError

    def revoke(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Take it away again. Raises `not_found`."""
        raise NotImplementedError

    def remove_computer(self, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-ADComputer. Raises `not_found`."""
        raise NotImplementedError

    def group(self, name: str, asked: str, *, dc: str | None = None) -> GroupObject:
        """Get-ADGroup, Get-ADGroupMember; `Administrators` is the domain's builtin group. Raises `not_found`."""
        raise NotImplementedError

    def add_to_group(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Add-ADGroupMember. Raises `not_found`, `already_in_group`."""
        raise NotImplementedError

    def remove_from_group(self, name: str, account: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-ADGroupMember. Raises `not_found`, `not_in_group`."""
        raise NotImplementedError
