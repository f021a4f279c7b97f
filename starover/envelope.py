"""Prologue and epilogue of every script, and the strict reading of the answer; knows no template and no transport.

The PowerShell lies in `wrapper/`, in the order in which a script is put together: prologue, provider block, parts (or
one write with its receipt, or probes), epilogue. Values enter by `render.literal` alone. A nonce, operation ids and
what was before stand outside the bodies, so that the hash of a body is the same in every run (`powershell.md` 8, 15).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import msgspec

from starover.errors import BadInventory, BadReport, BadTemplate, ErrorRecord, OutputTruncated
from starover.estate import ON_HOST, TICKET
from starover.inventory import Server
from starover.names import first_label
from starover.render import Arg, Body, Renderer
from starover.single import commands
from starover.transport import Answer, Way

__all__ = [
    "Composed",
    "Decoded",
    "Lease",
    "Receipt",
    "answered",
    "ascii_json",
    "bare",
    "called",
    "decode",
    "lease_stem",
    "leaves_receipt",
    "probe",
    "reads",
    "what_came",
    "write",
]

_FOLDER = "C:\\ProgramData\\Starover"
_CREDENTIAL = "ExchangeCredential"
_NONCE = re.compile(r"[0-9a-f]{16}")
_OPERATION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

RECEIPT_DAYS = 90
"""So long a host keeps receipts: each write there removes older ones, by the host's own clock."""
RECEIPTS = 500
"""So many receipts a host keeps whatever their age: its clock may leap, and then all of them seem old."""
LEASE_TTL = 1800
"""Seconds after which a lease that nobody renewed is over, by the clock of the host that keeps it."""


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A whole script, ready to be journalled and sent."""

    text: str
    arguments: tuple[tuple[str, str], ...] = ()
    """As `transport.Script.arguments`: (name in `param()`, reference of a credential)."""
    way: Way = "script"
    """As `transport.Script.way`."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What a write carries of the lease; a host that does not keep exactly this refuses.

    A higher number is somebody else's. None at all, or a lower one, is a host that has lost what it kept: nobody can
    say there who had it since, so it is taken anew.
    """

    dag: str
    token: int
    holder: str
    """As the host keeps it."""


ReceiptState = Literal["ran", "ran-before", "in-progress", "absent", "lost", "refused"]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a host knows of one operation."""

    state: ReceiptState
    """`ran`: by this very script. `ran-before`: an earlier sending ended, its result is in `Decoded.results`.
    `in-progress`: begun and not ended: still running, or killed. `absent`: never begun on this host, so certainly not
    applied. `lost`: no receipt, and the lease that was kept beside it is gone too, so that nobody can say what was
    begun. `refused`: the host has seen a higher lease token; not begun."""
    prev: bytes | None = None
    """JSON of what was before, as the first sending kept it beside the receipt; None when there is none."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What a script said, by id of its parts."""

    host: str
    """Computer name as the host gave it."""
    results: Mapping[str, bytes | ErrorRecord]
    """Facts as raw JSON, or the error that ended the part. A write's id is its operation id; its facts are `null`.
    An operation whose receipt is `in-progress` has none; one found `absent` has none or the error that kept it from
    beginning."""
    receipts: Mapping[str, Receipt]
    """By operation id; empty for reads."""
    warnings: tuple[str, ...] = ()
    provider: str = ""
    """How Exchange cmdlets got into the session: `remote`, `snapin` (unsupported), `direct` (not at all), or empty."""
    elevated: bool = True
    """Whether the account acts as an administrator of the host."""


