"""Prove to a recipient, under one checkpoint, that the states it is told of are in our log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chassis.tlog.tiles import HEIGHT, LOG_TILE_DAMAGED, WIDTH, Tile, Tiles, split, tile_of, tiles_for
from chassis.tlog.tree import Node, inclusion_ranges, node_hash, range_hash
from services.certs.domain.federation import LicenceMessage, says_so
from services.certs.usecases.federation.ports import Standing
from services.certs.usecases.log import Book, Published


@dataclass(frozen=True, slots=True)
class Proving:
    """The tiles of the log that prove leaves under a checkpoint; without a checkpoint nothing is proved."""

    size: int = 0
    tiles: Tiles = field(default_factory=dict, repr=False)
    _rows: dict[Tile, list[list[bytes]]] = field(default_factory=dict, repr=False)
    """Every node of a tile that was needed, level by level: proofs of one batch share most of them."""

    def proved(self, message: LicenceMessage, standing: Standing) -> LicenceMessage:
        """Return the message with its proof; as it is when no leaf of the log says what it says yet.

        A licence may have changed a moment ago: then its newest leaf waits in the queue, and another message follows.
        Raises LOG_TILE_DAMAGED.
        """
        if not 0 <= standing.leaf_index < self.size or not says_so(standing.leaf, message):
            return message
        ranges = inclusion_ranges(standing.leaf_index, self.size)
        hashes = tuple(range_hash(start, end, self._hash_of) for start, end in ranges)
        return replace(message, leaf=standing.leaf.decode(), tree_size=self.size, proof=hashes)

    def _hash_of(self, node: Node) -> bytes:
        tile, level = tile_of(node), node.level % HEIGHT
        if tile not in self._rows:
            self._rows[tile] = _rows_of(self.tiles.get(tile, b""))
        row, place = self._rows[tile][level], node.at % (WIDTH >> level)
        if place >= len(row):
            raise LOG_TILE_DAMAGED(tile=f"{tile.level}/{tile.at}")
        return row[place]


async def proving(book: Book, published: Published | None, standings: Iterable[Standing]) -> Proving:
    """Return what proves where licences stand under a checkpoint, read in one statement."""
    if published is None:
        return Proving()
    places = [each.leaf_index for each in standings if 0 <= each.leaf_index < published.size]
    ranges = [each for place in places for each in inclusion_ranges(place, published.size)]
    return Proving(published.size, await book.tiles(tiles_for(ranges)))


def _rows_of(content: bytes) -> list[list[bytes]]:
    """Return the complete nodes over the hashes of a tile, those of the lowest level first."""
    rows = [split(content)]
    for _ in range(HEIGHT - 1):
        below = rows[-1]
        rows.append([node_hash(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)])
    return rows
