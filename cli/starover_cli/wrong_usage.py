"""A wrong command line as one clear message: click's errors become ours, with the nearest right words."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Sequence

import click
from click.exceptions import NoArgsIsHelpError

from starover.errors import BadParameter, Mistake, StaroverError
from starover_cli.views.error import split_next

__all__ = ["as_mistake", "nearest", "with_help"]


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most three of `known` that `word` may have meant, best first; case does not count."""
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_fold, n=3, cutoff=0.6)
    inside = [fold for fold in by_fold if len(word) > 2 and word.casefold() in fold and fold not in found]
    return [by_fold[fold] for fold in [*found, *sorted(inside)]][:3]


def with_help(error: StaroverError, given: Sequence[str], commands: Container[str]) -> StaroverError:
    """The same error; bad input that says nothing to type gets how the command is typed."""
    if isinstance(error, Mistake) and not split_next(error.next)[0]:
        word = next((one for one in given if one in commands), "")
        error.next = (*error.next, f"starover {word} --help".replace("  ", " "))
    return error


def as_mistake(error: click.UsageError) -> Mistake:
    """What click complains of, in our four parts; nothing was contacted."""
    context = error.ctx
    path = context.command_path if context is not None else "starover"
    certain = ["nothing was contacted."]
    if isinstance(error, NoArgsIsHelpError) and context is not None:
        return _nothing_named(context, certain)
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [
            name
            for parameter in context.command.params
            for name in parameter.opts
            if isinstance(parameter, click.Option) and not parameter.hidden and name.startswith("--")
        ]
        near = nearest(error.option_name, known)
        return BadParameter(
            f"{path} has no option {error.option_name}{_did_you_mean(near)}", certain=certain, next=[f"{path} --help"]
        )
    if isinstance(error, click.NoSuchCommand) and context is not None:
        group = context.command
        known = group.list_commands(context) if isinstance(group, click.Group) else []
        near = nearest(error.command_name, known)
        return BadParameter(
            f"{path} has no command {error.command_name!r}{_did_you_mean(near)}",
            certain=certain,
            next=[*(f"{path} {name}" for name in near[:1]), f"{path} --help"],
        )
    text = error.format_message()
    return BadParameter(text[:1].lower() + text[1:], certain=certain, next=[f"{path} --help"])


def _nothing_named(context: click.Context, certain: list[str]) -> BadParameter:
    """A group without one of its commands: `starover plan`."""
    group, path = context.command, context.command_path
    known = group.list_commands(context) if isinstance(group, click.Group) else []
    plans = "PLAN" in (group.subcommand_metavar if isinstance(group, click.Group) else "")
    return BadParameter(
        f"{path} needs {'a plan or ' if plans else ''}a name behind it.",
        certain=certain,
        next=[
            *(["a plan is named by its id, or by its file: starover plans"] if plans else []),
            f"there are: {', '.join(known)}",
            f"{path} --help   each in a sentence",
        ],
    )


def _did_you_mean(near: list[str]) -> str:
    return f"; nearest: {', '.join(near)}" if near else "."
