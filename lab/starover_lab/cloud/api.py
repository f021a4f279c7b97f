"""The one door to the simulated AWS: a call as boto3 has it in, its reply or its refusal out; knows no wire.

What boto3 itself would refuse is refused in its words: parameters are held to botocore's own description of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starover_lab.cloud.alarms import Alarms
from starover_lab.cloud.balancing import Balancing
from starover_lab.cloud.ec2 import Ec2
from starover_lab.cloud.ec2_rules import held
from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply
from starover_lab.cloud.health import Health
from starover_lab.cloud.instances import Instances
from starover_lab.cloud.invocations import Agent, Store
from starover_lab.cloud.rates import Rates
from starover_lab.cloud.route53 import Route53
from starover_lab.cloud.run_command import RunCommand
from starover_lab.cloud.scaling import Scaling
from starover_lab.cloud.shapes import OWNER
from starover_lab.cloud.volumes import Volumes
from starover_lab.cloud.vpc import Vpc
from starover_lab.cloud.zonal_shift import ZonalShift
from starover_lab.cloud.zones import Zones
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World

__all__ = ["Cloud"]

_THROTTLED = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded."),
    "ssm": ("ThrottlingException", "Rate exceeded"),
    "secretsmanager": ("ThrottlingException", "Rate exceeded"),
}
_LIMITS = {"route53": "InvalidInput", "cloudwatch": "ValidationError"}
"""Services that say with one code what is beyond a limit of their own description."""
_SHARED = frozenset({"ssm"})
"""Services of which the lab has some calls itself."""
_OTHERS = {
    "ec2": frozenset({"describe_regions"}),
}
"""Calls of the lab's own services that say nothing of the estate."""


def _no_store(bucket: str, key: str, content: bytes, /) -> None:  # noqa: ARG001 - as `Store`
    raise CloudError("NoSuchBucket", "The specified bucket does not exist")


Others = Callable[[str, str, Given], Reply]
"""Calls of services that say nothing of the estate: service, operation, parameters. Raises `CloudError`."""
_NAMES = {"get_secret_value": "GetSecretValue", "get_parameters": "GetParameters"}
"""What hosts ask for with the roles of their instances."""


def _no_others(service: str, operation: str, parameters: Given, /) -> Reply:  # noqa: ARG001 - as `Others`
    raise CloudError("NotSimulated", f"nobody here answers {service} {operation}")


