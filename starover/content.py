"""Finds runbooks and templates (wheel, checkout or a home of one's own) and loads them; runs and renders nothing.

A runbook is a Python file under `runbooks/`, a template a file `*.ps1.j2` under `ps_templates/`, a call as data a file
`*.call.j2` under `calls/`. What a runbook file may do is looked at before it runs: it imports starover and its steps,
and whatever it asks for it yields.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import hashlib
import os
import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starover import rights
from starover.calls import ENDING
from starover.errors import BadParameter, Mistake
from starover.render import Arg, Body, Renderer, make_body
from starover.runbook import AnyRunbook, Runbook

__all__ = ["HOME_VARIABLE", "Broken", "Content", "check_runbook", "find"]

HOME_VARIABLE = "STAROVER_HOME"
RUNBOOKS = "runbooks"
TEMPLATES = "ps_templates"
CALLS = "calls"
_ENDINGS = {RUNBOOKS: ".py", TEMPLATES: ".ps1.j2", CALLS: ENDING}
_NEEDED = (RUNBOOKS, TEMPLATES)
"""A home need not have calls."""


def find(home: str | Path | None = None) -> Content:
    """The content to work with: of `home`, else of STAROVER_HOME, else what came with the tool.

    Raises `BadParameter` when `home` holds none.
    """
    given = home or os.environ.get(HOME_VARIABLE, "")
    package = Path(__file__).parent
    for folder in (Path(given),) if given else (package.parent, package / "_content"):
        if all((folder / part).is_dir() for part in _NEEDED):
            return Content(_files(folder), folder=folder)
    if given:
        raise BadParameter(
            f"{given} holds no content: it needs the folders {RUNBOOKS}/ and {TEMPLATES}/",
            next=(f"--home DIR or {HOME_VARIABLE} names the folder that holds both",),
        )
    raise BadParameter("this installation came without runbooks", next=("--home DIR names a folder that has some",))


def _files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part, ending in _ENDINGS.items():
        for path in sorted((folder / part).rglob(f"*{ending}")):
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


@dataclass(frozen=True)
class Broken:
    """A file under `runbooks/` that is no runbook as it stands: it is refused, and the others work."""

    file: str
    why: str
    """A sentence a line, with the line in the file."""
    names: tuple[str, ...]
    """The runbooks that stand in it, as far as that can be seen."""


class Content:
    """Runbooks and templates as bytes, loaded when they are asked for."""

    def __init__(self, files: Mapping[str, bytes], *, folder: Path | None = None) -> None:
        """`files`: contents by path such as `runbooks/operate/copies.py`; `folder` is where they lie, for messages."""
        self.files = {name: data.replace(b"\r\n", b"\n") for name, data in sorted(files.items())}
        self.folder = folder
        self._files: dict[str, tuple[AnyRunbook, ...]] = {}
        self.templates: Mapping[str, str] = {
            name.removeprefix(f"{TEMPLATES}/"): _utf8(name, data)
            for name, data in self.files.items()
            if name.startswith(f"{TEMPLATES}/")
        }
        """PowerShell, by name below its folder."""
        self.calls: Mapping[str, str] = {
            name.removeprefix(f"{CALLS}/"): _utf8(name, data)
            for name, data in self.files.items()
            if name.startswith(f"{CALLS}/")
        }
        self._renderer = Renderer({**self.templates, **self.calls})

    @property
    def sha256(self) -> str:
        """Hex digest over names and bytes of all files, line ends as LF."""
        return self._sha256

    @functools.cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for name, data in self.files.items():
            digest.update(f"{name}\n{len(data)}\n".encode() + data)
        return digest.hexdigest()

    @property
    def runbooks(self) -> Mapping[str, AnyRunbook]:
        """Every runbook by name, in order; without those of files that break the rules or do not load (`broken`)."""
        return self._loaded[0]

    @property
    def broken(self) -> tuple[Broken, ...]:
        """The files that are refused, and why."""
        return self._loaded[1]

    def folder_of(self, name: str, /) -> str:
        """The folder below `runbooks/` that a runbook stands in, such as `operate`; empty: in none."""
        return self._places[name].removeprefix(f"{RUNBOOKS}/").rpartition("/")[0]

    @functools.cached_property
    def _places(self) -> dict[str, str]:
        """The file of each runbook."""
        return self._loaded[2]

    @functools.cached_property
    def _loaded(self) -> tuple[Mapping[str, AnyRunbook], tuple[Broken, ...], dict[str, str]]:
        found: dict[str, AnyRunbook] = {}
        place: dict[str, str] = {}
        broken: list[Broken] = []
        for name, data in self.files.items():
            if not name.startswith(f"{RUNBOOKS}/"):
                continue
            try:
                here = self._within(name)
            except Mistake as error:
                broken.append(Broken(name, error.what, _named(data)))
                continue
            for runbook in here:
                if runbook.name in place:
                    why = f"the runbook {runbook.name} stands in both {place[runbook.name]} and {name}"
                    broken.append(Broken(name, why, (runbook.name,)))
                    found.pop(runbook.name, None)
                    continue
                found[runbook.name] = runbook
                place[runbook.name] = name
        return dict(sorted(found.items())), tuple(broken), place

    def runbook(self, name: str, /) -> AnyRunbook:
        """The runbook of that name.

        Raises `BadParameter`, with the nearest names, or with the reason where it stands in a file that is refused.
        """
        # A command is about one runbook: the file that says it has it is read, and the others when that is in doubt.
        files = [file for file, names in self._texts.items() if name in names]
        if len(files) == 1:
            with contextlib.suppress(Mistake):
                for runbook in self._within(files[0]):
                    if runbook.name == name:
                        return runbook
        if name in self.runbooks:
            return self.runbooks[name]
        for one in self.broken:
            if name in one.names:
                raise BadParameter(
                    f"the runbook {name} cannot be used: {one.why}",
                    certain=("nothing was run, and nothing was contacted",),
                    next=(f"mend {self.folder / one.file if self.folder else one.file}", "starover runbooks"),
                )
        near = difflib.get_close_matches(name, self.runbooks, 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(self.runbooks) or 'none'}"
        raise BadParameter(f"there is no runbook `{name}`", next=(hint, "starover runbooks"))

    def body(self, template: str, arguments: Mapping[str, Arg], /) -> Body:
        """Render a template. Raises `BadTemplate` and `BadParameter`."""
        return self._rights if template == rights.TEMPLATE else self._renderer.body(template, arguments)

    def variables(self, template: str) -> frozenset[str]:
        """The variables a template uses. Raises `BadTemplate`."""
        return frozenset() if template == rights.TEMPLATE else self._renderer.variables(template)

    @functools.cached_property
    def _rights(self) -> Body:
        """What looks for every cmdlet that the templates here need. Raises `BadTemplate`."""
        return make_body(rights.TEMPLATE, rights.rights_template(self.templates))

    @functools.cached_property
    def _texts(self) -> dict[str, tuple[str, ...]]:
        """The runbooks of each file, by its text alone."""
        return {name: _named(data) for name, data in self.files.items() if name.startswith(f"{RUNBOOKS}/")}

    def _within(self, name: str) -> tuple[AnyRunbook, ...]:
        """The runbooks of a file, loaded once. Raises `Mistake`."""
        if name not in self._files:
            self._files[name] = tuple(self._load(name, _utf8(name, self.files[name])))
        return self._files[name]

    def _load(self, name: str, source: str) -> Iterator[AnyRunbook]:
        shown = str(self.folder / name) if self.folder else name
        problems = check_runbook(source, shown)
        if problems:
            raise Mistake("\n".join(problems), certain=("nothing was run",))
        # The name is unique for these bytes, so that two homes, or two versions of one, do not meet in one process.
        stem = name.removesuffix(".py").replace("/", "_")
        module = types.ModuleType(f"starover_content_{hashlib.sha256(source.encode()).hexdigest()[:12]}_{stem}")
        module.__file__ = shown
        sys.modules[module.__name__] = module  # before it runs: annotations are looked up there
        try:
            exec(compile(source, shown, "exec"), vars(module))  # noqa: S102 - this is what loading a runbook means
        except Exception as error:
            del sys.modules[module.__name__]
            if isinstance(error, Mistake):
                raise
            raise Mistake(f"{shown} cannot be loaded: {type(error).__name__}: {error}") from error
        for thing in list(vars(module).values()):
            if isinstance(thing, Runbook) and thing.__module__ == module.__name__:
                yield thing


def _named(data: bytes) -> tuple[str, ...]:
    """The runbooks that a file would have, by its text alone: it may not even be Python."""
    text = data.decode("utf-8", "replace")
    marked = re.findall(r"^@(?:\w+\.)?runbook\b.*?^def\s+(\w+)", text, re.MULTILINE | re.DOTALL)
    return tuple(dict.fromkeys(name.replace("_", "-") for name in marked))


def _utf8(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Mistake(f"{name} is not UTF-8: byte {error.start} cannot be read") from None


_FREE = frozenset({"__future__", "typing", "typing_extensions", "collections.abc"})
"""What may be imported besides starover: names for types, which can do nothing."""
_GENERATORS = frozenset({"together", "attempt", "wait", "recall"})
"""Functions of starover whose result is for `yield from`."""


def check_runbook(source: str, name: str) -> list[str]:
    """What a runbook file does that it must not, one sentence each with its line; empty: nothing."""
    try:
        tree = ast.parse(source, name)
    except SyntaxError as error:
        return [f"{name}:{error.lineno or 1}: this is not Python: {error.msg}"]
    parts = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(isinstance(one, ast.Yield | ast.YieldFrom) for one in _own(node))
    }
    problems = [*_imports(tree), *_unyielded(tree, parts | _GENERATORS)]
    return [f"{name}:{line}: {problem}" for line, problem in sorted(problems)]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            for name in [module] if module else [alias.name for alias in node.names]:
                if name not in _FREE and name != "starover" and name.split(".")[:2] != ["starover", "steps"]:
                    yield node.lineno, f"a runbook imports `starover` and `starover.steps`, not `{name}`"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"__import__", "open"}:
            yield node.lineno, f"a runbook touches nothing, so it does not call `{node.func.id}`"


def _unyielded(tree: ast.Module, generators: frozenset[str] | set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            kind = _asks(node.value, generators)
            if kind:
                yield node.lineno, f"this does nothing, because its result is not yielded: write `{kind} ...`"
        elif isinstance(node, ast.Yield) and node.value is not None and _asks(node.value, generators) == "yield from":
            yield node.lineno, "this is several steps or a reading: write `yield from ...`"
        elif isinstance(node, ast.YieldFrom) and _asks(node.value, generators) == "yield":
            yield node.lineno, "this is one step: write `yield ...`"
        elif isinstance(node, ast.FunctionDef):
            used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
            for one in _own(node):
                if isinstance(one, ast.Assign) and _asks(one.value, generators):
                    names = [target.id for target in one.targets if isinstance(target, ast.Name)]
                    if names and not used.intersection(names):
                        yield one.lineno, f"`{names[0]}` is asked for and never yielded"


def _asks(node: ast.expr, generators: frozenset[str] | set[str]) -> str:
    """How the result of this call must be yielded; empty when it is not such a call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"on", "read"}:
        return "yield" if node.func.attr == "on" else "yield from"
    return "yield from" if isinstance(node.func, ast.Name) and node.func.id in generators else ""


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
