"""A log's newest tree head: looked at again and again, the largest seen rules."""

from collections.abc import Callable
from random import Random

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.beyond_head import BeyondHead
from certstream_tx.ingest.condition.cadence import LONGEST, HeadCadence
from certstream_tx.ingest.condition.health import Activity
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.condition.head_watch")


class HeadWatch:
    """Looks at the head of one log.

    ``seen`` gets every head that came, smaller ones too. ``behind`` tells whether there is more to
    read than was asked for yet: a newer head adds nothing then.
    """

    def __init__(
        self,
        log: Log,
        client: LogClient,
        clock: IReactorTime,
        stats: LogStats,
        outcomes: Outcomes,
        shortest: float,
        rng: Random,
        *,
        seen: Callable[[SignedHead], None],
        behind: Callable[[], bool],
    ) -> None:
        self._client = client
        self._clock = clock
        self._stats = stats
        self._outcomes = outcomes
        self._cadence = HeadCadence(shortest, rng)
        self._seen = seen
        self._behind = behind
        self._final_size = log.final_size if log.state == "readonly" else None
        self._beyond = BeyondHead(stats, clock)
        self._moved = Wakeup(clock)
        self._first: SignedHead | None = None  # of a log without a key, until another confirms it
        self.newest: SignedHead | None = None
        """The largest head seen."""

    async def reaching(self, size: int) -> SignedHead:
        """The newest head, once there is one of at least this size, and the log is not unhealthy:
        what it is for is not to be asked for until then."""
        while self.newest is None or self.newest.size < size or not self._outcomes.healthy:
            await self._moved.wait()
        return self.newest

    def limit(self, head: SignedHead) -> int:
        """How far there is to read: a read-only log ends where its list says."""
        return head.size if self._final_size is None else min(head.size, self._final_size)

    async def watch(self) -> None:
        """Look, for ever."""
        while True:
            await self._outcomes.rested()
            sent_at = self._clock.seconds()
            try:
                head = await self._client.head()
            except CancelledError:
                raise
            except Exception:
                wait = self._outcomes.failed(
                    Activity.HEAD, Failure(), self._outcomes.head_attempts() + 1, sent_at
                )
                await deferLater(self._clock, wait)
            else:
                self._outcomes.answered(Activity.HEAD)
                self._take(head)
                await self._until_next_look()

    def _take(self, head: SignedHead) -> None:
        self._stats.last_head_at = self._clock.seconds()
        self._stats.heads_verified += not self._stats.keyless
        if self.newest is None and self._stats.keyless:
            # A first one that was damaged, and is huge, must not say where to begin: there is
            # nothing before it to be held against, and no signature.
            first, self._first = self._first, head
            if first is None or head.size < first.size:
                return
            head, self._first = first, None
        self._beyond.seen(head)
        known = self.newest
        if known is None or head.size > known.size:
            self._cadence.moved()
            self._use(head)
            if self._final_size is not None and head.size > self._final_size:
                log.warn(
                    "{log} is read-only and ended with {final} entries, but shows {size}",
                    log=self._stats.name,
                    final=self._final_size,
                    size=head.size,
                )
        elif head.size < known.size:
            # No rollback: a replica that lags. What it does not have yet, others do.
            self._stats.head_regressions += 1
        else:
            self._cadence.stood()
            if head.timestamp > known.timestamp and head.root == known.root:
                self._use(head)
        self._seen(head)
        self._moved.fire()

    def _use(self, head: SignedHead) -> None:
        self.newest = head
        self._stats.head_size = head.size
        self._stats.head_timestamp = head.timestamp / 1000

    async def _until_next_look(self) -> None:
        """Wait: a whole interval in which nothing was left to ask for, but no longer than LONGEST.

        A look right after catching up would meet a log that has just served many requests. One that
        was unhealthy is looked at until it is known to be well.
        """
        if self._outcomes.recovering:
            await deferLater(self._clock, self._cadence.shortest_interval())
            return
        if self._final_size is not None and self._stats.position >= self._final_size:
            await self._outcomes.falls_ill(self._cadence.drained_interval())
            return
        waited = 0.0
        behind = True
        while behind and waited < LONGEST:
            interval = self._cadence.interval()
            behind = self._behind()
            if await self._outcomes.falls_ill(interval):
                return
            waited += interval
