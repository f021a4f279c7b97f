"""What the service control manager knows beyond one service: who needs whom; starts and stops through `Hosts`."""

from __future__ import annotations

from datetime import datetime

from starover_lab.world.entities import Server, Service
from starover_lab.world.errors import WorldError
from starover_lab.world.hosts import Hosts
from starover_lab.world.services import NEEDS
from starover_lab.world.state import State

__all__ = ["ServiceControl"]


class ServiceControl:
    """Dependencies between the services of one host; every `server` is a name."""

    def __init__(self, state: State, hosts: Hosts) -> None:
        self._state = state
        self._hosts = hosts

    def needs(self, server: Server, service: Service) -> list[Service]:
        """The services without which it does not run."""
        found = (server.services.get(name) for name in NEEDS.get(service.name, ()))
        return [one for one in found if one is not None]

    def dependents(self, server: Server, service: Service) -> list[Service]:
        """The services that do not run without it, also those that need one that needs it."""
        found: dict[str, Service] = {}
        ahead = [service]
        while ahead:
            one = ahead.pop()
            for other in server.services:
                if one.name in NEEDS.get(other.name, ()) and other.name not in found:
                    found[other.name] = other
                    ahead.append(other)
        return sorted(found.values(), key=lambda one: one.name.casefold())

    def start(self, server: str, name: str) -> datetime:
        """Start a service, and first what it needs; returns when it runs. Raises `not_found`, `service_down`."""
        host = self._state.server(server)
        service = self._state.service(host, name)
        ends = self._state.now
        if service is not None:
            for one in self.needs(host, service):
                if one.status != "Running":
                    ends = max(ends, self.start(server, one.name))
        return max(ends, self._hosts.start(host, name))

    def stop(self, server: str, name: str) -> datetime:
        """Stop a service; its dependents must be stopped. Raises `not_found`, `has_dependents`."""
        host = self._state.server(server)
        service = self._state.service(host, name)
        running = [] if service is None else self.running_dependents(host, service)
        if running:
            names = ", ".join(one.name for one in running)
            raise WorldError("has_dependents", f"{names} need {name}", service=name, dependents=names)
        return self._hosts.stop(host, name)

    def running_dependents(self, server: Server, service: Service) -> list[Service]:
        """Its dependents that run or start, those first that nothing else needs."""
        found = [one for one in self.dependents(server, service) if one.status in ("Running", "StartPending")]
        return sorted(found, key=lambda one: len(self.dependents(server, one)))
