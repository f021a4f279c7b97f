"""A certificate on every member: one, a look, the rest; what is refused, what comes back, and no password anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab
from starover_lab.client_services import certificate_for
from starover_lab.world.world import World

from starover import envelope
from starover.errors import BadInventory, NotSafe
from starover.estate import Exchange, Server
from starover.render import make_body
from starover.step import Blocked, Change
from starover.steps.certificate_roll import AuthConfig, auth_in_force, auth_next, certificate_present, certificate_shown
from starover.steps.certificates import Certificate, Certificates
from starover.transport import Script

ESTATE = """
name: renewing
extends: aws-2az
use: [dag]
certificates:
  - {name: old, domains: [mail.example.com, autodiscover.example.com], days: 20}
  - {name: new, subject: 'CN=mail.example.com, O=New', domains: ['*.example.com'], servers: [ExchangeNode1],
    services: []%s}
"""


SERVERS = ("ExchangeNode1", "ExchangeNode2")


def estate(folder: Path, more: str = "") -> Path:
    file = folder / "estate.yaml"
    file.write_text(ESTATE % more, "utf-8")
    return file


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab(estate(tmp_path), tmp_path) as lab:
        yield lab


def new(lab: InnerLab) -> str:
    held = lab.do(lambda world: world.client_access.certificates("ExchangeNode1"))
    return next(one.thumbprint for one in held if "O=New" in one.subject)


def shown(lab: InnerLab) -> dict[str, bool]:
    """By server whether the web server shows the new one."""
    thumbprint = new(lab)

    def look(world: World) -> dict[str, bool]:
        return {
            one.name: any(
                held.thumbprint == thumbprint and "IIS" in held.services
                for held in world.client_access.certificates(one.name)
            )
            for one in world.state.servers
            if one.exchange is not None
        }

    return lab.do(look)


def imap_runs(world: World) -> None:
    """With the first server's own certificate."""
    world.state.servers["ExchangeNode1"].services["MSExchangeImap4"].status = "Running"
    own = next(one for one in world.client_access.certificates("ExchangeNode1") if one.subject == "CN=ExchangeNode1")
    world.client_access.enable_certificate("ExchangeNode1", "DC1", own.thumbprint, ["IMAP"])


def on_smtp(lab: InnerLab) -> str:
    """Whose certificate the first server shows to who asks for TLS on 25."""

    def look(world: World) -> str:
        found = certificate_for(world.state.servers["ExchangeNode1"], "smtp", world.now)
        return found.subject if found is not None else ""

    return lab.do(look)


def test_one_then_a_look_then_the_rest_and_back(lab: InnerLab, tmp_path: Path) -> None:
    order: list[str] = []

    def listen(script: Script) -> None:
        words = {"Import-Exch": "brought", "Enable-Exch": "enabled", '"service": "probe"': "looked at"}
        order.extend(f"{word} {script.server.name}" for text, word in words.items() if f"{text}" in script.text)

    planned = lab.plan("certificate-roll", kind="san", thumbprint=new(lab))
    assert [step.kind for step in planned.plan.steps] == [
        "certificate_present",
        *("certificate_shown", "smtp_certificate_shown"),
        *("certificate_shown", "smtp_certificate_shown"),
    ]
    lab.transport.accident = listen
    ran = lab.apply(planned.plan)
    assert ran.exit == 0, ran.error
    assert shown(lab) == dict.fromkeys(SERVERS, True)
    first = order.index("enabled ExchangeNode1")
    assert order.index("looked at ExchangeNode1", first) < order.index("enabled ExchangeNode2")
    undone = lab.apply(lab.local().undo(ran.run).plan)
    assert undone.exit == 0, undone.error
    assert shown(lab) == dict.fromkeys(SERVERS, False)
    assert lab.do(lambda world: len(world.client_access.certificates("ExchangeNode2"))) == 4, "nothing is removed"
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    passwords = [one.password for one in lab.world.state.accounts]
    assert b"Import-ExchangeCertificate" in kept
    assert not [one for one in passwords if one.encode() in kept]
    assert not [one for one in lab.world.events if one.kind == "secret_in_script"]


