"""Recomputes a whole log and names what is wrong with it; nothing that the log's keeper says is believed.

What is believed: the newest checkpoint that the log's key signed, and every checkpoint kept elsewhere (an
anchor). The hashes kept as tiles lead to the one leaf that was altered as long as they lead to that root
themselves; where they were altered too, the checkpoints in between say from which leaf on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chassis.errors import Fault
from chassis.tlog.alignment import Damage, Finding, differences
from chassis.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from chassis.tlog.note import Verifier, parse_note
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import EMPTY_ROOT, node_hash, root_of


@dataclass(frozen=True, slots=True)
class Log:
    """A log as it was read: the leaves' hashes and the index of each, ``hashes`` are the lowest tiles side by side."""

    leaves: Hashes
    indices: Sequence[int]
    hashes: Hashes
    notes: Sequence[str]
    anchors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was recomputed, and what is wrong; nothing wrong means the log is what was signed."""

    size: int
    root: bytes
    findings: list[Finding] = field(default_factory=list)


def audit(log: Log, *verifiers: Verifier) -> Verdict:
    """Return everything that is wrong with a log; its former keys go on verifying what they signed."""
    findings: list[Finding] = []
    signed = _signed([*log.notes, *log.anchors], verifiers, findings)
    if not signed:
        findings.append(Finding(0, Damage.CHECKPOINT_MISSING, "no checkpoint of the log's key"))
        return Verdict(0, EMPTY_ROOT, findings)
    newest = signed[max(signed)]
    leaves = log.leaves[: bisect_left(log.indices, newest.size)]
    kept = log.hashes[: newest.size]
    if len(kept) == newest.size and root_of(kept) == newest.root:
        findings += differences(leaves, kept) or _gaps(log.indices, newest.size)
        findings += _other_roots(kept, signed)
    else:
        findings += _without_hashes(leaves, newest, signed)
    return Verdict(newest.size, newest.root, sorted(set(findings)))


def split_views(notes: Iterable[str], *verifiers: Verifier) -> list[Finding]:
    """Return the sizes for which the log's key signed more than one root: the proof of a split view."""
    findings: list[Finding] = []
    _signed(list(notes), verifiers, findings)
    return [each for each in findings if each.damage is Damage.SPLIT_VIEW]


def _signed(
    notes: Sequence[str], verifiers: Sequence[Verifier], findings: list[Finding]
) -> dict[int, Checkpoint]:
    """Return the checkpoints that hold, by size; what does not is found."""
    signed: dict[int, Checkpoint] = {}
    for note in dict.fromkeys(notes):
        try:
            checkpoint, _ = open_checkpoint(note, *verifiers)
        except Fault:
            findings.append(Finding(_claimed_size(note), Damage.CHECKPOINT_FORGED))
            continue
        other = signed.setdefault(checkpoint.size, checkpoint)
        if other.root != checkpoint.root:
            roots = f"{other.root.hex()} {checkpoint.root.hex()}"
            findings.append(Finding(checkpoint.size, Damage.SPLIT_VIEW, roots))
    return signed


def _claimed_size(note: str) -> int:
    try:
        return parse_checkpoint(parse_note(note).text).size
    except Fault:
        return 0


def _gaps(indices: Sequence[int], size: int) -> list[Finding]:
    """Return the first of the leaves that are all there but do not stand at their own index."""
    moved = ((n, index) for n, index in enumerate(islice(indices, size)) if n != index)
    return [Finding(n, Damage.REORDERED, f"stands at {index}") for n, index in islice(moved, 1)]


def _without_hashes(
    leaves: Sequence[bytes], newest: Checkpoint, signed: dict[int, Checkpoint]
) -> list[Finding]:
    """Return from where on a log is not what was signed, when its own hashes lead nowhere."""
    if len(leaves) == newest.size and root_of(leaves) == newest.root:
        return [Finding(0, Damage.TREE_ALTERED, "the leaves are whole"), *_other_roots(leaves, signed)]
    roots = _roots_at(leaves, signed)
    holds = [size for size, root in roots.items() if root == signed[size].root]
    fails = [size for size, root in roots.items() if root != signed[size].root]
    whole = max((size for size in holds if not fails or size < min(fails)), default=0)
    if not fails and len(leaves) < newest.size:
        missing = f"{newest.size - len(leaves)} missing to the end"
        return [Finding(len(leaves), Damage.TRUNCATED, missing)]
    until = min(fails, default=newest.size)
    return [Finding(whole, Damage.ALTERED_WITHIN, f"before {until}")]


def _other_roots(hashes: Sequence[bytes], signed: dict[int, Checkpoint]) -> list[Finding]:
    """Return the signed checkpoints that the log never had: another view of it was shown to somebody."""
    roots = _roots_at(hashes, signed)
    return [
        Finding(size, Damage.SPLIT_VIEW, f"{root.hex()} {signed[size].root.hex()}")
        for size, root in roots.items()
        if root != signed[size].root
    ]


def _roots_at(hashes: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """Return the root at each of these sizes that the hashes reach, in one pass over them."""
    wanted = set(sizes)
    roots = {0: EMPTY_ROOT} if 0 in wanted else {}
    pending: list[tuple[int, bytes]] = []
    for size, hashed in enumerate(hashes, 1):
        level, found = 0, hashed
        while pending and pending[-1][0] == level:
            found, level = node_hash(pending.pop()[1], found), level + 1
        pending.append((level, found))
        if size in wanted:
            roots[size] = _folded(pending)
    return roots


def _folded(pending: Sequence[tuple[int, bytes]]) -> bytes:
    found = pending[-1][1]
    for _, left in reversed(pending[:-1]):
        found = node_hash(left, found)
    return found
