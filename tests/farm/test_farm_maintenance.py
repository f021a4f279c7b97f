"""Farms: who may leave, what comes back, what the balancer refuses; and maintenance that tells the farms itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from inner_lab import InnerLab

from starover.errors import BadParameter, CmdletFailed, NotSafe
from starover.step import Blocked, Change
from starover.steps.farm_backends import BackendOf, named_backends
from starover.steps.farms import Backend, Farm, Service, backend_in_maintenance, backend_up


def farm(*states: str, service: str = "", status: str = "up") -> Farm:
    backends = tuple(Backend(id=at, address=f"10.0.0.{at}", status=state) for at, state in enumerate(states))
    services = (Service(name=service, backends=backends),) if service else None
    return Farm(status=status, backends=None if service else backends, services=services)


@pytest.mark.parametrize(
    ("now", "service", "expected"),
    [
        (farm("up", "up"), "", Change),
        (farm("up", "up", service="owa"), "owa", Change),
        (farm("up", "fgDOWN", "down"), "", Blocked),
        (farm("up", "maintenance"), "", Blocked),
        (farm("up"), "", Blocked),
        (farm("down", "up"), "", Change),
        (farm("maintenance", "down"), "", type(None)),
        (farm("up", "up", service="owa", status="needed restart"), "owa", Blocked),
        (farm("up", "up", status="needed restart"), "", Change),
        (farm("up", "up", service="owa"), "ecp", Blocked),
    ],
)
def test_who_may_leave(now: Farm, service: str, expected: type) -> None:
    assert type(backend_in_maintenance(now, balancer="zen", farm="Web", service=service, backend=0)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (farm("maintenance", "up"), Change),
        (farm("down", "up"), type(None)),
        (farm("maintenance", service="owa", status="needed restart"), Blocked),
        (farm(), Blocked),
    ],
)
def test_who_comes_back(now: Farm, expected: type) -> None:
    service = "owa" if now.services else ""
    assert type(backend_up(now, balancer="zen", farm="Web", service=service, backend=0)) is expected


def test_a_second_backend_of_the_same_server_is_no_other() -> None:
    twice = tuple(Backend(id=at, address="10.0.0.1", status="up") for at in (0, 1))
    now = Farm(status="up", backends=twice, services=None)
    assert isinstance(backend_in_maintenance(now, balancer="zen", farm="Web", service="", backend=0), Blocked)


def backend(farm: str, number: int, address: str, service: str = "") -> BackendOf:
    return BackendOf("zen", farm, service, number, address, "up")


def test_a_backend_is_named_by_farm_and_number_and_never_guessed() -> None:
    every = (backend("Web", 0, "a", "owa"), backend("Web", 0, "a", "ecp"), backend("Smtp", 1, "b"))
    assert named_backends(every, ["Web:0"]) == every[:2]
    assert named_backends(every, ["Smtp:1", "Smtp:1"]) == every[2:]
    for wrong in ("Smtp:2", "Smtp", "smtp:1", ":1"):
        with pytest.raises(BadParameter):
            named_backends(every, [wrong])
    with pytest.raises(BadParameter, match="several servers"):
        named_backends((*every, backend("Web", 0, "c", "rpc")), ["Web:0"])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2-farm", tmp_path) as lab:
        yield lab


def modes(lab: InnerLab, server: str) -> set[str]:
    return lab.do(
        lambda world: {one.mode for farm in world.state.farms for one in farm.backends if one.server == server}
    )


def test_maintenance_takes_a_member_out_of_the_farms_and_brings_back_what_served(lab: InnerLab) -> None:
    """Who was in maintenance before, by somebody else, stays there."""
    lab.do(lambda world: setattr(world.state.farms["Smtp"].backends[0], "mode", "cut"))
    ran = lab.run("maintenance-start", server="EX1")
    assert ran.exit == 0, ran.error
    kinds = [step.kind for step in ran.steps if step.state == "changed"]
    assert kinds[:3] == ["target_leaving", "backend_in_maintenance", "backend_in_maintenance"]
    assert modes(lab, "EX1") == {"drain", "cut"}
    ran = lab.run("maintenance-stop", server="EX1")
    assert ran.exit == 0, ran.error
    kinds = [step.kind for step in ran.steps if step.state == "changed"]
    assert kinds[-2:] == ["backend_up", "backend_up"]
    assert [one.mode for one in lab.do(lambda world: world.state.farms["Smtp"].backends)] == ["cut", "", "", ""]
    assert modes(lab, "EX1") == {"", "cut"}


def test_what_fails_later_puts_the_backends_back(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("rbac_missing", "Set-ServerComponentState"))
    ran = lab.run("maintenance-start", server="EX1")
    assert ran.exit != 0
    assert [step.kind for step in ran.steps if step.state == "changed"].count("backend_in_maintenance") == 3
    assert modes(lab, "EX1") == {""}


def test_without_the_balancers_nothing_is_asked_of_them(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("zapi_fails", "zen", times=100))
    planned = lab.plan("maintenance-start", server="EX1", lb=False)
    assert not [step for step in planned.plan.steps if step.kind.startswith(("backend", "target"))]


def test_the_last_backend_stays(lab: InnerLab) -> None:
    for server in ("EX2", "EX3", "EX4"):
        lab.do(lambda world, server=server: world.fault("service_crash", server, service="MSExchangeFrontEndTransport"))
    planned = lab.plan("farm-maintenance", server="EX1", action="maintenance")
    blocked = [step.blocked for step in planned.plan.steps if step.blocked is not None]
    assert {one.guard for one in blocked} == {"G-LASTVIP"}
    with pytest.raises(NotSafe, match="G-LASTVIP"):
        lab.apply(planned.plan)


def test_a_farm_that_needs_a_restart_is_not_asked(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("farm_needs_restart", "Web"))
    planned = lab.plan("farm-maintenance", server="EX1", action="maintenance")
    assert [step.blocked.guard for step in planned.plan.steps if step.blocked is not None] == ["S-FARM"]


def test_a_failure_of_the_balancer_is_looked_at_and_tried_again(lab: InnerLab) -> None:
    planned = lab.plan("farm-maintenance", server="EX1", action="maintenance")
    failed: list[str] = []

    def fail_once(script: object) -> None:
        if '"PUT"' in str(script) or "set_backend" in str(script):
            if not failed:
                lab.world.state.failing_apis["zen"] = 1
            failed.append("")

    lab.transport.accident = lambda script: fail_once(script.text)
    ran = lab.apply(planned.plan)
    assert ran.exit == 0, ran.error
    assert len(failed) == 4, "three backends, and one of them twice"
    assert modes(lab, "EX1") == {"drain"}


def test_what_the_balancer_refuses_is_not_tried_again(lab: InnerLab) -> None:
    planned = lab.plan("farm-maintenance", backend=["Web:1"], action="maintenance")
    asked: list[str] = []

    def restart_meanwhile(script: object) -> None:
        if "set_backend" in str(script):
            asked.append("")
            lab.world.state.farms["Web"].needs_restart = True

    lab.transport.accident = lambda script: restart_meanwhile(script.text)
    ran = lab.apply(planned.plan)
    assert ran.exit == 4 or isinstance(ran.error, CmdletFailed)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"action": "up"}, "whose backends"),
        ({"action": "up", "server": "DC1"}, "is in no farm"),
        ({"action": "up", "backend": ["Web:9"]}, "no such backend"),
        ({"action": "up", "server": "EX1", "backend": ["Web:2"]}, "not EX1"),
    ],
)
def test_wrong_names_are_refused(lab: InnerLab, parameters: dict[str, str | list[str]], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        lab.plan("farm-maintenance", parameters)


def test_an_estate_without_farms_is_told_what_is_missing(tmp_path: Path) -> None:
    with InnerLab("aws-2az", tmp_path) as lab, pytest.raises(BadParameter, match="no balancer with farms"):
        lab.plan("farm-maintenance", server="ExchangeNode1", action="up")


def test_the_doctor_knows_beforehand_whether_a_balancer_answers(lab: InnerLab) -> None:
    def told() -> list[tuple[str, str, str]]:
        found = lab.run("access-check", hosts="EX1", aws=False).value
        assert found is not None
        findings = msgspec.convert(msgspec.to_builtins(found), dict[str, list[dict[str, str]]])["findings"]
        return [(one["on"], one["level"], one["says"]) for one in findings if one["check"] == "balancer"]

    assert told() == [("zen", "ok", "3 farms")]
    lab.do(lambda world: world.fault("zapi_fails", "zen", times=100))
    ((on, level, _),) = told()
    assert (on, level) == ("zen", "fail")
