"""Which provider a path belongs to: the file system, the registry, certificates, AD, the web server; reads nothing."""

from __future__ import annotations

from typing import Literal

__all__ = ["Drive", "drive_of"]

Drive = Literal["file", "registry", "certificate", "directory", "web"]
_REGISTRY = ("hklm:", "hkey_local_machine", "registry::", "microsoft.powershell.core\\registry::")
_CERTIFICATES = ("cert:", "certificate::", "microsoft.powershell.security\\certificate::")
_WEB = ("iis:", "webadministration::")
_DIRECTORY = ("ad:", "activedirectory:::", "microsoft.activedirectory.management.dll\\activedirectory:::")


def drive_of(path: str) -> Drive:
    """The provider that a path names."""
    low = path.casefold()
    if low.startswith(_REGISTRY):
        return "registry"
    if low.startswith(_CERTIFICATES):
        return "certificate"
    if low.startswith(_DIRECTORY):
        return "directory"
    if low.startswith(_WEB):
        return "web"
    return "file"
