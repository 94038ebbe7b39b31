"""The signed list of seal states for verifiers without a network."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain import der
from services.seal.domain.pki import make_crl
from services.seal.domain.status_list import (
    STATUS_LIST_MALFORMED,
    STATUS_LIST_STALE,
    STATUS_LIST_UNTRUSTED,
    make_status_list,
    verify_status_list,
)  # fmt: skip
from services.seal.domain.verification import SealState
from tests.unit.seal.sealing_room import NOW, SEAL_ID, evidence, judge, pki, sealed_once, sm2

DAY = timedelta(days=1)
HISTORY = {
    SEAL_ID: [(SealState.ACTIVE, NOW - 90 * DAY), (SealState.SUSPENDED, NOW - 10 * DAY), (SealState.ACTIVE, NOW - 5 * DAY)],
    "36110300000002": [(SealState.ACTIVE, NOW - 30 * DAY), (SealState.REVOKED, NOW - DAY)],
}  # fmt: skip


def signed(histories=HISTORY, credential=None, issued_at=NOW, next_update=NOW + DAY) -> bytes:
    credential = credential or pki().status
    key = sm2().open_key(credential.private_key)
    return make_status_list(sm2(), key, credential.certificate, issued_at, next_update, histories)


@lru_cache(maxsize=1)
def signed_once() -> bytes:
    return signed()


def refusal(data: bytes, known=None):
    with pytest.raises(Fault) as raised:
        verify_status_list(data, known or evidence())
    return raised.value.reason


def test_the_list_answers_for_every_moment():
    found = verify_status_list(signed(), evidence())
    assert (found.issued_at, found.next_update) == (NOW, NOW + DAY)
    answers = [found.state_at(SEAL_ID, NOW - days * DAY) for days in (100, 50, 7, 1)]
    assert answers == [SealState.UNKNOWN, SealState.ACTIVE, SealState.SUSPENDED, SealState.ACTIVE]
    assert found.state_at("36110300000002", NOW) is SealState.REVOKED
    assert found.state_at("nobody", NOW) is SealState.UNKNOWN
    assert found.state_at(SEAL_ID, NOW + 2 * DAY) is SealState.UNKNOWN


def test_a_document_verifies_offline_with_the_list():
    found = verify_status_list(signed(), evidence())
    assert judge(sealed_once(), evidence(seal_status=found.state_at)).verdict == "VALID"
    stopped = signed({SEAL_ID: [(SealState.SUSPENDED, NOW - DAY)]})
    lookup = verify_status_list(stopped, evidence()).state_at
    assert judge(sealed_once(), evidence(seal_status=lookup)).failed() == {"seal_status": "SEAL_NOT_ACTIVE"}


def test_a_list_past_its_next_update_is_stale():
    assert refusal(signed(next_update=NOW + timedelta(minutes=1))) is STATUS_LIST_STALE
    assert refusal(signed(issued_at=NOW + DAY, next_update=NOW + 2 * DAY)) is STATUS_LIST_STALE


def test_only_the_status_key_signs_lists():
    assert refusal(signed(credential=pki().maker)) is STATUS_LIST_UNTRUSTED
    assert refusal(signed(), evidence(anchors=())) is STATUS_LIST_UNTRUSTED
    revoked = make_crl(sm2(), pki().maker_ca, {pki().status.certificate: NOW - DAY}, 7, NOW)
    assert refusal(signed(), evidence(crls=(revoked,))) is STATUS_LIST_UNTRUSTED


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_list_is_refused(data):
    whole = bytearray(signed_once())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    assert refusal(bytes(whole)) in {STATUS_LIST_MALFORMED, STATUS_LIST_UNTRUSTED, STATUS_LIST_STALE}


def test_the_order_in_which_seals_are_given_does_not_matter():
    tbs = [
        der.children(der.read(data))[0].raw for data in (signed(), signed(dict(reversed(HISTORY.items()))))
    ]
    assert tbs[0] == tbs[1]
