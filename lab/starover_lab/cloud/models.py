"""botocore's own description of AWS's API: what a call is named and what it takes; calls nothing."""

from __future__ import annotations

from functools import cache

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel
from botocore.session import Session
from botocore.validate import ParamValidator

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given

__all__ = ["check", "operation_name"]


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