def reads(server: Server, parts: Sequence[tuple[str, Body]], nonce: str) -> Composed:
    """One script that runs every part as a function of its own: a bad one fails alone, all fail on a wrong host.

    `nonce` is 16 hex digits, drawn by the caller; ids are unique in the script. A template marked `# single` goes by
    itself: its objects are the facts (`answered`); so does a call (`called`).
    Raises `BadInventory` when a part needs Exchange cmdlets and the server has no way to get them, `BadTemplate` when
    one that is marked `# single` is not alone or is none.
    """
    if len({part for part, _ in parts}) != len(parts):
        raise ValueError("the ids of the parts of one script must differ")
    if any(body.call for _, body in parts):
        if len(parts) != 1:
            raise BadTemplate("a call goes by itself")
        return Composed(text=parts[0][1].text, way="call")
    if any(body.single for _, body in parts):
        return _single_reading(server, [body for _, body in parts], nonce)
    wanted = [body.exchange for _, body in parts if body.exchange]
    provider = _Provider(server, wanted, credential=any(body.credential for _, body in parts))
    pieces = [provider.prologue(nonce)]
    pieces += [
        _wrap("part", body=body, allowed=provider.allowed(body), opening=_json_opening(part)) for part, body in parts
    ]
    return Composed(text="".join([*pieces, _wrap("epilogue")]), arguments=provider.arguments)


def write(
    server: Server,
    body: Body,
    operation: str,
    nonce: str,
    prev: bytes | None = None,
    *,
    lease: Lease | None = None,
    stuck: bool = False,
) -> Composed:
    """A script that runs `body` at most once under the receipt `operation` (a UUID); `prev` is JSON, kept beside it.

    `stuck`: what an earlier try began stands still; the body sees `$staroverStuck` and may end it first.

    With the provider `direct` it is the command itself, and a call is the call itself: both without a receipt.
    Raises as `reads` does.
    """
    if body.call:
        return Composed(text=body.text, way="call")
    if is_direct(server, body):
        _cannot_be_pinned(server)
        commands(body.text, reads=False)
        return Composed(text=body.text, way="command")
    provider = _Provider(server, [body.exchange] if body.exchange else [], credential=body.credential)
    opening = _json_opening(operation)
    kept = f'{{"operation":"{operation}","prev":{ascii_json(prev)}'
    text = _wrap(
        "write",
        body=body,
        stuck=stuck,
        allowed=provider.allowed(body),
        opening=opening,
        lease=None if lease is None else f"{lease_stem(lease.dag)}.token",
        token=0 if lease is None else lease.token,
        holder="" if lease is None else lease.holder,
        ttl=LEASE_TTL,
        kept=RECEIPT_DAYS * 86_400,
        least=RECEIPTS * 2,  # of each there are two files
        begun=kept + "}",
        ended=kept + ',"result":',
        **_receipt_paths(operation),
    )
    pieces = [provider.prologue(nonce), text, _wrap("receipt", opening=opening), _wrap("epilogue")]
    return Composed(text="".join(pieces), arguments=provider.arguments)


def lease_stem(dag: str) -> str:
    """Where a host keeps what it knows of a DAG's lease: `.token`, and one `.N.claim` for each time it was taken."""
    return f"{_FOLDER}\\lease\\dag-{dag}"


def leaves_receipt(server: Server, body: Body) -> bool:
    """Whether the host keeps a receipt of a write; of what else was sent once, only the fact can tell."""
    return not body.call and not is_direct(server, body)


def is_direct(server: Server, body: Body) -> bool:
    """Whether a template goes straight to /PowerShell, as a command, without envelope and receipt."""
    return body.single and bool(body.exchange) and server.exchange is not None and server.exchange.provider == "direct"


def _cannot_be_pinned(server: Server) -> None:
    """A command that goes straight to /PowerShell has no session of ours in which to say whom to ask."""
    if server.exchange is not None and server.exchange.controller:
        raise BadInventory(
            f"{server.name} has `exchange.provider: direct`, which cannot be pinned to {server.exchange.controller}",
            certain=("nothing was sent",),
            next=("leave --dc (or `dc:`) out", f"give {server.name} `provider: remote`"),
            host=server.name,
        )


def _single_reading(server: Server, bodies: Sequence[Body], nonce: str) -> Composed:
    if len(bodies) != 1:
        raise BadTemplate("a template marked `# single` is read by itself")
    (body,) = bodies
    commands(body.text, reads=True)
    if is_direct(server, body):
        _cannot_be_pinned(server)
        return Composed(text=body.text, way="command")
    provider = _Provider(server, [body.exchange] if body.exchange else [])
    text = provider.prologue(nonce) + _wrap("objects", body=body, allowed=provider.allowed(body))
    return Composed(text=text, arguments=provider.arguments, way="objects")


