"""Read-Host: a question to whoever sits at the client, by its host; without one it fails as Windows does."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import machine, switch
from starover_lab.powershell.command import CommandSpec, Invocation, Parameter
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import PSHashtable, PSList, PSObject, Value, base

__all__ = ["READ_HOST"]

_READ_LINE, _READ_SECRET, _PROMPT = 11, 12, 23
_LIB = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_NOBODY = (
    "A command that prompts the user failed because the host program or the command type does not support user "
    "interaction. Try a host program that supports user interaction, such as the Windows PowerShell Console or Windows "
    "PowerShell ISE, and remove prompt-related commands from command types that do not support user interaction, such "
    "as Windows PowerShell workflows."
)


def _field(name: str, kind: str) -> PSObject:
    """A FieldDescription as it travels (rules G)."""
    members: list[tuple[str, Value]] = [
        ("name", name),
        ("label", name),
        ("parameterTypeName", kind.rpartition(".")[2]),
        ("parameterTypeFullName", kind),
        ("parameterAssemblyFullName", f"{kind}, {_LIB}"),
        ("helpMessage", ""),
        ("isMandatory", True),
        ("metadata", PSList([])),
        ("modifiedByRemotingProtocol", False),
        ("isFromRemoteHost", False),
    ]
    return PSObject(members, type_names=())


def _read_host(call: Invocation) -> Iterator[Value]:
    client = machine(call).client
    if client is None or not client.has_ui:
        raise call.fail(
            call.record(
                "HostFunctionNotImplemented",
                "NotImplemented",
                _NOBODY,
                type_name="System.Management.Automation.Host.HostException",
            )
        )
    secret = switch(call.bound.get("AsSecureString"))
    prompt = call.bound.get("Prompt")
    if prompt is None:
        yield client.ask(*((_READ_SECRET, "ReadLineAsSecureString") if secret else (_READ_LINE, "ReadLine")))
        return
    text = to_string(prompt)
    kind = "System.Security.SecureString" if secret else "System.String"
    answer = base(client.ask(_PROMPT, "Prompt", "", "", PSList([_field(text, kind)])))
    yield answer.get(text) if isinstance(answer, PSHashtable) else answer


READ_HOST = CommandSpec(
    name="Read-Host",
    body=_read_host,
    module="Microsoft.PowerShell.Utility",
    parameters=(
        Parameter.of("Prompt", "object", position=0, remaining=True),
        Parameter.of("AsSecureString", "switch"),
    ),
)
