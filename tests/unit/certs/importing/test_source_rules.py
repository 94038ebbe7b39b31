"""Whose licences a source may deliver, and whose word counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chassis.errors import Fault
from services.certs.domain.importing.source import (
    Source,
    arrivals,
    authority_problems,
    check_source,
    own_source,
)
from services.certs.domain.importing.verdicts import Comes, Met, is_outranked, status_change
from services.certs.domain.licence import Origin
from services.certs.domain.status import LicenceStatus
from tests.unit.certs.conftest import FOOD, MARKET

FIRE, LAIFENG = "11361103TB100002XM", "11422827TB1000077T"


def named(source: Source, issuer: str, identifier: str = "x", type_code: str = FOOD) -> list[tuple[str, str]]:
    found = authority_problems(source, issuer, type_code, identifier)
    return [(each.field_path, each.reason.code) for each in found]


def test_a_department_speaks_for_itself_and_the_keeper_for_its_county():
    own = own_source(MARKET, "361103", "", keeps_county=False)
    keeper = own_source(FIRE, "361103", "", keeps_county=True)
    assert named(own, MARKET) == named(keeper, MARKET) == named(keeper, "361103") == []
    assert named(own, FIRE) == [("ZZBFJGDM", "SOURCE_NOT_FOR_ISSUER")]
    assert named(own, "361103") == [("ZZBFJGDM", "SOURCE_NOT_FOR_ISSUER")]
    assert named(keeper, LAIFENG) == [("ZZBFJGDM", "ISSUER_OF_ANOTHER_COUNTY")]


@pytest.mark.parametrize(
    ("inside", "reason"), [(FIRE, "SOURCE_NOT_FOR_ISSUER"), (LAIFENG, "ISSUER_OF_ANOTHER_COUNTY")]
)
def test_the_issuer_inside_the_identifier_counts_as_well(inside, reason):
    own = own_source(MARKET, "361103", "", keeps_county=False)
    assert named(own, MARKET, f"1.2.156.3005.2.{FOOD}.{inside}.1.001.0") == [("ZZBS", reason)]


def test_a_source_of_some_types_delivers_no_others():
    some = Source("s", FIRE, "361103", type_codes=("X",))
    assert named(some, MARKET) == [("ZZLXDM", "SOURCE_NOT_FOR_ISSUER")]


def test_only_another_source_of_higher_priority_prevails_over_what_comes():
    met = Met(Origin.IMPORTED, LicenceStatus.VALID, "361103", MARKET, FOOD, "a", 50)
    assert is_outranked(met, Comes(None, "b", 49))
    assert not is_outranked(met, Comes(None, "b", 50))
    assert not is_outranked(met, Comes(None, "a", 10)), "a source may always correct itself"
    assert not is_outranked(replace(met, source_id=""), Comes(None, "b", 10)), "rows of before have none"


def test_every_wrong_field_of_a_registration_is_named_at_once():
    wrong = Source("", " ", "36", "x" * 201, 101, ("",), (), 0)
    with pytest.raises(Fault) as refused:
        check_source(wrong)
    assert [each.field_path for each in refused.value.violations] == [
        "source_id",
        "department_code",
        "name",
        "county_code",
        "priority",
        "freshness_seconds",
        "issuer_codes",
    ]


def test_arrivals_are_counted_by_days_from_act_to_arrival():
    today = date(2026, 3, 9)
    days = [0, 1, 2, 7, 8, 30, 31, 400]
    (found,) = arrivals([(FOOD, date.fromordinal(today.toordinal() - n)) for n in days], today)
    assert (found.within_1_day, found.within_7_days, found.within_30_days, found.later) == (2, 2, 2, 2)
    assert (found.latest_delay_days, found.worst_delay_days, found.last_act_on) == (0, 400, today)
    assert arrivals([], today) == []


@pytest.mark.parametrize("status", [s for s in LicenceStatus if s not in {"draft", "pending_seal"}])
def test_every_status_that_a_register_can_tell_has_its_act(status):
    at = datetime(2026, 3, 9, tzinfo=UTC)
    assert status_change(LicenceStatus.VALID, status, "s", "b", "", at).reason
