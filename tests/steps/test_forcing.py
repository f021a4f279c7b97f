"""What is never forced, whatever the decision table says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from starover.errors import NotSafe
from starover.steps import forcing


def seen(*, clusters: tuple[tuple[str, ...], ...] = (), mounted: tuple[str, ...] = ()) -> Any:
    """What an assessment saw: who has quorum together, and what is mounted."""
    groups = tuple(SimpleNamespace(nodes=nodes, seen_by=nodes[0]) for nodes in clusters)
    return cast("Any", SimpleNamespace(situation=SimpleNamespace(clusters=groups, mounted=mounted)))


def test_nothing_is_forced_beside_a_cluster_that_holds_a_lost_member() -> None:
    refuse = forcing._refuse_living
    with pytest.raises(NotSafe, match="EX1, EX2 have quorum, and EX1 is among them"):
        refuse(seen(clusters=(("EX1", "EX2"),)), ["EX1"], done=False)
    refuse(seen(clusters=(("EX3", "EX4"),)), ["EX1"], done=True)


def test_nothing_is_forced_while_a_database_serves() -> None:
    with pytest.raises(NotSafe, match="DB01 mounted"):
        forcing._refuse_living(seen(mounted=("DB01",)), ["EX1"], done=False)
    forcing._refuse_living(seen(mounted=("DB01",)), ["EX1"], done=True)
