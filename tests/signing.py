"""SSH keys and files of allowed signers for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starover.signatures import NAMESPACE_HEAD, sign


@dataclass(frozen=True)
class Person:
    """Somebody with a key of their own."""

    name: str
    key: Path

    @classmethod
    def new(cls, name: str, folder: Path) -> Person:
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / name
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        return cls(name, key)

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Signs heads."""
        return lambda words: sign(words, self.key, NAMESPACE_HEAD)

    @property
    def line(self) -> str:
        """Of a file of allowed signers."""
        return f"{self.name} {self.key.with_suffix('.pub').read_text('utf-8')}"
