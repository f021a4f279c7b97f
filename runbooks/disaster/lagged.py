"""Put a lagged copy into service."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, CopyId, Estate, Finding, Findings, NotSafe, Steps, runbook, together
from starover.steps.copies import Tag, suspended
from starover.steps.copy_spec import unique
from starover.steps.lagged_ways import COMMENT, all_logs, back_to, cut_over, looked_at, serving, way_to_cut, within_lag
from starover.steps.resubmitting import Utc
from starover.steps.snapshots import kept

Variant = Literal["all-logs", "safety-net", "point-in-time"]


@runbook
def lagged_copy_activate(
    estate: Estate, copy: Sequence[CopyId], variant: Variant, logs_until: Utc | None = None
) -> Steps[Findings]:
    """Put lagged copies into service, after their volumes are kept as snapshots: the lag is gone afterwards.

    all-logs replays everything that the copy has, two logs a second or more, and loses nothing where the active copy
    can still give its last logs. safety-net mounts it at once as it is: the later logs are set aside, and the mail in
    them comes again from Safety Net, which has to reach back as far as the lag. point-in-time leaves production alone:
    the copy is recovered to a moment with eseutil and mounted as a recovery database, to restore mailboxes from; it
    needs a seed afterwards.

    copy: DATABASE/SERVER of a lagged copy; repeat it for several
    variant: all-logs; safety-net: as it is now, Safety Net sends the rest again; point-in-time: as at a moment
    logs_until: that moment, UTC, such as 2026-11-20T14:30:00Z; for point-in-time
    """
    if twice := unique(list(copy), lambda one: (one.database.casefold(), one.server.casefold())):
        raise BadParameter(f"{twice} was named twice", certain=("nothing was contacted",))
    if (variant == "point-in-time") is not (logs_until is not None):
        raise BadParameter(
            "--logs-until goes with --variant point-in-time, and that with it", certain=("nothing was contacted",)
        )
    found = yield from together(looked_at(estate, asked) for asked in copy)
    if logs_until is not None:
        for one in found:
            within_lag(one, logs_until)
    cut = [one for one in found if variant == "safety-net" and not one.copy.mounted]
    ways = {
        one.copy.id: way
        for one, way in zip(cut, (yield from together(way_to_cut(estate, one) for one in cut)), strict=True)
    }
    sources = [way.source.name for way in ways.values()]
    if len(set(sources)) < len(sources):
        raise NotSafe(
            "two of these databases are active on one server: each stops the replication of the other",
            certain=("nothing was changed",),
            next=("name one --copy at a time",),
        )
    findings: list[Finding] = []
    for one in found:
        if one.copy.mounted:
            yield from serving(estate, one)
            continue
        before = f"recovery to {logs_until}" if logs_until is not None else f"activation {one.day}"
        yield from kept(one.server, one.copy.database, f"{one.copy.id} before {before}")
        yield suspended.on(
            one.server,
            identity=one.copy.id,
            database=one.copy.database,
            activation_only=False,
            comment=Tag.write(COMMENT, blocked=one.copy.activation_suspended),
        )
        if variant == "safety-net":
            findings += yield from cut_over(one, ways[one.copy.id])
        elif logs_until is not None:
            findings += yield from back_to(one, logs_until)
        else:
            findings += yield from all_logs(one)
    return Findings(findings=tuple(findings))
