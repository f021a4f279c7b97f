"""Files of another host, as a server's own account reaches them: over SMB, with the rights that it has there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.remote_files import over_smb
from world.conftest import Lab, refusal

PATH = r"\\FSW2.example.com\C$\DAGFileShareWitnesses\test.txt"


def test_an_exchange_server_writes_where_its_group_administers(lab: Callable[..., Lab]) -> None:
    world = lab("pa-4x2").world
    files = world.server("EX3").files
    files.make_folder(r"\\FSW2\C$\DAGFileShareWitnesses")
    files.write(PATH, b"EX3 was here")
    assert world.server("FSW2").files.read(r"C:\DAGFileShareWitnesses\test.txt") == b"EX3 was here"
    entry = files.get(PATH)
    assert entry is not None
    assert entry.path == PATH
    assert "test.txt" in [one.name for one in files.children(r"\\FSW2\C$\DAGFileShareWitnesses")]
    files.remove(PATH)
    assert not files.exists(PATH)


@pytest.mark.parametrize(
    ("fault", "asking", "kind"),
    [
        ("witness_share_acl_removed", "EX3", "access_denied"),
        ("host_off", "EX3", "no_network_path"),
        ("", "DC2", "access_denied"),
    ],
)
def test_who_may_not(lab: Callable[..., Lab], fault: str, asking: str, kind: str) -> None:
    world = lab("pa-4x2").world
    if fault:
        world.fault(fault, "FSW2")
    assert refusal(lambda: over_smb(world.state, world.server(asking), PATH)).kind == kind


def test_a_share_that_is_not_there_is_no_path(lab: Callable[..., Lab]) -> None:
    world = lab("pa-4x2").world
    asking = world.server("EX3")
    assert refusal(lambda: over_smb(world.state, asking, r"\\FSW2\Public\x")).kind == "no_network_path"
    assert refusal(lambda: over_smb(world.state, asking, r"\\NOBODY\C$\x")).kind == "no_network_path"
