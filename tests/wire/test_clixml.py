"""Values to CLIXML and back: types, escapes, depth, references; hostile documents."""

from __future__ import annotations

from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell import values as v
from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.wire.clixml import serialize
from starover_lab.wire.clixml_in import BadClixml, Reader, parse
from starover_lab.wire.clixml_text import escape
from starover_lab.wire.keys import SessionKey

MIN, MAX = -(2**63), 2**63 - 1


def back(value: v.Value, key: SessionKey | None = None) -> v.Value:
    root = parse(serialize(value, key).encode("utf-8", "strict"))
    return Reader(root, key).value(root)


anything = st.text(st.characters(codec=None, exclude_categories=()))


@given(anything)
def test_every_text_comes_back(text: str) -> None:
    text = v.from_units(v.units(text))  # a text of .NET's has its pairs joined
    assert back(text) == text


@given(anything)
def test_every_text_is_well_formed_in_content_and_names(text: str) -> None:
    root = parse(serialize(v.PSObject([(text or "x", text)])).encode())
    (member,) = root.findall("MS/*")
    assert Reader(root).value(member) == v.from_units(v.units(text))


def test_escapes_are_spelled_as_windows_spells_them() -> None:
    assert escape("a\r\n_x000A_𐐷_X_y") == "a_x000D__x000A__x005F_x000A__xD801__xDC37__x005F_X_y"
    assert serialize("") == "<S></S>"
    assert serialize("<a & b>") == "<S>&lt;a &amp; b&gt;</S>"


@given(st.integers(MIN, MAX))
def test_numbers_keep_their_type(number: int) -> None:
    for kind in (v.Long, v.Byte, v.SByte, v.Int16, v.UInt16, v.UInt32, v.UInt64):
        if kind.low <= number <= kind.high:
            found = back(kind(number))
            assert type(found) is kind
            assert found == number


@given(st.floats())
def test_doubles_come_back(number: float) -> None:
    found = back(number)
    assert isinstance(found, float)
    assert found == number or (found != found and number != number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e15, "1E+15"),
        (-123456789012345678.0, "-1.2345678901234568E+17"),
        (1e-5, "1E-05"),
        (float("inf"), "INF"),
        (float("nan"), "NaN"),
    ],
)
def test_doubles_are_spelled_as_xml_convert_does(number: float, text: str) -> None:
    assert serialize(number) == f"<Db>{text}</Db>"


@given(st.integers(0, 3155378975999999999), st.sampled_from(["Utc", "Local", "Unspecified"]))
def test_dates_come_back_to_the_tick(ticks: int, kind: str) -> None:
    moment = v.DateTime(ticks, kind)  # type: ignore[arg-type]
    assert back(moment) == moment


@given(st.integers(MIN, MAX))
def test_durations_come_back_to_the_tick(ticks: int) -> None:
    assert back(v.TimeSpan(ticks)) == v.TimeSpan(ticks)


def test_other_scalars_come_back() -> None:
    for value in (
        True,
        None,
        Decimal("1.10"),
        v.Single(0.5),
        v.Version(15, 2, 2562, 37),
        v.Version(1, 0),
        v.Guid("49ee5c41-e806-4a44-b192-dad4b3aeecb5"),
    ):
        found = back(value)
        assert found == value
        assert type(found) is type(value)
    char = back(v.Char("é"))
    assert isinstance(char, v.Char)
    assert char == "é"


def test_secrets_need_the_key() -> None:
    key = SessionKey()
    secret = v.SecureString("pässword 𐐷")
    assert serialize(secret, key) == "<Nil />", "no secret before the key is exchanged"
    key.exchanged = True
    text = serialize(v.PSCredential("EXAMPLE\\svc", secret), key)
    assert "pässword" not in text
    found = back(v.PSCredential("EXAMPLE\\svc", secret), key)
    assert isinstance(found, v.PSCredential)
    assert found.password.secret == secret.secret
    with pytest.raises(BadClixml, match="session key"):
        Reader(parse(text.encode())).value(parse(text.encode()))


def product(**adapted: v.Value) -> v.PSObject:
    made = v.PSObject(type_names=["Vendor.Thing", "System.Object"], text="the thing")
    for name, value in adapted.items():
        made.properties[name.upper()] = v.Property(name, value, "Property")
    return made


