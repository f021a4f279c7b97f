"""Checks an evidence bundle of starover, offline, with nothing but Python and (for signatures) OpenSSH's ssh-keygen.

    python3 -I verify.py [--signers FILE]     beside MANIFEST; FILE: allowed signers as in ssh-keygen(1)
Exit 0: everything is as it was written, as far as the last lines do not say otherwise. Exit 1: it is not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

KINDS = ("plan", "approval", "scripts", "receipts", "verified", "refusals", "people")  # what a record is evidence of
NAMESPACE, _MARK = "starover-head", b"-----BEGIN SSH SIGNATURE-----"
_ALWAYS = {"sent": "scripts", "resumed": "people", "settled": "people", "acknowledged": "people", "stopped": "people"}
_Runs = Mapping[str, list[bytes]]


def kind_of(body: Mapping[str, Any]) -> str:
    """Which kind of evidence a record is, of KINDS; empty: it is none by itself."""
    entry, event, answer = body["entry"], body.get("event", {}), body.get("answer", {})
    if entry in _ALWAYS or entry == "begun":
        return _ALWAYS.get(entry, "plan" if body.get("plan") else "")
    if entry == "answered" and answer["answer"] != "approval":
        seen = "verified" if body.get("readings") else ""
        return "receipts" if body.get("operation") or answer.get("receipts") else seen
    if entry == "answered" or event.get("event") == "approved":
        return "approval"
    if event.get("event") == "step-ended":
        return "verified" if event["state"] in ("changed", "right") else "refusals"
    return "refusals" if entry == "declined" or (event.get("event") == "run-ended" and event["exit"]) else ""


def script_name(record: int, body: Mapping[str, Any]) -> str:
    """The file that holds the bytes that were sent."""
    return f"{record:06d}-{body['what']}-{re.sub('[^A-Za-z0-9.-]', '_', str(body['host']))}.txt"


def _signed_by(words: bytes, signature: bytes, signers: str) -> str:
    """Whose signature it is; ValueError: nobody's. Without signers: that it fits, and the key."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)

        def ask(*more: str) -> str:
            line = ["ssh-keygen", "-Y", more[0], "-s", str(file), *more[1:]]
            said = subprocess.run(line, input=words, capture_output=True, check=False)  # noqa: S603 - no shell
            if said.returncode:
                raise ValueError((said.stderr or said.stdout).decode("utf-8", "replace").strip())
            return said.stdout.decode("utf-8", "replace").strip()

        if not signers:
            return ask("check-novalidate", "-n", NAMESPACE)
        name = ask("find-principals", "-f", signers).splitlines()[0]
        ask("verify", "-n", NAMESPACE, "-I", name, "-f", signers)
        return name


def _manifest(root: Path) -> Iterator[str]:
    """Every file is there, as it was, and none besides."""
    named = {line[66:]: line[:64] for line in (root / "MANIFEST").read_text("utf-8").splitlines()}
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    yield from (f"{name} is not in MANIFEST" for name in sorted(there - {*named, "MANIFEST", "MANIFEST.sig"}))
    for name, digest in named.items():
        if name not in there or sha256((root / name).read_bytes()).hexdigest() != digest:
            yield f"{name} was changed" if name in there else f"{name} is missing"


