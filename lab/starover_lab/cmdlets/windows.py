"""Services, processes and volumes of one Windows host; knows no Exchange object and no session."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from starover_lab.cmdlets.machine import Machine, given_list, reading
from starover_lab.cmdlets.objects import guid_of, list_of, make, product
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Char, Long, PSObject, UInt64, Value, enumerate_
from starover_lab.world.entities import Server, Service
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES", "fits", "is_pattern", "service_object", "setup_runs"]


def fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern with PowerShell's wildcards."""
    if not is_pattern(pattern):
        return name.casefold() == pattern.casefold()
    return fnmatchcase(name.casefold(), pattern.casefold().replace("[!", "[[]!"))


def is_pattern(text: str) -> bool:
    """Whether a text holds a wildcard."""
    return "*" in text or "?" in text or "[" in text


def setup_runs(here: Machine, host: str) -> bool:
    """Whether Exchange setup runs on that host (fault `setup_running`)."""
    return any(one["kind"] == "setup_running" and same(str(one["target"]), host) for one in here.world.faults())


_CONTROLLERS = "System.ServiceProcess.ServiceController[]"


def service_object(here: Machine, one: Service, *, alone: bool = False) -> PSObject:
    """A ServiceController; `alone`: without those it needs and those that need it."""
    running = one.status == "Running"
    needed = [] if alone else here.world.services.needs(here.server, one)
    above = [] if alone else here.world.services.dependents(here.server, one)
    needs = list_of([service_object(here, other, alone=True) for other in needed], _CONTROLLERS)
    return make(
        "Get-Service",
        {
            "CanShutdown": running,
            "CanStop": running,
            "DisplayName": one.display_name,
            "DependentServices": list_of([service_object(here, other, alone=True) for other in above], _CONTROLLERS),
            "ServiceName": one.name,
            "ServicesDependedOn": needs,
            "Status": one.status,
            "StartType": one.start_type,
            "Name": one.name,
            "RequiredServices": needs,
        },
        text=one.name,
    )


def get_service(call: Invocation) -> Iterator[Value]:
    """Get-Service of this host, by name or display name; another host's is a second hop."""
    for bound in call.records():
        here = reading(call)
        others = [one for one in given_list(bound.get("ComputerName")) if not _is_here(here, one)]
        if others:
            _no_hop(call, here, others[0])
            continue
        services = sorted(here.server.services, key=lambda one: one.name.casefold())
        by_display = given_list(bound.get("DisplayName"))
        patterns = by_display or given_list(bound.get("Name")) or given_list(bound.get("InputObject")) or ["*"]
        out = given_list(bound.get("Exclude"))
        only = given_list(bound.get("Include"))
        for pattern in patterns:
            found = [one for one in services if fits(one.display_name if by_display else one.name, pattern)]
            if not found and not is_pattern(pattern):
                what = "display" if by_display else "service"
                record = call.record(
                    f"NoServiceFoundForGiven{'DisplayName' if by_display else 'Name'}",
                    "ObjectNotFound",
                    f"Cannot find any service with {what} name '{pattern}'.",
                    type_name="Microsoft.PowerShell.Commands.ServiceCommandException",
                    target=pattern,
                )
                call.error(record)
            for one in found:
                if not any(fits(one.name, no) for no in out) and (not only or any(fits(one.name, yes) for yes in only)):
                    yield service_object(here, one)


def _is_here(here: Machine, name: str) -> bool:
    return name in {".", "localhost", ""} or same(first_label(name), here.host)


def _no_hop(call: Invocation, here: Machine, computer: str) -> None:
    """A network logon has nothing to show to another host; the lab simulates no other road there."""
    message = (
        f"Cannot open Service Control Manager on computer '{computer}'. This operation might require other privileges."
    )
    call.error(call.record("System.InvalidOperationException", "NotSpecified", message, target=here.host))


_PROCESSES = {
    "ClusSvc": "clussvc",
    "MSExchangeRepl": "msexchangerepl",
    "MSExchangeIS": "Microsoft.Exchange.Store.Service",
    "MSExchangeTransport": "MSExchangeTransport",
    "MSExchangeADTopology": "Microsoft.Exchange.Directory.TopologyService",
    "MSExchangeHM": "MSExchangeHMHost",
    "MSExchangeServiceHost": "Microsoft.Exchange.ServiceHost",
    "W3SVC": "w3wp",
    "WinRM": "wsmprovhost",
    "TrustedInstaller": "TrustedInstaller",
}


