"""Which hash tiles prove the tree before a start, and how (static-ct-api, RFC 9162 2.1).

A tree is split into perfect subtrees, those before the start on one side and the rest on the other.
Each is found in one tile or folded from a part of it; together they must give the signed root.
Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from certstream_tx.ct.merkle import CompactRange, node_hash
from certstream_tx.ct.tiles import TILE_WIDTH, TileError, read_hash_tile

_TILE_HEIGHT: Final = 8
"""Levels of the tree from the hashes of a tile to the one above it: 256 = 2 ** 8."""


class Tile(NamedTuple):
    """A hash tile: its level, its number, and how many hashes it has in some tree."""

    level: int
    n: int
    width: int


class _Subtree(NamedTuple):
    """The perfect tree over ``2 ** height`` leaves from ``number * 2 ** height`` on."""

    height: int
    number: int


def tiles_for(start: int, size: int) -> list[Tile]:
    """The tiles that ``prove`` needs, from the tree of ``size`` entries; 0 < start <= size."""
    needed = {_tile_of(subtree, size) for subtree in _subtrees(0, size, start)}
    return sorted(needed)


def prove(start: int, size: int, tiles: Mapping[Tile, bytes]) -> tuple[CompactRange, bytes]:
    """The compact range before ``start``, and the root of the tree of ``size`` that contains it.

    The range is proven when that root is a signed one. ``tiles`` are those of ``tiles_for``, each
    of its own width. Raises TileError when one has another size.
    """
    hashes = {tile: read_hash_tile(data, tile.width) for tile, data in tiles.items()}

    def fold(subtree: _Subtree) -> bytes:
        tile = _tile_of(subtree, size)
        height = subtree.height - tile.level * _TILE_HEIGHT
        first = (subtree.number << height) % TILE_WIDTH
        row = hashes[tile][first : first + (1 << height)]
        while len(row) > 1:
            pairs = iter(row)
            row = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
        return row[0]

    def root_of(first: int, end: int) -> bytes:
        if (subtree := _perfect(first, end, start)) is not None:
            return fold(subtree)
        middle = _middle(first, end)
        return node_hash(root_of(first, middle), root_of(middle, end))

    before = [
        fold(subtree)
        for subtree in _subtrees(0, size, start)
        if subtree.number << subtree.height < start
    ]
    return CompactRange(start, before), root_of(0, size)


def _subtrees(first: int, end: int, start: int) -> Iterator[_Subtree]:
    """The perfect subtrees of ``[first, end)`` of which none has ``start`` within, in order."""
    if (subtree := _perfect(first, end, start)) is not None:
        yield subtree
    else:
        middle = _middle(first, end)
        yield from _subtrees(first, middle, start)
        yield from _subtrees(middle, end, start)


def _perfect(first: int, end: int, start: int) -> _Subtree | None:
    """``[first, end)`` as one subtree, if it is perfect and ``start`` is not within it."""
    count = end - first
    if count & (count - 1) or first < start < end:
        return None
    height = count.bit_length() - 1
    return _Subtree(height, first >> height)


def _middle(first: int, end: int) -> int:
    """Where RFC 9162 2.1.1 splits a tree: at the largest power of two below its size."""
    return first + (1 << ((end - first - 1).bit_length() - 1))


def _tile_of(subtree: _Subtree, size: int) -> Tile:
    """The tile that holds the hashes which a subtree is folded from."""
    level = subtree.height // _TILE_HEIGHT
    first = subtree.number << (subtree.height - level * _TILE_HEIGHT)
    n = first // TILE_WIDTH
    width = min((size >> (level * _TILE_HEIGHT)) - n * TILE_WIDTH, TILE_WIDTH)
    if width <= 0:
        raise TileError(f"there is no tile {n} at level {level} in a tree of {size}")
    return Tile(level, n, width)
