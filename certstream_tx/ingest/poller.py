"""The service that follows one log: its head, its entries, its position, for ever."""

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.budget import Budget
from certstream_tx.ingest.gap_filling import AGAIN, GapFilling
from certstream_tx.ingest.gaps import Gap, Gaps
from certstream_tx.ingest.head_watch import HeadWatch
from certstream_tx.ingest.log_client import LogClient
from certstream_tx.ingest.outcomes import Outcomes
from certstream_tx.ingest.pipeline import Pipeline
from certstream_tx.ingest.positions import Positions
from certstream_tx.ingest.proving import Proving
from certstream_tx.ingest.ranges import Unreadable
from certstream_tx.ingest.reading import EntryReader
from certstream_tx.ingest.saved_log import MAX_HEADS, SavedGap, SavedPosition, SavedRange
from certstream_tx.ingest.settings import PollSettings
from certstream_tx.ingest.verification import Verification
from certstream_tx.message import Source
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.poller")


class LogPoller(Service):
    """Reads one log from its saved position on, or from just before its head, and never ends.

    Four loops: one looks at the head, one reads what there is up to it, one has the log prove what
    lies before, one tries what could not be read. None waits for another, and whatever goes wrong
    in one, this program's own errors included, is tried again.
    """

    def __init__(
        self,
        log: Log,
        client: LogClient,
        reading: EntryReader,
        positions: Positions,
        clock: IReactorTime,
        stats: LogStats,
        settings: PollSettings,
        rng: Random,
        budget: Budget,
    ) -> None:
        self._log = log
        self._client = client
        self._reading = reading
        self._positions = positions
        self._clock = clock
        self._stats = stats
        self._overlap = settings.start_overlap_leaves
        self._budget = budget
        self._source = Source(log.name, log.url, log.operator, log.log_id_base64, log.kind)
        self._outcomes = Outcomes(stats, settings, rng, clock)
        self._verification = Verification(stats, clock, lambda: self._gaps.complete_before)
        self._gaps = Gaps(stats, clock, self._verification.precede, self._gap_differs)
        self._heads = HeadWatch(
            log,
            client,
            clock,
            stats,
            self._outcomes,
            settings.poll_interval,
            rng,
            seen=self._head_seen,
            behind=lambda: self._pipeline is not None and self._pipeline.behind,
        )
        self._proving = Proving(
            client, self._heads, self._verification, self._gaps, self._outcomes, clock, stats
        )
        self._filling = GapFilling(
            client,
            self._heads,
            self._gaps,
            self._read_late,
            self._outcomes,
            budget,
            clock,
            stats,
            rng,
        )
        self._pipeline: Pipeline | None = None
        self._position: int | None = None
        self._loops: list[Deferred[None]] = []

    @property
    def healthy(self) -> bool:
        """Whether the log can be read, by the thresholds of the configuration."""
        return self._outcomes.healthy

    @property
    def verified(self) -> bool:
        """Whether what is read now is compared with the heads that the log signs."""
        return self._position is not None and self._verification.anchor is None

    def snapshot(self) -> SavedPosition | None:
        """The position now, for the state file; None before it is known."""
        if self._position is None:
            return None
        verification = self._verification
        read = SavedRange.of(verification.range)
        return SavedPosition(
            self._log.name,
            self._log.url,
            self._position,
            None if read.start else read.nodes,
            self._stats.verified_size,
            read if read.start < read.size and read.start else None,
            verification.head,
            tuple(verification.ahead[:MAX_HEADS]),
            tuple(SavedGap.of(gap) for gap in self._gaps),
        )

    def startService(self) -> None:
        """Begin to follow the log."""
        Service.startService(self)
        self._positions.register(self._log.state_key, self.snapshot)
        self._loops = [
            Deferred.fromCoroutine(self._for_ever(loop))
            for loop in (self._heads.watch, self._read_on, self._proving.run, self._filling.run)
        ]

    def stopService(self) -> "Deferred[None]":
        """Stop between two entries and cancel all requests; fires when the position is final."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.addErrback(_cancelled)
            loop.cancel()
        await gatherResults(loops)
        self._positions.unregister(self._log.state_key)

    async def _for_ever(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        ended = 0
        while True:
            try:
                await loop()
            except CancelledError:
                if not self.running:
                    raise
                # Somebody else's cancellation, of something this loop waited for.
                self._outcomes.unexpected(Failure())
            except Exception:
                self._outcomes.unexpected(Failure())
            ended += 1
            await deferLater(self._clock, self._outcomes.backoff(ended))

    def _head_seen(self, head: SignedHead) -> None:
        self._verification.expect(head)
        newest = self._heads.newest
        if self._pipeline is not None and newest is not None:
            self._pipeline.follow(newest, self._heads.limit(newest))

    async def _read_on(self) -> None:
        """Read entries in order, as they can be had."""
        head = await self._heads.reaching(0)
        position = self._begin(head) if self._position is None else self._position
        pipeline = self._pipeline = Pipeline(
            self._client, self._budget, self._clock, self._outcomes, position
        )
        try:
            pipeline.follow(head, self._heads.limit(head))
            while True:
                read = await pipeline.next()
                if isinstance(read, Unreadable):
                    self._skip(read)
                else:
                    await self._read(read)
        finally:
            self._pipeline = None
            pipeline.close()

    def _begin(self, head: SignedHead) -> int:
        """Decide where to read on: at the saved position, whatever the head says, if there is one.

        A head before it comes from a replica that lags, and the log will grow past it again.
        """
        followed = self._log
        limit = self._heads.limit(head)
        saved = self._positions.position_of(followed.state_key, followed.url)
        position = max(0, limit - self._overlap) if saved is None else saved.position
        if saved is None:
            self._verification.begin(position)
        else:
            self._stats.verified_size = saved.verified_size
            self._gaps.load([gap.gap() for gap in saved.gaps])
            for head in saved.heads:
                self._verification.expect(head)
            self._verification.resume(saved.range(), saved.verified_head)
        if followed.final_size is not None and followed.final_root is not None:
            final = SignedHead(followed.final_size, 0, followed.final_root, b"")
            self._verification.expect(final)
        self._position = self._stats.position = self._stats.started_at = position
        log.info(
            "{log}: {begins} at entry {position} of {size}",
            log=followed.name,
            begins="begins" if saved is None else "goes on",
            position=position,
            size=limit,
        )
        return position

    async def _read(self, entries: list[Entry]) -> None:
        """Read entries, stopping at each head on the way to compare roots."""
        end = entries[-1].index + 1
        while entries:
            first = entries[0].index
            stop = self._verification.next_stop(first, end)
            now, entries = entries[: stop - first], entries[stop - first :]
            await self._reading.read(now, self._source, self._stats, self._accepted)
            self._verification.reached()

    def _accepted(self, entries: Sequence[Entry]) -> None:
        """These entries were handed to the hub: the position moves past them."""
        position = entries[-1].index + 1
        self._position = self._stats.position = position
        self._verification.add([entry.leaf_hash for entry in entries])

    def _skip(self, unreadable: Unreadable) -> None:
        """Go on after entries that could not be read: the position moves past them together with
        the gap that names them."""
        start, end, reason, tries, since = unreadable
        before = self._verification.skip(start, end)
        due = self._clock.seconds() + AGAIN[0]
        self._gaps.add(Gap(start, end, since, reason, tries, before, due=due))
        self._position = self._stats.position = end

    async def _read_late(self, entries: list[Entry]) -> None:
        """Read entries out of a gap."""
        await self._reading.read(entries, self._source, self._stats, self._accepted_late, late=True)

    def _accepted_late(self, entries: Sequence[Entry]) -> None:
        self._gaps.filled(entries[0].index, [entry.leaf_hash for entry in entries])
        self._verification.complete()

    def _gap_differs(self, gap: Gap) -> None:
        self._stats.root_mismatches += 1
        log.error(
            "{log}: the entries before {end} that came late are not those that the log proved",
            log=self._log.name,
            end=gap.end,
        )


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)