def probe(server: Server, operations: Sequence[str], nonce: str, *, dag: str = "") -> Composed:
    """A script that reads the receipts of these operations and changes nothing.

    `dag`: the one whose lease the host has kept since before they were sent; empty: none.

    On a wrong host it fails as a whole, since a receipt that is absent there would prove nothing.
    """
    pieces = [_Provider(server, []).prologue(nonce)]
    lease = f"{lease_stem(dag)}.token" if dag else None
    for operation in operations:
        pieces.append(_wrap("probe", lease=lease, **_receipt_paths(operation)))
        pieces.append(_wrap("receipt", opening=_json_opening(operation)))
    return Composed(text="".join([*pieces, _wrap("epilogue")]))


def bare(server: Server, fragment: str, nonce: str, **arguments: Arg) -> Composed:
    """A script that is one fragment of `wrapper/`, without Exchange, parts and receipt."""
    pieces = [_Provider(server, []).prologue(nonce), _wrap(fragment, **arguments), _wrap("epilogue")]
    return Composed(text="".join(pieces))


class _Provider:
    """How the Exchange cmdlets that the parts name get into the session (`powershell.md` 2.1)."""

    def __init__(self, server: Server, wanted: Sequence[tuple[str, ...]], *, credential: bool = False) -> None:
        """`credential`: a body needs it for itself, with the snap-in too."""
        self.kind = ""
        self._host = first_label(server.name)
        self.arguments: tuple[tuple[str, str], ...] = ()
        self._block = ""
        if not wanted:
            return
        exchange = server.exchange
        if exchange is None:
            raise BadInventory(
                f"{server.name} is asked for Exchange cmdlets ({', '.join(wanted[0])}), "
                "and the inventory gives it no `exchange:`",
                next=(f"give {server.name} an `exchange:` with `server:` naming a member whose /PowerShell to ask",),
                host=server.name,
            )
        self.kind = "snapin" if exchange.provider == "snapin" else "remote"
        controller = exchange.controller
        if self.kind == "snapin":
            self._block = _wrap("snapin", controller=controller)
            if not credential:
                return
        if exchange.provider == "direct":
            raise BadInventory(
                f"{server.name} has `exchange.provider: direct`, which carries single commands, and this is a script "
                f"({', '.join(wanted[0])})",
                certain=("nothing was sent",),
                next=(
                    f"give {server.name} `provider: remote`, and a credential: every runbook goes that way",
                    "status and health-report go as single commands; cluster, services, updates, AD, DNS as they are",
                    "a template of your own that is one command may be marked `# single`",
                ),
                host=server.name,
            )
        roads = {road.kind for road in server.roads} - {"exchange"}
        on_host = "ssm" in roads and ON_HOST.fullmatch(exchange.credential or server.credential)
        if roads and "psrp" not in roads and not on_host:
            raise BadInventory(
                f"{server.name} is asked for Exchange cmdlets ({', '.join(wanted[0])}), and its only "
                f"{'roads' if len(roads) > 1 else 'road'} {' and '.join(sorted(roads))} cannot carry the password that "
                "Exchange's own session needs",
                certain=("nothing was sent",),
                next=(
                    f"give {server.name} a road of the kind psrp, or run it with --transport psrp",
                    "by ssm the host reads it itself where `credential:` is `secretsmanager:NAME` or `ssm:NAME`",
                    "or allow the snap-in there: `provider: snapin` with `allow_unsupported_snapin: true`",
                ),
                host=server.name,
            )
        reference = exchange.credential or server.credential
        if reference in ("", TICKET):
            lacks = "password" if reference else "credential"
            what = "this step" if credential else "`exchange.provider: remote`"
            why = "to lock what it carries" if credential else "for the second hop"
            raise BadInventory(
                f"{server.name} has no {lacks}, and {what} needs one {why}",
                next=(f"give {server.name} a `credential:`, or its `exchange:` one of its own",),
                host=server.name,
            )
        self.arguments = ((_CREDENTIAL, reference),)
        if self.kind == "snapin":
            return
        fqdn = server.fqdn if exchange.server == "local" else exchange.server
        together = sorted({name for names in wanted for name in names})
        session = f"starover-exchange {controller}".rstrip()  # a session that is pinned elsewhere is another one
        self._block = _wrap(
            "remote", fqdn=fqdn, want=together, together=len(wanted) > 1, session=session, controller=controller
        )

    def prologue(self, nonce: str) -> str:
        """Everything before the first part."""
        if not _NONCE.fullmatch(nonce):
            raise ValueError("a nonce is 16 hex digits")
        head = _wrap("prologue", credential=bool(self.arguments), host=self._host, nonce=nonce, provider=self.kind)
        return head + self._block

    def allowed(self, body: Body) -> Body:
        """What a part checks before it begins."""
        text = _wrap("allowed", want=list(body.exchange), remote=self.kind == "remote") if body.exchange else ""
        return Body(text=text, sha256="")


