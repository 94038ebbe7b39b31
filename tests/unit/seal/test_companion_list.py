"""The signed list of PDF certificates for verifiers without a network: what it says, and what is refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain import der
from services.seal.domain.companion_list import (
    COMPANION_LIST_MALFORMED,
    COMPANION_LIST_STALE,
    COMPANION_LIST_UNTRUSTED,
    ListedCompanion,
    make_companion_list,
    verify_companion_list,
)
from services.seal.domain.pki import make_crl, make_development_pki
from services.seal.domain.status_list import STATUS_LIST_MALFORMED, make_status_list, verify_status_list
from tests.unit.seal.sealing_room import NOW, SEAL_ID, evidence, pki, sm2

DAY = timedelta(days=1)
CERTIFICATE = b"the certificate of a seal for PDF"
SHA256 = hashlib.sha256(CERTIFICATE).digest()
OTHER = "36110300000002"
LISTED = {
    SEAL_ID: ListedCompanion(NOW - 90 * DAY, NOW + 900 * DAY, frozenset({SHA256})),
    OTHER: ListedCompanion(NOW - 30 * DAY, NOW + 800 * DAY, frozenset({bytes(32), b"\x01" * 32})),
}


def signed(listed=LISTED, credential=None, issued_at=NOW, next_update=NOW + DAY) -> bytes:
    credential = credential or pki().status
    key = sm2().open_key(credential.private_key)
    return make_companion_list(sm2(), key, credential.certificate, issued_at, next_update, listed)


@lru_cache(maxsize=1)
def signed_once() -> bytes:
    return signed()


def refusal(data: bytes, known=None):
    with pytest.raises(Fault) as raised:
        verify_companion_list(data, known or evidence())
    return raised.value.reason


def test_the_list_says_which_certificate_belongs_to_which_seal_and_since_when():
    found = verify_companion_list(signed(), evidence())
    assert (found.issued_at, found.next_update) == (NOW, NOW + DAY)
    assert found.companions == LISTED
    assert found.companions[SEAL_ID].holds(CERTIFICATE)
    assert not found.companions[OTHER].holds(CERTIFICATE)


def test_a_list_past_its_next_update_is_stale():
    assert refusal(signed(next_update=NOW + timedelta(minutes=1))) is COMPANION_LIST_STALE
    assert refusal(signed(issued_at=NOW + DAY, next_update=NOW + 2 * DAY)) is COMPANION_LIST_STALE


def test_only_the_status_key_of_our_own_authority_signs_lists():
    assert refusal(signed(credential=pki().maker)) is COMPANION_LIST_UNTRUSTED
    assert refusal(signed(), evidence(anchors=())) is COMPANION_LIST_UNTRUSTED
    stranger = make_development_pki(sm2(), [], NOW - 9 * DAY)
    assert refusal(signed(credential=stranger.status)) is COMPANION_LIST_UNTRUSTED
    revoked = make_crl(sm2(), pki().maker_ca, {pki().status.certificate: NOW - DAY}, 7, NOW)
    assert refusal(signed(), evidence(crls=(revoked,))) is COMPANION_LIST_UNTRUSTED


def test_another_certificate_put_into_the_list_breaks_its_signature():
    forged = signed_once().replace(SHA256, hashlib.sha256(b"the forger's certificate").digest())
    assert forged != signed_once()
    assert refusal(forged) is COMPANION_LIST_UNTRUSTED


def test_neither_list_passes_for_the_other():
    status = pki().status
    key = sm2().open_key(status.private_key)
    states = make_status_list(sm2(), key, status.certificate, NOW, NOW + DAY, {})
    assert refusal(states) is COMPANION_LIST_MALFORMED
    with pytest.raises(Fault) as raised:
        verify_status_list(signed({}), evidence())
    assert raised.value.reason is STATUS_LIST_MALFORMED


def test_a_digest_of_another_length_is_no_certificate():
    short = {SEAL_ID: ListedCompanion(NOW, NOW + DAY, frozenset({b"\x01" * 20}))}
    assert refusal(signed(short)) is COMPANION_LIST_MALFORMED


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_list_is_refused(data):
    whole = bytearray(signed_once())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    assert refusal(bytes(whole)) in {COMPANION_LIST_MALFORMED, COMPANION_LIST_UNTRUSTED, COMPANION_LIST_STALE}


def test_the_order_in_which_seals_are_given_does_not_matter():
    tbs = [der.children(der.read(data))[0].raw for data in (signed(), signed(dict(reversed(LISTED.items()))))]
    assert tbs[0] == tbs[1]
