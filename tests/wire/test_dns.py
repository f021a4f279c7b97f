"""The DCs' DNS as clients see it: dnspython over UDP and TCP, and dig where there is one."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update
import pytest
from starover_lab.dns_server import DnsListener, reply
from starover_lab.world.dns import Record
from starover_lab.world.world import World

pytestmark = pytest.mark.wire

TOPOLOGY = """
name: named
extends: pa-4x2
dns_zones: [corp.example.net]
dns_records:
  - {name: mail.corp.example.net, type: CNAME, data: web.corp.example.net., ttl: 90s}
  - {name: web.corp.example.net, type: CNAME, data: ex1.example.com., ttl: 5m}
  - {name: lost.corp.example.net, type: CNAME, data: nowhere.example.com., ttl: 5m}
  - {name: corp.example.net, type: MX, data: 10 ex1.example.com., ttl: 1h}
  - {name: spf.corp.example.net, type: TXT, data: v=spf1 ip4:10.0.0.0/16 -all, ttl: 1h}
"""


class Names:
    """The DCs of a world on the line, with their loop in a thread."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners = {name: DnsListener(name, world.dns) for name in world.dns.servers()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for one in self.listeners.values():
            asyncio.run_coroutine_threadsafe(one.serve(), self._loop).result(10)

    def now(self, act: Callable[[], object]) -> None:
        done: Future[None] = Future()
        self._loop.call_soon_threadsafe(lambda: (act(), done.set_result(None)))
        done.result(10)

    def close(self) -> None:
        self.now(lambda: [one.close() for one in self.listeners.values()])
        self.now(lambda: None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def ask(
        self, name: str, kind: str = "A", *, at: str = "DC1", tcp: bool = False, timeout: float = 5.0, **options: Any
    ) -> dns.message.Message:
        question = dns.message.make_query(name, kind, **options)
        send = dns.query.tcp if tcp else dns.query.udp
        return send(question, "127.0.0.1", port=self.listeners[at].port, timeout=timeout)

    def data(self, name: str, kind: str = "A", **options: Any) -> list[str]:
        return [str(one) for rrset in self.ask(name, kind, **options).answer for one in rrset]


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Names]:
    file = tmp_path / "named.yaml"
    file.write_text(TOPOLOGY)
    made = Names(World.from_topology(file))
    yield made
    made.close()


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("dc", ["DC1", "DC2"])
def test_a_host_has_its_address(names: Names, tcp: bool, dc: str) -> None:
    answer = names.ask("EX1.example.com", at=dc, tcp=tcp)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA
    (rrset,) = answer.answer
    assert [str(one) for one in rrset] == [names.world.server("EX1").address]
    (record,) = names.world.dns.records(dc, "example.com", "EX1")
    assert rrset.ttl == record.ttl_s


@pytest.mark.parametrize("kind", ["A", "HTTPS", "AAAA"])
def test_an_alias_comes_with_what_it_leads_to(names: Names, kind: str) -> None:
    answer = names.ask("mail.corp.example.net", kind)
    chain = [(str(one.name), dns.rdatatype.to_text(one.rdtype), one.ttl) for one in answer.answer]
    assert chain[:2] == [("mail.corp.example.net.", "CNAME", 90), ("web.corp.example.net.", "CNAME", 300)]
    assert answer.rcode() == dns.rcode.NOERROR
    if kind == "A":
        assert names.world.server("EX1").address in names.data("mail.corp.example.net")
    else:
        assert len(chain) == 2
        assert dns.rdatatype.to_text(answer.authority[0].rdtype) == "SOA"


def test_asked_for_the_alias_itself_nothing_is_followed(names: Names) -> None:
    assert names.data("mail.corp.example.net", "CNAME") == ["web.corp.example.net."]


def test_what_is_not_there(names: Names) -> None:
    nothing = names.ask("nobody.example.com")
    assert nothing.rcode() == dns.rcode.NXDOMAIN
    (soa,) = nothing.authority
    assert str(soa.name) == "example.com."
    assert not nothing.answer
    lost = names.ask("lost.corp.example.net")
    assert lost.rcode() == dns.rcode.NXDOMAIN
    assert [dns.rdatatype.to_text(one.rdtype) for one in lost.answer] == ["CNAME"]
    no_data = names.ask("ex1.example.com", "MX")
    assert (no_data.rcode(), no_data.answer) == (dns.rcode.NOERROR, [])
    outside = names.ask("www.example.org")
    assert outside.rcode() == dns.rcode.NXDOMAIN
    assert not outside.flags & dns.flags.AA


def test_zones_have_servers_with_addresses(names: Names) -> None:
    answer = names.ask("example.com", "NS")
    (servers,) = answer.answer
    assert {str(one) for one in servers} == {"dc1.example.com.", "dc2.example.com.", "dc3.example.com."}
    assert {str(one.name).lower() for one in answer.additional} == {str(one) for one in servers}
    (soa,) = names.ask("example.com", "SOA", at="DC2").answer
    assert str(soa[0].mname) == "dc2.example.com.", "a DC says that it is the primary itself"
    (mx,) = names.ask("corp.example.net", "MX").answer
    assert str(mx[0].exchange) == "ex1.example.com."
    (srv,) = names.ask("_ldap._tcp.example.com", "SRV").answer
    assert {one.port for one in srv} == {389}
    assert names.data("spf.corp.example.net", "TXT") == ['"v=spf1 ip4:10.0.0.0/16 -all"']
    kinds = {dns.rdatatype.to_text(one.rdtype) for one in names.ask("example.com", "ANY", tcp=True).answer}
    assert kinds >= {"A", "NS", "SOA"}


