"""Does everything open that an emergency would need?"""

from starover import Estate, Findings, Steps, runbook, together
from starover.steps.access import ALL, Hosts, balancer_rights, cloud_rights, rights_of, skew


@runbook
def access_check(estate: Estate, hosts: Hosts = ALL, aws: bool = True) -> Steps[Findings]:
    """Try every road, right and credential before they are needed: Exchange, cluster, DNS, AWS, balancers.

    `starover doctor` does it over every road and provider that the inventory allows, and shows it as a table.

    hosts: all, or some by name: EX1,EX2
    aws: whether AWS is asked too
    """
    servers = hosts.of(estate)
    asked = yield from together(rights_of(server, estate) for server in servers)
    heard = [(server, told) for server, (_, told) in zip(servers, asked, strict=True) if told is not None]
    cloud = (yield from cloud_rights(servers)) if aws else []
    balancers = yield from balancer_rights(estate, servers)
    return Findings(findings=(*(one for found, _ in asked for one in found), *skew(heard), *cloud, *balancers))
