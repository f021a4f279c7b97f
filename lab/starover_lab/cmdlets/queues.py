"""Transport queues: Get-Queue and its kin, Redirect-Message, Get-ExchangeDiagnosticInfo; decides nothing about mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, exchange_record, given_list, mutate, reading
from starover_lab.cmdlets.objects import enum, guid_of, make, moment, product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import PSEnum, PSObject, Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.mail_parts import Pressure, QueueView
from starover_lab.world.names import same

__all__ = ["BODIES"]

_VIEWER = "Microsoft.Exchange.Data.QueueViewer."
_NOT_RUNNING = (
    'Exchange can\'t connect to the Microsoft Exchange Transport service on computer "{0}". Verify that the service is '
    "started."
)
_NO_QUEUE = 'The queue "{0}" doesn\'t exist.'
_MOST = 1000
"""-ResultSize unless it is given."""
T = TypeVar("T")


def _identity(server: str, name: str) -> PSObject:
    return product([f"{_VIEWER}QueueIdentity", "System.Object"], [], text=f"{server}\\{name}")


def _queue(server: str, view: QueueView) -> PSObject:
    identity = _identity(server, view.name)
    external = view.delivery in ("DnsConnectorDelivery", "SmartHostConnectorDelivery")
    return make(
        "Get-Queue",
        {
            "DeliveryType": view.delivery,
            "NextHopDomain": view.next_hop,
            "NextHopConnector": guid_of("connector", server, view.name),
            "NextHopCategory": "External" if external else "Internal",
            "Status": view.status,
            "MessageCount": view.messages,
            "LastError": view.last_error,
            "RetryCount": view.retries,
            "LastRetryTime": moment(view.last_retry),
            "NextRetryTime": moment(view.next_retry),
            "IncomingRate": view.incoming,
            "OutgoingRate": view.outgoing,
            "Velocity": view.outgoing - view.incoming,
            "QueueIdentity": identity,
            "Identity": identity,
        },
        text=f"{server}\\{view.name}",
    )


def _asked(
    call: Invocation, here: Machine, server: str, read: Callable[[str, str], list[T]]
) -> tuple[str, list[T]] | None:
    """A server's name and what its transport answers; when it does not, that is reported."""
    try:
        name = known_server(here, server or here.host)
        return name, read(here.host, name)
    except WorldError as error:
        if error.kind == "service_down":
            text = _NOT_RUNNING.format(error.data.get("server"))
            call.error(
                exchange_record(call, "Microsoft.Exchange.Data.Common.LocalizedException", "InvalidOperation", text)
            )
        else:
            call.error(exchange_error(call, error, server or here.host))
        return None


_CONDITION = re.compile(
    r"""\s*(?P<name>\w+)\s+-(?P<op>eq|ne|gt|ge|lt|le|like|notlike)\s+
    (?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>[\w.$]+))\s*""",
    re.IGNORECASE | re.VERBOSE,
)


def _filtered(queues: list[PSObject], text: str) -> list[PSObject]:
    """-Filter: comparisons joined by -and. Raises `Unsupported` for anything else."""
    given = text.strip()
    given = given[1:-1] if given.startswith("{") and given.endswith("}") else given
    for part in re.split(r"\s-and\s", given, flags=re.IGNORECASE):
        match = _CONDITION.fullmatch(part)
        if match is None or (queues and queues[0].get(match["name"]) is None):
            raise Unsupported(f"the filter {text!r}: the lab knows comparisons joined by -and")
        wanted = next(one for one in (match["single"], match["double"], match["plain"]) if one is not None)
        queues = [one for one in queues if _fits(one.get(match["name"]), match["op"].casefold(), wanted)]
    return queues


