"""Tests of certstream_tx.ingest.pacing.pace."""

from collections.abc import Hashable
from itertools import pairwise

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.pacing.pace import (
    FIRST_HOLD,
    LONGEST_HOLD,
    OPERATOR_INTERVALS,
    SLOWER_AGAIN_AFTER,
    SLOWEST,
    UNLIMITED,
    Pace,
    operator_interval,
    operator_key,
)


class PaceCase(SynchronousTestCase):
    """A pace on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.turns: list[tuple[float, Hashable]] = []
        self.began = self.clock.seconds()

    def ask(
        self, pace: Pace, owner: Hashable = "a", first: bool = False, name: Hashable = None
    ) -> "Deferred[int]":
        """Ask for a turn, and note when it came."""

        def note(ticket: int) -> int:
            elapsed = round(self.clock.seconds() - self.began, 3)
            self.turns.append((elapsed, name or owner))
            return ticket

        return Deferred.fromCoroutine(pace.turn(owner, first=first)).addCallback(note)

    def run_for(self, seconds: float, step: float = 1 / 128) -> None:
        self.clock.pump([step] * round(seconds / step))


class TurnTests(PaceCase):
    """Who gets a turn, and when."""

    def test_interval(self) -> None:
        """The first request goes at once, the others one interval after another."""
        pace = Pace(self.clock, 0.5)
        for _ in range(4):
            self.ask(pace)
        self.assertEqual(pace.waiting, 3)
        self.run_for(3)
        self.assertEqual([time for time, _ in self.turns], [0, 0.5, 1.0, 1.5])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_burst_after_rest(self) -> None:
        """Turns that nobody took are not saved up."""
        pace = Pace(self.clock, 0.5)
        self.ask(pace)
        self.run_for(10)
        self.ask(pace)
        self.ask(pace)
        self.run_for(2)
        self.assertEqual([time for time, _ in self.turns], [0, 10, 10.5])

    def test_unlimited(self) -> None:
        """Without an interval nothing waits."""
        pace = Pace(self.clock, 0)
        for _ in range(100):
            self.ask(pace)
        self.assertEqual(len(self.turns), 100)
        self.assertEqual(pace.rate, float("inf"))
        self.assertEqual(pace.interval, 0)

    def test_heads_first(self) -> None:
        """A head goes before all entries that wait."""
        pace = Pace(self.clock, 0.5)
        for name in ("entries 1", "entries 2", "entries 3"):
            self.ask(pace, name=name)
        self.ask(pace, first=True, name="head")
        self.run_for(2)
        names = [name for _, name in self.turns]
        self.assertEqual(names, ["entries 1", "head", "entries 2", "entries 3"])

    def test_rotation(self) -> None:
        """A log that asks for much does not keep one waiting that asks for little."""
        pace = Pace(self.clock, 0.1)
        for _ in range(10):
            self.ask(pace, "busy")
        for owner in ("b", "c"):
            self.ask(pace, owner)
            self.ask(pace, owner)
        self.run_for(2)
        owners = [owner for _, owner in self.turns]
        self.assertEqual(owners[:7], ["busy", "busy", "b", "c", "busy", "b", "c"])
        self.assertEqual(len(owners), 14)

    def test_cancelled(self) -> None:
        """Who is cancelled while waiting takes no turn, and leaves nothing behind."""
        pace = Pace(self.clock, 0.5)
        self.ask(pace, name="first")
        given_up = [self.ask(pace, owner, first) for owner in "ab" for first in (True, False)]
        self.ask(pace, name="last")
        for each in given_up:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(pace.waiting, 1)
        self.run_for(2)
        self.assertEqual(self.turns, [(0, "first"), (0.5, "last")])
        alone = self.ask(pace)
        self.run_for(1)
        alone = self.ask(pace)
        waiting = self.ask(pace)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.successResultOf(alone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_clock_set_back(self) -> None:
        """A clock that is set back by a day holds nobody up for a day."""
        pace = Pace(self.clock, 0.5)
        pace.throttled(60, self.successResultOf(self.ask(pace)))
        self.clock.rightNow -= 86400
        waiting = self.ask(pace)
        self.run_for(15 * 60 + 11, 1)
        self.successResultOf(waiting)


class ThrottledTests(PaceCase):
    """How 429 changes the pace."""

    def throttle(self, pace: Pace, retry_after: float | None) -> None:
        waiting = self.ask(pace)
        while not waiting.called:
            self.run_for(1, 0.125)
        pace.throttled(retry_after, self.successResultOf(waiting))
        self.turns.clear()
        self.began = self.clock.seconds()

    def test_retry_after(self) -> None:
        """All requests of the operator wait as long as one of its logs asked."""
        pace = Pace(self.clock, 0.1)
        self.throttle(pace, 7)
        self.ask(pace, "a")
        self.ask(pace, "b", first=True)
        self.run_for(10)
        self.assertEqual([owner for _, owner in self.turns], ["b", "a"])
        self.assertEqual(self.turns[0][0], 7)

    def test_late_reactor(self) -> None:
        """A reactor that comes late to a turn does not make the next ones late as well."""
        pace = Pace(self.clock, 0.5)
        for _ in range(9):
            self.ask(pace)
        self.run_for(5, 0.375)
        self.assertEqual(self.turns[-1][0], 4.125)
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(self.turns)]
        self.assertGreaterEqual(min(gaps), 0.375)

    def test_without_retry_after(self) -> None:
        """Without a time the wait doubles each time, up to a limit, until an answer is good."""
        pace = Pace(self.clock, 0.1)
        for hold in (1, 2, 4, 8, 16, 32, LONGEST_HOLD, LONGEST_HOLD):
            self.throttle(pace, None)
            waiting = self.ask(pace)
            self.run_for(hold - 0.5, 0.125)
            self.assertNoResult(waiting)
            self.run_for(1 / SLOWEST, 0.125)
            self.successResultOf(waiting)
        pace.ok()
        self.throttle(pace, None)
        waiting = self.ask(pace)
        self.run_for(max(FIRST_HOLD, pace.interval) + 0.1, 0.1)
        self.successResultOf(waiting)

    def test_longer_hold_wins(self) -> None:
        """A shorter wait asked for later does not shorten a longer one."""
        pace = Pace(self.clock, 0.01)
        tickets = []
        for _ in range(3):
            asked = self.ask(pace)
            self.run_for(0.02)
            tickets.append(self.successResultOf(asked))
        for ticket, seconds in zip(tickets, (3, 9, 1), strict=True):
            pace.throttled(seconds, ticket)
        waiting = self.ask(pace)
        self.run_for(8.9, 0.1)
        self.assertNoResult(waiting)
        self.run_for(0.3, 0.1)
        self.successResultOf(waiting)

    def test_half_the_rate(self) -> None:
        """The rate is halved, and grows again by a tenth of the fastest each minute."""
        pace = Pace(self.clock, 0.1)
        self.assertEqual(pace.rate, 10)
        self.throttle(pace, 1)
        self.assertEqual(pace.rate, 5)
        self.clock.advance(60)
        self.assertAlmostEqual(pace.rate, 6)
        self.clock.advance(240)
        self.assertAlmostEqual(pace.rate, 10)
        self.clock.advance(3600)
        self.assertEqual(pace.rate, 10)

    def test_one_round_counts_once(self) -> None:
        """Requests that were under way together, throttled together, slow the pace once."""
        pace = Pace(self.clock, 0.01)
        tickets = []
        for _ in range(10):
            waiting = self.ask(pace)
            self.run_for(0.02)
            tickets.append(self.successResultOf(waiting))
        for ticket in tickets:
            pace.throttled(None, ticket)
        self.assertEqual(pace.rate, 50)
        waiting = self.ask(pace)
        self.run_for(FIRST_HOLD + 0.1)
        self.successResultOf(waiting)

    def test_not_slower_at_once(self) -> None:
        """A cut has time to show before the next one."""
        pace = Pace(self.clock, 0.1)
        self.throttle(pace, 1)
        self.throttle(pace, 1)
        self.assertGreaterEqual(pace.rate, 5)
        self.clock.advance(SLOWER_AGAIN_AFTER)
        self.throttle(pace, 1)
        self.assertLess(pace.rate, 3)

    def test_slowest(self) -> None:
        """However often an operator throttles, one request in 10 s is left."""
        pace = Pace(self.clock, 0.5)
        for _ in range(50):
            self.throttle(pace, 11)
        self.assertAlmostEqual(pace.rate, SLOWEST, 2)
        slow = Pace(self.clock, 30)
        self.throttle(slow, 1)
        self.assertLessEqual(slow.rate, 1 / 30)

    def test_unlimited(self) -> None:
        """Without a limit a throttled operator is slowed down all the same, for a while."""
        pace = Pace(self.clock, 0)
        self.throttle(pace, 1)
        self.assertEqual(pace.rate, UNLIMITED / 2)
        self.clock.advance(400)
        self.assertEqual(pace.rate, float("inf"))

    def test_storm(self) -> None:
        """When every third answer is a 429, a request a second still gets through."""
        pace = Pace(self.clock, 0.025)
        count = 0
        while self.clock.seconds() - self.began < 60:
            waiting = self.ask(pace)
            while not waiting.called:
                self.clock.advance(0.05)
            count += 1
            if count % 3 == 0:
                pace.throttled(None, self.successResultOf(waiting))
            else:
                self.successResultOf(waiting)
                pace.ok()
        self.assertGreater(count, 60)


class LimitTests(PaceCase):
    """A pace that is configured anew while it is in use."""

    def test_who_waits(self) -> None:
        """Those in line get their turns at the new pace, whichever way it changed."""
        pace = Pace(self.clock, 10)
        for _ in range(4):
            self.ask(pace)
        self.run_for(1)
        pace.limit(2)
        self.run_for(4)
        pace.limit(0)
        self.run_for(1)
        self.assertEqual([time for time, _ in self.turns], [0, 2.0, 4.0, 5.008])
        self.assertEqual(pace.rate, float("inf"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slowed_down(self) -> None:
        """What the operator asked for holds on, and is recovered from as before."""
        pace = Pace(self.clock, 0.1)
        pace.throttled(0.1, 1)
        self.assertEqual(pace.rate, 5)
        pace.limit(0.05)
        self.assertEqual(pace.rate, 5)
        self.clock.advance(60)
        self.assertAlmostEqual(pace.rate, 7)
        pace.limit(1)
        self.assertEqual(pace.rate, 1)
        pace.limit(0)
        self.assertEqual(pace.rate, float("inf"))


class OperatorTests(SynchronousTestCase):
    """The packaged priors."""

    def test_names(self) -> None:
        """Operators are found as lists write them, without regard to case and spaces."""
        for name in ("Let's Encrypt", "IPng Networks", "DigiCert", " GOOGLE "):
            self.assertEqual(operator_interval(name, 0.001), OPERATOR_INTERVALS[operator_key(name)])

    def test_default(self) -> None:
        """Others have the default, which no prior makes faster, and 0 is no limit for anybody."""
        self.assertEqual(operator_interval("nobody", 0.025), 0.025)
        self.assertEqual(operator_interval(None, 0.025), 0.025)
        self.assertEqual(operator_interval("Sectigo", 3.0), 3.0)
        self.assertEqual(operator_interval("DigiCert", 0.0), 0.0)

    def test_packaged_list(self) -> None:
        """Every prior belongs to an operator, in the form in which names are compared."""
        for name, interval in OPERATOR_INTERVALS.items():
            self.assertEqual(name, operator_key(name))
            self.assertTrue(0 < interval <= 2)
