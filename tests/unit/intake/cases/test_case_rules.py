"""Single rules of cases: transitions in the database, deadlines, files, ratings, cards."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from chassis.errors import Fault
from services.certs.domain.issuing import term_end
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.deadlines import PartDeadline, deadline, deemed_accepted
from services.intake.domain.cases.issuing import _valid_until
from services.intake.domain.cases.materials import allowed_supplies, require_file_type
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.plan import plan_case
from services.intake.domain.cases.states import PartState, steps
from services.intake.domain.ratings import open_rectification, rate
from services.intake.domain.supervision import Card, card
from standards.working_days import Term

ROOT = Path(__file__).parents[4]
CATALOGUE = load_catalogue(ROOT / "catalogue")
NOW = datetime(2026, 2, 10, 2, 0, tzinfo=UTC)
ITEM = plan_case(
    CATALOGUE,
    "item",
    "food-operation-licence",
    "361123",
    {each.question_id: each.answers[0].value for each in CATALOGUE.item_questions("food-operation-licence")},
)


def test_the_database_holds_the_same_transitions_as_the_domain() -> None:
    path = ROOT / "services/intake/migrations/versions/0001_messaging_and_cases.py"
    spec = importlib.util.spec_from_file_location("first_migration", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.PART_STEPS) == {(source.value, target.value) for source, target in steps()}
    assert all(state.value in module.PART_STATES for state in PartState)


def test_a_deadline_counts_working_days_and_names_its_calendar() -> None:
    found = deadline(CATALOGUE.calendar, NOW, Term(5))
    assert found.due == date(2026, 2, 24)
    assert found.calendar_version == CATALOGUE.calendar.version


def test_a_deadline_into_a_year_not_loaded_is_pending() -> None:
    found = deadline(CATALOGUE.calendar, datetime(2026, 12, 21, tzinfo=UTC), Term(20))
    assert found == PartDeadline(Term(20), None, True, CATALOGUE.calendar.version)


def test_acceptance_is_deemed_after_five_working_days_only() -> None:
    assert not deemed_accepted(NOW, datetime(2026, 2, 24, 12, 0, tzinfo=UTC), CATALOGUE.calendar)
    assert deemed_accepted(NOW, datetime(2026, 2, 24, 16, 0, tzinfo=UTC), CATALOGUE.calendar)


def test_a_late_evening_in_china_is_still_the_same_day() -> None:
    evening = datetime(2026, 2, 10, 15, 59, tzinfo=UTC)  # 23:59 in China
    midnight = datetime(2026, 2, 10, 16, 0, tzinfo=UTC)
    assert deadline(CATALOGUE.calendar, evening, Term(1)).due == date(2026, 2, 11)
    assert deadline(CATALOGUE.calendar, midnight, Term(1)).due == date(2026, 2, 12)


def test_a_material_that_another_part_produces_is_not_asked_for() -> None:
    need = replace(ITEM.needs[0], supplied_by="another-item")
    assert allowed_supplies(need) == ()
    assert allowed_supplies(ITEM.needs[0])


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/pdf", b"\x89PNG\r\n\x1a\n"),
        ("text/html", b"<html>"),
        ("application/pdf", b""),
        ("application/x-msdownload", b"MZ"),
    ],
)
def test_a_file_of_another_type_than_it_says_is_refused(media_type: str, content: bytes) -> None:
    with pytest.raises(Fault) as refusal:
        require_file_type(media_type, content)
    assert refusal.value.code == "FILE_TYPE_REFUSED"


def test_a_rating_names_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(Fault) as refusal:
        rate("case", 9, ("510", "x"), "长" * 501, "web", NOW)
    codes = [each.reason.code for each in refusal.value.violations]
    assert codes == ["GRADE_UNKNOWN", "FIELD_TOO_LONG", "OPTION_OF_OTHER_GRADE", "FIELD_MALFORMED"]


def test_an_order_is_due_in_one_and_fifteen_working_days() -> None:
    order = open_rectification(rate("case", 2, (), "慢", "web", NOW), "order", CATALOGUE.calendar)
    assert (order.contact_due, order.rectify_due) == (date(2026, 2, 11), date(2026, 3, 9))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 2), Card.NONE),
        (date(2026, 3, 6), Card.BLUE),
        (date(2026, 3, 9), Card.YELLOW),
        (date(2026, 3, 10), Card.YELLOW),
        (date(2026, 3, 17), Card.RED),
    ],
)
def test_a_card_follows_from_the_dates_of_the_part_alone(day: date, expected: Card) -> None:
    part = Part("part", ITEM.items[0])
    part.submit("NO", datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    part.accept(datetime(2026, 3, 2, 2, 0, tzinfo=UTC), CATALOGUE.calendar)
    noon = datetime(day.year, day.month, day.day, 4, 0, tzinfo=UTC)
    assert card(part, noon, CATALOGUE.calendar) is expected


@pytest.mark.parametrize(
    ("decided_on", "last_day"),
    [
        (date(2026, 3, 2), date(2031, 3, 1)),
        (date(2028, 2, 29), date(2033, 2, 28)),
        (date(2027, 3, 1), date(2032, 2, 29)),
    ],
)
def test_the_last_day_on_the_face_of_a_licence_is_the_registrys(decided_on: date, last_day: date) -> None:
    product = ITEM.items[0].product
    assert product.validity.years == 5
    assert _valid_until(product, decided_on) == last_day.isoformat()
    assert term_end(decided_on, 5) == last_day
