"""AWS Tools for PowerShell on instances, as far as hosts read secrets with it: the role of the instance decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from starover_lab.cmdlets.machine import machine
from starover_lab.cmdlets.objects import list_of, product, text_of
from starover_lab.powershell.command import CommandSpec, Invocation, Parameter
from starover_lab.powershell.values import PSObject, Value
from starover_lab.world.errors import WorldError

__all__ = ["AWS_TOOLS"]

_NO_ROLE = "No credentials specified or obtained from persisted/shell defaults."
_SECRETS, _PARAMETERS = "Amazon.SecretsManager", "Amazon.SimpleSystemsManagement"


class _Parameter(msgspec.Struct):
    Name: str
    Value: str
    Type: str = "String"


class _Parameters(msgspec.Struct):
    """The reply of GetParameters, as far as it is shown."""

    Parameters: list[_Parameter] = []
    InvalidParameters: list[str] = []


def _asked(call: Invocation, service: str, operation: str, parameters: Mapping[str, object]) -> Mapping[str, object]:
    """AWS's reply. Raises what ends the cmdlet: the SDK's exception with AWS's own words."""
    here = machine(call)
    state = here.world.state
    call.wait(state.tuning.aws_call_s)
    if state.aws is None or not here.server.instance:
        raise call.fail(
            call.record("InvalidOperation", "InvalidOperation", _NO_ROLE, type_name="System.InvalidOperationException")
        )
    try:
        return state.aws(here.host, service, operation, parameters)
    except WorldError as error:
        names = {"secretsmanager": f"{_SECRETS}.AmazonSecretsManagerException"}
        kind = names.get(service, f"{_PARAMETERS}.AmazonSimpleSystemsManagementException")
        raise call.fail(
            call.record(f"{kind},{call.spec.name}", "InvalidOperation", error.message, type_name=kind)
        ) from error


def _secret(call: Invocation) -> Iterator[Value]:
    """Get-SECSecretValue."""
    reply = _asked(call, "secretsmanager", "get_secret_value", {"SecretId": text_of(call.bound.get("SecretId"))})
    names = ("ARN", "Name", "SecretString", "VersionId")
    columns: list[tuple[str, Value]] = [(name, str(reply[name])) for name in names if name in reply]
    yield product([f"{_SECRETS}.Model.GetSecretValueResponse", "System.Object"], columns)


def _parameter_value(call: Invocation) -> Iterator[Value]:
    """Get-SSMParameterValue: those there are, and the names that are none."""
    decrypted = call.bound.get("WithDecryption") is True
    asked = {"Names": [text_of(call.bound.get("Name"))], "WithDecryption": decrypted}
    reply = _asked(call, "ssm", "get_parameters", asked)
    found = msgspec.convert(reply, _Parameters)
    rows = [_row(one) for one in found.Parameters]
    columns: list[tuple[str, Value]] = [
        ("InvalidParameters", list_of(found.InvalidParameters)),
        ("Parameters", list_of(rows)),
    ]
    yield product([f"{_PARAMETERS}.Model.GetParametersResponse", "System.Object"], columns)


def _row(one: _Parameter) -> PSObject:
    columns: list[tuple[str, Value]] = [("Name", one.Name), ("Type", one.Type), ("Value", one.Value)]
    return product([f"{_PARAMETERS}.Model.Parameter", "System.Object"], columns)


AWS_TOOLS = (
    CommandSpec(
        name="Get-SECSecretValue",
        body=_secret,
        module="AWSPowerShell",
        parameters=(
            Parameter.of("SecretId", "string", mandatory=True, position=0, by_value=True),
            Parameter.of("Region", "string"),
        ),
    ),
    CommandSpec(
        name="Get-SSMParameterValue",
        body=_parameter_value,
        module="AWSPowerShell",
        parameters=(
            Parameter.of("Name", "string", mandatory=True, position=0, by_value=True),
            Parameter.of("WithDecryption", "bool"),
            Parameter.of("Region", "string"),
        ),
    ),
)
"""Of hosts that are instances: Amazon's Windows images bring them."""
