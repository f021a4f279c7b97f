"""Evidence bundles: what was planned, approved, sent, answered and refused between two times; contacts nobody.

A bundle is a folder that proves itself: the journals as they lie here, what each of their records is evidence of, the
bytes of every script, and a verifier that needs Python and ssh-keygen only (`evidence_verifier`, copied in).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from starover.errors import BadParameter, StaroverError
from starover.evidence_verifier import KINDS, kind_of, script_name
from starover.journal import Begun, Entry, head_of, path_of, read_journal, run_ids
from starover.journal_heads import NO_KEY, signed_of

__all__ = ["Bundle", "export"]

_README = """Evidence of what starover did, {first} to {last}.

python3 -I verify.py                     checks all of it, offline; --signers FILE names whose signatures count
MANIFEST                                 the SHA-256 of every file here; MANIFEST.sig: signed by who exported it
journal/                                 the journals, their heads and plans as they lay in the folder of starover
runs/ID/plan.json                        what was to be done, and by what digest it was approved
runs/ID/approval.json                    who approved it, when, how, under which ticket
runs/ID/scripts/, scripts.json           what was handed to each host, byte for byte
runs/ID/receipts.json                    what the hosts said they had done
runs/ID/verified.json                    what was read afterwards, and each step that holds
runs/ID/refusals.json                    what was refused, failed or stayed unknown
runs/ID/people.json                      who stopped, resumed or settled it

Every item names the record of the journal that it was taken from. Secrets are in none of it: they were masked before
they were written. Scripts are as they were sent; one that needs a password has it as an argument, which is not kept.
"""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What was exported."""

    folder: Path
    runs: tuple[str, ...]
    scripts: int
    unsigned: str
    """Why the manifest is not signed; empty: it is."""
    left_out: tuple[str, ...]
    """Runs whose journals cannot be trusted: `audit verify` says why."""


def export(
    state: Path, to: Path, start: datetime, end: datetime, sign: Callable[[bytes], bytes] | None = None
) -> Bundle:
    """Write a bundle of every run with a record in `start` <= time < `end`. Raises `BadParameter`, `StaroverError`."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadParameter(f"{to.as_posix()} is there already: name a folder that is not")
    found: dict[str, list[Entry]] = {}
    left_out: list[str] = []
    for run in run_ids(state):
        try:
            entries = read_journal(state, run)
        except BadParameter:
            left_out.append(run)
            continue
        if any(start <= one.at < end for one in entries):
            found[run] = entries
    scripts = 0
    try:
        for run, entries in found.items():
            scripts += _take_out(to / "runs" / run, path_of(state, run).read_bytes(), len(entries))
            _copy(state, to / "journal", run, entries)
        for listed in (state / "index" / "chain", *sorted((state / "index").glob("from-*.json"))):
            if found and listed.exists():
                _write(to / "journal" / "index" / listed.name, listed.read_bytes())
        verifier = resources.files("starover").joinpath("evidence_verifier.py").read_bytes()
        _write(to / "verify.py", verifier)
        _write(to / "README.txt", _README.format(first=start.isoformat(), last=end.isoformat()).encode())
        unsigned = _seal(to, sign)
    except OSError as error:
        raise StaroverError(f"the bundle {to.as_posix()} cannot be written: {error.strerror or error}") from error
    return Bundle(folder=to, runs=tuple(found), scripts=scripts, unsigned=unsigned, left_out=tuple(left_out))


def _take_out(folder: Path, data: bytes, count: int) -> int:
    """Write what the records of one journal are evidence of; how many scripts there are."""
    kept: dict[str, list[dict[str, Any]]] = {}
    scripts = 0
    for line in data.split(b"\n")[:count]:
        entry: dict[str, Any] = json.loads(line)
        record, body = int(entry["n"]), entry["body"]
        kind = kind_of(body)
        if kind:
            kept.setdefault(kind, []).append({"record": record, "body": body})
        if kind == "scripts":
            scripts += 1
            _write(folder / "scripts" / script_name(record, body), str(body["script"]).encode())
    for kind in KINDS:
        _write(folder / f"{kind}.json", json.dumps(kept.get(kind, []), indent=1).encode() + b"\n")
    return scripts


def _copy(state: Path, to: Path, run: str, entries: list[Entry]) -> None:
    """The journal with its head, signed head and plan, byte by byte."""
    files = [path_of(state, run), head_of(state, run), signed_of(state, run)]
    begun = entries[0].body
    if isinstance(begun, Begun) and begun.plan is not None:
        files += [state / "plans" / f"{begun.plan.id}.json", state / "approvals" / f"{begun.plan.id}.json"]
    for file in files:
        if file.exists():
            _write(to / file.relative_to(state), file.read_bytes())


def _seal(to: Path, sign: Callable[[bytes], bytes] | None) -> str:
    """Write the manifest, and have it signed. Why it is not signed, in words."""
    names = sorted(path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256((to / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    manifest = "".join(lines).encode()
    _write(to / "MANIFEST", manifest)
    if sign is None:
        return NO_KEY
    try:
        _write(to / "MANIFEST.sig", sign(manifest))
    except StaroverError as error:
        return str(error)
    return ""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
