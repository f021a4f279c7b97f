"""Which road carries a script: the inventory's order, closed roads, and writes that are never tried elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from starover.errors import (
    AuthFailed,
    BadInventory,
    CmdletFailed,
    ConnectFailed,
    ReplyLost,
    StaroverError,
    Throttled,
    TimedOut,
)
from starover.estate import Road, Server
from starover.transport import Answer, Script
from starover.transport import route as route_module
from starover.transport.route import RoutedTransport, roads_for

Says = Callable[[Script], StaroverError | str]


@dataclass
class Carrier:
    """Answers with what a function says, and remembers what it was given."""

    kind: str
    says: Says = lambda _script: "well"
    batches: list[list[str]] = field(default_factory=list[list[str]])
    closed: bool = False

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        self.batches.append([script.id for script in batch])
        for script in batch:
            said = self.says(script)
            if isinstance(said, StaroverError):
                yield Answer(id=script.id, error=said, road=self.kind)
            else:
                yield Answer(id=script.id, output=said, road=self.kind)

    def secrets(self) -> Sequence[str]:
        return [f"secret of {self.kind}"]

    def close(self) -> None:
        self.closed = True


def script(id_: str = "1", *kinds: str, mutates: bool = False, host: str = "EX1", **more: object) -> Script:
    roads = tuple(Road(kind=kind) for kind in kinds)  # type: ignore[arg-type]
    server = Server(name=host, fqdn=f"{host}.example.com", roles=("mailbox",), roads=roads)
    return Script(id=id_, server=server, text="x", deadline=30.0, mutates=mutates, **more)  # type: ignore[arg-type]


def one(transport: RoutedTransport, given: Script) -> Answer:
    (answer,) = transport.run([given])
    return answer


def test_the_inventorys_order_counts() -> None:
    psrp, ssm = Carrier("psrp"), Carrier("ssm")
    made = RoutedTransport({"psrp": psrp, "ssm": ssm})
    assert one(made, script("1", "ssm", "psrp")).road == "ssm"
    assert one(made, script("2", "psrp", "ssm")).road == "psrp"


def test_what_needs_a_password_takes_a_road_that_can_carry_it() -> None:
    needs = script("1", "ssm", "winrm", "psrp", arguments=(("C", "ref"),))
    assert roads_for(needs) == ("psrp",)
    with pytest.raises(BadInventory, match="winrm: a command shell cannot carry the password"):
        roads_for(script("1", "ssm", "winrm", arguments=(("C", "ref"),)))
    with pytest.raises(BadInventory, match="no road"):
        roads_for(script("1"))
    answer = one(RoutedTransport({"psrp": Carrier("psrp")}), script("1", "ssm"))
    assert isinstance(answer.error, BadInventory)


@pytest.mark.parametrize("mutates", [True, False])
@pytest.mark.parametrize("error", [ConnectFailed("closed"), Throttled("busy")])
def test_a_closed_road_is_left_at_once(mutates: bool, error: StaroverError) -> None:
    psrp, ssm = Carrier("psrp", lambda _: error), Carrier("ssm")
    made = RoutedTransport({"psrp": psrp, "ssm": ssm})
    answer = one(made, script("1", "psrp", "ssm", mutates=mutates))
    assert (answer.error, answer.road) == (None, "ssm")
    assert [(tried.what, tried.sent) for tried in answer.attempts] == [(f"psrp: {error.what}", False)]
    assert one(made, script("2", "psrp", "ssm")).road == "ssm"
    assert psrp.batches == [["1"]], "what was closed a moment ago is tried last"


@pytest.mark.parametrize("error", [ReplyLost("gone"), TimedOut("late")])
def test_an_unanswered_write_is_not_tried_elsewhere_and_a_reading_is(error: StaroverError) -> None:
    for mutates, wanted in ((True, None), (False, "ssm")):
        ssm = Carrier("ssm")
        made = RoutedTransport({"psrp": Carrier("psrp", lambda _: error), "ssm": ssm})
        answer = one(made, script("1", "psrp", "ssm", mutates=mutates))
        assert (answer.road if answer.error is None else None) == wanted
        assert bool(ssm.batches) is not mutates


def test_a_carrier_that_fails_in_itself_leaves_nobody_waiting() -> None:
    def breaks(given: Script) -> str:
        if given.id == "2":
            raise RuntimeError("a bug")
        return "well"

    transport = RoutedTransport({"psrp": Carrier("psrp", breaks)})
    batch = [script("1", "psrp"), script("2", "psrp", mutates=True, host="EX2"), script("3", "psrp", host="EX3")]
    answers = {answer.id: answer for answer in transport.run(batch)}
    assert answers["1"].output == "well"
    assert isinstance(answers["2"].error, ReplyLost)
    assert "a bug" in answers["2"].error.what
    assert isinstance(answers["3"].error, ReplyLost)


def test_an_answer_of_powershell_is_an_answer() -> None:
    ssm = Carrier("ssm")
    made = RoutedTransport({"psrp": Carrier("psrp", lambda _: CmdletFailed("no", records=())), "ssm": ssm})
    assert isinstance(one(made, script("1", "psrp", "ssm")).error, CmdletFailed)
    assert ssm.batches == []


def test_a_refused_logon_is_not_repeated_with_the_same_password() -> None:
    winrm, ssm = Carrier("winrm"), Carrier("ssm")
    made = RoutedTransport({"psrp": Carrier("psrp", lambda _: AuthFailed("no")), "winrm": winrm, "ssm": ssm})
    assert isinstance(one(made, script("1", "psrp", "winrm")).error, AuthFailed)
    assert winrm.batches == []
    assert one(made, script("2", "psrp", "winrm", "ssm")).road == "ssm"


def test_scripts_of_one_road_stay_one_batch_and_the_last_error_is_told() -> None:
    ssm = Carrier("ssm", lambda given: ConnectFailed("undeliverable") if given.id == "2" else "well")
    made = RoutedTransport({"psrp": Carrier("psrp", lambda _: ConnectFailed("refused")), "ssm": ssm})
    answers = {
        answer.id: answer for answer in made.run([script(str(n), "ssm", "psrp", host=f"EX{n}") for n in range(1, 5)])
    }
    assert ssm.batches == [["1", "2", "3", "4"]]
    assert isinstance(answers["2"].error, ConnectFailed)
    assert answers["2"].error.what == "refused"
    assert [tried.what for tried in answers["2"].attempts] == ["ssm: undeliverable"]
    made.close()
    assert ssm.closed
    assert sorted(made.secrets()) == ["secret of psrp", "secret of ssm"]


def test_with_no_time_left_no_other_road_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_module, "LEAST_SECONDS", 31.0)
    ssm = Carrier("ssm")
    made = RoutedTransport({"psrp": Carrier("psrp", lambda _: ConnectFailed("closed")), "ssm": ssm})
    assert isinstance(one(made, script("1", "psrp", "ssm")).error, ConnectFailed)
    assert ssm.batches == []
