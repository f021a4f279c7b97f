"""Names in Route 53: how much of the clients each side gets."""

from starover import Estate, Steps, runbook
from starover.steps.dns import Fqdn
from starover.steps.route53 import SetId, Weight, ZoneRef, weighed
from starover.steps.zonal_shift import about


@runbook
def route53_weight(
    estate: Estate, hosted_zone: ZoneRef, name: Fqdn, set_identifier: SetId, weight: Weight = 0
) -> Steps:
    """Give one side of a name in Route 53 another weight; 0 takes it out, while another side is healthy.

    Clients follow when their DNS answers are old. All weights 0 would mean all are used, and is refused.

    hosted_zone: the zone's id
    name: the record's name
    set_identifier: whose weight
    weight: 0 to 255
    """
    yield from weighed(about(estate, ""), hosted_zone, name, set_identifier, weight)
