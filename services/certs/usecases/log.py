"""Take queued leaves into the tree, sign its checkpoints, have witnesses see them, prove what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chassis.errors import Kind, declare
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.note import Signs
from chassis.tlog.tiles import WIDTH, Tile, Tiles, grown, hash_of_range, right_edge, tiles_for
from chassis.tlog.tree import HASH_BYTES, consistency_ranges, inclusion_ranges, leaf_hash, nodes_of
from services.certs.domain.log import LICENCE
from services.certs.usecases.ports import Registry

BATCH_LEAVES = 4_096
"""Leaves of one transaction and one checkpoint: at most 16 tiles and a few megabytes."""

LEAF_NOT_FOUND = declare("LEAF_NOT_FOUND", Kind.NOT_FOUND, "日志中没有该记录", "No such leaf in the log")
TREE_SIZE_WRONG = declare(
    "TREE_SIZE_WRONG",
    Kind.INVALID_ARGUMENT,
    "日志没有该大小的检查点",
    "The log has not had this size, or not this one after that one",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf at its place in the log."""

    index: int
    kind: str
    licence_id: str
    content: bytes
    salt: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint; ``lines`` are the cosignatures of witnesses, without their line ends."""

    size: int
    root: bytes
    note: str
    signed_at: datetime
    lines: tuple[str, ...] = ()

    @property
    def cosigned_note(self) -> str:
        """The note with every cosignature it has."""
        return self.note + "".join(f"{line}\n" for line in self.lines)


@dataclass(frozen=True, slots=True)
class Proof:
    """A leaf, the hashes that lead from it to a root, and the checkpoint that signs that root."""

    entry: Entry
    hashes: tuple[bytes, ...]
    checkpoint: Published


class Book(Protocol):
    """The log's tables within one open transaction."""

    async def hold(self) -> int | None:
        """Return the tree's size and hold the log until the transaction ends; None while another does."""

    async def take(self, size: int, limit: int) -> list[bytes]:
        """Move queued leaves, oldest first, into the log from index ``size``; return them in order."""

    async def tiles(self, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
        """Return those of these tiles that there are."""

    async def put_tiles(self, tiles: Tiles) -> None:
        """Store tiles, new ones and grown ones."""

    async def grow(self, size: int) -> None:
        """Note the tree's new size."""

    async def publish(self, checkpoint: Published) -> None:
        """Store a checkpoint."""

    async def newest(self) -> Published | None:
        """Return the newest checkpoint with its cosignatures."""

    async def newest_cosigned(self) -> Published | None:
        """Return the newest checkpoint that a witness cosigned."""

    async def checkpoint(self, size: int) -> Published | None:
        """Return the checkpoint of a size."""

    async def entry(self, index: int) -> Entry | None:
        """Return a leaf by its index."""

    async def entry_of(self, licence_id: str, hashed: bytes) -> Entry | None:
        """Return the leaf of a licence by its leaf hash."""

    async def newest_of(self, licence_id: str, kind: str) -> Entry | None:
        """Return the newest leaf of a kind that names a licence."""

    async def size(self) -> int:
        """Return how many leaves the tree has."""

    async def page(self, start: int, end: int) -> list[Entry]:
        """Return the leaves from an index up to another, in order."""

    async def checkpoints(self, start: int, limit: int) -> list[Published]:
        """Return checkpoints from a size on, by size."""

    async def cosign(self, size: int, witness: str, line: str, at: datetime) -> None:
        """Store a witness's cosignature of a checkpoint, once."""

    async def cosigned_size(self, witness: str) -> int:
        """Return the size of the newest checkpoint that a witness cosigned, 0 for none."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What one step of the sequencer did."""

    taken: int
    size: int


async def sequence(
    book: Book, signer: Signs, now: datetime, *, limit: int = BATCH_LEAVES
) -> Sequenced | None:
    """Take up to ``limit`` queued leaves into the tree and sign its new checkpoint; None while another does.

    All of it is one transaction: a leaf leaves the queue, gets its index, its hash in the tree and a
    signed root together, or stays queued. Raises LOG_TILE_DAMAGED.
    """
    size = await book.hold()
    if size is None:
        return None
    taken = await book.take(size, limit)
    if not taken and await book.newest() is not None:
        return Sequenced(0, size)
    edge = await book.tiles(right_edge(size))
    changed = grown(edge, size, [leaf_hash(each) for each in taken])
    size += len(taken)
    found = Checkpoint(signer.name, size, hash_of_range({**edge, **changed}, 0, size))
    await book.put_tiles(changed)
    await book.grow(size)
    await book.publish(Published(size, found.root, found.signed(signer), now))
    return Sequenced(len(taken), size)


async def inclusion(book: Book, index: int, size: int) -> tuple[bytes, ...]:
    """Return the hashes that prove a leaf in the tree of a size; at most one for each level."""
    return await _hashes(book, inclusion_ranges(index, size))


async def consistency(book: Book, old: int, new: int) -> tuple[bytes, ...]:
    """Return the hashes that prove that the tree of the new size begins with that of the old."""
    return await _hashes(book, consistency_ranges(old, new))


async def proof_at(book: Book, entry: Entry | None, size: int = 0) -> Proof:
    """Return the proof of a leaf under the checkpoint of a size, or the newest. Raises LEAF_NOT_FOUND, TREE_SIZE_WRONG."""
    published = await (book.checkpoint(size) if size else book.newest())
    if published is None and size:
        raise TREE_SIZE_WRONG()
    if entry is None or published is None or entry.index >= published.size:
        raise LEAF_NOT_FOUND()
    return Proof(entry, await inclusion(book, entry.index, published.size), published)


async def proof_of(book: Book, licence_id: str) -> Proof:
    """Return the newest leaf that says where a licence stands, proved under the newest checkpoint.

    Raises LEAF_NOT_FOUND while its first leaf waits in the queue, for about a second.
    """
    return await proof_at(book, await newest_state(book, licence_id))


async def newest_state(book: Book, licence_id: str) -> Entry | None:
    """Return the newest leaf that says where a licence stands."""
    return await book.newest_of(licence_id, LICENCE)


async def checkpoint(book: Book, size: int = 0) -> Published:
    """Return the checkpoint of a size the log has had, or the newest. Raises TREE_SIZE_WRONG."""
    found = await (book.checkpoint(size) if size else book.newest())
    if found is None:
        raise TREE_SIZE_WRONG()
    return found


async def subtrees(book: Book, size: int) -> tuple[bytes, ...]:
    """Return the hashes of the complete subtrees of the tree of a size, from left to right."""
    ranges = [(each.at << each.level, (each.at + 1) << each.level) for each in nodes_of(0, size)]
    return await _hashes(book, ranges)


async def visible(registry: Registry, department: str, entry: Entry | None) -> Entry | None:
    """Return a leaf if a department may know of it: the state of a licence it issued, or its own use of one.

    Who else used its licences is no issuer's business. Anyone who is no department (an empty code) may know of
    every leaf.
    """
    if entry is None or not department:
        return entry
    facts = json.loads(entry.content).get("facts", {})
    if facts.get("consumer") == department:
        return entry
    licence = await registry.licences.get(entry.licence_id) if entry.kind == LICENCE else None
    return entry if licence is not None and licence.issuer_code == department else None


async def places(book: Book, start: int, limit: int) -> tuple[list[tuple[int, bytes, bytes]], int]:
    """Return index, leaf and hash in the tree of every place from one on, and the tree's size.

    What is missing at a place is empty: an auditor is shown the hole.
    """
    size = await book.size()
    end = min(start + limit, size)
    leaves = {each.index: each.content for each in await book.page(start, end)}
    wanted = [Tile(0, at) for at in range(start // WIDTH, (end - 1) // WIDTH + 1)] if end > start else []
    tiles = await book.tiles(wanted)
    found = [(n, leaves.get(n, b""), _hash_in(tiles, n)) for n in range(start, end)]
    return found, size


def _hash_in(tiles: Tiles, index: int) -> bytes:
    tile, at = divmod(index, WIDTH)
    return tiles.get(Tile(0, tile), b"")[at * HASH_BYTES : (at + 1) * HASH_BYTES]


async def proof_between(book: Book, old: int, new: int) -> tuple[bytes, ...]:
    """Return the consistency proof between two sizes the log has had. Raises TREE_SIZE_WRONG."""
    newest = await book.newest()
    if newest is None or not 0 <= old <= new <= newest.size:
        raise TREE_SIZE_WRONG()
    return await consistency(book, old, new)


async def _hashes(book: Book, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    tiles = await book.tiles(tiles_for(ranges)) if ranges else {}
    return tuple(hash_of_range(tiles, start, end) for start, end in ranges)
