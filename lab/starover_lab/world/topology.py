"""The topology file: what an estate of the lab consists of when it begins; makes no world.

A topology is YAML. `docs/lab.md` describes it, `schema` gives its JSON Schema. `extends` takes over another topology;
entries of lists then replace those of the same name. `flags` are such additions inside one file, chosen when the lab is
brought up (`aws-2az` with the flag `dag`). Errors name file, line and the wish.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec

from starover.errors import Mistake
from starover.estate import Balancer, ClientName, Forest, Site, Subnet
from starover.names import wishes
from starover.yaml_lines import Path as Place
from starover.yaml_lines import Text, Tree, parse
from starover_lab.world.topology_checks import contradictions
from starover_lab.world.topology_specs import (
    START,
    AccountSpec,
    CertificateSpec,
    ComputerSpec,
    DagSpec,
    DatabaseSpec,
    Duration,
    FarmSpec,
    FaultSpec,
    File,
    Frequency,
    Part,
    RecordSpec,
    SendConnectorSpec,
    ServerSpec,
    Topology,
    UpdateSpec,
    Where,
    seconds,
)
from starover_lab.world.tuning import Tuning

__all__ = ["TopologyError", "load", "names", "schema"]


class TopologyError(Mistake):
    """A topology cannot be read or contradicts itself; the text names file, line and the wish."""


_LISTS = (
    "sites",
    "subnets",
    "servers",
    "dags",
    "databases",
    "accounts",
    "balancers",
    "farms",
    "client_names",
    "certificates",
    "computers",
    "send_connectors",
    "updates",
    "dns_records",
)


def names() -> list[str]:
    """The topologies that come with the lab."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _shipped().iterdir() if entry.name.endswith(".yaml"))


def schema() -> dict[str, object]:
    """The JSON Schema of a topology file (draft 2020-12)."""
    made = msgspec.json.schema(File)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "starover lab topology", **made}


def load(topology: str | Path, *, flags: Sequence[str] = ()) -> Topology:
    """Read a topology by name or path. Raises `TopologyError` naming file and line of everything that is wrong."""
    file, parts = _read(topology, flags, above=())
    merged = _Merged()
    for label, part, text, place in parts:
        merged.take(label, part, text, place)
    return merged.whole(file.name)


# -- files -------------------------------------------------------------------------------------------------------------

_Source = tuple[str, Part, Text, Place]


def _shipped() -> Traversable:
    return resources.files("starover_lab") / "topologies"


def _read(topology: str | Path, flags: Sequence[str], above: tuple[str, ...]) -> tuple[File, list[_Source]]:
    label, source, folder = _source(topology, Path(above[-1]).parent if above else Path())
    if label in above:
        raise TopologyError(f"{label} extends itself: {' -> '.join([*above, label])}")
    text = parse(source)
    if text.problems:
        raise _error([(label, problem.line, problem.text) for problem in text.problems])
    file = _convert(text.tree, label, text)
    parts: list[_Source] = []
    known = dict(file.flags)
    inherited: list[str] = []
    if file.extends:
        base = folder / file.extends if (folder / file.extends).is_file() else file.extends
        upper = [flag for flag in [*file.use, *flags] if flag not in known]
        inherited = upper
        _, parts = _read(base, upper, (*above, label))
    parts.append((label, file, text, ()))
    for flag in dict.fromkeys([*file.use, *flags]):
        if flag in known:
            parts.append((label, known[flag], text, ("flags", flag)))
        elif flag not in inherited:
            has = ", ".join(known) or "none"
            line = text.line(("use",))
            raise _error([(label, line, f"there is no flag `{flag}` in {file.name}: it has {has}")])
    return file, parts


