"""Random stories: runbooks, faults, accidents and returns in any order; no invariant breaks but by the world alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from reliability_page import leave
from story import Deed, Player, Story, Told, figures

STORIES = int(os.environ.get("STAROVER_STORIES", "70"))
"""How many for each topology; ten thousand in `make test-all`."""

NUMBER = st.integers(0, 9_999)
DEEDS = st.one_of(
    st.builds(Deed, st.just("run"), NUMBER, NUMBER, st.just(0)),
    st.builds(Deed, st.just("run"), NUMBER, NUMBER, st.integers(1, 12)),
    st.builds(Deed, st.just("fault"), NUMBER, NUMBER),
    st.builds(Deed, st.just("mend"), NUMBER, st.just(0)),
    st.builds(Deed, st.just("pass"), NUMBER, st.just(0)),
)


@pytest.mark.parametrize("topology", ["pa-4x2", "aws-2az-nodac", "pa-4x2-fsw1"])
def test_no_story_breaks_what_must_hold(topology: str) -> None:
    heard: list[Told] = []

    @settings(
        max_examples=STORIES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
    )
    @given(st.lists(DEEDS, min_size=1, max_size=7))
    def play(deeds: list[Deed]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="story-"))
        try:
            told = Player(Story(topology, tuple(deeds)), folder).play()
            note(str(told))
            heard.append(told)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    play()
    leave(f"stories-{topology}", {"topology": topology, **figures(iter(heard))})
