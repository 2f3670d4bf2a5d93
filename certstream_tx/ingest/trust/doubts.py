"""Entries that do not lead to what their log signed, or proved, until it is known why."""

from dataclasses import dataclass

from certstream_tx.ct.merkle import HASH_SIZE, CompactRange
from certstream_tx.ct.signatures import SignedHead


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something is wrong with the entries from ``base`` on up to ``end`` (exclusive).

    base: the last tree before it that the log confirmed; None when there was none
    end: index after the last entry
    ours: the tree that the entries gave
    head: the head that differs; None when a proof does
    proven: the tree before ``end`` that the log proved; None when a head differs
    hashes: the leaf hashes from ``base`` to ``end`` as they were read; None when they are not known
    """

    base: CompactRange | None
    end: int
    ours: CompactRange
    head: SignedHead | None = None
    proven: CompactRange | None = None
    hashes: bytes | None = None

    @property
    def start(self) -> int:
        """Index of the first entry."""
        return 0 if self.base is None else self.base.size

    @property
    def root(self) -> bytes:
        """The root that the entries should lead to."""
        if self.head is not None:
            return self.head.root
        assert self.proven is not None
        return self.proven.root()

    def first_hash(self, index: int) -> bytes | None:
        """The leaf hash of an entry as it was read first, if it is known."""
        if self.hashes is None:
            return None
        at = (index - self.start) * HASH_SIZE
        return self.hashes[at : at + HASH_SIZE]


@dataclass(frozen=True, slots=True)
class Spot:
    """A tree that was read without a head of its size: the log is asked what its own is there.

    tree: what was read; base, hashes: as of a ``Doubt``
    """

    tree: CompactRange
    base: CompactRange
    hashes: bytes | None

    def doubt(self, proven: CompactRange) -> Doubt:
        """The log's tree is another one there."""
        return Doubt(self.base, self.tree.size, self.tree, None, proven, self.hashes)
