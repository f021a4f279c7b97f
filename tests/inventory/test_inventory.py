"""The inventory file: what is read, and that everything wrong is told with its line and what is wished."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starover.errors import BadInventory, BadParameter
from starover.inventory import Dag, Estate, Road, Server, load, read, schema

REPO = Path(__file__).parents[2]
EXAMPLE = REPO / "inventory" / "example.yaml"
SOURCE = EXAMPLE.read_text(encoding="utf-8")


def told(source: str) -> str:
    with pytest.raises(BadInventory) as raised:
        read(source, name="inv.yaml")
    return raised.value.what


def line_of(source: str, part: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if part in line)


def test_the_example_is_whole() -> None:
    estate = load(EXAMPLE)
    assert [server.name for server in estate.having("mailbox")] == ["EX1", "EX2", "EX3", "EX4"]
    assert [server.name for server in estate.having("witness")] == ["FSW3", "FSW2"]
    assert not estate.lab
    ex1 = estate.server("ex1.other.example.net")
    assert ex1.os == "2025"
    assert ex1.exchange is not None
    assert ex1.exchange.version == "15.2.2562.37"
    assert ex1.exchange.provider == "remote"
    assert ex1.credential == "env:STAROVER"
    assert ex1.roads == (Road(kind="psrp", scheme="https", auth="negotiate"),)
    assert ex1.roads[0].endpoint(ex1) == ("10.0.0.11", 5986)
    assert estate.members(estate.dag()) == estate.having("mailbox")
    assert estate.client_names[0].balancer == estate.balancers[0].name


@pytest.mark.parametrize("path", sorted((REPO / "inventory").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_estate_is_right(path: Path) -> None:
    if not path.read_text(encoding="utf-8").startswith("topology:"):
        load(path)


def test_plain_scalars_stay_text() -> None:
    estate = read("name: no\nregion: 1.10\nsites: [{name: 0x10, az: yes}]\nlab: true\n")
    assert (estate.name, estate.region, estate.sites[0].name, estate.sites[0].az) == ("no", "1.10", "0x10", "yes")
    assert estate.lab is True


def test_an_estate_survives_a_round_trip_as_json() -> None:
    estate = load(EXAMPLE)
    assert msgspec.json.decode(msgspec.json.encode(estate), type=Estate) == estate


@pytest.mark.parametrize(
    ("old", "new", "part", "wish"),
    [
        ("name: mail-prod", "name: mail-prod\nname: again", "name: again", "stands twice: first in line"),
        ("    os: 2025\n    instance: i-0e0000000000000a1", "    so: 2025", "    so:", "did you mean `os`?"),
        ("roles: [dc], address: 10.0.0.10", "roles: [domain], address: 10.0.0.10", "[domain]", "mailbox, dc, witness"),
        ("  - name: EX4", "  - name: EX 4", "name: EX 4", "NetBIOS name of at most 15"),
        ("  - name: DAG1", "  - name: DAG_1", "name: DAG_1", "letters, digits and hyphens"),
        ("  - name: DAG1", "  - name: EX1", None, "DAG needs one of its own"),
        ("fqdn: EX3.example.com", "fqdn: EX4.example.com", None, "`fqdn` is the full name of EX3"),
        ("10.0.32.13", "10.0.99.13", "10.0.99.13", "not in the subnet"),
        ("10.0.32.13", "ten", "address: ten", "not an IP address"),
        ("    subnet: 10.0.33.0/24", "    subnet: 10.0.33.0/23", "10.0.33.0/23", "10.0.0.0/19"),
        ("witness: FSW3\n", "witness: EX1\n", "witness: EX1", "never a member"),
        ("witness: FSW3\n", "witness: 10.0.64.200\n", "witness: 10.0.64.200", "never an IP address"),
        ("witness: FSW3\n", "witness: FSW9\n", "witness: FSW9", "no server of this inventory"),
        ("members: [EX1, EX2, EX3, EX4]", "members: [EX1, EX2, EX3, EX9]", "EX9]", "`EX9`, which is no server"),
        ("members: [EX1, EX2, EX3, EX4]", "members: [EX1, EX1]", "EX1, EX1]", "twice"),
        ("members: [EX1, EX2, EX3, EX4]", "members: [EX1, DC1]", "DC1]", "lacks the role mailbox"),
        ("env:STAROVER", "Passw0rd!", "Passw0rd!", "never the secret itself"),
        ("auth: negotiate}", "auth: magic}", "auth: magic", "negotiate, ntlm, kerberos, basic"),
        ("scheme: https, auth: negotiate", "scheme: http, auth: basic", "auth: basic", "password in clear"),
        ("auth: negotiate}", "auth: negotiate, port: many}", "port: many", "a whole number"),
        ("auth: negotiate}", "auth: negotiate, port: 99999}", "port: 99999", "65535"),
        ("balancer: exch-nlb, dag: DAG1", "balancer: other, dag: DAG1", "balancer: other", "no balancer `other`"),
        ("dag: DAG1}", "dag: DAG9}", "dag: DAG9", "no DAG `DAG9`"),
        (
            "    site: AZ2\n    az: eu-west-1b\n    os: 2025\n    instance: i-0e0000000000000b3",
            "    site: AZ9",
            "AZ9",
            "no site",
        ),
        (
            "{version: 15.2.2562.37}\n  - name: EX2",
            "{provider: snapin}\n  - name: EX2",
            "snapin",
            "allow_unsupported_snapin",
        ),
        (
            "{version: 15.2.2562.37}\n  - name: EX2",
            "{server: EX9.example.com}\n  - name: EX2",
            "EX9.",
            "FQDN of a server",
        ),
        ("address: 10.0.32.10, subnet", "address: 10.0.0.10, subnetx", None, "did you mean `subnet`?"),
        ("forest: {", "forest: !!python/object:os.system {", "forest:", "tag"),
        ("forest: {name:", "forest: {<<:", "forest:", "merg"),
        ("  - name: EX1", "  - name EX1", None, "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_wish(old: str, new: str, part: str | None, wish: str) -> None:
    assert old in SOURCE
    source = SOURCE.replace(old, new, 1)
    message = told(source)
    assert wish in message
    if part is not None:
        assert f"inv.yaml:{line_of(source, part)}: " in message


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    assert "Passw0rd" not in told(SOURCE.replace("env:STAROVER", "Passw0rd!", 1))


def test_everything_wrong_is_told_at_once() -> None:
    source = SOURCE.replace("witness: FSW3", "witness: EX1").replace("[EX1, EX2, EX3, EX4]", "[EX1, EX8, EX9]")
    message = told(source)
    assert "3 mistakes" in message
    assert all(word in message for word in ("EX8", "EX9", "witness"))


def test_two_servers_with_one_road_would_swap_their_scripts() -> None:
    message = told(SOURCE.replace("address: 10.0.1.12\n    subnet: 10.0.1.0/24", "address: 10.0.0.11"))
    assert "same road to 10.0.0.11:5986" in message


def test_a_server_stands_in_one_dag_only() -> None:
    message = told(SOURCE.replace("balancers:", "  - {name: DAG2, members: [ex1]}\n\nbalancers:", 1))
    assert "`ex1` is a member of DAG1 already" in message


def test_names_are_compared_by_first_label_in_any_case() -> None:
    extra = "  - {name: ex1, fqdn: ex1.other.com, roles: [dc], address: 10.9.9.9}\n\ndags:"
    message = told(SOURCE.replace("dags:", extra, 1))
    assert "stands twice" in message


@pytest.mark.parametrize(
    "source",
    ["", "# only a comment\n", "- a\n", "5\n", "name: x\n---\nname: y\n", "a: &a [*a]\n", "\t- x\n", "name:\n"],
)
def test_what_is_no_inventory(source: str) -> None:
    assert told(source).startswith("inv.yaml")


@given(st.text(max_size=60))
def test_no_text_makes_it_stumble(text: str) -> None:
    for source in (text, f"name: {text}\n", f"name: x\nservers:\n  - {text}\n"):
        with contextlib.suppress(BadInventory):
            assert isinstance(read(source), Estate)


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(BadInventory, match="cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(BadInventory, match="not UTF-8"):
        load(tmp_path / "latin.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfname: x\r\n")
    assert load(tmp_path / "bom.yaml").name == "x"


def test_a_ca_file_is_found_beside_the_inventory(tmp_path: Path) -> None:
    source = SOURCE.replace("auth: negotiate}", "auth: negotiate, ca_file: my-ca.pem}", 1)
    (tmp_path / "inv.yaml").write_text(source, encoding="utf-8")
    with pytest.raises(BadInventory, match="my-ca"):
        load(tmp_path / "inv.yaml")
    (tmp_path / "my-ca.pem").write_text("x")
    assert load(tmp_path / "inv.yaml").servers[0].roads[0].ca_file == str(tmp_path / "my-ca.pem")


def test_asking_for_what_is_not_there_names_what_is() -> None:
    estate = load(EXAMPLE)
    with pytest.raises(BadParameter) as raised:
        estate.server("EX9")
    assert "EX1, EX2" in raised.value.next[0]
    with pytest.raises(BadParameter) as raised:
        estate.dag("DAG9")
    assert "DAG1" in raised.value.next[0]
    two = msgspec.structs.replace(estate, dags=(*estate.dags, Dag(name="DAG2")))
    with pytest.raises(BadParameter, match="which DAG"):
        two.dag()
    assert two.dag("dag2").name == "DAG2"


def test_the_schema_knows_every_key_of_the_example() -> None:
    made = schema()
    text = json.dumps(made)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for field in (*Estate.__struct_fields__, *Server.__struct_fields__, *Road.__struct_fields__, "defaults"):
        assert f'"{field}"' in text


def test_where_a_server_is_follows_from_its_address() -> None:
    estate = read("""
name: north
sites: [{name: A, az: zone-a}, {name: B}]
subnets: [{cidr: 10.1.0.0/24, site: A}, {cidr: 10.2.0.0/24, site: b, az: zone-b}]
servers:
  - {name: ONE, fqdn: ONE.example.com, roles: [dc], address: 10.1.0.9}
  - {name: TWO, fqdn: TWO.example.com, roles: [dc], address: 10.2.0.9}
  - {name: FAR, fqdn: FAR.example.com, roles: [dc], address: 10.9.0.9}
  - {name: SET, fqdn: SET.example.com, roles: [dc], address: 10.1.0.8, site: B, az: zone-c}
""")
    places = [(one.name, one.subnet, one.site, one.az) for one in estate.servers]
    assert places == [
        ("ONE", "10.1.0.0/24", "A", "zone-a"),
        ("TWO", "10.2.0.0/24", "b", "zone-b"),
        ("FAR", "", "", ""),
        ("SET", "10.1.0.0/24", "B", "zone-c"),
    ]