def test_a_first_server_that_serves_nobody_with_it_is_the_last_one(lab: InnerLab) -> None:
    """After its change its health page is gone: the others keep what works."""

    def break_it(script: Script) -> None:
        if "Enable-ExchangeCertificate" in script.text and script.mutates:
            lab.world.set_component("ExchangeNode1", "ExchangeNode1", "OwaProxy", "Inactive", "HealthApi")

    planned = lab.plan("certificate-roll", kind="san", thumbprint=new(lab))
    lab.transport.accident = break_it
    ran = lab.apply(planned.plan)
    assert ran.exit == 5, ran.error
    assert shown(lab) == {"ExchangeNode1": True, "ExchangeNode2": False}


def test_mail_protocols_in_use_get_it_too(lab: InnerLab) -> None:
    lab.do(imap_runs)
    planned = lab.plan("certificate-roll", kind="san", thumbprint=new(lab), servers=["ExchangeNode1"])
    assert [step.arguments["services"] for step in planned.plan.steps] == ["IIS", "SMTP", "IMAP"]
    ran = lab.apply(planned.plan)
    assert ran.exit == 0, ran.error
    assert lab.run("certificate-roll", kind="san", thumbprint=new(lab), servers=["ExchangeNode1"]).changed == 0


def test_a_service_that_shows_another_one_is_mended_though_the_web_is_right(lab: InnerLab) -> None:
    """As a second run after one that was cut off between the two, or after somebody's own attempt."""
    thumbprint = new(lab)
    lab.do(lambda world: world.client_access.enable_certificate("ExchangeNode1", "DC1", thumbprint, ["IIS"]))
    ran = lab.run("certificate-roll", kind="san", thumbprint=thumbprint, servers=["ExchangeNode1"])
    assert ran.exit == 0, ran.error
    assert [step.kind for step in ran.steps if step.state == "changed"] == ["smtp_certificate_shown"]
    assert on_smtp(lab) == "CN=mail.example.com, O=New"


def test_undo_gives_each_service_its_own_former_certificate(lab: InnerLab) -> None:
    """The web showed the old one, IMAP the server's own: none gets the other's, and SMTP keeps what it was given."""

    lab.do(imap_runs)
    ran = lab.run("certificate-roll", kind="san", thumbprint=new(lab), servers=["ExchangeNode1"])
    assert ran.exit == 0, ran.error
    enabled: list[Script] = []
    lab.transport.accident = lambda script: enabled.append(script) if script.mutates else None
    undone = lab.apply(lab.local().undo(ran.run).plan)
    assert undone.exit == 0, undone.error
    held = lab.do(lambda world: world.client_access.certificates("ExchangeNode1"))
    by = {service: one.subject for one in held for service in one.services if service != "SMTP"}
    assert (by["IIS"], by["IMAP"]) == ("CN=mail.example.com", "CN=ExchangeNode1")
    assert not [one for one in enabled if "'SMTP'" in one.text or "SMTP, " in one.text]


def test_what_no_look_tells_goes_with_the_web_and_is_said(tmp_path: Path) -> None:
    """A certificate that is not for the server's own name is not what SMTP's connector takes."""
    file = estate(tmp_path)
    file.write_text(file.read_text("utf-8").replace("'*.example.com'", "mail.example.com"), "utf-8")
    with InnerLab(file, tmp_path) as lab:
        planned = lab.plan("certificate-roll", kind="san", thumbprint=new(lab), servers=["ExchangeNode1"])
        (step,) = planned.plan.steps
        assert step.arguments["services"] == "IIS, SMTP"
        assert step.change is not None
        assert "SMTP: no look tells" in step.change.warning
        assert lab.apply(planned.plan).exit == 0


