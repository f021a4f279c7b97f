"""Commands as the reference pages document them, as specifications of the evaluator; knows no body and no session.

`data/cmdlets.json` holds for each cmdlet its module, parameter sets (mandatory and positional parameters), parameters
(type, aliases, pipeline, listed values, longest text) and, for Exchange, the versions that have it. Of cmdlets that
work on several providers it holds the file system's parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import msgspec

from starover_lab.cmdlets.objects import DATA, members, text_of
from starover_lab.powershell.command import ALL_SETS, Body, CommandSpec, InSet, Parameter, Validation
from starover_lab.powershell.errors import failure
from starover_lab.powershell.values import (
    OrderedHashtable,
    PSArray,
    PSEnum,
    PSHashtable,
    PSObject,
    Unsupported,
    Value,
    base,
    enumerate_,
)

__all__ = ["documented", "names", "spec"]


class _Parameter(msgspec.Struct, frozen=True):
    type: str
    aliases: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    pipeline: str = ""
    values: tuple[str, ...] = ()
    max: int = 0
    versions: tuple[str, ...] = ()


class _Cmdlet(msgspec.Struct, frozen=True):
    module: str
    family: str
    sets: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    parameters: dict[str, _Parameter]
    default: str = ""
    versions: tuple[str, ...] = ()
    whatif: bool = False
    prompts: bool = False


@cache
def _file() -> dict[str, _Cmdlet]:
    raw = (files("starover_lab.cmdlets") / "data" / "cmdlets.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, _Cmdlet])


def names() -> list[str]:
    """Every cmdlet whose parameters are known here."""
    return list(_file())


def documented(name: str, year: str = "") -> bool:
    """Whether the cmdlet exists in that version of Exchange (`2016`, `SE`); without a year: at all."""
    found = _file().get(name)
    return found is not None and (not year or not found.versions or year in found.versions)


_EXCHANGE_CLASSES = {
    "Get-Queue": "Microsoft.Exchange.Management.QueueViewerTasks.GetQueueInfo",
    "Test-ReplicationHealth": "Microsoft.Exchange.Monitoring.TestReplicationHealth",
    "Test-ServiceHealth": "Microsoft.Exchange.Monitoring.TestServiceHealth",
    "Get-ServerHealth": "Microsoft.Exchange.Management.Monitoring.GetServerHealth",
    "Get-HealthReport": "Microsoft.Exchange.Management.Monitoring.GetHealthReport",
    "Get-Message": "Microsoft.Exchange.Management.QueueViewerTasks.GetMessageInfo",
    "Retry-Queue": "Microsoft.Exchange.Management.QueueViewerTasks.RetryQueue",
    "Resume-Queue": "Microsoft.Exchange.Management.QueueViewerTasks.UnfreezeQueue",
    "Suspend-Queue": "Microsoft.Exchange.Management.QueueViewerTasks.FreezeQueue",
    "Redirect-Message": "Microsoft.Exchange.Management.QueueViewerTasks.RedirectMessage",
}
_CLUSTER_CLASSES = {
    "Get-Cluster": "GetClusterCommand",
    "Get-ClusterNode": "GetNodeCommand",
    "Get-ClusterResource": "GetResourceCommand",
    "Get-ClusterGroup": "GetGroupCommand",
    "Get-ClusterQuorum": "GetQuorumCommand",
    "Get-ClusterParameter": "GetParameterCommand",
}
"""`GetNodeCommand` was seen in an error id (facts/exchange.md point 18); the others follow its pattern."""


_FUNCTIONS = {
    "ScheduledTasks",
    "Storage",
    "NetAdapter",
    "NetTCPIP",
    "NetSecurity",
    "DnsClient",
    "DnsServer",
    "SmbShare",
    "WebAdministration",
}
"""Modules whose commands are functions made from CIM classes: error ids end in their own names."""


def _class_name(name: str, found: _Cmdlet) -> str:
    """What the engine appends to the error ids of this cmdlet."""
    plain = name.replace("-", "")
    if found.family == "exchange":
        return _EXCHANGE_CLASSES.get(name, f"Microsoft.Exchange.Management.SystemConfigurationTasks.{plain}")
    if found.module == "FailoverClusters":
        return f"Microsoft.FailoverClusters.PowerShell.{_CLUSTER_CLASSES.get(name, plain + 'Command')}"
    if found.module == "CimCmdlets":
        return f"Microsoft.Management.Infrastructure.CimCmdlets.{plain}Command"
    if name == "Resolve-DnsName":
        return "Microsoft.DnsClient.Commands.ResolveDnsName"
    if found.module == "ActiveDirectory":
        return f"Microsoft.ActiveDirectory.Management.Commands.{plain}"
    if found.module == "ServerManager":
        return f"Microsoft.Windows.ServerManager.Commands.{plain.replace('Install', 'Add')}Command"
    if found.module in _FUNCTIONS:
        return name
    return f"Microsoft.PowerShell.Commands.{plain}Command"


_TYPES = {
    "string": "string",
    "string[]": "string[]",
    "stringcollection": "string[]",
    "fqdn": "string",
    "unlimited": "string",
    "uri": "string",
    "uri[]": "string[]",
    "guid": "guid",
    "guid[]": "string[]",
    "boolean": "bool",
    "int32": "int",
    "int32[]": "int[]",
    "int64": "long",
    "uint32": "uint32",
    "char[]": "char[]",
    "version": "version",
    "object": "object",
    "object[]": "object[]",
    "switchparameter": "switch",
    "enhancedtimespan": "timespan",
    "timespan": "timespan",
    "uint16": "uint16",
    "datetime": "datetime",
    "pscredential": "pscredential",
}


def _identity(type_name: str) -> Callable[[Value], Value]:
    """What Exchange's identity parameters make of an argument: text as it is, of an object its identity."""

    def transform(value: Value) -> Value:
        if value is None:
            return None
        text = text_of(value)
        if not text:
            # An empty identity must not be taken for none, which would mean everything.
            message = f"Parameter values of type {type_name} can't be empty. Specify a value, and try again."
            raise failure("EmptyIdentity", "InvalidArgument", message, type_name="System.ArgumentException")
        return text

    return transform


