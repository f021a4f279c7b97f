"""What becomes of an error: `$Error`, the error preference, which catch takes it; knows no statement.

The rules are those of the engine's CheckActionPreference and FindMatchingHandler.
"""

from __future__ import annotations

from starover_lab.powershell import nodes, types
from starover_lab.powershell.context import Context, Core
from starover_lab.powershell.convert import to_string
from starover_lab.powershell.errors import ErrorRecord, PSException, Terminated, exception_is
from starover_lab.powershell.flow import Halted, Thrown
from starover_lab.powershell.streams import Collected
from starover_lab.powershell.values import Nothing, PSEnum, Unsupported, Value, base, type_name

__all__ = ["ACTIONS", "Failures", "action_preference", "remember", "thrown"]

_SMA = "System.Management.Automation"
_RUNTIME = f"{_SMA}.RuntimeException"
_STOP = f"{_SMA}.ActionPreferenceStopException"
ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
"""Action preferences by their number."""
_LONGEST = 256


def action_preference(value: Value) -> str:
    """An action preference (an enum, a name or a number) as its name; `Continue` for what is none."""
    inner = base(value)
    if isinstance(inner, PSEnum):
        return inner.name
    if inner is None or isinstance(inner, Nothing):
        return "Continue"
    if isinstance(inner, int) and not isinstance(inner, bool) and 0 <= inner < len(ACTIONS):
        return ACTIONS[inner]
    given = inner.strip().casefold() if isinstance(inner, str) else ""
    for name in ACTIONS:
        if name.casefold() == given:
            return name
    raise Unsupported("an action preference that is none")


def remember(errors: list[Value], record: ErrorRecord) -> None:
    """Put a record into `$Error`, once."""
    first = errors[0] if errors else None
    if first is record or (isinstance(first, ErrorRecord) and first.exception is record.exception):
        return
    errors.insert(0, record)
    del errors[_LONGEST:]


def thrown(value: Value) -> Thrown:
    """The error that `throw value` raises."""
    inner = base(value)
    if isinstance(inner, ErrorRecord):
        return Thrown(inner)
    if isinstance(inner, PSException):
        if inner.record is not None:
            return Thrown(inner.record)
        return Thrown(ErrorRecord(exception=inner, error_id=inner.message, category="OperationStopped", target=None))
    nothing = inner is None or isinstance(inner, Nothing)
    message = "ScriptHalted" if nothing else to_string(value)
    exception = PSException(_RUNTIME, message)
    record = ErrorRecord(
        exception=exception, error_id=message, category="OperationStopped", target=None if nothing else value
    )
    exception.record = record
    return Thrown(record)