def test_depth_counts_adapted_members_only() -> None:
    inner = v.custom_object([("A", v.custom_object([("B", product(C=1))]))])
    text = serialize(inner)
    assert '<I32 N="C">1</I32>' in text, "note properties do not use depth up"
    text = serialize(product(Inner=product(C=1), List=v.PSArray([product(C=2), 3]), Bag=v.custom_object([("x", 1)])))
    assert '<S N="Inner">the thing</S>' in text
    assert "<LST><S>the thing</S><I32>3</I32></LST>" in text, "containers are written at every depth"
    assert '<S N="Bag">@{x=1}</S>' in text


def test_to_string_is_there_where_windows_writes_it() -> None:
    def texts(value: v.Value) -> list[str | None]:
        return [one.text for one in ET.fromstring(serialize(value)).iter("ToString")]

    assert texts(product(A=1)) == ["the thing"]
    assert texts(v.PSEnum("System.DayOfWeek", "Friday", 5)) == ["Friday"]
    assert texts(v.custom_object([("A", 1)])) == []
    assert texts(v.PSHashtable()) == []
    assert texts(v.PSArray([1])) == []
    record = ErrorRecord(exception=PSException("System.Exception", "bad"))
    assert texts(record) == ["bad", "System.Exception: bad"]


def test_types_and_objects_are_referred_to_when_they_come_again() -> None:
    shared = v.PSList([1])
    root = ET.fromstring(serialize(v.PSArray([shared, shared, v.PSList([2])])))
    assert [one.tag for one in root.find("LST") or []] == ["Obj", "Ref", "Obj"]
    assert [one.get("RefId") for one in root.iter("TNRef")] == ["1"]
    found = back(v.PSArray([shared, shared]))
    assert isinstance(found, v.PSList)
    assert found.items[0] is found.items[1]


def test_attributes_and_children_stand_in_windows_order() -> None:
    text = serialize(v.custom_object([("Size", v.PSEnum("A.B", "Big", 3)), ("None", None)]))
    assert text == (
        '<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS>'
        '<Obj N="Size" RefId="1"><TN RefId="1"><T>A.B</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T>'
        '</TN><ToString>Big</ToString><I32>3</I32></Obj><Nil N="None" /></MS></Obj>'
    )


def test_a_deserialised_enum_stays_one() -> None:
    made = v.deserialised_enum("Vendor.Status", "Healthy", 5)
    root = ET.fromstring(serialize(made))
    assert [one.tag for one in root] == ["TN", "ToString", "I32"]
    found = back(v.PSEnum("Vendor.Status", "Healthy", 5))
    assert isinstance(found, v.PSObject)
    assert v.base(found) == 5
    assert found.text == "Healthy"
    assert found.type_names[0] == "Deserialized.Vendor.Status"


def test_objects_come_back_as_property_bags() -> None:
    found = back(product(A=1, b=v.PSArray(["x"])))
    assert isinstance(found, v.PSObject)
    assert found.type_names[0] == "Deserialized.Vendor.Thing"
    assert found.get("a") == 1
    assert found.find("A").kind == "Property"  # type: ignore[union-attr]
    assert isinstance(found.get("B"), v.PSList)


def test_a_loop_of_objects_ends() -> None:
    loop = v.custom_object([])
    loop.set("Me", loop)
    root = ET.fromstring(serialize(loop))
    assert [one.tag for one in root.find("MS") or []] == ["Ref"]
    deep: v.Value = 1
    for _ in range(200):
        deep = v.custom_object([("x", deep)])
    ET.fromstring(serialize(deep))


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY e "boom">]><S>&e;</S>',
        "<S>",
        "<Strange>1</Strange>",
        "<I32>one</I32>",
        "<G",
        "<Version>1</Version>",
        "<DT>yesterday</DT>",
        "<TS>P</TS>",
        '<Ref RefId="7" />',
        '<Obj RefId="0"><DCT><En><S N="Key">a</S></En></DCT></Obj>',
        '<Obj RefId="0"><LST>' * 500 + "</LST></Obj>" * 500,
        '<Obj RefId="0"><LST><Ref RefId="0" /></LST></Obj>',
    ],
)
def test_documents_that_are_no_clixml_are_refused(document: str) -> None:
    def read() -> None:
        root = parse(document.encode())
        Reader(root).value(root)

    with pytest.raises(BadClixml):
        read()
