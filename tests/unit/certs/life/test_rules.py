"""The plain rules of a licence's life: cycles, terms, copies, the picture, the retention."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from chassis.errors import Fault
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.life.copies import waiting_copy
from services.certs.domain.life.history import day_start, term_over_at
from services.certs.domain.life.inspection import (
    Inspection,
    InspectionState,
    first_cycle,
    following,
    months_after,
    moved_on,
    window,
)
from services.certs.domain.life.order import (
    Decision,
    OrderedAct,
    decision_violations,
    effective_violations,
)
from services.certs.domain.life.retention import skeleton, terms
from services.certs.domain.life.rules import LifeRules, life_rules
from services.certs.domain.life.succession import next_identifier, renewed
from services.certs.domain.ofd.layout import lay_out
from services.certs.domain.ofd.preview import paint, preview
from services.certs.domain.status import LicenceStatus, StatusOrder, second_person_violations
from standards.identifiers import check_licence_identifier_for_issuing, parse_licence_identifier
from standards.persons import is_same_person, named
from tests.unit.certs.conftest import FOOD

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
YEARLY = LifeRules(inspection_months=12)


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(1, 36), st.integers(0, 400))
def test_the_first_cycle_is_the_one_that_ends_next(first: date, months: int, later: int):
    today = first + timedelta(days=later)
    rules = LifeRules(inspection_months=months)
    cycle = first_cycle(first, rules, today)
    assert months_after(first, months * cycle) >= today
    assert cycle == 1 or months_after(first, months * (cycle - 1)) < today


def test_a_month_without_the_day_ends_earlier():
    assert months_after(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert months_after(date(2025, 8, 31), 1) == date(2025, 9, 30)
    assert months_after(date(2025, 12, 31), -12 * 3) == date(2022, 12, 31)


def test_an_inspection_moves_with_time_only_forward():
    opens_at, due_by = window(date(2025, 6, 1), YEARLY, 1)
    found = Inspection("l", 1, "x", FOOD, "d", opens_at, due_by, InspectionState.SCHEDULED)
    assert found.due_date == "2026-06-01"
    moments = (opens_at - timedelta(seconds=1), opens_at, due_by - timedelta(seconds=1), due_by)
    assert [moved_on(found, each) for each in moments] == ["scheduled", "due", "due", "overdue"]
    assert moved_on(replace(found, state=InspectionState.PASSED), due_by) is InspectionState.PASSED
    later = following(found, date(2025, 6, 1), YEARLY)
    assert (later.cycle, later.due_date, later.state) == (2, "2027-06-01", "scheduled")


def test_the_ends_of_the_calendar_are_moments_like_others():
    assert day_start(date.min) < day_start(date(1, 1, 2)) < term_over_at(date(9999, 12, 30))
    assert term_over_at(date(9999, 12, 30)) < term_over_at(date.max)


@pytest.mark.parametrize(
    ("at", "reason"),
    [(datetime.max, "EFFECTIVE_TOO_FAR"), (datetime.min, "EFFECTIVE_BEFORE_ISSUE")],
)
def test_an_order_at_the_ends_of_the_calendar_is_a_wrong_field(at: datetime, reason: str):
    (wrong,) = effective_violations(at.replace(tzinfo=UTC), date(2026, 3, 1), NOW)
    assert (wrong.field_path, wrong.reason.code) == ("effective_at", reason)


SPELLINGS = ["３６１１０３０１Ｚ１", "36110301Z1\u200b", "36110301z1", " 361103 01-Z1 ", "36110301Z1\u3164"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_person_is_not_two_by_another_spelling(spelling: str):
    assert is_same_person("36110301Z1", spelling)
    said = Decision("r", "b", "36110301Z1", spelling)
    (wrong,) = decision_violations(said, OrderedAct.REVOKE, LifeRules())
    assert wrong.reason.code == "LICENCE_SECOND_PERSON_SAME"
    asked = StatusOrder(LicenceStatus.REVOKED, "r", "b", "36110301Z1", NOW, spelling)
    (wrong,) = second_person_violations(asked, {"revoke"})
    assert wrong.reason.code == "LICENCE_SECOND_PERSON_SAME"


@pytest.mark.parametrize("nobody", ["", "  ", "\u200b", "——"])
def test_a_text_that_names_nobody_is_no_second_person(nobody: str):
    assert named(nobody) == ""
    (wrong,) = decision_violations(Decision("r", "b", "o", nobody), OrderedAct.REVOKE, LifeRules())
    assert wrong.reason.code == "FIELD_REQUIRED"
    asked = StatusOrder(LicenceStatus.REVOKED, "r", "b", "o", NOW, nobody)
    (wrong,) = second_person_violations(asked, {"revoke"})
    assert wrong.reason.code == "SECOND_PERSON_REQUIRED"


@given(st.integers(1, 998), st.integers(1, 99))
def test_versions_and_copies_have_identifiers_that_we_may_issue(used: int, number: int):
    licence = _licence()
    version = next_identifier(licence, used)
    copy = waiting_copy(replace(licence, identifier=version), _kind(), "x", number).identifier
    for each in (version, copy):
        assert check_licence_identifier_for_issuing(each).valid
    assert parse_licence_identifier(version).version == used + 1
    assert parse_licence_identifier(copy).serial != parse_licence_identifier(version).serial
    with pytest.raises(Fault):
        next_identifier(licence, 999)


@given(st.integers(-800, 2_000), st.integers(1, 20))
def test_a_renewal_never_shortens_a_term(days: int, years: int):
    licence = replace(_licence(), valid_until=NOW.date() + timedelta(days=days))
    longer = renewed(licence, years, NOW)
    assert longer.valid_from is not None
    assert longer.valid_until is not None
    assert longer.valid_until > max(licence.valid_until or NOW.date(), NOW.date())
    assert longer.valid_from >= NOW.date()


def test_one_person_cannot_be_two():
    same = Decision("原因", "决定书", "甲", " 甲")
    for act in OrderedAct:
        found = decision_violations(same, act, LifeRules())
        assert [each.field_path for each in found] == ["decision.second_person"]


def test_a_type_that_says_nothing_has_the_defaults():
    assert life_rules(None) == LifeRules()


def test_every_type_and_none_has_a_term_of_retention(types):
    found = terms(types, NOW)
    assert sorted(code for term in found for code in term.type_codes) == sorted(types)
    assert found[-1].type_codes == ()
    assert {term.fell_before.year for term in found if term.years == 30} == {1996}


def test_a_skeleton_says_nothing_of_anybody(licence: Licence):
    bare = skeleton(licence)
    said = repr([bare.identifier, bare.number, dict(bare.face), [h.name + h.id_number for h in bare.holders]])
    assert said == "['', '', {}, ['']]"
    assert (bare.licence_id, bare.status, bare.valid_until) == (
        licence.licence_id,
        licence.status,
        licence.valid_until,
    )


def test_a_preview_is_the_page_under_its_mark(licence: Licence, types):
    kind = types[FOOD]
    marked, plain = (
        Image.open(io.BytesIO(each)).convert("L")
        for each in (preview(licence, kind), paint(lay_out(licence, kind)))
    )
    assert preview(licence, kind) == preview(licence, kind)
    assert marked.size == (1782, 1260)
    ink = sum(marked.point(lambda level: level < 128).histogram()[1:])
    assert ink > 5_000, "the text is there"
    assert ImageChops.difference(marked, plain).getbbox() is not None


_kept: list[tuple[Licence, LicenceType]] = []


@pytest.fixture(autouse=True)
def _keep(licence: Licence, types) -> None:
    _kept[:] = [(licence, types[FOOD])]


def _licence() -> Licence:
    return _kept[0][0]


def _kind() -> LicenceType:
    return _kept[0][1]
