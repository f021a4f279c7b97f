"""The inventory file: YAML into the structs of `estate`, cross checks, JSON Schema out; contacts nothing.

Everything that is wrong is told at once, each with its line and what is wished there.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar, get_args

import msgspec

from starover.errors import BadInventory, BadParameter
from starover.estate import (
    ApiUrl,
    Balancer,
    ClientName,
    CredentialRef,
    Dag,
    Estate,
    Exchange,
    Forest,
    Road,
    Role,
    Server,
    Site,
    Subnet,
)
from starover.names import first_label, same_host, wishes
from starover.windows import Window, WindowText
from starover.yaml_lines import Path as Place
from starover.yaml_lines import Problem, Text, Tree, parse

__all__ = [
    "Balancer",
    "ClientName",
    "Dag",
    "Estate",
    "Exchange",
    "Forest",
    "Road",
    "Role",
    "Server",
    "Site",
    "Subnet",
    "load",
    "read",
    "schema",
]

_LISTS: Mapping[str, type[msgspec.Struct]] = {
    "sites": Site,
    "subnets": Subnet,
    "servers": Server,
    "dags": Dag,
    "client_names": ClientName,
    "balancers": Balancer,
}
_NESTED: Mapping[str, type[msgspec.Struct]] = {"roads": Road, "exchange": Exchange, "forest": Forest}
_DEFAULTS = "defaults"
_INHERITED = ("roads", "credential")
"""What `defaults:` may give to every server that does not say it itself."""
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
S = TypeVar("S", bound=msgspec.Struct)


def load(path: Path | str) -> Estate:
    """Read an inventory file. Raises `BadInventory` naming file and line of everything that is wrong."""
    path = Path(path)
    try:
        source = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInventory(f"{path} is not UTF-8: byte {error.start} cannot be read") from None
    except OSError as error:
        raise BadInventory(
            f"the inventory {path} cannot be read: {error.strerror or error}",
            next=("starover --inventory FILE ...", "starover inventory schema"),
        ) from None
    return read(source, name=str(path), folder=path.parent)


def read(source: str, *, name: str = "inventory", folder: Path | None = None) -> Estate:
    """Read an inventory's text. `name` stands in messages; `folder` is what `ca_file` is relative to.

    Raises `BadInventory`.
    """
    text = parse(source)
    estate = _estate(text, folder)
    if estate is not None and not text.problems:
        text.problems += _contradictions(estate, text)
    if estate is None or text.problems:
        raise _bad(name, text.problems)
    return msgspec.structs.replace(estate, servers=tuple(_located(server, estate) for server in estate.servers))


def schema() -> dict[str, object]:
    """The JSON Schema of an inventory file (draft 2020-12)."""
    made = msgspec.json.schema(Estate)
    estate = made["$defs"]["Estate"]
    server = made["$defs"]["Server"]["properties"]
    estate["properties"][_DEFAULTS] = {
        "type": "object",
        "description": "what holds for every server that does not say it itself",
        "properties": {key: server[key] for key in _INHERITED},
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "starover inventory", **made}


def _bad(name: str, problems: Iterable[Problem]) -> BadInventory:
    found = sorted(set(problems))
    lines = [f"{name}:{problem.line}: {problem.text}" for problem in found]
    if len(lines) == 1:
        what = lines[0]
    else:
        what = "\n".join([f"{name} has {len(lines)} mistakes:", *(f"  {line}" for line in lines)])
    return BadInventory(what, certain=("nothing was contacted",), next=("starover inventory schema",))


# -- from text to structs ----------------------------------------------------------------------------------------------


def _estate(text: Text, folder: Path | None) -> Estate | None:
    tree = text.tree
    if not isinstance(tree, dict):
        if tree is not None:
            text.problems.append(Problem(1, "an inventory is a table that begins with `name:`"))
        return None
    tree = dict(tree)
    _inherit(tree, text)
    parts: dict[str, tuple[msgspec.Struct, ...]] = {}
    for key, kind in _LISTS.items():
        if key in tree:
            parts[key] = _items(tree.pop(key), kind, (key,), text)
    _resolve_authorities(parts, text, folder)
    head = _convert(tree, Estate, (), text)
    return None if head is None else msgspec.structs.replace(head, **parts)


def _inherit(tree: dict[str, Tree], text: Text) -> None:
    defaults = tree.pop(_DEFAULTS, None)
    if defaults is None:
        return
    if not isinstance(defaults, dict) or defaults.keys() - set(_INHERITED):
        wish = " and ".join(f"`{key}`" for key in _INHERITED)
        text.problems.append(Problem(text.line((_DEFAULTS,)), f"`{_DEFAULTS}` is a table that may have {wish}"))
        return
    servers = tree.get("servers")
    for at, server in enumerate(servers if isinstance(servers, list) else []):
        if isinstance(server, dict):
            for key, value in defaults.items():
                if key not in server:
                    server[key] = value
                    text.copy_lines((_DEFAULTS, key), ("servers", at, key))


def _items(tree: Tree, kind: type[S], place: Place, text: Text) -> tuple[S, ...]:
    if tree is None:
        return ()
    if not isinstance(tree, list):
        text.problems.append(Problem(text.line(place), f"`{place[-1]}` is a list: each entry begins with `-`"))
        return ()
    made = [_convert(item, kind, (*place, at), text) for at, item in enumerate(tree)]
    return tuple(item for item in made if item is not None)


def _convert(tree: Tree, kind: type[S], place: Place, text: Text) -> S | None:
    try:
        return msgspec.convert(tree, kind, strict=False)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at ")
        inner = _place(where)
        named = re.search(r"unknown field `(.*)`", said)
        line = text.line((*place, *inner, named[1] if named else 0))
        text.problems.append(Problem(line, _sentence(said, inner, tree, kind)))
        return None


def _place(where: str) -> Place:
    """msgspec's `$.roads[0].port`, as keys and indices."""
    found: list[tuple[str, str]] = re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", where)
    return tuple(key or int(index) for key, index in found)


