"""Tickets of a real KDC: the lab takes them at both doors, and every refusal says what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kdc import Kdc, missing
from starover_lab.world.world import World
from wire_lab import EstateLab

from starover.errors import AuthFailed, BadInventory
from starover.inventory import Exchange, Road, Server
from starover.transport import Answer, Script
from starover.transport.credentials import Credential, Credentials
from starover.transport.psrp import PsrpTransport
from starover.transport.tickets import is_wrong_password, principal, trouble

READ = (
    "# exchange: Get-MailboxDatabase\n# single\nGet-MailboxDatabase -Status | Select-Object -Property Name, Mounted\n"
)
PASSWORD = next(iter(World.from_topology("pa-4x2").state.accounts)).password
USERS = {"op": "EXAMPLE\\operator", "upn": "operator@example.com", "full": "operator@EXAMPLE.COM"}
needs_kdc = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


class Known:
    """Passwords by reference."""

    def __init__(self, **known: tuple[str, str]) -> None:
        self._known = {name: Credential(*pair) for name, pair in known.items()}

    def resolve(self, reference: str, /) -> Credential:
        return self._known[reference]

    def passwords(self) -> list[str]:
        return []


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    users = {"operator": PASSWORD, "stranger": PASSWORD}
    hosts = ("ex1.example.com", "ex2.example.com")
    with Kdc(tmp_path_factory.mktemp("kdc"), "EXAMPLE.COM", users, hosts, ("mail.example.com",)) as realm:
        yield realm


@pytest.fixture
def lab(kdc: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EstateLab]:
    for name, value in kdc.environment.items():
        monkeypatch.setenv(name, value)
    kdc.forget()
    with EstateLab(tmp_path) as running:
        yield running


def run(
    lab: EstateLab,
    text: str = "1 + 1",
    *,
    way: str = "script",
    credential: str = "",
    scheme: str = "http",
    auth: str = "kerberos",
    fqdn: str = "EX1.example.com",
    known: Known | Credentials | None = None,
) -> Answer:
    port = (lab.host.http if scheme == "http" or lab.host.https is None else lab.host.https).port
    road = Road(scheme=scheme, address="127.0.0.1", port=port, auth=auth, ca_file=str(lab.ca_file))  # type: ignore[arg-type]
    door = Road(kind="exchange", scheme="http", address="127.0.0.1", port=lab.host.http.port, auth=auth)  # type: ignore[arg-type]
    server = Server(
        name="EX1",
        fqdn=fqdn,
        roles=("mailbox",),
        roads=(road, door),
        credential=credential,
        exchange=Exchange(provider="direct"),
    )
    transport = PsrpTransport(known or Known(**{name: (user, PASSWORD) for name, user in USERS.items()}))
    try:
        script = Script(id="1", server=server, text=text, deadline=15.0, mutates=False, way=way)  # type: ignore[arg-type]
        (answer,) = transport.run([script])
    finally:
        transport.close()
    return answer


def refusal(answer: Answer) -> AuthFailed:
    assert isinstance(answer.error, AuthFailed), answer.error
    return answer.error


@needs_kdc
@pytest.mark.wire
@pytest.mark.parametrize("credential", ["", "ticket", "op", "upn"])
def test_a_ticket_or_a_password_opens_winrm(kdc: Kdc, lab: EstateLab, credential: str) -> None:
    if credential in ("", "ticket"):
        kdc.kinit("operator")
    answer = run(lab, "[Environment]::UserName; 1 + 1", credential=credential)
    assert answer.error is None
    assert answer.output.splitlines()[-1] == "2"


@needs_kdc
@pytest.mark.wire
def test_over_https_the_ticket_is_bound_to_the_certificate(kdc: Kdc, lab: EstateLab) -> None:
    kdc.kinit("operator")
    assert run(lab, scheme="https").output == "2"


@needs_kdc
@pytest.mark.wire
@pytest.mark.parametrize("credential", ["", "ticket"])
def test_direct_works_with_a_ticket_and_no_password(kdc: Kdc, lab: EstateLab, credential: str) -> None:
    kdc.kinit("operator")
    answer = run(lab, READ, way="command", credential=credential)
    assert answer.error is None
    assert answer.road == "exchange+http"
    assert len(answer.output.splitlines()) == len(lab.world.state.databases)


@needs_kdc
@pytest.mark.wire
def test_negotiate_takes_the_ticket_that_is_there(kdc: Kdc, lab: EstateLab) -> None:
    kdc.kinit("operator")
    for credential, auth in (("full", "negotiate"), ("op", "negotiate"), ("op", "ntlm")):
        answer = run(lab, credential=credential, auth=auth)
        assert answer.output == "2", answer


@needs_kdc
@pytest.mark.wire
def test_without_a_ticket_nothing_is_sent(lab: EstateLab) -> None:
    error = refusal(run(lab))
    assert "no Kerberos ticket" in error.what
    assert "kinit USER@REALM" in error.next
    assert lab.host.requests == {}


@needs_kdc
@pytest.mark.wire
def test_a_job_has_a_keytab_and_nobody_types_kinit(kdc: Kdc, lab: EstateLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", str(kdc.keytab("operator")))
    assert run(lab, credential="ticket").output == "2"


@needs_kdc
@pytest.mark.wire
def test_a_clock_that_is_wrong_refuses_and_five_minutes_do_not(kdc: Kdc, lab: EstateLab) -> None:
    kdc.kinit("operator")
    fault = lab.now(lambda: lab.world.fault("kerberos_skew", "EX1", seconds=299))
    assert run(lab).output == "2"
    lab.now(lambda: lab.world.mend(fault))
    lab.now(lambda: lab.world.fault("kerberos_skew", "EX1", seconds=301))
    for auth in ("kerberos", "negotiate"):
        error = refusal(run(lab, auth=auth, credential="" if auth == "kerberos" else "full"))
        assert "0x80090324" in error.what
        assert any("w32tm" in line for line in error.next)
    assert run(lab, credential="op", auth="ntlm").output == "2", "NTLM minds no clock"


@needs_kdc
@pytest.mark.wire
@pytest.mark.parametrize("fqdn", ["mail.example.com", "EX2.example.com"])
def test_another_name_than_the_hosts_own_is_the_wrong_principal(kdc: Kdc, lab: EstateLab, fqdn: str) -> None:
    kdc.kinit("operator")
    assert "0x80090322" in refusal(run(lab, fqdn=fqdn)).what


@needs_kdc
@pytest.mark.wire
def test_a_name_that_the_domain_does_not_know(kdc: Kdc, lab: EstateLab) -> None:
    kdc.kinit("operator")
    assert "the domain knows no HTTP/" in refusal(run(lab, fqdn="nobody.example.com")).what


@needs_kdc
@pytest.mark.wire
def test_a_wrong_password_is_asked_about_once(kdc: Kdc, lab: EstateLab) -> None:
    known = Known(bad=("operator@EXAMPLE.COM", "wrong"))
    assert "does not accept the user and password" in refusal(run(lab, credential="bad", known=known)).what
    asked = (kdc.folder / "kdc.log").read_text().count("AS_REQ")
    assert "did not accept" in refusal(run(lab, credential="bad", known=known)).what, "closed for this process"
    assert (kdc.folder / "kdc.log").read_text().count("AS_REQ") == asked


@needs_kdc
@pytest.mark.wire
def test_a_ticket_of_somebody_whom_the_lab_does_not_know(kdc: Kdc, lab: EstateLab) -> None:
    kdc.kinit("stranger")
    refusal(run(lab))
    assert lab.host.requests == {}


# -- without a KDC


def test_the_tests_with_tickets_say_when_they_cannot_be_run() -> None:
    said = missing()
    assert said == "" or said.startswith("NO KERBEROS HERE")


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        ("EXAMPLE\\operator", "operator@EXAMPLE.COM"),
        ("example\\op.er", "op.er@EXAMPLE.COM"),
        ("operator@example.com", "operator@EXAMPLE.COM"),
        ("operator", "operator"),
    ],
)
def test_the_user_as_kerberos_wants_it(user: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert principal(user, "EX1.example.com") == wanted
    monkeypatch.setattr("sys.platform", "win32")
    assert principal(user, "EX1.example.com") == user


def test_a_domain_whose_realm_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(AuthFailed, match="name@REALM"):
        principal("CORP\\operator", "EX1.example.com")


class Native(OSError):
    """An error of one of the libraries."""

    def __init__(self, **codes: int) -> None:
        super().__init__("native")
        for name, value in codes.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("codes", "word"),
    [
        ({"min_code": 2529638949}, "0x80090324"),
        ({"min_code": 2529638953}, "0x80090322"),
        ({"min_code": 2529639053}, "no Kerberos ticket"),
        ({"err_code": -1765328228}, "KDC"),
        ({"err_code": -1765328360}, "does not accept"),
        ({"winerror": -2146893022}, "0x80090322"),
        ({"winerror": 0x80090324}, "0x80090324"),
    ],
)
def test_what_a_refusal_means(codes: dict[str, int], word: str) -> None:
    error = RuntimeError("around it")
    error.__cause__ = Native(**codes)
    found = trouble(error)
    assert found is not None
    assert word in found.what
    assert is_wrong_password(error) == ("does not accept" in word)


def test_other_errors_are_none_of_kerberos() -> None:
    assert trouble(Native(min_code=0)) is None
    assert trouble(OSError(5, "no")) is None


def test_a_ticket_is_no_password() -> None:
    with pytest.raises(BadInventory, match="auth: kerberos"):
        Credentials().resolve("ticket")
