"""Certificates brought to every server and put to use: 443, 444, and what signs Exchange's tokens; removes none.

What was in use before stays installed, so that undo can go back to it (catalogue, certificate-roll).
"""

from __future__ import annotations

from starover.estate import Server
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.certificates import Certificate, Certificates, certificates, plain_serial, same_serial
from starover.steps.client_check import Look, certificate_at

__all__ = [
    "IIS",
    "PLANNED_S",
    "AuthConfig",
    "auth_config",
    "auth_in_force",
    "auth_next",
    "back_end_shown",
    "certificate_present",
    "certificate_shown",
    "mail_certificate_shown",
    "smtp_certificate_shown",
]

IIS = "IIS"
"""The web's service, as Exchange calls it."""
PLANNED_S = 49 * 3600
"""Exchange wants a new Auth certificate two days ahead, to bring it to every server (Set-AuthConfig)."""
_SOON = Settle(every=5, limit=120)


class AuthConfig(Report):
    """What signs Exchange's tokens (`client/auth_config.ps1.j2`)."""

    current: str
    """Thumbprint."""
    next: str
    """Empty: none."""
    effective: str
    """When the next one comes into force, ISO 8601, UTC; empty: there is none."""


auth_config = Query("client/auth_config.ps1.j2", AuthConfig)
"""Of the whole organization."""


def _words(one: Certificate | None) -> str:
    """A certificate for a person: whom it is for, and how it begins."""
    if one is None:
        return "none"
    return f"{one.thumbprint[:8]} {one.principal or one.subject}"


def _unusable(found: Certificate | None, name: str) -> Blocked | None:
    """Why a certificate of a server is of no use; None: it is, or an earlier step brings it first."""
    if found is None or (found.key and not found.expired):
        return None
    why = "has expired" if found.expired else "has no private key"
    what = f"P42: the certificate {found.thumbprint[:8]} {why} on {name}"
    return Blocked(what, guard="P42", certain=("nothing was done",))


@step(check=certificates, apply="client/import_certificate.ps1.j2", risk=Risk.LOW, settle=_SOON)
def certificate_present(now: Certificates, /, *, thumbprint: str, source: str, name: str) -> Change | Blocked | None:
    """A certificate with its key in a server's store, brought from the server `source`; it serves nothing yet."""
    found = now.find(thumbprint)
    if found is None:
        return Change(f"{name} certificate {thumbprint[:8]}", "not there", f"there, from {source}")
    return _unusable(found, name)


def _front_before(
    prev: Certificates, server: Server, /, *, thumbprint: str, whose: str, name: str, services: str
) -> Step | None:
    del whose, services  # what else got it with the web had another one: nobody knows which
    was = prev.shown
    if was is None or was.thumbprint.casefold() == thumbprint.casefold():
        return None
    return certificate_shown.on(server, thumbprint=was.thumbprint, whose=was.principal, name=name, services=IIS)


@step(
    check=certificates,
    apply="client/enable_certificate.ps1.j2",
    risk=Risk.SERVICE,
    settle=_SOON,
    undo=_front_before,
)
def certificate_shown(
    now: Certificates, /, *, thumbprint: str, whose: str, name: str, services: str
) -> Change | Blocked | None:
    """The certificate that a server shows clients on 443. `services`, such as `IIS, SMTP`, get it; the old one stays.

    `services`: the web's, and those of which no look tells what they show. `whose`: the name it is for, for a person.
    """
    found = now.find(thumbprint)
    if found is not None and found.shown:
        return None
    what = f"{name} certificate for {services}"
    return _unusable(found, name) or Change(what, _words(now.shown), f"{thumbprint[:8]} {whose}", "the old one stays")


def _mail_before(
    prev: Look,
    server: Server,
    /,
    *,
    services: str,
    serial: str,
    whose: str,
    name: str,
    address: str,
    port: int,
    seconds: int,
    tls: bool,
    starttls: str,
    fqdn: str,
) -> Step | None:
    del whose
    if not prev.serial or same_serial(prev.serial, serial):
        return None
    return mail_certificate_shown.on(
        server,
        services=services,
        serial=plain_serial(prev.serial),
        whose=_names(prev),
        name=name,
        address=address,
        port=port,
        seconds=seconds,
        tls=tls,
        starttls=starttls,
        fqdn=fqdn,
    )


