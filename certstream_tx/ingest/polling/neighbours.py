"""What is asked beside a range that fails: whether the log gives something else meanwhile."""

from typing import Final, NamedTuple

from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.polling.ranges import NEIGHBOUR_SECONDS, SUSPECT_AFTER, Range

FURTHER: Final = 2
"""How many times further ahead each try goes: a few reach over all that a log may have lost, before
it counts as one that cannot be read at all."""

NARROWER: Final = 16
"""How much less each try asks for, down to one entry, where entries can be had alone: of a log that
has lost one entry in every page no page can be read. So much less that it gets there before the log
counts as one that cannot be read at all."""


class Ahead(NamedTuple):
    """Entries that were fetched from beyond everything that was asked for in order."""

    start: int
    end: int


class Neighbours:
    """Tells a range that cannot be read from a log that is ill.

    While the first range fails and all that may wait behind it waits, nothing is asked for that
    could show whether the log is well. Then something else is: entries that are there already, or
    such that lie further ahead, ever further as long as those cannot be read either.
    """

    def __init__(self, client: LogClient) -> None:
        self._client = client
        self._asked_for: tuple[int, int] | None = None
        self._reach = 0  # spans ahead of the frontier that are tried next
        self._part = 1  # of a span: one part in so many is asked for
        self._left_tile: int | None = None
        self.answered_at: float | None = None
        """when the log gave entries last"""
        self.ahead: Ahead | None = None
        """what was read beyond the frontier and waits there"""

    def answered(self, now: float) -> None:
        """The log gave entries."""
        self.answered_at = now
        self._reach = 0
        self._part = 1

    def due(
        self, first: Range | None, position: int, now: float, limit: int, *, beyond: bool
    ) -> bool:
        """Whether something else is to be asked before ``first``: once for each of its failures,
        when its time has come, and at once when the head has left the tile that it lies in.

        ``beyond``: whether something is there already that waits for it.
        """
        if (
            first is None
            or first.start != position
            or first.attempts < SUSPECT_AFTER
            or self._asked_for == (first.start, first.attempts)
            or not (first.not_before <= now or self._left(first.start, limit))
            or (
                beyond
                and self.answered_at is not None
                and now - self.answered_at <= NEIGHBOUR_SECONDS
            )
        ):
            return False
        self._asked_for = (first.start, first.attempts)
        return True

    def _left(self, start: int, limit: int) -> bool:
        """Whether there is, as is not known yet, something behind the tile of ``start``."""
        if self._client.divisible or self._left_tile == start:
            return False
        if (self._client.span(start, limit) or limit) >= limit:
            return False
        self._left_tile = start
        return True

    def known(self, start: int, end: int) -> Range | None:
        """A range that could be read a while ago, as little of it as can be had."""
        return Range(start, start + 1 if self._client.divisible else end)

    def further(self, first: Range | None, frontier: int, limit: int) -> Range | None:
        """A range beyond the frontier, further and narrower with each time that none could be
        read; of a tile that ``first`` lies in nothing else could be had."""
        if first is not None and not self._client.divisible:
            frontier = max(frontier, self._client.span(first.start, limit) or frontier)
        end = self._client.span(frontier, limit)
        if end is None:
            return None
        start = frontier + self._reach * (end - frontier)
        self._reach = self._reach * FURTHER or 1
        reached = self._client.span(start, limit) if start < limit else None
        if reached is None:
            self._reach = 1
            start, reached = frontier, end
        if self._client.divisible:
            width = max(1, (reached - start) // self._part)
            if width > 1:
                self._part *= NARROWER
            reached = start + width
        return Range(start, reached)

    def end_before(self, end: int) -> int:
        """Where a request that would end at ``end`` must end: before what is there already."""
        return end if self.ahead is None else min(end, self.ahead.start)

    def frontier(self, frontier: int) -> int:
        """The frontier, moved past what was read ahead once it gets there."""
        if self.ahead is not None and frontier >= self.ahead.start:
            frontier = max(frontier, self.ahead.end)
            self.ahead = None
        return frontier
