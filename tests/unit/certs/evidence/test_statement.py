"""The offline statement: no number in it, no life beyond a day or the term, its log evidence named by digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.presentation import LogEvidence, check_statement, read_statement, state
from services.certs.domain.presentation.offline import LONGEST
from services.certs.domain.status import LicenceStatus
from tests.unit.certs.conftest import NOW, data, licence, types

__all__ = ["data", "licence", "types"]


@pytest.fixture
def valid(licence):
    return replace(licence, status=LicenceStatus.VALID)


def test_a_statement_reads_as_it_was_written(valid):
    for log in (None, LogEvidence(b"leaf", b"proof")):
        made = state(valid, "handle", timedelta(hours=1), log, NOW)
        assert read_statement(made.claims()) == made
        assert bool(made.log_digest) == bool(log)
        assert "11010519491231002X" not in str(made.claims())


def test_it_never_outlives_a_day_or_the_term(valid):
    long = state(valid, "h", timedelta(days=9), None, NOW)
    assert long.expires_at - long.issued_at == LONGEST
    last = replace(valid, valid_until=NOW.date())
    assert state(last, "h", LONGEST, None, NOW).expires_at == datetime(2026, 3, 9, 16, tzinfo=UTC)


def test_the_digest_of_evidence_tells_leaf_from_proof():
    digests = {
        LogEvidence(*each).digest for each in ((b"ab", b"c"), (b"a", b"bc"), (b"abc", b""), (b"", b"abc"))
    }
    assert len(digests) == 4


def test_one_that_lives_too_long_or_begins_later_was_not_made_here(valid):
    made = state(valid, "h", LONGEST, None, NOW)
    assert check_statement(made, NOW) is made
    for wrong in (
        replace(made, expires_at=made.expires_at + timedelta(seconds=1)),
        replace(made, issued_at=NOW + timedelta(minutes=1)),
    ):
        with pytest.raises(Fault) as refused:
            check_statement(wrong, NOW)
        assert refused.value.code == "PRESENTATION_MALFORMED"


@given(
    st.dictionaries(
        st.sampled_from(["jti", "lid", "v", "iat", "exp", "lg"]), st.none() | st.text() | st.integers()
    )
)
def test_no_claims_break_the_reader(claims):
    with pytest.raises(Fault) as refused:
        read_statement(claims)
    assert refused.value.code == "PRESENTATION_MALFORMED"
