"""The growing tree against verifiers of proofs, and against the definition."""

from functools import cache
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import (
    EMPTY_ROOT,
    CompactRange,
    node_hash,
    verify_inclusion,
)
from certstream_tx.demo.tree import GrowingTree, TreeError
from tests.ct.consistency import verify_consistency

SMALL = 70
LARGE = 66_000
"""past the first full tile of the second level"""
EDGES = (255, 256, 257, 511, 512, 513, 65535, 65536, 65537, LARGE)


def leaf(index: int) -> bytes:
    """A made-up leaf hash."""
    return sha256(b"leaf %d" % index).digest()


def leaves(start: int, end: int) -> list[bytes]:
    return [leaf(index) for index in range(start, end)]


def tree_of(size: int) -> GrowingTree:
    tree = GrowingTree(leaves)
    tree.extend(leaves(0, size))
    return tree


@cache
def large_tree() -> GrowingTree:
    return tree_of(LARGE)


@cache
def large_roots() -> dict[int, bytes]:
    """The roots at EDGES, by a compact range."""
    growing, roots = CompactRange(), {}
    for size in EDGES:
        growing.extend(leaves(growing.size, size))
        roots[size] = growing.root()
    return roots


def defined_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


class GrowingTreeTests(SynchronousTestCase):
    """Roots, proofs and tiles at every size."""

    def test_roots_by_definition(self) -> None:
        """Every small tree has the root that the RFC defines, also when it has grown further."""
        tree = tree_of(SMALL)
        for size in range(SMALL + 1):
            expected = defined_root(leaves(0, size))
            self.assertEqual(tree.root(size), expected)
            self.assertEqual(tree_of(size).root(), expected)

    def test_small_inclusion(self) -> None:
        """Every entry is proven in every small tree that holds it."""
        tree = tree_of(SMALL)
        for size in range(1, SMALL + 1):
            root = tree.root(size)
            for index in range(size):
                path = tree.inclusion(index, size)
                verify_inclusion(index, size, leaf(index), path, root)

    def test_small_consistency(self) -> None:
        """Every small tree is proven to continue every smaller one."""
        tree = tree_of(SMALL)
        roots = [tree.root(size) for size in range(SMALL + 1)]
        for second in range(1, SMALL + 1):
            for first in range(1, second + 1):
                path = tree.consistency(first, second)
                verify_consistency(first, second, path, roots[first], roots[second])

    def test_nothing_to_prove(self) -> None:
        """Equal sizes, and the empty tree, have empty proofs."""
        tree = tree_of(9)
        self.assertEqual(tree.consistency(7, 7), [])
        self.assertEqual(tree.consistency(0, 9), [])
        self.assertEqual(tree.consistency(0, 0), [])

    def test_large_roots(self) -> None:
        """Roots around full tiles of both levels agree with a compact range."""
        for size, root in large_roots().items():
            self.assertEqual(large_tree().root(size), root)

    def test_large_proofs(self) -> None:
        """Proofs across tile borders verify."""
        for size, root in large_roots().items():
            for index in (0, 1, 254, 255, 256, 257, 65535, 65536, size - 1):
                if index < size:
                    path = large_tree().inclusion(index, size)
                    verify_inclusion(index, size, leaf(index), path, root)
            for first, first_root in large_roots().items():
                if first <= size:
                    path = large_tree().consistency(first, size)
                    verify_consistency(first, size, path, first_root, root)

    def test_proofs_are_short(self) -> None:
        """A proof has no more hashes than the tree has levels."""
        self.assertLessEqual(len(large_tree().inclusion(12345, LARGE)), 17)
        self.assertLessEqual(len(large_tree().consistency(12345, LARGE)), 18)

    def test_hash_tiles(self) -> None:
        """Tiles hold the leaves, and above them the roots of the tiles below."""
        self.assertEqual(large_tree().hash_tile(0, 3), b"".join(leaves(768, 1024)))
        self.assertEqual(large_tree().hash_tile(0, 257, 208), b"".join(leaves(65792, LARGE)))
        level1 = large_tree().hash_tile(1, 0)
        self.assertEqual(len(level1), 256 * 32)
        self.assertEqual(level1[32 * 7 : 32 * 8], defined_root(leaves(1792, 2048)))
        self.assertEqual(large_tree().hash_tile(2, 0, 1), large_roots()[65536])

    def test_right_edge(self) -> None:
        """The partial tiles of all levels together give the root, as static-ct-api relies on."""
        for size in EDGES:
            tree = large_tree() if size == LARGE else tree_of(size)
            hashes: list[bytes] = []
            for level in (2, 1, 0):
                count = size >> 8 * level
                width = count % 256
                if width:
                    tile = tree.hash_tile(level, count // 256, width)
                    nodes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
                    part = CompactRange()
                    part.extend(nodes)
                    hashes += part.nodes
            edge = CompactRange(size, hashes)
            self.assertEqual(edge.root(), large_roots()[size])

    def test_tiles_not_there(self) -> None:
        """No tile is given before its last hash is in the tree, nor one that cannot be."""
        tree = tree_of(300)
        for level, n, width in (
            (0, 1, 45), (0, 2, 1), (1, 0, 2), (2, 0, 1), (0, 0, 0), (0, 0, 257), (-1, 0, 1),
            (0, -1, 1), (0, 1, 256), (9, 0, 1),
        ):  # fmt: skip
            with self.assertRaises(TreeError):
                tree.hash_tile(level, n, width)
        self.assertEqual(len(tree.hash_tile(0, 1, 44)), 44 * 32)
        self.assertEqual(len(tree.hash_tile(1, 0, 1)), 32)

    def test_search(self) -> None:
        """A leaf is found by its hash, from the size on at which it is in the tree."""
        for index in (0, 1, 255, 256, 65536, LARGE - 1):
            self.assertEqual(large_tree().index_of(leaf(index), LARGE), index)
            self.assertIsNone(large_tree().index_of(leaf(index), index))
        self.assertIsNone(large_tree().index_of(leaf(LARGE), LARGE))
        self.assertIsNone(large_tree().index_of(b"short", LARGE))

    def test_search_is_not_fooled(self) -> None:
        """What looks like the hash only in part, or between two entries, is not taken for it."""
        same_prefix = [bytes(32), bytes(31) + b"1", b"\0\0\0\1" + bytes(28), bytes(31) + b"2"]
        tree = GrowingTree(lambda start, end: same_prefix[start:end])
        tree.extend(same_prefix)
        for index, hash_ in enumerate(same_prefix):
            self.assertEqual(tree.index_of(hash_, 4), index)
        self.assertIsNone(tree.index_of(bytes(31) + b"3", 4))
        self.assertIsNone(tree.index_of(b"\0\1\0\0" + bytes(28), 4))

    def test_out_of_reach(self) -> None:
        """Sizes and entries that the tree has not reached are refused."""
        tree = tree_of(5)
        for ask in (
            lambda: tree.root(6),
            lambda: tree.root(-1),
            lambda: tree.inclusion(5, 5),
            lambda: tree.inclusion(-1, 5),
            lambda: tree.inclusion(0, 6),
            lambda: tree.consistency(4, 3),
            lambda: tree.consistency(4, 6),
            lambda: tree.consistency(-1, 3),
            lambda: tree.index_of(leaf(0), 6),
        ):
            self.assertRaises(TreeError, ask)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.integers(0, 300), max_size=6))
    def test_growth_in_pieces(self, pieces: list[int]) -> None:
        """How a tree has grown cannot be told from it."""
        tree = GrowingTree(leaves)
        for count in pieces:
            tree.extend(leaves(tree.size, tree.size + count))
        whole = CompactRange()
        whole.extend(leaves(0, sum(pieces)))
        self.assertEqual(tree.size, sum(pieces))
        self.assertEqual(tree.root(), whole.root())
