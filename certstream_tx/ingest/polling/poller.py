"""The service that follows one log: its head, its entries, its position, for ever."""

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.catch_up import CatchUp
from certstream_tx.ingest.polling.entry_taker import EntryTaker
from certstream_tx.ingest.polling.gap_filling import AGAIN, GapFilling
from certstream_tx.ingest.polling.pipeline import Pipeline
from certstream_tx.ingest.state.gaps import Unreadable
from certstream_tx.ingest.state.positions import Positions
from certstream_tx.ingest.state.saved_log import SavedPosition
from certstream_tx.ingest.trust.log_trust import Trust
from certstream_tx.message.documents import Source
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.polling.poller")


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
        reading: EntryTaker,
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
        self._catch_up = CatchUp(settings)
        self._budget = budget
        self._source = Source.of(log)
        self._outcomes = Outcomes(stats, settings, rng, clock)
        self._heads = HeadWatch(
            log,
            client,
            clock,
            stats,
            self._outcomes,
            settings.poll_interval,
            rng,
            seen=self._head_seen,
            behind=self._is_behind,
        )
        self._trust = Trust(
            log,
            client,
            self._heads,
            self._outcomes,
            clock,
            stats,
            positions.evidence,
            hand_on=self._hand_on_again,
            inconsistent=self._inconsistent,
        )
        self._filling = GapFilling(
            client,
            self._heads,
            self._trust.gaps,
            self._read_late,
            self._is_behind,
            self._outcomes,
            budget,
            clock,
            stats,
            rng,
        )
        self._pipeline: Pipeline | None = None
        self._position: int | None = None
        self._loops: list[Deferred[None]] = []
        self._stop_if_inconsistent = settings.on_inconsistency == "stop"
        self._halting: IDelayedCall | None = None

    @property
    def healthy(self) -> bool:
        """Whether the log can be read, by the thresholds of the configuration."""
        return self._outcomes.healthy

    @property
    def verified(self) -> bool:
        """Whether what is read now is compared with the heads that the log signs."""
        return self._position is not None and self._trust.verification.anchor is None

    def snapshot(self) -> SavedPosition | None:
        """The position now, for the state file; None before it is known."""
        return None if self._position is None else self._trust.saved(self._position)

    def try_gaps(self) -> int:
        """Try now what is missing, whenever it would be due; how many entries are in gaps."""
        if self._pipeline is not None:
            self._pipeline.try_now()
        return self._trust.gaps.try_now()

    def startService(self) -> None:
        """Begin to follow the log."""
        Service.startService(self)
        self._positions.register(self._log.state_key, self.snapshot)
        self._halting, self._stats.stopped = None, False
        found = self._positions.evidence.known(self._log)
        self._stats.inconsistent = self._stats.inconsistent or found is not None
        if found is not None and self._stop_if_inconsistent:
            self._stats.stopped = True
            log.error(
                "{log} is not followed, for there is evidence against it: {path}. Once it was"
                " looked into, move that file away",
                log=self._log.name,
                path=found,
            )
            return
        loops = (self._heads.watch, self._read_on, self._filling.run, *self._trust.loops())
        self._loops = [Deferred.fromCoroutine(self._for_ever(loop)) for loop in loops]

    def stopService(self) -> "Deferred[None]":
        """Stop between two entries and cancel all requests; fires when the position is final."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._halting is not None and self._halting.active():
            self._halting.cancel()
        await gatherResults(self._end_loops())
        self._positions.unregister(self._log.state_key)

    def _end_loops(self) -> list["Deferred[None]"]:
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.addErrback(_cancelled)
            loop.cancel()
        return loops

    def _inconsistent(self) -> None:
        """The log was caught at contradicting itself: end here, if that is what is wanted."""
        if self._stop_if_inconsistent and self._halting is None:
            # Later, for it is one of the loops that tells.
            self._halting = self._clock.callLater(0, self._halt)

    def _halt(self) -> None:
        self._stats.stopped = True
        self._end_loops()
        log.error("{log} is not followed any more, as it is inconsistent", log=self._log.name)

    async def _for_ever(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        ended = 0
        while True:
            try:
                await loop()
            except CancelledError:
                if not self.running or self._stats.stopped:
                    raise
                # Somebody else's cancellation, of something this loop waited for.
                self._outcomes.unexpected(Failure())
            except Exception:
                self._outcomes.unexpected(Failure())
            ended += 1
            await deferLater(self._clock, self._outcomes.backoff(ended))

    def _is_behind(self) -> bool:
        """Whether there is more to read than was asked for yet."""
        return self._pipeline is not None and self._pipeline.behind

    def _head_seen(self, head: SignedHead) -> None:
        self._trust.seen(head)
        newest = self._heads.newest
        if self._pipeline is not None and newest is not None:
            self._pipeline.follow(newest, self._heads.limit(newest))

    async def _read_on(self) -> None:
        """Read entries in order, as they can be had."""
        head = await self._heads.reaching(0)
        if self._position is None:
            self._position = self._begin(head)
        # How old the next entry is, is not known before one was read.
        left_out = self._too_far_behind(self._position, None)
        while True:
            if left_out is not None:
                self._skip(left_out, 0.0)
            pipeline = self._pipeline = Pipeline(
                self._client, self._budget, self._clock, self._outcomes, self._position
            )
            try:
                pipeline.follow(head, self._heads.limit(head))
                left_out = None
                while left_out is None:
                    read = await pipeline.next()
                    if isinstance(read, Unreadable):
                        self._skip(read, AGAIN[0])
                    else:
                        await self._read(read)
                        read_at = self._stats.last_entry_timestamp
                        left_out = self._too_far_behind(self._position, read_at)
            finally:
                self._pipeline = None
                pipeline.close()

    def _too_far_behind(self, position: int, entry_at: float | None) -> Unreadable | None:
        """What is to be left out for now, so that the log is at its head, if that is wanted."""
        head = self._heads.newest
        if head is None:
            return None
        head_at = self._stats.head_timestamp
        ahead = self._catch_up.skip(position, self._heads.limit(head), head_at, entry_at)
        if ahead is None:
            return None
        end, reason = ahead
        return Unreadable(position, end, reason, 0, self._clock.seconds())

    def _begin(self, head: SignedHead) -> int:
        """Decide where to read on: at the saved position, whatever the head says, if there is one.

        A head before it comes from a replica that lags, and the log will grow past it again.
        """
        followed = self._log
        limit = self._heads.limit(head)
        saved = self._positions.position_of(followed.state_key, followed.url)
        position = max(0, limit - self._overlap) if saved is None else saved.position
        self._trust.begin(position, saved)
        if followed.final_size is not None and followed.final_root is not None:
            final = SignedHead(followed.final_size, 0, followed.final_root, b"")
            self._trust.listed(final)
        self._stats.position = self._stats.started_at = position
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
        verification = self._trust.verification
        end = entries[-1].index + 1
        while entries:
            first = entries[0].index
            stop = verification.next_stop(first, end)
            now, entries = entries[: stop - first], entries[stop - first :]
            await self._reading.read(now, self._source, self._stats, self._accepted)
            verification.reached()

    def _accepted(self, entries: Sequence[Entry]) -> None:
        """These entries were handed to the hub: the position moves past them."""
        position = entries[-1].index + 1
        self._position = self._stats.position = position
        self._trust.verification.add([entry.leaf_hash for entry in entries])

    def _skip(self, missing: Unreadable, again: float) -> None:
        """Go on after missing entries: the position moves past them together with the gap that
        names them, which is tried again so many seconds later."""
        self._trust.skip(missing, self._clock.seconds() + again)
        self._position = self._stats.position = missing.end

    async def _read_late(self, entries: list[Entry]) -> None:
        """Read entries out of a gap."""
        late = self._trust.came_late
        await self._reading.read(entries, self._source, self._stats, late, late=True)

    async def _hand_on_again(self, entries: list[Entry]) -> None:
        """Read entries that came otherwise before."""
        await self._reading.read(
            entries, self._source, self._stats, lambda accepted: None, late=True
        )


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)
