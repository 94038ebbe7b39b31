"""The tree as tiles (C2SP tlog-tiles, height 8): 256 hashes of every eighth level side by side.

A tree of n leaves has about n / 255 tiles. What is in between is hashed when it is asked for; the right
edge is at most one unfinished tile per level, so appending rewrites no more than those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from chassis.errors import Kind, declare
from chassis.tlog.tree import HASH_BYTES, Node, nodes_of, range_hash, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT


class Tile(NamedTuple):
    """Which hashes: those of the nodes of level ``8 * level`` from ``256 * at``."""

    level: int
    at: int


Tiles = Mapping[Tile, bytes]
"""Tiles by what they are; an unfinished one holds fewer than 256 hashes."""


LOG_TILE_DAMAGED = declare(
    "LOG_TILE_DAMAGED",
    Kind.INTERNAL,
    "日志树的存储块 {tile} 缺失或已损坏",
    "Tile {tile} of the log's tree is missing or damaged",
)


def tile_of(node: Node) -> Tile:
    """Return the tile whose hashes a complete node is hashed from."""
    level, above = divmod(node.level, HEIGHT)
    return Tile(level, (node.at << above) >> HEIGHT)


def tiles_for(ranges: Iterable[tuple[int, int]]) -> list[Tile]:
    """Return the tiles that the hashes of ranges are made of, each once."""
    return sorted({tile_of(node) for start, end in ranges for node in nodes_of(start, end)})


def right_edge(size: int) -> list[Tile]:
    """Return the unfinished tiles of a tree: the root and every new leaf need these and no others."""
    found, level = [], 0
    while size >> (level * HEIGHT):
        index, filled = divmod(size >> (level * HEIGHT), WIDTH)
        if filled:
            found.append(Tile(level, index))
        level += 1
    return found


def node_of(tiles: Tiles, node: Node) -> bytes:
    """Return the hash of a complete node. Raises LOG_TILE_DAMAGED."""
    tile, count = tile_of(node), 1 << (node.level % HEIGHT)
    first = (node.at * count) % WIDTH
    content = tiles.get(tile, b"")[first * HASH_BYTES : (first + count) * HASH_BYTES]
    if len(content) != count * HASH_BYTES:
        raise LOG_TILE_DAMAGED(tile=f"{tile.level}/{tile.at}")
    return root_of(split(content))


def hash_of_range(tiles: Tiles, start: int, end: int) -> bytes:
    """Return the hash over a range of leaves. Raises LOG_TILE_DAMAGED."""
    return range_hash(start, end, lambda node: node_of(tiles, node))


def grown(edge: Tiles, size: int, leaf_hashes: Sequence[bytes]) -> dict[Tile, bytes]:
    """Return the tiles that further leaves change or add to a tree of ``size``, whose `right_edge` is given.

    Raises LOG_TILE_DAMAGED when the edge is not that of the size.
    """
    changed: dict[Tile, bytes] = {}
    level, fresh = 0, list(leaf_hashes)
    while fresh:
        position, finished = size >> (level * HEIGHT), []
        while fresh:
            index, filled = divmod(position, WIDTH)
            before = edge.get(Tile(level, index), b"") if filled else b""
            if len(before) != filled * HASH_BYTES:
                raise LOG_TILE_DAMAGED(tile=f"{level}/{index}")
            part, fresh = fresh[: WIDTH - filled], fresh[WIDTH - filled :]
            content = changed[Tile(level, index)] = before + b"".join(part)
            if len(content) == WIDTH * HASH_BYTES:
                finished.append(root_of(split(content)))
            position += len(part)
        level, fresh = level + 1, finished
    return changed


def split(content: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]