@functools.cache
def _wrapper() -> Renderer:
    folder = resources.files("starover").joinpath("wrapper")
    sources = {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".ps1.j2")}
    return Renderer(sources, wrapper=True)


def _wrap(name: str, **arguments: Arg | Body) -> str:
    return _wrapper().fragment(f"{name}.ps1.j2", arguments)


def _receipt_paths(operation: str) -> dict[str, str]:
    if not _OPERATION.fullmatch(operation):
        raise ValueError("an operation id is a UUID in lower case")
    stem = f"{_FOLDER}\\receipts\\{operation}"
    return {"begin": f"{stem}.begin", "end": f"{stem}.end"}


def _json_opening(part: str) -> str:
    return '{"id":' + msgspec.json.encode(part).decode()


def ascii_json(document: bytes | None) -> str:
    """A JSON document in ASCII, so that it fits a literal whatever its strings hold."""
    text = msgspec.json.format(document or b"null", indent=-1).decode()
    units = re.compile(r"[^\x20-\x7e]")
    return units.sub(lambda match: "".join(f"\\u{unit:04x}" for unit in _utf16(match[0])), text)


def _utf16(character: str) -> list[int]:
    data = character.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    ok: bool
    facts: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorRecord | msgspec.UnsetType = msgspec.UNSET


class _ReceiptPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    state: ReceiptState
    begin: str | None
    end: str | None


class _Kept(msgspec.Struct, frozen=True):
    """A receipt file."""

    operation: str
    prev: msgspec.Raw = msgspec.Raw(b"null")
    result: _Part | None = None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal[1]
    host: str
    utc: str
    ps: str
    elevated: bool
    provider: Literal["", "remote", "snapin"]
    warnings: tuple[str, ...]
    parts: tuple[_Part, ...]
    receipts: tuple[_ReceiptPart, ...]


def decode(output: str, nonce: str) -> Decoded:
    """Read the report between the markers of `nonce`.

    Raises `OutputTruncated` (BEGIN without END, or less between them than END says) and `BadReport` (no report, wrong
    checksum, not the promised shape); both carry what came.
    """
    document = _document(_payload(output, nonce), output)
    results: dict[str, bytes | ErrorRecord] = {}
    for part in document.parts:
        if part.id in results:
            raise _bad(f"the report answers `{part.id}` twice", output)
        results[part.id] = _result(part, output)
    receipts: dict[str, Receipt] = {}
    for found in document.receipts:
        state = found.state
        prev = _kept(found.begin, found.id).prev
        if state == "ran-before":
            # The first sending's result. A receipt that was cut while it was written proves no end.
            kept = _kept(found.end, found.id)
            if kept.result is None or kept.result.id != found.id:
                state = "in-progress"
            else:
                results[found.id] = _result(kept.result, output)
        if state == "in-progress":
            results.pop(found.id, None)
        receipts[found.id] = Receipt(state=state, prev=None if bytes(prev) == b"null" else bytes(prev))
    return Decoded(
        host=document.host,
        results=results,
        receipts=receipts,
        warnings=document.warnings,
        provider=document.provider,
        elevated=document.elevated,
    )