def _fits(value: Value, operator: str, wanted: str) -> bool:
    if operator in ("like", "notlike"):
        pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in wanted)
        return (re.fullmatch(pattern, to_string(value), re.IGNORECASE) is not None) == (operator == "like")
    if isinstance(value, int | float) and not isinstance(value, PSEnum):
        left, right = float(value), float(wanted)
        return {
            "eq": left == right,
            "ne": left != right,
            "gt": left > right,
            "ge": left >= right,
            "lt": left < right,
            "le": left <= right,
        }[operator]
    if operator not in ("eq", "ne"):
        raise Unsupported(f"a filter with -{operator} on a text")
    return same(to_string(value), wanted) == (operator == "eq")


def _selected(call: Invocation, here: Machine, bound: Mapping[str, Value]) -> Iterator[tuple[str, PSObject]]:
    """The queues that -Identity, or -Server and -Filter, name, each with its server."""
    identity = text_of(bound.get("Identity"))
    owner, slash, wanted = identity.partition("\\")
    if identity and not slash:
        owner, wanted = "", identity
    asked = text_of(bound.get("Server")) or owner
    server = _asked(call, here, asked, here.world.queues.of)
    if server is None:
        return
    name, views = server
    found = [_queue(name, view) for view in views]
    if wanted and wanted != "*":
        found = [one for one in found if same((one.text or "").partition("\\")[2], wanted)]
        if not found:
            text = _NO_QUEUE.format(f"{name}\\{wanted}")
            call.error(
                exchange_record(call, "Microsoft.Exchange.Data.Common.LocalizedException", "InvalidArgument", text)
            )
    if bound.get("Filter") is not None:
        found = _filtered(found, text_of(bound["Filter"]))
    for text, external in (("Include", True), ("Exclude", False)):
        for one in given_list(bound.get(text)):
            kept = "External" if same(one, "External") else "Internal"
            found = [queue for queue in found if (text_of(queue.get("NextHopCategory")) == kept) is external]
    yield from ((name, one) for one in found)


def get_queue(call: Invocation) -> Iterator[Value]:
    """Get-Queue of one server."""
    for bound in call.records():
        here = reading(call)
        size = text_of(bound.get("ResultSize"))
        most = int(size) if size.isdigit() else None if same(size, "unlimited") else _MOST
        queues = [queue for _, queue in _selected(call, here, bound)]
        yield from queues[:most]


def _change(call: Invocation, act: str) -> Iterator[Value]:
    for bound in call.records():
        here = reading(call)
        for server, queue in _selected(call, here, bound):
            name = (queue.text or "").partition("\\")[2]
            queues = here.world.queues
            change: Callable[[], object] = partial(queues.retry, here.host, server, name)
            if act != "Retry":
                change = partial(queues.suspend, here.host, server, name, suspended=act == "Suspend")
            mutate(call, f"{server}\\{name}", bound, change)
    yield from ()


def redirect_message(call: Invocation) -> Iterator[Value]:
    """Redirect-Message: returns at once, the messages move in the background."""
    for bound in call.records():
        here = reading(call)
        targets = given_list(bound.get("Target"))
        asked = text_of(bound.get("Server"))
        try:
            server = known_server(here, asked)
            target = known_server(here, targets[0])
        except WorldError as error:
            call.error(exchange_error(call, error, asked))
            continue
        mutate(call, server, bound, partial(here.world.queues.redirect, here.host, server, target))
    yield from ()


def get_message(call: Invocation) -> Iterator[Value]:
    """Get-Message: what waits in a queue, or in all queues of a server; who wrote it is made up."""
    for bound in call.records():
        here = reading(call)
        if bound.get("Filter") is not None or bound.get("Identity") is not None:
            raise Unsupported("Get-Message by filter or identity: the lab lists a queue or a server")
        asked = {"Identity": bound["Queue"]} if bound.get("Queue") is not None else {"Server": bound.get("Server")}
        size = text_of(bound.get("ResultSize"))
        most = int(size) if size.isdigit() else _MOST
        for server, queue in _selected(call, here, asked):
            count = queue.get("MessageCount")
            held = queue.get("Status")
            for number in range(1, min(int(count) if isinstance(count, int) else 0, most) + 1):
                yield _message(here, server, queue, held, number)


