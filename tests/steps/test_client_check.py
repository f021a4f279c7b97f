"""What clients meet, judged: everything but 200 is out, and a certificate is for a name."""

from __future__ import annotations

from typing import Any

import pytest

from starover.errors import BadParameter
from starover.estate import Balancer, Dag, Estate, Exchange, Server
from starover.steps.client_check import (
    Look,
    Seen,
    Target,
    check_protocols,
    covers,
    finding_of,
    serves,
    targets,
)

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), address="10.0.0.11", exchange=Exchange())
EX2 = Server(name="EX2", fqdn="EX2.example.com", roles=("mailbox",), address="10.0.1.12", exchange=Exchange())
DAG = Dag(name="DAG1", members=("EX1", "EX2"))
VIP = Target("10.0.0.50", "mail.example.com", "mail.example.com", EX1, shared=True)


def look(**more: Any) -> Look:
    base: dict[str, Any] = {"answers": True, "error": "", "status": 200, "location": "", "said": ()}
    return Look(**{**base, "names": (), "serial": "", "days": None, "milliseconds": 5, **more})


@pytest.mark.parametrize(
    ("protocol", "seen", "wrong"),
    [
        ("https", look(), ""),
        ("https", look(status=503), "503"),
        ("https", look(status=302), "302"),
        ("https", look(answers=False, status=0, error="silent"), "silent"),
        ("redirect", look(status=302, location="https://mail.example.com/"), ""),
        ("redirect", look(status=301, location="https://MAIL.example.com/owa"), ""),
        ("redirect", look(status=302, location="https://EX1.example.com/"), "clients want"),
        ("redirect", look(status=200), "clients want"),
        ("smtp", look(status=250), ""),
        ("smtp", look(answers=False, status=421, said=("421 no",)), "421"),
        ("imap", look(status=0), ""),
        ("imap", look(answers=False, status=0, error="refused"), "refused"),
        ("pop", "nobody can look", "nobody can look"),
    ],
)
def test_who_serves(protocol: str, seen: Look | str, wrong: str) -> None:
    one = Seen(VIP, protocol, 443, seen)
    assert wrong in serves(one)
    assert bool(serves(one)) is bool(wrong)
    level = "ok" if not wrong else "unknown" if isinstance(seen, str) else "fail"
    assert finding_of(one).level == level


def test_a_certificate_for_another_name_is_told() -> None:
    assert finding_of(Seen(VIP, "https", 443, look(names=("mail.example.com",)))).level == "ok"
    found = finding_of(Seen(VIP, "https", 443, look(names=("EX1.example.com",))))
    assert (found.level, "mail.example.com" in found.says) == ("warn", True)


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        (("*.example.com",), "mail.example.com", True),
        (("*.example.com",), "a.mail.example.com", False),
        (("*.example.com",), "example.com", False),
        (("MAIL.example.com",), "mail.example.com.", True),
        ((), "mail.example.com", False),
    ],
)
def test_names_of_certificates(names: tuple[str, ...], host: str, *, fits: bool) -> None:
    assert covers(names, host) is fits


def test_each_address_is_looked_at_once() -> None:
    estate = Estate(
        name="unit",
        servers=(EX1, EX2),
        dags=(DAG,),
        balancers=(Balancer(name="vips", addresses=("10.0.0.50", "10.0.32.50")),),
    )
    names = {"mail.example.com": ("10.0.0.50", "10.0.0.11"), "autodiscover.example.com": ("10.0.0.50",)}
    found = [(one.address, one.name, one.shared) for one in targets(DAG, estate, (), names)]
    assert found == [
        ("10.0.0.11", "EX1.example.com", False),
        ("10.0.1.12", "EX2.example.com", False),
        ("10.0.0.50", "mail.example.com", True),
        ("10.0.32.50", "mail.example.com", True),
    ]
    assert targets(DAG, estate, (EX2,), {})[0].address == "10.0.1.12"


def test_old_ports_only_where_old_exchange_is() -> None:
    estate = Estate(name="unit", servers=(EX1,))
    with pytest.raises(BadParameter, match="2013"):
        check_protocols(("https", "rpc"), estate)
    old = Server(name="EX3", fqdn="EX3.a.b", roles=("mailbox",), exchange=Exchange(version="15.0.1497.2"))
    check_protocols(("rpc", "oab", "epmap"), Estate(name="unit", servers=(EX1, old)))
