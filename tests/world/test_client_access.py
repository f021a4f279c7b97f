"""Client access: URLs, Outlook Anywhere, SCP, certificates and providers, as setup leaves them and as they are set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starover_lab.world.client_access import VDIRS
from starover_lab.world.world import World
from world.conftest import THREE, Lab, refusal


def test_a_fresh_server_names_itself(lab: Callable[..., Lab]) -> None:
    access = lab("aws-2az").world.client_access
    assert access.vdir("ExchangeNode1", "OWA").internal_url == "https://exchangenode1.example.com/owa"
    assert access.vdir("ExchangeNode1", "mapi").iis_auth == ("Ntlm", "OAuth", "Negotiate")
    assert access.vdir("ExchangeNode1", "Autodiscover").internal_url == ""
    assert {access.vdir("ExchangeNode1", name).external_url for name in VDIRS} == {""}
    assert access.scp("ExchangeNode1") == "https://exchangenode1.example.com/Autodiscover/Autodiscover.xml"
    assert access.vdir("ExchangeNode1", "ews").extended_protection == "Require", "2019 CU14 turns it on"
    assert access.vdir("ExchangeNode1", "OAB").extended_protection == "None"
    assert not access.outlook_anywhere("ExchangeNode1").ssl_offloading
    assert lab("rep-net-2013").world.client_access.vdir("MBX1", "ews").extended_protection == "None"


def test_urls_are_set_and_cleared(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    access = one.world.client_access
    access.set_vdir("ExchangeNode1", "owa", "ExchangeNode2", external_url="https://mail.example.com/owa")
    assert access.vdir("ExchangeNode1", "owa").external_url == "https://mail.example.com/owa"
    assert access.vdir("ExchangeNode2", "owa").external_url == ""
    assert access.vdir("ExchangeNode1", "owa").internal_url == "https://exchangenode1.example.com/owa", "left alone"
    access.set_vdir("ExchangeNode1", "owa", "ExchangeNode2", external_url="")
    assert access.vdir("ExchangeNode1", "owa").external_url == ""
    for url in ("mail.example.com", "ftp://mail.example.com/owa", "https:///owa"):
        error = refusal(lambda url=url: access.set_vdir("ExchangeNode1", "owa", "ExchangeNode1", internal_url=url))
        assert (error.kind, error.data["parameter"]) == ("syntax", "InternalUrl")
    assert refusal(lambda: access.vdir("ExchangeNode1", "gopher")).data["object"] == "vdir"
    assert refusal(lambda: access.vdir("FileServer", "owa")).data["object"] == "exchange"
    one.world.fault("dc_down", "DC1")
    one.world.fault("dc_down", "DC2")
    assert refusal(lambda: access.set_scp("ExchangeNode1", "ExchangeNode1", "https://a/b")).kind == "no_dc"


def test_outlook_anywhere_scp_and_the_organization(lab: Callable[..., Lab]) -> None:
    access = lab("rep-net-2013").world.client_access
    access.set_outlook_anywhere(
        "MBX1", "MBX1", internal_hostname="mail.example.com", internal_ssl=True, iis_auth=["Ntlm"]
    )
    set_now = access.outlook_anywhere("MBX1")
    assert (set_now.internal_hostname, set_now.internal_ssl, set_now.iis_auth) == ("mail.example.com", True, ("Ntlm",))
    access.set_scp("MBX1", "MBX1", "https://autodiscover.example.com/Autodiscover/Autodiscover.xml")
    assert access.scp("MBX1").startswith("https://autodiscover.example.com/")
    assert not access.organization().mapi_http, "2013 begins without"
    access.set_organization("MBX1", mapi_http=True, safety_net_hold_s=7 * 86_400.0)
    assert (access.organization().mapi_http, access.organization().safety_net_hold_s) == (True, 7 * 86_400.0)
    access.set_provider("expr", "MBX1", cert_principal_name="msstd:mail.example.com")
    assert {one.name: one.cert_principal_name for one in access.providers()} == {
        "EXCH": "",
        "EXPR": "msstd:mail.example.com",
        "WEB": "",
    }
    assert refusal(lambda: access.provider("ABC")).data["object"] == "provider"


def test_certificates_cover_the_names_and_serve_one_site(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    access = one.world.client_access
    names = {server: access.certificates(server) for server in ("ExchangeNode1", "ExchangeNode2")}
    public = [next(cert for cert in certs if "mail.example.com" in cert.domains) for certs in names.values()]
    assert public[0].thumbprint == public[1].thumbprint
    assert public[0].services == ("IIS", "SMTP")
    own = next(cert for cert in names["ExchangeNode1"] if cert.subject == "CN=ExchangeNode1")
    assert (own.self_signed, own.services) == (True, ("SMTP",))
    access.enable_certificate("ExchangeNode1", "ExchangeNode1", own.thumbprint.lower(), ["IIS"])
    after = {cert.subject: cert.services for cert in access.certificates("ExchangeNode1")}
    assert after["CN=ExchangeNode1"] == ("SMTP", "IIS")
    assert after["CN=mail.example.com"] == ("SMTP",), "IIS has one certificate"
    assert (
        refusal(lambda: access.enable_certificate("ExchangeNode1", "ExchangeNode1", "00", ["IIS"])).kind == "not_found"
    )
    auth = next(
        cert
        for cert in access.certificates("ExchangeNode2")
        if cert.thumbprint == access.organization().auth_certificate
    )
    assert auth.not_after > one.world.now
    one.world.fault("auth_cert_expired")
    assert {
        cert.not_after < one.world.now
        for server in names
        for cert in access.certificates(server)
        if cert.thumbprint == auth.thumbprint
    } == {True}


def test_a_topology_says_names_and_certificates(tmp_path: object) -> None:

    file = Path(str(tmp_path)) / "names.yaml"
    text = THREE.replace(
        "build: 15.1.2507.6}}\n  - {name: Mail-02", "build: 15.1.2507.6, namespace: post.test}}\n  - {name: Mail-02"
    )
    file.write_text(
        text + "certificates:\n  - {name: old, domains: [post.test], days: -2, servers: [Mail-01], services: [IIS]}\n",
        encoding="utf-8",
    )
    world = World.from_topology(file)
    access = world.client_access
    assert access.vdir("Mail-01", "EWS").external_url == "https://post.test/EWS/Exchange.asmx"
    assert access.outlook_anywhere("Mail-01").external_hostname == "post.test"
    expired = [cert for cert in access.certificates("Mail-01") if cert.not_after < world.now]
    assert [cert.domains for cert in expired] == [("post.test",)]
    assert not [cert for cert in access.certificates("Mail-02") if cert.not_after < world.now]