def test_a_key_that_stays_is_said_before_any_client_notices(tmp_path: Path) -> None:
    with InnerLab(estate(tmp_path, ", exportable: false"), tmp_path) as lab:
        ran = lab.run("certificate-roll", kind="san", thumbprint=new(lab))
        assert ran.exit == 1
        assert "exportable" in str(ran.error)
        assert not any(shown(lab).values())


@pytest.mark.parametrize(
    ("more", "says"),
    [(", days: -1", "P42: .* has expired"), ("", "P42: .* is not good for autodiscover")],
)
def test_what_would_lock_clients_out_is_refused(more: str, says: str, tmp_path: Path) -> None:
    file = estate(tmp_path, more)
    if not more:
        file.write_text(file.read_text("utf-8").replace("'*.example.com'", "mail.example.com"), "utf-8")
    with InnerLab(file, tmp_path) as lab:
        namespace = "https://autodiscover.example.com/Autodiscover/Autodiscover.xml"
        lab.do(lambda world: [world.client_access.set_scp(name, name, namespace) for name in SERVERS])
        with pytest.raises(NotSafe, match=says):
            lab.plan("certificate-roll", kind="san", thumbprint=new(lab))


def test_a_name_that_outlook_does_not_expect_is_refused(lab: InnerLab) -> None:
    lab.do(
        lambda world: world.client_access.set_provider(
            "EXPR", "ExchangeNode1", cert_principal_name="msstd:owa.contoso.com"
        )
    )
    with pytest.raises(NotSafe, match="P43"):
        lab.plan("certificate-roll", kind="san", thumbprint=new(lab))


def test_a_certificate_that_nobody_has_is_refused(lab: InnerLab) -> None:
    with pytest.raises(NotSafe, match="is not installed on ExchangeNode1"):
        lab.plan("certificate-roll", kind="san", thumbprint="0" * 40)


def test_the_next_auth_certificate_comes_into_force_by_itself(lab: InnerLab) -> None:
    before = lab.do(lambda world: world.client_access.organization().auth_certificate)
    ran = lab.run("certificate-roll", kind="auth", thumbprint=new(lab))
    assert ran.exit == 0, ran.error
    organization = lab.do(lambda world: world.client_access.organization())
    assert (organization.auth_certificate, organization.next_auth_certificate) == (before, new(lab))
    assert not [step for step in ran.steps if step.kind == "service_restarted"]
    lab.later(62 * 3600)
    assert lab.do(lambda world: world.client_access.organization().auth_certificate) == new(lab)
    assert lab.run("certificate-roll", kind="auth", thumbprint=new(lab)).steps[-1].state == "right"


def test_an_expired_auth_certificate_is_replaced_at_once(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("auth_cert_expired"))
    ran = lab.run("certificate-roll", kind="auth", thumbprint=new(lab))
    assert ran.exit == 0, ran.error
    assert lab.do(lambda world: world.client_access.organization().auth_certificate) == new(lab)
    restarted = [step for step in ran.steps if step.kind == "service_restarted" and step.state == "changed"]
    assert [step.host for step in restarted] == ["ExchangeNode1", "ExchangeNode2"]


def test_restarts_that_a_run_still_owed_are_made_up_by_the_next_one(lab: InnerLab) -> None:
    """It was cut off after the certificate was put in force; nobody resumes it, somebody begins anew."""
    lab.do(lambda world: world.fault("auth_cert_expired"))
    begun = lab.plan("certificate-roll", kind="auth", thumbprint=new(lab)).plan
    stop = False

    def cut(script: Script) -> str | None:
        nonlocal stop
        stop = stop or ("Restart-Service" in script.text and script.server.name == "ExchangeNode2")
        return "before" if stop else None

    lab.transport.accident = cut
    assert lab.apply(begun).exit != 0
    lab.transport.accident = lambda _: None
    ran = lab.run("certificate-roll", kind="auth", thumbprint=new(lab))
    assert ran.exit == 0, ran.error
    assert [(one.kind, one.host) for one in ran.steps if one.state == "changed"] == [
        ("service_restarted", "ExchangeNode2")
    ]
    assert lab.run("certificate-roll", kind="auth", thumbprint=new(lab)).changed == 0


