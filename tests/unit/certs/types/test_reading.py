"""A type's document: read whole, refused with every mistake, patterns that cannot be made to run for ever."""

from __future__ import annotations

import copy
import re
import time
from pathlib import Path

import pytest
import yaml

from services.certs.domain.licence_type import document_of, parse_licence_types, read_type
from services.certs.domain.licence_type.terms import ORDERED_ACTS
from services.certs.domain.licence_type.values import pattern_problem
from services.certs.domain.life.order import OrderedAct
from services.certs.domain.life.rules import life_rules

CATALOGUE = yaml.safe_load((Path(__file__).parents[4] / "catalogue/licence_types.yaml").read_text())
CARD = CATALOGUE["licence_types"][0]


def test_every_type_of_the_catalogue_reads_back_from_its_own_document() -> None:
    types = parse_licence_types(CATALOGUE)
    assert len(types) == len(CATALOGUE["licence_types"])
    for kind in types.values():
        assert read_type(document_of(kind)) == (kind, [])


@pytest.mark.parametrize(
    ("registry", "acts"),
    [
        ({}, ("forfeit", "revoke")),
        ({"second_person_acts": []}, ()),
        ({"second_person_acts": ["cancel"]}, ("cancel",)),
    ],
)
def test_a_type_says_which_acts_take_two_people(registry: dict[str, object], acts: tuple[str, ...]) -> None:
    kind, problems = read_type(CARD | {"registry": registry})
    assert problems == []
    assert kind.second_person_acts == acts
    assert life_rules(kind).second_person_acts == set(acts)
    assert set(ORDERED_ACTS) == {each.value for each in OrderedAct}


def test_a_catalogue_record_names_the_items_and_every_term() -> None:
    registry = {
        "related_items": [{"code": "item-1", "name": "食品经营许可"}, {"code": "item-2"}],
        "further_terms": ["3年", "1年", "长期"],
    }
    kind, problems = read_type(CARD | {"validity": {"kind": "years", "years": 1}, "registry": registry})
    assert problems == []
    assert [(each.code, each.name) for each in kind.related_items] == [
        ("item-1", "食品经营许可"),
        ("item-2", ""),
    ]
    assert kind.validity_range == "1年^3年^长期"
    older, problems = read_type(CARD | {"registry": {"related_items": ["item-1"]}})
    assert ([each.code for each in older.related_items], problems) == (["item-1"], [])
    assert read_type(CARD)[0].validity_range == ""
    wrong = {"related_items": [{"name": "x"}], "further_terms": ["五年"]}
    _, problems = read_type(CARD | {"registry": wrong})
    assert {each.field_path for each in problems} == {
        "registry.related_items[0].code",
        "registry.further_terms",
    }


def test_every_mistake_of_a_document_is_named_at_once() -> None:
    document = copy.deepcopy(CARD)
    document["code"] = "11100000000013127D9999"
    document["holder_category"] = "dog"
    document["validity"] = {"kind": "years"}
    document["colour"] = "red"
    document["face_fields"][0]["mask"] = "none"
    document["face_fields"][1]["max_length"] = -1
    document["face_fields"][2]["code"] = "XYZ"
    document["display"]["fields"] = ["KZ_NONE"]
    document["registry"] = {
        "fields": {"KZ_XB": {"pattern": "("}},
        "quality_rules": [{"rule": "magic"}, {"rule": "pattern", "field": "KZ_NONE"}],
        "disclosure": {"curiosity": {}, "preview": {"KZ_NONE": "full", "KZ_XM": "a little"}},
        "copies_allowed": "many",
        "second_person_acts": ["revoke", "dance"],
    }
    _, problems = read_type(document, "types[3]")
    assert {each.field_path.removeprefix("types[3].") for each in problems} == {
        "code",
        "holder_category",
        "validity.years",
        "colour",
        "face_fields[0].mask",
        "face_fields[1].max_length",
        "face_fields[2].code",
        "display",
        "registry.fields.KZ_XB.pattern",
        "registry.quality_rules[0].rule",
        "registry.quality_rules[1].fields",
        "registry.quality_rules[1].pattern",
        "registry.disclosure.curiosity",
        "registry.disclosure.preview.KZ_NONE",
        "registry.disclosure.preview.KZ_XM",
        "registry.copies_allowed",
        "registry.second_person_acts",
    }


@pytest.mark.parametrize(
    "document", [None, [], "x", {1: 2}, {"code": None, "face_fields": "x"}, {"name": []}]
)
def test_what_is_no_document_is_refused_and_breaks_nothing(document: object) -> None:
    assert read_type(document)[1]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|b)*",
        "a*a*",
        r"(a)\1",
        "(?=a)",
        "[",
        "x" * 201,
        "a{2,}b+",
        "a?" * 30 + "a" * 30,
        ".{0,20}" * 9,
        ".{1,2000}x",
        "(?i)a",
    ],
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    assert pattern_problem(pattern)


@pytest.mark.parametrize(
    "pattern", ["", "JY[0-9]{14}", "[A-Z]+", "(男|女)", r"\+?\d{1,4}", r"[*+?]{2}\*", "第.{1,20}号"]
)
def test_a_plain_pattern_may_be_used_and_is_quick_over_the_longest_value(pattern: str) -> None:
    assert pattern_problem(pattern) == ""
    before = time.perf_counter()
    re.fullmatch(pattern, "1" * 4_000)
    assert time.perf_counter() - before < 0.5
