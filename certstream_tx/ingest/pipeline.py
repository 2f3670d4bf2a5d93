"""Entries of one log fetched ahead, several requests at a time, and given out in index order."""

import math
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.budget import ENTRIES_AHEAD, Budget, weight
from certstream_tx.ingest.errors import Throttled
from certstream_tx.ingest.health import Activity
from certstream_tx.ingest.log_client import LogClient
from certstream_tx.ingest.neighbours import Ahead, Neighbours
from certstream_tx.ingest.outcomes import Outcomes
from certstream_tx.ingest.ranges import MissingRanges, Range, Unreadable
from certstream_tx.ingest.wakeup import Wakeup

BATCHES_BEHIND = 2
"""How many more batches than requests in flight may wait for a missing one before them."""
ASK_AGAIN = 1.0
"""Seconds. A client that finds nothing worth asking for (a partial tile) is asked again so soon."""
ONE_PROBE_AFTER = 2
"""Failures in a row after which a log is asked one thing at a time, not ``depth`` at once."""
MOST_EXPECTED = ENTRIES_AHEAD // 2
"""The most that is kept free for one request: no answer is larger than 32 MiB."""


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
        self._ready: dict[int, list[Entry] | Unreadable] = {}
        self._missing = MissingRanges()
        self._neighbours = Neighbours(client)
        self._neighbour: Range | None = None  # while it is in flight
        self._flights: set[Deferred[Any]] = set()
        self._weights: dict[int, int] = {}  # of what is ready, by its first index
        self._entry_weight = 1.0  # what an entry of this log took lately
        self._given_out = 0  # the weight of what is being read now
        self._failures_in_a_row = 0
        self._pause_until = 0.0
        self._arrival = Wakeup(clock)
        self._timer: IDelayedCall | None = None
        self._filling = False
        self._closed = False

    @property
    def behind(self) -> bool:
        """Whether there is something worth asking for that is not asked for yet."""
        return len(self._missing) > 0 or (
            self._frontier < self._limit
            and self._client.span(self._frontier, self._limit) is not None
        )

    def follow(self, head: SignedHead, limit: int) -> None:
        """Entries before ``limit`` (at most ``head.size``) may be asked for from now on."""
        self._head = head
        self._limit = limit
        self._fill()

    async def next(self) -> list[Entry] | Unreadable:
        """The next entries in order, at least one, or those that are given up; waits for them.

        Asking for the next says that the ones before were read.
        """
        self._budget.give(self._given_out)
        self._given_out = 0
        self._fill()
        while (item := self._ready.pop(self._position, None)) is None:
            await self._arrival.wait()
        self._given_out = self._weights.pop(self._position, 0)
        if isinstance(item, Unreadable):
            self._position = item.end
        else:
            self._position += len(item)
        self._fill()
        return item

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
        self._ready.clear()
        self._budget.give(self._given_out + sum(self._weights.values()))
        self._weights.clear()

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
        if head is None or not self._outcomes.asks_entries:
            return False
        now = self._clock.seconds()
        probing = self._failures_in_a_row >= ONE_PROBE_AFTER
        most = 1 if probing else max(1, self._client.depth)
        if len(self._flights) >= most or self._neighbour is not None:
            return False
        if now < self._pause_until:
            return self._call_again(self._pause_until - now)
        if self._neighbours.due(self._missing.first, self._position, now):
            self._ask_neighbour(head, now)
            return not self._closed
        wanted = self._next_missing(now) or self._next_new()
        if wanted is None:
            return self._wait_for_work(now)
        wanted.cost = self._expected(wanted)
        if not self._budget.take(wanted.cost, must=wanted.start == self._position):
            self._put_back(wanted)
            self._budget.notify(self._fill)
            return self._wait_for_first(now)
        self._send(wanted, head)
        return not self._closed

    def _ask_neighbour(self, head: SignedHead, now: float) -> None:
        """Ask for something else than the range that fails, be there budget or not: a little."""
        last = max((s for s, item in self._ready.items() if isinstance(item, list)), default=None)
        missing = wanted = None
        if last is not None:
            wanted = self._neighbours.known(last, last + len(self._ready[last]))
        else:
            missing = self._missing.take_other(now, suspect=False)
            wanted = missing or self._neighbours.further(self._frontier, self._limit)
            if wanted is None:
                wanted = missing = self._missing.take_other(now, suspect=True)
        if wanted is not None:
            wanted.cost = self._expected(wanted)
            self._budget.take(wanted.cost, must=True)
            if missing is None:
                self._neighbour = wanted
            self._send(wanted, head)

    @property
    def _crowded(self) -> bool:
        """Whether enough waits to be read, and nothing that is missing keeps it waiting."""
        first = self._missing.first
        waiting = len(self._ready) + len(self._flights)
        return waiting >= self._client.depth + BATCHES_BEHIND and (
            first is None or first.start != self._position
        )

    def _expected(self, asked: Range) -> int:
        """What the answer will take of the budget, as far as can be told."""
        return min(MOST_EXPECTED, math.ceil((asked.end - asked.start) * self._entry_weight))

    def _next_missing(self, now: float) -> Range | None:
        """The first missing range whose time has come, cut as the client likes it best now.

        None while enough waits to be read, unless this is what it waits for: where every answer
        is short, the rest of each would be asked for at once, and read much later.
        """
        if self._crowded:
            return None
        due = self._missing.take_due(now)
        if due is None:
            return None
        # The last range may grow with the head; others end where their neighbours begin.
        last = due.end == self._frontier and not due.narrowed
        end = self._client.span(due.start, max(self._limit, due.end)) or due.end
        end = self._neighbours.end_before(end) if last else min(end, due.end)
        if end < due.end:
            self._missing.add(Range(end, due.end))
        self._frontier = max(self._frontier, end)
        due.end = end
        return due

    def _next_new(self) -> Range | None:
        """The next range that was never asked for, unless enough waits to be read already."""
        self._frontier = self._neighbours.frontier(self._frontier)
        outstanding = len(self._ready) + len(self._flights) + len(self._missing)
        if self._frontier >= self._limit or outstanding >= self._client.depth + BATCHES_BEHIND:
            return None
        end = self._client.span(self._frontier, self._limit)
        if end is None:
            return None
        start, self._frontier = self._frontier, self._neighbours.end_before(end)
        return Range(start, self._frontier)

    def _put_back(self, unasked: Range) -> None:
        """Return a range for which there is no budget now."""
        if unasked.end == self._frontier and not unasked.tries:
            self._frontier = unasked.start
        else:
            self._missing.add(unasked)

    def _wait_for_work(self, now: float) -> bool:
        """Come back when a missing range is due, or when the client may have changed its mind."""
        due = self._missing.next_due()
        if due is not None:
            # When it is crowded, what is read next makes room and asks again.
            return not self._crowded and self._call_again(due - now)
        if not self._flights and self._frontier < self._limit:
            return self._call_again(ASK_AGAIN)
        return False

    def _wait_for_first(self, now: float) -> bool:
        """Come back when the range that the others wait for is due: it needs no budget, and until
        it is there none may be given back."""
        first = self._missing.first
        if first is not None and first.start == self._position and first.not_before > now:
            return self._call_again(first.not_before - now)
        return False

    def _call_again(self, seconds: float) -> bool:
        """Nothing is sent now: False."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, seconds), self._fill)
        return False

    def _send(self, wanted: Range, head: SignedHead) -> None:
        wanted.sent_at = self._clock.seconds()
        flight = Deferred.fromCoroutine(self._client.entries(wanted.start, wanted.end, head))
        if not flight.called:
            self._flights.add(flight)
            flight.addBoth(self._landed, flight)
        flight.addCallback(wanted.check).addCallbacks(
            self._arrived, self._failed, callbackArgs=(wanted,), errbackArgs=(wanted,)
        )

    def _landed(self, result: Any, flight: "Deferred[Any]") -> Any:
        self._flights.discard(flight)
        return result

    def _arrived(self, entries: list[Entry], asked: Range) -> None:
        taken = 0
        if not self._closed:
            if asked is self._neighbour:
                self._neighbour = None
                kept = self._keep_ahead(entries, asked.start)
            else:
                kept = True
                if len(entries) < asked.end - asked.start:
                    self._missing.add(Range(asked.start + len(entries), asked.end))
            if kept:
                self._ready[asked.start] = entries
                taken = self._weights[asked.start] = weight(entries)
                lately = taken / len(entries)
                self._entry_weight = max(1.0, lately, self._entry_weight / 2)
            self._failures_in_a_row = 0
            self._pause_until = 0.0
            self._neighbours.answered(self._clock.seconds())
            self._outcomes.answered(Activity.ENTRIES)
            self._give_up()
            self._arrival.fire()
        if taken > asked.cost:
            self._budget.take(taken - asked.cost, must=True)
        else:
            self._budget.give(asked.cost - taken)
        self._fill()

    def _keep_ahead(self, entries: list[Entry], start: int) -> bool:
        """Whether these lie beyond the frontier, and nobody asked for them since."""
        if self._frontier > start or start in self._ready or self._neighbours.ahead is not None:
            return False
        self._neighbours.ahead = Ahead(start, start + len(entries))
        return True

    def _failed(self, failure: Failure, asked: Range) -> None:
        if not self._closed:
            delay = self._count_failure(failure, asked)
            if asked is self._neighbour:
                self._neighbour = None
            else:
                self._missed(asked, failure, delay)
                self._give_up()
        self._budget.give(asked.cost)
        self._fill()

    def _missed(self, asked: Range, failure: Failure, delay: float) -> None:
        now = self._clock.seconds()
        asked.not_before = now + delay
        # 429 is pace: the client's pace sees to it that this range does not come too early.
        if failure.check(Throttled) is None:
            asked.failed(failure.getErrorMessage(), now, self._neighbours.answered_at)
        if self._client.divisible and asked.to_be_halved(now):
            for half in asked.halves():
                self._missing.add(half)
        else:
            self._missing.add(asked)

    def _count_failure(self, failure: Failure, asked: Range) -> float:
        delay = self._outcomes.failed(Activity.ENTRIES, failure, asked.attempts + 1, asked.sent_at)
        if failure.check(Throttled) is None:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= ONE_PROBE_AFTER:
                self._pause_until = self._clock.seconds() + delay
        return delay

    def _give_up(self) -> None:
        """Let others pass what alone keeps them waiting, once the effort was made."""
        beyond = [start for start in self._ready if start > self._position]
        if not beyond:
            return
        now, divisible = self._clock.seconds(), self._client.divisible
        given_up = self._missing.give_up(self._position, now, divisible=divisible)
        if given_up is None:
            return
        if given_up.end == self._frontier and self._frontier not in self._ready:
            # Nothing that was asked for in order can be read: go on at what is known to be.
            self._frontier = min(beyond)
            given_up = given_up._replace(end=self._frontier)
        self._ready[given_up.start] = given_up
        self._arrival.fire()