def test_a_current_auth_certificate_that_only_the_first_server_lacks_is_not_expired(lab: InnerLab) -> None:
    def lose(world: World) -> None:
        exchange = world.state.servers["ExchangeNode1"].exchange
        assert exchange is not None
        current = world.client_access.organization().auth_certificate
        held = exchange.client_access.certificates
        held[:] = [one for one in held if one.thumbprint != current]

    lab.do(lose)
    planned = lab.plan("certificate-roll", kind="auth", thumbprint=new(lab)).plan
    assert [step.kind for step in planned.changes] == ["certificate_present", "auth_next"]
    change = planned.changes[-1].change
    assert change is not None
    assert "not on ExchangeNode1" in change.warning
    assert planned.changes[-1].arguments["ahead"]


# -- decisions ---------------------------------------------------------------------------------------------------------


def held(thumbprint: str = "AA" * 20, **more: Any) -> Certificate:
    values: dict[str, Any] = {"subject": "CN=mail", "self_signed": False, "names": ("mail",), "days": 90}
    states: dict[str, Any] = {"expired": False, "serial": "01", "key": True, "back": False, "shown": False}
    return Certificate(thumbprint=thumbprint, **(values | states | more))


@pytest.mark.parametrize(
    ("held_now", "present", "used"),
    [
        ((), Change, Change),
        ((held(),), type(None), Change),
        ((held("aa" * 20),), type(None), Change),
        ((held(shown=True),), type(None), type(None)),
        ((held(key=False),), Blocked, Blocked),
        ((held(expired=True),), Blocked, Blocked),
        ((held("BB" * 20, shown=True),), Change, Change),
    ],
)
def test_what_is_missing(held_now: tuple[Certificate, ...], present: type, used: type) -> None:
    now = Certificates(certificates=held_now)
    assert type(certificate_present(now, thumbprint="AA" * 20, source="EX1", name="EX2")) is present
    found = certificate_shown(now, thumbprint="AA" * 20, whose="mail", name="EX2", services="IIS, SMTP")
    assert type(found) is used


def test_another_next_auth_certificate_is_not_put_in_force() -> None:
    now = AuthConfig(current="AA", next="CC", effective="")
    assert isinstance(auth_in_force(now, thumbprint="BB"), Blocked)
    assert isinstance(auth_next(now, thumbprint="BB", ahead=0), Change)
    assert auth_next(now, thumbprint="cc", ahead=0) is None


# -- the secret --------------------------------------------------------------------------------------------------------


def server(provider: str, credential: str = "env:OPS") -> Server:
    exchange = Exchange(provider=provider, allow_unsupported_snapin=True)  # type: ignore[arg-type]
    return Server(name="EX1", fqdn="ex1.example.com", roles=("mailbox",), exchange=exchange, credential=credential)


BODY = make_body("client/x.ps1.j2", "# exchange: Import-ExchangeCertificate\n# credential\nGet-Date\n")


@pytest.mark.parametrize("provider", ["remote", "snapin"])
def test_what_locks_a_certificate_travels_as_an_argument(provider: str) -> None:
    composed = envelope.write(server(provider), BODY, "11111111-1111-4111-8111-111111111111", "0" * 16)
    assert composed.arguments == (("ExchangeCredential", "env:OPS"),)
    assert composed.text.startswith("param($ExchangeCredential)\n")


@pytest.mark.parametrize("credential", ["", "ticket"])
def test_without_a_password_it_is_refused_before_anything_is_sent(credential: str) -> None:
    with pytest.raises(BadInventory, match="to lock what it carries"):
        envelope.write(server("snapin", credential), BODY, "11111111-1111-4111-8111-111111111111", "0" * 16)
