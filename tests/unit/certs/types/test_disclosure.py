"""What each purpose sees of a licence, by the matrix of its type's version and of the newest one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.certs.domain.disclosure import disclosed, masked
from services.certs.domain.licence_type import FaceField, LicenceType, LicenceTypes, Matrix, Sight
from services.certs.domain.purpose import Basis, Purpose, PurposeCategory, category_of
from standards.masking import MaskRule
from tests.unit.certs.types.kinds import FOOD, stored

CODES = {PurposeCategory.CONSENT_CODE, PurposeCategory.DUTY_CODE, PurposeCategory.ENTRUSTED_CODE}
KIND = LicenceType(
    FOOD,
    "食品经营许可证",
    (FaceField("KZ_XM", "姓名", True, MaskRule.NAME), FaceField("KZ_HY", "行业", False, MaskRule.NONE)),
)
FACE = {"KZ_XM": "丰小玉", "KZ_HY": "餐饮", "KZ_QT": "其他"}
LICENCE = stored(FACE, type_version=1)


def said(version: int = 1, **columns: dict[str, Sight]) -> LicenceType:
    return replace(
        KIND, version=version, matrix=Matrix({PurposeCategory(name): each for name, each in columns.items()})
    )


@pytest.mark.parametrize("category", sorted(set(PurposeCategory) - CODES))
def test_where_a_type_says_nothing_a_reader_sees_masked_values(category: PurposeCategory) -> None:
    face = masked(LICENCE, KIND, category).face
    assert face == {"KZ_XM": "丰**", "KZ_HY": "餐饮", "KZ_QT": "**"}


@pytest.mark.parametrize("category", sorted(CODES))
def test_where_a_type_says_nothing_a_code_gives_its_fields_in_clear(category: PurposeCategory) -> None:
    assert disclosed(LICENCE, KIND, ["KZ_XM", "KZ_NO"], category).face == {"KZ_XM": "丰小玉"}


def test_a_purpose_sees_what_its_column_says_and_another_purpose_does_not() -> None:
    kind = said(
        statutory_duty={"KZ_XM": Sight.FULL, "*": Sight.HIDDEN},
        consent_code={"KZ_XM": Sight.MASKED, "KZ_HY": Sight.HIDDEN},
    )
    assert masked(LICENCE, kind, PurposeCategory.STATUTORY_DUTY).face == {"KZ_XM": "丰小玉"}
    assert masked(LICENCE, kind).face["KZ_XM"] == "丰**"
    assert disclosed(LICENCE, kind, FACE).face == {"KZ_XM": "丰**", "KZ_QT": "其他"}
    assert disclosed(LICENCE, kind, FACE, PurposeCategory.DUTY_CODE).face == FACE


def test_an_older_licence_is_never_shown_wider_than_its_own_version_or_the_newest_says() -> None:
    first = said(preview={"KZ_HY": Sight.HIDDEN})
    second = said(2, preview={"KZ_XM": Sight.HIDDEN, "KZ_HY": Sight.FULL})
    types = LicenceTypes([second, first])
    assert types[FOOD] is second
    assert masked(LICENCE, types.of(LICENCE)).face == {"KZ_QT": "**"}
    newer = replace(LICENCE, type_version=2)
    assert masked(newer, types.of(newer)).face == {"KZ_HY": "餐饮", "KZ_QT": "**"}


def test_a_mask_that_a_newer_version_sets_counts_at_once_and_one_that_it_lifts_stays_for_the_old() -> None:
    tight = replace(KIND, version=2, fields=(KIND.fields[0], replace(KIND.fields[1], mask=MaskRule.HIDDEN)))
    assert masked(LICENCE, LicenceTypes([KIND, tight]).of(LICENCE)).face["KZ_HY"] == "**"
    loose = replace(KIND, version=2, fields=(replace(KIND.fields[0], mask=MaskRule.NONE), KIND.fields[1]))
    assert masked(LICENCE, LicenceTypes([KIND, loose]).of(LICENCE)).face["KZ_XM"] == "丰**"


def test_a_version_not_read_yet_counts_as_the_newest_known_and_an_unknown_type_as_none() -> None:
    types = LicenceTypes([KIND])
    assert types.of(replace(LICENCE, type_version=7)) is KIND
    assert types.of(replace(LICENCE, type_code="x")) is None
    types.take([])
    assert types.of(LICENCE) is None
    assert set("".join(masked(LICENCE, None).face.values())) == {"*"}


def test_a_read_without_a_code_is_of_the_category_of_its_basis() -> None:
    found = {basis: category_of(Purpose("审查", basis)) for basis in (*Basis, None)}
    assert found[Basis.STATUTORY_DUTY] is PurposeCategory.STATUTORY_DUTY
    assert found[Basis.SHOWN_BY_HOLDER] is PurposeCategory.SHOWN_BY_HOLDER
    assert found[Basis.CONSENT] is found[None] is PurposeCategory.PREVIEW
