"""How load balancers look at the members: by a page of their health, so that maintenance is seen."""

from collections.abc import Sequence

from starover import BadParameter, Estate, Steps, runbook, together
from starover.steps.balancing import page_checked
from starover.steps.drains import groups_named
from starover.steps.zonal_shift import about


@runbook
def lb_health_check(
    estate: Estate, health_path: str = "/owa/healthcheck.htm", target_group: Sequence[str] = ()
) -> Steps:
    """Let the target groups ask for a page instead of a port: a server in maintenance then gets no connections.

    Exchange answers the page while the protocol's component is Active, and 503 or nothing otherwise; a port is open
    all the time. Undo gives each group the check that it had.

    health_path: begins with /
    target_group: name or ARN; those of the inventory's balancers where none is named
    """
    server = about(estate, "")
    groups = yield from groups_named(estate, server, target_group)
    if not groups:
        raise BadParameter(
            "the inventory's balancers have no target group",
            certain=("nothing was changed",),
            next=("--target-group ARN",),
        )

    def part(arn: str) -> Steps:
        yield page_checked.on(server, group=arn, protocol="HTTPS", path=health_path, codes="200")

    yield from together(part(one.arn) for one in groups)