def _source(topology: str | Path, folder: Path) -> tuple[str, str, Path]:
    """Label for messages, text, and the folder that `extends` is relative to."""
    given = str(topology)
    looks_like_a_path = isinstance(topology, Path) or given.endswith((".yaml", ".yml")) or "/" in given or "\\" in given
    path = Path(topology)
    if looks_like_a_path:
        path = path if path.is_absolute() or not folder.parts else folder / path
        try:
            return str(path), path.read_bytes().decode("utf-8-sig"), path.parent
        except UnicodeDecodeError as error:
            raise TopologyError(f"{path} is not UTF-8: byte {error.start} cannot be read") from None
        except OSError as error:
            raise TopologyError(
                f"the topology {path} cannot be read: {error.strerror or error}", next=("starover lab up --help",)
            ) from None
    if given in names():
        return given, (_shipped() / f"{given}.yaml").read_text(encoding="utf-8"), Path()
    raise TopologyError(
        f"there is no topology `{given}`",
        certain=("nothing was started",),
        next=(f"the lab has: {', '.join(names())}", "or give the path of a topology file (FILE.yaml)"),
    )


def _convert(tree: Tree, label: str, text: Text) -> File:
    if not isinstance(tree, dict):
        raise _error([(label, 1, "a topology is a table that begins with `name:`")])
    rules = wishes(Duration, Frequency)
    problems: list[tuple[str, int, str]] = []
    rest = dict(tree)
    made: dict[str, tuple[msgspec.Struct, ...]] = {}
    kinds: dict[str, type[msgspec.Struct]] = {
        "servers": ServerSpec,
        "dags": DagSpec,
        "databases": DatabaseSpec,
        "accounts": AccountSpec,
        "farms": FarmSpec,
        "certificates": CertificateSpec,
        "computers": ComputerSpec,
        "send_connectors": SendConnectorSpec,
        "updates": UpdateSpec,
        "dns_records": RecordSpec,
    }
    for section, kind in kinds.items():  # one by one, so that all mistakes are told at once
        items = rest.get(section)
        if isinstance(items, list):
            del rest[section]
            made[section] = tuple(
                item
                for at, entry in enumerate(items)
                if (item := _entry(entry, kind, (section, at), label, text, rules, problems)) is not None
            )
    file = _entry(rest, File, (), label, text, rules, problems)
    if problems or file is None:
        raise _error(problems)
    return msgspec.structs.replace(file, **made)


S = TypeVar("S", bound=msgspec.Struct)


def _entry(
    tree: Tree,
    kind: type[S],
    place: Place,
    label: str,
    text: Text,
    rules: Mapping[str, str],
    problems: list[tuple[str, int, str]],
) -> S | None:
    try:
        return msgspec.convert(tree, kind, strict=False)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at ")
        keys: list[tuple[str, str]] = re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", where)
        inner = tuple(key or int(index) for key, index in keys)
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", said):
            inner = (*inner, unknown[1])
            near = difflib.get_close_matches(unknown[1], _fields(kind), 1)
            said = "this key is not known here" + (f": did you mean `{near[0]}`?" if near else "")
        wish = next((rule for pattern, rule in rules.items() if repr(pattern) in said), "")
        said = f"it is {wish}" if wish else said
        key = next((step for step in reversed(inner) if isinstance(step, str)), "")
        problems.append((label, text.line((*place, *inner)), f"`{key}`: {said}" if key else said))
        return None


def _error(problems: Iterable[tuple[str, int, str]]) -> TopologyError:
    lines = [f"{label}:{line}: {what}" for label, line, what in sorted(set(problems))]
    what = lines[0] if len(lines) == 1 else "\n".join([f"the topology has {len(lines)} mistakes:", *lines])
    return TopologyError(what, certain=("nothing was started",))


# -- merging and cross checks ------------------------------------------------------------------------------------------


