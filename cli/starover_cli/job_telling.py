"""Hands a job's message to those who are to be told: mail over a relay, a program's standard input. Decides nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from starover.child_environment import inherited
from starover.jobs import Mail, Program, Told

__all__ = ["tell"]

SECONDS = 30.0
"""So long a relay or a program may take: the run is over, and its journal is kept whatever becomes of the message."""


def tell(whom: Sequence[Told], subject: str, body: str, code: int) -> tuple[str, ...]:
    """Tell everybody; gives who could not be told, and why. Never raises: nobody's deafness is the run's failure."""
    failed: list[str] = []
    for one in whom:
        try:
            if isinstance(one, Mail):
                _mail(one, subject, body)
            else:
                _program(one, subject, body, code)
        except (OSError, subprocess.SubprocessError) as error:
            name = ", ".join(one.mail) if isinstance(one, Mail) else one.command[0]
            failed.append(f"{name}: {error}")
    return tuple(failed)


def _mail(one: Mail, subject: str, body: str) -> None:
    import smtplib  # its errors are OSErrors
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = one.sender, ", ".join(one.mail), subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="starover")
    message.set_content(body)
    host, _, port = one.relay.rpartition(":") if one.relay.rpartition(":")[2].isdigit() else (one.relay, "", "25")
    with smtplib.SMTP(host.strip("[]"), int(port), timeout=SECONDS) as relay:
        if relay.has_extn("starttls"):
            relay.starttls()
        relay.send_message(message)


def _program(one: Program, subject: str, body: str, code: int) -> None:
    ended = subprocess.run(  # noqa: S603 - the job's author names the program; no shell
        [*one.command],
        input=body,
        encoding="utf-8",
        env=inherited(STAROVER_SUBJECT=subject, STAROVER_EXIT=str(code)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise OSError(f"exit {ended.returncode}{f': {said[-1]}' if said else ''}")
