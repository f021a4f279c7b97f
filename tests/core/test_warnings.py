"""What a cmdlet warns of reaches the run, whether the transport or the script itself noticed it."""

from __future__ import annotations

from starover.drivers.hosts import reaction_of
from starover.effects import Facts, Script
from starover.testing import report
from starover.transport import Answer

NONCE = "0123456789abcdef"


def test_warnings_of_the_stream_and_of_the_script_are_kept_once() -> None:
    script = Script(host="EX1", text="", nonce=NONCE, deadline=60.0, parts=())
    answer = Answer(id="1", output=report("EX1", NONCE), warnings=("restart MSExchangeIS", "restart MSExchangeIS"))
    facts = reaction_of(answer, script, str)
    assert isinstance(facts, Facts)
    assert facts.warnings == ("restart MSExchangeIS",)
