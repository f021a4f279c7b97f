"""`world.updates`: Windows Update on each host: offered, downloaded, installed, finished by a reboot; no PowerShell.

simulator.md sections 5 and 8, catalogue 5.6. Who may ask it (a network logon may not download or install) is decided
where the session is known, by the cmdlets.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation
from starover_lab.world.state import State
from starover_lab.world.update_parts import HistoryEntry, Update

__all__ = ["NOT_ALLOWED", "SHUTTING_DOWN", "Updates"]

NOT_ALLOWED = 0x80240016
"""WU_E_INSTALL_NOT_ALLOWED: another installation runs, or a reboot is pending from before."""
SHUTTING_DOWN = 0x8007045B
"""ERROR_SHUTDOWN_IN_PROGRESS."""
_INSTALLER = "TrustedInstaller"
_OFFERED = ("applicable", "downloaded", "failed")


class Updates:
    """Updates of all hosts; every `server` is a name."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._boots = {server.name: server.boot_time for server in state.servers}

    def all(self, server: str) -> list[Update]:
        """Everything that the host was ever offered here, installed or not."""
        return list(self._state.server(server).updates)

    def offered(self, server: str) -> list[Update]:
        """What a search for updates that are not installed finds."""
        host = self._state.server(server)
        done = {one.kb for one in host.updates if one.state == "installed"}
        return [one for one in host.updates if one.state in _OFFERED and (not one.after or one.after in done)]

    def installed(self, server: str) -> list[Update]:
        """What is installed, or will be with the next reboot."""
        return [one for one in self._state.server(server).updates if one.state in ("installed", "pending_reboot")]

    def history(self, server: str) -> list[HistoryEntry]:
        """Newest first."""
        return list(reversed(self._state.server(server).update_history))

    def reboot_required(self, server: str) -> bool:
        """`SystemInfo.RebootRequired`."""
        return "wu" in self._state.server(server).pending_reboot

    def busy(self, server: str) -> bool:
        """Whether an installation is under way."""
        return any(one.state == "installing" for one in self._state.server(server).updates)

    def blocked(self, server: str) -> bool:
        """Whether a reboot from before stands in the way of any installation."""
        host = self._state.server(server)
        return "cbs" in host.pending_reboot and not any(one.state == "pending_reboot" for one in host.updates)

    def download(self, server: str, update: Update) -> datetime:
        """Fetch it; returns when it is there."""
        state = self._state
        if update.state != "applicable":
            return state.now
        ends = state.poke_after(update.size / (state.tuning.update_mb_per_s * 1024 * 1024))

        def done() -> None:
            if update.state == "applicable":
                update.state = "downloaded"
                state.log.add("update_downloaded", server, kb=update.kb)

        state.scheduler.at(ends, done)
        return ends

    def install(self, server: str, update: Update) -> Operation | None:
        """Begin an installation; the operation tells when it ends, its `error` that it failed (data hresult).

        None: it never ends (fault `update_hang`). Raises `busy` with data hresult when it may not begin.
        """
        state, host = self._state, self._state.server(server)
        if self.busy(server) or self.blocked(server):
            raise WorldError("busy", f"{host.name} cannot install now", server=host.name, hresult=NOT_ALLOWED)
        update.state = "installing"
        self._run_installer(host, running=True)
        state.log.add("update_installing", host.name, kb=update.kb)
        if update.hung_by:
            return None
        operation = Operation(state.poke_after(update.install_s))
        boot = host.boot_time
        state.scheduler.at(operation.ends, lambda: self._end(host, update, operation, boot))
        return operation

    def _end(self, host: Server, update: Update, operation: Operation, boot: datetime) -> None:
        if update.state != "installing" or host.power != "on" or host.boot_time != boot:
            return
        hresult = next(iter(update.failing.values()), 0)
        update.hresult = hresult
        if hresult:
            update.state = "failed"
            operation.error = WorldError("busy", f"{update.kb} failed", server=host.name, hresult=hresult)
        elif update.reboot == "never" and update.looping_by:
            update.state = "downloaded"
            self._state.log.add("update_offered_again", host.name, kb=update.kb)
        elif update.reboot == "never":
            update.state, update.installed_at = "installed", self._state.now
        else:
            update.state = "pending_reboot"
            host.pending_reboot.update(("wu", "cbs"))
        self._remember(host, update, 4 if hresult else 2, hresult)
        self._run_installer(host, running=False)
        self._state.log.add("update_installed", host.name, kb=update.kb, hresult=f"0x{hresult:08X}")
        self._state.review()

    def abort(self, server: str) -> None:
        """Whoever installed is gone: what it was at is as before."""
        host = self._state.server(server)
        for update in host.updates:
            if update.state == "installing":
                self._give_up(host, update)

    def review(self) -> None:
        """A host that has booted ends what waited for that; one that is off breaks off what it was at."""
        for host in self._state.servers:
            if host.power != "on":
                for update in host.updates:
                    if update.state == "installing":
                        self._give_up(host, update)
            elif self._boots[host.name] != host.boot_time:
                self._boots[host.name] = host.boot_time
                self._finish(host)

    def _finish(self, host: Server) -> None:
        state = self._state
        for update in host.updates:
            if update.state != "pending_reboot":
                continue
            if update.looping_by:
                update.state = "downloaded"
                state.log.add("update_offered_again", host.name, kb=update.kb)
            else:
                update.state, update.installed_at = "installed", state.now
                state.log.add("update_finished", host.name, kb=update.kb)

    def _give_up(self, host: Server, update: Update) -> None:
        update.state, update.hresult = "downloaded", SHUTTING_DOWN
        self._remember(host, update, 5, SHUTTING_DOWN)
        self._run_installer(host, running=False)
        self._state.log.add("update_aborted", host.name, kb=update.kb)

    def _remember(self, host: Server, update: Update, result: int, hresult: int) -> None:
        host.update_history.append(
            HistoryEntry(
                title=update.title,
                kb=update.kb,
                update_id=update.id,
                revision=update.revision,
                time=self._state.now,
                result=result,
                hresult=hresult,
            )
        )

    def _run_installer(self, host: Server, *, running: bool) -> None:
        service = host.services.get(_INSTALLER)
        if service is None or host.power != "on":
            return
        if running:
            service.status, service.busy_until = "Running", None
            return
        # It stays for a while after its work and then ends by itself.
        self._state.scheduler.at(self._state.now + timedelta(seconds=120), lambda: self._rest(host))

    def _rest(self, host: Server) -> None:
        service = host.services.get(_INSTALLER)
        if service is not None and service.status == "Running" and not self.busy(host.name):
            service.status = "Stopped"
