"""The lab's own certificate authority and its servers' certificates; knows no listener and trusts nobody else."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority"]

_LIFE = timedelta(days=30)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


class Authority:
    """A new CA for one lab. Its key lives in this process only.

    Certificates are valid by the real clock, from a day ago on: the client's TLS knows no simulated time.
    """

    def __init__(self, name: str) -> None:
        """`name` is shown as the issuer."""
        self._now = datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"{name} certificate authority")
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._issuer_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The CA's certificate, for clients."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, names: Sequence[str], addresses: Sequence[str], serial: int = 0) -> tuple[ssl.SSLContext, bytes]:
        """A server's TLS context with a certificate for these DNS names and IP addresses, and its SHA-256.

        `serial`: its serial number; 0: any.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        certificate = (
            self._builder(_name(names[0]), key.public_key(), serial)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(self._issuer_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The standard library loads a key from a file only; it is gone again before anybody is served.
        handle, path = tempfile.mkstemp(prefix="starover-lab-")
        try:
            os.write(handle, chain)
            os.close(handle)
            context.load_cert_chain(path)
        finally:
            Path(path).unlink()
        return context, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, serial: int = 0) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + _LIFE)
        )
