"""A growing Merkle tree with proofs and hash tiles, which keeps next to nothing of its leaves.

Leaf hashes are asked for again when a proof or a tile needs them; what is kept of an entry is four
bytes of its hash (to find it by hash) and its share of the level above, 4.2 bytes altogether.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from certstream_tx.ct.merkle import EMPTY_ROOT, node_hash

TILE_HEIGHT = 8
"""levels of the tree in one tile (static-ct-api)"""
TILE_WIDTH = 1 << TILE_HEIGHT
HASH = 32
"""bytes of a SHA-256"""
PREFIX = 4
"""bytes kept of a leaf hash: enough that a search finds next to no wrong entries"""
REMEMBERED_TILES = 64
"""bottom tiles whose leaf hashes are kept at hand: 0.8 MB"""


class TreeError(ValueError):
    """What was asked for is not in the tree."""


def fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of neighbouring nodes."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


class GrowingTree:
    """An append-only tree (RFC 6962 2.1): roots and proofs at every size it ever had.

    ``leaf_hashes(start, end)`` gives the hashes of leaves already added, again and unchanged.
    A proof asks it for one tile's leaves at most and costs 255 node hashes a tile level.
    """

    __slots__ = ("_edge", "_levels", "_prefixes", "_tile_leaves", "size")

    def __init__(self, leaf_hashes: Callable[[int, int], list[bytes]]) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # leaves of the bottom tile that is not full yet
        self._levels: list[bytearray] = [bytearray()]  # whole tiles' roots, by tile level from 1
        self._prefixes = bytearray()

        @lru_cache(REMEMBERED_TILES)
        def tile_leaves(n: int) -> list[bytes]:
            return leaf_hashes(n * TILE_WIDTH, (n + 1) * TILE_WIDTH)

        self._tile_leaves = tile_leaves

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Add leaves by their hashes."""
        edge = self._edge
        for leaf in hashes:
            edge.append(leaf)
            self._prefixes += leaf[:PREFIX]
            if len(edge) == TILE_WIDTH:
                self._close_tile(1, fold(edge))
                edge.clear()
        self.size = len(self._prefixes) // PREFIX

    def _close_tile(self, level: int, root: bytes) -> None:
        """Note the root of a full tile as the newest node of the tile level above."""
        if level > len(self._levels):
            self._levels.append(bytearray())
        nodes = self._levels[level - 1]
        nodes += root
        count = len(nodes) // HASH
        if count % TILE_WIDTH == 0:
            self._close_tile(level + 1, fold(self._row(level, count - TILE_WIDTH, count)))

    def root(self, size: int | None = None) -> bytes:
        """The root at a size; ``TreeError`` for one that the tree has not reached."""
        size = self.size if size is None else self._reached(size)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of a leaf in the tree of a size (RFC 6962 2.1.1)."""
        if not 0 <= index < self._reached(size):
            raise TreeError(f"entry {index} is not in a tree of {size} entries")
        start, end, path = 0, size, []
        while end - start > 1:
            middle = start + _left_width(end - start)
            if index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        path.reverse()
        return path

    def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the tree of ``second`` entries continues that of ``first`` (2.1.2).

        Empty for equal sizes and for ``first`` = 0, where there is nothing to be proven.
        """
        if not 0 <= first <= self._reached(second):
            raise TreeError(f"a tree of {second} entries does not continue one of {first}")
        start, end, path = 0, second, []
        while first and first != end:
            middle = start + _left_width(end - start)
            if first <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        if start:  # the first tree's own last part: not needed where it is all of that tree
            path.append(self._subtree(start, end))
        path.reverse()
        return path

    def index_of(self, leaf: bytes, size: int) -> int | None:
        """The place of the first leaf with this hash in the tree of a size, None if there is none.

        One search through the kept bytes: some ten milliseconds in a tree of ten million.
        """
        end = self._reached(size) * PREFIX
        at = self._prefixes.find(leaf[:PREFIX], 0, end)
        while at >= 0:
            index, rest = divmod(at, PREFIX)
            if rest == 0 and self._row(0, index, index + 1) == [leaf]:
                return index
            at = self._prefixes.find(leaf[:PREFIX], at + 1, end)
        return None

    def tile_range(self, level: int, n: int, width: int = TILE_WIDTH) -> tuple[int, int]:
        """The nodes [start, end) of a level that a tile holds; ``TreeError`` for one not there."""
        start = n * TILE_WIDTH
        end = start + width
        if (
            level < 0
            or n < 0
            or not 1 <= width <= TILE_WIDTH
            or end > self.size >> level * TILE_HEIGHT
        ):
            raise TreeError(f"no tile {n} of width {width} on level {level} yet")
        return start, end

    def hash_tile(self, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """The first ``width`` hashes of a tile (static-ct-api); ``TreeError`` for one not there."""
        start, end = self.tile_range(level, n, width)
        return b"".join(self._row(level, start, end))

    def _reached(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise TreeError(f"the tree has {self.size} entries, not {size}")
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """The root over [start, end), where start is what RFC 6962's recursion arrives at."""
        width = end - start
        if width & (width - 1) == 0:
            return self._node(width.bit_length() - 1, start)
        middle = start + _left_width(width)
        return node_hash(self._subtree(start, middle), self._subtree(middle, end))

    def _node(self, height: int, start: int) -> bytes:
        """The root of the full subtree of 2**height leaves that begins at ``start``."""
        level, within = divmod(height, TILE_HEIGHT)
        place = start >> level * TILE_HEIGHT
        return fold(self._row(level, place, place + (1 << within)))

    def _row(self, level: int, start: int, end: int) -> list[bytes]:
        """Nodes [start, end) of a tile level, all of them from one tile."""
        if level:
            nodes = self._levels[level - 1]
            return [bytes(nodes[at : at + HASH]) for at in range(start * HASH, end * HASH, HASH)]
        n, first = divmod(start, TILE_WIDTH)
        whole = (n + 1) * TILE_WIDTH <= self.size
        leaves = self._tile_leaves(n) if whole else self._edge
        return leaves[first : first + end - start]


def _left_width(width: int) -> int:
    """The largest power of two below a width of two or more: where RFC 6962 splits a tree."""
    return 1 << (width - 1).bit_length() - 1
