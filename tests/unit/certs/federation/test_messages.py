"""Messages between registries: what was signed comes back, what is not of the form is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth import new_signing_key, public_keys
from chassis.errors import Fault
from services.certs.domain.federation import (
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


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists))
def test_content_of_any_shape_is_read_or_refused(said: object) -> None:
    with pytest.raises(Fault, match="MESSAGE_MALFORMED"):
        licence_of(_message(), json.dumps(said).encode())


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
