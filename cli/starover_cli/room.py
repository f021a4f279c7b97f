"""Everything a command needs to touch an estate, opened in one place; decides nothing and prints nothing."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from starover.clock import Clock, SystemClock
from starover.errors import Mistake

if TYPE_CHECKING:
    from starover.content import Content
    from starover.drivers.local import Local
    from starover.estate import Dag, Estate
    from starover.events import Sink
    from starover.house import House
    from starover.runbook import Content as AnyContent
    from starover.transport import Transport
    from starover.transport.aws import Clients
    from starover.transport.credentials import Resolver
    from starover_cli.settings import Settings

__all__ = ["Parts", "Room", "who"]

SIGNING_KEY = "STAROVER_SIGNING_KEY"
"""Names the file of the SSH key that signs the heads of runs: a private key, or a public one whose key an agent has."""


class Parts:
    """Where the pieces come from. Tests hand in others; each is made only when it is needed."""

    def estate(self, settings: Settings) -> tuple[Estate, Path]:
        """The inventory and its file. Raises `BadInventory`."""
        from starover.inventory import load

        file = settings.inventory_file()
        return load(file), file

    def content(self, settings: Settings) -> Content:
        """Runbooks and templates. Raises `BadParameter` where the home has none."""
        from starover.content import find

        return find(settings.home or None)

    def transport(self, estate: Estate, file: Path, clock: Callable[[], Clock]) -> Transport:
        """The roads to the hosts; `clock` is asked for when somebody has to wait."""
        from starover.transport.aws_secrets import aws_secrets
        from starover.transport.credentials import Credentials
        from starover.transport.psrp import PsrpTransport
        from starover.transport.route import RoutedTransport
        from starover.transport.ssm import SsmTransport
        from starover.transport.winrm import WinrmTransport

        clients = self.aws(estate, file)
        credentials = Credentials(folder=file.parent, lab=estate.lab, more=aws_secrets(clients))
        carriers: Mapping[str, Transport] = {
            "psrp": PsrpTransport(credentials),
            "winrm": WinrmTransport(credentials),
            "ssm": SsmTransport(clients, clock, per_second=estate.run_command.calls_per_second),
        }
        return self.with_calls(RoutedTransport(carriers, clock), estate, file, clients, credentials)

    def with_calls(
        self, scripts: Transport, estate: Estate, file: Path, clients: Clients, credentials: Resolver
    ) -> Transport:
        """The same, with somebody to perform calls: boto3, which finds the lab's AWS in a lab, and balancers' APIs."""
        from starover.transport.aws import AwsCalls
        from starover.transport.calls import WithCalls
        from starover.transport.farm import FarmCalls

        patience = float("inf")
        if estate.lab:
            from starover_cli.lab_cloud import PATIENCE, lab_probes

            probes, patience = lab_probes(file.parent), PATIENCE
        else:
            from starover.transport.probe import Probes

            probes = Probes()
        farms = FarmCalls(estate.balancers, credentials, patience=patience)
        return WithCalls(scripts, {"probe": probes, "zevenet": farms}, AwsCalls(clients))

    def aws(self, estate: Estate, file: Path) -> Clients:
        """boto3's clients for the estate's region; nothing is contacted by making it."""
        from starover.transport.aws import Clients

        if not estate.lab:
            return Clients(estate.region)
        from starover_cli.lab_cloud import lab_aws

        return Clients(estate.region, ready=lab_aws(file.parent))

    def clock(self, estate: Estate, file: Path) -> Clock:
        """The lab's time for a lab, else this machine's."""
        if not estate.lab:
            return SystemClock()
        from starover_cli.lab_client import Lab
        from starover_cli.lab_clock import LabClock

        return LabClock(Lab.at(file.parent))


@runtime_checkable
class Closing(Protocol):
    """Something that has to be let go: the lab's clock keeps a line open."""

    def close(self) -> None:
        """Let it go; never raises."""
        ...


