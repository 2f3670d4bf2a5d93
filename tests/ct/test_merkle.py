"""Hashes, compact ranges and proofs, against real vectors and the recursive definitions."""

from base64 import b64decode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    CompactRange,
    MerkleError,
    leaf_hash,
    node_hash,
    range_before,
    root_from_inclusion,
    verify_inclusion,
)
from tests.ct.samples import (
    PROPERTY,
    decoded,
    decoded_path,
    fixture_json,
    hashes,
    leaves_of,
    naive_path,
    naive_root,
)


class HashTests(SynchronousTestCase):
    """Leaves and nodes are hashed with different prefixes."""

    def test_known_hashes(self) -> None:
        """The empty tree and the empty leaf have their well-known hashes."""
        self.assertEqual(b64decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), EMPTY_ROOT)
        self.assertEqual(leaf_hash(b""), b64decode("bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="))

    def test_a_node_is_not_a_leaf(self) -> None:
        """A node over two hashes differs from a leaf that holds them (second preimages)."""
        left, right = leaves_of(2)
        self.assertNotEqual(node_hash(left, right), leaf_hash(left + right))


class VectorTests(SynchronousTestCase):
    """Every vector of transparency-dev gets the verdict it must get."""

    def test_inclusion(self) -> None:
        """The inclusion vectors, good and bad."""
        verdicts = set()
        for name, vector in fixture_json("merkle/inclusion.json").items():
            verdicts.add(vector["wantErr"])
            with self.subTest(name):
                self.check(
                    vector,
                    verify_inclusion,
                    vector["leafIdx"],
                    vector["treeSize"],
                    decoded(vector, "leafHash"),
                    decoded_path(vector),
                    decoded(vector, "root"),
                )
        self.assertEqual(verdicts, {True, False})

    def check(self, vector: dict[str, Any], verify: Any, *proof: Any) -> None:
        """``verify`` refuses the proof exactly when the vector says so."""
        if vector["wantErr"]:
            self.assertRaises(MerkleError, verify, *proof)
        else:
            verify(*proof)


class CompactRangeTests(SynchronousTestCase):
    """A compact range grows to the same roots as the whole tree has."""

    def test_add_agrees_with_the_definition(self) -> None:
        """Every root from 0 to 130 leaves, added one by one."""
        leaves = leaves_of(130)
        grown = CompactRange()
        for size in range(131):
            self.assertEqual(grown.root(), naive_root(leaves[:size]))
            self.assertEqual(grown.size, size)
            self.assertEqual(len(grown.nodes), size.bit_count())
            if size < 130:
                grown.add(leaves[size])

    @PROPERTY
    @given(st.lists(st.integers(0, 70), max_size=6))
    def test_extend_agrees_with_add(self, parts: list[int]) -> None:
        """Leaves in batches of any sizes give the same range as one by one."""
        leaves = leaves_of(sum(parts))
        one_by_one, batches = CompactRange(), CompactRange()
        for leaf in leaves:
            one_by_one.add(leaf)
        for part in parts:
            batches.extend(leaves[batches.size : batches.size + part])
        self.assertEqual(batches, one_by_one)

    def test_continues_from_saved_nodes(self) -> None:
        """A range made of a size and its nodes goes on where the first one stood."""
        leaves = leaves_of(40)
        first = CompactRange()
        first.extend(leaves[:27])
        second = CompactRange(first.size, tuple(first.nodes))
        second.extend(iter(leaves[27:]))
        self.assertEqual(second.root(), naive_root(leaves))

    def test_a_copy_is_independent(self) -> None:
        """Growing a copy leaves the original alone."""
        original = CompactRange()
        original.extend(leaves_of(3))
        copied = original.copy()
        copied.add(leaves_of(4)[3])
        self.assertEqual(original.root(), naive_root(leaves_of(3)))
        self.assertEqual(copied.root(), naive_root(leaves_of(4)))
        self.assertNotEqual(original, copied)

    def test_refuses_nodes_that_do_not_fit(self) -> None:
        """Too few or too many nodes, short ones, and sizes that cannot be."""
        (leaf,) = leaves_of(1)
        for size, nodes in (
            (0, [leaf]),
            (1, []),
            (2, [leaf, leaf]),
            (3, [leaf]),
            (1, [leaf[:31]]),
            (1, [leaf + b"\x00"]),
            (-1, []),
            (-1, [leaf]),
            (MAX_SIZE + 1, [leaf]),
        ):
            self.assertRaises(MerkleError, CompactRange, size, nodes)

    def test_largest_size(self) -> None:
        """Sizes up to 64 bits are sizes, for ranges and for proofs."""
        leaves = leaves_of(64)
        full = CompactRange(MAX_SIZE, leaves)
        self.assertEqual(len(full.root()), 32)
        self.assertEqual(range_before(MAX_SIZE - 1, MAX_SIZE, leaves[:63]).size, MAX_SIZE - 1)

    def test_equality(self) -> None:
        """Ranges are equal when size and nodes are."""
        one, other = leaves_of(2)
        self.assertEqual(CompactRange(1, [one]), CompactRange(1, [one]))
        self.assertNotEqual(CompactRange(1, [one]), CompactRange(1, [other]))
        self.assertNotEqual(CompactRange(1, [one]), CompactRange(2, [one]))

    def test_a_bad_hash_changes_nothing(self) -> None:
        """A refused leaf, alone or in a batch, leaves the range as it was."""
        grown = CompactRange()
        grown.extend(leaves_of(5))
        before = grown.copy()
        self.assertRaises(MerkleError, grown.add, b"short")
        self.assertRaises(MerkleError, grown.extend, [*leaves_of(3), b""])
        self.assertEqual(grown, before)

    def test_says_what_it_is(self) -> None:
        """Its representation names the size and the root, and it equals nothing else."""
        self.assertEqual(repr(CompactRange()), f"CompactRange(size=0, root={EMPTY_ROOT.hex()})")
        self.assertNotEqual(CompactRange(), (0, []))


