"""Messages between registries: what was signed comes back, what is not of the form is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from chassis.auth import new_signing_key, public_keys
from chassis.errors import Fault
from services.certs.domain.disclosure import masked
from services.certs.domain.federation import (
    KIND,
    Heartbeat,
    LicenceMessage,
    PeerRegistry,
    claims_of,
    licence_of,
    message_of,
    shared_content,
)
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.status import LicenceStatus
from services.certs.federated import JoseEnvelopes
from services.certs.rpc import messages

NOW = datetime(2026, 3, 9, 2, 30, 15, 123456, tzinfo=UTC)
NUMBERS = st.integers(0, 2**53 - 1)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


@st.composite
def licence_messages(draw: st.DrawFn) -> LicenceMessage:
    return LicenceMessage(
        issuer=draw(TEXTS),
        audience=draw(TEXTS),
        licence_id=str(draw(st.uuids())),
        ordinal=draw(NUMBERS),
        sequence=draw(NUMBERS),
        prior_ordinal=draw(NUMBERS),
        version=draw(NUMBERS),
        type_code=draw(TEXTS),
        status=draw(st.sampled_from(LicenceStatus)),
        act=draw(TEXTS),
        use_frozen=draw(st.booleans()),
        effective_at=draw(MOMENTS),
        recorded_at=draw(MOMENTS),
        content=draw(TEXTS),
        leaf_index=draw(st.integers(-1, 2**40)),
        leaf_hash=draw(st.binary(max_size=32)),
        superseded=draw(st.booleans()),
        leaf=draw(TEXTS),
        tree_size=draw(NUMBERS),
        proof=tuple(draw(st.lists(st.binary(min_size=32, max_size=32), max_size=5))),
    )


@st.composite
def heartbeats(draw: st.DrawFn) -> Heartbeat:
    proof = tuple(draw(st.lists(st.binary(min_size=32, max_size=32), max_size=5)))
    numbers = (draw(TEXTS), draw(TEXTS), draw(NUMBERS), draw(MOMENTS), draw(NUMBERS))
    return Heartbeat(*numbers, draw(TEXTS), draw(NUMBERS), proof)


@given(st.one_of(licence_messages(), heartbeats()))
def test_what_is_said_is_read_again(message: LicenceMessage | Heartbeat) -> None:
    assert message_of(json.loads(json.dumps(claims_of(message)))) == message


@given(st.one_of(licence_messages(), heartbeats()), st.data())
def test_claims_without_a_part_or_of_another_kind_are_refused(
    message: LicenceMessage | Heartbeat, data: st.DataObject
) -> None:
    claims = claims_of(message)
    name = data.draw(st.sampled_from(sorted(set(claims) - {"use_frozen"})))
    wrong: Any = data.draw(st.sampled_from([None, -5, 1.5, True, [], {}]))
    with pytest.raises(Fault, match="MESSAGE_MALFORMED"):
        message_of({**claims, name: wrong} if not (name == "proof" and wrong == []) else {})


ODD: list[str | int] = [
    *("", "\x00", "\ud800", "x" * 30_000, "valid", "111", str(UUID(int=7)), "0001-01-01", "9999-12-31"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-09T02:30:15Z", 2**31, -1, 10**400),
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=40)
    | st.sampled_from(ODD)
)
ANYTHING = st.recursive(
    LEAVES, lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=5), one, max_size=4)
)


@st.composite
def near_misses(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """Claims of the right names, some of them with values of no good."""
    wrong = draw(st.dictionaries(st.sampled_from(sorted(good)), ANYTHING, max_size=3))
    return {**good, **wrong, **draw(st.dictionaries(st.text(max_size=5), LEAVES, max_size=1))}


@given(st.data())
def test_claims_of_any_json_are_a_message_or_refused_and_what_is_read_can_be_said_again(
    data: st.DataObject,
) -> None:
    good = [claims_of(each) for each in (_message(), replace(_message(), superseded=True), _heartbeat())]
    claims = data.draw(st.one_of(st.dictionaries(st.text(max_size=5), ANYTHING), *map(near_misses, good)))
    with suppress_refusal():
        read = message_of(json.loads(json.dumps(claims)))
        assert json.dumps(claims_of(read), ensure_ascii=False).encode()


@given(st.data())
def test_content_of_any_json_is_a_licence_or_refused_and_what_is_read_can_be_shown(
    data: st.DataObject,
) -> None:
    good = json.loads(shared_content(_licence(), None))
    said = data.draw(st.one_of(ANYTHING, near_misses(good), near_misses(good | {"face": {"KZ_MC": "x"}})))
    with suppress_refusal():
        read = licence_of(_message(), json.dumps(said).encode())
        assert messages.licence(masked(read, None)).SerializeToString()
        assert read.is_usable(NOW) in {True, False}


@given(st.binary(max_size=60) | st.sampled_from([b"[" * 90_000, b'{"a":' * 15_000, b"1" * 5_000, b"NaN"]))
def test_what_is_no_json_or_too_deep_is_refused(content: bytes) -> None:
    with pytest.raises(Fault, match="MESSAGE_MALFORMED"):
        licence_of(_message(), content)


@pytest.mark.parametrize("payload", [b"[" * 90_000, b'{"a":' * 15_000, b"1" * 5_000, b"NaN", b"\xff", b""])
def test_a_signed_payload_of_any_kind_is_refused(payload: bytes) -> None:
    signing = new_signing_key()
    header = {"alg": "ES256", "kid": signing.kid, "typ": f"tongban-{KIND}+jws"}
    signed = jws.serialize_compact(header, payload, signing, ["ES256"])
    envelopes = JoseEnvelopes(signing, signing)
    assert envelopes.issuer_of(signed) == ""
    with pytest.raises(Fault, match="SIGNATURE_WRONG"):
        envelopes.verify(signed, _card(signing, signing))


@contextmanager
def suppress_refusal() -> Iterator[None]:
    """Nothing but our own refusal may come of what another registry says."""
    try:
        yield
    except Fault as fault:
        if fault.code != "MESSAGE_MALFORMED":
            raise


def test_the_shared_content_keeps_what_finds_the_licence() -> None:
    found = licence_of(_message(), shared_content(_licence(), None))
    assert found.holders == _licence().holders
    assert (found.identifier, found.number) == (_licence().identifier, _licence().number)
    assert found.status is LicenceStatus.REVOKED


def test_only_the_signer_signs_and_only_the_recipient_reads() -> None:
    signing, sealing, other = new_signing_key(), new_signing_key(), new_signing_key()
    theirs, ours = JoseEnvelopes(signing, new_signing_key()), JoseEnvelopes(other, sealing)
    card = _card(signing, new_signing_key())
    signed = theirs.sign(_message())
    assert ours.verify(signed, card) == _message()
    assert ours.issuer_of(signed) == "361100-city"
    with pytest.raises(Fault, match="SIGNATURE_WRONG"):
        ours.verify(signed, _card(other, sealing))
    head, _, rest = signed.partition(".")
    with pytest.raises(Fault, match="SIGNATURE_WRONG"):
        ours.verify(f"{head}.A{rest[1:]}", card)
    sealed = theirs.seal(b"personal", _card(other, sealing))
    assert ours.open(sealed) == b"personal"
    for stranger in (theirs, JoseEnvelopes(other, other)):
        with pytest.raises(Fault, match="CONTENT_UNREADABLE"):
            stranger.open(sealed)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "{}", "." * 9])
def test_what_is_no_signature_claims_nobody(text: str) -> None:
    assert JoseEnvelopes(new_signing_key(), new_signing_key()).issuer_of(text) == ""


def _card(signing: Any, sealing: Any) -> PeerRegistry:
    keys = public_keys([signing]).as_dict(private=False)
    return PeerRegistry(
        "361100-city", "city", "", keys, public_keys([sealing]).as_dict(private=False)["keys"][0], ""
    )


def _message() -> LicenceMessage:
    return LicenceMessage(
        *("361100-city", "361123-county", "018f0000-0000-7000-8000-000000000001", 4, 2, 1, 3, "T"),
        *(LicenceStatus.REVOKED, "revoke", False, NOW, NOW, "sealed"),
    )


def _heartbeat() -> Heartbeat:
    return Heartbeat("361100-city", "361123-county", 3, NOW, 4, "note", 7, (bytes(32),))


def _licence() -> Licence:
    return Licence(
        licence_id="018f0000-0000-7000-8000-000000000001",
        lineage_id="",
        identifier="1.2.156.3005.2.T.I.2026000001.001.X",
        type_code="T",
        type_name="营业执照",
        number="2026000001",
        issuer_code="11361103TB1000011X",
        issuer_name="市场监督管理局",
        county_code="361103",
        holders=(Holder("111", "11010519491231002X", "张三"), Holder("111", "440524188001010014", "李四")),
        issued_date=NOW.date(),
        valid_from=None,
        valid_until=NOW.date(),
        status=LicenceStatus.REVOKED,
        face={},
        origin=Origin.IMPORTED,
        trust_grade="A",
        version=3,
    )
