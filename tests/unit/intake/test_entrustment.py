"""What may be entrusted, for how long, and how an entrustment stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.certs.domain.use_code import read_entrustment
from services.intake.domain.entrustment import (
    LONGEST,
    SCOPE_LIMIT,
    Entrustment,
    EntrustmentState,
    EntrustmentWish,
    Power,
    claims,
    wish_violations,
)
from standards.identifiers import build_citizen_id, build_uscc

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
GRANTOR = "111", build_citizen_id("361123", date(1956, 5, 4), 12)
AGENT = "111", build_citizen_id("361123", date(1956, 5, 4), 78)
TYPES, ITEMS = {"type-1"}, {"item-1"}
WISH = EntrustmentWish(AGENT, ("type-1",), ("item-1",), (Power.PRESENT,), None, NOW + timedelta(days=30))
GIVEN = Entrustment("e1", "p1", "p1", GRANTOR, WISH, "a.b.c", NOW, NOW, recorded_at=NOW)


def wrong(**changed: object) -> dict[str, str]:
    found = wish_violations(replace(WISH, **changed), GRANTOR, TYPES, ITEMS, NOW)  # type: ignore[arg-type]
    return {each.field_path: each.reason.code for each in found}


def test_a_citizen_or_an_organisation_may_be_the_agent() -> None:
    assert wrong() == {}
    assert wrong(agent=("001", build_uscc("92", "361123", "MATB0001"))) == {}
    assert wrong(agent=GRANTOR) == {"agent.id_number": "AGENT_IS_GRANTOR"}
    assert wrong(agent=("414", "E00000001")) == {"agent.id_type": "FIELD_MALFORMED"}
    assert list(wrong(agent=("111", "1"))) == ["agent.id_number"]


@pytest.mark.parametrize(
    ("begins", "ends", "holds"),
    [
        (None, LONGEST, True),
        (None, LONGEST + timedelta(seconds=1), False),
        (None, timedelta(), False),
        (timedelta(days=2), timedelta(days=1), False),
        (timedelta(days=400), LONGEST + timedelta(days=400), True),
        (-timedelta(days=9), -timedelta(days=1), False),
    ],
)
def test_the_term_ends_after_it_begins_in_the_future_and_within_three_years(
    begins: timedelta | None, ends: timedelta, holds: bool
) -> None:
    found = wrong(valid_from=None if begins is None else NOW + begins, expires_at=NOW + ends)
    assert found == ({} if holds else {"valid_until": "ENTRUSTMENT_TERM"})


def test_the_scope_is_named_known_and_not_endless() -> None:
    assert wrong(type_codes=(), powers=()) == {"licence_types": "FIELD_REQUIRED", "powers": "FIELD_REQUIRED"}
    assert wrong(item_codes=("item-1", "item-2")) == {"items[1]": "ENTRUSTED_ITEM_UNKNOWN"}
    assert wrong(type_codes=("type-1",) * (SCOPE_LIMIT + 1)) == {"licence_types": "FIELD_TOO_LONG"}


def test_the_registry_reads_what_was_meant() -> None:
    read = read_entrustment(claims("e1", GRANTOR, WISH, NOW))
    assert (read.grantor, read.agent, read.type_codes, read.item_codes) == (
        GRANTOR,
        AGENT,
        ("type-1",),
        ("item-1",),
    )
    assert (read.valid_from, read.expires_at, [str(each) for each in read.powers]) == (
        NOW,
        WISH.expires_at,
        ["present"],
    )


def test_an_entrustment_is_pending_begins_ends_and_stays_revoked() -> None:
    assert replace(GIVEN, recorded_at=None).state(NOW) is EntrustmentState.PENDING
    later = replace(GIVEN, valid_from=NOW + timedelta(days=1))
    assert later.state(NOW) is EntrustmentState.NOT_BEGUN
    assert later.state(NOW + timedelta(days=1)) is EntrustmentState.IN_FORCE
    assert GIVEN.state(WISH.expires_at) is EntrustmentState.ENDED
    taken = GIVEN.revoked(NOW + timedelta(days=1))
    assert taken.state(WISH.expires_at) is EntrustmentState.REVOKED
    assert taken.revoked(WISH.expires_at) is taken
    assert "111" not in repr(GIVEN)