class DetachedRangeTests(SynchronousTestCase):
    """Ranges that begin after the first leaf, and are joined to what comes before later."""

    leaves = leaves_of(80)

    def range_of(self, start: int, end: int) -> CompactRange:
        """The range over some of the leaves, in one go."""
        made = CompactRange.beginning_at(start)
        made.extend(self.leaves[start:end])
        return made

    def test_every_cut(self) -> None:
        """Cut anywhere, and grown in any way, two parts give the range over both."""
        for end in range(34):
            whole = self.range_of(0, end)
            for cut in range(end + 1):
                joined = self.range_of(0, cut)
                after = CompactRange.beginning_at(cut)
                for leaf in self.leaves[cut:end]:
                    after.add(leaf)
                self.assertEqual(after, self.range_of(cut, end))
                joined.join(after)
                self.assertEqual(joined, whole)
                self.assertEqual(joined.root(), naive_root(self.leaves[:end]))

    @PROPERTY
    @given(st.lists(st.integers(0, 80), min_size=3, max_size=6).map(sorted))
    def test_parts(self, cuts: list[int]) -> None:
        """Parts of a part join in whatever order, and grow in batches of any size."""
        start, *inner, end = cuts
        whole = CompactRange.beginning_at(start)
        for first, last in zip([start, *inner], [*inner, end], strict=True):
            whole.extend(self.leaves[first:last])
        parts = [
            self.range_of(first, last)
            for first, last in zip([start, *inner], [*inner, end], strict=True)
        ]
        while len(parts) > 1:
            place = (sum(cuts) + len(parts)) % (len(parts) - 1)
            parts[place].join(parts.pop(place + 1))
        self.assertEqual(parts[0], whole)
        again = CompactRange(whole.size, whole.nodes, whole.start)
        self.assertEqual(again.copy(), whole)
        if start == 0:
            self.assertEqual(whole.root(), naive_root(self.leaves[:end]))

    def test_has_no_root(self) -> None:
        """A part of a tree has no root, and says where it begins."""
        part = self.range_of(3, 7)
        self.assertRaises(MerkleError, part.root)
        self.assertEqual(repr(part), "CompactRange(size=7, start=3)")
        self.assertNotEqual(part, self.range_of(2, 7))

    def test_refuses_what_does_not_follow(self) -> None:
        """A range joins the one that ends where it begins, no other, and only then changes."""
        part = self.range_of(3, 7)
        for other in (self.range_of(8, 9), self.range_of(6, 9), self.range_of(0, 7)):
            self.assertRaises(MerkleError, part.join, other)
        self.assertEqual(part, self.range_of(3, 7))

    def test_refuses_nodes_that_do_not_fit(self) -> None:
        """The count of nodes follows from both ends."""
        leaf = self.leaves[0]
        self.assertEqual(CompactRange(11, [leaf] * 4, 3).start, 3)
        for size, count, start in ((11, 3, 3), (11, 5, 3), (3, 0, 4), (4, 1, 4), (4, 1, -1)):
            self.assertRaises(MerkleError, CompactRange, size, [leaf] * count, start)

    def test_largest(self) -> None:
        """A range may begin and end anywhere up to 64 bits."""
        part = CompactRange.beginning_at(MAX_SIZE - 2)
        part.extend(self.leaves[:2])
        self.assertEqual((part.size, len(part.nodes)), (MAX_SIZE, 2))