def _processes(here: Machine, server: Server) -> list[tuple[str, int]]:
    names = ["Idle", "System", "csrss", "lsass", "services", "svchost", "wininit"]
    names += [name for service, name in _PROCESSES.items() if here.world.state.runs(server, service)]
    if setup_runs(here, server.name):
        names += ["ExSetup", "ExSetupUI"]
    ids = {"Idle": 0, "System": 4}
    return [
        (name, ids.get(name, 4 * (100 + int(guid_of("process", server.name, name).text[:3], 16)))) for name in names
    ]


def get_process(call: Invocation) -> Iterator[Value]:
    """Get-Process of this host."""
    for bound in call.records():
        here = reading(call)
        others = [one for one in given_list(bound.get("ComputerName")) if not _is_here(here, one)]
        if others:
            message = f"Couldn't connect to remote machine {others[0]}."
            call.error(call.record("CouldNotConnectToRemoteMachine", "NotSpecified", message, target=others[0]))
            continue
        every = sorted(_processes(here, here.server), key=lambda one: one[0].casefold())
        objects = enumerate_(bound["InputObject"]) if bound.get("InputObject") is not None else ()
        piped = [one.get("Id") for one in objects if isinstance(one, PSObject)]
        ids = {int(text) for text in given_list(bound.get("Id")) if text.isdigit()}
        ids |= {number for number in piped if isinstance(number, int)}
        if ids:
            yield from (_process(name, number) for name, number in every if number in ids)
            continue
        for pattern in given_list(bound.get("Name")) or ["*"]:
            found = [(name, number) for name, number in every if fits(name, pattern)]
            yield from (_process(name, number) for name, number in found)
            if not found and not is_pattern(pattern):
                record = call.record(
                    "NoProcessFoundForGivenName",
                    "ObjectNotFound",
                    f'Cannot find a process with the name "{pattern}". Verify the process name and call the cmdlet '
                    "again.",
                    type_name="Microsoft.PowerShell.Commands.ProcessCommandException",
                    target=pattern,
                )
                call.error(record)


def _process(name: str, number: int) -> PSObject:
    return product(
        ["System.Diagnostics.Process", "System.ComponentModel.Component", "System.MarshalByRefObject", "System.Object"],
        [("Name", name), ("ProcessName", name), ("Id", number), ("MachineName", "."), ("Responding", True)],
        text=f"System.Diagnostics.Process ({name})",
    )


def get_volume(call: Invocation) -> Iterator[Value]:
    """Get-Volume: the host's volumes with a drive letter or mount point."""
    here = reading(call)
    letters = {one[:1].casefold() for one in given_list(call.bound.get("DriveLetter"))}
    paths = {one.casefold().rstrip("\\") for one in given_list(call.bound.get("FilePath"))}
    found = 0
    for volume in sorted(here.server.volumes, key=lambda one: one.mount.casefold()):
        letter = volume.mount[:1] if volume.mount.rstrip("\\").endswith(":") else ""
        if (letters and letter.casefold() not in letters) or (paths and volume.mount.casefold() not in paths):
            continue
        space = here.world.space(here.host, volume.mount)
        if space is None:
            continue
        found += 1
        yield product(
            ["Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Storage/MSFT_Volume"],
            [
                ("DriveLetter", Char(letter) if letter else None),
                ("FileSystemLabel", ""),
                ("FileSystem", volume.fs),
                ("FileSystemType", volume.fs),
                ("DriveType", "Fixed"),
                ("HealthStatus", "Unhealthy" if volume.failed else "Healthy"),
                ("OperationalStatus", "OK"),
                ("SizeRemaining", UInt64(space.free)),
                ("Size", UInt64(space.size)),
                ("Path", f"\\\\?\\Volume{{{guid_of('volume', here.host, volume.mount).text}}}\\"),
                ("AllocationUnitSize", Long(65536)),
            ],
            text="MSFT_Volume",
        )
    if not found and letters:
        letter = next(iter(letters)).upper()
        record = call.record(
            "CmdletizationQuery_NotFound_DriveLetter",
            "ObjectNotFound",
            f"No MSFT_Volume objects found with property 'DriveLetter' equal to '{letter}'.  Verify the value of the "
            "property and retry.",
            type_name="Microsoft.PowerShell.Cmdletization.Cim.CimJobException",
            target=letter,
        )
        call.error(record)


BODIES: dict[str, Body] = {
    "Get-Service": get_service,
    "Get-Process": get_process,
    "Get-Volume": get_volume,
}
