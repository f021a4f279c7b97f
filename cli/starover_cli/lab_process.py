"""Starts a lab as a process of its own, waits until it is ready, and ends it; knows nothing of what it simulates."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starover.child_environment import inherited
from starover.errors import BadParameter, Mistake, StaroverError
from starover_cli.lab_client import FILE, Lab, LabGone

__all__ = ["LOG", "await_end", "put_away", "running", "start", "stop"]

LOG = "lab.log"
LEFT = (FILE, "inventory.yaml", "ca.pem")
"""What a lab writes, and takes away when it ends by itself."""
READY = 30.0
"""Real seconds that a lab may take to begin; two or three are usual."""
_PACKAGE = "starover_lab"
_WINDOWS = 0x00000200 | 0x08000000  # CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW: named on Windows only
_NEEDED = ("dns", "spnego", "greenlet", "cryptography", "moto", "flask", "flask_cors")


def running(folder: Path) -> Lab | None:
    """The lab of this folder if it answers."""
    try:
        lab = Lab.at(folder)
        lab.get("clock")
    except LabGone:
        return None
    return lab


def start(topology: str, folder: Path, options: Sequence[str] = ()) -> tuple[subprocess.Popen[bytes], Lab, float]:
    """Start the lab `topology` (a name or a file) with its files in `folder`, `options` as the lab takes
    them; gives it and the seconds it took.

    Raises `Mistake` when the extra is not installed or a lab runs there already, `BadParameter` when the lab itself
    refuses the topology.
    """
    missing = [name for name in (_PACKAGE, *_NEEDED) if importlib.util.find_spec(name) is None]
    if missing:
        raise Mistake(
            f"the lab is not installed: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
            certain=["nothing was started."],
            next=["pip install 'starover[lab]'"],
        )
    if (other := running(folder)) is not None:
        raise Mistake(
            f"a lab runs in {folder.as_posix()} already: {other.about.get('name', '?')}.",
            certain=["nothing was started."],
            next=["starover lab status", "starover lab down"],
        )
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).unlink(missing_ok=True)
        log = (folder / LOG).open("wb")
    except OSError as error:
        raise BadParameter(f"{folder.as_posix()} cannot be used for a lab: {error.strerror or error}") from None
    with log:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own package
            [sys.executable, "-m", _PACKAGE, "up", topology, "--dir", str(folder), *options],
            stdin=subprocess.DEVNULL,
            env=inherited(),
            stdout=log,
            stderr=subprocess.STDOUT,
            # Both make a child that survives us and our terminal, and keep Ctrl-C ours.
            start_new_session=os.name != "nt",
            creationflags=_WINDOWS if os.name == "nt" else 0,
        )
    lab = _ready(process, folder, lambda: time.monotonic() - began)
    return process, lab, time.monotonic() - began


def _ready(process: subprocess.Popen[bytes], folder: Path, passed: Callable[[], float]) -> Lab:
    while passed() < READY:
        if process.poll() is not None:
            said = _last_words(folder)
            kind = BadParameter if process.returncode == Mistake.exit else StaroverError
            raise kind(
                said[0] if said else f"the lab ended with {process.returncode} before it was ready.",
                certain=[*said[1:], "nothing is running."],
                next=["starover lab up --help"],
            )
        lab = running(folder)
        if lab is not None and lab.pid == process.pid:
            return lab
        time.sleep(0.05)
    process.terminate()
    raise Mistake(
        f"the lab was not ready within {READY:.0f} s and was stopped.",
        uncertain=["why"],
        next=[f"look into {(folder / LOG).as_posix()}"],
    )


def _last_words(folder: Path) -> list[str]:
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        return [f"the lab failed to start: {lines[-1]}", f"the whole trace is in {(folder / LOG).as_posix()}"]
    return lines


def await_end(process: subprocess.Popen[bytes]) -> int:
    """Wait in the foreground until the lab ends; Ctrl-C comes through as `KeyboardInterrupt`."""
    while True:
        try:
            return process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue


def put_away(lab: Lab) -> bool:
    """Stop it if it runs (True), else remove the files that a lab which was killed has left (False)."""
    if running(lab.folder) is not None:
        stop(lab)
        return True
    for name in LEFT:
        (lab.folder / name).unlink(missing_ok=True)
    return False


def stop(lab: Lab, seconds: float = 10.0) -> None:
    """Have the lab end, and wait until it does not answer any more. Raises `LabGone` when it did not run."""
    lab.post("down")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if running(lab.folder) is None:
            return
        time.sleep(0.05)
    raise Mistake(
        f"the lab of {lab.folder.as_posix()} was told to stop and still answers.",
        next=[f"end the process {lab.pid} by hand"],
    )
