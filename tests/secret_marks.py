"""Secrets that are looked for: in texts as they are, and in every form in which something may have written them."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

__all__ = ["everything_in", "found", "spread"]

_RUN = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")


def spread(secret: str, user: str = "EXAMPLE\\operator") -> str:
    """A text that has the secret in it in each of its forms, some of them within something longer."""
    header = b64encode(f"{user}:{secret}".encode()).decode()
    return " | ".join(
        [
            secret,
            repr({"said": secret}),
            json.dumps({"said": secret}),
            json.dumps({"said": secret}, ensure_ascii=False),
            f"https://host/?key={quote(secret, safe='')}&x={quote_plus(secret)}",
            b64encode(secret.encode()).decode(),
            b64encode(secret.encode("utf-16-le")).decode(),
            f"Authorization: Basic {header}",
            b64encode(f"$p = '{secret}'; whoami".encode("utf-16-le")).decode(),
        ]
    )


def found(secret: str, text: str) -> list[str]:
    """Where a secret stands in a text, whatever form it has there; empty: nowhere. Base64 and URLs are undone first."""
    shapes = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    shapes |= {json.dumps(one)[1:-1] for one in shapes}  # JSON in JSON
    looked = [text, unquote(text), text.replace("\\/", "/")]
    for run in set(_RUN.findall(text)):
        for start in range(4):
            looked += _unpacked(run[start:])
    return [one for one in looked if any(shape in one for shape in shapes)]


def _unpacked(run: str) -> list[str]:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    data = b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4 % 3))
    return [data.decode("utf-8", "replace"), *(data[skip:].decode("utf-16-le", "replace") for skip in (0, 1))]


def everything_in(*folders: Path) -> dict[str, str]:
    """Every file below the folders, as text, by its path."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.as_posix(): path.read_bytes().decode("utf-8", "replace") for path in files}
