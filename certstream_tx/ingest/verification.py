"""Whether the entries read are those that the log signed, told at every tree head reached.

The leaf hash of each entry goes into a compact Merkle range. Whenever the range has the size of a
signed head, its root must be the root of that head (RFC 9162 2.1).
"""

from bisect import insort
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.kept_hashes import KeptHashes
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.verification")

MAX_HEADS_AHEAD = 32
"""Heads kept until the reader reaches them, and of those reached before they can be compared.
While far behind every second one is let go: fewer heads only mean that a difference is noticed
later."""
MAX_ROOTS = 64
"""Verified heads kept to compare with heads that come again, or late from a replica."""

_size = attrgetter("size")


class Verification:
    """Follows one log from the position where it begins.

    What lies before that position must be proven by the log (or be known from the last run). Until
    it is, the range grows without it from ``anchor`` on, so that reading does not wait for the
    proof.
    """

    def __init__(
        self,
        stats: LogStats,
        clock: IReactorTime,
        complete_before: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``complete_before``: the index of the first entry that is missing, None if none is."""
        self.range = CompactRange()
        """Of all entries read, from the first one of the log if it is joined."""
        self.mismatched = False
        """Whether the log ever signed something else than what was read."""
        self._stats = stats
        self._complete_before = complete_before
        self.unproven = Wakeup(clock)
        """fires when there is something to be proven"""
        self._kept = KeptHashes(0)
        self.ahead: list[SignedHead] = []
        """Heads that are not reached yet, by size."""
        # Reached while the range was not joined: the heads of one size, and the range there.
        self._passed: list[tuple[list[SignedHead], CompactRange]] = []
        self._verified: dict[int, SignedHead] = {}  # oldest first

    @property
    def anchor(self) -> int | None:
        """The size of the range that is to be proven; None when there is no need."""
        return self.range.start or None

    @property
    def head(self) -> SignedHead | None:
        """The largest head that what was read led to."""
        return max(self._verified.values(), key=_size, default=None)

    def resume(self, read: CompactRange, head: SignedHead | None = None) -> None:
        """Go on from this range over all entries before the position, as they were read before, and
        the head that they led to then."""
        self.range = read
        self._kept = KeptHashes(read.size)
        if head is not None:
            self._verified[head.size] = head
        self._compare()
        if self.anchor is not None:
            self.unproven.fire()

    def begin(self, position: int) -> None:
        """Begin at a position before which nothing is known; go on there, if need be."""
        self._passed.clear()
        self.resume(CompactRange.beginning_at(position))

    def skip(self, start: int, end: int) -> CompactRange:
        """Go on behind entries that are missing; gives what is known of the tree before them."""
        before = self.range
        if before.size != start:
            raise ValueError(f"entries {start} to {end - 1} do not come next")
        self.begin(end)
        return before

    def precede(self, before: CompactRange) -> bool:
        """Take what lies before the anchor: proven by the log, or read late, out of a gap.

        Whether it can be used: it cannot where it ends elsewhere. Heads up to its size were its
        proof, not something to be compared with what was read.
        """
        if before.size != self.anchor:
            return False
        self.ahead = [head for head in self.ahead if head.size > before.size]
        self._passed = [(heads, _joined(before, part)) for heads, part in self._passed]
        self.range = _joined(before, self.range)
        if self.anchor is not None:
            return True
        passed, self._passed = self._passed, []
        for place, (heads, tree) in enumerate(passed):
            if not self._agrees(tree, heads):
                self.ahead[:0] = [head for later, _ in passed[place + 1 :] for head in later]
                self._differs(heads[0], tree)
                return True
        self._compare()
        return True

    def expect(self, head: SignedHead) -> None:
        """Compare with this head: when it is reached, or at once if it was."""
        known = self._verified.get(head.size)
        if known is not None:
            if known.root != head.root:
                self._contradicts(head, known.root)
        elif not any(each.size == head.size and each.root == head.root for each in self.ahead):
            insort(self.ahead, head, key=_size)
            _thin_out(self.ahead)
            self._compare()

    def next_stop(self, position: int, end: int) -> int:
        """How far to read from ``position`` until :meth:`reached` is to be called; <= ``end``."""
        for head in self.ahead:
            if position < head.size < end:
                return head.size
        return end

    def add(self, leaf_hashes: Sequence[bytes]) -> None:
        """The next entries were read."""
        self.range.extend(leaf_hashes)
        self._kept.extend(leaf_hashes)

    def reached(self) -> None:
        """Compare the range with the heads of its size, if there are any."""
        if self.ahead:
            self._compare()

    def complete(self) -> None:
        """Nothing is missing any more before some index: take note of what that verifies."""
        limit = self._complete_before()
        sizes = [size for size in self._verified if limit is None or size <= limit]
        self._stats.verified_size = max(self._stats.verified_size, *sizes, 0)

    def _compare(self) -> None:
        compact = self.range
        # Heads passed by without a comparison: from a replica that lags behind.
        while self.ahead and self.ahead[0].size < compact.size:
            del self.ahead[0]
        here = [head for head in self.ahead if head.size == compact.size]
        if not here:
            return
        del self.ahead[: len(here)]
        if self.anchor is not None:
            if compact.size > self.anchor:
                self._passed.append((here, compact.copy()))
                _thin_out(self._passed)
        elif not self._agrees(compact, here):
            self._differs(here[0], compact)

    def _agrees(self, tree: CompactRange, heads: Sequence[SignedHead]) -> bool:
        """Whether one of the heads, all of the size of the tree, is that of what was read."""
        root = tree.root()
        right = next((head for head in heads if head.root == root), None)
        if right is None:
            return False
        self._verified[tree.size] = right
        if len(self._verified) > MAX_ROOTS:
            del self._verified[next(iter(self._verified))]
        self._kept.forget_before(tree.size)
        self.complete()
        for head in heads:
            if head.root != root:
                self._contradicts(head, root)
        return True

    def _contradicts(self, head: SignedHead, root: bytes) -> None:
        """The log signed two roots of one size, of which the entries read gave the other."""
        self.mismatched = True
        self._stats.root_mismatches += 1
        log.error(
            "{log}: the log signed two different trees of {size} entries: root {other} contradicts"
            " {root}, to which the entries read lead",
            log=self._stats.name,
            size=head.size,
            other=head.root.hex(),
            root=root.hex(),
        )

    def _differs(self, head: SignedHead, tree: CompactRange) -> None:
        """What was read up to a head is not what the log signed: go on without it."""
        self.mismatched = True
        self._stats.root_mismatches += 1
        log.error(
            "{log}: the entries read are not those that the log signed: for its tree of {size}"
            " entries they give root {ours}, the log says {theirs}; verified up to entry"
            " {verified}. It is streamed on, unverified",
            log=self._stats.name,
            size=head.size,
            ours=tree.root().hex(),
            theirs=head.root.hex(),
            verified=self._stats.verified_size,
        )
        position, end = head.size, self.range.size
        since = self._kept.between(position, end)
        if since is None:
            self.begin(end)
            return
        self.begin(position)
        while position < end:
            stop = self.next_stop(position, end)
            self.add(since[: stop - position])
            del since[: stop - position]
            position = stop
            self.reached()


def _joined(before: CompactRange, after: CompactRange) -> CompactRange:
    whole = before.copy()
    whole.join(after)
    return whole


def _thin_out(ahead: list[Any]) -> None:
    if len(ahead) > MAX_HEADS_AHEAD:
        del ahead[1:-1:2]
