"""Plain settings of servers and AD: listeners, accounts, policies, preferences, lags; no timer."""

from __future__ import annotations

from typing import Literal

from starover_lab.world.dag_objects import dags_on, read_dag
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Account, DagObject, ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.state import State

__all__ = ["ServerSettings"]

_MOST_LAG_S = 14 * 86_400.0


class ServerSettings:
    """Plain settings, without a process of their own."""

    def __init__(self, state: State) -> None:
        self._state = state

    def listener(self, server: Server) -> tuple[str, ...]:
        """Faults of the WinRM listener."""
        if server.power != "on":
            return ("off",)
        az = self._state.azs.get(server.az)
        if server.hung or server.cut_off or (az is not None and az.state == "isolated"):
            return ("silent",)
        if not all(passes(server, None) for passes in self._state.filters):
            return ("silent",)
        service = server.services.get("WinRM")
        if service is None or service.status != "Running":
            return ("refused",)
        return tuple(sorted(server.listener_faults))

    def account(self, user: str) -> Account | None:
        r"""Who logs on as `DOMAIN\name`, `name@domain` or `name`."""
        domain, slash, name = user.rpartition("\\")
        if slash and domain.casefold() not in (self._state.netbios.casefold(), self._state.dns_name.casefold()):
            return None
        if not slash:
            name, at, realm = user.partition("@")
            if at and realm.casefold() not in (self._state.dns_name.casefold(), self._state.netbios.casefold()):
                return None
        account = self._state.accounts.get(name)
        return None if account is None or account.expired else account

    def reach(self, asked: Server, target: Server) -> Server:
        """The target, if it answers."""
        if not self._state.reaches(asked, target):
            raise WorldError(
                "server_down",
                f"{target.name} does not answer",
                blocked_s=self._state.tuning.rpc_timeout_s,
                server=target.name,
                fqdn=target.fqdn,
            )
        return target

    def exchange_answers(self, server: Server) -> bool:
        """Whether `/PowerShell` takes connections."""
        exchange = server.exchange
        up = exchange is not None and not exchange.vdir_broken and self._state.runs(server, "W3SVC")
        return up and not self._anchor_down(server)

    def _anchor_down(self, server: Server) -> bool:
        """2013 CU11 alone opens a session where the organization's mailbox is, and none while that database is down."""
        if server.exchange is None or not server.exchange.anchors_sessions:
            return False
        anchor = next(iter(self._state.databases), None)
        return anchor is not None and anchor.state != "Mounted"

    def dc_of(self, asked: Server, name: str | None) -> DomainController:
        """The DC that a cmdlet uses."""
        return self._state.directory.controller(name) if name else self._state.directory.closest(asked.site)

    def dag_names(self, dc: DomainController) -> list[str]:
        """The DAGs that a DC knows, by name."""
        return [dag.name for dag in dags_on(self._state.directory, dc)]

    def dag(self, name: str, dc: DomainController) -> DagObject:
        """One DAG as that DC knows it."""
        return read_dag(self._state.directory, dc, name)

    def set_preference(self, database: Database, copy: Copy, preference: int) -> None:
        """Take the copy out, put it in at its new place, renumber."""
        count = len(database.copies)
        if not 1 <= preference <= count:
            raise WorldError(
                "invalid",
                f"the activation preference must be 1 to {count}",
                parameter="ActivationPreference",
                value=preference,
                allowed=f"1-{count}",
            )
        others = sorted((one for one in database.copies if one is not copy), key=lambda one: one.preference)
        others.insert(preference - 1, copy)
        for number, one in enumerate(others, start=1):
            one.preference = number
        self._state.log.add("preference_set", f"{database.name}\\{copy.server}", preference=preference)
        self._state.review()

    def set_lag(
        self,
        database: Database,
        copy: Copy,
        *,
        replay_s: float | None,
        truncation_s: float | None,
        max_delay_s: float | None,
    ) -> None:
        """Set the lag times, at most 14 days."""
        for parameter, value in (("ReplayLagTime", replay_s), ("TruncationLagTime", truncation_s)):
            if value is not None and not 0 <= value <= _MOST_LAG_S:
                raise WorldError(
                    "invalid",
                    f"{parameter} is at most 14 days",
                    parameter=parameter,
                    value=value,
                    allowed="14.00:00:00",
                )
        if replay_s is not None:
            copy.replay_lag_s = replay_s
        if truncation_s is not None:
            copy.truncation_lag_s = truncation_s
        if max_delay_s is not None:
            copy.replay_lag_max_delay_s = max_delay_s
        self._state.log.add(
            "lag_set", f"{database.name}\\{copy.server}", replay_s=copy.replay_lag_s, truncation_s=copy.truncation_lag_s
        )
        self._state.review()

    def set_activation(
        self,
        server: Server,
        *,
        policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"] | None,
        disabled_and_move_now: bool | None,
        dial: Literal["Lossless", "GoodAvailability", "BestAvailability"] | None,
        max_active: int | Literal["unlimited"] | None,
        max_preferred_active: int | Literal["unlimited"] | None,
    ) -> None:
        """Set what automatic activation may do on a server."""
        exchange = self._exchange(server)
        if policy is not None:
            exchange.activation_policy = policy
        if disabled_and_move_now is not None:
            exchange.activation_disabled_and_move_now = disabled_and_move_now
        exchange.auto_mount_dial = dial or exchange.auto_mount_dial
        if max_active is not None:
            exchange.max_active = None if max_active == "unlimited" else max_active
        if max_preferred_active is not None:
            exchange.max_preferred_active = None if max_preferred_active == "unlimited" else max_preferred_active
        self._state.log.add(
            "activation_policy",
            server.name,
            policy=exchange.activation_policy,
            disabled_and_move_now=exchange.activation_disabled_and_move_now,
        )
        self._state.review()

    def _exchange(self, server: Server) -> ExchangeServer:
        if server.exchange is None:
            raise WorldError("not_found", f"{server.name} is no Exchange server", object="exchange", name=server.name)
        return server.exchange
