"""Trying the gaps of one log again, for as long as it takes, and reading late what comes."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import THROTTLED_WAIT, Outcomes
from certstream_tx.ingest.http.errors import FetchError, Throttled, Unavailable
from certstream_tx.ingest.pacing.budget import Budget, weight
from certstream_tx.ingest.polling.ranges import Range
from certstream_tx.ingest.state.gaps import Gap, Gaps
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.polling.gap_filling")

AGAIN: Final = (2.0, 3600.0)
"""Seconds between the tries of a gap: first, and longest, each twice the one before: what was away
for a while is late by as long at most. What was lost for a minute comes back within hours, or
never."""
JITTER: Final = 0.2
FAILURES_A_ROUND: Final = 3
"""Pieces that may fail before the others have to wait for the next round."""


PATIENCE: Final = 2.0
"""Seconds between two pieces while the log is behind its head: then gaps have time."""


class GapFilling:
    """One request at a time: those who read on come first.

    ``read(entries)`` hands entries on, and has each noted in ``gaps``; ``behind()`` tells whether
    there is more to read on than was asked for yet.
    """

    def __init__(
        self,
        client: LogClient,
        heads: HeadWatch,
        gaps: Gaps,
        read: Callable[[list[Entry]], Awaitable[None]],
        behind: Callable[[], bool],
        outcomes: Outcomes,
        budget: Budget,
        clock: IReactorTime,
        stats: LogStats,
        rng: Random,
    ) -> None:
        self._client = client
        self._heads = heads
        self._gaps = gaps
        self._read = read
        self._behind = behind
        self._outcomes = outcomes
        self._budget = budget
        self._clock = clock
        self._stats = stats
        self._rng = rng

    async def run(self) -> None:
        """Fill, for ever."""
        while True:
            gap = min(self._gaps.open, key=lambda each: each.due, default=None)
            wait = None if gap is None else gap.due - self._clock.seconds()
            if gap is None or (wait is not None and wait > 0):
                await self._gaps.opened.wait(wait)
            else:
                await self._round(gap)

    async def _round(self, gap: Gap) -> None:
        """Read what can be read of a gap, in pieces as small as need be.

        Where nothing can for a while, what can be read from its end on: a gap that was opened in
        haste, for all that lay before entries that could be read, has those there.
        """
        ahead = gap.start < gap.at < gap.end and not self._gaps.full
        start = at = gap.at if ahead else gap.start
        head = await self._heads.reaching(0)
        # What lies beyond the head (of a log that took entries back) must not keep others waiting.
        end = min(gap.end, head.size)
        if at >= end:
            gap.at = gap.start
            gap.due = self._clock.seconds() + self._interval(gap)
            return
        read = failures = width = 0
        size = 0  # of a piece, once larger ones failed
        while at < end and failures < FAILURES_A_ROUND:
            stop = self._client.span(at, end) or end
            width = max(width, stop - at)
            if size:
                stop = min(stop, at + size)
            count = await self._try(at, stop, head)
            if count is None:
                break
            if count:
                at, size, read = at + count, size * 2, read + count
            elif self._client.divisible and stop - at > 1:
                size = (stop - at) // 2
            else:
                at, size, failures = stop, 0, failures + 1
                if self._gaps.full:
                    break
        if failures == FAILURES_A_ROUND:
            read += await self._from_end(at, end, width, head)
        self._put_off(start, at, end, read=read > 0, reached=count is not None)
        if read:
            log.info(
                "{log}: {count} of the missing entries from {start} on came late",
                log=self._stats.name,
                count=read,
                start=start,
            )

    async def _from_end(self, at: int, end: int, width: int, head: SignedHead) -> int:
        """Read pieces from the end of a gap on down to ``at``, up to the first that fails; how
        many entries came."""
        read = 0
        while at < end:
            first = piece = max(at, end - width)
            while piece < end:
                count = await self._try(piece, end, head)
                if not count:
                    return read
                piece += count
                read += count
            end = first
        return read

    async def _try(self, start: int, end: int, head: SignedHead) -> int | None:
        """How many entries from ``start`` on came and were handed on, 0 when none could be had;
        None when the log could not be reached."""
        while True:
            try:
                return await self._piece(Range(start, end), head)
            except CancelledError:
                raise
            except Throttled:
                await deferLater(self._clock, THROTTLED_WAIT)
            except Exception as error:
                if isinstance(error, Unavailable) and error.status is None:
                    return None
                if not isinstance(error, FetchError):
                    self._outcomes.unexpected(Failure())
                return 0

    async def _piece(self, piece: Range, head: SignedHead) -> int:
        """Fetch a piece and hand it on; how many entries came."""
        if self._behind():
            await deferLater(self._clock, PATIENCE)
        taken = piece.end - piece.start
        self._budget.take(taken, must=True)
        try:
            entries = piece.check(await self._client.entries(piece.start, piece.end, head))
            more = max(0, weight(entries) - taken)
            self._budget.take(more, must=True)
            taken += more
            await self._read(entries)
        finally:
            self._budget.give(taken)
        return len(entries)

    def _put_off(self, start: int, at: int, end: int, *, read: bool, reached: bool) -> None:
        """Say when the gaps left between ``start`` and ``at`` are tried again, and what is left
        from ``at`` to ``end``: at once, if anything could be read. A log that cannot be reached is
        tried again soon: that says nothing of the gap."""
        now = self._clock.seconds()
        for gap in self._gaps.open:
            if gap.end <= start or gap.start > at or gap.start >= end:
                continue
            if gap.start <= at < gap.end:
                gap.at = at
                if read and reached:
                    gap.due = now
                    continue
            if reached:
                gap.tries += 1
                gap.rounds += 1
            gap.due = now + self._interval(gap)

    def _interval(self, gap: Gap) -> float:
        """Seconds until the next try."""
        interval = min(AGAIN[0] * 2.0 ** min(gap.rounds, 16), AGAIN[1])
        return interval * self._rng.uniform(1 - JITTER, 1 + JITTER)