def _member_of(values: tuple[str, ...], type_name: str) -> Callable[[Value], Value]:
    known = {value.casefold(): value for value in values}

    def transform(value: Value) -> Value:
        text = value.name if isinstance(value, PSEnum) else (value.text if isinstance(value, PSObject) else str(value))
        found = known.get((text or "").casefold())
        if found is None:
            listed = ",".join(values)
            raise failure(
                "InvalidCastFromStringToEnum",
                "InvalidArgument",
                f'Cannot convert value "{text}" to type "{type_name}". Error: "Unable to match the identifier name '
                f"{text} to a valid enumerator name. Specify one of the following enumerator names and try "
                f'again: {listed}"',
            )
        return found

    return transform


_LIVE = {
    "ciminstance": "Microsoft.Management.Infrastructure.CimInstance",
    "servicecontroller": "System.ServiceProcess.ServiceController",
    "process": "System.Diagnostics.Process",
}
"""Types of objects that another cmdlet has to hand over: nothing is converted to them."""


def _objects_of(wanted: str) -> Callable[[Value], Value]:
    def transform(value: Value) -> Value:
        for item in enumerate_(value):
            inner = base(item)
            if not isinstance(inner, PSObject) or wanted not in inner.type_names:
                message = f'Cannot convert value "{text_of(value)}" to type "{wanted}".'
                raise failure("InvalidCastConstructorException", "InvalidArgument", message)
        return value

    return transform


_METHOD = f"{DATA}Directory.SystemConfiguration.AuthenticationMethod"


