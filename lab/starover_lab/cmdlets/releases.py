"""Releases of Windows Server by their short names: version numbers, captions, their PowerShell; knows no host."""

from __future__ import annotations

from typing import NamedTuple

from starover_lab.powershell.values import Version

__all__ = ["Release", "release"]


class Release(NamedTuple):
    """A release of Windows Server."""

    major: int
    minor: int
    build: int
    caption: str
    powershell: Version
    """Of its Windows PowerShell; 2012 R2 has what WMF 5.1 brings."""

    @property
    def version(self) -> str:
        """`10.0.20348`."""
        return f"{self.major}.{self.minor}.{self.build}"


_RELEASES = {
    "2012R2": Release(6, 3, 9600, "Microsoft Windows Server 2012 R2 Standard", Version(5, 1, 14409, 1005)),
    "2016": Release(10, 0, 14393, "Microsoft Windows Server 2016 Datacenter", Version(5, 1, 14393, 1)),
    "2019": Release(10, 0, 17763, "Microsoft Windows Server 2019 Datacenter", Version(5, 1, 17763, 1)),
    "2022": Release(10, 0, 20348, "Microsoft Windows Server 2022 Datacenter", Version(5, 1, 20348, 1)),
    "2025": Release(10, 0, 26100, "Microsoft Windows Server 2025 Datacenter", Version(5, 1, 26100, 1)),
}


def release(os: str) -> Release:
    """The release of a host's `os`."""
    return _RELEASES[os]
