"""The item cmdlets on other drives than the file system's: each handed to the module of its drive; knows no key."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets import ad_security, certificate_store, registry, web_bindings
from starover_lab.cmdlets.drives import drive_of
from starover_lab.cmdlets.machine import machine
from starover_lab.cmdlets.paths import Refused, asked_paths, expand
from starover_lab.cmdlets.paths import item as file_item
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Unsupported, Value

__all__ = ["BODIES", "acl", "children", "exists", "item"]


def item(call: Invocation, path: str) -> Iterator[Value]:
    """Get-Item."""
    match drive_of(path):
        case "registry":
            yield from registry.item(call, path)
        case "certificate":
            yield from certificate_store.item(call, path)
        case _:
            raise Unsupported(f"Get-Item on {path}: the lab does not simulate it")


def children(call: Invocation, path: str) -> Iterator[Value]:
    """Get-ChildItem."""
    match drive_of(path):
        case "registry":
            yield from registry.children(call, path)
        case "certificate":
            yield from certificate_store.children(call, path)
        case _:
            raise Unsupported(f"Get-ChildItem on {path}: the lab does not simulate it")


def acl(call: Invocation, path: str) -> Iterator[Value]:
    """Get-Acl."""
    if drive_of(path) != "directory":
        raise Unsupported(f"Get-Acl on {path}: the lab does not simulate it")
    yield from ad_security.acl(call, path)


def exists(call: Invocation, path: str, kind: str) -> bool:
    """Test-Path: a key is a container, a certificate a leaf."""
    here = machine(call)
    match drive_of(path):
        case "registry":
            return kind.casefold() != "leaf" and registry.exists(here, path)
        case "certificate":
            return certificate_store.exists(here, path)
        case "web":
            return web_bindings.exists(here, path)
        case _:
            return ad_security.exists(here, path)


def get_property(call: Invocation) -> Iterator[Value]:
    """Get-ItemProperty of registry keys and files."""
    for bound in call.records():
        for path, literal in asked_paths(bound):
            if drive_of(path) == "registry":
                yield from registry.property_of(call, path, bound)
                continue
            try:
                yield from (file_item(call, entry) for entry in expand(call, path, literal=literal))
            except Refused as refused:
                call.error(refused.record)


BODIES: dict[str, Body] = {"Get-ItemProperty": get_property, "New-ItemProperty": registry.new_property}
