"""What a change of a type means for stored licences: nothing, a search, or a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.licence_type import (
    Effect,
    FaceField,
    LicenceType,
    LicenceTypes,
    Matrix,
    Sight,
    compare,
    document_of,
    read_type,
)
from services.certs.domain.licence_type.terms import FieldType, HolderCategory, LegalBasis
from services.certs.domain.purpose import PurposeCategory
from services.certs.domain.status import LicenceStatus
from standards.masking import MaskRule
from tests.unit.certs.types.kinds import FOOD, faces, kinds, stored

NAME = FaceField("KZ_XM", "姓名", True, MaskRule.NAME, max_length=10)
TRADE = FaceField("KZ_HY", "行业", False, MaskRule.NONE, codes=("A", "B", "C"))
KIND = LicenceType(FOOD, "食品经营许可证", (NAME, TRADE))


def changed(**fields: Any) -> LicenceType:
    return replace(KIND, **fields)


def with_field(name: str, **fields: Any) -> LicenceType:
    return changed(
        fields=tuple(replace(each, **fields) if each.name == name else each for each in KIND.fields)
    )


@pytest.mark.parametrize(
    "new",
    [
        with_field("KZ_XM", label="名称"),
        with_field("KZ_XM", mask=MaskRule.HIDDEN),
        with_field("KZ_XM", max_length=11),
        with_field("KZ_XM", max_length=0),
        with_field("KZ_XM", required=False),
        with_field("KZ_HY", codes=("A", "B", "C", "D")),
        with_field("KZ_HY", codes=()),
        with_field("KZ_HY", type=FieldType.CODE),
        changed(fields=(TRADE, NAME)),
        changed(fields=(NAME, TRADE, FaceField("KZ_BZ", "备注", False, MaskRule.NONE))),
        changed(title="许可证", template="a4-landscape", name_en="Food licence"),
        changed(copies_allowed=3, inspection_months=12, freshness_objective_seconds=60, retention_years=5),
        changed(basis=(LegalBasis("中华人民共和国食品安全法", "第三十五条"),)),
        changed(matrix=Matrix({PurposeCategory.PREVIEW: {"*": Sight.HIDDEN}})),
    ],
)
def test_what_stored_licences_do_not_depend_on_may_change(new: LicenceType) -> None:
    found = compare(KIND, new)
    assert found
    assert {each.effect for each in found} == {Effect.COMPATIBLE}


@pytest.mark.parametrize(
    ("new", "path", "reason", "breaks", "keeps"),
    [
        (with_field("KZ_HY", required=True), "KZ_HY.required", "TYPE_FIELD_NOW_REQUIRED", {}, {"KZ_HY": "A"}),
        (
            with_field("KZ_XM", max_length=3),
            "KZ_XM.max_length",
            "TYPE_FIELD_NARROWED",
            {"KZ_XM": "丰小玉玉"},
            {"KZ_XM": "丰小玉"},
        ),
        (
            with_field("KZ_XM", pattern="[丰小玉]{1,9}"),
            "KZ_XM.pattern",
            "TYPE_FIELD_NARROWED",
            {"KZ_XM": "王小玉"},
            {"KZ_XM": "丰小玉"},
        ),
        (
            with_field("KZ_XM", type=FieldType.NUMBER),
            "KZ_XM.type",
            "TYPE_FIELD_NARROWED",
            {"KZ_XM": "一"},
            {"KZ_XM": "1.5"},
        ),
        (
            with_field("KZ_HY", codes=("A", "B")),
            "KZ_HY.codes",
            "TYPE_CODE_REMOVED",
            {"KZ_HY": "C"},
            {"KZ_HY": "B"},
        ),
        (changed(fields=(NAME,)), "KZ_HY", "TYPE_FIELD_REMOVED", {"KZ_HY": "A"}, {"KZ_XM": "丰小玉"}),
        (
            changed(fields=(NAME, TRADE, FaceField("KZ_DZ", "地址", True, MaskRule.ADDRESS))),
            "KZ_DZ.required",
            "TYPE_FIELD_NOW_REQUIRED",
            {"KZ_XM": "丰小玉"},
            {"KZ_DZ": "一号"},
        ),
    ],
)
def test_what_asks_more_of_a_value_is_looked_for_in_the_stored_licences(
    new: LicenceType, path: str, reason: str, breaks: dict[str, str], keeps: dict[str, str]
) -> None:
    (change,) = [each for each in compare(KIND, new) if each.effect is not Effect.COMPATIBLE]
    assert (change.path, change.effect) == (f"face_fields.{path}", Effect.SCANNED)
    assert change.reason is not None
    assert change.reason.code == reason
    assert change.breaks(breaks, LicenceStatus.VALID)
    assert not change.breaks(keeps, LicenceStatus.VALID)


def test_what_was_out_of_order_before_does_not_stand_against_a_change() -> None:
    (change,) = compare(KIND, with_field("KZ_HY", codes=("A", "B")))
    assert not change.breaks({"KZ_HY": "no code at all"}, LicenceStatus.VALID)
    (change,) = compare(KIND, with_field("KZ_XM", max_length=3))
    assert not change.breaks({"KZ_XM": "长" * 11}, LicenceStatus.VALID)


def test_a_holder_category_stays_while_a_licence_is_in_force() -> None:
    (change,) = compare(KIND, changed(holder_category=HolderCategory.MIXED))
    assert change.breaks({}, LicenceStatus.VALID)
    assert change.breaks({}, LicenceStatus.SUSPENDED)
    assert not change.breaks({}, LicenceStatus.CANCELLED)


def test_a_code_is_never_changed() -> None:
    (change,) = compare(KIND, changed(code="11100000MB0143028R902"))
    assert change.effect is Effect.REFUSED


@given(kinds())
def test_a_type_is_compatible_with_itself(kind: LicenceType) -> None:
    assert compare(kind, kind) == []
    assert compare(kind, replace(kind, version=9)) == []


@given(kinds())
def test_a_type_reads_back_from_its_document_as_it_was(kind: LicenceType) -> None:
    again, problems = read_type(document_of(kind), version=kind.version)
    assert problems == []
    assert again == kind


@given(kinds(), kinds(), st.data())
def test_a_licence_stays_readable_through_every_version_that_may_be_published(
    first: LicenceType, second: LicenceType, data: st.DataObject
) -> None:
    old, new = first, replace(second, code=first.code, version=2)
    face = data.draw(faces(old))
    changes = compare(old, new)
    if any(each.effect is Effect.REFUSED or each.breaks(face, LicenceStatus.VALID) for each in changes):
        return  # not published
    licence = stored(face, type_version=1)
    kind = LicenceTypes([old, new]).of(licence)
    assert kind is not None
    assert [each.name for each in kind.fields] == [each.name for each in old.fields]
    assert kind.broken_rules(face) == old.broken_rules(face)
    kept = [rule for rule in new.broken_rules(face) if old.field(rule.field)]
    assert len(kept) <= len(old.broken_rules(face))
    for name, value in face.items():
        given = kind.seen(PurposeCategory.CONSENT_CODE, {name: value}).get(name)
        sights = {each.matrix.sight(PurposeCategory.CONSENT_CODE, name) for each in (old, new)}
        assert (given == value) if sights == {Sight.FULL} else True
