"""What `tongban licence-types publish` sends: the entries of a catalogue, all or those asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import Fault
from cli.commands.licence_types import _documents

CATALOGUE = Path(__file__).parents[3] / "catalogue"
CARD = "11100000000013127D001"


def test_all_types_of_the_catalogue_are_sent_or_only_those_asked_for() -> None:
    assert len(_documents(CATALOGUE, [])) > 10
    assert [each["code"] for each in _documents(CATALOGUE, [CARD])] == [CARD]


def test_a_type_that_is_not_listed_and_a_place_without_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="LICENCE_TYPE_NOT_LISTED"):
        _documents(CATALOGUE, ["nothing"])
    (tmp_path / "licence_types.yaml").write_text("a: [")
    with pytest.raises(Fault, match="NO_LICENCE_TYPES") as refused:
        _documents(tmp_path, [])
    assert [each.field_path for each in refused.value.violations] == ["licence_types.yaml"]
