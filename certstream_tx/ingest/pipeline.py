"""Entries of one log fetched ahead, several requests at a time, and given out in index order."""

from bisect import insort
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.budget import Budget
from certstream_tx.ingest.errors import BadBody, Throttled
from certstream_tx.ingest.health import Activity
from certstream_tx.ingest.log_client import LogClient
from certstream_tx.ingest.outcomes import Outcomes
from certstream_tx.ingest.wakeup import Wakeup

BATCHES_BEHIND = 2
"""How many more batches than requests in flight may wait for a missing one before them."""
ASK_AGAIN = 1.0
"""Seconds. A client that finds nothing worth asking for (a partial tile) is asked again so soon."""
ONE_PROBE_AFTER = 2
"""Failures in a row after which a log is asked one thing at a time, not ``depth`` at once."""


@dataclass(slots=True, order=True)
class Range:
    """Indexes ``start`` to ``end`` (exclusive) that were asked for, or are to be."""

    start: int
    end: int = field(compare=False)
    attempts: int = field(default=0, compare=False)
    not_before: float = field(default=0.0, compare=False)


class Pipeline:
    """Reads on from ``position``; :meth:`follow` says how far there is something to read.

    Every index is in one place: given out (before ``position``), ready, in flight, missing (its
    request failed or answered with less), or not asked for yet (from ``frontier`` on).
    """

    def __init__(
        self,
        client: LogClient,
        budget: Budget,
        clock: IReactorTime,
        outcomes: Outcomes,
        position: int,
    ) -> None:
        self._client = client
        self._budget = budget
        self._clock = clock
        self._outcomes = outcomes
        self._position = position
        self._frontier = position
        self._head: SignedHead | None = None
        self._limit = 0
        self._ready: dict[int, list[Entry]] = {}
        self._missing: list[Range] = []  # sorted
        self._in_flight = 0
        self._flights: set[Deferred[None]] = set()
        self._given_out = 0  # entries that are being read now
        self._failures_in_a_row = 0
        self._pause_until = 0.0
        self._arrival = Wakeup(clock)
        self._timer: IDelayedCall | None = None
        self._filling = False
        self._closed = False

    @property
    def behind(self) -> bool:
        """Whether there is something worth asking for that is not asked for yet."""
        return bool(self._missing) or (
            self._frontier < self._limit
            and self._client.span(self._frontier, self._limit) is not None
        )

    def follow(self, head: SignedHead, limit: int) -> None:
        """Entries before ``limit`` (at most ``head.size``) may be asked for from now on."""
        self._head = head
        self._limit = limit
        self._fill()

    async def next(self) -> list[Entry]:
        """The next entries in order, at least one; waits until they are there.

        Asking for the next says that the ones before were read.
        """
        self._budget.give(self._given_out)
        self._given_out = 0
        self._fill()
        while (entries := self._ready.pop(self._position, None)) is None:
            await self._arrival.wait()
        self._position += len(entries)
        self._given_out = len(entries)
        self._fill()
        return entries

    def close(self) -> None:
        """Give up all that is in flight or waits, and return its budget."""
        if self._closed:
            return
        self._closed = True
        self._budget.forget(self._fill)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for flight in list(self._flights):
            flight.cancel()
        ready = sum(len(entries) for entries in self._ready.values())
        self._ready.clear()
        self._budget.give(self._given_out + ready)

    def _fill(self) -> None:
        """Ask for as much as may be asked for now, and see to it that this is called again."""
        if self._filling or self._closed:
            return
        self._filling = True
        try:
            while self._ask():
                pass
        finally:
            self._filling = False

    def _ask(self) -> bool:
        """Send one request; False when there is none to be sent now."""
        head = self._head
        if head is None:
            return False
        now = self._clock.seconds()
        probing = self._failures_in_a_row >= ONE_PROBE_AFTER
        if self._in_flight >= (1 if probing else max(1, self._client.depth)):
            return False
        if now < self._pause_until:
            self._call_again(self._pause_until - now)
            return False
        wanted = self._next_missing(now) or self._next_new()
        if wanted is None:
            self._wait_for_work(now)
            return False
        if not self._budget.take(wanted.end - wanted.start, must=wanted.start == self._position):
            self._put_back(wanted)
            self._budget.notify(self._fill)
            return False
        self._send(wanted, head)
        return not self._closed

    def _next_missing(self, now: float) -> Range | None:
        """The first missing range whose time has come, cut as the client likes it best now."""
        due = next((each for each in self._missing if each.not_before <= now), None)
        if due is None:
            return None
        self._missing.remove(due)
        # The last range may grow with the head; others end where their neighbours begin.
        last = due.end == self._frontier
        end = self._client.span(due.start, max(self._limit, due.end)) or due.end
        if not last:
            end = min(end, due.end)
        if end < due.end:
            insort(self._missing, Range(end, due.end))
        self._frontier = max(self._frontier, end)
        due.end = end
        return due

    def _next_new(self) -> Range | None:
        """The next range that was never asked for, unless enough waits to be read already."""
        outstanding = len(self._ready) + self._in_flight + len(self._missing)
        if self._frontier >= self._limit or outstanding >= self._client.depth + BATCHES_BEHIND:
            return None
        end = self._client.span(self._frontier, self._limit)
        if end is None:
            return None
        start, self._frontier = self._frontier, end
        return Range(start, end)

    def _put_back(self, unasked: Range) -> None:
        """Return a range for which there is no budget now."""
        if unasked.end == self._frontier and not unasked.attempts:
            self._frontier = unasked.start
        else:
            insort(self._missing, unasked)

    def _wait_for_work(self, now: float) -> None:
        """Come back when a missing range is due, or when the client may have changed its mind."""
        due = min((each.not_before for each in self._missing), default=None)
        if due is not None:
            self._call_again(due - now)
        elif not self._in_flight and self._frontier < self._limit:
            self._call_again(ASK_AGAIN)

    def _call_again(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, seconds), self._fill)

    def _send(self, wanted: Range, head: SignedHead) -> None:
        self._in_flight += 1
        flight = (
            Deferred.fromCoroutine(self._client.entries(wanted.start, wanted.end, head))
            .addCallback(self._check, wanted)
            .addCallbacks(
                self._arrived, self._failed, callbackArgs=(wanted,), errbackArgs=(wanted,)
            )
        )
        if not flight.called:
            self._flights.add(flight)
            flight.addBoth(lambda _: self._flights.discard(flight))

    def _check(self, entries: list[Entry], asked: Range) -> list[Entry]:
        """What a client gave must be what it was asked for; anything else would lose entries."""
        count = len(entries)
        if not 0 < count <= asked.end - asked.start:
            raise BadBody(f"{count} entries came for {asked.start} to {asked.end - 1}")
        if entries[0].index != asked.start or entries[-1].index != asked.start + count - 1:
            raise BadBody(f"other entries came than those from {asked.start} on")
        return entries

    def _arrived(self, entries: list[Entry], asked: Range) -> None:
        self._in_flight -= 1
        if self._closed:
            self._budget.give(asked.end - asked.start)
            return
        self._failures_in_a_row = 0
        self._pause_until = 0.0
        self._ready[asked.start] = entries
        rest = asked.end - asked.start - len(entries)
        if rest:
            insort(self._missing, Range(asked.end - rest, asked.end))
            self._budget.give(rest)
        self._outcomes.answered(Activity.ENTRIES)
        self._arrival.fire()
        self._fill()

    def _failed(self, failure: Failure, asked: Range) -> None:
        self._in_flight -= 1
        if not self._closed:
            delay = self._outcomes.failed(Activity.ENTRIES, failure, asked.attempts + 1)
            asked.not_before = self._clock.seconds() + delay
            # 429 is pace: the client's pace sees to it that this range does not come too early.
            if failure.check(Throttled) is None:
                asked.attempts += 1
                self._failures_in_a_row += 1
                if self._failures_in_a_row >= ONE_PROBE_AFTER:
                    self._pause_until = asked.not_before
            insort(self._missing, asked)
        self._budget.give(asked.end - asked.start)
        self._fill()