def _methods(value: Value) -> Value:
    """Authentication methods, spelled as the enum has them. A table of additions and removals is not simulated."""
    if isinstance(value, PSHashtable | OrderedHashtable):
        raise Unsupported("a change of a list by @{Add=...;Remove=...}: the lab takes whole lists")
    one = _member_of(tuple(members(_METHOD)), _METHOD)
    return PSArray([one(item) for item in enumerate_(value)] if value is not None else [])


def _not_longer(limit: int) -> Validation:
    def check(value: Value) -> str | None:
        if isinstance(value, str) and len(value) > limit:
            return (
                f"The length of the property is too long. The maximum length is {limit} and the length of the value "
                f"provided is {len(value)}."
            )
        return None

    return check


_SEVERAL = {"MultiValuedProperty", "AllowedServices"}
"""Types that take several of the listed values."""


def _parameter(name: str, given: _Parameter, owner: _Cmdlet, *, reads: bool) -> Parameter:
    every = tuple(owner.sets)
    plain = every == ("(All)",)
    # Exchange's pages do not tell by value from by property name; objects go to the leading parameter.
    leading = "Identity" if "Identity" in owner.parameters else next(iter(owner.parameters))
    sets: dict[str, InSet] = {}
    for set_name in given.sets or every:
        mandatory, positional = owner.sets[set_name]
        sets[ALL_SETS if plain else set_name] = InSet(
            mandatory=name in mandatory,
            position=positional.index(name) if name in positional else None,
            by_value=given.pipeline in {"both", "by_value"} or (given.pipeline == "yes" and name == leading),
            by_property=given.pipeline in {"yes", "both", "by_property_name"},
        )
    if len(sets) == len(every) and len(set(sets.values())) == 1:
        sets = {ALL_SETS: next(iter(sets.values()))}
    identity = given.type.endswith("IdParameter") or given.type in {
        "QueueIdentity",
        "RunspaceServerSettingsPresentationObject",
    }
    transform: Callable[[Value], Value] | None = None
    if identity:
        transform = _identity(given.type)
    elif given.type.casefold().removesuffix("[]") in _LIVE:
        transform = _objects_of(_LIVE[given.type.casefold().removesuffix("[]")])
    elif name.endswith("AuthenticationMethods"):
        transform = _methods
    elif given.values and not given.type.endswith("[]") and given.type not in _SEVERAL:
        transform = _member_of(given.values, given.type)
    return Parameter(
        name=name,
        type=_TYPES.get(given.type.casefold(), "object"),
        aliases=given.aliases,
        sets=sets,
        # Exchange's Get cmdlets take a null identity for none and return everything (powershell.md section 7).
        allow_null=(identity and reads) or transform is _methods,
        allow_empty_string=given.type == "String" and owner.family == "exchange",
        allow_empty_collection=given.type.endswith("[]") and owner.family != "exchange",
        validations=(_not_longer(given.max),) if given.max else (),
        transform=transform,
    )


@cache
def _parameters(name: str, year: str) -> tuple[Parameter, ...]:
    found = _file()[name]
    reads = name.startswith(("Get-", "Test-"))
    return tuple(
        _parameter(parameter, given, found, reads=reads)
        for parameter, given in found.parameters.items()
        if not year or not given.versions or year in given.versions
    )


def spec(name: str, body: Body, year: str = "") -> CommandSpec | None:
    """The command `name` with this body, as that version of Exchange has it; None where it does not exist there."""
    if not documented(name, year):
        return None
    found = _file()[name]
    default = found.default or (
        "Identity" if "Identity" in found.sets else "FullParams" if "FullParams" in found.sets else ""
    )
    return CommandSpec(
        name=name,
        body=body,
        module=found.module,
        class_name=_class_name(name, found),
        parameters=_parameters(name, year),
        default_set=default,
        should_process=found.whatif,
        confirm_impact="High" if found.prompts else "Medium",
        version="15.2.0.0" if found.family == "exchange" else "",
    )
