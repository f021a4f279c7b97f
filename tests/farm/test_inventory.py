"""What an inventory may say of a balancer's API, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from starover.errors import BadInventory
from starover.inventory import load, read

HEAD = "name: x\nbalancers:\n  - "


def test_the_authority_lies_beside_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "zen.pem").write_text("x", "utf-8")
    file = tmp_path / "inventory.yaml"
    zen = "{name: zen, kind: zevenet, api: 'https://zen:444', ca_file: zen.pem, credential: 'env:ZAPI'}"
    file.write_text(HEAD + zen + "\n", "utf-8")
    (found,) = load(file).balancers
    assert found.farms
    assert found.ca_file == str(tmp_path / "zen.pem")
    assert not read(HEAD + "{name: zen, kind: zevenet}\n").balancers[0].farms


@pytest.mark.parametrize(
    ("balancer", "says"),
    [
        ("{name: a, api: 'https://a', credential: 'env:A'}", "for balancers of the kind zevenet"),
        ("{name: a, kind: zevenet, api: 'https://a'}", "needs `credential:`"),
        ("{name: a, kind: zevenet, credential: 'env:A'}", "needs `api:`"),
        ("{name: a, kind: zevenet, api: 'http://a', credential: 'env:A'}", "where its API answers"),
        ("{name: a, kind: zevenet, api: 'https://key@a', credential: 'env:A'}", "where its API answers"),
        ("{name: a, kind: zevenet, api: 'https://a', credential: hunter2}", "a reference"),
        ("{name: a, kind: zevenet, api: 'https://a', credential: 'env:A', ca_file: no.pem}", "there is no file"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(balancer: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInventory) as wrong:
        read(f"{HEAD}{balancer}\n", folder=tmp_path)
    assert says in wrong.value.what
    assert "inventory:3" in wrong.value.what
    assert "hunter2" not in wrong.value.what
