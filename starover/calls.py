"""Calls as data: service, operation, parameters, and the expression that makes a report of the reply; performs none.

A call's text is JSON, written by `render` from a template `*.call.j2`, so it is hashed, planned and journalled as a
script is. Service, operation and parameters are boto3's own words. `report` is a JMESPath expression over boto3's reply
without `ResponseMetadata`; times in the reply are text (RFC 3339, UTC). A write needs none.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import jmespath
import jmespath.exceptions
import msgspec

from starover.errors import BadReport, BadTemplate
from starover.skeleton import VALUE

__all__ = ["ENDING", "Call", "canonical", "misplaced", "projected", "read_call"]

ENDING = ".call.j2"
"""How the name of a call's template ends."""

_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)
_FIXED = re.compile(rf'"(service|operation|report)"\s*:\s*{VALUE}')


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call, as its text says it."""

    service: str
    """boto3's name of a service, such as `ec2`; or `probe`: a look over the network from where the tool runs."""
    operation: str
    """Name of the method of boto3's client, such as `stop_instances`."""
    parameters: dict[str, object] = {}
    """The method's keyword arguments."""
    report: str = ""
    """JMESPath; empty: the reply says nothing that anybody needs."""


def read_call(text: str) -> Call:
    """A call from its text. Raises `BadTemplate` for what is none."""
    try:
        call = msgspec.json.decode(text.encode(), type=Call)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise BadTemplate(f"this is no call: {error}", certain=("nothing was sent",)) from None
    for what, word in (("service", call.service), ("operation", call.operation)):
        if not _WORD.fullmatch(word):
            raise BadTemplate(f"this is no call: `{word[:60]}` is no name of a {what}", certain=("nothing was sent",))
    if call.report:
        _compiled(call.report)
    return call


def canonical(template: str, text: str) -> str:
    """Rendered text of a call in the one form that is hashed, shown and sent. Raises `BadTemplate`.

    A report may run over several lines; no value has a line end of its own in it.
    """
    try:
        call = read_call(_STRING.sub(lambda string: string[0].replace("\n", " "), text))
    except BadTemplate as error:
        raise BadTemplate(f"the template {template} makes no call: {error.what}", certain=error.certain) from None
    lean: dict[str, object] = {"service": call.service, "operation": call.operation, "parameters": call.parameters}
    if call.report:
        lean["report"] = " ".join(call.report.split())
    return msgspec.json.format(msgspec.json.encode(lean), indent=2).decode() + "\n"


def misplaced(skeleton: str) -> str:
    """Why a template's values do not stand where values may, from its skeleton; empty: they do.

    A value brings its own quotes, and what is called and what is made of the reply is the template's own word.
    """
    for string in _STRING.finditer(skeleton):
        if VALUE in string[0]:
            return f"puts a value in quotes (line {skeleton.count(chr(10), 0, string.start()) + 1})"
    found = _FIXED.search(skeleton)
    return f"takes its `{found[1]}` from a value; it is written out" if found else ""


def projected(call: Call, reply: Mapping[str, object]) -> object:
    """What a call's report says of a reply, as JSON holds it; None where there is no report. Raises `BadReport`."""
    if not call.report:
        return None
    facts = msgspec.to_builtins({name: value for name, value in reply.items() if name != "ResponseMetadata"})
    try:
        return _compiled(call.report).search(facts)
    except jmespath.exceptions.JMESPathError as error:
        raise BadReport(f"the reply of {call.service} {call.operation} is not as expected: {error}") from error


@functools.cache
def _compiled(expression: str) -> jmespath.Parsed:
    try:
        return jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        said = str(error).splitlines()[0]
        raise BadTemplate(f"the report is no JMESPath expression: {said}") from None
