"""What a place without a network holds of a log: its keys, those of witnesses, a checkpoint it can compare with.

A proof shows more than the root: every hash on its way is that of a range of leaves, and a range has one
hash for ever. Two views of one log that share a range and give it other hashes cannot both be true.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Fault, Kind, declare
from chassis.tlog.checkpoint import Checkpoint, open_checkpoint
from chassis.tlog.note import COSIGNATURE, ED25519, Verifier
from chassis.tlog.tree import Range, inclusion_ranges, leaf_hash, node_hash, nodes_of

LOG_TRUST_UNREADABLE = declare(
    "LOG_TRUST_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "日志信任文件无效：{cause}",
    "The file with what is trusted of the log cannot be taken: {cause}",
)


@dataclass(frozen=True, slots=True)
class HeldLog:
    """Keys of a log and its witnesses (日志信任文件), and maybe a checkpoint with the subtrees of its tree."""

    keys: tuple[Verifier, ...] = ()
    checkpoint: str = ""
    """A signed note, kept to the letter."""
    subtrees: tuple[bytes, ...] = ()
    """The hashes of the complete subtrees that the checkpoint's tree consists of, from left to right."""

    @property
    def logs(self) -> tuple[Verifier, ...]:
        """The keys of the log, former ones too."""
        return tuple(each for each in self.keys if each.kind == ED25519)

    @property
    def witnesses(self) -> tuple[Verifier, ...]:
        """The keys of witnesses."""
        return tuple(each for each in self.keys if each.kind == COSIGNATURE)

    @property
    def text(self) -> str:
        """The file."""
        content: dict[str, object] = {"keys": [str(each) for each in self.keys]}
        if self.checkpoint:
            content["checkpoint"] = self.checkpoint
            content["subtrees"] = [base64.b64encode(each).decode() for each in self.subtrees]
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def known(self) -> dict[Range, bytes]:
        """Return the hashes of ranges that the held checkpoint vouches for. Raises LOG_TRUST_UNREADABLE."""
        if not self.checkpoint:
            return {}
        try:
            signed, _ = open_checkpoint(self.checkpoint, *self.logs)
        except Fault as fault:
            raise LOG_TRUST_UNREADABLE(cause=fault.code) from None
        return known_of(signed, self.subtrees)


def known_of(signed: Checkpoint, subtrees: Sequence[bytes]) -> dict[Range, bytes]:
    """Return the hashes of ranges that a checkpoint and its subtrees give. Raises LOG_TRUST_UNREADABLE."""
    whole = {(0, signed.size): signed.root}
    if not subtrees:
        return whole
    found = hashes_of_edge(signed.size, subtrees)
    if found.get((0, signed.size)) != signed.root:
        raise LOG_TRUST_UNREADABLE(cause="subtrees")
    return found


def read_held(text: str) -> HeldLog:
    """Read the file, and check that its parts fit. Raises LOG_TRUST_UNREADABLE."""
    try:
        content = json.loads(text)
        keys = tuple(Verifier.parse(str(each)) for each in content["keys"])
        subtrees = tuple(base64.b64decode(each, validate=True) for each in content.get("subtrees", []))
        found = HeldLog(keys, str(content.get("checkpoint", "")), subtrees)
    except Fault as fault:
        raise LOG_TRUST_UNREADABLE(cause=fault.code) from None
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise LOG_TRUST_UNREADABLE(cause=type(problem).__name__) from None
    found.known()
    return found


def hashes_on_path(index: int, size: int, leaf: bytes, hashes: Sequence[bytes]) -> dict[Range, bytes]:
    """Return the hash of every range that an inclusion proof shows, the root among them.

    The proof must have been checked: a shorter one raises ValueError.
    """
    start, end, here = index, index + 1, leaf_hash(leaf)
    found: dict[Range, bytes] = {(start, end): here}
    for (first, last), each in zip(inclusion_ranges(index, size), hashes, strict=True):
        found[first, last] = each
        here = node_hash(each, here) if first < start else node_hash(here, each)
        start, end = min(start, first), max(end, last)
        found[start, end] = here
    return found


def hashes_of_edge(size: int, subtrees: Sequence[bytes]) -> dict[Range, bytes]:
    """Return the hash of every range that the complete subtrees of a tree give; none for a wrong number of them."""
    nodes = nodes_of(0, size)
    if len(nodes) != len(subtrees):
        return {}
    ranges = [(node.at << node.level, (node.at + 1) << node.level) for node in nodes]
    found: dict[Range, bytes] = dict(zip(ranges, subtrees, strict=True))
    here = subtrees[-1] if subtrees else b""
    for (start, _), each in zip(ranges[-2::-1], subtrees[-2::-1], strict=True):
        here = node_hash(each, here)
        found[start, size] = here
    return found


def contradicting(one: Mapping[Range, bytes], other: Mapping[Range, bytes]) -> Range | None:
    """Return the first range to which two views of a log give other hashes, None when they agree as far as they meet."""
    return next((each for each in sorted(one.keys() & other.keys()) if one[each] != other[each]), None)
