"""botocore's own description of AWS's API: what a call is named and what it takes; calls nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import cast

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import Session
from botocore.validate import ParamValidator

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given

__all__ = ["broken_limit", "check", "operation_name"]


@cache
def _session() -> Session:
    return Session()


@cache
def _service(name: str) -> ServiceModel:
    try:
        return _session().get_service_model(name)
    except UnknownServiceError:
        raise CloudError("UnknownService", f"Unknown service: '{name[:40]}'") from None


def operation_name(service: str, operation: str) -> str:
    """The API's name of a method of boto3's client. Raises `CloudError` for what boto3 does not have."""
    found = next((one for one in _service(service).operation_names if xform_name(one) == operation), "")
    if not found:
        raise CloudError("UnknownOperation", f"'{service}' has no attribute '{operation[:40]}'")
    return found


def check(service: str, name: str, parameters: Given) -> None:
    """Raises `CloudError` in boto3's words for parameters that it would not send."""
    shape = _service(service).operation_model(name).input_shape
    if shape is not None:
        found = ParamValidator().validate(parameters, shape)
        if found.has_errors():
            raise CloudError("ParamValidation", f"Parameter validation failed:\n{found.generate_report()}")


def broken_limit(service: str, operation: str, parameters: Given) -> str:
    """What a service says of the first value beyond a limit that boto3 itself does not look at; empty: none is."""
    shape = _service(service).operation_model(operation_name(service, operation)).input_shape
    return next(_broken(shape, parameters, ""), "") if shape is not None else ""


def _broken(shape: Shape, value: object, path: str) -> Iterator[str]:
    lead = f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must"
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, one in cast("Mapping[str, object]", value).items():
            if name in shape.members:
                yield from _broken(shape.members[name], one, f"{path}.{_lower(name)}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, Sequence) and not isinstance(value, str):
        if (most := _limit(shape, "max")) is not None and len(cast("Sequence[object]", value)) > most:
            yield f"{lead} have length less than or equal to {most}"
        for number, one in enumerate(cast("Sequence[object]", value), 1):
            yield from _broken(shape.member, one, f"{path}.{number}.member")
    elif isinstance(shape, StringShape) and isinstance(value, str):
        if shape.enum and value not in shape.enum:
            yield f"{lead} satisfy enum value set: [{', '.join(shape.enum)}]"
        if (most := _limit(shape, "max")) is not None and len(value) > most:
            yield f"{lead} have length less than or equal to {most}"
    elif isinstance(value, int) and (most := _limit(shape, "max")) is not None and value > most:
        yield f"{lead} have value less than or equal to {most}"


def _limit(shape: Shape, name: str) -> int | None:
    found = shape.metadata.get(name)
    return found if isinstance(found, int) else None


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
