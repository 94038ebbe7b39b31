"""Types and faces to try rules on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from hypothesis import strategies as st

from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import FaceField, LicenceType, Matrix, QualityRule, Sight, terms
from services.certs.domain.purpose import PurposeCategory
from services.certs.domain.status import LicenceStatus
from standards.masking import MaskRule

FOOD = "11100000MB0143028R901"
NAMES = ("KZ_XM", "KZ_HY", "KZ_RQ", "KZ_DZ", "KZ_SL")
_words = st.text(alphabet="甲乙丙丁AB12 ", min_size=1, max_size=12).filter(str.strip)
_codes = st.lists(st.sampled_from(["A", "B", "C", "甲"]), max_size=4, unique=True).map(tuple)


@st.composite
def face_fields(draw: st.DrawFn, name: str) -> FaceField:
    mask = draw(st.sampled_from(MaskRule))
    return FaceField(
        name,
        draw(_words),
        draw(st.booleans()),
        mask,
        draw(_words),
        draw(st.sampled_from(terms.FieldType)),
        draw(st.integers(0, 12)),
        mask is not MaskRule.NONE and draw(st.booleans()),
        draw(st.sampled_from(["", "[A-C]{1,2}", "[0-9]+", ".{1,9}"])),
        draw(_codes),
    )


@st.composite
def kinds(draw: st.DrawFn) -> LicenceType:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    kind = draw(st.sampled_from(terms.ValidityKind))
    years = draw(st.integers(1, 99)) if kind is terms.ValidityKind.YEARS else 0
    columns = st.dictionaries(st.sampled_from([*names, "*"]), st.sampled_from(Sight), min_size=1, max_size=4)
    return LicenceType(
        FOOD,
        draw(_words),
        tuple(draw(face_fields(name)) for name in names),
        draw(_words),
        tuple(draw(st.lists(st.sampled_from(names), unique=True))) if names else (),
        holder_category=draw(st.sampled_from(terms.HolderCategory)),
        validity=terms.Validity(kind, years),
        basis=tuple(draw(st.lists(st.builds(terms.LegalBasis, _words, _words), max_size=2))),
        related_items=tuple(draw(st.lists(st.builds(terms.RelatedItem, _words, _words), max_size=2))),
        further_terms=tuple(draw(st.lists(st.sampled_from(["1年", "30年", "长期"]), max_size=2))),
        copies_allowed=draw(st.integers(0, 99)),
        freshness_objective_seconds=draw(st.integers(0, 10**8)),
        quality_rules=tuple(
            draw(st.lists(st.builds(QualityRule, st.just("holder_check"), flag=st.booleans()), max_size=2))
        ),
        matrix=Matrix(draw(st.dictionaries(st.sampled_from(PurposeCategory), columns, max_size=3))),
    )


def faces(kind: LicenceType) -> st.SearchStrategy[dict[str, str]]:
    values = st.sampled_from(["A", "B", "丙", "2024-02-30", "2024-02-29", "7", "一二三四五六七八九十"])
    return st.dictionaries(st.sampled_from([each.name for each in kind.fields] or ["KZ_OTHER"]), values)


def stored(face: Mapping[str, str], *, type_version: int, type_code: str = FOOD) -> Licence:
    return Licence(
        licence_id="0195d0f2-0000-7000-8000-000000000001",
        lineage_id="0195d0f2-0000-7000-8000-000000000001",
        identifier="1.2.156.3005.2.11100000MB0143028R901.11361103TB1000011X.20260000001.001.1",
        type_code=type_code,
        type_name="食品经营许可证",
        number="3611032026000001",
        issuer_code="11361103TB1000011X",
        issuer_name="上饶市广丰区市场监督管理局",
        county_code="361103",
        holders=(Holder("111", "11010519491231002X", "丰小玉"),),
        issued_date=date(2026, 3, 9),
        valid_from=None,
        valid_until=None,
        status=LicenceStatus.VALID,
        face=face,
        origin=Origin.IMPORTED,
        trust_grade="A",
        type_version=type_version,
    )
