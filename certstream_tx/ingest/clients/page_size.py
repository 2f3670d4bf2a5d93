"""How many entries to ask one RFC 6962 log for at once, learned from what it answers.

Requests end on multiples of a block: answers then fill caches at the same places for everybody,
and a log that never crosses some multiple (of 32, 256, ...) in one answer is not asked to. Both
kinds of limit are learned: boundaries from short answers, the size a log can bear from failures.
Pure: it knows numbers only.
"""

from typing import Final

SMALLEST_BOUNDARY: Final = 32
"""A short answer ends on a multiple of this by chance once in 32 times, twice in a row hardly.
Smaller limits are not worth knowing: a log that has one answers with what it likes anyway."""

BREAK_AFTER: Final = 4
"""Short answers within one block, in a row, that show that a boundary is not (or no longer) one."""

PROBE_AFTER: Final = 200
PROBE_AFTER_AT_MOST: Final = 12_800
"""Full blocks after which twice the block is tried once; doubled each time that it fails."""

REGROW_AFTER: Final = 20
"""Answers after which a page that had been halved is doubled."""

HALVE_AFTER: Final = 2
"""Failures in a row of one range that halve the page."""

UNCERTAIN_BELOW: Final = 32
"""Pages of no more entries are rarely too large: their failures say that the log is ill."""

HALVE_SMALL_AFTER: Final = 6
"""Failures in a row of one such small range that halve it all the same."""

MAX_FAILING: Final = 64
"""Ranges whose failures are remembered; more than are ever in flight."""


class PageSize:
    """The learned block of one log; ``largest`` (entries) is never exceeded."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._boundary: int | None = None
        self._cap = largest
        self._candidate: int | None = None
        self._same_count = 0
        self._contradictions = 0
        self._full_blocks = 0
        self._probe_after = PROBE_AFTER
        self._probing = False
        self._answers = 0
        self._failures: dict[int, int] = {}  # in a row, by the start of the range

    @property
    def block(self) -> int:
        """No request crosses a multiple of this many entries."""
        boundary = self._boundary or self._largest
        if self._probing:
            boundary = min(boundary * 2, self._largest)
        return min(boundary, self._cap)

    def end(self, position: int, head_size: int) -> int:
        """Where a request from ``position`` on had best end (exclusive)."""
        block = self.block
        return min((position // block + 1) * block, head_size)

    def answered(self, start: int, end: int, count: int, *, at_head: bool) -> None:
        """``count`` entries came for ``[start, end)``; ``at_head``: the tree ended there."""
        self._failures.pop(start, None)
        if self._cap < self._largest:
            self._answers += 1
            if self._answers >= REGROW_AFTER:
                self._answers = 0
                self._cap = min(self._cap * 2, self._largest)
        if start + count == end:
            self._full(start, end)
        else:
            self._short(start, end, count, at_head)

    def failed(self, start: int, end: int, *, too_large: bool) -> None:
        """The request for ``[start, end)`` failed in a way that a smaller one may not have.

        ``too_large``: the log said so, or the answer was larger than allowed.
        """
        size = end - start
        if size <= 1:
            return
        if len(self._failures) >= MAX_FAILING:
            self._failures.clear()
        failures = self._failures[start] = self._failures.get(start, 0) + 1
        self._answers = 0
        enough = HALVE_AFTER if size > UNCERTAIN_BELOW else HALVE_SMALL_AFTER
        if too_large or failures >= enough:
            self._failures.clear()
            # The next smaller power of two: boundaries are multiples of it.
            half = 1 << max(0, (min(self.block, size) - 1).bit_length() - 1)
            self._cap = min(self._cap, half)
            self._probing = False

    def _full(self, start: int, end: int) -> None:
        self._contradictions = 0
        if end - start > self._same_count:
            self._same_count = 0
        if self._candidate and start // self._candidate != (end - 1) // self._candidate:
            self._candidate = None
        if self._boundary is None or end - start < self.block:
            return
        if self._probing and end - start > self._boundary:
            self._probing = False
            self._full_blocks = 0
            self._boundary = end - start if end - start < self._largest else None
            return
        self._full_blocks += 1
        if self._full_blocks >= self._probe_after and self._cap > self._boundary:
            self._probing = True

    def _short(self, start: int, end: int, count: int, at_head: bool) -> None:
        stop = start + count
        boundary = self._boundary
        if boundary is None:
            self._learn(stop, count, at_head)
        elif stop % boundary == 0:
            if self._probing and start // boundary != (end - 1) // boundary:
                self._probing = False
                self._full_blocks = 0
                self._probe_after = min(self._probe_after * 2, PROBE_AFTER_AT_MOST)
        elif stop % SMALLEST_BOUNDARY == 0 and boundary > SMALLEST_BOUNDARY:
            self._learn(stop, count, at_head)
        elif not at_head:
            self._contradictions += 1
            if self._contradictions >= BREAK_AFTER:
                self._contradictions = 0
                self._boundary = None

    def _learn(self, stop: int, count: int, at_head: bool) -> None:
        """A short answer where no boundary was known: it may have met one."""
        aligned = stop & -stop
        if aligned >= SMALLEST_BOUNDARY:
            aligned = min(aligned, self.block)
            if self._candidate is None:
                self._candidate = aligned
            else:
                self._found(min(self._candidate, aligned))
        else:
            self._candidate = None
            # A log with another limit (100, 1000) answers with it, wherever it began.
            if not at_head and count >= SMALLEST_BOUNDARY:
                if count == self._same_count:
                    self._found(count)
                else:
                    self._same_count = count

    def _found(self, boundary: int) -> None:
        self._candidate = None
        self._same_count = 0
        self._contradictions = 0
        self._full_blocks = 0
        self._boundary = boundary if boundary < self._largest else None