class InclusionTests(SynchronousTestCase):
    """Inclusion paths of every leaf of small trees."""

    def each(self, largest: int) -> Any:
        """Index, leaves and path of every leaf in every tree up to ``largest``."""
        for size in range(1, largest + 1):
            leaves = leaves_of(size)
            for index in range(size):
                yield index, leaves, naive_path(index, leaves)

    def test_leads_to_the_root(self) -> None:
        """The right path leads to the root, and is the range before the leaf besides."""
        for index, leaves, path in self.each(36):
            root = naive_root(leaves)
            verify_inclusion(index, len(leaves), leaves[index], path, root)
            self.assertEqual(root_from_inclusion(index, len(leaves), leaves[index], path), root)
            before = range_before(index, len(leaves), path)
            expected = CompactRange()
            expected.extend(leaves[:index])
            self.assertEqual(before, expected)

    def test_range_before_grows_to_the_root(self) -> None:
        """A start in mid-tree, continued, reaches the same root as a start at the beginning."""
        leaves = leaves_of(100)
        for index in (0, 1, 63, 64, 99):
            grown = range_before(index, 100, naive_path(index, leaves))
            grown.extend(leaves[index:])
            self.assertEqual(grown.root(), naive_root(leaves))

    def test_refuses_a_wrong_shape(self) -> None:
        """A path that is too short or too long has no root and no range."""
        for index, leaves, path in self.each(17):
            for wrong in (path[:-1] if path else [leaves[0]], [*path, leaves[0]]):
                for reader in (
                    lambda p, i=index, n=leaves: root_from_inclusion(i, len(n), n[i], p),
                    lambda p, i=index, n=leaves: range_before(i, len(n), p),
                ):
                    self.assertRaises(MerkleError, reader, wrong)

    def test_refuses_every_changed_node(self) -> None:
        """One bit changed in any node of the path, or in the leaf, is noticed."""
        for index, leaves, path in self.each(12):
            root = naive_root(leaves)
            for place in range(len(path)):
                wrong = list(path)
                wrong[place] = bytes([wrong[place][0] ^ 1]) + wrong[place][1:]
                self.assertRaises(
                    MerkleError, verify_inclusion, index, len(leaves), leaves[index], wrong, root
                )
            other = leaf_hash(b"another")
            self.assertRaises(MerkleError, verify_inclusion, index, len(leaves), other, path, root)

    def test_refuses_what_cannot_be(self) -> None:
        """Indexes out of the tree, sizes out of range, and hashes that are none."""
        (leaf,) = leaves_of(1)
        for index, size, hashed, path in (
            (1, 1, leaf, []),
            (-1, 1, leaf, []),
            (0, 0, leaf, []),
            (0, MAX_SIZE + 1, leaf, [leaf] * 64),
            (0, 1, leaf[:-1], []),
            (0, 2, leaf, [leaf + leaf]),
        ):
            self.assertRaises(MerkleError, root_from_inclusion, index, size, hashed, path)

    @PROPERTY
    @given(
        st.integers(-2, 2**66),
        st.integers(-2, 2**66),
        st.lists(st.one_of(hashes(), st.binary(max_size=40)), max_size=70),
    )
    def test_any_path(self, index: int, size: int, path: list[bytes]) -> None:
        """A path of any shape either leads somewhere or raises MerkleError."""
        leaf = leaf_hash(b"leaf")
        try:
            self.assertEqual(len(root_from_inclusion(index, size, leaf, path)), 32)
        except MerkleError:
            self.assertRaises(MerkleError, range_before, index, size, path)
        else:
            self.assertEqual(range_before(index, size, path).size, index)