@step(
    check=certificate_at,
    apply="client/enable_mail_certificate.ps1.j2",
    risk=Risk.SERVICE,
    settle=_SOON,
    undo=_mail_before,
)
def mail_certificate_shown(
    now: Look,
    /,
    *,
    services: str,
    serial: str,
    whose: str,
    name: str,
    address: str,
    port: int,
    seconds: int,
    tls: bool,
    starttls: str,
    fqdn: str,
) -> Change | None:
    """The certificate that IMAP or POP shows, as a client at its port sees it; the old one stays.

    `services`: one of them; `serial`: of the certificate, in hex without zeros before it. The others say where
    and how the port is looked at.
    """
    del address, seconds, tls, starttls, fqdn
    return _mail_change(now, services, serial, whose, name, port, "the old one stays")


@step(check=certificate_at, apply="client/enable_mail_certificate.ps1.j2", risk=Risk.SERVICE, settle=_SOON)
def smtp_certificate_shown(
    now: Look,
    /,
    *,
    services: str,
    serial: str,
    whose: str,
    name: str,
    address: str,
    port: int,
    seconds: int,
    tls: bool,
    starttls: str,
    fqdn: str,
) -> Change | None:
    """The certificate that SMTP shows to who asks for TLS; it has several and takes the newest that is for its name.

    There is no way back: no assignment of a certificate to SMTP is ever taken back [doc]. Arguments as above.
    """
    del address, seconds, tls, starttls, fqdn
    note = "the old one stays, and undo leaves this one: Exchange takes none from SMTP again"
    return _mail_change(now, services, serial, whose, name, port, note)


def _mail_change(now: Look, services: str, serial: str, whose: str, name: str, port: int, note: str) -> Change | None:
    """None: the port shows it."""
    if same_serial(now.serial, serial):
        return None
    return Change(f"{name} certificate for {services} on {port}", _names(now), f"{whose} {serial[:8]}", note)


def _names(look: Look) -> str:
    """Whom a certificate that was seen is for, in a few words."""
    if not look.serial:
        return "none seen"
    more = f" and {len(look.names) - 1} more" if len(look.names) > 1 else ""
    return f"{look.names[0] if look.names else 'for no name'}{more} {plain_serial(look.serial)[:8]}"


def _back_before(prev: Certificates, server: Server, /, *, thumbprint: str, whose: str, name: str) -> Step | None:
    del whose
    was = prev.back
    if was is None or was.thumbprint.casefold() == thumbprint.casefold():
        return None
    return back_end_shown.on(server, thumbprint=was.thumbprint, whose=was.principal, name=name)


@step(check=certificates, apply="client/bind_back_end.ps1.j2", risk=Risk.SERVICE, settle=_SOON, undo=_back_before)
def back_end_shown(now: Certificates, /, *, thumbprint: str, whose: str, name: str) -> Change | Blocked | None:
    """The certificate of a server's back end on 444, to which its own front end speaks."""
    found = now.find(thumbprint)
    if found is not None and found.back:
        return None
    what = f"{name} certificate on 444"
    return _unusable(found, name) or Change(what, _words(now.back), f"{thumbprint[:8]} {whose}", "the old one stays")


def _next_before(prev: AuthConfig, server: Server, /, *, thumbprint: str, ahead: int) -> Step | None:
    del thumbprint
    return auth_next.on(server, thumbprint=prev.next, ahead=ahead) if prev.next else None


@step(check=auth_config, apply="client/set_next_auth.ps1.j2", risk=Risk.SERVICE, settle=_SOON, undo=_next_before)
def auth_next(now: AuthConfig, /, *, thumbprint: str, ahead: int) -> Change | None:
    """The certificate that signs tokens next, `ahead` seconds from then on; Exchange brings it to every server."""
    if thumbprint.casefold() in (now.current.casefold(), now.next.casefold()):
        return None
    when = f"from {ahead // 3600} h on" if ahead else "to be published"
    return Change("next Auth certificate", now.next[:8] or "none", f"{thumbprint[:8]} {when}")


@step(check=auth_config, apply="client/publish_auth.ps1.j2", risk=Risk.SERVICE, settle=_SOON)
def auth_in_force(now: AuthConfig, /, *, thumbprint: str) -> Change | Blocked | None:
    """The next certificate signs tokens now: for when the current one has expired."""
    if now.current.casefold() == thumbprint.casefold():
        return None
    if now.next.casefold() not in ("", thumbprint.casefold()):
        return Blocked(f"P54: {now.next[:8]} is to be the next Auth certificate, not {thumbprint[:8]}", guard="P54")
    return Change("Auth certificate", f"{now.current[:8]} (expired)", thumbprint[:8])
