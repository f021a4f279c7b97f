"""TLS to a Temporal server, from files; opens no connection."""

from __future__ import annotations

from pathlib import Path

from temporalio.service import TLSConfig

from starover.errors import BadParameter

__all__ = ["tls_of"]


def tls_of(*, wanted: bool, ca: str = "", cert: str = "", key: str = "") -> bool | TLSConfig:
    """What a connection takes: plain text where nothing is named and nothing wanted. Raises `BadParameter`."""
    if not (ca or cert or key):
        return wanted
    if bool(cert) != bool(key):
        raise BadParameter(
            "a client's certificate and its key go together: --tls-cert FILE --tls-key FILE",
            certain=("nothing was contacted",),
        )
    return TLSConfig(
        server_root_ca_cert=_read(ca),
        client_cert=_read(cert),
        client_private_key=_read(key),
    )


def _read(file: str) -> bytes | None:
    if not file:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadParameter(
            f"{file} cannot be read: {error.strerror or error}", certain=("nothing was contacted",)
        ) from None
