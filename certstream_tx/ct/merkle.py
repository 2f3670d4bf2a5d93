"""Merkle trees of Certificate Transparency: hashes, compact ranges and proofs (RFC 9162 2.1).

RFC 6962 2.1 defines the same tree; RFC 9162 writes down how proofs are verified.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
# Tree sizes are uint64 on the wire; a larger one can only come from a reader's mistake.
MAX_SIZE: Final = 2**64 - 1


class MerkleError(ValueError):
    """A proof does not prove what it should, or a range contradicts itself."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf; ``data`` is the whole MerkleTreeLeaf (``leaf_input``)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """All that must be kept of the tree over ``[start, size)`` to grow it, and to tell its root.

    ``nodes`` holds the roots of the perfect subtrees the range falls into, in order. From the first
    leaf on (``start`` 0) there is one for each bit set in ``size``, the largest first: 32 bytes
    times popcount(size). A range that begins later has no root; it can grow all the same, and join
    the one before it once that is known.

    Raises MerkleError when ``nodes`` cannot belong to ``[start, size)``.
    """

    __slots__ = ("nodes", "size", "start")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = (), start: int = 0) -> None:
        self.start = start
        self.size = size
        self.nodes: list[bytes] = list(nodes)
        if not 0 <= start <= size <= MAX_SIZE:
            raise MerkleError(f"no tree has leaves from {start} to {size}")
        count = len(_levels(start, size)) if start else size.bit_count()
        if len(self.nodes) != count:
            raise MerkleError(
                f"a range from {start} to {size} has {count} nodes, not {len(self.nodes)}"
            )
        _check_hashes(self.nodes)

    @classmethod
    def beginning_at(cls, start: int) -> "CompactRange":
        """A range without leaves, that grows from ``start`` on."""
        return cls(start, (), start)

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash. Raises MerkleError when it is no hash."""
        _check_hashes((leaf,))
        self._append(leaf, 0)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append many leaf hashes, a level of the tree at a time.

        Raises MerkleError when one of them is no hash; the range is then as it was.
        """
        level = list(leaves)
        _check_hashes(level)
        nodes = self.nodes
        height = 0
        rest = self.size
        size = rest + len(level)
        edge: list[bytes] = []  # the new right edge, smallest subtree first
        while level:
            if rest & 1:
                if (rest - 1) << height >= self.start:
                    level.insert(0, nodes.pop())
                else:  # its sibling lies before the range
                    nodes.append(level.pop(0))
                    rest += 1
            if len(level) & 1:
                edge.append(level.pop())
            pairs = iter(level)
            level = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(pairs, pairs, strict=True)
            ]
            rest >>= 1
            height += 1
        nodes.extend(reversed(edge))
        self.size = size

    def join(self, following: "CompactRange") -> None:
        """Append the range that begins where this one ends. Raises MerkleError otherwise."""
        if following.start != self.size:
            raise MerkleError(f"a range from {following.start} does not follow one to {self.size}")
        levels = _levels(following.start, following.size)
        for node, level in zip(following.nodes, levels, strict=True):
            self._append(node, level)

    def root(self) -> bytes:
        """The root hash of the tree over this range (that of the empty tree for no leaves).

        Raises MerkleError when it does not begin with the first leaf.
        """
        if self.start:
            raise MerkleError(f"leaves from {self.start} on have no root of their own")
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def copy(self) -> "CompactRange":
        """An independent range of the same leaves."""
        return CompactRange(self.size, self.nodes, self.start)

    def _append(self, node: bytes, level: int) -> None:
        """Append the root of a perfect subtree of ``2 ** level`` leaves."""
        size = self.size + (1 << level)
        rest = self.size >> level
        while rest & 1 and (rest - 1) << level >= self.start:
            node = node_hash(self.nodes.pop(), node)
            rest >>= 1
            level += 1
        self.nodes.append(node)
        self.size = size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompactRange):
            return NotImplemented
        return (self.start, self.size, self.nodes) == (other.start, other.size, other.nodes)

    def __repr__(self) -> str:
        said = f", start={self.start}" if self.start else f", root={self.root().hex()}"
        return f"CompactRange(size={self.size}{said})"


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to from the leaf hash at ``index``.

    Raises MerkleError when the path has not the shape that ``index`` and ``size`` demand.
    """
    _check_hashes([leaf])
    root = leaf
    for node, is_left in _siblings(index, size, path):
        root = node_hash(node, root) if is_left else node_hash(root, node)
    return root


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` is at ``index`` in the tree of ``size`` leaves under ``root``.

    Raises MerkleError when that is not proven (RFC 9162 2.1.3.2).
    """
    if root_from_inclusion(index, size, leaf, path) != root:
        raise MerkleError(f"leaf {index} is not in the tree of {size} leaves with this root")


def range_before(index: int, size: int, path: Sequence[bytes]) -> CompactRange:
    """The compact range of ``[0, index)``: the left siblings on the inclusion path of ``index``.

    It is proven only when the same path leads to a signed root (``verify_inclusion``).
    Raises MerkleError when the path has not the shape that ``index`` and ``size`` demand.
    """
    left = [node for node, is_left in _siblings(index, size, path) if is_left]
    left.reverse()
    return CompactRange(index, left)


def _siblings(index: int, size: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each node of an inclusion path from the leaf up, and whether it stands on the left."""
    if not 0 <= index < size <= MAX_SIZE:
        raise MerkleError(f"there is no leaf {index} in a tree of {size}")
    fn, sn = index, size - 1
    for node in path:
        _check_hashes((node,))
        if sn == 0:
            raise MerkleError("an inclusion path is too long")
        is_left = bool(fn & 1) or fn == sn
        yield node, is_left
        if is_left:
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise MerkleError("an inclusion path is too short")


def _levels(start: int, size: int) -> list[int]:
    """The height of each perfect subtree that ``[start, size)`` falls into, in order."""
    levels: list[int] = []
    while start < size:
        height = (size - start).bit_length() - 1
        if start:  # a subtree begins on a multiple of its own size
            height = min(height, (start & -start).bit_length() - 1)
        levels.append(height)
        start += 1 << height
    return levels


def _check_hashes(hashes: Iterable[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise MerkleError(f"a hash has {HASH_SIZE} bytes, not {len(value)}")
