"""Whether a use-code may be consumed: one pure rule, each difference its own reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.status import LicenceStatus
from services.certs.domain.use_code import (
    LONGEST_LIFE,
    Attempt,
    Binding,
    Consent,
    UseCode,
    check_binding,
    check_grant,
    refusal_of,
)
from tests.unit.certs.conftest import FOOD, MARKET, NOW

HOLDER = ("111", "11010519491231002X")
BINDING = Binding("licence-1", "item-1", "case-1", MARKET, ("KZ_JYCS",), "审查", NOW + timedelta(days=30), 1)
CODE = UseCode("code-1", BINDING, 1, None)
ATTEMPT = Attempt(MARKET, "item-1", "case-1", "审查")
CONSENT = Consent("2026-1", NOW)


def test_the_bound_attempt_goes_ahead():
    assert refusal_of(CODE, ATTEMPT, NOW) is None


@pytest.mark.parametrize(
    ("code", "attempt", "reason"),
    [
        (CODE, replace(ATTEMPT, consumer_code="other"), "USE_CODE_WRONG_CONSUMER"),
        (CODE, replace(ATTEMPT, item_code="other"), "USE_CODE_WRONG_ITEM"),
        (CODE, replace(ATTEMPT, case_id="other"), "USE_CODE_WRONG_CASE"),
        (CODE, replace(ATTEMPT, use_cause="other"), "USE_CODE_WRONG_PURPOSE"),
        (replace(CODE, revoked_at=NOW), ATTEMPT, "USE_CODE_REVOKED"),
        (replace(CODE, binding=replace(BINDING, expires_at=NOW)), ATTEMPT, "USE_CODE_EXPIRED"),
        (replace(CODE, uses_left=0), ATTEMPT, "USE_CODE_SPENT"),
    ],
)
def test_each_difference_has_its_own_reason(code, attempt, reason):
    found = refusal_of(code, attempt, NOW)
    assert found is not None
    assert found.code == reason


@given(
    st.sampled_from([MARKET, "x"]),
    st.sampled_from(["item-1", "x"]),
    st.sampled_from(["case-1", "", "x"]),
    st.sampled_from(["审查", "", "x"]),
    st.integers(0, 2),
    st.sampled_from([None, NOW]),
    st.integers(-60, 60),
)
def test_nothing_but_the_exact_binding_ever_goes_ahead(consumer, item, case, cause, left, revoked, seconds):
    binding = replace(BINDING, expires_at=NOW + timedelta(seconds=seconds))
    attempt = Attempt(consumer, item, case, cause)
    found = refusal_of(UseCode("c", binding, left, revoked), attempt, NOW)
    exact = attempt == ATTEMPT and left > 0 and revoked is None and seconds > 0
    assert (found is None) == exact
    if consumer != MARKET:
        assert found is not None
        assert found.code == "USE_CODE_WRONG_CONSUMER"  # another department learns nothing else


def test_a_binding_says_everything_that_is_wrong_at_once():
    wrong = Binding("", "", "", "", (), "", NOW + LONGEST_LIFE + timedelta(days=1), 11)
    with pytest.raises(Fault) as refused:
        check_binding(wrong, Consent("", None), ("777", ""), NOW)
    assert {each.field_path for each in refused.value.violations} == {
        "holder_id_type_code",
        "holder_id_number",
        "licence_id",
        "item_code",
        "case_id",
        "consumer_code",
        "use_cause",
        "expires_at",
        "max_uses",
        "consent_version",
        "consented_at",
    }
    check_binding(BINDING, CONSENT, HOLDER, NOW)


def test_a_grant_needs_the_holder_a_licence_in_force_and_known_fields(licence, types):
    kind = types[FOOD]
    valid = replace(licence, status=LicenceStatus.VALID)
    check_grant(BINDING, valid, kind, HOLDER, NOW)
    for given_licence, holder, binding, reason in (
        (valid, ("111", "440524188001010014"), BINDING, "LICENCE_OF_ANOTHER_HOLDER"),
        (licence, HOLDER, BINDING, "LICENCE_NOT_USABLE"),
        (replace(valid, valid_until=NOW.date() - timedelta(days=1)), HOLDER, BINDING, "LICENCE_NOT_USABLE"),
        (valid, HOLDER, replace(BINDING, face_fields=("KZ_NONE",)), "INVALID_REQUEST"),
    ):
        with pytest.raises(Fault) as refused:
            check_grant(binding, given_licence, kind, holder, NOW)
        assert refused.value.code == reason
