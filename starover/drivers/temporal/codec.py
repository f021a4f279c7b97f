"""Payloads as they lie at the server: JSON of our structs, packed, and encrypted when a key is given.

A content of hundreds of files is a tenth of its size when it is packed, and a server takes two million bytes.
"""

from __future__ import annotations

import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    PayloadCodec,
)

from starover.errors import BadParameter

__all__ = ["LIMIT", "Codec", "codec", "converter", "new_key", "size_of"]

LIMIT = 1_900_000
"""Bytes of one payload as it is sent; the server takes 2 MB."""
_PACKED = b"binary/zlib"
_SEALED = b"binary/starover-aes-gcm"
_FROM = 2_000
"""Bytes from which on packing is worth it."""


class _Structs(EncodingPayloadConverter):
    """msgspec's structs, as JSON."""

    @property
    def encoding(self) -> str:
        return "json/msgspec"

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, msgspec.Struct):
            return None
        return Payload(metadata={"encoding": self.encoding.encode()}, data=msgspec.json.encode(value))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        wanted: type[object] = type_hint or object
        return msgspec.json.decode(payload.data, type=wanted)


class Converter(CompositePayloadConverter):
    """Structs first, then whatever Temporal knows."""

    def __init__(self) -> None:
        super().__init__(_Structs(), *DefaultPayloadConverter.default_encoding_payload_converters)


class Codec(PayloadCodec):
    """Packs what is long; with a key everything is sealed by AES-256-GCM, and whatever is not sealed is refused."""

    def __init__(self, key: bytes | None = None) -> None:
        """`key`: 32 bytes; None: packed only. Raises `BadParameter`."""
        self._cipher = None
        if key is not None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            if len(key) != 32:
                raise BadParameter(f"the key for payloads has {len(key)} bytes, and must have 32", next=(_HOW,))
            self._cipher = AESGCM(key)

    @property
    def sealed(self) -> bool:
        """Whether there is a key."""
        return self._cipher is not None

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As they go to the server. Raises `BadParameter` for one that is too large for it."""
        return [self._encode(one) for one in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As they came from the server. Raises `BadParameter` for what is sealed with another key, or not at all."""
        return [self._decode(one) for one in payloads]

    def _encode(self, payload: Payload) -> Payload:
        if len(payload.data) > _FROM:
            packed = zlib.compress(payload.SerializeToString(), 6)
            payload = Payload(metadata={"encoding": _PACKED}, data=packed)
        if self._cipher is not None:
            nonce = os.urandom(12)
            sealed = self._cipher.encrypt(nonce, payload.SerializeToString(), _SEALED)
            payload = Payload(metadata={"encoding": _SEALED}, data=nonce + sealed)
        if len(payload.data) > LIMIT:
            raise BadParameter(
                f"{len(payload.data):,} bytes are more than a Temporal server takes at once ({LIMIT:,})",
                next=("a home with fewer runbooks and templates (--home)",),
            )
        return payload

    def _decode(self, payload: Payload) -> Payload:
        encoding = payload.metadata.get("encoding", b"")
        if encoding == _SEALED:
            if self._cipher is None:
                raise BadParameter("what lies at the Temporal server is encrypted, and no key is given")
            from cryptography.exceptions import InvalidTag

            try:
                plain = self._cipher.decrypt(payload.data[:12], payload.data[12:], _SEALED)
            except InvalidTag:
                raise BadParameter("what lies at the Temporal server is encrypted with another key") from None
            payload = Payload.FromString(plain)
        elif self._cipher is not None:
            raise BadParameter("what lies at the Temporal server is not encrypted, as it must be with a key")
        if payload.metadata.get("encoding") == _PACKED:
            payload = Payload.FromString(zlib.decompress(payload.data))
        return payload


_HOW = "a new one: python -c 'import os,base64; print(base64.b64encode(os.urandom(32)).decode())'"


def codec(key: str = "") -> Codec:
    """The codec for a key as text, base64 of 32 bytes; empty: payloads are packed only. Raises `BadParameter`."""
    if not key.strip():
        return Codec()
    try:
        return Codec(b64decode(key.strip(), validate=True))
    except ValueError:
        raise BadParameter("the key for payloads is not base64", next=(_HOW,)) from None


def new_key() -> str:
    """A key for `codec`."""
    return b64encode(os.urandom(32)).decode()


def converter(sealing: Codec) -> DataConverter:
    """What a client needs to speak with these workers. With a key the words of failures are sealed too."""
    failures = DefaultFailureConverterWithEncodedAttributes if sealing.sealed else DefaultFailureConverter
    return DataConverter(payload_converter_class=Converter, payload_codec=sealing, failure_converter_class=failures)


def size_of(value: msgspec.Struct) -> int:
    """How many bytes it will have when it is packed, about."""
    return len(zlib.compress(msgspec.json.encode(value), 1))