def _sentence(said: str, inner: Place, tree: Tree, kind: type[msgspec.Struct]) -> str:
    """What msgspec said, in words that tell what is wished."""
    key = next((step for step in reversed(inner) if isinstance(step, str)), "")
    struct = next((_NESTED[step] for step in reversed(inner) if isinstance(step, str) and step in _NESTED), kind)
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", said):
        known = [*fields, _DEFAULTS, *_LISTS] if struct is Estate else list(fields)
        near = difflib.get_close_matches(unknown[1], known, 1, 0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(dict.fromkeys(known))}"
        return f"the key `{unknown[1]}` is not known here: {hint}"
    if missing := re.fullmatch(r"Object missing required field `(.*)`", said):
        return f"the key `{missing[1]}` is missing"
    wish = next(
        (text for pattern, text in wishes(ApiUrl, CredentialRef, WindowText).items() if repr(pattern) in said), ""
    )
    if "credential" in key:  # not repeated: what stands there may be a secret in the wrong place
        return f"`{key}` must be {wish or 'a reference'}"
    value = ascii(_at(tree, inner))
    if said.startswith("Invalid enum value"):
        wish = "one of " + ", ".join(_choices(fields.get(key)))
    if wish:
        return f"`{key}` cannot be {value}: it is {wish}"
    if expected := re.fullmatch(r"Expected `(\w+)[^`]*`, got `(\w+)`", said):
        wanted, found = (_WORDS.get(word, word) for word in expected.groups())
        return f"`{key}` must be {wanted}, and here is {found}" if key else f"this must be {wanted}, not {found}"
    return f"`{key}` cannot be {value}: {said.replace('Expected `int`', 'it must be')}"


def _at(tree: Tree, inner: Place) -> Tree:
    for step in inner:
        if isinstance(tree, dict) and isinstance(step, str):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int):
            tree = tree[step]
    return tree


def _choices(kind: object) -> list[str]:
    """The words a type allows."""
    return [word for part in get_args(kind) for word in ([part] if isinstance(part, str) else _choices(part))]


def _resolve_authorities(parts: dict[str, tuple[msgspec.Struct, ...]], text: Text, folder: Path | None) -> None:
    """Make `ca_file` absolute, and tell where none is."""
    resolved: list[Server] = []
    servers = [server for server in parts.get("servers", ()) if isinstance(server, Server)]
    for at, server in enumerate(servers):
        roads: list[Road] = []
        for number, road in enumerate(server.roads):
            place = ("servers", at, "roads", number, "ca_file")
            roads.append(msgspec.structs.replace(road, ca_file=_authority(road.ca_file, folder, text, place)))
        resolved.append(msgspec.structs.replace(server, roads=tuple(roads)))
    if resolved:
        parts["servers"] = tuple(resolved)
    parts["balancers"] = tuple(
        msgspec.structs.replace(one, ca_file=_authority(one.ca_file, folder, text, ("balancers", at, "ca_file")))
        for at, one in enumerate(parts.get("balancers", ()))
        if isinstance(one, Balancer)
    )


