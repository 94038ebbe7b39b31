"""Every forgery fails the one check it should, for the one reason, and its sound twin is valid."""

from __future__ import annotations

import pytest

from tests.unit.seal.negatives import package_cases, signature_cases, structure_cases, trust_cases
from tests.unit.seal.negatives.forging import Case
from tests.unit.seal.sealing_room import judge

CASES = [
    *package_cases.CASES,
    *signature_cases.CASES,
    *structure_cases.CASES,
    *trust_cases.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_forgery_fails_the_check_it_should_and_its_twin_is_valid(case: Case):
    answer = judge(case.make(True), case.known())
    assert answer.verdict == ("INVALID" if case.result == "invalid" else "INDETERMINATE")
    assert answer.checks[case.check] == (case.result, case.reason)
    if case.result == "invalid":
        assert answer.failed() == {case.check: case.reason, **case.also}
    else:
        assert answer.failed() == {}
    twin = judge(case.make(False), case.twin())
    assert (twin.verdict, twin.failed(), twin.unsettled()) == ("VALID", {}, {})


def test_there_are_enough_of_them_and_every_check_is_met():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.check for case in CASES} >= {
        "container", "references", "digests", "signature", "certlist", "seal_signature", "seal_validity",
        "maker_chain", "signer_chain", "revocation", "timestamp", "seal_status", "coverage",
    }  # fmt: skip
