"""A member's backends in the farms of a Zevenet or SKUDONET balancer: by its API alone, no host is contacted."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, Estate, Server, Steps, runbook
from starover.steps.farm_backends import BackendOf, backends_of, every_farm, named_backends, put_in, take_out
from starover.steps.zonal_shift import about


@runbook
def farm_maintenance(
    estate: Estate, action: Literal["maintenance", "up"], server: Server | None = None, backend: Sequence[str] = ()
) -> Steps:
    """Put a server's backends into maintenance in the balancer's farms, or take them out of it.

    In maintenance a backend gets no new connections, and those it has may end. Another backend of the same service must
    be up (G-LASTVIP). An HTTP farm that waits for a restart takes neither.

    action: maintenance or up
    server: whose backends; by its address
    backend: farm:backend, such as Web:2; all of the server where none is named. It may be repeated
    """
    if server is None and not backend:
        raise BadParameter(
            "whose backends? --server NAME", certain=("nothing was contacted",), next=("or --backend FARM:BACKEND",)
        )
    if not any(one.farms for one in estate.balancers):
        raise BadParameter(
            "the inventory has no balancer with farms",
            certain=("nothing was contacted",),
            next=("give one `kind: zevenet`, `api:`, `ca_file:` and `credential:`",),
        )
    whose = server or about(estate, "")
    every = yield from every_farm(estate, whose)
    found = _wanted(server, every, backend)
    for one in found:
        owner = next((known for known in estate.servers if known.address == one.address), whose)
        if action == "maintenance":
            yield from take_out(owner, [one], [])
        else:
            yield from put_in(owner, [one])


def _wanted(server: Server | None, every: Sequence[BackendOf], named: Sequence[str]) -> tuple[BackendOf, ...]:
    """The backends in question. Raises `BadParameter`."""
    own = backends_of(server, every) if server is not None else ()
    if server is not None and not own:
        raise BadParameter(
            f"{server.name} ({server.address or 'without an address'}) is in no farm",
            certain=("nothing was changed",),
            next=(f"backends: {', '.join(dict.fromkeys(one.address for one in every)) or 'none'}",),
        )
    if not named:
        return own
    found = named_backends(every, named)
    foreign = [one for one in found if server is not None and one not in own]
    if foreign:
        raise BadParameter(
            f"--backend {foreign[0].words} is {foreign[0].address}, not {server.name if server else ''}",
            certain=("nothing was changed",),
            next=("leave out --server, or name its own backends",),
        )
    return found
