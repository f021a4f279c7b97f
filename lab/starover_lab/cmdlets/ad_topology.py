"""Domain controllers, sites, subnets and replication by the ActiveDirectory module; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.ad_session import AD, controller, filtered, identity_missing
from starover_lab.cmdlets.machine import Machine, given_list, switch
from starover_lab.cmdlets.objects import guid_of, list_of, moment, product, text_of
from starover_lab.cmdlets.releases import release
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, UInt32, Value
from starover_lab.world.ad_objects import ControllerView, PartnerView
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_VALUES = AD + "ADPropertyValueCollection"


def _configuration(here: Machine) -> str:
    return "CN=Configuration," + ",".join(f"DC={part}" for part in here.world.state.dns_name.split("."))


def _controller(here: Machine, one: ControllerView) -> PSObject:
    server = here.world.server(one.name)
    domain = here.world.state.dns_name
    first = here.world.ad.controllers()[0].name == one.name
    roles: list[Value] = ["SchemaMaster", "DomainNamingMaster", "PDCEmulator", "RIDMaster", "InfrastructureMaster"]
    return product(
        [AD + "ADDomainController", AD + "ADDirectoryServer", AD + "ADEntity", "System.Object"],
        [
            ("ComputerObjectDN", f"CN={one.name},OU=Domain Controllers,{_configuration(here).partition(',')[2]}"),
            ("DefaultPartition", _configuration(here).partition(",")[2]),
            ("Domain", domain),
            ("Enabled", True),
            ("Forest", domain),
            ("HostName", one.fqdn),
            ("InvocationId", guid_of("invocation", one.name)),
            ("IPv4Address", one.address),
            ("IPv6Address", None),
            ("IsGlobalCatalog", one.is_gc),
            ("IsReadOnly", not one.writable),
            ("LdapPort", 389),
            ("Name", one.name),
            ("OperatingSystem", release(server.os).caption.removeprefix("Microsoft ")),
            (
                "OperatingSystemVersion",
                f"{release(server.os).major}.{release(server.os).minor} ({release(server.os).build})",
            ),
            ("OperationMasterRoles", list_of(roles if first else [], _VALUES)),
            ("ServerObjectDN", f"CN={one.name},CN=Servers,CN={one.site},CN=Sites,{_configuration(here)}"),
            ("Site", one.site),
            ("SslPort", 636),
        ],
        text=one.name,
    )


def get_controller(call: Invocation) -> Iterator[Value]:
    """Get-ADDomainController: by -Filter, by -Identity, by -Discover, or the one that answers."""
    for bound in call.records():
        here, dc = controller(call, bound)
        every = [_controller(here, one) for one in here.world.ad.controllers()]
        if bound.get("Filter") is not None:
            yield from filtered(bound["Filter"], every)
            continue
        asked = text_of(bound.get("Identity")) or dc.name
        site = text_of(bound.get("SiteName"))
        if switch(bound.get("Discover")):
            near = [one for one in every if same(text_of(one.get("Site")), site or here.server.site)]
            yield from (near or every)[:1]
            continue
        found = [one for one in every if same(text_of(one.get("Name")), first_label(asked))]
        if not found:
            raise call.fail(identity_missing(call, here, asked))
        yield from found


def get_domain(call: Invocation) -> Iterator[Value]:
    """Get-ADDomain."""
    here, _ = controller(call, call.bound)
    domain, netbios = here.world.state.dns_name, here.world.state.netbios
    pdc = here.world.ad.controllers()[0].fqdn
    dn = _configuration(here).partition(",")[2]
    yield product(
        [AD + "ADDomain", AD + "ADPartition", AD + "ADObject", AD + "ADEntity", "System.Object"],
        [
            ("DistinguishedName", dn),
            ("DNSRoot", domain),
            ("DomainMode", "Windows2016Domain"),
            ("Forest", domain),
            ("InfrastructureMaster", pdc),
            ("Name", domain.partition(".")[0]),
            ("NetBIOSName", netbios),
            ("PDCEmulator", pdc),
            ("RIDMaster", pdc),
            ("ReplicaDirectoryServers", list_of([one.fqdn for one in here.world.ad.controllers()], _VALUES)),
            ("ComputersContainer", f"CN=Computers,{dn}"),
            ("DomainControllersContainer", f"OU=Domain Controllers,{dn}"),
        ],
        text=dn,
    )


def get_forest(call: Invocation) -> Iterator[Value]:
    """Get-ADForest."""
    here, _ = controller(call, call.bound)
    domain = here.world.state.dns_name
    controllers = here.world.ad.controllers()
    yield product(
        [AD + "ADForest", AD + "ADEntity", "System.Object"],
        [
            ("ApplicationPartitions", list_of([], _VALUES)),
            ("CrossForestReferences", list_of([], _VALUES)),
            ("DomainNamingMaster", controllers[0].fqdn),
            ("Domains", list_of([domain], _VALUES)),
            ("ForestMode", "Windows2016Forest"),
            ("GlobalCatalogs", list_of([one.fqdn for one in controllers if one.is_gc], _VALUES)),
            ("Name", domain),
            ("PartitionsContainer", f"CN=Partitions,{_configuration(here)}"),
            ("RootDomain", domain),
            ("SchemaMaster", controllers[0].fqdn),
            ("Sites", list_of([one.name for one in here.world.state.sites], _VALUES)),
            ("SPNSuffixes", list_of([], _VALUES)),
            ("UPNSuffixes", list_of([], _VALUES)),
        ],
        text=domain,
    )


def _site_dn(here: Machine, site: str) -> str:
    return f"CN={site},CN=Sites,{_configuration(here)}"


def get_subnet(call: Invocation) -> Iterator[Value]:
    """Get-ADReplicationSubnet: which site a subnet belongs to."""
    for bound in call.records():
        here, _ = controller(call, bound)
        every = [
            product(
                [AD + "ADReplicationSubnet", AD + "ADObject", AD + "ADEntity", "System.Object"],
                [
                    ("DistinguishedName", f"CN={subnet.cidr},CN=Subnets,CN=Sites,{_configuration(here)}"),
                    ("Location", None),
                    ("Name", subnet.cidr),
                    ("ObjectClass", "subnet"),
                    ("ObjectGUID", guid_of("subnet", subnet.cidr)),
                    ("Site", _site_dn(here, subnet.site) if subnet.site else None),
                ],
                text=f"CN={subnet.cidr},CN=Subnets,CN=Sites,{_configuration(here)}",
            )
            for subnet in here.world.state.subnets
        ]
        yield from _asked(call, here, every)


def get_site(call: Invocation) -> Iterator[Value]:
    """Get-ADReplicationSite."""
    for bound in call.records():
        here, _ = controller(call, bound)
        every = [
            product(
                [AD + "ADReplicationSite", AD + "ADObject", AD + "ADEntity", "System.Object"],
                [
                    ("Description", None),
                    ("DistinguishedName", _site_dn(here, site.name)),
                    ("Name", site.name),
                    ("ObjectClass", "site"),
                    ("ObjectGUID", guid_of("site", site.name)),
                ],
                text=_site_dn(here, site.name),
            )
            for site in here.world.state.sites
        ]
        if bound.get("Filter") is None and bound.get("Identity") is None:
            yield from (one for one in every if same(text_of(one.get("Name")), here.server.site))
            continue
        yield from _asked(call, here, every)


def _asked(call: Invocation, here: Machine, every: list[PSObject]) -> Iterator[PSObject]:
    identity = text_of(call.bound.get("Identity"))
    if not identity:
        yield from filtered(call.bound.get("Filter"), every)
        return
    found = [
        one
        for one in every
        if identity.casefold() in {text_of(one.get("Name")).casefold(), (one.text or "").casefold()}
    ]
    if not found:
        raise call.fail(identity_missing(call, here, identity))
    yield from found


def _partners(call: Invocation) -> Iterator[tuple[Machine, PartnerView]]:
    """Inbound partners of the DCs that -Target and -Scope mean."""
    for bound in call.records():
        here, dc = controller(call, bound)
        scope = text_of(bound.get("Scope")).casefold()
        targets = {first_label(one).casefold() for one in given_list(bound.get("Target"))} or {dc.name.casefold()}
        for one in here.world.ad.replication():
            site = here.world.server(one.dc).site.casefold()
            if scope in {"forest", "domain"} or one.dc.casefold() in targets or (scope == "site" and site in targets):
                yield here, one


def get_partner(call: Invocation) -> Iterator[Value]:
    """Get-ADReplicationPartnerMetadata, inbound."""
    for here, one in _partners(call):
        site = here.world.server(one.partner).site
        yield product(
            [AD + "ADReplicationPartnerMetadata", AD + "ADEntity", "System.Object"],
            [
                ("ConsecutiveReplicationFailures", UInt32(one.failures)),
                ("LastReplicationAttempt", moment(one.last_attempt)),
                ("LastReplicationResult", UInt32(1722 if one.failures else 0)),
                ("LastReplicationSuccess", moment(one.last_success)),
                ("Partition", _configuration(here).partition(",")[2]),
                ("Partner", f"CN=NTDS Settings,CN={one.partner},CN=Servers,{_site_dn(here, site)}"),
                ("PartnerType", "Inbound"),
                ("Server", here.world.server(one.dc).fqdn),
                ("Writable", True),
            ],
            text=one.partner,
        )


def get_failure(call: Invocation) -> Iterator[Value]:
    """Get-ADReplicationFailure: the partners from which replication fails."""
    for here, one in _partners(call):
        if not one.failures:
            continue
        site = here.world.server(one.partner).site
        yield product(
            [AD + "ADReplicationFailure", AD + "ADEntity", "System.Object"],
            [
                ("FailureCount", UInt32(one.failures)),
                ("FailureType", "Link"),
                ("FirstFailureTime", moment(one.last_success)),
                ("LastError", UInt32(1722)),
                ("Partner", f"CN=NTDS Settings,CN={one.partner},CN=Servers,{_site_dn(here, site)}"),
                ("PartnerGuid", guid_of("ntds", one.partner)),
                ("Server", here.world.server(one.dc).fqdn),
            ],
            text=one.partner,
        )


BODIES: dict[str, Body] = {
    "Get-ADDomainController": get_controller,
    "Get-ADDomain": get_domain,
    "Get-ADForest": get_forest,
    "Get-ADReplicationSubnet": get_subnet,
    "Get-ADReplicationSite": get_site,
    "Get-ADReplicationPartnerMetadata": get_partner,
    "Get-ADReplicationFailure": get_failure,
}