def _authority(file: str, folder: Path | None, text: Text, place: Place) -> str:
    if not file or folder is None:
        return file
    found = (folder / file).absolute()
    if not found.is_file():
        text.problems.append(Problem(text.line(place), f"`ca_file`: there is no file {found}"))
    return str(found)


def _located(server: Server, estate: Estate) -> Server:
    """Subnet, site and zone of a server, where they follow from its address and need not be said twice."""
    address = _address(server.address)
    cidr = server.subnet or next(
        (one.cidr for one in estate.subnets if address and (network := _network(one.cidr)) and address in network), ""
    )
    subnet = next((one for one in estate.subnets if one.cidr == cidr), None)
    site = server.site or (subnet.site if subnet else "")
    az = server.az or next((one.az for one in estate.sites if one.name.casefold() == site.casefold()), "")
    return msgspec.structs.replace(server, subnet=cidr, site=site, az=az or (subnet.az if subnet else ""))


# -- what contradicts itself -------------------------------------------------------------------------------------------


def _contradictions(estate: Estate, text: Text) -> Iterator[Problem]:
    """Everything that each struct by itself cannot know."""
    yield from _twice(text, "servers", [first_label(server.name) for server in estate.servers], "server name")
    yield from _twice(text, "dags", [first_label(dag.name) for dag in estate.dags], "DAG name")
    yield from _twice(text, "sites", [site.name.casefold() for site in estate.sites], "site name")
    yield from _twice(text, "subnets", [subnet.cidr for subnet in estate.subnets], "subnet")
    yield from _twice(text, "balancers", [balancer.name.casefold() for balancer in estate.balancers], "balancer name")
    yield from _twice(text, "client_names", [name.name.casefold() for name in estate.client_names], "client name")
    sites = {site.name.casefold(): site for site in estate.sites}
    for at, subnet in enumerate(estate.subnets):
        if _network(subnet.cidr) is None:
            yield Problem(text.line(("subnets", at, "cidr")), f"`{subnet.cidr}` is not a subnet such as 10.0.0.0/19")
        yield from _known_site(subnet.site, subnet.az, sites, text, ("subnets", at))
    endpoints: dict[tuple[str, int], str] = {}
    for at, server in enumerate(estate.servers):
        yield from _server(server, estate, text, ("servers", at))
        yield from _known_site(server.site, server.az, sites, text, ("servers", at))
        for endpoint in dict.fromkeys(road.endpoint(server) for road in server.roads if road.kind != "ssm"):
            other = endpoints.setdefault(endpoint, server.name)
            if other != server.name:
                host, port = endpoint
                line = text.line(("servers", at, "roads"))
                yield Problem(
                    line,
                    f"{server.name} and {other} have the same road to {host}:{port}: one would get "
                    "what is meant for the other",
                )
    taken: dict[str, str] = {}
    for at, dag in enumerate(estate.dags):
        yield from _dag(dag, estate, taken, text, ("dags", at))
    for at, balancer in enumerate(estate.balancers):
        yield from _balancer(balancer, text, ("balancers", at))
    balancers = {balancer.name for balancer in estate.balancers}
    for at, name in enumerate(estate.client_names):
        if name.balancer and name.balancer not in balancers:
            yield Problem(text.line(("client_names", at, "balancer")), f"there is no balancer `{name.balancer}`")
        if name.dag and name.dag not in {dag.name for dag in estate.dags}:
            yield Problem(text.line(("client_names", at, "dag")), f"there is no DAG `{name.dag}`")


def _balancer(balancer: Balancer, text: Text, place: Place) -> Iterator[Problem]:
    given = [key for key in ("api", "ca_file", "credential") if getattr(balancer, key)]
    if given and balancer.kind != "zevenet":
        yield Problem(text.line((*place, given[0])), f"`{given[0]}` is for balancers of the kind zevenet")
    elif given and not (balancer.api and balancer.credential):
        missing = "credential" if balancer.api else "api"
        yield Problem(text.line(place), f"{balancer.name} has `{given[0]}`, so it needs `{missing}:` too")


