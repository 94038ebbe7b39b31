"""Whatever is done to a log of 1,000 leaves, at whatever place, is found and named (P9)."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.tlog.alignment import Damage, Finding, differences
from chassis.tlog.audit import Log, audit, split_views
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.note import ED25519, Signer
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import leaf_hash, root_of

pytestmark = [pytest.mark.promise("P9")]
SIZE = 1_000
BATCH = 10
HASHES = [leaf_hash(f"leaf {n}".encode()) for n in range(SIZE)]
SIGNER = Signer("tongban.test/log", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
EVERY = range(SIZE)


def note(hashes: list[bytes], size: int) -> str:
    return Checkpoint(SIGNER.name, size, root_of(hashes[:size])).signed(SIGNER)


NOTES = [note(HASHES, size) for size in range(BATCH, SIZE + 1, BATCH)]


def done(deed: str, at: int) -> list[bytes]:
    """Return the hashes after a deed at a place."""
    changed = list(HASHES)
    if deed == "edit":
        changed[at] = leaf_hash(b"another content")
    elif deed == "delete":
        del changed[at]
    elif deed == "swap":
        other = at + 1 if at + 1 < SIZE else at - 1
        changed[at], changed[other] = changed[other], changed[at]
    else:
        del changed[at:]
    return changed


def is_named(deed: str, at: int, findings: list[Finding]) -> bool:
    if len(findings) != 1:
        return False
    (found,) = findings
    if deed == "edit":
        return found == Finding(at, Damage.EDITED)
    if deed == "swap":
        pair = {at, at + 1 if at + 1 < SIZE else at - 1}
        return found.damage is Damage.REORDERED and {found.index, int(found.detail.split()[-1])} == pair
    if deed == "delete" and at < SIZE - 1:
        return found == Finding(at, Damage.DELETED)
    return (found.index, found.damage) == (at, Damage.TRUNCATED)


def read(hashes: list[bytes], kept: list[bytes], notes: list[str], anchors: tuple[str, ...] = ()) -> Log:
    return Log(Hashes(hashes), range(len(hashes)), Hashes(kept), notes, anchors)


@pytest.mark.parametrize("deed", ["edit", "delete", "swap", "truncate"])
def test_every_deed_at_every_place_is_found_and_named(deed: str) -> None:
    assert audit(read(HASHES, HASHES, NOTES), SIGNER.verifier).findings == []
    missed = [at for at in EVERY if not is_named(deed, at, differences(done(deed, at), HASHES))]
    assert missed == []
    for at in (0, 1, 499, 998, 999):
        verdict = audit(read(done(deed, at), HASHES, NOTES), SIGNER.verifier)
        assert is_named(deed, at, verdict.findings), (at, verdict.findings)


@pytest.mark.parametrize("deed", ["edit", "delete", "swap", "truncate"])
def test_a_deed_that_altered_the_tree_too_is_found_between_two_checkpoints(deed: str) -> None:
    for at in range(0, SIZE, 7):
        changed = done(deed, at)
        (found,) = audit(read(changed, changed, NOTES), SIGNER.verifier).findings
        if deed == "truncate":
            assert found == Finding(at, Damage.TRUNCATED, f"{SIZE - at} missing to the end")
        elif at // BATCH == (SIZE - 1) // BATCH and deed == "delete":
            assert found.damage in {Damage.ALTERED_WITHIN, Damage.TRUNCATED}
        else:
            assert found.damage is Damage.ALTERED_WITHIN
            low, high = found.index, int(found.detail.split()[-1])
            assert low <= at < high
            assert high - low <= 2 * BATCH


def test_a_log_cut_with_its_checkpoints_is_found_by_one_kept_outside() -> None:
    for at in (BATCH, 500, SIZE - BATCH):
        verdict = audit(read(HASHES[:at], HASHES[:at], NOTES[: at // BATCH]), SIGNER.verifier)
        assert verdict.findings == [], "all that is here agrees"
        (found,) = audit(
            read(HASHES[:at], HASHES[:at], NOTES[: at // BATCH], (NOTES[-1],)), SIGNER.verifier
        ).findings
        assert found == Finding(at, Damage.TRUNCATED, f"{SIZE - at} missing to the end")


def test_two_checkpoints_of_equal_size_with_other_roots_raise_the_alarm() -> None:
    changed = done("edit", 123)
    for size in (130, 500, SIZE):
        other = note(changed, size)
        findings = audit(read(HASHES, HASHES, NOTES, (other,)), SIGNER.verifier).findings
        assert {(each.index, each.damage) for each in findings} == {(size, Damage.SPLIT_VIEW)}
        (found,) = split_views([*NOTES, other], SIGNER.verifier)
        assert found.index == size
    between = note(changed, 555)
    (found,) = audit(read(HASHES, HASHES, NOTES, (between,)), SIGNER.verifier).findings
    assert (found.index, found.damage) == (555, Damage.SPLIT_VIEW), "also where the log itself signed nothing"


def test_a_checkpoint_signed_by_another_key_is_named() -> None:
    thief = Signer(SIGNER.name, ED25519, Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)))
    forged = Checkpoint(SIGNER.name, 990, bytes(32)).signed(thief)
    assert audit(read(HASHES, HASHES, [*NOTES, forged]), SIGNER.verifier).findings == [
        Finding(990, Damage.CHECKPOINT_FORGED)
    ]
    assert [each.damage for each in audit(read(HASHES, HASHES, []), SIGNER.verifier).findings] == [
        Damage.CHECKPOINT_MISSING
    ]


def test_a_tree_altered_beside_whole_leaves_is_told_apart() -> None:
    verdict = audit(read(HASHES, done("edit", 5), NOTES), SIGNER.verifier)
    assert verdict.findings == [Finding(0, Damage.TREE_ALTERED, "the leaves are whole")]


def test_leaves_that_do_not_stand_at_their_index_are_told() -> None:
    shifted = [index + 1 if index > 4 else index for index in range(SIZE)]
    assert audit(Log(Hashes(HASHES), shifted, Hashes(HASHES), NOTES), SIGNER.verifier).findings
    turned = [1, 0, *range(2, SIZE)]
    verdict = audit(Log(Hashes(HASHES), turned, Hashes(HASHES), NOTES), SIGNER.verifier)
    assert verdict.findings == [Finding(0, Damage.REORDERED, "stands at 1")]


def test_several_deeds_at_once_are_each_named() -> None:
    changed = list(HASHES)
    changed[10] = leaf_hash(b"x")
    changed[700], changed[701] = changed[701], changed[700]
    del changed[300]
    changed.insert(50, leaf_hash(b"new"))
    findings = differences(changed, HASHES)
    assert {(each.index, each.damage) for each in findings} >= {
        (10, Damage.EDITED),
        (50, Damage.ADDED),
        (300, Damage.DELETED),
    }
    assert any(each.damage is Damage.REORDERED and each.index in (700, 701) for each in findings)


def test_random_deeds_never_pass() -> None:
    chance = random.Random(5)
    whole = HASHES[:60]
    for _ in range(200):
        changed = list(whole)
        for _ in range(chance.randint(1, 4)):
            at, deed = chance.randrange(len(changed)), chance.randrange(3)
            if deed == 0:
                del changed[at]
            elif deed == 1:
                changed.insert(at, chance.randbytes(32))
            else:
                changed.reverse()
        assert bool(differences(changed, whole)) == (changed != whole)