def _message(here: Machine, server: str, queue: PSObject, status: Value, number: int) -> PSObject:
    domain = here.world.state.dns_name
    name = status.name if isinstance(status, PSEnum) else "Ready"
    return product(
        [f"{_VIEWER}ExtensibleMessageInfo", "Microsoft.Exchange.Data.ConfigurableObject", "System.Object"],
        [
            ("Identity", product([f"{_VIEWER}MessageIdentity", "System.Object"], [], text=f"{queue.text}\\{number}")),
            ("Queue", queue.get("Identity")),
            ("FromAddress", f"user{number}@{domain}"),
            ("Status", enum(f"{_VIEWER}QueueStatus", name)),
            ("Size", None),
            ("Subject", f"message {number}"),
            ("MessageSourceName", "SMTP:Default"),
            ("SCL", -1),
            ("DateReceived", moment(here.world.now)),
            ("RetryCount", queue.get("RetryCount")),
            ("LastError", queue.get("LastError")),
            ("MessageLatency", None),
            ("ServerName", server),
        ],
        text=f"{queue.text}\\{number}",
    )


# -- diagnostics

_RESOURCES = ("PrivateBytes", "SystemMemory", "UsedVersionBuckets", "UsedDiskSpace", "QueueLength[SubmissionQueue]")


def _meters(pressures: list[Pressure]) -> str:
    """The meters of back pressure, as the documented query reads them."""
    found: list[str] = []
    for resource in _RESOURCES:
        one = next((one for one in pressures if one.resource.startswith(resource.partition("[")[0])), None)
        level = one.level if one is not None else "Low"
        before = "Low" if one is not None else level
        since = f' CurrentResourceUseSince="{one.since:%Y-%m-%dT%H:%M:%SZ}"' if one is not None else ""
        found.append(
            f'<ResourceMeter Resource="{resource}" CurrentResourceUse="{level}" PreviousResourceUse="{before}"'
            f'{since} Pressure="{99 if one is not None else 12}" '
            'PressureTransitions="(MediumToHigh=98, HighToMedium=97, LowToMedium=95, MediumToLow=90)" />'
        )
    return "".join(found)


def get_diagnostic_info(call: Invocation) -> Iterator[Value]:
    """Get-ExchangeDiagnosticInfo -Process EdgeTransport -Component ResourceThrottling: back pressure as XML."""
    for bound in call.records():
        here = reading(call)
        process, component = text_of(bound.get("Process")), text_of(bound.get("Component"))
        if not same(process, "EdgeTransport") or not same(component, "ResourceThrottling"):
            raise Unsupported(f"Get-ExchangeDiagnosticInfo -Process {process} -Component {component}")
        asked = text_of(bound.get("Server"))
        found = _asked(call, here, asked, here.world.queues.pressures)
        if found is None:
            continue
        name, pressures = found
        told = (
            f"<Diagnostics><ProcessInfo><id>5120</id><serverName>{name}</serverName></ProcessInfo>"
            "<ProcessLocator><count>1</count></ProcessLocator><Components><ResourceThrottling><ResourceTracker>"
            f"{_meters(pressures)}</ResourceTracker></ResourceThrottling></Components></Diagnostics>"
        )
        # The documented `[xml](Get-ExchangeDiagnosticInfo ...)` reads the object's text; exports have it as `Result`.
        yield make("Get-ExchangeDiagnosticInfo", {"Result": told}, text=told)


BODIES: dict[str, Body] = {
    "Get-Queue": get_queue,
    "Get-Message": get_message,
    "Retry-Queue": partial(_change, act="Retry"),
    "Resume-Queue": partial(_change, act="Resume"),
    "Suspend-Queue": partial(_change, act="Suspend"),
    "Redirect-Message": redirect_message,
    "Get-ExchangeDiagnosticInfo": get_diagnostic_info,
}
