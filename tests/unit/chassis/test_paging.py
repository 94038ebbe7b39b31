"""Page tokens: ours come back as the place they name, anything else is refused."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.paging import TOKEN_LIMIT, page_token, page_token_mistakes, read_page_token

MOMENT, NAME = datetime(2026, 3, 1, 8, tzinfo=UTC), "0195a3c8-7d5e-7c3a-9b1e-0123456789ab"


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_token_names_its_place(moment: datetime, name: uuid.UUID) -> None:
    token = page_token((moment, str(name)))
    assert read_page_token(token) == (moment, str(name))
    assert len(token) <= TOKEN_LIMIT


def test_no_token_is_the_first_page_and_zones_do_not_matter() -> None:
    assert read_page_token("") is None
    away = MOMENT.astimezone(timezone(timedelta(hours=8)))
    assert read_page_token(page_token((away, NAME))) == (MOMENT, NAME)


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "你好",
        packed("[" * 140),
        packed(f"2026-01-01T00:00:00|{NAME}"),
        packed("2026-01-01T00:00:00+00:00|\0"),
        packed(f"9999-12-31T23:59:59-23:59|{NAME}"),
        packed(f"2026-01-01T00:00:00+00:00|{NAME.upper()}"),
        page_token((MOMENT, NAME)) + "A" * TOKEN_LIMIT,
    ],
)
def test_any_other_text_is_malformed(token: str) -> None:
    (mistake,) = page_token_mistakes(token)
    assert (mistake.field_path, mistake.reason.code) == ("page_token", "FIELD_MALFORMED")


@given(st.text(max_size=300))
def test_no_text_does_anything_but_be_refused(token: str) -> None:
    assert len(page_token_mistakes(token)) == (0 if token == "" else 1)
