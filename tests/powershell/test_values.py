"""The value model: identity of keys, UTF-16, enums in their three forms, what a value sends down a pipeline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell.compare import equals
from starover_lab.powershell.convert import interpolate, to_string
from starover_lab.powershell.json_text import to_json
from starover_lab.powershell.text_operators import formatted, like
from starover_lab.powershell.values import (
    NOTHING,
    Char,
    Long,
    OrderedHashtable,
    PSArray,
    PSEnum,
    PSHashtable,
    PSList,
    PSObject,
    custom_object,
    deserialised_enum,
    enumerate_,
    fold,
    from_units,
    type_name,
    units,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_units_and_back(text: str) -> None:
    assert from_units(units(text)) == text
    assert len(units(text)) == len(text.encode("utf-16-le")) // 2


@given(st.text())
def test_lone_surrogates_survive(text: str) -> None:
    assert units(from_units(units(text))) == units(text)


def test_keys_ignore_case_and_keep_their_type() -> None:
    table = PSHashtable()
    table.set("Name", 1)
    table.set(1, "int")
    table.set(Long(1), "long")
    table.set(1.0, "double")
    table.set("1", "text")
    table.set(True, "bool")
    assert len(table) == 6
    assert table.get("NAME") == 1
    assert [table.get(key) for key in (1, Long(1), 1.0, "1", True)] == ["int", "long", "double", "text", "bool"]
    assert table.get(False) is None


def test_a_replaced_key_keeps_place_and_spelling() -> None:
    table = OrderedHashtable.of([("First", 1), ("Second", 2)])
    table.set("FIRST", 3)
    assert table.pairs() == [("First", 3), ("Second", 2)]


def test_a_hashtable_does_not_keep_the_order_of_insertion() -> None:
    names = [f"key{n}" for n in range(20)]
    table = PSHashtable()
    for name in names:
        table.set(name, 0)
    shown = [key for key, _ in table.pairs()]
    assert sorted(map(str, shown)) == sorted(names)
    assert shown != names
    assert shown == [key for key, _ in table.pairs()]


def test_folding_is_ordinal_per_unit() -> None:
    assert fold("straße") == "STRAßE"
    assert fold("ıſ") == "ıſ"
    assert fold("Éa") == fold("éA")


def test_a_live_enum_and_its_deserialised_form() -> None:
    live = PSEnum("Microsoft.Exchange.Data.ServiceState", "Active", 1)
    wrapped = deserialised_enum("Microsoft.Exchange.Data.ServiceState", "Active", 1)
    assert to_string(live) == to_string(wrapped) == "Active"
    assert interpolate(wrapped) == "1"
    assert not equals(wrapped, "Active")
    assert equals(wrapped, 1)
    assert like(wrapped, "Act*")
    assert formatted(wrapped, None) == "Active"
    assert to_json(wrapped, 2, lambda _: None) == '{"value":1,"Value":"Active"}'


def test_a_deserialised_size_is_only_its_members_in_json() -> None:
    size = PSObject(
        [("SerializationData", "x")],
        type_names=["Deserialized.Microsoft.Exchange.Data.ByteQuantifiedSize"],
        text="1 MB (1,048,576 bytes)",
    )
    assert to_string(size) == "1 MB (1,048,576 bytes)"
    assert to_json(custom_object([("s", size)]), 8, lambda _: None) == '{"s":{"SerializationData":"x"}}'


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (NOTHING, []),
        (None, [None]),
        ("ab", ["ab"]),
        (PSArray([1, PSArray([2])]), [1, "array"]),
        (PSList([1, 2]), [1, 2]),
    ],
)
def test_what_goes_down_a_pipeline(value: object, sent: list[object]) -> None:
    assert ["array" if isinstance(v, PSArray) else v for v in enumerate_(value)] == sent  # type: ignore[arg-type]


def test_a_dictionary_is_sent_whole() -> None:
    table = PSHashtable()
    assert list(enumerate_(table)) == [table]


def test_type_names() -> None:
    assert type_name(Char("a")) == "System.Char"
    assert type_name(True) == "System.Boolean"
    assert type_name(custom_object([])) == PSObject.CUSTOM
    assert type_name(PSObject(base_value="text")) == "System.String"
    assert type_name(None) == ""
