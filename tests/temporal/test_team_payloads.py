"""What goes to the server: packed, sealed, never too large; and an inventory that comes back as it was."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from core_hand import ESTATE
from temporal_server import missing

from starover.effects import Script
from starover.errors import BadParameter, PlanIsStale
from starover.estate import Site

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
if not missing():
    from temporal_team import BOOK, Team, content
    from temporalio.api.common.v1 import Payload

    from starover.drivers import temporal
    from starover.drivers.local import Why
    from starover.drivers.temporal.payloads import id_of, queue_of, zone_for, zone_of


def through(sealing: temporal.Codec, data: bytes) -> tuple[bytes, bytes]:
    """What lies at the server, and what comes back."""

    async def both() -> tuple[bytes, bytes]:
        (there,) = await sealing.encode([Payload(metadata={"encoding": b"json/plain"}, data=data)])
        (back,) = await sealing.decode([there])
        return there.SerializeToString(), back.data

    return asyncio.run(both())


@pytest.mark.parametrize("data", [b"", b"short", b"long " * 50_000])
@pytest.mark.parametrize("key", [False, True], ids=["open", "sealed"])
def test_a_payload_comes_back_and_with_a_key_nobody_reads_it(key: bool, data: bytes) -> None:
    sealing = temporal.codec(temporal.new_key() if key else "")
    there, back = through(sealing, data)
    assert back == data
    assert len(there) < 3_000
    if key and data:
        assert data[:4] not in there


def test_what_is_too_large_for_the_server_is_refused_with_words() -> None:
    with pytest.raises(BadParameter, match="more than a Temporal server takes at once"):
        through(temporal.codec(), os.urandom(2_500_000))


@pytest.mark.parametrize("key", ["x", "c2hvcnQ=", "not base64 !"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(BadParameter):
        temporal.codec(key)


def test_with_a_key_nothing_is_taken_that_is_not_sealed() -> None:
    sealing = temporal.codec(temporal.new_key())

    async def take() -> None:
        await sealing.decode([Payload(metadata={"encoding": b"json/plain"}, data=b"{}")])

    with pytest.raises(BadParameter, match="not encrypted"):
        asyncio.run(take())


def test_a_submission_carries_content_and_inventory_whole(tmp_path: Path) -> None:
    team = Team(tmp_path, "nowhere")
    given = team.given("lamps-on")
    assert given.estate == team.estate
    assert given.content == content().sha256
    assert id_of(given) == f"starover/{team.estate.name}/dag1"
    assert queue_of("prod") == "starover-prod"
    assert queue_of("prod", "eu-west-1a") == "starover-prod/eu-west-1a"


def test_a_plan_of_other_content_or_another_estate_is_not_submitted(tmp_path: Path) -> None:
    team = Team(tmp_path, "nowhere")
    plan = team.local(tmp_path / "alone").plan("lamps-on", {"servers": ["EX1"]}).plan
    why = Why(who="tester")
    with pytest.raises(PlanIsStale, match="other runbooks, templates or another starover"):
        temporal.submission(content(book=f"{BOOK}# more"), team.estate, why, plan=plan)
    with pytest.raises(BadParameter, match="is for the estate"):
        temporal.submission(content(), ESTATE, why, plan=plan)
    with pytest.raises(BadParameter):
        temporal.submission(content(), team.estate, why, runbook="lamps-on", parameters={"servers": ["nobody"]})


def test_the_zone_of_a_host_is_its_own_or_that_of_its_site() -> None:
    one, two, three = ESTATE.servers[:3]
    change = msgspec.structs.replace
    servers = (change(one, az="1a", site="West"), change(two, site="East"), three)
    estate = change(ESTATE, servers=servers, sites=(Site(name="East", az="1b"), Site(name="West", az="1c")))
    assert [zone_of(estate, name) for name in ("EX1", "EX2", "EX3", "nobody")] == ["1a", "1b", "", ""]


def test_a_lost_zone_is_fenced_by_the_workers_that_are_left(tmp_path: Path) -> None:
    team = Team(tmp_path, "nowhere")
    change = msgspec.structs.replace
    lost = tuple(change(one, az="1a") for one in team.estate.servers)
    team.estate = change(team.estate, servers=lost)

    def zone(way: str, text: str = "", **more: bool) -> str:
        script = Script(host="EX1", text=text, nonce="n", deadline=1.0, parts=(), way=way)  # type: ignore[arg-type] # a literal
        return zone_for(team.given("lamps-on", **more), script)

    assert zone("script", zoned=True) == zone("command", zoned=True) == "1a"
    assert zone("call", '{"service": "probe", "operation": "tcp"}', zoned=True) == "1a"
    assert zone("call", '{"service": "ec2", "operation": "stop_instances"}', zoned=True) == ""
    assert zone("script") == ""
