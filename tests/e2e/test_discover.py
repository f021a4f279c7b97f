"""`starover inventory discover` and `diff` as a person types them, in labs of several shapes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from lab_cli import Place, lab

from starover.inventory import load

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module", params=["aws-2az --flag dag", "pa-4x2-fsw1"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    topology, *options = request.param.split()
    with lab(tmp_path_factory.mktemp("discover"), topology, *options) as running:
        yield running


def aws(place: Place) -> dict[str, str]:
    """A shell in which AWS is the lab's, and no inventory is near."""
    about = json.loads((place.folder / ".starover" / "lab" / "lab.json").read_text("utf-8"))
    return {
        "AWS_ENDPOINT_URL": about["aws"]["url"],
        "AWS_DEFAULT_REGION": about["aws"]["region"],
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "thing",
        "NO_PROXY": "127.0.0.1",
    }


def test_the_labs_own_inventory_differs_in_nothing(place: Place) -> None:
    told = place.within("inventory", "diff", "--exit-code")
    assert told.code == 0, told.words
    assert "Nothing differs." in told.out
    assert "were asked" in told.out
    assert "database" in told.out


def test_a_file_that_is_wrong_is_told_and_left_alone(place: Place, tmp_path: Path) -> None:
    own = place.folder / ".starover" / "lab" / "inventory.yaml"
    wrong = own.with_name("wrong.yaml")
    tree = yaml.safe_load(own.read_text("utf-8"))
    members = [one for one in tree["servers"] if "mailbox" in one["roles"]]
    lost = members[-1]
    tree["servers"].remove(lost)
    tree["dags"][0]["members"].remove(lost["name"])
    tree["dags"][0]["witness"] = next(one["name"] for one in tree["servers"] if "dc" in one["roles"])
    members[0]["az"] = "eu-west-1z"
    tree.pop("sites")
    for one in (*tree["servers"], *tree["subnets"]):
        one.pop("site", None)
    wrong.write_text(yaml.safe_dump(tree), "utf-8")
    before = wrong.read_bytes()
    told = place.within("--inventory", str(wrong), "--format", "json", "inventory", "diff", "--exit-code")
    assert told.code == 3, told.words
    dag = tree["dags"][0]["name"]
    kinds = {(one["kind"], one["where"]) for one in told.json["differences"]}
    assert kinds >= {
        ("new", f"server {lost['name']}"),
        ("differs", f"server {members[0]['name']} az"),
        ("differs", f"DAG {dag} members"),
        ("differs", f"DAG {dag} witness"),
    }
    new = tmp_path / "new.yaml"
    first = place.within("--inventory", str(wrong), "inventory", "discover", "--to", str(new))
    assert first.code == 0, first.words
    made = yaml.safe_load(new.read_text("utf-8"))
    assert made["servers"][0] == tree["servers"][0] | made["servers"][0]
    assert lost["name"] in [one["name"] for one in made["servers"]]
    assert made["dags"][0]["members"] == tree["dags"][0]["members"], "what a person wrote"
    kept = new.read_bytes()
    again = place.within("--inventory", str(wrong), "inventory", "discover", "--to", str(new))
    assert again.code == 2
    assert "never overwritten" in again.words
    assert (new.read_bytes(), wrong.read_bytes()) == (kept, before)


def test_a_lost_zone_is_not_asked_twice_and_is_no_difference(place: Place) -> None:
    """The instances are stopped, and are still there; somebody in another zone knows the rest."""
    place.ok("lab", "break", "az", "1a")
    told = place.within("--format", "json", "inventory", "diff", "--exit-code")
    place.calm()
    assert told.code == 0, told.words
    own = load(place.folder / ".starover" / "lab" / "inventory.yaml")
    zones = {one.name: one.az for one in own.servers}
    assert zones[told.json["asked"]] != "eu-west-1a"
    assert len([note for note in told.json["notes"] if note.startswith("asked in vain")]) == 1


def test_from_nothing_as_the_first_screen_says(place: Place, tmp_path: Path) -> None:
    """`starover inventory discover > inventory.yaml`: the shell makes the empty file before we look."""
    here = Place(tmp_path)
    (tmp_path / "inventory.yaml").touch()
    told = here.type("inventory", "discover", **aws(place))
    assert told.code == 0, told.words
    (tmp_path / "inventory.yaml").write_text(told.out, "utf-8")
    found = load(tmp_path / "inventory.yaml")
    own = load(place.folder / ".starover" / "lab" / "inventory.yaml")
    assert {one.name: one.instance for one in found.servers} == {one.name: one.instance for one in own.servers}
    assert not found.lab
    assert not found.dags
    assert "the DAG was not asked" in told.words
    assert here.type("inventory", "check").code == 0


def test_without_aws_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    told = Place(tmp_path).type("inventory", "discover", AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="none")
    assert told.code == 2
    assert "--region" in told.words
    assert told.out == ""
