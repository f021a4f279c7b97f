"""SSM Run Command: what its API takes, refuses and tells; what becomes of a command is `invocations`' business."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

import msgspec

from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, flag, number, table, tables, text, texts
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.cloud.invocations import (
    STDERR,
    STDOUT,
    Agent,
    Command,
    Course,
    Invocation,
    Store,
    combined,
    cut,
    reached,
)
from starover_lab.cloud.patching import DOCUMENT as PATCH
from starover_lab.cloud.patching import Patching
from starover_lab.cloud.patching import checked as checked_patch
from starover_lab.cloud.shapes import OWNER
from starover_lab.world.world import World

__all__ = ["RunCommand"]

_DOCUMENT = "AWS-RunPowerShellScript"
_PLUGIN = "aws:runPowerShellScript"
_PLUGINS = {_DOCUMENT: _PLUGIN, PATCH: "PatchWindows"}
"""By document."""
_PATCH_SECONDS = 7200
"""How long AWS-RunPatchBaseline may take: it has no parameter for it."""
_PARAMETERS = {"commands", "workingDirectory", "executionTimeout"}
_MOST = 50
_LONGEST = 65_536
"""Characters of a document with its parameters."""
_AGENT_VERSION = "3.3.987.0"
_CONCURRENCY = re.compile(r"[1-9][0-9]*|[1-9][0-9]?%|100%")
_ERRORS = re.compile(r"0|[1-9][0-9]*|[0-9]%|[1-9][0-9]%|100%")
_SECONDS = range(5, 172_801)
_DEFAULT_SECONDS = 3600
_VERSIONS = {
    "2012R2": ("Microsoft Windows Server 2012 R2 Standard", "6.3.9600"),
    "2016": ("Microsoft Windows Server 2016 Datacenter", "10.0.14393"),
    "2019": ("Microsoft Windows Server 2019 Datacenter", "10.0.17763"),
    "2022": ("Microsoft Windows Server 2022 Datacenter", "10.0.20348"),
    "2025": ("Microsoft Windows Server 2025 Datacenter", "10.0.26100"),
}


def _invalid(what: str) -> NoReturn:
    raise CloudError("ValidationException", f"1 validation error detected: {what}")


class RunCommand:
    """Run Command in one region."""

    def __init__(self, world: World, instances: Instances, agent: Agent | None, store: Store) -> None:
        self._world = world
        self._state = world.state
        self._instances = instances
        patching = Patching(world, instances)
        self._course = Course(world, agent, store, patching.run)
        self._commands: dict[str, Command] = {}
        self._unseen: dict[str, int] = {}
        """How many more questions about a command find it not there yet."""
        self._heard: dict[str, datetime] = {}
        """When the agent of an instance was last heard of, once it is not any more."""
        world.state.reviewers.append(self._review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_instance_information": self.describe_instance_information,
        }
        if agent is not None:
            self.calls = {
                **self.calls,
                "send_command": self.send_command,
                "list_commands": self.list_commands,
                "list_command_invocations": self.list_command_invocations,
                "get_command_invocation": self.get_command_invocation,
                "cancel_command": self.cancel_command,
                **patching.calls,
            }

    # -- agents --------------------------------------------------------------------------------------------------

    def _review(self) -> None:
        for instance in self._instances.all.values():
            if reached(self._world, instance.server):
                self._heard.pop(instance.id, None)
            elif instance.id not in self._heard:
                self._heard[instance.id] = self._state.now
                self._state.poke_after(self._state.tuning.ssm_ping_s)

    def describe_instance_information(self, given: Given) -> Reply:
        """The nodes with their agents; one that was not heard of for some minutes has lost its connection."""
        shown = [self._information(one) for one in self._instances.all.values() if one.state != "terminated"]
        asked = [(text(one, "Key"), texts(one, "Values")) for one in tables(given, "Filters")]
        asked += [(text(one, "key"), texts(one, "valueSet")) for one in tables(given, "InstanceInformationFilterList")]
        for name, wanted in asked:
            if name.startswith("tag:"):
                kept = [one for one in shown if self._tag(one, name.removeprefix("tag:")) in wanted]
            elif name == "tag-key":
                kept = [one for one in shown if any(self._tag(one, key) is not None for key in wanted)]
            elif name in _FILTERS:
                kept = [one for one in shown if str(one[_FILTERS[name]]) in wanted]
            else:
                raise CloudError("InvalidFilterKey", f"The specified key isn't valid: {name}")
            shown = kept
        most = number(given, "MaxResults", 50)
        if "MaxResults" in given and not 5 <= most <= _MOST:
            _invalid("Value at 'maxResults' failed to satisfy constraint: between 5 and 50")
        page, following = _paged(shown, given, most)
        return {"InstanceInformationList": page, **following}

    def _tag(self, one: Reply, key: str) -> str | None:
        return self._instances.get(str(one["InstanceId"])).tags.get(key)

    def _information(self, instance: Instance) -> Reply:
        server, now = instance.server, self._state.now
        silent = self._heard.get(instance.id)
        lost = silent is not None and (now - silent).total_seconds() >= self._state.tuning.ssm_ping_s
        name, version = _VERSIONS.get(server.os, ("Microsoft Windows Server", "10.0"))
        return {
            "InstanceId": instance.id,
            "PingStatus": "ConnectionLost" if lost else "Online",
            "LastPingDateTime": silent or now,
            "AgentVersion": _AGENT_VERSION,
            "IsLatestVersion": True,
            "PlatformType": "Windows",
            "PlatformName": name,
            "PlatformVersion": version,
            "ResourceType": "EC2Instance",
            "IPAddress": server.address,
            "ComputerName": server.fqdn,
        }

    # -- sending -------------------------------------------------------------------------------------------------

    def send_command(self, given: Given) -> Reply:
        """Take a command in; it is on its way when this answers."""
        document = text(given, "DocumentName").rpartition("/")[2].rpartition(":")[2]
        if document not in _PLUGINS:
            if document.startswith("AWS-"):
                not_simulated(f"the document {document}")
            raise CloudError("InvalidDocument", f"Document with name {document} does not exist.")
        parameters = _checked_parameters(document, table(given, "Parameters"))
        targets = self._targets(given)
        concurrency, errors = text(given, "MaxConcurrency", "50"), text(given, "MaxErrors", "0")
        if not _CONCURRENCY.fullmatch(concurrency):
            _invalid(f"Value '{concurrency}' at 'maxConcurrency' failed to satisfy constraint")
        if not _ERRORS.fullmatch(errors):
            _invalid(f"Value '{errors}' at 'maxErrors' failed to satisfy constraint")
        timeout, comment = number(given, "TimeoutSeconds", _DEFAULT_SECONDS), text(given, "Comment")
        if not 30 <= timeout <= 2_592_000:
            _invalid(f"Value '{timeout}' at 'timeoutSeconds' failed to satisfy constraint: between 30 and 2592000")
        if len(comment) > 100:
            _invalid("Value at 'comment' failed to satisfy constraint: at most 100 characters")
        wanted = (parameters.get("executionTimeout") or [""])[0]
        seconds = int(wanted) if wanted.isdecimal() and int(wanted) in _SECONDS else _DEFAULT_SECONDS
        seconds = _PATCH_SECONDS if document == PATCH else seconds
        command = Command(
            id=str(self._state.dice.guid("ssm", str(len(self._commands) + 1))),
            comment=comment,
            document=document,
            parameters=parameters,
            requested=self._state.now,
            timeout=timeout,
            execution=seconds,
            concurrency=_count(concurrency, len(targets)) or 1,
            errors=_count(errors, len(targets)),
            targets=[dict(one) for one in tables(given, "Targets")],
            bucket=text(given, "OutputS3BucketName"),
            prefix=text(given, "OutputS3KeyPrefix"),
            max_concurrency=concurrency,
            max_errors=errors,
        )
        command.invocations = {one.id: Invocation(command, one.id, one.server) for one in targets}
        self._commands[command.id] = command
        faults = self._state.cloud
        if faults.unseen:
            self._unseen[command.id] = faults.unseen
        shown = self._shown(command)
        for invocation in command.invocations.values():
            self._course.begin(invocation)
        return {"Command": shown}

    def _targets(self, given: Given) -> list[Instance]:
        names = texts(given, "InstanceIds")
        if len(names) > _MOST:
            _invalid("Value at 'instanceIds' failed to satisfy constraint: at most 50 members")
        if len(set(names)) < len(names):
            raise CloudError("DuplicateInstanceId", "You can't specify a managed node ID in more than one command.")
        if not names and not tables(given, "Targets"):
            raise CloudError("InvalidParameters", "InstanceIds or Targets must be given")
        bad = [name for name in names if name not in self._instances.all or self._gone(self._instances.all[name])]
        if bad:
            raise CloudError(
                "InvalidInstanceId", f"Instances [[{', '.join(bad)}]] not in a valid state for account {OWNER}"
            )
        found = [self._instances.all[name] for name in names]
        if names:
            return found
        known = [one for one in self._instances.all.values() if not self._gone(one)]
        for target in tables(given, "Targets"):
            key, values = text(target, "Key"), texts(target, "Values")
            if key.startswith("tag:"):
                known = [one for one in known if one.tags.get(key.removeprefix("tag:")) in values]
            elif key == "tag-key":
                known = [one for one in known if set(one.tags) & set(values)]
            elif key.casefold() == "instanceids":
                known = [one for one in known if one.id in values]
            else:
                not_simulated(f"targets by {key}")
        return known

    def _gone(self, instance: Instance) -> bool:
        return instance.state in ("terminated", "shutting-down")

    def cancel_command(self, given: Given) -> Reply:
        """Stop a command, everywhere or on some."""
        command = self._known(text(given, "CommandId"))
        wanted = texts(given, "InstanceIds") or list(command.invocations)
        for name in wanted:
            if name not in command.invocations:
                raise CloudError("InvalidInstanceId", f"{name} is no target of the command")
            self._course.cancel(command.invocations[name])
        return {}

    # -- looking -------------------------------------------------------------------------------------------------

    def _known(self, name: str) -> Command:
        found = self._commands.get(name)
        if found is None:
            raise CloudError("InvalidCommandId", "")
        return found

    def _visible(self, command: Command) -> bool:
        """A new command is not seen everywhere at once."""
        left = self._unseen.get(command.id, 0)
        if left:
            self._unseen[command.id] = left - 1
        return not left

    def list_commands(self, given: Given) -> Reply:
        """Commands, the latest first."""
        name = text(given, "CommandId")
        found = [self._known(name)] if name else list(reversed(self._commands.values()))
        instance = text(given, "InstanceId")
        shown = [self._shown(one) for one in found if not instance or instance in one.invocations]
        page, following = _paged(_filtered(given, shown), given, number(given, "MaxResults", _MOST))
        return {"Commands": page, **following}

    def list_command_invocations(self, given: Given) -> Reply:
        """Invocations, the latest command's first; with details their output."""
        name, instance = text(given, "CommandId"), text(given, "InstanceId")
        found = [self._known(name)] if name else list(reversed(self._commands.values()))
        found = [one for one in found if self._visible(one)]
        every = [one for command in found for one in command.invocations.values()]
        wanted = [one for one in every if not instance or one.instance == instance]
        shown = [self._listed(one, details=flag(given, "Details")) for one in wanted]
        page, following = _paged(_filtered(given, shown), given, number(given, "MaxResults", _MOST))
        return {"CommandInvocations": page, **following}

    def get_command_invocation(self, given: Given) -> Reply:
        """One invocation with as much of its output as the API gives."""
        command = self._commands.get(text(given, "CommandId"))
        one = command.invocations.get(text(given, "InstanceId")) if command is not None else None
        if command is None or one is None or not self._visible(command):
            raise CloudError("InvocationDoesNotExist", "")
        plugin = text(given, "PluginName")
        if plugin and plugin not in ("runPowerShellScript", _PLUGINS[command.document]):
            raise CloudError("InvalidPluginName", "")
        shown: Reply = {
            "CommandId": command.id,
            "InstanceId": one.instance,
            "Comment": command.comment,
            "DocumentName": command.document,
            "DocumentVersion": "$DEFAULT",
            "PluginName": _PLUGINS[command.document],
            "ResponseCode": one.code,
            "ExecutionStartDateTime": _instant(one.began),
            "ExecutionElapsedTime": _elapsed(one),
            "ExecutionEndDateTime": _instant(one.ended if one.began is not None else None),
            "Status": one.status,
            "StatusDetails": one.details,
            "StandardOutputContent": cut(one.stdout, one.cut_to or STDOUT) if one.terminal else "",
            "StandardOutputUrl": self._url(one, "stdout"),
            "StandardErrorContent": cut(one.stderr, STDERR) if one.terminal else "",
            "StandardErrorUrl": self._url(one, "stderr"),
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
        }
        return shown

    def _url(self, one: Invocation, stream: str) -> str:
        if not one.command.bucket:
            return ""
        return f"https://s3.{self._state.region}.amazonaws.com/{one.command.bucket}/{one.path(stream)}"

    def _listed(self, one: Invocation, *, details: bool) -> Reply:
        command = one.command
        shown: Reply = {
            "CommandId": command.id,
            "InstanceId": one.instance,
            "InstanceName": one.server.fqdn,
            "Comment": command.comment,
            "DocumentName": command.document,
            "DocumentVersion": "$DEFAULT",
            "RequestedDateTime": command.requested,
            "Status": one.status,
            "StatusDetails": one.details,
            "StandardOutputUrl": self._url(one, "stdout"),
            "StandardErrorUrl": self._url(one, "stderr"),
            "CommandPlugins": [],
            "ServiceRole": "",
        }
        if details:
            plugin: Reply = {
                "Name": _PLUGINS[command.document],
                "Status": one.status,
                "StatusDetails": one.details,
                "ResponseCode": one.code,
                "Output": combined(one.stdout, one.stderr, min(one.cut_to or 2500, 2500)) if one.terminal else "",
                "StandardOutputUrl": self._url(one, "stdout"),
                "StandardErrorUrl": self._url(one, "stderr"),
                "OutputS3Region": self._state.region,
                "OutputS3BucketName": command.bucket,
                "OutputS3KeyPrefix": one.path("").rstrip("/") if command.bucket else "",
            }
            if one.began is not None:
                plugin["ResponseStartDateTime"] = one.began
            if one.ended is not None:
                plugin["ResponseFinishDateTime"] = one.ended
            shown["CommandPlugins"] = [plugin]
        return shown

    def _shown(self, command: Command) -> Reply:
        status, details = _of_all(command)
        ones = command.invocations.values()
        return {
            "CommandId": command.id,
            "DocumentName": command.document,
            "DocumentVersion": "$DEFAULT",
            "Comment": command.comment,
            "ExpiresAfter": command.requested + timedelta(seconds=command.timeout + command.execution),
            "Parameters": {name: list(values) for name, values in command.parameters.items()},
            "InstanceIds": [] if command.targets else list(command.invocations),
            "Targets": command.targets,
            "RequestedDateTime": command.requested,
            "Status": status,
            "StatusDetails": details,
            "OutputS3Region": self._state.region,
            "OutputS3BucketName": command.bucket,
            "OutputS3KeyPrefix": command.prefix,
            "MaxConcurrency": command.max_concurrency,
            "MaxErrors": command.max_errors,
            "TargetCount": len(command.invocations),
            "CompletedCount": sum(one.terminal for one in ones),
            "ErrorCount": sum(one.counts for one in ones),
            "DeliveryTimedOutCount": sum(one.details == "DeliveryTimedOut" for one in ones),
            "ServiceRole": "",
            "TimeoutSeconds": command.timeout,
        }


