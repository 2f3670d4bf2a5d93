"""Tests of certstream_tx.ingest.clients.hash_tiles."""

from hashlib import sha256
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.tiles import TileError
from certstream_tx.demo.tree import GrowingTree
from certstream_tx.ingest.clients.hash_tiles import Tile, prove, tiles_for

LEAVES = [sha256(index.to_bytes(4, "big")).digest() for index in range(70_000)]
TREE = GrowingTree(lambda start, end: LEAVES[start:end])
TREE.extend(LEAVES)


def tiles_of(start: int, size: int) -> dict[Tile, bytes]:
    """The tiles asked for, as a log of this size has them."""
    for tile in tiles_for(start, size):
        full = size >> (8 * tile.level)
        assert tile.width == min(full - tile.n * 256, 256)
    return {tile: TREE.hash_tile(*tile) for tile in tiles_for(start, size)}


class ProveTests(SynchronousTestCase):
    """Compact ranges from hash tiles."""

    def check(self, start: int, size: int) -> None:
        before, root = prove(start, size, tiles_of(start, size))
        truth = CompactRange()
        truth.extend(LEAVES[:start])
        self.assertEqual(before, truth, (start, size))
        self.assertEqual(root, TREE.root(size), (start, size))

    def test_small_trees(self) -> None:
        """Every start of every tree of up to 40 entries."""
        for size in range(1, 41):
            for start in range(1, size + 1):
                self.check(start, size)

    def test_edges(self) -> None:
        """Starts and sizes at the edges of tiles of two and three levels."""
        numbers = (1, 255, 256, 257, 511, 512, 513, 65_279, 65_280, 65_535, 65_536, 65_537, 70_000)
        for size in numbers:
            for start in (each for each in numbers if each <= size):
                self.check(start, size)

    @given(st.integers(1, 70_000), st.integers(1, 70_000))
    @settings(deadline=None, max_examples=60)
    def test_any_start(self, one: int, other: int) -> None:
        """Any start of any tree."""
        self.check(min(one, other), max(one, other))

    def test_real_example(self) -> None:
        """703 entries: the right edge is two partial tiles."""
        self.assertEqual(tiles_for(703, 703), [Tile(0, 2, 191), Tile(1, 0, 2)])

    def test_few_tiles(self) -> None:
        """A tree of a billion takes no more than eight tiles, at its end four."""
        size = 1_111_014_091
        self.assertLessEqual(len(tiles_for(size, size)), 4)
        rng = Random(3)
        for _ in range(50):
            self.assertLessEqual(len(tiles_for(rng.randint(1, size), size)), 8)

    def test_changed_hash(self) -> None:
        """Any hash of the proof that is changed leads to another root."""
        start, size = 512, 703
        tiles = tiles_of(start, size)
        for tile, data in tiles.items():
            for position in range(0, len(data), 32):
                changed = data[:position] + bytes(32) + data[position + 32 :]
                _, root = prove(start, size, {**tiles, tile: changed})
                self.assertNotEqual(root, TREE.root(size), (tile, position))

    def test_wrong_size(self) -> None:
        """A tile of another size is refused."""
        tiles = tiles_of(300, 703)
        for tile, data in tiles.items():
            for wrong in (data[:-1], data + bytes(32), b"", data[32:]):
                self.assertRaises(TileError, prove, 300, 703, {**tiles, tile: wrong})
