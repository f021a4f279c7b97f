"""One measured script, run in a fresh session, with its answer in the canonical form; knows no file."""

from __future__ import annotations

from starover_lab.powershell import members
from starover_lab.powershell.canonical import Json, canonical, error_row
from starover_lab.powershell.context import Context, Edition
from starover_lab.powershell.core import core_commands
from starover_lab.powershell.errors import Divided, ErrorRecord, Terminated, Unsupported
from starover_lab.powershell.parser import ParseError
from starover_lab.powershell.session import Session
from starover_lab.powershell.streams import StreamName
from starover_lab.powershell.values import Property, PSObject, Value

__all__ = ["run_case"]


def run_case(case: str, script: str) -> Json:
    """Run the script; gives `output`, `errors`, `warnings`, `terminated`, `exit_code`, or `refused`.

    Where it meets something that 5.1 and 7 do in two ways, it is run in both, and answered when they come to the same.
    """
    try:
        return _run(case, script, "")
    except Divided as divided:
        try:
            old, new = _run(case, script, "5.1"), _run(case, script, "7")
        except Divided:
            old, new = {}, {}
        if old and old == new:
            return old
        return {"id": case, "refused": {"construct": divided.construct, "line": max(divided.line, 1)}}


def _run(case: str, script: str, edition: Edition) -> Json:
    session = Session(core_commands(), edition=edition)
    output: list[Value] = []
    errors: list[Json] = []
    warnings: list[str] = []
    ctx = Context(session.engine.globals, session.engine.streams())

    def read(owner: PSObject, found: Property) -> Value:
        return members.get(owner, found.name, run=session.engine.block_runner(ctx))

    def emit(name: StreamName, record: Value) -> None:
        if name == "output":
            output.append(record)
        elif name == "error" and isinstance(record, ErrorRecord):
            errors.append(error_row(record))
        elif name == "warning":
            warnings.append(str(record))

    code: int | None = None
    terminated = False
    try:
        try:
            code = session.run_script(script, emit=emit)
        except Terminated as error:
            terminated = True
            errors.append(error_row(error.record))
        # As a client sees it: objects are looked at when the pipeline is over.
        shown = [canonical(value, read) for value in output]
    except Divided:
        raise
    except Unsupported as refusal:
        # What is refused while the output is looked at stands in no line of its own.
        return {"id": case, "refused": {"construct": refusal.construct, "line": max(refusal.line, 1)}}
    except ParseError as error:
        return {"id": case, "refused": {"construct": f"parse error {error.error_id}", "line": error.line}}
    result: Json = {"id": case, "output": shown, "errors": errors, "warnings": warnings, "terminated": terminated}
    if code is not None:
        result["exit_code"] = code
    return result
