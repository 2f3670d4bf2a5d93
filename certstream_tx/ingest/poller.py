"""The service that follows one log: its head, its entries, its position, for ever."""

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.budget import Budget
from certstream_tx.ingest.errors import FetchError
from certstream_tx.ingest.head_watch import HeadWatch
from certstream_tx.ingest.log_client import LogClient
from certstream_tx.ingest.outcomes import Outcomes
from certstream_tx.ingest.pipeline import Pipeline
from certstream_tx.ingest.positions import Positions
from certstream_tx.ingest.reading import EntryReader
from certstream_tx.ingest.settings import PollSettings
from certstream_tx.ingest.state_file import SavedPosition
from certstream_tx.ingest.verification import Verification
from certstream_tx.message import Source
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.poller")

PROOF_ATTEMPTS: Final = 4
"""Before a log is read unverified. A log without proofs must not be silent for long."""
PROVE_AGAIN: Final = (60.0, 3600.0)
"""Seconds between attempts to verify a log that is read unverified: first, and longest."""


class LogPoller(Service):
    """Reads one log from its saved position on, or from just before its head, and never ends.

    Two loops: one looks at the head, one reads what there is up to it. Neither waits for the
    other, and whatever goes wrong in one, this program's own errors included, is tried again.
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
        self._outcomes = Outcomes(stats, settings, rng)
        self._verification = Verification(stats)
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
        self._pipeline: Pipeline | None = None
        self._position: int | None = None
        self._prove_at = 0.0
        self._prove_interval = PROVE_AGAIN[0]
        self._loops: list[Deferred[None]] = []

    @property
    def healthy(self) -> bool:
        """Whether the log can be read, by the thresholds of the configuration."""
        return self._outcomes.healthy

    @property
    def verified(self) -> bool:
        """Whether what is read now is compared with the heads that the log signs."""
        return self._verification.range is not None

    def snapshot(self) -> SavedPosition | None:
        """The position now, for the state file; None before it is known."""
        if self._position is None:
            return None
        proven = self._verification.range
        nodes = None
        if proven is not None and proven.size == self._position:
            nodes = tuple(proven.nodes)
        return SavedPosition(
            self._log.name, self._log.url, self._position, nodes, self._stats.verified_size
        )

    def startService(self) -> None:
        """Begin to follow the log."""
        Service.startService(self)
        self._positions.register(self._log.state_key, self.snapshot)
        self._loops = [
            Deferred.fromCoroutine(self._for_ever(loop))
            for loop in (self._heads.watch, self._read_on)
        ]

    def stopService(self) -> "Deferred[None]":
        """Stop between two entries; fires when nothing is in flight and the position is final."""
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
        if not self.verified:
            await self._prove_first(position)
            head = await self._heads.reaching(0)
        pipeline = self._pipeline = Pipeline(
            self._client, self._budget, self._clock, self._outcomes, position
        )
        try:
            pipeline.follow(head, self._heads.limit(head))
            while True:
                entries = await pipeline.next()
                was_verified = self.verified
                position = await self._read(entries)
                if was_verified and not self.verified:
                    self._prove_at = self._clock.seconds() + self._prove_interval
                if not self.verified and self._clock.seconds() >= self._prove_at:
                    await self._prove_again(position)
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
        if saved is None:
            position = max(0, limit - self._overlap)
        else:
            position = saved.position
            self._stats.verified_size = saved.verified_size
            if saved.nodes is not None:
                self._verification.resume(CompactRange(position, saved.nodes))
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

    async def _read(self, entries: list[Entry]) -> int:
        """Read entries, stopping at each head on the way to compare roots; the position after."""
        end = entries[-1].index + 1
        while entries:
            first = entries[0].index
            stop = self._verification.next_stop(first, end)
            now, entries = entries[: stop - first], entries[stop - first :]
            await self._reading.read(now, self._source, self._stats, self._accepted)
            self._verification.reached()
        return end

    def _accepted(self, entries: Sequence[Entry]) -> None:
        """These entries were handed to the hub: the position moves past them."""
        position = entries[-1].index + 1
        self._position = self._stats.position = position
        self._verification.add([entry.leaf_hash for entry in entries])

    async def _prove_first(self, position: int) -> None:
        """Get what verification begins with; after a bounded effort, go on without."""
        for attempt in range(1, PROOF_ATTEMPTS + 1):
            reason = await self._prove(position)
            if reason is None:
                return
            if attempt < PROOF_ATTEMPTS:
                await deferLater(self._clock, self._outcomes.backoff(attempt))
        self._stay_unverified(position, reason)

    async def _prove_again(self, position: int) -> None:
        """Verify from here on what was read unverified until now, if the log has proofs now."""
        reason = await self._prove(position)
        if reason is not None:
            self._stay_unverified(position, reason)
            return
        self._prove_interval = PROVE_AGAIN[0]
        log.info(
            "{log}: verified again, from entry {position} on",
            log=self._log.name,
            position=position,
        )

    async def _prove(self, position: int) -> str | None:
        """Have the log prove what lies before the position; None, or why it did not."""
        head = await self._heads.reaching(position)
        try:
            proven = await self._client.range_at(position, head)
        except CancelledError:
            raise
        except FetchError as error:
            return error.reason
        except Exception as error:
            self._outcomes.unexpected(Failure())
            return repr(error)
        if proven.size != position:
            return f"it proved {proven.size} entries instead"
        self._verification.begin(proven)
        return None

    def _stay_unverified(self, position: int, reason: str | None) -> None:
        self._prove_at = self._clock.seconds() + self._prove_interval
        log.warn(
            "{log}: streamed unverified, for the log does not prove what lies before entry"
            " {position} ({reason}); it is asked again in {minutes} minutes",
            log=self._log.name,
            position=position,
            reason=reason,
            minutes=round(self._prove_interval / 60),
        )
        self._prove_interval = min(self._prove_interval * 2, PROVE_AGAIN[1])


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)
