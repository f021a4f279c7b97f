"""Kerberos on a connection: whether tickets can be taken, the acceptor of one host, and the refusals; knows no HTTP.

The keys are those of the keytab that KRB5_KTNAME names, as for every Unix service; without one, or without the
package gssapi, a lab speaks NTLM only. What a domain member says to a ticket it does not take is a KRB-ERROR (RFC 4120
5.9.1), which the client turns into the text that people know: 0x80090322, 0x80090324.
"""

from __future__ import annotations

import importlib.util
import os

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

__all__ = ["MODIFIED", "SKEW", "SKEW_SECONDS", "acceptor", "error_token", "is_ticket", "offered", "protocol_error"]

SKEW_SECONDS = 300.0
"""Kerberos' tolerance for clocks (simulator.md section 11)."""
SKEW = 37
"""KRB_AP_ERR_SKEW: 0x80090324 on Windows."""
MODIFIED = 41
"""KRB_AP_ERR_MODIFIED, for a ticket under another account's key: 0x80090322, the target principal name is incorrect."""
_TOLD = frozenset({32, 33, 34, SKEW})
"""Expired, not yet valid, a replay, the clocks: these a server tells as they are."""
_TABLE = -1765328384
"""Where krb5's error codes begin; what is added to it are the protocol's own numbers."""
_MECHANISM = bytes.fromhex("06092a864886f712010202")  # 1.2.840.113554.1.2.2
_MICROSOFTS = bytes.fromhex("06092a864882f712010202")  # 1.2.840.48018.1.2.2, the same with a bit less
_SPNEGO = bytes.fromhex("06062b0601050502")
_REQUEST = b"\x01\x00\x6e"  # TOK_ID of an AP-REQ, and the first byte of what follows


def offered() -> bool:
    """Whether this process can take tickets at all."""
    return bool(os.environ.get("KRB5_KTNAME")) and importlib.util.find_spec("gssapi") is not None


def is_ticket(token: bytes) -> bool:
    """Whether a token brings a Kerberos ticket, raw or in SPNEGO."""
    return any(mechanism + _REQUEST in token for mechanism in (_MECHANISM, _MICROSOFTS))


def acceptor(fqdn: str, bindings: GssChannelBindings | None) -> spnego.ContextProxy:
    """The accepting end for tickets to HTTP/`fqdn`, and to no other name. Raises `SpnegoError` without such a key."""
    import gssapi  # pyright: ignore[reportMissingModuleSource] # an extra

    # Otherwise the package keeps an error back, and pyspnego stumbles over a context that was never made.
    gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False
    return spnego.server(
        hostname=fqdn,
        service="HTTP",
        protocol="negotiate",
        options=spnego.NegotiateOptions.use_negotiate,
        credentials=spnego.CredentialCache(username=f"HTTP@{fqdn}"),
        channel_bindings=bindings,
    )


def protocol_error(error: SpnegoError) -> int:
    """The number of the KRB-ERROR that a domain member answers for what went wrong."""
    minor: object = getattr(error.__cause__, "min_code", 0)
    if not isinstance(minor, int):
        return MODIFIED
    number = (minor - _TABLE) & 0xFFFFFFFF
    return number if number in _TOLD else MODIFIED


def error_token(token: bytes, number: int, fqdn: str, now: str) -> bytes:
    """The answer to `token`: KRB-ERROR of this number, in SPNEGO if the token came so; `now` as `20260307220000Z`."""
    realm = fqdn.partition(".")[2].upper()
    error = _der(
        0x7E,  # [APPLICATION 30]
        _der(
            0x30,
            _field(0, _integer(5)),
            _field(1, _integer(30)),
            _field(4, _der(0x18, now.encode())),
            _field(5, _integer(0)),
            _field(6, _integer(number)),
            _field(9, _text(realm)),
            _field(10, _der(0x30, _field(0, _integer(2)), _field(1, _der(0x30, _text("HTTP"), _text(fqdn))))),
        ),
    )
    inner = _der(0x60, _MECHANISM, b"\x03\x00", error)  # TOK_ID of an error
    if not token[:20].partition(_SPNEGO)[1]:
        return inner
    rejected = (_field(0, _der(0x0A, b"\x02")), _field(1, _MECHANISM), _field(2, _der(0x04, inner)))
    return _field(1, _der(0x30, *rejected))


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    length = bytes([size]) if size < 0x80 else _long(size)
    return bytes([tag]) + length + body


def _long(size: int) -> bytes:
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _field(number: int, value: bytes) -> bytes:
    return _der(0xA0 | number, value)


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _text(value: str) -> bytes:
    return _der(0x1B, value.encode())
