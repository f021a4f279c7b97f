"""`world.queues`: what waits in the transport queues of each Exchange server, and what moves it; sends no real mail.

simulator.md sections 4 and 5. Mail comes in evenly; what can leave leaves at the drain speed, so that a healthy queue
holds a handful. It grows where nothing leaves: the database is not mounted, no source server of a connector answers,
the queue is suspended or stuck. How a transport service learns of a changed HubTransport without a restart, and what a
queue holds in passing, are the lab's own model.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from starover_lab.world.entities import ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.mail_parts import MailQueue, Pressure, QueueKind, QueueView, SendConnector
from starover_lab.world.reading import effective_state
from starover_lab.world.state import State, first_label

__all__ = ["TRANSPORT", "Queues"]

TRANSPORT = "MSExchangeTransport"
_RETRY_S = 60.0
_OFFLINE = "432 4.2.0 STOREDRV.Deliver; mailbox database is offline"
_NO_ROUTE = "451 4.4.0 Primary target IP address responded with: 421 4.2.1 Unable to connect"
_STUCK = "421 4.4.2 Connection dropped due to SocketError"


class Queues:
    """Transport of all Exchange servers; every `server` is a name."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- looking -------------------------------------------------------------------------------------------------

    def of(self, asked: str, server: str) -> list[QueueView]:
        """The queues of a server. Raises `not_found`, `server_down`, `service_down` (also just after its start)."""
        host = self._transport(asked, server)
        return [self._view(host, queue) for queue in self._mail(host).mail.queues if self._shown(queue)]

    def pressures(self, asked: str, server: str) -> list[Pressure]:
        """Resources of its transport that are not normal. Raises as `of`."""
        return self._pressures(self._transport(asked, server))

    def _pressures(self, host: Server) -> list[Pressure]:
        mail = self._mail(host).mail
        found = [mail.pressure] if mail.pressure is not None else []
        if mail.disk_full_since is not None:
            found.append(Pressure("UsedDiskSpace", "High", mail.disk_full_since))
        return found

    def _shown(self, queue: MailQueue) -> bool:
        return queue.kind != "poison" or queue.count(self._state.now) > 0

    def _view(self, host: Server, queue: MailQueue) -> QueueView:
        now = self._state.now
        count = queue.count(now)
        trouble = queue.trouble or (_STUCK if queue.held and queue.kind != "poison" else "")
        since = queue.troubled_since or (now if trouble else None)
        retries = int((now - since).total_seconds() // _RETRY_S) if since is not None else 0
        last = since + timedelta(seconds=retries * _RETRY_S) if since is not None else None
        last = max((one for one in (last, queue.retried) if one is not None), default=None)
        delivery, next_hop = self._way(host, queue)
        passing = queue.arriving if not trouble and not queue.suspended else 0.0
        return QueueView(
            name=queue.name,
            delivery=delivery,
            next_hop=next_hop,
            status="Suspended" if queue.suspended else "Retry" if trouble else "Active" if passing else "Ready",
            messages=count,
            incoming=queue.arriving,
            outgoing=-queue.rate if queue.rate < 0 and queue.flowing(now) > queue.level else passing,
            last_error=f"[{{LED={trouble}}};{{MSG=}};{{FQDN={next_hop}}};{{IP=}};{{LRT={last:%m/%d/%Y %H:%M:%S}}}]"
            if trouble and last is not None
            else "",
            retries=retries,
            last_retry=last if trouble else None,
            next_retry=last + timedelta(seconds=_RETRY_S) if trouble and last is not None else None,
        )

    def _way(self, host: Server, queue: MailQueue) -> tuple[str, str]:
        """Delivery type and next hop domain."""
        if queue.kind == "database":
            return "SmtpDeliveryToMailbox", queue.about.casefold()
        if queue.kind == "shadow":
            return "ShadowRedundancy", self._state.server(queue.about).fqdn
        if queue.kind == "connector":
            connector = self._state.organization.send_connectors[queue.about.casefold()]
            if host.name.casefold() not in {one.casefold() for one in connector.source_servers}:
                return "SmtpRelayToServers", connector.name
            if connector.smart_hosts:
                return "SmartHostConnectorDelivery", ",".join(connector.smart_hosts)
            return "DnsConnectorDelivery", connector.name
        return "Undefined", "Submission" if queue.kind == "submission" else "Poison Message"

    # -- acting --------------------------------------------------------------------------------------------------

    def suspend(self, asked: str, server: str, name: str, *, suspended: bool = True) -> None:
        """Suspend-Queue, Resume-Queue. Raises as `of`, and `not_found` (object queue)."""
        host, queue = self._queue(asked, server, name)
        if queue.suspended is not suspended:
            queue.suspended = suspended
            self._state.log.add("queue", host.name, queue=queue.name, suspended=suspended)
            self._state.review()

    def retry(self, asked: str, server: str, name: str) -> None:
        """Retry-Queue: try again at once; what is in the way stays in the way. Raises as `suspend`."""
        host, queue = self._queue(asked, server, name)
        queue.retried = self._state.now
        self._state.log.add("queue_retried", host.name, queue=queue.name)
        self._state.review()

    def redirect(self, asked: str, server: str, target: str) -> None:
        """Redirect-Message: move what waits to another server, in the background; shadow and poison queues stay.

        Raises as `of` for both servers, and `invalid` when the target takes no mail.
        """
        state, host, other = self._state, self._transport(asked, server), self._transport(asked, target)
        if other is host or self._mail(other).mail.hub_state != "Active" or self._component(other) != "Active":
            raise WorldError(
                "invalid",
                f"{other.name} takes no messages: its HubTransport component is not Active",
                parameter="Target",
                value=target,
                allowed="another Mailbox server whose HubTransport component is Active",
            )
        moved = 0
        for queue in self._mail(host).mail.queues:
            count = queue.flowing(state.now)
            if queue.kind in ("shadow", "poison") or queue.redirected_to or count < 1:
                continue
            queue.redirected_to = other.name
            moved += int(count)
            ends = state.poke_after(count / state.tuning.redirect_per_s)
            state.scheduler.at(ends, partial(self._arrived, queue, other, count))
        state.log.add("messages_redirected", host.name, target=other.name, messages=moved)
        state.review()

    def _arrived(self, queue: MailQueue, other: Server, count: float) -> None:
        queue.redirected_to = ""
        for same in self._mail(other).mail.queues:
            if same.kind == queue.kind and same.about == queue.about:
                self._settle(same)
                same.amount += count
        self._state.review()

    # -- connectors ----------------------------------------------------------------------------------------------

    def connectors(self) -> list[SendConnector]:
        """Get-SendConnector."""
        return list(self._state.organization.send_connectors.values())

    def connector(self, name: str) -> SendConnector:
        """One of them. Raises `not_found`."""
        found = self._state.organization.send_connectors.get(name.casefold())
        if found is None:
            raise WorldError("not_found", f"there is no send connector {name}", object="connector", name=name)
        return found

    def set_connector(
        self,
        name: str,
        asked: str,
        *,
        source_servers: tuple[str, ...] | None = None,
        smart_hosts: tuple[str, ...] | None = None,
        enabled: bool | None = None,
        comment: str | None = None,
    ) -> None:
        """Set-SendConnector; source servers replace the list. Raises `not_found`, `no_dc`, `invalid`."""
        state, connector = self._state, self.connector(name)
        state.directory.closest(state.server(asked).site)
        if source_servers is not None:
            names = tuple(state.server(one).name for one in source_servers)
            wrong = [one for one in names if state.servers[one].exchange is None]
            if not names or wrong:
                raise WorldError(
                    "invalid",
                    f"{', '.join(wrong) or 'nothing'} cannot be a source transport server",
                    parameter="SourceTransportServers",
                    value=", ".join(source_servers),
                    allowed="Exchange Mailbox servers",
                )
            connector.source_servers = names
        connector.smart_hosts = connector.smart_hosts if smart_hosts is None else smart_hosts
        connector.enabled = connector.enabled if enabled is None else enabled
        connector.comment = connector.comment if comment is None else comment
        state.log.add("send_connector", connector.name, sources=", ".join(connector.source_servers))
        state.review()

    def bypass_filtering(self, server: str, *, bypass: bool) -> None:
        """Set-MalwareFilteringServer -BypassFiltering: mail passes an engine that answers nothing."""
        host = self._state.server(server)
        self._mail(host).mail.bypass_filtering = bypass
        self._state.log.add("malware_filtering", host.name, bypass=bypass)
        self._state.review()

    # -- what follows by itself ----------------------------------------------------------------------------------

    def review(self) -> None:
        """Let every queue fill and empty as things stand now."""
        for host in self._state.servers:
            exchange = host.exchange
            if exchange is None:
                continue
            self._service(host, exchange)
            self._make(host, exchange)
            queues = exchange.mail.queues
            clogged = self._clogged(exchange)
            ways = sum(one.kind in ("database", "connector") for one in queues) or 1
            for queue in queues:
                self._flow(host, exchange, queue, ways, clogged=clogged)

    def _service(self, host: Server, exchange: ExchangeServer) -> None:
        """What the transport service knows: it reads its component when it starts, and now and then."""
        state, mail = self._state, exchange.mail
        if not state.runs(host, TRANSPORT):
            mail.runs_since = mail.hub_differs_since = None
            return
        wanted = self._component(host)
        if mail.runs_since is None:
            first = not mail.queues  # the lab begins: it has been running for long
            mail.runs_since = host.boot_time if first else state.now
            mail.hub_state = wanted
        if wanted == mail.hub_state:
            mail.hub_differs_since = None
        elif mail.hub_differs_since is None:
            mail.hub_differs_since = state.now
            state.poke_after(state.tuning.transport_poll_s)
        elif state.now >= mail.hub_differs_since + timedelta(seconds=state.tuning.transport_poll_s):
            mail.hub_state, mail.hub_differs_since = wanted, None
        disk = host.volumes.get("C:")
        if disk is None or not (disk.stuffed or disk.other >= disk.size):
            mail.disk_full_since = None
        elif mail.disk_full_since is None:
            mail.disk_full_since = state.now
            state.log.add("backpressure", host.name, resource="UsedDiskSpace", level="High")

    def _make(self, host: Server, exchange: ExchangeServer) -> None:
        """The queues that should be there."""
        mail, now = exchange.mail, self._state.now
        there = [(queue.kind, queue.about) for queue in mail.queues]
        wanted = list(self._wanted(host))
        if len(there) == len(wanted) and set(there) == set(wanted):
            return
        for kind, about in wanted:
            if (kind, about) not in there:
                made = MailQueue(kind.capitalize() if not about else "", kind, about, now)
                if about:
                    made.name = f"Shadow\\{mail.next_number}" if kind == "shadow" else str(mail.next_number)
                    mail.next_number += 1
                if kind == "shadow":
                    made.amount = int(self._state.tuning.mail_per_min / 4)
                mail.queues.append(made)
        mail.queues[:] = [queue for queue in mail.queues if (queue.kind, queue.about) in wanted]

    def _wanted(self, host: Server) -> Iterator[tuple[QueueKind, str]]:
        state = self._state
        yield "submission", ""
        own = [one for one in state.databases if host.name in one.copies]
        cluster = next((one for one in state.clusters if host.name in one.nodes), None)
        if cluster is not None:
            for node in cluster.nodes:
                if node.server != host.name:
                    yield "shadow", node.server
            own += [one for one in state.databases if one.dag.casefold() == cluster.name.casefold() and one not in own]
        for database in sorted(own, key=lambda one: one.name.casefold()):
            yield "database", database.name
        for connector in state.organization.send_connectors.values():
            if connector.enabled:
                yield "connector", connector.name
        yield "poison", ""

    def _flow(self, host: Server, exchange: ExchangeServer, queue: MailQueue, ways: int, *, clogged: bool) -> None:
        """Set how a queue changes from now on."""
        state, tuning, mail = self._state, self._state.tuning, exchange.mail
        before = (queue.rate, queue.level, queue.arriving, queue.trouble)
        if queue.kind in ("shadow", "poison") or mail.runs_since is None:
            arriving, level, rate, trouble = 0.0, 0.0, 0.0, ""
        else:
            share = 1 if queue.kind == "submission" else ways
            accepts = mail.hub_state == "Active" and not (queue.kind != "submission" and clogged)
            arriving = tuning.mail_per_min / 60 / share if accepts else 0.0
            trouble = self._trouble(host, queue, clogged=clogged)
            moves = not trouble and not queue.suspended
            if queue.redirected_to:
                rate, level = arriving - tuning.redirect_per_s, 0.0
            elif moves:
                rate = arriving - tuning.queue_drain_per_s
                level = arriving * tuning.delivery_s if queue.kind != "submission" else 0.0
            else:
                rate, level = arriving, 0.0
        if (rate, level, arriving, trouble) == before:
            return
        self._settle(queue)
        queue.rate, queue.level, queue.arriving = rate, level, arriving
        queue.amount = max(queue.amount, level) if rate < 0 else queue.amount
        if bool(trouble) != bool(queue.trouble):
            queue.troubled_since = state.now if trouble else None
        queue.trouble = trouble

    def _settle(self, queue: MailQueue) -> None:
        queue.amount, queue.since = queue.flowing(self._state.now), self._state.now

    def _clogged(self, exchange: ExchangeServer) -> bool:
        """Nothing gets past the categorizer."""
        mail = exchange.mail
        stuck = mail.engine_stuck_since is not None and not mail.bypass_filtering
        suspended = any(one.suspended for one in mail.queues if one.kind == "submission")
        return stuck or suspended or mail.pressure is not None or mail.disk_full_since is not None

    def _trouble(self, host: Server, queue: MailQueue, *, clogged: bool) -> str:
        """Why nothing leaves a queue; empty when it does."""
        state = self._state
        if queue.kind == "submission":
            return "420 4.2.0 the categorizer does not go on" if clogged else ""
        if queue.kind == "database":
            database = state.databases[queue.about]
            active = state.servers[database.active]
            if database.state != "Mounted" or not state.reaches(host, active):
                return _OFFLINE
            service = active.services.get("MSExchangeDelivery")
            return "" if service is None or service.status == "Running" else _NO_ROUTE
        connector = state.organization.send_connectors[queue.about.casefold()]
        sources = [state.servers[one] for one in connector.source_servers if one in state.servers]
        if host in sources:
            return ""
        takes = (state.reaches(host, one) and one.exchange and one.exchange.mail.runs_since for one in sources)
        return "" if any(takes) else _NO_ROUTE

    # -- finding -------------------------------------------------------------------------------------------------

    def _component(self, host: Server) -> str:
        components = self._mail(host).components
        offline = effective_state(components["ServerWideOffline"], server_wide_offline=False) == "Inactive"
        return effective_state(components["HubTransport"], server_wide_offline=offline)

    def _mail(self, host: Server) -> ExchangeServer:
        if host.exchange is None:
            raise WorldError("not_found", f"{host.name} is no Exchange server", object="exchange", name=host.name)
        return host.exchange

    def _transport(self, asked: str, server: str) -> Server:
        """A server whose transport answers questions about its queues."""
        state, host = self._state, self._state.server(server)
        runs_since = self._mail(host).mail.runs_since
        if not state.reaches(state.server(asked), host):
            raise WorldError(
                "server_down",
                f"{host.name} does not answer",
                blocked_s=state.tuning.rpc_timeout_s,
                server=host.name,
                fqdn=host.fqdn,
            )
        ready = self._ready(runs_since)
        if ready is None or state.now < ready:
            raise WorldError("service_down", f"{TRANSPORT} does not answer", server=host.name, service=TRANSPORT)
        return host

    def _ready(self, since: datetime | None) -> datetime | None:
        return None if since is None else since + timedelta(seconds=self._state.tuning.queues_answer_s)

    def _queue(self, asked: str, server: str, name: str) -> tuple[Server, MailQueue]:
        host = self._transport(asked, first_label(server))
        for queue in self._mail(host).mail.queues:
            if queue.name.casefold() == name.casefold() and self._shown(queue):
                return host, queue
        raise WorldError("not_found", f"{host.name} has no queue {name}", object="queue", name=f"{host.name}\\{name}")
