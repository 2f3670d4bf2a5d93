"""Whether the entries read are those that the log signed, told at every tree head reached.

The leaf hash of each entry goes into a compact Merkle range. Whenever the range has the size of a
signed head, its root must be the root of that head (RFC 9162 2.1).
"""

from bisect import insort
from collections.abc import Sequence
from operator import attrgetter

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.verification")

MAX_HEADS_AHEAD = 32
"""Heads kept until the reader reaches them. While far behind every second one is let go: fewer
heads only mean that a difference is noticed later."""
MAX_ROOTS = 64
"""Verified roots kept to compare with heads that come again, or late from a replica."""
MAX_KEPT = 16_384
"""Leaf hashes kept while the range before them is not proven yet: a megabyte, and 30 ms of hashing
once it is. Those beyond stay unverified."""

_size = attrgetter("size")


class Verification:
    """Follows one log from the position where it begins.

    The range before that position must be proven by the log (or be known from the last run). Until
    it is, leaf hashes are kept from ``anchor`` on, so that reading does not wait for the proof.
    """

    def __init__(self, stats: LogStats, clock: IReactorTime) -> None:
        self.range: CompactRange | None = None
        """Of all entries read; None while unverified."""
        self.anchor: int | None = None
        """The size of the range that is to be proven; None when there is no need."""
        self.mismatched = False
        """Whether the log ever signed something else than what was read."""
        self._stats = stats
        self._unproven = Wakeup(clock)
        self._kept: list[bytes] = []  # leaf hashes from the anchor on
        self._ahead: list[SignedHead] = []  # by size
        self._roots: dict[int, bytes] = {}  # oldest first

    def resume(self, read: CompactRange) -> None:
        """Go on from this range over all entries before the position, as they were read before."""
        self.range = read
        self._compare()

    def begin(self, position: int) -> None:
        """Begin at a position before which nothing is known."""
        if position == 0:
            self.resume(CompactRange())
            return
        self.range = None
        self.anchor = position
        self._kept = []
        self._unproven.fire()

    async def unproven(self) -> int:
        """The size of the range that is to be proven, as soon as there is one."""
        while self.anchor is None:
            await self._unproven.wait()
        return self.anchor

    def proven(self, before: CompactRange) -> bool:
        """Take a range that the log proved, and what was read after it.

        Whether it can be used: the anchor may have moved on while the proof was on its way. Heads
        up to its size were its proof, not something to be compared with what was read.
        """
        if before.size != self.anchor:
            return False
        position, kept = before.size, self._kept
        self.range, self.anchor, self._kept = before, None, []
        self._ahead = [head for head in self._ahead if head.size > position]
        end = position + len(kept)
        while position < end:
            stop = self.next_stop(position, end)
            self.add(kept[: stop - position])
            del kept[: stop - position]
            position = stop
            self.reached()
        return True

    def expect(self, head: SignedHead) -> None:
        """Compare with this head: when it is reached, or at once if it was."""
        known = self._roots.get(head.size)
        if known is not None:
            if known != head.root:
                self._contradicts(head, known)
        elif not any(each.size == head.size and each.root == head.root for each in self._ahead):
            insort(self._ahead, head, key=_size)
            if len(self._ahead) > MAX_HEADS_AHEAD:
                del self._ahead[1:-1:2]
            self._compare()

    def next_stop(self, position: int, end: int) -> int:
        """How far to read from ``position`` until :meth:`reached` is to be called; <= ``end``."""
        for head in self._ahead:
            if position < head.size < end:
                return head.size
        return end

    def add(self, leaf_hashes: Sequence[bytes]) -> None:
        """The next entries were read."""
        if self.range is not None:
            self.range.extend(leaf_hashes)
        elif self.anchor is not None:
            self._kept += leaf_hashes
            if len(self._kept) > MAX_KEPT:
                self.anchor += len(self._kept)
                self._kept = []

    def reached(self) -> None:
        """Compare the range with the heads of its size, if there are any."""
        if self._ahead:
            self._compare()

    def _compare(self) -> None:
        compact = self.range
        if compact is None:
            return
        # Heads passed by without a comparison: from a replica that lags behind.
        while self._ahead and self._ahead[0].size < compact.size:
            del self._ahead[0]
        if not self._ahead or self._ahead[0].size > compact.size:
            return
        here = [head for head in self._ahead if head.size == compact.size]
        del self._ahead[: len(here)]
        root = compact.root()
        differing = [head for head in here if head.root != root]
        if len(differing) < len(here):
            self._verified(compact.size, root)
            for head in differing:
                self._contradicts(head, root)
        else:
            self._mismatch(differing[0], root)

    def _verified(self, size: int, root: bytes) -> None:
        self._stats.verified_size = max(self._stats.verified_size, size)
        self._roots[size] = root
        if len(self._roots) > MAX_ROOTS:
            del self._roots[next(iter(self._roots))]

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

    def _mismatch(self, head: SignedHead, root: bytes) -> None:
        self.mismatched = True
        self._stats.root_mismatches += 1
        log.error(
            "{log}: the entries read are not those that the log signed: for its tree of {size}"
            " entries they give root {ours}, the log says {theirs}; verified up to entry"
            " {verified}. It is streamed on, unverified",
            log=self._stats.name,
            size=head.size,
            ours=root.hex(),
            theirs=head.root.hex(),
            verified=self._stats.verified_size,
        )
        self.begin(head.size)
