"""The rule of a witness: a later state of what it saw is signed, everything else is refused by its own status."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.tlog.asking import parse_witnesses
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.note import COSIGNATURE, ED25519, Signer
from chassis.tlog.tree import consistency_ranges, leaf_hash, root_of
from chassis.tlog.witness import Request, Seen, judge, parse_request

pytestmark = [pytest.mark.promise("P9")]
LOG = Signer("tongban.test/log", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("other.test/log", ED25519, Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
HASHES = [leaf_hash(bytes([n])) for n in range(40)]
FORKED = [*HASHES[:5], leaf_hash(b"x"), *HASHES[6:]]


def note(size: int, hashes: list[bytes] = HASHES, signer: Signer = LOG) -> str:
    return Checkpoint(signer.name, size, root_of(hashes[:size])).signed(signer)


def proof(old: int, new: int, hashes: list[bytes] = HASHES) -> tuple[bytes, ...]:
    return tuple(root_of(hashes[a:b]) for a, b in consistency_ranges(old, new))


def asked(old: int, new: int, hashes: list[bytes] = HASHES, signer: Signer = LOG) -> bytes:
    return Request(old, proof(old, new, hashes), note(new, hashes, signer)).body


SEEN = {LOG.name: Seen(20, root_of(HASHES[:20]), note(20))}


@pytest.mark.parametrize(
    ("body", "seen", "status"),
    [
        (asked(0, 7), {}, HTTPStatus.OK),
        (asked(20, 33), SEEN, HTTPStatus.OK),
        (asked(20, 20), SEEN, HTTPStatus.OK),
        (asked(0, 33), SEEN, HTTPStatus.CONFLICT),
        (asked(19, 33), SEEN, HTTPStatus.CONFLICT),
        (asked(25, 33), SEEN, HTTPStatus.CONFLICT),
        (asked(7, 19), SEEN, HTTPStatus.CONFLICT),
        (asked(20, 33, FORKED), SEEN, HTTPStatus.UNPROCESSABLE_ENTITY),
        (asked(20, 33).replace(b"old 20", b"old 34"), SEEN, HTTPStatus.BAD_REQUEST),
        (Request(20, (), note(33)).body, SEEN, HTTPStatus.UNPROCESSABLE_ENTITY),
        (Request(20, proof(19, 33), note(33)).body, SEEN, HTTPStatus.UNPROCESSABLE_ENTITY),
        (asked(0, 7, signer=OTHER), {}, HTTPStatus.NOT_FOUND),
        (b"", {}, HTTPStatus.BAD_REQUEST),
        (b"old 0\n\nno note\n", {}, HTTPStatus.BAD_REQUEST),
        (b"old x\n\n" + note(3).encode(), {}, HTTPStatus.BAD_REQUEST),
        (b"old 0\nAA==\n\n" + note(3).encode(), {}, HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_request_gets_the_status_of_the_standard(
    body: bytes, seen: dict[str, Seen], status: HTTPStatus
) -> None:
    judged = judge(body, [LOG.verifier], seen)
    assert judged.status is status
    assert (judged.checkpoint is not None) == (status is HTTPStatus.OK)
    assert judged.evidence is None
    if status is HTTPStatus.CONFLICT:
        assert judged.text == "20\n"


def test_two_checkpoints_of_equal_size_with_other_roots_are_evidence_and_never_signed() -> None:
    for old in (0, 20):
        judged = judge(Request(old, proof(old, 20, FORKED), note(20, FORKED)).body, [LOG.verifier], SEEN)
        assert judged.status is HTTPStatus.CONFLICT
        assert judged.checkpoint is None
        assert judged.evidence == (note(20), note(20, FORKED))


def test_a_checkpoint_signed_by_another_key_under_the_logs_name_is_forbidden() -> None:
    thief = Signer(LOG.name, ED25519, OTHER.key)
    assert judge(asked(20, 33, signer=thief), [LOG.verifier], SEEN).status is HTTPStatus.FORBIDDEN


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(body: bytes) -> None:
    assert judge(body, [LOG.verifier], SEEN).status >= HTTPStatus.BAD_REQUEST


def test_a_request_comes_back_from_its_bytes() -> None:
    request = Request(20, proof(20, 33), note(33))
    assert parse_request(request.body) == request


def test_witnesses_are_read_from_a_setting() -> None:
    witness = Signer("witness.test", COSIGNATURE, OTHER.key).verifier
    (found,) = parse_witnesses(f" {witness}@http://127.0.0.1:8470/ ")
    assert (found.verifier, found.url, found.name) == (witness, "http://127.0.0.1:8470", "witness.test")
    assert parse_witnesses("") == []
    for wrong in (f"{witness}", f"{witness}@ftp://x", "x@http://y"):
        with pytest.raises(Fault, match="NOTE_MALFORMED"):
            parse_witnesses(wrong)
