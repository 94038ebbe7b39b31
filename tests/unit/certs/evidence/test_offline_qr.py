"""The offline QR code with its log proof: drawn and read again at every size of a log, and nothing in it altered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import segno

from chassis.auth import DocumentSigner, public_keys
from chassis.auth.keys import new_signing_key
from chassis.base45 import decode, encode
from chassis.errors import Fault
from chassis.tlog.compact import compact
from chassis.tlog.held import HeldLog
from chassis.tlog.note import Verifier
from chassis.tlog.tree import leaf_hash, nodes_of, root_of
from services.certs.app.offline import check_qr
from services.certs.domain.log import leaf_bytes, licence_leaf
from services.certs.domain.presentation import (
    OFFLINE_KIND,
    OFFLINE_PREFIX,
    LogEvidence,
    offline_parts_of,
    qr_text_of,
    state,
)
from services.certs.domain.status import LicenceStatus
from tests.unit.certs.conftest import NOW, data, licence, types
from tests.unit.certs.evidence import qr_reader
from tests.unit.chassis.tlog.test_proof import KEYS, LOG, WITNESS, note_of, simulated

__all__ = ["data", "licence", "types"]
KEY = new_signing_key()
JWKS = json.dumps(public_keys([KEY]).as_dict(private=False))
HELD = HeldLog(KEYS)
LARGE = 2**24
"""Sixteen million leaves: what five million licences and a few uses of each make."""


@pytest.fixture
def valid(licence):
    sealed = replace(
        licence.sealing, sealed_sha256="ab" * 32, signature_id="0195d0f2-0000-7000-8000-000000000007"
    )
    return replace(
        licence,
        status=LicenceStatus.VALID,
        sealing=sealed,
        type_name="食品经营许可证",
        issuer_name="上饶市广丰区市场监督管理局",
        valid_until=None,
    )


def evidence_of(found, index: int, size: int) -> LogEvidence:
    leaf = leaf_bytes(licence_leaf(found, "make", NOW))
    return LogEvidence(leaf, bytes(compact(simulated(index, size, leaf))))


def text_of(
    found, evidence: LogEvidence | None, *, claimed: LogEvidence | None = None, now: datetime = NOW
) -> str:
    statement = state(found, "A" * 12, timedelta(hours=24), claimed or evidence, now)
    return qr_text_of(DocumentSigner(KEY).sign_document(statement.claims(), kind=OFFLINE_KIND), evidence)


def reason_of(text: str, held: HeldLog = HELD) -> str:
    try:
        check_qr(text, JWKS, NOW, held)
    except Fault as fault:
        return fault.code
    return ""


@pytest.mark.parametrize("size", [1, 2, 3, 1_000, LARGE])
def test_the_code_is_drawn_and_read_again_and_proves_the_state_with_the_published_keys_alone(
    valid, size: int
):
    shown = text_of(valid, evidence_of(valid, size - 1, size))
    statement, found = check_qr(qr_reader.read(qr_reader.drawn(shown)), JWKS, NOW, HELD)
    assert (statement.licence_id, statement.status) == (valid.licence_id, "valid")
    assert (found.standing, found.index, found.size) == ("verified", size - 1, size)
    assert list(found.witnessed_at) == [WITNESS.name]
    assert found.compared_with is None


@pytest.mark.parametrize(("size", "version"), [(1, 16), (2**14, 23), (2**20, 25), (LARGE, 27), (2**30, 30)])
def test_the_code_stays_as_coarse_as_promised(valid, size: int, version: int):
    assert qr_reader.version_of(text_of(valid, evidence_of(valid, 0, size))) <= version


def test_the_version_is_reckoned_as_it_is_drawn(valid):
    text = text_of(valid, evidence_of(valid, 0, 3))
    assert segno.make(text, error="l").version == qr_reader.version_of(text)


def test_the_longest_names_still_fit_a_code(valid):
    long = replace(valid, type_name="证" * 90, issuer_name="局" * 90)
    assert qr_reader.version_of(text_of(long, evidence_of(long, 0, 2**40))) <= 40


@pytest.mark.parametrize("size", [1, 3, LARGE])
def test_a_byte_that_is_altered_is_refused_or_alters_nothing(valid, size: int):
    text = text_of(valid, evidence_of(valid, 0, size))
    content, parts = decode(text.removeprefix(OFFLINE_PREFIX)), offline_parts_of(text)
    same = 0
    for at in range(len(content)):
        for bits in (1,) if size == LARGE else (1, 0xFF):
            changed = OFFLINE_PREFIX + encode(content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :])
            if not reason_of(changed):
                assert offline_parts_of(changed) == parts  # another way to deflate the same
                same += 1
    assert same <= 4
    for at in range(0, len(content), 7):
        assert reason_of(OFFLINE_PREFIX + encode(content[:at]))


def test_a_proof_that_was_altered_is_refused_even_where_the_registry_s_own_statement_names_it(valid):
    """Of an altered key id it cannot be known whose signature it is: it is told as unknown, not as proved."""
    found = evidence_of(valid, 5, LARGE)
    end = len(found.proof)
    key_ids = {*range(end - 144, end - 140), *range(end - 76, end - 72)}
    for at in range(0, end, 3):
        wrong = bytearray(found.proof)
        wrong[at] ^= 1
        evidence = LogEvidence(found.leaf, bytes(wrong))
        assert reason_of(text_of(valid, evidence, claimed=found)) == "LOG_PROOF_WRONG"
        if at not in key_ids:
            assert reason_of(text_of(valid, evidence)) in {"LOG_PROOF_WRONG", "LOG_PROOF_MALFORMED"}


def test_a_proof_of_another_licence_version_or_status_is_refused(valid):
    others = (
        replace(valid, licence_id="0195d0f2-0000-7000-8000-000000000999"),
        replace(valid, version=valid.version + 1),
        replace(valid, status=LicenceStatus.SUSPENDED),
    )
    for other in others:
        assert reason_of(text_of(valid, evidence_of(other, 3, 1_000))) == "LOG_PROOF_OF_ANOTHER"
    leaf = b'{"kind":"licence"}'
    assert (
        reason_of(text_of(valid, LogEvidence(leaf, evidence_of(valid, 3, 9).proof))) == "LOG_PROOF_OF_ANOTHER"
    )


def test_a_proof_cannot_be_taken_out_or_put_in(valid):
    found = evidence_of(valid, 3, 1_000)
    jws, _ = offline_parts_of(text_of(valid, found))
    assert reason_of(qr_text_of(jws)) == "LOG_PROOF_WRONG"
    bare, _ = offline_parts_of(text_of(valid, None))
    assert reason_of(qr_text_of(bare, found)) == "LOG_PROOF_WRONG"
    assert reason_of(qr_text_of(jws, LogEvidence(found.leaf, b""))) == "PRESENTATION_MALFORMED"


def test_a_state_that_the_log_has_not_taken_says_so(valid):
    _, found = check_qr(text_of(valid, None), JWKS, NOW, HELD)
    assert (found.standing, found.index) == ("not_taken_yet", None)


def test_without_the_log_s_key_the_proof_is_not_judged_and_the_reason_told(valid):
    text = text_of(valid, evidence_of(valid, 3, 1_000))
    assert check_qr(text, JWKS, NOW)[1].standing == "no_log_key_held"
    other = HeldLog((Verifier("another/log", LOG.kind, LOG.verifier.public), WITNESS.verifier))
    assert check_qr(text, JWKS, NOW, other)[1].standing == "log_key_unknown"
    alone = HeldLog((LOG.verifier,))
    found = check_qr(text, JWKS, NOW, alone)[1]
    assert (found.standing, dict(found.witnessed_at)) == ("verified", {})


def hashed(leaves: Sequence[bytes], start: int, end: int) -> bytes:
    return root_of([leaf_hash(each) for each in leaves[start:end]])


def held_of(leaves: Sequence[bytes]) -> HeldLog:
    ranges = [(node.at << node.level, (node.at + 1) << node.level) for node in nodes_of(0, len(leaves))]
    note = note_of(len(leaves), hashed(leaves, 0, len(leaves)))
    return HeldLog(KEYS, note, tuple(hashed(leaves, *each) for each in ranges))


def real(found, leaves: list[bytes], index: int, size: int) -> LogEvidence:
    from chassis.tlog.proof import LogProof
    from chassis.tlog.tree import inclusion_ranges

    assert leaves[index] == leaf_bytes_of(found)
    hashes = tuple(hashed(leaves[:size], *each) for each in inclusion_ranges(index, size))
    note = note_of(size, hashed(leaves, 0, size), WITNESS)
    return LogEvidence(leaves[index], bytes(compact(LogProof(index, hashes, note))))


_LEAF: dict[str, bytes] = {}


def leaf_bytes_of(found) -> bytes:
    return _LEAF.setdefault(
        found.licence_id, leaf_bytes(licence_leaf(found, "make", datetime(2026, 3, 9, tzinfo=UTC)))
    )


def test_a_code_made_in_another_log_than_the_held_checkpoint_s_is_refused(valid):
    ours = [f"{n}".encode() for n in range(20)]
    ours[6] = leaf_bytes_of(valid)
    held = held_of(ours[:11])
    for size, compared in ((7, None), (8, 11), (11, 11), (20, 11)):
        found = check_qr(text_of(valid, real(valid, ours, 6, size)), JWKS, NOW, held)[1]
        assert (found.standing, found.compared_with) == ("verified", compared)
    rewritten = [*ours]
    rewritten[5] = b"never said"
    for size in (8, 11, 20):
        assert reason_of(text_of(valid, real(valid, rewritten, 6, size)), held) == "LOG_CONTRADICTED"
    root_alone = replace(held, subtrees=())
    assert reason_of(text_of(valid, real(valid, rewritten, 6, 11)), root_alone) == "LOG_CONTRADICTED"