class _Merged:
    """Parts on top of each other."""

    def __init__(self) -> None:
        self.scalars: dict[str, object] = {}
        self.lists: dict[str, dict[str, msgspec.Struct]] = {section: {} for section in _LISTS}
        self.azs: dict[str, None] = {}
        self.zones: dict[str, None] = {}
        self.tuning: dict[str, str] = {}
        self.faults: list[FaultSpec] = []
        self.where: dict[tuple[str, str], Where] = {}

    def take(self, label: str, part: Part, text: Text, place: Place) -> None:
        """Lay one part over what is there."""
        for key in ("description", "start", "seed", "region", "forest", "cno_creation", "safety_net_hold"):
            value = getattr(part, key)
            if value or value is False:
                self.scalars[key] = value
                self.where[key, ""] = (label, text.line((*place, key)))
        self.azs.update(dict.fromkeys(part.azs))
        self.zones.update(dict.fromkeys(part.dns_zones))
        for key, value in part.tuning.items():
            self.tuning[key] = value
            self.where["tuning", key] = (label, text.line((*place, "tuning", key)))
        self.where["", ""] = (label, 1)
        self.faults += part.faults
        for section in _LISTS:
            mine: set[str] = set()
            if getattr(part, section):
                self.where[section, ""] = (label, text.line((*place, section)))
            for at, item in enumerate(getattr(part, section)):
                name: str = item.cidr if isinstance(item, Subnet) else item.name
                if isinstance(item, RecordSpec):
                    name = f"{item.name} {item.type} {item.data}"
                line = text.line((*place, section, at))
                if name.casefold() in mine:
                    raise _error([(label, line, f"`{name}` stands twice under `{section}:`")])
                mine.add(name.casefold())
                self.lists[section][name.casefold()] = item
                self.where[section, name.casefold()] = (label, line)

    def whole(self, name: str) -> Topology:
        """The topology, if it does not contradict itself."""

        def of(section: str, kind: type[S]) -> tuple[S, ...]:
            return tuple(item for item in self.lists[section].values() if isinstance(item, kind))

        servers = of("servers", ServerSpec)
        start, forest = self.scalars.get("start"), self.scalars.get("forest")
        seed = self.scalars.get("seed")
        wrong: list[tuple[str, str, str]] = []
        knobs = _fields(Tuning)
        for key in sorted(self.tuning.keys() - set(knobs)):
            near = difflib.get_close_matches(key, knobs, 1)
            wrong.append(("tuning", key, f"`{key}` is no knob" + (f": did you mean `{near[0]}`?" if near else "")))
        turned: dict[str, float | str] = {}
        wordy = {field.name for field in msgspec.structs.fields(Tuning) if isinstance(field.default, str)}
        for key in self.tuning.keys() & set(knobs):
            if key in wordy:
                turned[key] = self.tuning[key]
                continue
            try:
                turned[key] = msgspec.convert(self.tuning[key], float, strict=False)
            except msgspec.ValidationError:
                wrong.append(("tuning", key, f"`{key}` is a number, and here is `{self.tuning[key]}`"))
        try:
            tuning = msgspec.convert(turned, Tuning, strict=False)
        except msgspec.ValidationError as error:
            key = str(error).rpartition("$.")[2].rstrip("`")
            wrong.append(("tuning", key, f"`{key}`: {error}"))
            tuning = Tuning()
        for az in [server.az for server in servers] + [site.az for site in of("sites", Site)]:
            if az:
                self.azs.setdefault(az)
        found = Topology(
            name=name,
            description=str(self.scalars.get("description", "")),
            start=start if isinstance(start, datetime) else START,
            seed=seed if isinstance(seed, int) else 1,
            region=str(self.scalars.get("region", "")),
            forest=forest if isinstance(forest, Forest) else Forest(name="example.com", netbios="EXAMPLE"),
            azs=tuple(self.azs),
            sites=of("sites", Site),
            subnets=of("subnets", Subnet),
            servers=servers,
            dags=of("dags", DagSpec),
            databases=of("databases", DatabaseSpec),
            accounts=of("accounts", AccountSpec),
            balancers=of("balancers", Balancer),
            farms=of("farms", FarmSpec),
            client_names=of("client_names", ClientName),
            certificates=of("certificates", CertificateSpec),
            computers=of("computers", ComputerSpec),
            send_connectors=of("send_connectors", SendConnectorSpec),
            updates=of("updates", UpdateSpec),
            dns_zones=tuple(self.zones),
            dns_records=of("dns_records", RecordSpec),
            safety_net_hold_s=seconds(str(self.scalars.get("safety_net_hold", "2d"))),
            cno_creation=self.scalars.get("cno_creation") is True,
            tuning=tuning,
            faults=tuple(self.faults),
            where=self.where,
        )
        wrong += contradictions(found)
        if wrong:
            raise _error((*self._place(section, item), text) for section, item, text in wrong)
        return found

    def _place(self, section: str, item: str) -> Where:
        for key in ((section, item.casefold()), (section, item), (section, "")):
            if key in self.where:
                return self.where[key]
        return self.where["", ""]


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]
