"""Signatures by SSH keys, made and checked by OpenSSH's own `ssh-keygen -Y`; knows nothing of what is signed.

The format is OpenSSH's PROTOCOL.sshsig. A namespace keeps a signature for one purpose from being taken for another.
Private keys stay where they are: on disk, in an agent or on a token (then the file is the public key's).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from starover.child_environment import for_keys
from starover.errors import BadParameter, Mistake

__all__ = ["NAMESPACE_HEAD", "check", "fingerprint", "sign"]

NAMESPACE_HEAD = "starover-head"
"""Of heads of runs and of evidence bundles."""
_BEGINS = b"-----BEGIN SSH SIGNATURE-----"
_ENDS = b"-----END SSH SIGNATURE-----"
_SECONDS = 60.0
"""For a person to touch a token or to type a passphrase."""


def sign(data: bytes, key: Path, namespace: str) -> bytes:
    """An armoured signature of `data`. Raises `Mistake` when there is no ssh-keygen or the key cannot be used."""
    if not key.is_file():
        raise Mistake(f"there is no key {key.as_posix()} to sign with")
    return _run(["-Y", "sign", "-q", "-f", str(key), "-n", namespace], data)


def check(data: bytes, signature: bytes, signers: Path, namespace: str, *, at: datetime | None = None) -> str:
    """Whose signature it is, as the allowed-signers file names them. Raises `BadParameter` when it is nobody's.

    `at`: when it was made, for keys that are valid for a time; None: now.
    """
    if not signers.is_file():
        raise BadParameter(f"there is no file {signers.as_posix()} of allowed signers")
    moment = ["-O", f"verify-time={at.astimezone(UTC):%Y%m%d%H%M%SZ}"] if at is not None else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        where = ["-s", str(file), "-f", str(signers), *moment]
        try:
            names = _run(["-Y", "find-principals", *where], b"").decode("utf-8", "replace").splitlines()
        except Mistake as error:
            nobody = f"{signers.name} names nobody with the key {fingerprint(signature)}"
            raise BadParameter(nobody + _why(error)) from error
        why = ""
        for name in names:
            try:
                _run(["-Y", "verify", "-n", namespace, "-I", name, *where], data)
            except Mistake as error:
                why = why or _why(error)
                continue
            return name
    raise BadParameter(f"the key {fingerprint(signature)} does not count{why}" if why else _UNFIT)


_UNFIT = "the signature does not fit what it signs"
_OF_KEY = re.compile(r"\bkey (?:is not|has|is) .*")


def _why(error: Mistake) -> str:
    """What the allowed signers have against a key (for another namespace, over); empty: nothing."""
    found = _OF_KEY.search(error.what)
    return f": {found[0]}" if found else ""


def fingerprint(signature: bytes) -> str:
    """The key that made a signature, as `ssh-keygen -l` prints it (`SHA256:...`). Raises `BadParameter`."""
    lines = signature.replace(b"\r", b"").split(b"\n")
    try:
        first, last = lines.index(_BEGINS), lines.index(_ENDS)
        blob = base64.b64decode(b"".join(lines[first + 1 : last]), validate=True)
        (length,) = struct.unpack(">I", blob[10:14])
        key = blob[14 : 14 + length]
        if blob[:6] != b"SSHSIG" or len(key) != length:
            raise ValueError
    except (ValueError, binascii.Error, struct.error) as error:
        raise BadParameter("this is no SSH signature") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _run(words: Sequence[str], data: bytes) -> bytes:
    """Raises `Mistake`."""
    try:
        ended = subprocess.run(  # noqa: S603 - a list of words, without a shell
            ["ssh-keygen", *words],  # noqa: S607 - OpenSSH's own, wherever the system keeps it
            input=data,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env=for_keys(LC_ALL="C"),
        )
    except FileNotFoundError as error:
        raise Mistake("there is no ssh-keygen here", next=("install OpenSSH's client, 8.2 or newer",)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Mistake(f"ssh-keygen gave no answer: {error}") from error
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        said = [line for line in said if line != "No principal matched."] or said  # it says why before that
        raise Mistake(f"ssh-keygen: {said[-1] if said else f'exit {ended.returncode}'}")
    return ended.stdout
