r"""The drive `IIS:\SslBindings`: which certificate stands on a port, that of the back end only; knows no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starover_lab.cmdlets.machine import Machine, given_list, machine, switch
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import PSObject, Unsupported, Value
from starover_lab.world.errors import WorldError

__all__ = ["exists", "new_item", "remove_item"]

_BACK_END = "sslbindings\\0.0.0.0!444"
_PROVIDER = "WebAdministration"


def _is_back_end(path: str) -> bool:
    """Whether a path names the back end's binding. Raises `Unsupported` for any other."""
    below = path.replace("/", "\\").rpartition(":")[2].strip("\\").casefold()
    if below != _BACK_END:
        raise Unsupported(f"{path}: of IIS: the lab has only SslBindings\\0.0.0.0!444")
    return True


def exists(here: Machine, path: str) -> bool:
    """Test-Path."""
    return _is_back_end(path) and here.world.client_access.back_end(here.host) is not None


def _failed(call: Invocation, error_id: str, category: str, kind: str, message: str, path: str) -> None:
    call.error(call.record(error_id, category, message, type_name=kind, target=path))


def remove_item(call: Invocation, path: str) -> None:
    """Remove-Item: nothing is bound there any more."""
    here = machine(call)
    if not exists(here, path):
        kind = "System.Management.Automation.ItemNotFoundException"
        _failed(call, "PathNotFound", "ObjectNotFound", kind, f"Cannot find path '{path}'.", path)
    elif may(call, path, "Remove Item"):
        here.world.client_access.bind_back_end(here.host, None)


def new_item(call: Invocation, bound: Mapping[str, Value]) -> Iterator[Value]:
    """New-Item -Value CERTIFICATE: binds it; what is there already stays, and that is an error (183)."""
    here, path, value = machine(call), next(iter(given_list(bound.get("Path"))), ""), bound.get("Value")
    if exists(here, path) and not switch(bound.get("Force")):
        message = "Cannot create a file when that file already exists"
        _failed(
            call,
            "System.ComponentModel.Win32Exception",
            "NotSpecified",
            "System.ComponentModel.Win32Exception",
            message,
            path,
        )
        return
    thumbprint = text_of(value.get("Thumbprint")) if isinstance(value, PSObject) else ""
    if not thumbprint:
        raise Unsupported("New-Item of a binding without a certificate as -Value")
    if not may(call, path, "New Item"):
        return
    try:
        here.world.client_access.bind_back_end(here.host, thumbprint)
    except WorldError:
        message = "A specified logon session does not exist. It may already have been terminated"
        _failed(
            call,
            "System.ComponentModel.Win32Exception",
            "NotSpecified",
            "System.ComponentModel.Win32Exception",
            message,
            path,
        )
        return
    kind = f"{_PROVIDER}.SslBinding"
    yield product(
        [kind, "System.Object"],
        [("IPAddress", "0.0.0.0"), ("Port", "444"), ("Store", "MY"), ("Thumbprint", thumbprint)],  # noqa: S104
        text=kind,
    )
