"""A DAG as one DC knows it: its object, and each server's link to it; knows no cluster.

Active Directory replicates attribute by attribute: of two writes to one attribute on two DCs the later wins, writes to
different ones both stay. Membership is an attribute of the server: two servers that were added on two DCs are both
members once the DCs have replicated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from starover_lab.world.directory import Directory, DomainController
from starover_lab.world.entities import DagObject
from starover_lab.world.errors import WorldError

NO_ADDRESS = "255.255.255.255"
"""As a DAG's only address: it has no administrative access point."""
__all__ = [
    "NO_ADDRESS",
    "converged",
    "dag_key",
    "dags_on",
    "find_dag",
    "link",
    "members_on",
    "plant_dag",
    "read_dag",
    "remove_dag",
    "write_dag",
]


@dataclass(frozen=True)
class Membership:
    """A server's link to its DAG."""

    dag: str
    server: str
    number: int
    """Order of joining."""


@dataclass(frozen=True)
class Attribute:
    """What an attribute of a DAG has been set to since the DAG was made."""

    value: object


_OWN = frozenset({"name", "guid", "created", "members"})
"""Attributes that do not change, or live elsewhere."""


def dag_key(name: str) -> str:
    """Where the directory keeps a DAG's object."""
    return f"dag:{name.casefold()}"


def _attributes(dag: str) -> str:
    return f"dagattr:{dag.casefold()}:"


def _lead(dag: str) -> str:
    return f"member:{dag.casefold()}:"


def find_dag(directory: Directory, dc: DomainController, name: str) -> DagObject | None:
    """A DAG as that DC knows it, or None."""
    found = directory.read(dc, dag_key(name), DagObject)
    if found is None:
        return None
    lead = _attributes(name)
    set_since: dict[str, object] = {}
    for key in directory.keys(dc, lead):
        attribute = directory.read(dc, key, Attribute)
        if attribute is not None:
            set_since[key[len(lead) :]] = attribute.value
    set_since["members"] = members_on(directory, dc, found.name)
    return replace(found, **set_since)  # type: ignore[arg-type]  # values were taken from a DagObject


def read_dag(directory: Directory, dc: DomainController, name: str) -> DagObject:
    """The same. Raises `not_found`."""
    found = find_dag(directory, dc, name)
    if found is None:
        raise WorldError("not_found", f"there is no DAG {name}", object="dag", name=name, dc=dc.name)
    return found


def dags_on(directory: Directory, dc: DomainController) -> list[DagObject]:
    """All DAGs that a DC knows, by name."""
    found = [directory.read(dc, key, DagObject) for key in directory.keys(dc, "dag:")]
    names = sorted((dag.name for dag in found if dag is not None), key=str.casefold)
    return [read_dag(directory, dc, name) for name in names]


def members_on(directory: Directory, dc: DomainController, dag: str) -> tuple[str, ...]:
    """Names of a DAG's members as a DC knows them, in the order in which they joined."""
    links = [directory.read(dc, key, Membership) for key in directory.keys(dc, _lead(dag))]
    known = sorted((one for one in links if one is not None), key=lambda one: (one.number, one.server.casefold()))
    return tuple(one.server for one in known)


def write_dag(directory: Directory, dc: DomainController, dag: DagObject, now: datetime) -> None:
    """Write a DAG on one DC: a new one whole, else the attributes that differ. Its members stay what they are."""
    old = find_dag(directory, dc, dag.name)
    new = replace(dag, changed=now)
    if old is None:
        for key in directory.keys(dc, _attributes(dag.name)):
            directory.write(dc, key, None)
        directory.write(dc, dag_key(dag.name), replace(new, members=()))
        return
    for name, value in vars(new).items():
        if name not in _OWN and value != getattr(old, name):
            directory.write(dc, _attributes(dag.name) + name, Attribute(value))


def remove_dag(directory: Directory, dc: DomainController, name: str) -> None:
    """Take a DAG's object away on one DC."""
    for key in (dag_key(name), *directory.keys(dc, _attributes(name))):
        directory.write(dc, key, None)


def link(directory: Directory, dc: DomainController, dag: str, server: str, *, joined: bool) -> None:
    """Make a server a member, or end its membership, on one DC."""
    number = len(directory.keys(dc, _lead(dag))) + 1
    key = _lead(dag) + server.casefold()
    directory.write(dc, key, Membership(dag, server, number) if joined else None)


def plant_dag(directory: Directory, dag: DagObject) -> None:
    """Put a DAG and its members on every DC at once."""
    directory.plant(dag_key(dag.name), replace(dag, members=()))
    for number, server in enumerate(dag.members, start=1):
        directory.plant(_lead(dag.name) + server.casefold(), Membership(dag.name, server, number))


def converged(directory: Directory, dag: str) -> bool:
    """Whether every DC knows the same of a DAG and its members."""
    keys = {dag_key(dag)}
    for dc in directory.controllers:
        keys.update(key for key in dc.replica if key.startswith((_lead(dag), _attributes(dag))))
    return all(directory.converged(key) for key in keys)
