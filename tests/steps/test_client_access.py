"""What the step kinds for client access decide, and how certificates and settings are graded: by hand, no host."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from starover.estate import Server
from starover.runbook import Finding
from starover.step import Blocked, Change
from starover.steps.certificates import Certificate, Certificates, certificate_findings, covers, shows, uncovered
from starover.steps.client_access import (
    ClientSettings,
    Directory,
    MapiHttp,
    OutlookAnywhere,
    PrincipalName,
    Probe,
    ProbeResult,
    Protection,
    Provider,
    Providers,
    autodiscover_set,
    mapi_http_set,
    outlook_anywhere_set,
    provider_set,
    same_url,
    urls_set,
)
from starover.steps.dns import Answer
from starover.steps.namespaces import access_findings, hosts_of, name_findings

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
OWA = "EX1\\owa (Default Web Site)"
RPC = "EX1\\Rpc (Default Web Site)"
MAIL = "https://mail.example.com"


def settings(internal: str = f"{MAIL}/owa", external: str = f"{MAIL}/owa", **more: Any) -> ClientSettings:
    anywhere = OutlookAnywhere(
        vdir=RPC,
        internal="mail.example.com",
        external="mail.example.com",
        internal_ssl=True,
        external_ssl=True,
        external_auth="Negotiate",
        offloading=more.pop("offloading", False),
    )
    values: dict[str, Any] = {
        "directories": (Directory(protocol="owa", vdir=OWA, internal=internal, external=external),),
        "anywhere": (anywhere,),
        "autodiscover": "https://autodiscover.example.com/Autodiscover/Autodiscover.xml",
    }
    return ClientSettings(**(values | more))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://Mail.Example.com/owa", "https://mail.example.com/owa/", True),
        ("https://mail.example.com/owa", "http://mail.example.com/owa", False),
        ("https://mail.example.com/owa", "https://mail.example.com/ecp", False),
        ("", "", True),
        ("", "https://mail.example.com/owa", False),
        ("https://mail.example.com:444/owa", "https://mail.example.com/owa", False),
    ],
)
def test_when_urls_are_the_same(one: str, other: str, same: bool) -> None:
    assert same_url(one, other) is same


def test_urls_and_their_way_back() -> None:
    asked: dict[str, Any] = {"name": "EX1", "legacy": False, "protocol": "owa", "vdir": OWA}
    wanted = asked | {"internal": f"{MAIL}/owa", "external": f"{MAIL}/owa"}
    assert urls_set(settings(), **wanted) is None
    change = urls_set(settings("https://ex1.example.com/owa", ""), **wanted)
    assert change == Change(OWA, "inside https://ex1.example.com/owa, outside none", f"{MAIL}/owa")
    assert isinstance(urls_set(settings(directories=()), **wanted), Blocked)
    step = urls_set.on(EX1, **wanted)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(settings("https://ex1.example.com/owa", "")))
    assert back is not None
    assert (back.arguments["internal"], back.arguments["external"]) == ("https://ex1.example.com/owa", None)


def test_outlook_anywhere_and_autodiscover_and_their_ways_back() -> None:
    wanted: dict[str, Any] = {
        "name": "EX1",
        "legacy": False,
        "vdir": RPC,
        "internal": "mail.example.com",
        "external": "mail.example.com",
        "internal_ssl": True,
        "external_ssl": True,
        "external_auth": "Negotiate",
        "offloading": False,
    }
    assert outlook_anywhere_set(settings(), **wanted) is None
    change = outlook_anywhere_set(settings(offloading=True), **wanted)
    assert isinstance(change, Change)
    assert ("ended before it" in change.now, "to the server" in change.wanted) == (True, True)
    step = outlook_anywhere_set.on(EX1, **wanted)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(settings(offloading=True)))
    assert back is not None
    assert back.arguments["offloading"] is True

    uri = "https://auto.example.com/Autodiscover/Autodiscover.xml"
    assert isinstance(autodiscover_set(settings(), name="EX1", legacy=True, uri=uri), Change)
    assert autodiscover_set(settings(autodiscover=uri.upper().replace("/A", "/A")), name="", legacy=True, uri=None)
    undone = autodiscover_set.on(EX1, name="EX1", legacy=True, uri=uri)
    assert undone.revert is not None
    was = undone.revert(msgspec.json.encode(settings(autodiscover="")))
    assert was is not None
    assert was.arguments["uri"] is None


def test_mapi_and_providers() -> None:
    assert mapi_http_set(MapiHttp(enabled=True), enabled=True) is None
    change = mapi_http_set(MapiHttp(enabled=False), enabled=True)
    assert isinstance(change, Change)
    assert "restart" in change.note
    assert Probe(results=(ProbeResult(result="Succeeded", error=""),)).succeeded
    assert not Probe(results=()).succeeded
    known = Providers(providers=(Provider(name="EXPR", principal=""),))
    assert isinstance(provider_set(known, provider="WEB", principal="none"), Blocked)
    assert isinstance(provider_set(known, provider="expr", principal="msstd:mail.example.com"), Change)
    step = provider_set.on(EX1, provider="EXPR", principal="msstd:mail.example.com")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(known))
    assert back is not None
    assert back.arguments["principal"] is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("msstd:mail.example.com", True),
        ("msstd:*.example.com", True),
        ("none", True),
        ("mail.example.com", False),
        ("msstd:", False),
        ("msstd:mail", False),
        ("msstd:mail.example.com; exit", False),
        ("None ", False),
    ],
)
def test_principal_names(text: str, fits: bool) -> None:
    try:
        msgspec.convert(text, PrincipalName)
    except msgspec.ValidationError:
        assert not fits
    else:
        assert fits


# -- certificates ------------------------------------------------------------------------------------------------------


def certificate(*names: str, days: int = 200, shown: bool = True, **more: Any) -> Certificate:
    values: dict[str, Any] = {
        "thumbprint": "AB12",
        "subject": f"CN={names[0]}, O=Example",
        "self_signed": False,
        "serial": "0A",
        "key": True,
        "back": False,
    }
    return Certificate(**(values | {"names": names, "days": days, "expired": False, "shown": shown} | more))


MAILS = certificate("mail.example.com", "autodiscover.example.com")


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (["mail.example.com"], "MAIL.example.com.", True),
        (["*.example.com"], "mail.example.com", True),
        (["*.example.com"], "a.mail.example.com", False),
        (["*.example.com"], "example.com", False),
        ([], "mail.example.com", False),
    ],
)
def test_which_names_a_certificate_covers(names: list[str], host: str, good: bool) -> None:
    assert covers(names, host) is good


def test_without_other_names_the_subject_counts() -> None:
    alone = certificate("mail.example.com", names=())
    assert uncovered(Certificates(certificates=(alone,)), ["mail.example.com", "x.example.com"]) == ["x.example.com"]
    assert uncovered(Certificates(certificates=()), ["mail.example.com"]) == ["mail.example.com"]
    assert shows(alone, "Mail.example.com")
    assert shows(certificate("*.example.com"), "*.example.com")


def graded(seen: dict[str, Any], principal: str = "", days: int = 30) -> list[tuple[str, str, str]]:
    found = certificate_findings(seen, ["mail.example.com"], principal, days)
    return [(one.check, one.on, one.level) for one in found]


def of(*some: Certificate) -> Certificates:
    return Certificates(certificates=some)


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        (of(MAILS), "ok"),
        (of(certificate("mail.example.com", days=29)), "warn"),
        (of(certificate("mail.example.com", days=0, expired=True)), "fail"),
        (of(certificate("other.example.com")), "fail"),
        (of(certificate("mail.example.com", self_signed=True)), "warn"),
        (of(certificate("mail.example.com", shown=False)), "fail"),
        ("EX1 did not answer", "unknown"),
    ],
)
def test_how_a_certificate_is_graded(seen: Any, level: str) -> None:
    assert ("P42", "EX1", level) in graded({"EX1": seen})


def test_servers_that_show_different_certificates() -> None:
    renewed = certificate("mail.example.com", thumbprint="CD34")
    assert ("P42", "all", "warn") in graded({"EX1": of(MAILS), "EX2": of(renewed)})
    other = certificate("post.example.com", "mail.example.com", thumbprint="EF56")
    assert ("P42", "all", "fail") in graded({"EX1": of(MAILS), "EX2": of(other)})
    assert not any(on == "all" for _, on, _ in graded({"EX1": of(MAILS), "EX2": of(MAILS)}))


def test_what_outlook_expects() -> None:
    assert ("P43", "EXPR", "info") in graded({"EX1": of(MAILS)})
    assert ("P43", "EXPR", "info") in graded({"EX1": of(MAILS)}, "none")
    assert ("P43", "EXPR", "ok") in graded({"EX1": of(MAILS)}, "msstd:mail.example.com")
    assert ("P43", "EXPR", "warn") in graded({"EX1": of(MAILS)}, "msstd:other.example.com")


# -- the whole ---------------------------------------------------------------------------------------------------------


def audited(seen: dict[str, Any], protected: dict[str, Any] | None = None, mapi: Any = None) -> list[Finding]:
    guarded = protected or dict.fromkeys(seen, Protection(protected=()))
    return list(access_findings(seen, guarded, mapi or MapiHttp(enabled=True), ["EX1", "EX2"]))


def levels(found: list[Finding], check: str, on: str) -> list[str]:
    return [one.level for one in found if (one.check, one.on) == (check, on)]


def test_a_servers_own_name_and_differences_are_amber() -> None:
    assert levels(audited({"EX1": settings(), "EX2": settings()}), "P44", "EX1") == ["ok"]
    own = audited({"EX1": settings("https://ex1.example.com/owa"), "EX2": settings()})
    assert levels(own, "P44", "EX1") == ["warn"]
    assert levels(own, "P44", "owa") == ["warn"]
    assert levels(audited({"EX1": settings("")}), "P44", "EX1") == ["warn"]
    assert levels(audited({"EX1": "no answer"}), "P44", "EX1") == ["unknown"]


def test_extended_protection_and_tls_that_ends_early_exclude_each_other() -> None:
    guarded = {"EX1": Protection(protected=(OWA,))}
    assert levels(audited({"EX1": settings(offloading=True)}, guarded), "P53", "EX1") == ["fail"]
    assert levels(audited({"EX1": settings()}, guarded), "P53", "EX1") == ["info"]
    assert levels(audited({"EX1": settings()}, {"EX1": "IIS silent"}), "P53", "EX1") == ["unknown"]


def test_mapi_over_http_in_the_audit() -> None:
    assert levels(audited({}, {}, MapiHttp(enabled=False)), "MAPI", "organization") == ["warn"]
    assert levels(audited({}, {}, "refused"), "MAPI", "organization") == ["unknown"]


def answer(*addresses: str, ttl: int = 300, aliases: tuple[str, ...] = ()) -> Answer:
    return Answer(aliases=aliases, addresses=addresses, ttls=(ttl,) if addresses else ())


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"DC1": answer("10.0.0.1")}, ["ok"]),
        ({"DC1": answer("10.0.0.1", ttl=301)}, ["warn"]),
        ({"DC1": answer()}, ["fail"]),
        ({"DC1": answer("10.0.0.1"), "DC2": answer("10.0.0.2")}, ["warn", "ok"]),
        ({"DC1": "silent", "DC2": answer("10.0.0.1", "10.0.0.2")}, ["unknown", "ok"]),
    ],
)
def test_what_dns_answers(answers: dict[str, Any], found: list[str]) -> None:
    assert [one.level for one in name_findings({"mail.example.com": answers})] == found


def test_every_host_that_clients_are_sent_to() -> None:
    assert set(hosts_of(settings("https://EX1.example.com/owa"))) == {
        "ex1.example.com",
        "mail.example.com",
        "autodiscover.example.com",
    }