@dataclass
class Room:
    """One invocation's estate, content, clock and transport. A context: the transport is closed at its end."""

    settings: Settings
    parts: Parts
    lines: bool = False
    """For a machine: whether it gets lines, event by event, or one document."""
    headed: bool = False
    """The first line has been printed."""
    given: tuple[Estate, Path] | None = None
    """An estate that stands in no file yet, and the file it may become; None: the inventory's."""
    silent: Sequence[str] = ()
    """Hosts that gave no answer a moment ago: what only looks around a run does not wait for them again."""
    heard: Sequence[str] = ()
    """Hosts that have just answered, to a plan or a run."""

    @cached_property
    def _inventory(self) -> tuple[Estate, Path]:
        from starover.child_environment import hide, password_of

        estate, file = self.given or self.parts.estate(self.settings)
        hide(password_of(one) for one in estate.credentials)
        return (estate.narrowed(self.settings.transport) if self.settings.transport else estate), file

    @property
    def estate(self) -> Estate:
        """The inventory."""
        return self._inventory[0]

    @property
    def file(self) -> Path:
        """The inventory's file."""
        return self._inventory[1]

    @cached_property
    def content(self) -> Content:
        """Runbooks and templates."""
        return self.parts.content(self.settings)

    @cached_property
    def clock(self) -> Clock:
        """Time as the hosts have it."""
        return self.parts.clock(*self._inventory)

    @cached_property
    def transport(self) -> Transport:
        """The road to the hosts; nothing is contacted by making it."""
        made = self.parts.transport(*self._inventory, lambda: self.clock)
        self.settings.secrets = made.secrets
        return made

    @cached_property
    def house(self) -> House:
        """The policy beside the inventory, and whose keys approve. Raises `BadInventory` for a policy that is wrong."""
        from starover.house import house_of

        return house_of(self.estate, self.file.parent)

    @cached_property
    def dag(self) -> Dag | None:
        """The DAG that was named, or the only one; None where the inventory has none. Raises `BadParameter`."""
        if not self.settings.dag and not self.estate.dags:
            return None
        return self.estate.dag(self.settings.dag)

    def dag_of(self, hosts: Iterable[str] = ()) -> Dag | None:
        """As `dag`, else that of the first of `hosts` that is a member. None where that leaves it open, or for a name
        that the inventory does not have: a runbook may be about to create it.
        """
        name, dags = self.settings.dag, self.estate.dags
        if name:
            return next((dag for dag in dags if dag.name.casefold() == name.casefold()), None)
        if len(dags) == 1:
            return dags[0]
        members = {member.casefold(): dag for dag in dags for member in dag.members}
        return next((members[host.casefold()] for host in hosts if host.casefold() in members), None)

    def local(
        self,
        sinks: Sequence[Sink] = (),
        folder: Path | None = None,
        content: AnyContent | None = None,
        estate: Estate | None = None,
    ) -> Local:
        """The driver, with plans and runs in the state's folder unless another is named; `estate`: seen otherwise."""
        from starover.drivers.local import Local, Why

        return Local(
            estate=estate or self.estate,
            content=content or self.content,
            transport=self.transport,
            clock=self.clock,
            folder=folder or self.settings.state,
            why=Why(who=self.settings.by or who(), ticket=self.settings.ticket, reason=self.settings.reason),
            sinks=sinks,
            sign=signer(os.environ.get(SIGNING_KEY, "")),
            house=lambda: self.house,
        )

    def __enter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back connections, if any were made."""
        transport: Transport | None = self.__dict__.get("transport")
        if transport is not None:
            transport.close()
        clock = self.__dict__.get("clock")
        if isinstance(clock, Closing):
            clock.close()


def signer(key: str) -> Callable[[bytes], bytes] | None:
    """What signs the heads of runs; None: no key is configured."""
    if not key:
        return None
    from starover.signatures import NAMESPACE_HEAD, sign

    return lambda words: sign(words, Path(key), NAMESPACE_HEAD)


def who(name: Callable[[], str] = getpass.getuser) -> str:
    """The person at this machine, as its system knows them. Raises `Mistake` where it does not."""
    try:
        return name()
    except (OSError, KeyError, ImportError) as error:
        raise Mistake(
            "this machine does not say who you are, and the journal must.",
            next=["set the environment variable USER (or USERNAME) and type it again"],
        ) from error
