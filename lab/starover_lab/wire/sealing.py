"""Message encryption of WinRM: the body as multipart/encrypted under the security context of its connection."""

from __future__ import annotations

import re
import struct

from spnego import ContextProxy
from spnego.exceptions import SpnegoError

__all__ = ["Unreadable", "is_sealed", "open_sealed", "protocol_of", "seal"]

_OCTETS = re.compile(rb"\tContent-Type: application/octet-stream\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"OriginalContent:[^\r\n]*Length=(\d+)", re.IGNORECASE)
_PROTOCOL = re.compile(r'protocol="([^"]+)"', re.IGNORECASE)
_END = b"--Encrypted Boundary--"


class Unreadable(Exception):
    """The body cannot be decrypted: Windows answers HTTP 400."""


def is_sealed(content_type: str) -> bool:
    """Whether a request's Content-Type says that its body is encrypted."""
    return content_type.lower().startswith("multipart/encrypted")


def protocol_of(content_type: str) -> str:
    """The kind of encryption that the client named; the answer names the same."""
    found = _PROTOCOL.search(content_type)
    return found[1] if found else "application/HTTP-SPNEGO-session-encrypted"


def open_sealed(context: ContextProxy, body: bytes) -> bytes:
    """The plain message. Raises `Unreadable`."""
    start, length = _OCTETS.search(body), _LENGTH.search(body)
    end = body.rfind(_END)
    if start is None or length is None or end < start.end() + 4:
        raise Unreadable("the body has not the form of multipart/encrypted")
    payload = body[start.end() : end]
    (header,) = struct.unpack_from("<I", payload)
    if header > len(payload) - 4:
        raise Unreadable("the signature is longer than the message")
    try:
        plain = context.unwrap_winrm(payload[4 : 4 + header], payload[4 + header :])
    except SpnegoError as error:
        raise Unreadable(str(error)) from None
    if len(plain) != int(length[1]):
        raise Unreadable("the message has not the length that was said")
    return plain


def seal(context: ContextProxy, protocol: str, message: bytes) -> tuple[str, bytes]:
    """Content-Type and body of an encrypted answer."""
    wrapped = context.wrap_winrm(message)
    head = (
        f"--Encrypted Boundary\r\n\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message) + wrapped.padding_length}\r\n"
        "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
    ).encode()
    payload = struct.pack("<I", len(wrapped.header)) + wrapped.header + wrapped.data
    return (
        f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"',
        head + payload + _END + b"\r\n",
    )
