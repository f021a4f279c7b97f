r"""Accounts and their SIDs: `DOMAIN\name` to `S-1-5-21-...` and back; knows no rights and no DC."""

from __future__ import annotations

from starover_lab.world.dice import Dice
from starover_lab.world.errors import WorldError

__all__ = ["ADMINISTRATORS", "ETS", "Principals"]

ETS = "Exchange Trusted Subsystem"
"""The group through which Exchange acts on other hosts."""
ADMINISTRATORS = "S-1-5-32-544"
"""SID of every host's local group Administrators."""
_FIRST_RID = 1103
_WELL_KNOWN = {
    "Everyone": "S-1-1-0",
    "NT AUTHORITY\\Authenticated Users": "S-1-5-11",
    "NT AUTHORITY\\SYSTEM": "S-1-5-18",
    "NT AUTHORITY\\LOCAL SERVICE": "S-1-5-19",
    "NT AUTHORITY\\NETWORK SERVICE": "S-1-5-20",
    "BUILTIN\\Administrators": ADMINISTRATORS,
    "BUILTIN\\Users": "S-1-5-32-545",
    "BUILTIN\\Backup Operators": "S-1-5-32-551",
    "BUILTIN\\Remote Desktop Users": "S-1-5-32-555",
    "BUILTIN\\Remote Management Users": "S-1-5-32-580",
}
_DOMAIN_RIDS = {
    "Administrator": 500,
    "Domain Admins": 512,
    "Domain Users": 513,
    "Domain Computers": 515,
    "Domain Controllers": 516,
    "Enterprise Admins": 519,
}


class Principals:
    """All accounts there ever were; a SID is never given twice."""

    def __init__(self, dice: Dice, netbios: str, dns_name: str) -> None:
        self._dice = dice
        self.netbios = netbios
        self.dns_name = dns_name
        self._rids: dict[str, tuple[int, str]] = {}
        for name, rid in _DOMAIN_RIDS.items():
            self._rids[name.casefold()] = (rid, name)
        self._next = _FIRST_RID

    def add(self, name: str) -> str:
        """A new account of the domain (a computer's ends in `$`); returns its SID. One that exists keeps its own."""
        if name.casefold() not in self._rids:
            self._rids[name.casefold()] = (self._next, name)
            self._next += 1
        return self.sid(name)

    def full(self, account: str) -> str:
        r"""`DOMAIN\name` as it is spelt, from `DOMAIN\name`, `name@domain`, `name` or a SID. Raises `not_found`."""
        if account.upper().startswith("S-1-"):
            return self.account(account)
        for known in _WELL_KNOWN:
            if account.casefold() in (known.casefold(), known.rpartition("\\")[2].casefold()):
                return known
        domain, slash, name = account.rpartition("\\")
        if not slash:
            name, _, domain = account.partition("@")
        ours = domain.casefold() in ("", self.netbios.casefold(), self.dns_name.casefold())
        if ours and name.casefold() in self._rids:
            return f"{self.netbios}\\{self._rids[name.casefold()][1]}"
        if slash and not ours and name.casefold() == "administrator":
            return f"{domain}\\Administrator"
        raise WorldError("not_found", f"there is no account {account}", object="account", name=account)

    def sid(self, account: str) -> str:
        """The SID of an account. Raises `not_found`."""
        full = self.full(account)
        if full in _WELL_KNOWN:
            return _WELL_KNOWN[full]
        domain, _, name = full.rpartition("\\")
        if domain.casefold() == self.netbios.casefold():
            return f"{self._authority(self.dns_name)}-{self._rids[name.casefold()][0]}"
        return f"{self._authority(domain)}-500"

    def account(self, sid: str) -> str:
        r"""`DOMAIN\name` of a SID. Raises `not_found` when it belongs to nobody any more."""
        wanted = sid.upper()
        for known, own in _WELL_KNOWN.items():
            if own == wanted:
                return known
        lead, _, rid = wanted.rpartition("-")
        if lead == self._authority(self.dns_name):
            for number, name in self._rids.values():
                if str(number) == rid:
                    return f"{self.netbios}\\{name}"
        raise WorldError("not_found", f"no account has the SID {sid}", object="account", name=sid)

    def _authority(self, domain: str) -> str:
        number = self._dice.guid("domain", domain).int
        return "S-1-5-21-" + "-".join(str((number >> shift) & 0x7FFFFFFF) for shift in (96, 32, 0))
