"""Entries of one log fetched ahead, several requests at a time, and given out in index order."""

import math
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.health import Activity
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import Throttled
from certstream_tx.ingest.pacing.budget import ENTRIES_AHEAD, Budget, weight
from certstream_tx.ingest.polling.neighbours import Ahead
from certstream_tx.ingest.polling.ranges import Range
from certstream_tx.ingest.polling.wanted import Wanted
from certstream_tx.ingest.state.gaps import Unreadable
from certstream_tx.ingest.wakeup import Wakeup

ONE_PROBE_AFTER = 2
"""Failures in a row after which a log is asked one thing at a time, not ``depth`` at once."""
MOST_EXPECTED = ENTRIES_AHEAD // 2
"""The most that is kept free for one request."""


class Pipeline:
    """Reads on from ``position``; :meth:`follow` says how far there is something to read.

    Every index is in one place: given out (before ``position``), ready, in flight, or wanted (its
    request failed or answered with less, or there was none yet).
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
        self._head: SignedHead | None = None
        self._ready: dict[int, list[Entry] | Unreadable] = {}
        self._wanted = Wanted(client, position)
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
        return self._wanted.behind

    def follow(self, head: SignedHead, limit: int) -> None:
        """Entries before ``limit`` (at most ``head.size``) may be asked for from now on."""
        self._head = head
        self._wanted.limit = limit
        self._fill()

    def try_now(self) -> None:
        """Ask now for what was put off."""
        self._pause_until = 0.0
        self._wanted.try_now()
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
        if self._wanted.wants_neighbour(now, self._position, beyond=bool(self._ready)):
            self._ask_neighbour(head, now)
            return not self._closed
        if now < self._pause_until:
            return self._call_again(self._pause_until - now)
        wanted = self._wanted.next(now, self._position, self._waiting)
        if wanted is None:
            in_flight = len(self._flights)
            return self._call_again(
                self._wanted.wait(now, self._position, self._waiting, in_flight)
            )
        wanted.cost = self._expected(wanted)
        if not self._budget.take(wanted.cost, must=wanted.start == self._position):
            self._wanted.put_back(wanted)
            self._budget.notify(self._fill)
            # The range that others wait for needs no budget; until it is there none may come back.
            return self._call_again(self._wanted.wait_for_first(now, self._position))
        self._send(wanted, head)
        return not self._closed

    @property
    def _waiting(self) -> int:
        """Batches in flight, or ready to be read."""
        return len(self._ready) + len(self._flights)

    def _ask_neighbour(self, head: SignedHead, now: float) -> None:
        """Ask for something else than the range that fails, be there budget or not: a little."""
        last = max((s for s, item in self._ready.items() if isinstance(item, list)), default=None)
        known = None if last is None else Ahead(last, last + len(self._ready[last]))
        wanted, anyway = self._wanted.neighbour(now, known)
        if wanted is not None:
            wanted.cost = self._expected(wanted)
            self._budget.take(wanted.cost, must=True)
            if not anyway:
                self._neighbour = wanted
            self._send(wanted, head)

    def _expected(self, asked: Range) -> int:
        """What the answer will take of the budget, as far as can be told."""
        return min(MOST_EXPECTED, math.ceil((asked.end - asked.start) * self._entry_weight))

    def _call_again(self, seconds: float | None) -> bool:
        """Nothing is sent now: False."""
        if seconds is not None:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._timer = self._clock.callLater(seconds, self._fill)
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
                kept = asked.start not in self._ready and self._wanted.keeps_ahead(
                    asked.start, len(entries)
                )
            else:
                kept = True
                self._wanted.came_short(asked, len(entries))
            if kept:
                self._ready[asked.start] = entries
                taken = self._weights[asked.start] = weight(entries)
                lately = taken / len(entries)
                self._entry_weight = max(1.0, lately, self._entry_weight / 2)
            self._failures_in_a_row = 0
            self._pause_until = 0.0
            self._wanted.answered(self._clock.seconds())
            self._outcomes.answered(Activity.ENTRIES)
            self._give_up()
            self._arrival.fire()
        if taken > asked.cost:
            self._budget.take(taken - asked.cost, must=True)
        else:
            self._budget.give(asked.cost - taken)
        self._fill()

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
            self._wanted.failed(asked, failure.getErrorMessage(), now)
        else:
            self._wanted.throttled(asked)

    def _count_failure(self, failure: Failure, asked: Range) -> float:
        delay = self._outcomes.failed(Activity.ENTRIES, failure, asked.attempts + 1, asked.sent_at)
        if failure.check(Throttled) is None:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= ONE_PROBE_AFTER:
                self._pause_until = self._clock.seconds() + delay
        return delay

    def _give_up(self) -> None:
        """Let others pass what alone keeps them waiting, once the effort was made."""
        given_up = self._wanted.give_up(self._clock.seconds(), self._position, self._ready)
        if given_up is not None:
            self._ready[given_up.start] = given_up
            if not self._client.divisible:
                # It was this tile alone that failed: the log need not be spared. (Of a page the
                # next entries may fail as well.)
                self._failures_in_a_row = 0
                self._pause_until = 0.0
            self._arrival.fire()
