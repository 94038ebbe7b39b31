"""The ASVS list is whole, and every test it names is there."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from supply.asvs import PAGE, page, read
from supply.locks import ROOT

LISTED = read()
REQUIREMENTS = LISTED["requirements"]
SECTIONS = {  # how many requirements of levels 1 and 2 each section of version 5.0.0 has
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4,
    "17.3": 2,
}  # fmt: skip


def test_every_requirement_of_levels_one_and_two_stands_in_the_list_once() -> None:
    ids = [each["id"] for each in REQUIREMENTS]
    assert len(ids) == len(set(ids)) == 253
    assert Counter(each["level"] for each in REQUIREMENTS) == {1: 70, 2: 183}
    assert Counter(each.rpartition(".")[0] for each in ids) == SECTIONS
    assert ids == sorted(ids, key=lambda each: [int(part) for part in each.split(".")])


def test_each_has_tests_or_a_reason_or_says_what_it_waits_for() -> None:
    for each in REQUIREMENTS:
        assert len({"by", "na", "open"} & each.keys()) == 1, each
        assert len(each["says"].split()) <= 10
        if "open" in each:
            said = LISTED["reasons"].get(each["open"], each["open"])
            assert "issue" in said, each


@pytest.mark.parametrize("alias", LISTED["tests"])
def test_a_named_test_is_there_and_is_used(alias: str) -> None:
    path, _, name = LISTED["tests"][alias].partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert any(alias in each.get("by", ()) for each in REQUIREMENTS), "no requirement names it"


def test_no_requirement_names_a_test_that_is_not_listed() -> None:
    named = {alias for each in REQUIREMENTS for alias in each.get("by", ())}
    assert named <= set(LISTED["tests"])


def test_the_page_is_made_from_the_list() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
