"""Secondary private addresses of EC2's network interfaces, for a cluster's access point (S-ENI-IP); asks no host."""

from __future__ import annotations

from starover.estate import Server
from starover.names import IPv4
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step

__all__ = ["Interface", "Interfaces", "address_assigned", "address_unassigned", "interfaces_of"]


class Interface(Report):
    """A network interface of an instance."""

    id: str
    subnet: str
    primary: str
    addresses: tuple[str, ...]
    """All private ones, the primary too."""


class Interfaces(Report):
    """The interfaces of one instance (`ec2/interfaces.call.j2`)."""

    interfaces: tuple[Interface, ...]

    def of(self, name: str) -> Interface | None:
        """The interface of that id."""
        return next((one for one in self.interfaces if one.id == name), None)

    def at(self, address: str) -> Interface | None:
        """The interface with that primary address."""
        return next((one for one in self.interfaces if one.primary == address), None)


interfaces_of = Query("ec2/interfaces.call.j2", Interfaces)
"""Argument: `instance`."""
_SOON = Settle(every=5, limit=60)


def _unassigned_back(
    prev: Interfaces, server: Server, /, *, instance: str, interface: str, address: IPv4, note: str
) -> Step | None:
    del note
    known = prev.of(interface)
    if known is None or address in known.addresses:
        return None
    return address_unassigned.on(server, instance=instance, interface=interface, address=address)


@step(check=interfaces_of, apply="ec2/assign_address.call.j2", risk=Risk.LOW, settle=_SOON, undo=_unassigned_back)
def address_assigned(
    now: Interfaces, /, *, instance: str, interface: str, address: IPv4, note: str
) -> Change | Blocked | None:
    """A secondary private address of an interface; Windows does not have it, the cluster brings it online."""
    known = now.of(interface)
    if known is None:
        return Blocked(f"{instance} has no interface {interface} any more", guard="G-INV")
    if address in known.addresses:
        return None
    return Change(f"{instance} {interface}", ", ".join(known.addresses), f"also {address}", note, action="add")


@step(check=interfaces_of, apply="ec2/unassign_address.call.j2", risk=Risk.LOW, settle=_SOON)
def address_unassigned(now: Interfaces, /, *, instance: str, interface: str, address: IPv4) -> Change | Blocked | None:
    """An interface without that secondary address."""
    known = now.of(interface)
    if known is None or address not in known.addresses:
        return None
    if known.primary == address:
        return Blocked(f"{address} is the primary address of {interface}", certain=("nothing was changed",))
    left = ", ".join(one for one in known.addresses if one != address)
    return Change(f"{instance} {interface}", address, f"only {left}", action="remove")
