"""Put a lagged copy into service."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, CopyId, Estate, Finding, Findings, NotSafe, Steps, runbook
from starover.steps.copies import Tag, copies_of, suspended
from starover.steps.copy_spec import lag_text, unique
from starover.steps.lagged import lagged_activated, replay_seconds
from starover.steps.lags import held, safety_net_note, transport_config
from starover.steps.moves import LOSSLESS, moment_of
from starover.steps.resubmitting import Utc
from starover.steps.snapshots import kept

Variant = Literal["all-logs", "safety-net", "point-in-time"]
BY_HAND = {
    "safety-net": (
        "suspend the copy, read `eseutil /mh` and move the logs above HighGeneration away",
        "stop MSExchangeRepl on the server of the active copy, then Move-ActiveMailboxDatabase with BestEffort",
    ),
    "point-in-time": (
        "suspend the copy, move the logs later than --logs-until and the .chk away, `eseutil /r Exx /a`",
        "mount the result as a recovery database (New-MailboxDatabase -Recovery), never over production",
    ),
}
"""What a person would type, after the snapshots."""


@runbook
def lagged_copy_activate(
    estate: Estate, copy: Sequence[CopyId], variant: Variant, logs_until: Utc | None = None
) -> Steps[Findings]:
    """Put lagged copies into service, after their volumes are kept as snapshots: the lag is gone afterwards.

    all-logs replays everything that the copy has, two logs a second or more, and loses nothing where the active copy
    can still give its last logs. The other two variants edit log files with eseutil on the server; they are not done by
    this tool, which says what to type.

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
    findings: list[Finding] = []
    for asked in copy:
        server = estate.server(asked.server)
        now = yield from copies_of.read(server, database=asked.database)
        one = now.find(asked)
        if one is None:
            raise BadParameter(
                f"{server.name} hosts no copy of {asked.database}", certain=("nothing was sent but reads",)
            )
        if one.mounted:
            continue
        if not one.lag:
            raise NotSafe(
                f"G-LAG: {one.id} is no lagged copy",
                certain=("nothing was changed",),
                next=(f"starover plan db-switchover --db {one.database} --to {one.server}",),
            )
        if variant != "all-logs":
            yield from _by_hand(estate, one.id, variant)
        moment = yield from moment_of.read(server)
        yield from kept(server, one.database, f"{one.id} before activation {moment.utc[:10]}")
        yield suspended.on(
            server,
            identity=one.id,
            database=one.database,
            activation_only=False,
            comment=Tag.write("lagged-copy-activate", blocked=one.activation_suspended),
        )
        yield lagged_activated.on(
            server,
            database=one.database,
            target=one.server,
            dial=LOSSLESS,
            comment="lagged-copy-activate",
            skip=("lag",),
        ).within(replay_seconds(one))
        says = f"{one.database} has no lagged copy any more: starover plan copies-lag --copy ... gives it another"
        findings.append(Finding(check="G-LAG", on=str(one.id), level="warn", says=says))
    return Findings(findings=tuple(findings))


def _by_hand(estate: Estate, copy: CopyId, variant: str) -> Steps:
    """Raises `NotSafe` with what to type; for safety-net only where Safety Net reaches back far enough."""
    server = estate.server(copy.server)
    now = (yield from copies_of.read(server, database=copy.database)).find(copy)
    keeps = held((yield from transport_config.read(server)))
    if variant == "safety-net" and now is not None and keeps is not None:
        note = safety_net_note(keeps, now.lag)
        if note:
            raise NotSafe(
                f"{copy}: {note}, so mail would be missing",
                certain=("nothing was changed",),
                next=(f"--variant all-logs   replays {lag_text(now.lag)} of logs instead",),
            )
    raise NotSafe(
        f"{variant} edits log files with eseutil, and this tool starts nothing on a server that it cannot look behind",
        certain=("nothing was changed",),
        next=(f"aws ec2 create-snapshots --instance-specification InstanceId={server.instance} ...", *BY_HAND[variant]),
    )
