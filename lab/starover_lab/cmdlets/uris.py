"""Addresses as System.Uri values; knows no cmdlet."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from starover_lab.powershell.values import NetObject, Value

__all__ = ["uri"]


def uri(text: str) -> Value:
    """A System.Uri whose text is as it was written; null for an empty text."""
    if not text:
        return None
    parts = urlsplit(text)
    absolute = urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))
    return NetObject(
        "System.Uri",
        text,
        properties={
            "AbsolutePath": parts.path or "/",
            "AbsoluteUri": absolute,
            "Authority": parts.netloc.lower(),
            "Host": (parts.hostname or "").lower(),
            "IsAbsoluteUri": bool(parts.scheme),
            "OriginalString": text,
            "Port": parts.port or (443 if parts.scheme.lower() == "https" else 80),
            "Scheme": parts.scheme.lower(),
        },
    )