class Failures(Core):
    """Reporting and catching."""

    def preference(self, ctx: Context) -> str:
        """`$ErrorActionPreference` as it stands."""
        return action_preference(ctx.scope.get("ErrorActionPreference"))

    def known(self, value: Value, line: int) -> Value:
        """A variable's value. Raises `Unsupported` for a list of errors that may not be exact."""
        if value is self.state.errors and not self.state.errors_known:
            raise Unsupported("$Error after an error that the engine may have noted twice", line)
        if isinstance(value, Collected) and value.doubtful:
            raise Unsupported("-ErrorVariable of a command that an error ended", line)
        return value

    def report(self, error: Terminated, ctx: Context, line: int) -> None:
        """Report an error that ended a statement, or raise it again.

        It is raised inside a try, when it was thrown or halted, and under Stop; it is swallowed under SilentlyContinue
        and Ignore, thrown ones too.
        """
        record = error.record
        if record.invocation is None:
            record.invocation = ctx.position(line)
        if not record.stack_trace:
            ctx.line = line
            record.stack_trace = ctx.stack_trace()
        ctx.streams.note("error", record)
        remember(self.state.errors.items, record)
        self.state.success = False
        halted = isinstance(error, Halted) or (error.script and not isinstance(error, Thrown))
        if ctx.propagate or ctx.swallow or halted:
            raise error
        preference = self.preference(ctx)
        if preference in ("SilentlyContinue", "Ignore"):
            return
        if preference == "Stop":
            raise Halted(record) from error
        if preference == "Inquire":
            raise Unsupported("$ErrorActionPreference = 'Inquire'", line)
        if isinstance(error, Thrown):
            raise error
        ctx.streams.write("error", record)

    def matching_catch(self, node: nodes.Try, error: Terminated) -> tuple[nodes.Catch, ErrorRecord] | None:
        """The catch that takes an error, and the record that it sees in `$_`; None when none does."""
        if not node.catches:
            return None
        if len(node.catches) == 1 and not node.catches[0].types:
            return node.catches[0], error.record
        wanted: list[tuple[str, nodes.Catch]] = []
        for one in node.catches:
            wanted.extend((_exception_type(name, one.line), one) for name in one.types)
            if not one.types:
                wanted.append(("", one))
        found: tuple[int, int, PSException] | None = None
        for exception in _candidates(error):
            place = _place(exception, wanted)
            if place is None:
                continue
            rank = _rank(place, wanted)
            better = found is None or rank < found[0] or (rank == found[0] and wanted[found[1]][0] == "")
            if better:
                found = rank, place, exception
            if found is not None and found[0] == 0:
                break
        if found is None:
            return None
        record = error.record
        own = record.exception
        made_here = own.record is record and exception_is(own.type_name, _RUNTIME)
        if own.inner is not None and found[2] is own.inner and made_here:
            # Only an error that the engine itself made shows the exception that was matched.
            record = _with_exception(record, own.inner)
        return wanted[found[1]][1], record


def _exception_type(name: str, line: int) -> str:
    try:
        return types.resolve(name)
    except Terminated as error:
        raise Unsupported(f"catch [{name}]", line) from error


def _candidates(error: Terminated) -> list[PSException]:
    """The exceptions that are compared with the catches, in the engine's order: the inner one first."""
    exception = error.record.exception
    if isinstance(error, Halted) and error.by_preference:
        stop = PSException(_STOP, f"The running command stopped because of its error action: {exception.message}")
        stop.record = error.record
        if exception_is(exception.type_name, _RUNTIME):
            return [stop, *([] if exception.inner is None else [exception.inner]), exception]
        return [stop, exception]
    if exception_is(exception.type_name, _RUNTIME):
        return [*([] if exception.inner is None else [exception.inner]), exception]
    wrapper = PSException(_RUNTIME, exception.message, exception)
    wrapper.record = error.record
    found = [exception, wrapper]
    if error.record.command and exception.inner is not None:
        found.append(exception.inner)
    return found


def _place(exception: PSException, wanted: list[tuple[str, nodes.Catch]]) -> int | None:
    for place, (name, _) in enumerate(wanted):
        if name.casefold() == exception.type_name.casefold():
            return place
    for place, (name, clause) in enumerate(wanted):
        if name == "":
            return place
        answer = exception_is(exception.type_name, name)
        if answer is None:
            raise Unsupported(f"catch [{name}] of a {exception.type_name}", clause.line)
        if answer:
            return place
    return None


def _rank(place: int, wanted: list[tuple[str, nodes.Catch]]) -> int:
    """How many of the other types derive from this one; everything derives from a catch without a type."""
    name = wanted[place][0]
    if name == "":
        return len(wanted) - 1
    return sum(1 for before, _ in wanted[:place] if before != "" and exception_is(before, name))


def _with_exception(record: ErrorRecord, exception: PSException) -> ErrorRecord:
    return ErrorRecord(
        exception=exception,
        error_id=record.error_id,
        category=record.category,
        target=record.target,
        command=record.command,
        reason=record.reason or record.exception.type_name.rpartition(".")[2],
        activity=record.activity,
        target_name=record.target_name,
        target_type=record.target_type or type_name(record.target),
        details=record.details if record.details is not None else None,
        recommended_action=record.recommended_action,
        invocation=record.invocation,
        stack_trace=record.stack_trace,
    )
