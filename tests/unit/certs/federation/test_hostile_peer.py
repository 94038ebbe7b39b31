"""A registry that agreed with us and signs whatever it likes: each message is taken or refused, none raises."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from chassis.auth import new_signing_key, public_keys
from chassis.rpc.moments import stamp
from chassis.tlog.note import ED25519, Signer
from chassis.tlog.tree import leaf_hash
from services.certs.domain.disclosure import masked
from services.certs.domain.federation import (
    KIND,
    Agreement,
    Federation,
    Heartbeat,
    LeafProof,
    LicenceMessage,
    PeerRegistry,
    Refusal,
    ReplicaState,
    claims_of,
)
from services.certs.domain.licence import Licence
from services.certs.domain.log import Leaf, leaf_bytes
from services.certs.domain.log.leaf import moment
from services.certs.domain.status import LicenceStatus
from services.certs.federated import JoseEnvelopes
from services.certs.rpc import messages
from services.certs.usecases.federation.receiving import receive

CITY, COUNTY, TYPE = "361100-city", "361123-county", "T"
NOW = datetime(2026, 3, 9, 2, 30, 15, tzinfo=UTC)
SIGNING, SEALING, LOG = new_signing_key(), new_signing_key(), Ed25519PrivateKey.generate()
LOG_SIGNER = Signer("log", ED25519, LOG)
CARD = PeerRegistry(
    CITY,
    "city",
    "",
    public_keys([SIGNING]).as_dict(private=False),
    public_keys([SEALING]).as_dict(private=False)["keys"][0],
    str(LOG_SIGNER.verifier),
)
FEDERATION = Federation(COUNTY, {CITY: Agreement(CARD, frozenset(), frozenset({TYPE}))})
ENVELOPES = JoseEnvelopes(SIGNING, SEALING)
CONTENT = {
    "identifier": "x1",
    "number": "1",
    "holders": [["111", "11010519491231002X", "张三"]],
    "type_name": "营业执照",
    "issuer_code": "11361103TB1000011X",
    "issuer_name": "市场监督管理局",
    "county_code": "361103",
    "issued_date": "2024-03-05",
    "valid_from": "",
    "valid_until": "2030-01-01",
    "trust_grade": "A",
    "serial_version": 1,
    "face": {"KZ_MC": "x"},
}
LICENCE = LicenceMessage(
    *(CITY, COUNTY, "018f0000-0000-7000-8000-000000000001", 1, 1, 0, 3, TYPE),
    *(LicenceStatus.REVOKED, "revoke", False, NOW, NOW, ENVELOPES.seal(json.dumps(CONTENT).encode(), CARD)),
)
LEAF = leaf_bytes(
    Leaf(
        "licence",
        LICENCE.licence_id,
        NOW,
        {"act": "revoke", "effective_at": moment(NOW), "status": "revoked", "version": 3},
    )
)
PROVED = replace(
    LICENCE,
    leaf_index=0,
    leaf_hash=leaf_hash(LEAF),
    leaf=LEAF.decode(),
    tree_size=2,
    proof=(leaf_hash(b"another"),),
)
ROOT = "A" * 43 + "="
BEAT = Heartbeat(CITY, COUNTY, 1, NOW, 0, LOG_SIGNER.sign(f"log\n7\n{ROOT}\n"), 0)
ODD: list[str | int | float] = [
    *("", "\x00", "\ud800", "x" * 30_000, "erase", str(UUID(int=7)), "0001-01-01", "9999-12-31", CITY),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ),
    *(0, -1, 2**31, 2**53, 10**400, float("inf"), float("nan")),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(ODD),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
)


class Proofs:
    """Proofs that take what PostgreSQL takes; of a message that arrived before each is asked for."""

    async def keep(self, message: LicenceMessage, proof: LeafProof, now: datetime, *, proved: bool) -> None:
        assert -1 <= message.leaf_index < 2**63
        assert max(proof.size, message.ordinal) < 2**63

    async def is_waiting(self, message: LicenceMessage) -> bool:
        return True

    async def keep_root(self, registry_id: str, size: int, root: bytes) -> None:
        assert size < 2**63

    async def root_at(self, registry_id: str, size: int) -> bytes | None:
        assert size < 2**63
        return None

    async def settle(self, registry_id: str, size: int, root: bytes, now: datetime) -> str:
        return ""


class Kept:
    """A replica that takes what PostgreSQL takes."""

    def __init__(self) -> None:
        self.proofs = Proofs()
        self.kept = ReplicaState(CITY)
        self.put_count, self.refusals = 0, list[Refusal]()

    async def lock_state(self, registry_id: str) -> ReplicaState:
        return self.kept

    async def save_state(self, state: ReplicaState) -> None:
        assert max(state.size, state.through, state.heard_beat, state.heard_ordinal) < 2**63
        _storable(state.checkpoint, state.frozen_cause)
        self.kept = state

    async def take_ordinal(self, registry_id: str, through: int, ordinal: int) -> int | None:
        assert ordinal < 2**63
        return ordinal if ordinal == through + 1 else through

    async def is_ours(self, licence_id: str, identifier: str) -> bool:
        UUID(licence_id)
        _storable(identifier)
        return False

    async def authority_of(self, licence_id: str, identifier: str) -> set[str]:
        return set()

    async def ordinal_of(self, licence_id: str) -> int:
        return 0

    async def put(self, message: LicenceMessage, licence: Licence, sha256: bytes, now: datetime) -> None:
        _storable(message.act, message.type_code, licence.issuer_code, licence.county_code, *licence.face)
        _storable(licence.identifier, licence.number, licence.issuer_name, *licence.face.values())
        _storable(
            *(text for each in licence.holders for text in (each.id_type_code, each.id_number, each.name))
        )
        assert max(message.version, message.sequence, message.prior_ordinal) < 2**63
        assert messages.licence(masked(licence, None)).SerializeToString()
        assert stamp(message.effective_at)
        assert stamp(message.recorded_at)
        self.put_count += 1

    async def erase(self, message: LicenceMessage, sha256: bytes, now: datetime) -> None:
        _storable(message.act, message.type_code)

    async def refuse(
        self, digest: bytes, issuer: str, licence_id: str, reason: Refusal, now: datetime
    ) -> None:
        _storable(issuer, licence_id)
        self.refusals.append(reason)


def _storable(*texts: str) -> None:
    for each in texts:
        assert "\x00" not in each
        each.encode()


def signed(claims: Any) -> str:
    """Sign any JSON, also what our own signer would not."""
    header = {"alg": "ES256", "kid": SIGNING.kid, "typ": f"tongban-{KIND}+jws"}
    return jws.serialize_compact(header, json.dumps(claims).encode(), SIGNING, ["ES256"])


async def heard(claims: Any) -> tuple[Kept, bool]:
    replica: Any = Kept()
    received = await receive(replica, FEDERATION, ENVELOPES, signed(claims), NOW)
    assert (received.refusal is not None) == bool(replica.refusals)
    return replica, received.refusal is None


async def test_what_is_right_is_taken() -> None:
    replica, taken = await heard(claims_of(LICENCE))
    assert (taken, replica.put_count) == (True, 1)
    replica, taken = await heard(claims_of(PROVED))
    assert (taken, replica.put_count) == (True, 1)
    replica, taken = await heard(claims_of(BEAT))
    assert (taken, replica.kept.size) == (True, 7)


@pytest.mark.parametrize(
    "good",
    [LICENCE, PROVED, replace(LICENCE, act="erase"), BEAT],
    ids=["licence", "proved", "erase", "beat"],
)
async def test_each_claim_of_no_good_is_taken_or_refused(good: LicenceMessage | Heartbeat) -> None:
    claims = claims_of(good)
    for name in claims:
        for odd in (*ODD, *([each] for each in ODD), None, True, {}, []):
            await heard(claims | {name: odd})


@pytest.mark.parametrize(
    "place", [*CONTENT, "holders.0", "holders.1", "holders.2", "face.name", "face.value"]
)
async def test_each_part_of_content_of_no_good_is_taken_or_refused(place: str) -> None:
    holder: list[Any] = ["111", "11010519491231002X", "张三"]
    for odd in (*ODD, None, True, {}, [], [[]], [["111"]], [1]):
        changed: dict[str, Any] = {place: odd}
        if place.startswith("holders."):
            at = int(place[-1])
            changed = {"holders": [[*holder[:at], odd, *holder[at + 1 :]]]}
        if place.startswith("face."):
            changed = {"face": {str(odd): "x"} if place == "face.name" else {"KZ_MC": odd}}
        content = ENVELOPES.seal(json.dumps(CONTENT | changed).encode(), CARD)
        replica, taken = await heard(claims_of(replace(LICENCE, content=content)))
        assert taken == bool(replica.put_count)


@given(st.data())
async def test_claims_of_any_json_are_taken_or_refused(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([LICENCE, PROVED, replace(LICENCE, act="erase"), BEAT]))
    claims = claims_of(good)
    wrong = data.draw(st.dictionaries(st.sampled_from(sorted(claims)), ANYTHING, max_size=3))
    await heard(claims | wrong)
    await heard(data.draw(ANYTHING))


@given(st.data())
async def test_content_of_any_json_is_taken_or_refused(data: st.DataObject) -> None:
    wrong = data.draw(st.dictionaries(st.sampled_from(sorted(CONTENT)), ANYTHING, max_size=3))
    said = data.draw(st.sampled_from([CONTENT | wrong, wrong.get("face")]))
    content = ENVELOPES.seal(json.dumps(said).encode(), CARD)
    replica, taken = await heard(claims_of(replace(LICENCE, content=content)))
    assert taken == bool(replica.put_count)


LARGE = [f"log\n{size}\n{ROOT}\n" for size in (10**18, 10**19 - 1)]


@given(st.text(max_size=40) | st.sampled_from(LARGE))
async def test_a_checkpoint_of_any_text_is_taken_or_refused(text: str) -> None:
    await heard(claims_of(replace(BEAT, checkpoint=f"{text}\n{LOG_SIGNER.line(text)}")))
    await heard(claims_of(replace(BEAT, checkpoint=text)))


async def test_a_log_larger_than_any_is_malformed() -> None:
    replica, _ = await heard(
        claims_of(replace(BEAT, checkpoint=LOG_SIGNER.sign(f"log\n{10**19 - 1}\n{ROOT}\n")))
    )
    assert replica.refusals == [Refusal.MALFORMED]


@pytest.mark.parametrize("payload", [b"[" * 90_000, b'{"issuer":"361100-city","a":' + b"[" * 90_000])
async def test_a_message_too_deep_to_read_names_nobody(payload: bytes) -> None:
    header = {"alg": "ES256", "kid": SIGNING.kid, "typ": f"tongban-{KIND}+jws"}
    replica: Any = Kept()
    text = jws.serialize_compact(header, payload, SIGNING, ["ES256"])
    received = await receive(replica, FEDERATION, ENVELOPES, text, NOW)
    assert received.refusal is Refusal.UNKNOWN_ISSUER