def _run(root: Path, run: str, runs: _Runs, unchecked: list[str]) -> Iterator[str]:
    """Chain, head, the run before, and the evidence that was taken out of the journal."""
    lines, before = runs[run], "0" * 64
    entries = [json.loads(line) for line in lines]
    for number, entry in enumerate(entries):
        if entry["n"] != number or entry["before"] != before:
            yield f"run {run}: record {number} does not follow from the one before it"
        before = sha256(lines[number]).hexdigest()
    index = root / "journal" / "index"
    count, head = (index / f"{run}.head").read_text("ascii").split()
    if not 0 < int(count) <= len(lines) or sha256(lines[int(count) - 1]).hexdigest() != head:
        yield f"run {run}: its head is not that of its journal"
    unchecked += [f"what stands behind the head of run {run}"] if int(count) < len(lines) else []
    late = entries[0]["body"].get("signing") and not (index / f"{run}.signed").exists()
    unchecked += [f"who wrote run {run}: its head was to be signed, and no signature is here"] if late else []
    former: Mapping[str, Any] = entries[0]["body"].get("former") or {"run": "", "records": 0}
    then, at = str(former["run"]), int(former["records"])
    brought = [json.loads(one.read_bytes()) for one in index.glob("from-*.json")]
    if any(then in one["away"] and run in one["order"] for one in brought):  # another run may have its id here
        unchecked.append(f"{then}, the run before {run}: it was not taken over")
    elif at and then in runs and sha256(runs[then][at - 1]).hexdigest() != former["head"]:
        yield f"run {run}: the run before it, {then}, is not the one that it names"
    unchecked += [f"{then}, the run before {run}: it is not in this bundle"] if then and then not in runs else []
    for kind in KINDS:
        file = root / "runs" / run / f"{kind}.json"
        wanted = [{"record": one["n"], "body": one["body"]} for one in entries if kind_of(one["body"]) == kind]
        if (json.loads(file.read_text("utf-8")) if file.exists() else []) != wanted:
            yield f"run {run}: {kind}.json is not what the journal says"
        for one in wanted if kind == "scripts" else ():
            file = root / "runs" / run / kind / script_name(one["record"], one["body"])
            if not file.exists() or sha256(file.read_bytes()).hexdigest() != one["body"]["sha256"]:
                yield f"run {run}: the script of record {one['record']} is not the one that was sent"


def _signatures(root: Path, runs: _Runs, signers: str, names: Counter[str]) -> Iterator[str]:
    """What is wrong with signatures; who signed is counted."""
    bundle = [root / "MANIFEST.sig"] if (root / "MANIFEST.sig").exists() else []
    for file in [*bundle, *sorted((root / "journal" / "index").glob("*.signed"))]:
        words, _, rest = file.read_bytes().partition(_MARK)
        try:
            if file in bundle:
                words = (root / "MANIFEST").read_bytes()
            else:
                _, run, records, head = (line.split()[-1] for line in words.decode("ascii").splitlines())
                if run != file.stem or sha256(runs[run][int(records) - 1]).hexdigest() != head:
                    yield f"{file.name} signs another head than that of the journal"
            names[_signed_by(words, _MARK + rest, signers)] += 1
        except (ValueError, OSError, LookupError) as error:
            yield f"the signature {file.name} does not hold: {error}"


def main(root: Path, signers: str) -> int:
    """Check everything and say what was found; nothing at all where there is something that is not to be opened."""
    odd = [one for one in root.rglob("*") if one.is_symlink() or not (one.is_file() or one.is_dir())]
    if odd or not (root / "MANIFEST").is_file():
        return min(1, sys.stdout.write(f"NOT AS IT WAS WRITTEN\n  {[*odd, 'MANIFEST'][0]} is no plain file\n"))
    unchecked: list[str] = [] if (root / "MANIFEST.sig").exists() else ["who made this bundle: MANIFEST is not signed"]
    names: Counter[str] = Counter()
    wrong = list(_manifest(root))
    runs = {one.stem: one.read_bytes().split(b"\n")[:-1] for one in sorted((root / "journal/runs").glob("*.jsonl"))}
    for run in runs:
        try:
            wrong += _run(root, run, runs, unchecked)
        except Exception as error:  # whatever it holds instead
            wrong.append(f"run {run} cannot be read: {error!r}")
    wrong += _signatures(root, runs, signers, names)
    unchecked += ["whose the keys are: give --signers FILE, signers that you trust"] if names and not signers else []
    verdict = "NOT AS IT WAS WRITTEN" if wrong else f"as it was written: {len(runs)} run(s)"
    told = [*(f"  {one}" for one in wrong), *(f"signed: {who} ({n})" for who, n in names.items())]
    sys.stdout.write("\n".join([verdict, *told, *(f"not checked: {one}" for one in unchecked)]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent, sys.argv[2] if sys.argv[1:2] == ["--signers"] else ""))
