from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.intake.domain.identity.person import CardReading, is_same, reading_mistakes, registered
from services.intake.domain.identity.representation import uscc_mistakes
from services.intake.domain.identity.session import ABSOLUTE_LIFETIME, new_session
from standards.identifiers import build_citizen_id

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NUMBER = build_citizen_id("361123", date(1956, 5, 4), 12)


def found(reading: CardReading) -> list[tuple[str, str]]:
    return [(each.field_path, each.reason.code) for each in reading_mistakes(reading, NOW)]


def test_a_good_reading_has_no_mistakes() -> None:
    assert found(CardReading(NUMBER, "测试甲", "simulator")) == []


def test_every_mistake_of_a_reading_is_named_at_once() -> None:
    wrong = NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1")
    assert found(CardReading(wrong, " ", "camera")) == [
        ("reading.id_number", "CITIZEN_ID_CHECK_WRONG"),
        ("reading.name", "FIELD_REQUIRED"),
        ("reading.reader", "FIELD_MALFORMED"),
    ]


def test_a_card_of_somebody_not_born_yet_is_refused() -> None:
    unborn = build_citizen_id("361123", date(2031, 1, 1), 7)
    assert found(CardReading(unborn, "测试甲", "simulator")) == [
        ("reading.id_number", "CITIZEN_ID_BIRTH_DATE_WRONG")
    ]


@pytest.mark.parametrize("name", ["测试乙", "测试甲乙"])
def test_a_card_with_another_name_is_not_the_same_person(name: str) -> None:
    person = registered("p", CardReading(NUMBER, "测试甲", "simulator"), "19900000001", NOW)
    assert is_same(person, CardReading(NUMBER, "测试甲", "simulator"))
    assert not is_same(person, CardReading(NUMBER, name, "simulator"))


def test_personal_values_are_in_no_repr() -> None:
    reading = CardReading(NUMBER, "测试甲", "simulator")
    person = registered("p", reading, "19900000001", NOW)
    for text in (repr(reading), repr(person)):
        assert NUMBER not in text
        assert "测试甲" not in text
        assert "19900000001" not in text


def test_a_session_lasts_fifteen_minutes_and_ends_once() -> None:
    session = new_session("s", "p", "KIOSK-361123-01", 3, NOW)
    assert session.live(NOW + ABSOLUTE_LIFETIME * 0.99)
    assert not session.live(NOW + ABSOLUTE_LIFETIME)
    assert session.end(NOW)
    assert not session.end(NOW)
    assert not session.live(NOW)


def test_a_code_of_an_organisation_is_checked() -> None:
    assert [each.reason.code for each in uscc_mistakes("")] == ["FIELD_REQUIRED"]
    assert [each.reason.code for each in uscc_mistakes("123")] == ["USCC_LENGTH_WRONG"]