def test_a_dc_answers_what_it_knows_itself(names: Names) -> None:
    made = Record(name="new", type="A", data="10.9.8.7", ttl_s=60)
    names.now(lambda: names.world.dns.add("DC1", "example.com", made))
    assert names.data("new.example.com", at="DC1") == ["10.9.8.7"]
    assert names.ask("new.example.com", at="DC2").rcode() == dns.rcode.NXDOMAIN
    names.now(lambda: names.world.scheduler.advance_to(names.world.now + timedelta(hours=1)))
    assert names.data("new.example.com", at="DC2") == ["10.9.8.7"]


def test_what_is_too_long_is_fetched_over_tcp(names: Names) -> None:
    def fill() -> None:
        for number in range(60):
            names.world.dns.add("DC1", "example.com", Record(name="many", type="A", data=f"10.7.0.{number}", ttl_s=60))

    names.now(fill)
    short = names.ask("many.example.com")
    assert short.flags & dns.flags.TC
    assert len(short.to_wire()) <= 512
    assert len(names.data("many.example.com", tcp=True)) == 60
    assert len(names.data("many.example.com", use_edns=0, payload=4096)) == 60
    question = dns.message.make_query("many.example.com", "A")
    answer, over_tcp = dns.query.udp_with_fallback(question, "127.0.0.1", port=names.listeners["DC1"].port, timeout=5)
    assert over_tcp
    assert len(answer.answer[0]) == 60


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("way", ["dc_down", "service"])
def test_a_dead_server_says_nothing_and_comes_back(names: Names, tcp: bool, way: str) -> None:
    world = names.world
    if way == "dc_down":
        names.now(lambda: world.fault("dc_down", "DC1"))
    else:
        names.now(lambda: world.stop_service("DC1", "DNS"))
    with pytest.raises(dns.exception.Timeout):
        names.ask("ex1.example.com", tcp=tcp, timeout=0.3)
    assert names.data("ex1.example.com", at="DC2", tcp=tcp)
    if way == "dc_down":
        return
    names.now(lambda: world.start_service("DC1", "DNS"))
    names.now(lambda: world.scheduler.advance_to(world.now + timedelta(minutes=10)))
    assert names.data("ex1.example.com", tcp=tcp)


def test_what_a_dc_does_not_do_is_refused(names: Names) -> None:
    update = dns.update.UpdateMessage("example.com")
    update.add("evil", 300, "A", "10.6.6.6")
    port = names.listeners["DC1"].port
    assert dns.query.udp(update, "127.0.0.1", port=port, timeout=5).rcode() == dns.rcode.REFUSED
    assert names.ask("evil.example.com").rcode() == dns.rcode.NXDOMAIN
    assert names.ask("example.com", "AXFR", tcp=True).rcode() == dns.rcode.REFUSED
    assert names.ask("version.bind", "TXT", rdclass="CH").rcode() == dns.rcode.NOTIMP
    assert names.ask("ex1.example.com", use_edns=1).rcode() == dns.rcode.BADVERS
    status = dns.message.make_query("ex1.example.com", "A")
    status.set_opcode(dns.opcode.STATUS)
    assert dns.query.udp(status, "127.0.0.1", port=port, timeout=5).rcode() == dns.rcode.NOTIMP


def test_nonsense_is_no_end_of_the_server(names: Names) -> None:
    dns_ = names.world.dns
    assert reply(dns_, "DC1", b"", udp=True) is None
    assert reply(dns_, "DC1", b"short", udp=True) is None
    answered = reply(dns_, "DC1", names.ask("ex1.example.com").to_wire(), udp=True)
    assert answered is None, "two servers must not talk to each other for ever"
    broken = dns.message.make_query("ex1.example.com", "A").to_wire()[:-3]
    found = reply(dns_, "DC1", broken, udp=True)
    assert found is not None
    assert found[:2] == broken[:2]
    assert dns.message.from_wire(found).rcode() == dns.rcode.FORMERR
    with socket.create_connection(("127.0.0.1", names.listeners["DC1"].port), timeout=5) as line:
        line.sendall(b"\x00\x05short")
        question = dns.message.make_query("ex1.example.com", "A").to_wire()
        whole = len(question).to_bytes(2, "big") + question
        line.sendall(whole[:7])
        line.sendall(whole[7:] + whole)
        for _ in range(2):
            length = int.from_bytes(_read(line, 2), "big")
            assert dns.message.from_wire(_read(line, length)).answer


def _read(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += line.recv(count - len(data))
    return data


@pytest.mark.skipif(shutil.which("dig") is None, reason="NOT TRIED WITH dig: there is none on this machine")
@pytest.mark.parametrize("tcp", [False, True])
def test_dig_sees_the_names(names: Names, tcp: bool) -> None:
    words = ["dig", "@127.0.0.1", "-p", str(names.listeners["DC1"].port), "+short", "mail.corp.example.net", "A"]
    done = subprocess.run([*words, *(["+tcp"] if tcp else [])], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split()[-1] == names.world.server("EX1").address
