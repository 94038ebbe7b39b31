"""Tokens, assertions and signed documents: only the right key, issuer, audience, type and time pass."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from chassis.auth import (
    ActingPerson,
    DocumentSigner,
    TokenSigner,
    TokenVerifier,
    claimed_terminal,
    new_signing_key,
    public_keys,
    read_jwks,
    sign_assertion,
    signing_key_from_pem,
    verify_assertion,
    verify_document,
    write_jwks,
)
from chassis.auth.tokens import TOKEN_TYPE
from chassis.errors import Fault

KEY, OTHER = new_signing_key(), new_signing_key()
ISSUER = "https://intake.example"
PERSON = ActingPerson("p-1", 3, "kiosk-7", "s-1", "company-9", ("clerk",))
NOON = datetime(2026, 11, 1, 4, tzinfo=UTC)


class Hand:
    present = NOON

    def __call__(self) -> datetime:
        return self.present


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def verifier(clock) -> TokenVerifier:
    return TokenVerifier(public_keys([KEY]), ISSUER, now=clock)


def test_a_token_names_the_person_it_was_signed_for(verifier, clock) -> None:
    token = TokenSigner(KEY, ISSUER, now=clock).sign(PERSON)
    assert verifier.verify(token) == PERSON
    assert verifier.verify(token) == PERSON


def test_a_token_ends_even_when_it_was_verified_before(verifier, clock) -> None:
    token = TokenSigner(KEY, ISSUER, now=clock).sign(PERSON, lifetime_seconds=60)
    verifier.verify(token)
    clock.present = NOON + timedelta(seconds=60)
    with pytest.raises(Fault, check=lambda fault: fault.code == "NOT_AUTHENTICATED"):
        verifier.verify(token)


def test_an_ended_session_closes_its_tokens_at_once(clock) -> None:
    ended: set[str] = set()
    verifier = TokenVerifier(public_keys([KEY]), ISSUER, now=clock, ended=ended.__contains__)
    token = TokenSigner(KEY, ISSUER, now=clock).sign(PERSON)
    verifier.verify(token)
    ended.add("s-1")
    with pytest.raises(Fault):
        verifier.verify(token)


def forged(clock: Hand) -> dict[str, str]:
    sign = TokenSigner(KEY, ISSUER, now=clock).sign
    good = sign(PERSON)
    head, body, signature = good.split(".")
    none = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": TOKEN_TYPE}).encode()).decode().rstrip("=")
    )
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    secret = OctKey.import_key(b"x" * 32)
    symmetric = jwt.encode(
        {"alg": "HS256", "kid": KEY.kid}, claims, secret, ["HS256"], default_type=TOKEN_TYPE
    )
    other_type = jwt.encode({"alg": "ES256", "kid": KEY.kid}, claims, KEY, ["ES256"], default_type="JWT")
    no_end = {name: value for name, value in claims.items() if name != "exp"}
    return {
        "other key": TokenSigner(OTHER, ISSUER, now=clock).sign(PERSON),
        "other issuer": TokenSigner(KEY, "https://other.example", now=clock).sign(PERSON),
        "other audience": sign(PERSON, audience="elsewhere"),
        "ended": TokenSigner(KEY, ISSUER, now=lambda: NOON - timedelta(hours=1)).sign(PERSON),
        "not yet valid": TokenSigner(KEY, ISSUER, now=lambda: NOON + timedelta(hours=1)).sign(PERSON),
        "no algorithm": f"{none}.{body}.",
        "no signature": f"{head}.{body}.",
        "cut": f"{head}.{body}.{signature[:-4]}",
        "symmetric": symmetric,
        "other type": other_type,
        "no end": jwt.encode(
            {"alg": "ES256", "kid": KEY.kid}, no_end, KEY, ["ES256"], default_type=TOKEN_TYPE
        ),
        "document": DocumentSigner(KEY).sign_document(claims),
        "huge": good + "A" * 5000,
        "empty": "",
    }


@pytest.mark.parametrize("name", list(forged(Hand())))
def test_a_forged_or_misused_token_is_refused(verifier, clock, name) -> None:
    with pytest.raises(Fault, check=lambda fault: fault.code == "NOT_AUTHENTICATED"):
        verifier.verify(forged(clock)[name])


@given(st.text(max_size=300))
def test_no_text_crashes_the_verifier(text: str) -> None:
    with pytest.raises(Fault):
        TokenVerifier(public_keys([KEY]), ISSUER).verify(text)
    with pytest.raises(Fault):
        claimed_terminal(text)


def test_the_cache_of_verified_tokens_is_bounded(clock) -> None:
    verifier = TokenVerifier(public_keys([KEY]), ISSUER, now=clock, max_cached=3)
    signer = TokenSigner(KEY, ISSUER, now=clock)
    for number in range(6):
        verifier.verify(signer.sign(ActingPerson(f"p-{number}", 1)))
    assert len(verifier._verified) == 3


def test_published_keys_hold_no_private_part_and_verify(tmp_path, clock) -> None:
    path = tmp_path / "jwks.json"
    write_jwks([KEY, OTHER], path)
    assert '"d"' not in path.read_text()
    token = TokenSigner(OTHER, ISSUER, now=clock).sign(PERSON)
    assert TokenVerifier(read_jwks(path), ISSUER, now=clock).verify(token) == PERSON


@pytest.mark.parametrize(
    "text", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"}]}']
)
def test_a_wrong_key_set_is_refused(text) -> None:
    with pytest.raises(ValueError):
        read_jwks(text)


def test_a_signing_key_comes_back_from_its_pem() -> None:
    assert signing_key_from_pem(KEY.as_pem(private=True)).kid == KEY.kid
    with pytest.raises(ValueError):
        signing_key_from_pem(KEY.as_pem(private=False))


RECEIPT = {
    "case_id": "c-1",
    "submitted_at": "2026-11-01T04:00:00Z",
    "materials": ["身份证明", "租赁合同"],
    "parts": 3,
}


def test_a_signed_document_verifies_and_does_not_depend_on_key_order() -> None:
    signed = DocumentSigner(KEY).sign_document(RECEIPT)
    turned = DocumentSigner(KEY).sign_document(dict(reversed(RECEIPT.items())))
    assert verify_document(signed, public_keys([KEY])) == RECEIPT
    assert signed.split(".")[1] == turned.split(".")[1]


def test_a_changed_document_or_another_kind_or_key_is_refused() -> None:
    signed = DocumentSigner(KEY).sign_document(RECEIPT)
    head, body, signature = signed.split(".")
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"c-1", b"c-2")).decode()
    attempts: list[tuple[str, Any, str]] = [
        (f"{head}.{changed.rstrip('=')}.{signature}", KEY, "receipt"),
        (signed, OTHER, "receipt"),
        (signed, KEY, "consent"),
        ("rubbish", KEY, "receipt"),
    ]
    for text, key, kind in attempts:
        with pytest.raises(Fault, check=lambda fault: fault.code == "SIGNATURE_WRONG"):
            verify_document(text, public_keys([key]), kind=kind)


def test_a_document_with_a_float_is_not_signed() -> None:
    with pytest.raises(ValueError, match="floats"):
        DocumentSigner(KEY).sign_document({"rows": [{"fee": 1.5}]})


def test_a_terminal_proves_itself_for_one_minute_to_one_receiver() -> None:
    assertion = sign_assertion(KEY, "kiosk-7", audience=ISSUER, now=NOON)
    assert claimed_terminal(assertion) == "kiosk-7"
    found = verify_assertion(assertion, KEY, audience=ISSUER, now=NOON + timedelta(seconds=59))
    assert (found.terminal_id, found.expires_at) == ("kiosk-7", NOON + timedelta(seconds=60))
    wrong: list[dict[str, Any]] = [
        {"key": OTHER},
        {"audience": "https://other.example"},
        {"now": NOON + timedelta(minutes=3)},
        {"now": NOON - timedelta(minutes=3)},
    ]
    for change in wrong:
        with pytest.raises(Fault):
            verify_assertion(assertion, **({"key": KEY, "audience": ISSUER, "now": NOON} | change))


def test_a_token_of_a_person_is_no_assertion_of_a_terminal(clock) -> None:
    token = TokenSigner(KEY, ISSUER, now=clock).sign(PERSON)
    with pytest.raises(Fault):
        verify_assertion(token, KEY, audience="tongban", now=NOON)
