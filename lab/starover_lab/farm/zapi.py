"""The API of a Zevenet balancer (ZAPI v4.0): requests in, status and JSON out, on the world's farms; knows no socket.

Fields, codes and words are the real one's: `GET /farms`, `GET /farms/<farm>`, and a backend's maintenance, which stands
below a service in HTTP farms. Whatever else is asked for does not exist here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

import msgspec

from starover_lab.client_services import KINDS, inactive, reached
from starover_lab.world.entities import Server
from starover_lab.world.farm_parts import Farm, FarmBackend
from starover_lab.world.world import World

__all__ = ["BASE", "Zapi", "key_of"]

BASE = "/zapi/v4.0/zapi.cgi"
_BACKEND = re.compile(r"/farms/([^/]+)(?:/services/([^/]+))?/backends/(\d+)/maintenance")
Reply = tuple[int, Mapping[str, object]]


class _Refused(Exception):
    def __init__(self, status: int, description: str, message: str) -> None:
        super().__init__(message)
        self.reply: Reply = (status, {"description": description, "error": "true", "message": message})


def key_of(world: World, balancer: str) -> str:
    """The key of a balancer's API: the same for the same seed."""
    return world.state.dice.text("zapi", balancer, 64)


class Zapi:
    """One balancer."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._state = world.state
        self.name = name
        self._key = key_of(world, name)

    def farms(self) -> list[Farm]:
        """Its farms."""
        return [one for one in self._state.farms if one.balancer == self.name]

    @property
    def answers(self) -> bool:
        """Whether anything answers there: the zone of its addresses has power."""
        zones = [self._state.azs.get(self._state.zone_of(one.vip)) for one in self.farms()]
        return all(zone is None or zone.state == "up" for zone in zones)

    def answer(self, method: str, path: str, key: str, body: bytes = b"") -> Reply:
        """Status and body for a request; `path` is below `BASE`."""
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            return 401, {"message": "Authorization required", "error": "true"}
        return self.perform(method, path, body)

    def perform(self, method: str, path: str, body: bytes = b"") -> Reply:
        """As `answer`, for a caller that has shown its key."""
        failing = self._state.failing_apis
        if failing.get(self.name.casefold(), 0) > 0:
            failing[self.name.casefold()] -= 1
            return 500, {"message": "Internal error", "error": "true"}
        try:
            if method == "GET" and path == "/farms":
                return 200, {"description": "List farms", "params": [self._row(one) for one in self.farms()]}
            if method == "GET" and path.startswith("/farms/") and path.count("/") == 2:
                return 200, self._shown(self._farm(path.rpartition("/")[2], "Show farm"))
            if method == "PUT" and (found := _BACKEND.fullmatch(path)):
                return 200, self._change(found[1], found[2] or "", int(found[3]), body)
        except _Refused as refused:
            return refused.reply
        return 404, {"message": "Request not found", "error": "true"}

    # -- farms ---------------------------------------------------------------------------------------------------

    def _farm(self, name: str, description: str) -> Farm:
        found = next((one for one in self.farms() if one.name == name), None)
        if found is None:
            raise _Refused(404, f"{description} {name}", "Farm not found.")
        return found

    def _row(self, farm: Farm) -> Mapping[str, object]:
        profile = "https" if farm.profile == "http" and farm.vport == 443 else farm.profile
        return {
            "farmname": farm.name,
            "profile": profile,
            "status": self.status(farm),
            "vip": farm.vip,
            "vport": str(farm.vport),
        }

    def _shown(self, farm: Farm) -> Mapping[str, object]:
        backends = [self._backend(farm, one) for one in farm.backends]
        params = {"status": self.status(farm), "vip": farm.vip}
        if farm.profile == "l4xnat":
            l4 = {"vport": str(farm.vport), "algorithm": "weight", "nattype": "nat", "protocol": "tcp"}
            shown = {**params, **l4, "listener": "l4xnat", "farmguardian": "check_tcp"}
            return {"description": f"List farm {farm.name}", "params": shown, "backends": backends}
        listener = "https" if farm.vport == 443 else "http"
        service = {"id": farm.service, "httpsb": "true", "persistence": "", "backends": backends}
        http = {**params, "vport": farm.vport, "listener": listener}
        return {"description": f"List farm {farm.name}", "params": http, "services": [service]}

    def _backend(self, farm: Farm, one: FarmBackend) -> Mapping[str, object]:
        shown = {"id": one.id, "ip": one.address, "port": one.port, "status": self.found(one), "weight": 1}
        return {**shown, "priority": 1, "max_conns": 0} if farm.profile == "l4xnat" else {**shown, "timeout": 20}

    def status(self, farm: Farm) -> str:
        """As the list of farms shows it."""
        if farm.needs_restart:
            return "needed restart"
        found = {self.found(one) for one in farm.backends}
        if not found & {"up", "maintenance"}:
            return "critical"
        if found - {"up", "maintenance"}:
            return "problem"
        return "maintenance" if "maintenance" in found else "up"

    def found(self, one: FarmBackend) -> str:
        """What stands beside a backend: `fgDOWN` where the farm's own check (a health page, a greeting) fails."""
        if one.mode:
            return "maintenance"
        server = self._state.server(one.server)
        kind = KINDS.get(one.port)
        if kind is None or not reached(self._state, server) or not self._state.runs(server, kind.service):
            return "down"
        if kind.speaks == "http":
            return "up" if self._world.health_page(server.name, "owa") == "200" else "fgDOWN"
        return "fgDOWN" if inactive(self._world, server, kind.component) else "up"

    def behind(self, address: str, port: int) -> list[Server] | None:
        """The hosts that get connections to an address of it; None: it has no farm there."""
        farm = next((one for one in self.farms() if (one.vip, one.vport) == (address, port)), None)
        if farm is None:
            return None
        return [self._state.server(one.server) for one in farm.backends if self.found(one) == "up"]

    # -- maintenance ---------------------------------------------------------------------------------------------

    def _change(self, name: str, service: str, backend: int, body: bytes) -> Mapping[str, object]:
        what = "Set service backend status" if service else "Set backend status"
        farm = next((one for one in self.farms() if one.name == name), None)
        if farm is None:
            raise _Refused(404, what, f"The farmname {name} does not exists.")
        if service and farm.profile != "http":
            raise _Refused(400, what, "Only HTTP farm profile supports this feature.")
        if not service and farm.profile != "l4xnat":
            raise _Refused(404, what, "Only L4xNAT farm profile supports this feature.")
        if service and service != farm.service:
            raise _Refused(404, what, "Could not find the requested service.")
        one = next((found for found in farm.backends if found.id == backend), None)
        if one is None:
            kind = "service backend" if service else "backend"
            raise _Refused(404, what, f"Could not find a {kind} with such id.")
        if service and farm.needs_restart:
            raise _Refused(400, what, "The farm needs to be restarted before to apply this action.")
        asked = _asked(body, what)
        if asked.get("action") not in ("maintenance", "up"):
            raise _Refused(400, what, "Invalid action; the possible actions are up and maintenance")
        mode = asked.get("mode", "drain")
        if mode not in ("drain", "cut"):
            raise _Refused(400, what, "Error, the maintenance mode is not a valid value.")
        one.mode = ("drain" if mode == "drain" else "cut") if asked["action"] == "maintenance" else ""
        self._state.log.add("farm_backend", one.server, farm=farm.name, backend=one.id, mode=one.mode or "up")
        return {"description": what, "params": {"action": asked["action"], "farm": {"status": self.status(farm)}}}


def _asked(body: bytes, what: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.MsgspecError:
        raise _Refused(400, what, "The JSON is not valid.") from None
