"""YAML as text with line numbers: plain scalars stay text, a key that stands twice is refused; knows no estate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import yaml

__all__ = ["Path", "Problem", "Text", "Tree", "parse"]

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
"""What a file holds. An empty value is None, everything else that is no collection is text."""
Path: TypeAlias = "tuple[str | int, ...]"

_CORE = "tag:yaml.org,2002:"
_TAGS = {_CORE + word for word in ["str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq"]}


LONGEST = 500
"""Characters of a message."""
LARGEST = 4 * 1024 * 1024
"""Characters of a file that somebody wrote."""


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong at a place, and what is wished there."""

    line: int
    """From 1."""
    text: str

    def __post_init__(self) -> None:
        """A message is for a person: what a file repeats in it is cut."""
        if len(self.text) > LONGEST:
            object.__setattr__(self, "text", f"{self.text[:LONGEST]}...")


@dataclass
class Text:
    """A parsed file."""

    tree: Tree = None
    problems: list[Problem] = field(default_factory=list[Problem])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])

    def line(self, path: Path) -> int:
        """The line where the value at `path` stands, or the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def copy_lines(self, source: Path, target: Path) -> None:
        """The value at `source` stands at `target` too."""
        for path, line in list(self.lines.items()):
            if path[: len(source)] == source:
                self.lines[(*target, *path[len(source) :])] = line


MOST_VALUES = 200_000
"""Aliases within aliases make a few lines larger than any memory."""


class _TooLarge(Exception):
    """The document has more values than anybody writes."""


def parse(source: str) -> Text:
    """Read one YAML document. What is wrong stands in `problems`; the tree is then what could be read."""
    import yaml

    text = Text()
    if len(source) > LARGEST:
        text.problems.append(Problem(1, f"the file has more than {LARGEST} characters: nobody wrote it by hand"))
        return text
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except RecursionError:
        text.problems.append(Problem(1, "lists and tables lie within each other deeper than anybody writes"))
        return text
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        text.problems.append(Problem((mark.line if mark else 0) + 1, f"this is not YAML: {said}"))
        return text
    except yaml.YAMLError as error:
        text.problems.append(Problem(1, f"this is not YAML: {error}"))
        return text
    if root is None:
        text.problems.append(Problem(1, "the file is empty"))
    else:
        try:
            text.tree = _convert(root, (), text, ())
        except RecursionError:
            text.tree = None
            text.problems.append(Problem(1, "lists and tables lie within each other deeper than anybody writes"))
        except _TooLarge:
            text.problems.append(Problem(1, f"more than {MOST_VALUES} values, with aliases written out"))
    return text


def _convert(node: yaml.Node, path: Path, text: Text, above: tuple[yaml.Node, ...]) -> Tree:
    import yaml

    line = node.start_mark.line + 1
    text.lines.setdefault(path, line)
    if len(text.lines) > MOST_VALUES:
        raise _TooLarge
    if any(node is one for one in above):
        text.problems.append(Problem(line, "an alias (`*name`) stands within its own anchor"))
        return None
    if node.tag not in _TAGS:
        tag = node.tag.replace(_CORE, "!!")
        text.problems.append(Problem(line, f"the tag `{tag}` is not allowed: write the value plainly"))
        return None
    above = (*above, node)
    if isinstance(node, yaml.ScalarNode):
        scalar: str = node.value
        return None if scalar == "" and node.style is None else scalar
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, (*path, at), text, above) for at, item in enumerate(node.value)]
    tree: dict[str, Tree] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            text.problems.append(Problem(at, "a key must be a word"))
        elif key.tag == f"{_CORE}merge":
            text.problems.append(Problem(at, "merging (`<<`) is not supported: write the keys out"))
        elif key.value in tree:
            text.problems.append(Problem(at, f"the key `{key.value}` stands twice: first in line {first[key.value]}"))
        else:
            first[key.value] = at
            text.lines[(*path, key.value)] = at
            tree[key.value] = _convert(value, (*path, key.value), text, above)
    return tree