def answered(part: str, answer: Answer, *, write: bool, host: str) -> Decoded:
    """What a template marked `# single` said, by the id of its part: facts `{"objects": [...]}`, or its error.

    A write's facts are `null`; that it ran is all that is known of it. An error that ended nothing counts too.
    Raises `BadReport` for what is no JSON.
    """
    try:
        objects = [msgspec.Raw(msgspec.json.format(line.encode(), indent=-1)) for line in answer.output.splitlines()]
    except msgspec.DecodeError as error:
        raise _bad(f"the answer is not JSON: {error}", answer.output) from error
    facts = b"null" if write else msgspec.json.encode({"objects": objects})
    errors = answer.errors or ((ErrorRecord(message="the command failed without a word"),) if answer.failed else ())
    result: bytes | ErrorRecord = errors[-1] if errors else facts
    receipts = {part: Receipt(state="ran")} if write else {}
    return Decoded(host=host, results={part: result}, receipts=receipts, provider="direct" if write else "")


def called(part: str, answer: Answer, *, write: bool, host: str) -> Decoded:
    """What a call said, by the id of its part: its facts, or its error; of a write what its report made of the reply.

    Raises `BadReport` for a reading that is no JSON.
    """
    result: bytes | ErrorRecord
    if answer.failed or answer.errors:
        result = answer.errors[-1] if answer.errors else ErrorRecord(message="the call failed without a word")
    else:
        try:
            result = msgspec.json.format(answer.output.encode(), indent=-1)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if not write:
                raise _bad(f"the answer is not JSON: {error}", answer.output) from error
            result = b"null"  # it was done all the same, and the fact is read anyway
    return Decoded(host=host, results={part: result}, receipts={part: Receipt(state="ran")} if write else {})


def _payload(output: str, nonce: str) -> str:
    lines = output.splitlines()
    begins = [at for at, line in enumerate(lines) if line.strip() == f"@@STAROVER-BEGIN {nonce}"]
    if not begins:
        raise _bad("the host's answer holds no report", output)
    if len(begins) > 1:
        raise _bad("the host's answer holds more than one report", output)
    end = re.compile(rf"@@STAROVER-END {nonce} ([0-9]{{1,12}}) ([0-9a-f]{{8}})")
    for at in range(begins[0] + 1, len(lines)):
        match = end.fullmatch(lines[at].strip())
        if match is None:
            continue
        payload = "".join(lines[begins[0] + 1 : at])
        if len(payload) < int(match[1]):
            raise _bad(f"the report was cut: {len(payload)} of {match[1]} characters came", output, cut=True)
        if (
            len(payload) > int(match[1])
            or hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()[:8] != match[2]
        ):
            raise _bad("the report was changed on the way: its length or checksum is wrong", output)
        return payload
    raise _bad("the report was cut: its end did not come", output, cut=True)


def _document(payload: str, output: str) -> _Document:
    try:
        return msgspec.json.decode(payload, type=_Document)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _bad(f"the report is not of the promised shape: {error}", output) from error


def _result(part: _Part, output: str) -> bytes | ErrorRecord:
    if part.ok and isinstance(part.facts, msgspec.Raw) and part.error is msgspec.UNSET:
        return bytes(part.facts)
    if not part.ok and isinstance(part.error, ErrorRecord) and part.facts is msgspec.UNSET:
        return part.error
    raise _bad(f"the report's part `{part.id}` has neither facts nor an error, or both", output)


def _kept(text: str | None, operation: str) -> _Kept:
    """A receipt file's content; an empty one where it cannot be read or is another operation's."""
    try:
        kept = msgspec.json.decode(text or "", type=_Kept)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Kept(operation="")
    return kept if kept.operation == operation else _Kept(operation="")


_SHOWN = 600


def _bad(what: str, output: str, *, cut: bool = False) -> BadReport | OutputTruncated:
    """The error, with the two ends of what came."""
    kind = OutputTruncated if cut else BadReport
    return kind(what, certain=(what_came(output),))


def what_came(output: str) -> str:
    """The two ends of an answer that is no report, for a person. A secret that is cut is not known any more: whoever
    knows of any masks the whole before.
    """
    came = output if len(output) <= _SHOWN else f"{output[: _SHOWN // 2]} ... {output[-_SHOWN // 2 :]}"
    return f"what came ({len(output)} characters): {came!a}"
