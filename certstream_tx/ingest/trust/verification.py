"""Whether the entries read are those that the log signed, told at every tree head reached.

The leaf hash of each entry goes into a compact Merkle range. Whenever the range has the size of a
signed head, its root must be the root of that head (RFC 9162 2.1).
"""

from bisect import insort
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.trust.doubts import Doubt, Spot
from certstream_tx.ingest.trust.kept_hashes import MAX_KEPT, KeptHashes
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

MAX_HEADS_AHEAD = 32
"""Heads kept until the reader reaches them, and of those reached before they can be compared.
While far behind every second one is let go: fewer heads only mean that a difference is noticed
later."""
MAX_ROOTS = 64
"""Verified heads kept to compare with heads that come again, or late from a replica."""
SPOT_EVERY = MAX_KEPT * 3 // 4
"""Entries read without a head to compare with, after which the log is asked to prove them: as long
as their hashes are kept it can be told which of them are wrong."""

MAX_ADDED = 1024
"""Leaf hashes that may wait to enter the range: half a millisecond of hashing."""

_size = attrgetter("size")


class Judge(Protocol):
    """Who is told what does not agree."""

    def contradicts(self, one: SignedHead, other: SignedHead) -> None:
        """Two heads of one size have different roots."""

    def doubts(self, doubt: Doubt) -> None:
        """The entries that were read do not lead to a head, or to what the log proved."""

    def passed(self, head: SignedHead) -> None:
        """A head smaller than what was read came, or was passed by, without a comparison."""


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
        judge: Judge,
        complete_before: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``complete_before``: the index of the first entry that is missing, None if none is."""
        self._range = CompactRange()
        self._added: list[bytes] = []  # not in the range yet
        self.base: CompactRange | None = None
        """The last range that the log confirmed, since it is joined."""
        self.ahead: list[SignedHead] = []
        """Heads that are not reached yet, by size."""
        self.spot: Spot | None = None
        """What the log is to be asked about, even if all is well."""
        self.unproven = Wakeup(clock)
        """fires when there is something to be proven"""
        self._stats = stats
        self._judge = judge
        self._complete_before = complete_before
        self._kept = KeptHashes(0)
        # Reached while the range was not joined: the heads of one size, and the range there.
        self._passed: list[tuple[list[SignedHead], CompactRange]] = []
        self._verified: dict[int, SignedHead] = {}  # oldest first
        self._differing: dict[int, SignedHead] = {}  # oldest first

    @property
    def range(self) -> CompactRange:
        """Of all entries read, from the first one of the log if it is joined."""
        if self._added:
            self._range.extend(self._added)
            self._kept.extend(self._added)
            self._added = []
        return self._range

    @property
    def anchor(self) -> int | None:
        """The size of the range that is to be proven; None when there is no need."""
        return self._range.start or None

    @property
    def head(self) -> SignedHead | None:
        """The largest head that what was read led to."""
        return max(self._verified.values(), key=_size, default=None)

    def head_at(self, size: int) -> SignedHead | None:
        """The head of this size to which the entries led, if there was one lately."""
        return self._verified.get(size)

    def resume(self, read: CompactRange, head: SignedHead | None = None) -> None:
        """Go on from this range over all entries before the position, as they were read before, and
        the head that they led to then."""
        self._range = read
        self._added = []
        self.base = None if read.start else read.copy()
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
        # Up to here no head may ever be reached: a proof takes its place.
        self._look_at_spot()
        self.begin(end)
        return before

    def precede(self, before: CompactRange, base: CompactRange | None = None) -> bool:
        """Take what lies before the anchor: proven by the log, or read late, out of a gap, since
        which ``base`` is the last range that the log confirmed.

        Whether it can be used: it cannot where it ends elsewhere. Heads up to its size were its
        proof, not something to be compared with what was read.
        """
        if before.size != self.anchor:
            return False
        self.ahead = [head for head in self.ahead if head.size > before.size]
        self._passed = [(heads, _joined(before, part)) for heads, part in self._passed]
        self._range = _joined(before, self.range)
        if self.anchor is not None:
            return True
        self.base = before.copy() if base is None else base
        passed, self._passed = self._passed, []
        for place, (heads, tree) in enumerate(passed):
            if not self._agrees(tree, heads):
                self.ahead[:0] = [head for later, _ in passed[place + 1 :] for head in later]
                self._differs(heads[0], tree)
                return True
        self._compare()
        return True

    def confirm(self, head: SignedHead) -> None:
        """Entries that were read again led to this head after all."""
        self._differing.pop(head.size, None)
        _remember(self._verified, head)

    def expect(self, head: SignedHead) -> None:
        """Compare with this head: when it is reached, or at once if it was."""
        known = self._verified.get(head.size) or self._differing.get(head.size)
        if known is not None:
            if known.root != head.root:
                self._judge.contradicts(known, head)
            return
        alike = [each for each in self.ahead if each.size == head.size]
        if any(each.root == head.root for each in alike):
            return
        if alike:
            self._judge.contradicts(alike[0], head)
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
        # They come a few at a time, and enter the tree cheaper together.
        self._added += leaf_hashes
        if len(self._added) >= MAX_ADDED:
            _ = self.range

    def reached(self) -> None:
        """Compare the range with the heads of its size, if there are any."""
        if self.ahead:
            self._compare()
        if self.base is not None and self.range.size - self.base.size >= SPOT_EVERY:
            self._look_at_spot()

    def looked_at(self, spot: Spot, proven: CompactRange | None) -> None:
        """The log proved what its tree is at a spot; None: it does not."""
        if self.spot is spot:
            self.spot = None
        if proven is None:
            return
        size = spot.tree.size
        if proven != spot.tree:
            self._judge.doubts(spot.doubt(proven))
            if self.base is spot.base:
                self._go_on_from(size)
            return
        if self.base is spot.base:
            self.base = spot.tree
            self._kept.forget_before(size)
        limit = self._complete_before()
        if limit is None or size <= limit:
            self._stats.verified_up_to(size)

    def complete(self) -> None:
        """Nothing is missing any more before some index: take note of what that verifies."""
        limit = self._complete_before()
        sizes = [size for size in self._verified if limit is None or size <= limit]
        self._stats.verified_up_to(max(sizes, default=0))

    def _look_at_spot(self) -> None:
        base, tree = self.base, self.range
        if base is not None and self.spot is None and tree.size > base.size:
            self.spot = Spot(tree.copy(), base, self._kept.between(base.size, tree.size))
            self.unproven.fire()

    def _compare(self) -> None:
        compact = self.range
        while self.ahead and self.ahead[0].size < compact.size:
            self._judge.passed(self.ahead.pop(0))
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
        _remember(self._verified, right)
        self.base = tree.copy()
        self._kept.forget_before(tree.size)
        self.complete()
        return True

    def _differs(self, head: SignedHead, tree: CompactRange) -> None:
        """What was read up to a head is not what the log signed: go on without it."""
        base = self.base
        start = 0 if base is None else base.size
        hashes = self._kept.between(start, head.size)
        _remember(self._differing, head)
        self._judge.doubts(Doubt(base, head.size, tree.copy(), head, None, hashes))
        self._go_on_from(head.size)

    def _go_on_from(self, position: int) -> None:
        """Grow a new range from an index on, at which the log is to prove what lies before."""
        end = self.range.size
        since = self._kept.hashes(position, end)
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


def _remember(heads: dict[int, SignedHead], head: SignedHead) -> None:
    heads[head.size] = head
    if len(heads) > MAX_ROOTS:
        del heads[next(iter(heads))]


def _thin_out(ahead: list[Any]) -> None:
    if len(ahead) > MAX_HEADS_AHEAD:
        del ahead[1:-1:2]
