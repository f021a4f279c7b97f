"""A found inventory held against the one that a person wrote, and both as one new text; reads and writes no file.

The person's words win wherever both say something; where they say nothing, what was found is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from starover.estate import Estate
from starover.names import first_label, same_host
from starover.yaml_lines import Tree

__all__ = ["Difference", "Kind", "merged", "text_of"]

Kind: TypeAlias = Literal["differs", "new", "gone", "unsaid"]
"""`differs`: both say something, and not the same. `new`: found, and not written. `gone`: written, and not found where
it should be. `unsaid`: a detail that the file leaves open."""
_Branch: TypeAlias = "dict[str, Tree]"
_HOSTS = frozenset({"witness", "alternate_witness"})
_FOLLOWS = {"servers": ("site", "az"), "subnets": ("id",)}
"""What the file need not say, because it follows or nobody minds: no difference, and not filled in where it follows."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which the file and the estate do not agree."""

    kind: Kind
    where: str
    """`server EX1`, `DAG DAG1 witness`."""
    written: str = ""
    found: str = ""


def merged(
    written: _Branch, estate: Estate | None, found: _Branch, *, looked: bool
) -> tuple[_Branch, list[Difference]]:
    """A new tree of both, and their differences. `written` is changed nowhere; `estate` is what it means, None: it is
    empty. `looked`: the directory was asked too, so a DAG that is written and was not found is gone.
    """
    tree: _Branch = {**written}
    differences: list[Difference] = []
    meant = _meant(estate)
    for key, value in found.items():
        if isinstance(value, list):
            differences += _list(tree, key, value, meant.get(key, {}))
        elif key == "forest" and estate is not None and estate.forest.name:
            name = str(value.get("name", "")) if isinstance(value, dict) else ""
            differences += _compared("forest name", estate.forest.name, name)
        elif key not in tree:
            tree[key] = value
        elif not isinstance(value, dict):
            differences += _compared(key, _shown(tree[key]), _shown(value))
    return tree, differences + list(_gone(meant, found, looked=looked))


def text_of(tree: _Branch, head: Sequence[str] = (), notes: Sequence[str] = ()) -> str:
    """The tree as an inventory file, with comments before and after it. A scalar that can be plain is plain: the reader
    of inventories takes every one for text."""
    import yaml

    class Plain(yaml.SafeDumper):
        yaml_implicit_resolvers: dict[str, list[tuple[str, object]]] = {}  # noqa: RUF012 - as the base class has it

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, False)

    body: str = yaml.dump(tree, Dumper=Plain, sort_keys=False, allow_unicode=True, width=120)
    before = "".join(f"# {line}\n" for line in head)
    after = "".join(f"# {line}\n" for note in notes for line in note.splitlines())
    return before + body + (f"\n{after}" if after else "")


# -- lists -----------------------------------------------------------------------------------------------------------


def _list(tree: _Branch, key: str, found: Sequence[Tree], meant: Mapping[str, _Branch]) -> Iterator[Difference]:
    """Merge one list into the tree."""
    before = tree.get(key)
    entries: list[Tree] = list(before) if isinstance(before, list) else []
    for one in found:
        if not isinstance(one, dict):
            continue
        name = _key(key, one)
        at = next((at for at, each in enumerate(entries) if isinstance(each, dict) and _key(key, each) == name), None)
        if at is None:
            entries.append(one)
            yield Difference(kind="new", where=_place(key, one), found=_summary(one))
            continue
        entry = entries[at]
        assert isinstance(entry, dict)
        entries[at], more = _entry(key, entry, one, meant.get(name, {}))
        yield from more
    tree[key] = entries


def _entry(key: str, written: _Branch, found: _Branch, meant: _Branch) -> tuple[_Branch, list[Difference]]:
    """Merge what was found of one thing into what is written of it."""
    made, differences = {**written}, list[Difference]()
    place = _place(key, written)
    for name, value in found.items():
        said = meant.get(name, written.get(name))
        if isinstance(value, dict):
            inner, about = written.get(name), said if isinstance(said, dict) else {}
            made[name], more = _entry("", inner if isinstance(inner, dict) else {}, value, about)
            differences += [msgspec.structs.replace(one, where=f"{place} {name} {one.where}".strip()) for one in more]
        elif said in (None, "", [], ()):
            made[name] = value
            if name not in _FOLLOWS.get(key, ()) and key:
                differences.append(Difference(kind="unsaid", where=f"{place} {name}", found=_shown(value)))
        elif not _same(name, said, value):
            where = f"{place} {name}".strip()
            differences.append(Difference(kind="differs", where=where, written=_shown(said), found=_shown(value)))
    return made, differences


def _gone(meant: Mapping[str, Mapping[str, _Branch]], found: _Branch, *, looked: bool) -> Iterator[Difference]:
    """What is written and was not found, where it should have been."""
    expected: Mapping[str, Callable[[_Branch], bool]] = {
        "servers": lambda one: bool(one.get("instance")),
        "balancers": lambda one: one.get("kind") in ("nlb", "alb"),
        "dags": lambda _: looked,
    }
    for key, should in expected.items():
        items = found.get(key)
        there = {_key(key, one) for one in items if isinstance(one, dict)} if isinstance(items, list) else set[str]()
        for name, one in meant.get(key, {}).items():
            if name not in there and should(one):
                yield Difference(kind="gone", where=_place(key, one), written=_summary(one))


def _meant(estate: Estate | None) -> dict[str, dict[str, _Branch]]:
    """What a written inventory means, with defaults and what follows: by list and key."""
    if estate is None:
        return {}
    data: _Branch = msgspec.to_builtins(estate)
    return {
        key: {_key(key, one): one for one in value if isinstance(one, dict)}
        for key, value in data.items()
        if isinstance(value, list | tuple)
    }


# -- values ----------------------------------------------------------------------------------------------------------


def _key(key: str, one: _Branch) -> str:
    name = str(one.get("cidr" if key == "subnets" else "name", ""))
    return first_label(name) if key in ("servers", "dags") else name.casefold()


def _place(key: str, one: _Branch) -> str:
    word = {"dags": "DAG", "servers": "server", "sites": "site", "subnets": "subnet", "balancers": "balancer"}.get(key)
    return f"{word} {one.get('cidr' if key == 'subnets' else 'name', '')}" if word else ""


def _compared(name: str, written: str, found: str) -> Iterator[Difference]:
    if found and not _same(name, written, found):
        yield Difference(kind="differs", where=name, written=written, found=found)


def _same(name: str, written: Tree, found: Tree) -> bool:
    if isinstance(written, list | tuple) and isinstance(found, list):
        mine, theirs = ({first_label(str(one)) for one in many} for many in (written, found))
        return theirs <= mine if name == "roles" else theirs == mine  # a server may be more than can be seen
    if name in _HOSTS:
        return same_host(str(written), str(found))
    if name == "forest name":  # hosts say their domain, which may be below it
        return f".{found}".casefold().endswith(f".{written}".casefold())
    if name == "version":  # Active Directory may not know the last update: it counts by its fourth number
        return str(written).split(".")[:3] == str(found).split(".")[:3]
    left, right = (str(one).replace(" ", "").rstrip(".").casefold() for one in (written, found))
    return left == right


def _shown(value: Tree) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)


def _summary(one: _Branch) -> str:
    words = (_shown(one.get(key)) for key in ("roles", "members", "instance", "address", "az", "fqdn", "kind", "site"))
    return "  ".join(word for word in words if word)