class Cloud:
    """AWS, as far as the estate uses it."""

    def __init__(self, world: World, agent: object = None) -> None:
        """`agent` runs the scripts of Run Command; one that is no `Agent`: there is no Run Command."""
        self._state = world.state
        vpc = Vpc(world)
        self.instances = Instances(world, vpc.default_group)
        vpc.instances = self.instances
        for one in world.topology.servers:
            if one.instance:
                self.instances.all[one.instance].disable_api_stop = one.disable_api_stop
                self.instances.all[one.instance].auto_recovery = "default" if one.auto_recovery else "disabled"
        self.vpc = vpc
        world.state.aws = self._of_a_host
        self.others: Others = _no_others
        self.store: Store = _no_store
        """Where the SSM agents put what they are to put into S3."""
        self.balancing = Balancing(world, self.instances, vpc.id)
        groups = {
            one.instance: one.auto_scaling_group
            for one in world.topology.servers
            if one.instance and one.auto_scaling_group
        }
        self._rates = Rates(world.state)
        alarms = Alarms(world)
        self._calls: Mapping[str, Mapping[str, Callable[[Given], Reply]]] = {
            "ec2": {
                **Ec2(world, self.instances, vpc).calls,
                **Volumes(world, self.instances).calls,
                **Zones(world.state).calls,
            },
            "autoscaling": Scaling(world.state, self.instances, groups).calls,
            "elbv2": self.balancing.calls,
            "arc-zonal-shift": ZonalShift(world.state, self.balancing).calls,
            "route53": Route53(world, self.balancing, alarms).calls,
            "cloudwatch": alarms.calls,
            "health": Health(world.state).calls,
            "ssm": RunCommand(world, self.instances, agent if isinstance(agent, Agent) else None, self._put).calls,
        }

    def call(self, service: str, operation: str, parameters: Given) -> Reply:
        """Perform a call now. Raises `CloudError`, whose message is what botocore prints."""
        from starover_lab.cloud.models import check, operation_name  # botocore is loaded when somebody calls

        name = operation_name(service, operation)
        try:
            check(service, name, parameters)
            return self.perform(service, operation, parameters)
        except CloudError as error:
            said = f"An error occurred ({error.code}) when calling the {name} operation: {error.message}"
            raise CloudError(error.code, said) from error

    def answer(self, service: str, operation: str, parameters: Given) -> Reply:
        """The same as data: `{"reply": ...}`, or `{"error": {"code", "message"}}`."""
        try:
            return {"reply": self.call(service, operation, parameters)}
        except CloudError as error:
            return {"error": {"code": error.code, "message": error.message}}

    def _of_a_host(self, host: str, service: str, operation: str, parameters: Given) -> Reply:
        """What a host asks with the role of its instance. Raises `WorldError` (aws) with AWS's words."""
        instance = self._state.server(host).instance
        try:
            if self._state.cloud.role_denied.get((host, operation)):
                who = f"arn:aws:sts::{OWNER}:assumed-role/ExchangeNodeRole/{instance}"
                action = f"{service}:{_NAMES.get(operation, operation)}"
                words = f"User: {who} is not authorized to perform: {action} because no identity-based policy allows it"
                raise CloudError("AccessDeniedException", words)
            self.admit(service, operation)
            return self.others(service, operation, parameters)
        except CloudError as error:
            raise WorldError("aws", error.message, code=error.code) from error

    def _put(self, bucket: str, key: str, content: bytes, /) -> None:
        self.store(bucket, key, content)

    @property
    def region(self) -> str:
        """Its name."""
        return self._state.region

    def latency(self, operation: str) -> float:
        """Simulated seconds that a call takes."""
        return self._state.cloud.slow.get(operation, self._state.tuning.aws_call_s)

    def serves(self, service: str) -> bool:
        """Whether any call of a service is the lab's own."""
        return service in self._calls

    def knows(self, service: str, operation: str) -> bool:
        """Whether a call is answered here, be it with a refusal; of others somebody else may know."""
        own = self._calls.get(service, {})
        return operation in own or (service not in _SHARED and operation not in _OTHERS.get(service, frozenset()))

    def admit(self, service: str, operation: str) -> None:
        """Raises `CloudError` for what is refused whatever is asked for."""
        throttled = self._state.cloud.throttled
        refused = self._state.cloud.refused.get(operation)
        if refused is not None and self._refuses(operation):
            raise CloudError(refused, f"the lab refuses {operation}: somebody has broken it")
        if throttled.get(operation, 0) > 0:
            throttled[operation] -= 1
            raise _throttle(service)
        per_second = self._state.cloud.rates.get(service)
        if per_second is not None and not self._rates.takes(service, per_second):
            raise _throttle(service)

    def admit_stranger(self, service: str) -> None:
        """Raises `CloudError` for one call too many in a second of Route 53, of those that nobody has announced.

        Only where the lab's clock runs by itself: those that stand still have no seconds.
        """
        per_second = self._state.tuning.route53_per_s
        if service == "route53" and per_second and not self._rates.takes("route53 strangers", per_second):
            raise _throttle(service)

    def _refuses(self, operation: str) -> bool:
        """Whether a call that is refused is one of those that are to be; the last one mends it."""
        faults = self._state.cloud
        if operation in faults.refusals:
            faults.refusals[operation] -= 1
            if faults.refusals[operation] < 0:
                return False
        return True

    def perform(self, service: str, operation: str, parameters: Given) -> Reply:
        """As `call`, for parameters that boto3 has let pass, and with the service's bare words."""
        handler = self._calls.get(service, {}).get(operation)
        if handler is None:
            raise CloudError("NotSimulated", f"the lab does not simulate {service} {operation}")
        self.admit(service, operation)
        if service in _LIMITS:
            from starover_lab.cloud.models import broken_limit  # as above

            if words := broken_limit(service, operation, parameters):
                raise CloudError(_LIMITS[service], words)
        if parameters.get("DryRun") is True:
            raise CloudError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        return held(handler, parameters) if service == "ec2" else handler(parameters)


def _throttle(service: str) -> CloudError:
    code, words = _THROTTLED.get(service, ("Throttling", "Rate exceeded"))
    return CloudError(code, words)