def _twice(text: Text, key: str, names: list[str], what: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for at, name in enumerate(names):
        line = text.line((key, at, "cidr" if key == "subnets" else "name"))
        if name in first:
            yield Problem(line, f"the {what} `{name}` stands twice: first in line {first[name]}")
        first.setdefault(name, line)


def _known_site(site: str, az: str, sites: Mapping[str, Site], text: Text, place: Place) -> Iterator[Problem]:
    if not site or not sites:
        return
    known = sites.get(site.casefold())
    if known is None:
        yield Problem(text.line((*place, "site")), f"there is no site `{site}` under `sites:`")
    elif az and known.az and az != known.az:
        yield Problem(text.line((*place, "az")), f"`az` is {az}, and the site {known.name} lies in {known.az}")


def _server(server: Server, estate: Estate, text: Text, place: Place) -> Iterator[Problem]:
    if "." not in server.fqdn or not same_host(server.fqdn, server.name):
        yield Problem(
            text.line((*place, "fqdn")), f"`fqdn` is the full name of {server.name}, such as {server.name}.example.com"
        )
    network = _network(server.subnet)
    if server.subnet and network is None:
        yield Problem(text.line((*place, "subnet")), f"`{server.subnet}` is not a subnet such as 10.0.0.0/19")
    address = _address(server.address)
    if server.address and address is None:
        yield Problem(text.line((*place, "address")), f"`{server.address}` is not an IP address")
    elif address is not None and network is not None and address not in network:
        yield Problem(text.line((*place, "address")), f"{server.address} is not in the subnet {server.subnet}")
    if estate.subnets and server.subnet and server.subnet not in {subnet.cidr for subnet in estate.subnets}:
        yield Problem(text.line((*place, "subnet")), f"there is no subnet {server.subnet} under `subnets:`")
    if "mailbox" in server.roles and server.exchange is None:
        yield Problem(text.line(place), f"{server.name} has the role mailbox, so it needs `exchange:`")
    for at, road in enumerate(server.roads):
        if road.auth == "basic" and road.scheme == "http":
            yield Problem(
                text.line((*place, "roads", at, "auth")),
                "`auth: basic` over http would send the password in clear: use `scheme: https`",
            )
        if road.auth == "kerberos" and road.kind == "winrm":
            yield Problem(
                text.line((*place, "roads", at, "auth")),
                "a command shell takes no Kerberos ticket here: use `kind: psrp`, or another `auth:`",
            )
    if server.exchange is not None:
        yield from _exchange(server.exchange, estate, text, (*place, "exchange"))


def _exchange(exchange: Exchange, estate: Estate, text: Text, place: Place) -> Iterator[Problem]:
    if exchange.provider == "snapin" and not exchange.allow_unsupported_snapin:
        yield Problem(
            text.line((*place, "provider")),
            "Microsoft does not support the snap-in: `provider: snapin` needs `allow_unsupported_snapin: true` too",
        )
    if exchange.server != "local" and not any(
        server.fqdn.casefold() == exchange.server.casefold() and server.exchange is not None
        for server in estate.servers
    ):
        yield Problem(
            text.line((*place, "server")), "`exchange.server` is `local`, or the FQDN of a server with Exchange"
        )


def _dag(dag: Dag, estate: Estate, taken: dict[str, str], text: Text, place: Place) -> Iterator[Problem]:
    servers = {first_label(server.name): server for server in estate.servers}
    if first_label(dag.name) in servers:
        yield Problem(text.line((*place, "name")), f"`{dag.name}` is a server's name; a DAG needs one of its own")
    for at, name in enumerate(dag.members):
        line = text.line((*place, "members", at))
        member = servers.get(first_label(name))
        if member is None:
            yield Problem(line, f"{dag.name} has the member `{name}`, which is no server of this inventory")
        elif "mailbox" not in member.roles:
            yield Problem(line, f"{dag.name} has the member `{name}`, which lacks the role mailbox")
        other = taken.setdefault(first_label(name), dag.name)
        if other != dag.name:
            yield Problem(line, f"`{name}` is a member of {other} already")
        if any(same_host(name, earlier) for earlier in dag.members[:at]):
            yield Problem(line, f"{dag.name} has the member `{name}` twice")
    try:
        estate.pinned(dag.dc)
    except BadParameter as error:
        yield Problem(text.line((*place, "dc")), error.what)
    for at, window in enumerate(dag.windows):
        try:
            Window.parse(window)
        except ValueError as error:
            yield Problem(text.line((*place, "windows", at)), str(error))
    for key, name in (("witness", dag.witness), ("alternate_witness", dag.alternate_witness)):
        line = text.line((*place, key))
        if not name:
            continue
        if _address(name) is not None:
            yield Problem(line, f"`{key}` is a name, never an IP address")
        elif first_label(name) not in servers:
            yield Problem(line, f"`{key}` is `{name}`, which is no server of this inventory")
        elif any(same_host(name, member) for member in dag.members):
            yield Problem(line, f"`{key}` is `{name}`, a member of {dag.name}: a witness is never a member")


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(cidr) if "/" in cidr else None
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