_FILTERS = {
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "AgentVersion": "AgentVersion",
    "ResourceType": "ResourceType",
}


def _checked_parameters(document: str, given: Given) -> dict[str, list[str]]:
    try:
        found = msgspec.convert(dict(given), dict[str, list[str]])
    except msgspec.ValidationError as error:
        raise CloudError("InvalidParameters", str(error)) from None
    if document == PATCH:
        checked_patch(found)
        return found
    if not found.get("commands") or found.keys() - _PARAMETERS:
        raise CloudError("InvalidParameters", f"Parameters of {_DOCUMENT}: {', '.join(sorted(_PARAMETERS))}")
    if sum(len(value) for values in found.values() for value in values) > _LONGEST:
        raise CloudError("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
    return found


def _count(words: str, of: int) -> int:
    """A number or a share of the targets."""
    return max(1, of * int(words[:-1]) // 100) if words.endswith("%") and words != "0%" else int(words.rstrip("%"))


def _of_all(command: Command) -> tuple[str, str]:
    """Status and details of the whole. Undeliverable ones and late ones are no errors to it."""
    ones = list(command.invocations.values())
    details = [one.details for one in ones]
    if not ones:
        return "Success", "NoInstancesInTag"
    if all(one.status == "Pending" for one in ones):
        return "Pending", "Pending"
    if not all(one.terminal for one in ones):
        return "InProgress", "InProgress"
    errors = sum(one.counts for one in ones)
    if errors > command.errors or all(one == "Undeliverable" for one in details):
        whole = "ExecutionTimedOut" if all(one == "ExecutionTimedOut" for one in details) else "Failed"
        return ("TimedOut" if whole == "ExecutionTimedOut" else "Failed"), whole
    if "Cancelled" in details:
        return "Cancelled", "Cancelled"
    if "DeliveryTimedOut" in details:
        return "TimedOut", "DeliveryTimedOut"
    return ("Failed", "Incomplete") if errors else ("Success", "Success")


def _filtered(given: Given, shown: list[Reply]) -> list[Reply]:
    for one in tables(given, "Filters"):
        key, value = text(one, "key"), text(one, "value")
        if key in ("InvokedAfter", "InvokedBefore"):
            when = datetime.fromisoformat(value)
            later = key == "InvokedAfter"
            shown = [this for this in shown if (_requested(this) > when) == later]
        elif key == "Status":
            shown = [this for this in shown if this["Status"] == value]
        elif key == "DocumentName":
            shown = [this for this in shown if this["DocumentName"] == value]
        else:
            raise CloudError("InvalidFilterKey", f"The specified key {key} isn't valid.")
    return shown


def _requested(one: Reply) -> datetime:
    found = one["RequestedDateTime"]
    assert isinstance(found, datetime)
    return found


def _paged(every: Sequence[Reply], given: Given, most: int) -> tuple[list[Reply], Reply]:
    """One page, and the token of the next."""
    token = text(given, "NextToken")
    if token and not token.isdecimal():
        raise CloudError("InvalidNextToken", "The specified token isn't valid.")
    at = int(token or 0)
    page = list(every[at : at + most])
    return page, ({"NextToken": str(at + most)} if at + most < len(every) else {})


def _instant(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def _elapsed(one: Invocation) -> str:
    if one.began is None or one.ended is None:
        return ""
    return f"PT{(one.ended - one.began).total_seconds():.3f}S"
