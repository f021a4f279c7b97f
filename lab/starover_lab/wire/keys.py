"""The session key of a pool, with which SecureStrings travel (MS-PSRP 2.2.5.1.24); knows no CLIXML."""

from __future__ import annotations

import base64
import os
import struct

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

__all__ = ["SessionKey"]

# Headers of CryptoAPI blobs: SIMPLEBLOB of an AES-256 key that was encrypted with RSA; PUBLICKEYBLOB of an RSA key.
_SIMPLE_BLOB = bytes.fromhex("010200001066000000a40000")
_PUBLIC_BLOB = bytes.fromhex("0602000000a4000052534131")


class SessionKey:
    """AES-256 in CBC with a zero vector, as PSRP has it. The server makes the key, the client asks for it."""

    def __init__(self) -> None:
        self._cipher = Cipher(algorithms.AES(key := os.urandom(32)), modes.CBC(bytes(16)))
        self._key = key
        self.exchanged = False
        """Whether the client has the key: before that a SecureString cannot be sent."""

    def wrapped_for(self, public_key: str) -> str:
        """The key encrypted for the client's public key, both as base64 of a CryptoAPI blob. Raises `ValueError`."""
        blob = base64.b64decode(public_key, validate=True)
        if not blob.startswith(_PUBLIC_BLOB) or len(blob) < 84:
            raise ValueError("not an RSA public key blob")
        (exponent,) = struct.unpack_from("<I", blob, 16)
        modulus = int.from_bytes(blob[20:], "little")
        secret = rsa.RSAPublicNumbers(exponent, modulus).public_key().encrypt(self._key, padding.PKCS1v15())
        self.exchanged = True
        return base64.b64encode(_SIMPLE_BLOB + secret[::-1]).decode()

    def encrypt(self, text: str) -> str:
        """A SecureString's content as base64."""
        padder = PKCS7(128).padder()
        data = padder.update(text.encode("utf-16-le", "surrogatepass")) + padder.finalize()
        box = self._cipher.encryptor()
        return base64.b64encode(box.update(data) + box.finalize()).decode()

    def decrypt(self, text: str) -> str:
        """The inverse of `encrypt`. Raises `ValueError` when it was not made with this key."""
        box = self._cipher.decryptor()
        data = box.update(base64.b64decode(text, validate=True)) + box.finalize()
        unpadder = PKCS7(128).unpadder()
        return (unpadder.update(data) + unpadder.finalize()).decode("utf-16-le", "surrogatepass")
