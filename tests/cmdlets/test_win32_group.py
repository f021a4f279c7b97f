"""Local groups by CIM: how scripts find the Administrators' own name on a host whose language nobody knows."""

from __future__ import annotations

import pytest
from lab_hosts import Estate

SCRIPT = "(Get-CimInstance -ClassName 'Win32_Group' -Filter 'LocalAccount=True AND SID=''S-1-5-32-544''').Name"


@pytest.mark.parametrize(("culture", "name"), [("en-US", "Administrators"), ("de-DE", "Administratoren")])
def test_administrators_have_one_sid_and_a_name_in_each_language(culture: str, name: str) -> None:
    estate = Estate("aws-2az")
    estate.world.state.ui_culture = culture
    told = estate.open("FileServer3").run(SCRIPT)
    assert (told.ids, told.texts) == ([], [name])
