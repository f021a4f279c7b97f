"""The host of a witness share: file server role, Exchange's rights, firewall; knows no DAG's settings, no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.errors import BadParameter
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Finding, Steps, attempt
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.features import FILE_SERVER, feature_installed

__all__ = [
    "Administrators",
    "Firewall",
    "Probe",
    "Rule",
    "administrators",
    "check_witness",
    "domain_administrators",
    "exchange_administers",
    "exchange_administers_domain",
    "exchange_barred",
    "firewall",
    "firewall_closed",
    "firewall_open",
    "other_az",
    "prepared",
    "probe",
    "trusted_subsystem",
    "unprepared",
    "witness_host",
]

TRUSTED_SUBSYSTEM = "Exchange Trusted Subsystem"
"""The group as which Exchange works on the witness; setup makes it in English everywhere."""
FIREWALL_GROUPS = ("@FirewallAPI.dll,-28502", "@FirewallAPI.dll,-34251")
"""File and Printer Sharing, and WMI, by resource id, because display groups are translated [mem]."""
WITNESS_PORTS = (445, 135)
"""SMB, and the endpoint mapper through which WMI goes."""


class Administrators(Report):
    """The members of an Administrators group (`witness/administrators.ps1.j2`)."""

    members: tuple[str, ...]
    """`EXAMPLE\\Domain Admins`; from net.exe also lines that are no names."""

    def has(self, member: str) -> bool:
        """Whether it is in the group; Windows compares names without case."""
        return any(one.casefold() == member.casefold() for one in self.members)


class Rule(Report):
    """A firewall rule."""

    name: str
    enabled: bool


class Firewall(Report):
    """Inbound rules that hold in the domain (`witness/firewall.ps1.j2`)."""

    rules: tuple[Rule, ...]


class Probe(Report):
    """TCP ports of another host that answered (`network/probe.ps1.j2`)."""

    open: tuple[int, ...]


administrators = Query("witness/administrators.ps1.j2", Administrators)
"""Of the host that is asked."""
domain_administrators = Query("witness/domain_administrators.ps1.j2", Administrators)
"""Of the domain whose controller is asked."""
firewall = Query("witness/firewall.ps1.j2", Firewall)
"""Argument: `groups`."""
probe = Query("network/probe.ps1.j2", Probe, deadline=120)
"""Arguments: `address`, `ports`. A port that swallows packets takes its twenty seconds."""


def trusted_subsystem(estate: Estate) -> str:
    """`EXAMPLE\\Exchange Trusted Subsystem`. Raises `BadParameter` where the inventory does not name the domain."""
    if not estate.forest.netbios:
        raise BadParameter(
            "the inventory does not say the forest's NetBIOS name, so Exchange's group cannot be named",
            certain=("nothing was contacted",),
            next=("forest: {name: example.com, netbios: EXAMPLE}   in the inventory",),
        )
    return f"{estate.forest.netbios}\\{TRUSTED_SUBSYSTEM}"


def _bar(prev: Administrators, server: Server, /, *, member: str) -> Step | None:
    return None if prev.has(member) else exchange_barred.on(server, member=member)


@step(check=administrators, apply="witness/add_administrator.ps1.j2", risk=Risk.LOW, undo=_bar)
def exchange_administers(now: Administrators, /, *, member: str) -> Change | Blocked | None:
    """Exchange may work on the witness host (S-WIT-ADMIN).

    Its group is in the host's Administrators, so that it can make the share.
    """
    if now.has(member):
        return None
    return Change(member, "no local administrator", "local administrator", action="add")


def _admit(prev: Administrators, server: Server, /, *, member: str) -> Step | None:
    return exchange_administers.on(server, member=member) if prev.has(member) else None


@step(check=administrators, apply="witness/remove_administrator.ps1.j2", risk=Risk.LOW, undo=_admit)
def exchange_barred(now: Administrators, /, *, member: str) -> Change | Blocked | None:
    """Exchange's group is not in the host's Administrators."""
    return Change(member, "local administrator", "no local administrator", action="remove") if now.has(member) else None


@step(check=domain_administrators, apply="witness/add_domain_administrator.ps1.j2", risk=Risk.LOW)
def exchange_administers_domain(now: Administrators, /, *, member: str) -> Change | Blocked | None:
    """Exchange may work on a witness that is a domain controller (S-WIT-ADMIN)."""
    if now.has(member):
        return None
    return Change(
        member,
        "no administrator of the domain",
        "administrator of the domain",
        note="this reaches every domain controller; a witness elsewhere needs it on one host only",
        action="add",
    )


def _close(prev: Firewall, server: Server, /, *, groups: Sequence[str]) -> Step | None:
    names = [rule.name for rule in prev.rules if not rule.enabled]
    return firewall_closed.on(server, groups=groups, names=names) if names else None


@step(
    check=firewall,
    apply="witness/open_firewall.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=60),
    undo=_close,
)
def firewall_open(now: Firewall, /, *, groups: Sequence[str]) -> Change | Blocked | None:
    """The witness lets SMB and WMI in (S-WIT-FW)."""
    if not now.rules:
        return Blocked(
            f"the host has no inbound firewall rules of {' and '.join(groups)}",
            next=("open TCP 445, 135 and 49152-65535 for the members by hand",),
        )
    closed = [rule.name for rule in now.rules if not rule.enabled]
    if not closed:
        return None
    return Change("firewall: file sharing and WMI", "closed", "open in the domain", note=", ".join(sorted(closed)))


@step(check=firewall, apply="witness/close_firewall.ps1.j2", risk=Risk.LOW, settle=Settle(every=10, limit=60))
def firewall_closed(now: Firewall, /, *, groups: Sequence[str], names: Sequence[str]) -> Change | Blocked | None:
    """Some firewall rules are off."""
    del groups
    on = [rule.name for rule in now.rules if rule.enabled and rule.name in names]
    return Change("firewall: file sharing and WMI", "open", "closed", note=", ".join(sorted(on))) if on else None


def prepared(server: Server, estate: Estate, *, seen_from: Server | None = None) -> Steps:
    """Make a host usable as witness: role, rights, firewall; then look whether `seen_from`, a member, reaches it."""
    yield feature_installed.on(server, feature=FILE_SERVER, management=False)
    if "dc" in server.roles:
        yield exchange_administers_domain.on(server, member=TRUSTED_SUBSYSTEM)
    elif server.exchange is None:  # an Exchange server has Exchange's group among its administrators by setup
        yield exchange_administers.on(server, member=trusted_subsystem(estate))
    yield firewall_open.on(server, groups=FIREWALL_GROUPS)
    if seen_from is not None and not same_host(seen_from.name, server.name):
        yield from wait(
            probe,
            seen_from,
            until=lambda now: set(WITNESS_PORTS) <= set(now.open),
            settle=Settle(every=10, limit=60),
            what=f"{seen_from.name} reaches {server.name} on {' and '.join(map(str, WITNESS_PORTS))}",
            expected=True,  # or else the run stops here, with these words
            address=server.fqdn,
            ports=WITNESS_PORTS,
        )


def unprepared(names: Sequence[str], estate: Estate) -> Steps[list[str]]:
    """What is not as it should be on witness hosts that others prepare, a sentence each; changes nothing."""
    found: list[str] = []
    for name in names:
        server = next((one for one in estate.servers if same_host(one.name, name)), None)
        if server is None:
            found.append(f"{name} is not in the inventory: nobody looked at it")
            continue
        if server.exchange is not None:
            continue
        dc = "dc" in server.roles
        rights = yield from attempt((domain_administrators if dc else administrators).read(server))
        rules = yield from attempt(firewall.read(server, groups=FIREWALL_GROUPS))
        if not isinstance(rights, Administrators) or not isinstance(rules, Firewall):
            found.append(f"{server.name} could not be looked at")
            continue
        if not rights.has(TRUSTED_SUBSYSTEM if dc else trusted_subsystem(estate)):
            found.append(f"{server.name}: {TRUSTED_SUBSYSTEM} is no administrator")
        if any(not rule.enabled for rule in rules.rules):
            found.append(f"{server.name}: its firewall is closed")
    return found


# -- which host may be one: nothing is contacted -----------------------------------------------------------------------


def witness_host(name: str, estate: Estate) -> Server:
    """The witness server as the inventory has it. Raises `BadParameter`."""
    found = next((server for server in estate.servers if same_host(server.name, name)), None)
    if found is None:
        raise BadParameter(
            f"the inventory has no server `{name}`, so it cannot be prepared as witness",
            certain=("nothing was contacted",),
            next=("add it to the inventory with the role witness", "--skip-witness-prepare   if others prepare it"),
        )
    return found


def check_witness(
    name: str,
    directory: str,
    *,
    members: Sequence[str],
    estate: Estate,
    dag: str,
    allow_dc: bool = False,
    other: tuple[str, str] | None = None,
) -> None:
    """Raises `BadParameter` where this can be no witness (P21, I11), as far as it needs no host to know.

    `members` are those of `dag`, now or soon. `other` is the pair of server and directory of the DAG's other witness.
    The directories of other DAGs' witnesses must differ too, as far as the inventory knows them.
    """
    certain = ("nothing was contacted",)
    if any(same_host(name, member) for member in members):
        raise BadParameter(
            f"P21: {name} is a member of the DAG, and a witness never is",
            certain=certain,
            next=("name a server outside the DAG, best in an Availability Zone without members",),
        )
    server = next((one for one in estate.servers if same_host(one.name, name)), None)
    domain = name.partition(".")[2].casefold()
    forest = estate.forest.name.casefold()
    if domain and forest and domain != forest and not domain.endswith(f".{forest}"):
        raise BadParameter(f"the witness {name} is not in the forest {estate.forest.name}", certain=certain)
    if server is not None and "dc" in server.roles and not allow_dc:
        raise BadParameter(
            f"{server.name} is a domain controller: as witness it would make Exchange an administrator of the domain",
            certain=certain,
            next=("name a member server", "witness-prepare --allow-dc   where there is no other"),
        )
    foreign = [one for one in estate.dags if one.name.casefold() != dag.casefold()]
    taken = [*([other] if other else []), *((one.witness, one.witness_directory) for one in foreign)]
    for host, folder in taken:
        if host and same_host(host, name) and folder.casefold() == directory.casefold():
            raise BadParameter(
                f"{directory} on {host} is another witness's directory already: each needs its own",
                certain=certain,
            )


def other_az(name: str, members: Sequence[str], estate: Estate) -> Finding:
    """P21: whether the witness stands in an Availability Zone of its own, as the inventory says."""
    zones = {
        server.az: server.name
        for server in estate.servers
        if server.az and any(same_host(server.name, member) for member in members)
    }
    witness = next((server for server in estate.servers if same_host(server.name, name)), None)
    if witness is None or not witness.az or not zones:
        return Finding(check="P21", on=name, level="unknown", says="the inventory does not say in which zone it stands")
    if witness.az in zones:
        return Finding(
            check="P21",
            on=name,
            level="warn",
            says=f"stands in {witness.az} together with {zones[witness.az]}: losing that zone loses two votes",
        )
    return Finding(check="P21", on=name, level="ok", says=f"stands in {witness.az}, where no member is")
