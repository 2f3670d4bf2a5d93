"""One pace for all logs of an operator: a request at a time, slower when the operator says so."""

from collections import deque
from collections.abc import Hashable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.events import logger
from certstream_tx.ingest.http.retry_after import LONGEST

log = logger("certstream_tx.pace")

OPERATOR_INTERVALS: Final = {
    # Seconds between two requests to any log of the operator, heads included: what their logs were
    # seen to bear, for all their current logs together.
    "cloudflare": 0.2,
    "digicert": 0.25,
    "geomys": 0.1,
    "google": 0.04,
    "ipngnetworks": 0.1,
    "let'sencrypt": 0.1,
    "sectigo": 0.05,
    "trustasia": 0.5,
}

SLOWEST: Final = 0.1
"""Requests a second that are left whatever an operator answers: one in 10 s."""

SLOWER: Final = 0.5
"""What is left of the rate after a request was throttled."""

SLOWER_AGAIN_AFTER: Final = 10.0
"""Seconds until the rate is cut once more: the first cut must have had time to show."""

RECOVERY: Final = 0.1 / 60
"""Share of the fastest rate by which the rate grows in a second."""

UNLIMITED: Final = 40.0
"""Requests a second from which an operator without a limit is slowed down, should it throttle."""

FIRST_HOLD: Final = 1.0
LONGEST_HOLD: Final = 60.0
"""Seconds nothing is asked after an answer that asks for a slower pace and does not say how long;
doubled for each that follows without a good answer between them."""

_AT_ONCE: Final = 1e-6
"""Seconds not worth a timer; sums of times are not exact."""


def operator_interval(operator: str | None, default: float) -> float:
    """Seconds between two requests to this operator: its prior, but no less than ``default``.

    A default of 0 is no limit for anybody. Names are compared without case and spaces.
    """
    if default <= 0:
        return 0.0
    return max(OPERATOR_INTERVALS.get(operator_key(operator or ""), default), default)


def operator_key(operator: str) -> str:
    """The form in which names of operators are compared."""
    return "".join(operator.casefold().split())


class Pace:
    """Gives every request its turn, at most one each ``interval_seconds`` (0: as they come).

    Turns of heads come before turns of entries, and the logs of the operator take theirs in
    rotation, so that one that catches up does not keep the others waiting.
    """

    def __init__(self, clock: IReactorTime, interval_seconds: float, operator: str = "") -> None:
        self._clock = clock
        self._operator = operator
        self._allow(interval_seconds)
        self._slowed_rate = self._fastest
        self._slowed_at = float("-inf")
        self._heads: deque[Deferred[int]] = deque()
        self._entries: dict[Hashable, deque[Deferred[int]]] = {}
        self._last_turn = float("-inf")
        self._held_until = float("-inf")
        self._hold = FIRST_HOLD
        self._cut_at_ticket = 0
        self._ticket = 0
        self._timer: IDelayedCall | None = None

    @property
    def rate(self) -> float:
        """Requests a second that are allowed now; infinite when there is no limit."""
        since = self._clock.seconds() - self._slowed_at
        rate = self._slowed_rate + self._fastest * RECOVERY * max(since, 0.0)
        if rate < self._fastest:
            return rate
        return float("inf") if self._unlimited else self._fastest

    @property
    def interval(self) -> float:
        """Seconds between two requests now."""
        return 1.0 / self.rate

    def limit(self, interval_seconds: float) -> None:
        """Another fastest pace, from the next turn on; where the operator asked for a slower one,
        it goes on to recover from there."""
        before, slowed = self.rate, self.rate < self._fastest
        self._allow(interval_seconds)
        self._slowed_rate = self._fastest
        if slowed:
            self._slowed_rate = min(before, self._fastest)
            self._slowed_at = self._clock.seconds()
        self._schedule()

    def _allow(self, interval_seconds: float) -> None:
        self._unlimited = interval_seconds <= 0
        self._fastest = UNLIMITED if self._unlimited else 1.0 / interval_seconds

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._heads) + sum(len(queue) for queue in self._entries.values())

    async def turn(self, owner: Hashable = None, *, first: bool = False) -> int:
        """Wait until the next request may be sent; gives a ticket for ``throttled``.

        ``owner`` is the log (turns rotate among owners); ``first`` goes before all that are not.
        """
        if not self._timer and not self._delay():
            return self._grant()
        queue = self._heads if first else self._entries.setdefault(owner, deque())
        waiter: Deferred[int] = Deferred(lambda waiter: self._leave(owner, waiter))
        queue.append(waiter)
        self._schedule()
        return await waiter

    def throttled(self, retry_after: float | None, ticket: int) -> None:
        """A request was answered with 429: hold all turns back, and be slower from then on.

        Answers to requests that were under way when the pace was cut do not cut it again.
        """
        now = self._clock.seconds()
        hold = retry_after or 0.0
        if ticket > self._cut_at_ticket:
            self._cut_at_ticket = self._ticket
            if retry_after is None:
                hold = self._hold
                self._hold = min(self._hold * 2, LONGEST_HOLD)
            if abs(now - self._slowed_at) >= SLOWER_AGAIN_AFTER:
                self._slow_down(now)
        self._held_until = max(self._held_until, now + hold)
        self._schedule()

    def ok(self) -> None:
        """A request was answered: the next throttled one is the first of a new series."""
        self._hold = FIRST_HOLD

    def _slow_down(self, now: float) -> None:
        before = self.rate
        self._slowed_rate = max(min(before, self._fastest) * SLOWER, min(SLOWEST, self._fastest))
        self._slowed_at = now
        if self._slowed_rate > before * 0.75:  # next to the slowest rate already: nothing new
            return
        log.info(
            "{operator} asks for a slower pace: {rate:.2f} requests a second now",
            operator=self._operator or "An operator",
            rate=self._slowed_rate,
        )

    def _delay(self) -> float:
        """Seconds until the next turn, 0 when it is now."""
        now = self._clock.seconds()
        # A clock that was set back must not hold a log up for as long as it was set back.
        self._last_turn = min(self._last_turn, now)
        self._held_until = min(self._held_until, now + LONGEST)
        delay = max(self._last_turn + self.interval, self._held_until) - now
        return delay if delay > _AT_ONCE else 0.0

    def _grant(self) -> int:
        # From when it was due, not from when a busy reactor got to it: else the rate would sink.
        now = self._clock.seconds()
        due = max(self._last_turn + self.interval, self._held_until)
        self._last_turn = due if now - due < self.interval else now
        self._ticket += 1
        return self._ticket

    def _schedule(self) -> None:
        """See to it that the first in line gets its turn in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.waiting:
            self._timer = self._clock.callLater(self._delay(), self._next)

    def _next(self) -> None:
        self._timer = None
        if self._delay() == 0 and (waiter := self._first_in_line()) is not None:
            ticket = self._grant()
            self._schedule()
            waiter.callback(ticket)
        else:
            self._schedule()

    def _first_in_line(self) -> "Deferred[int] | None":
        if self._heads:
            return self._heads.popleft()
        for owner, queue in self._entries.items():
            waiter = queue.popleft()
            # Its next turn comes after those of the other owners.
            del self._entries[owner]
            if queue:
                self._entries[owner] = queue
            return waiter
        return None

    def _leave(self, owner: Hashable, waiter: "Deferred[int]") -> None:
        """Cancelled while it waited."""
        if waiter in self._heads:
            self._heads.remove(waiter)
        elif waiter in (queue := self._entries.get(owner, deque())):
            queue.remove(waiter)
            if not queue:
                del self._entries[owner]
        self._schedule()
