"""Windows hosts going down and coming up, and their services; knows no database and no cluster rule."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from starover_lab.world.cluster import CLUSSVC, Clusters
from starover_lab.world.entities import Server, Service
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import REPL
from starover_lab.world.services import TOPOLOGY
from starover_lab.world.state import State

__all__ = ["Hosts"]


class Hosts:
    """Power and services."""

    def __init__(self, state: State, clusters: Clusters) -> None:
        self._state = state
        self._clusters = clusters

    def off(self, server: Server, why: str, cause: int | str) -> None:
        """The host is gone at once; `cause` (a fault's number, or a word) keeps it off until `on` names it."""
        server.down_causes.add(cause)
        self._dark(server, why)

    def shut_down(self, server: Server, why: str, cause: int | str) -> datetime:
        """The host shuts down in order: its node hands its vote over; returns when it is off.

        `on` with the same cause before that moment takes the wish back only in that the host boots again.
        """
        server.down_causes.add(cause)
        if server.power != "on":
            self._dark(server, why)
            return self._state.now
        state = self._state
        off = state.now + timedelta(seconds=state.tuning.shutdown_s)
        state.log.add("host_shutting_down", server.name, reason=why)
        state.scheduler.at(off, lambda: self._halt(server, why))
        return off

    def _halt(self, server: Server, why: str) -> None:
        """The end of an orderly shutdown."""
        if server.power == "on" or server.down_causes:
            self._leave_clusters(server)
            self._dark(server, why)
        if not server.down_causes:
            self._boot(server)

    def _leave_clusters(self, server: Server) -> None:
        cluster = self._state.cluster_on(server)
        node = cluster.nodes.get(server.name) if cluster is not None else None
        if cluster is not None and node is not None and self._state.runs(server, CLUSSVC):
            self._clusters.stop(cluster, node)

    def _dark(self, server: Server, why: str) -> None:
        if server.power == "off":
            return
        server.power, server.hung = "off", False
        for service in server.services:
            service.status, service.busy_until, service.gave_up = "Stopped", None, False
        self._state.log.add("host_off", server.name, reason=why)
        self._state.review()

    def on(self, server: Server, cause: int | str) -> None:
        """A cause is gone; the host boots when nothing else keeps it off."""
        server.down_causes.discard(cause)
        if not server.down_causes:
            self._boot(server)

    def _boot(self, server: Server) -> None:
        if server.power != "off":
            return
        state = self._state
        server.power = "booting"
        slower = state.slow_reboots.get(server.name.casefold(), 0.0)
        when = state.now + timedelta(seconds=state.tuning.reboot_s + (0.0 if math.isinf(slower) else slower))
        server.boots_at = when
        state.log.add("host_booting", server.name)
        state.scheduler.at(when, lambda: self._booted(server, when))
        state.review()

    def reboot(self, server: Server) -> datetime:
        """Shut down in order and boot; returns when it should answer again. A host that is off stays as it is."""
        state = self._state
        off = state.now + timedelta(seconds=state.tuning.shutdown_s)
        slower = state.slow_reboots.get(server.name.casefold(), 0.0)
        updates = state.tuning.update_reboot_s if "wu" in server.pending_reboot else 0.0
        returns = off + timedelta(seconds=state.tuning.reboot_s + updates + (0.0 if math.isinf(slower) else slower))
        if server.power != "on":
            return returns
        state.log.add("host_restarting", server.name)
        state.scheduler.at(off, lambda: self._shut_down(server, returns, stays=math.isinf(slower)))
        return returns

    def _shut_down(self, server: Server, returns: datetime, *, stays: bool) -> None:
        if server.power != "on":
            return
        self._leave_clusters(server)
        server.power = "off" if stays else "booting"
        server.hung = False
        for service in server.services:
            service.status, service.busy_until, service.gave_up = "Stopped", None, False
        self._state.log.add("host_off", server.name, reason="restart")
        if not stays:
            server.boots_at = returns
            self._state.scheduler.at(returns, lambda: self._booted(server, returns))
        self._state.review()

    def start(self, server: Server, name: str) -> datetime:
        """Start a service; returns when it runs."""
        service = self._found(server, name)
        if service.status in ("Running", "StartPending"):
            return service.busy_until or self._state.now
        if service.start_type == "Disabled" or service.crashed:
            raise WorldError(
                "service_down", f"{service.name} cannot be started", server=server.name, service=service.name
            )
        service.status, service.gave_up, service.began = "StartPending", False, self._state.now
        service.busy_until = self._state.poke_after(self._start_seconds(service))
        self._state.review()
        return service.busy_until

    def stop(self, server: Server, name: str) -> datetime:
        """Stop a service; a cluster node leaves cleanly."""
        service = self._found(server, name)
        service.gave_up = False
        if service.status in ("Stopped", "StopPending"):
            return service.busy_until or self._state.now
        if service.name == CLUSSVC:
            self._leave_clusters(server)
        service.status, service.gave_up = "StopPending", False
        service.busy_until = self._state.poke_after(self._state.tuning.service_stop_s)
        self._state.review()
        return service.busy_until

    def crash(self, server: Server, name: str) -> None:
        """A service dies and does not start again until it is mended."""
        service = self._found(server, name)
        service.status, service.busy_until, service.crashed = "Stopped", None, True
        self._state.log.add("service_crashed", server.name, service=service.name)
        self._state.review()

    def mend_service(self, server: Server, name: str) -> None:
        """A crashed service may run again, and is started if the host is up."""
        service = self._found(server, name)
        service.crashed = False
        if self._state.answers(server):
            self.start(server, name)

    def review(self) -> None:
        """End what services are doing."""
        now = self._state.now
        for server in self._state.servers:
            for service in server.services:
                if service.busy_until is None or now < service.busy_until:
                    continue
                service.busy_until = None
                was, service.status = service.status, "Running" if service.status == "StartPending" else "Stopped"
                if was == "StartPending" and server.exchange is not None:
                    if service.name == REPL:
                        server.exchange.dacp_bit = 0
                    elif service.name == TOPOLOGY:
                        server.exchange.topology_at = now
                self._state.log.add("service", server.name, service=service.name, status=service.status)
                self._state.again()

    def _booted(self, server: Server, when: datetime) -> None:
        if server.power != "booting" or server.boots_at != when:
            return
        state = self._state
        server.power, server.boot_time = "on", state.now
        server.pending_reboot.clear()
        for volume in server.volumes:
            volume.disk_seen = volume.disk
        for name, known in server.features.items():
            if known == "InstallPending":
                server.features[name] = "Installed"
        ends = state.poke_after(state.tuning.services_after_boot_s)
        for service in server.services:
            if service.name in ("WinRM", "EventLog", "LanmanServer", "Netlogon", "NTDS", "Kdc", "DNS"):
                service.status = "Running"
            elif service.start_type == "Automatic" and not service.crashed:
                service.status, service.busy_until = "StartPending", ends
        state.log.add("host_up", server.name)
        if server.is_dc:
            state.directory.catch_up()
        state.review()

    def _start_seconds(self, service: Service) -> float:
        tuning = self._state.tuning
        if service.name == "MSExchangeIS":
            return tuning.store_start_s
        return tuning.transport_start_s if service.name == "MSExchangeTransport" else tuning.service_start_s

    def _found(self, server: Server, name: str) -> Service:
        service = self._state.service(server, name)
        if service is None:
            raise WorldError("not_found", f"{server.name} has no service {name}", object="service", name=name)
        return service
