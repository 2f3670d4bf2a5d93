"""The small parts of a poller: health, cadence, budget, waiting."""

from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.condition.cadence import JITTER, LONGEST, HeadCadence
from certstream_tx.ingest.condition.health import Activity, Health
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStatus

HEAD, ENTRIES = Activity.HEAD, Activity.ENTRIES
HEALTHY, DEGRADED, UNHEALTHY = LogStatus


class HealthTests(SynchronousTestCase):
    """When a log counts as ill, and when as well."""

    def test_thresholds(self) -> None:
        """Ill after so many failures in a row, well after so many answers; each is told once."""
        health = Health(3, 5, 2)
        told = [health.failed(HEAD) for _ in range(30)]
        self.assertEqual(told.index(True), 14)
        self.assertEqual(told.count(True), 1)
        self.assertEqual(health.consecutive_failures, 10)
        self.assertEqual([health.answered(HEAD) for _ in range(5)], [False, True] + [False] * 3)
        self.assertEqual(health.consecutive_failures, 0)

    def test_degraded(self) -> None:
        """From the first whole failure on, until there were enough answers in a row."""
        health = Health(3, 5, 2)
        seen = []
        for _ in range(3):
            health.failed(HEAD)
            seen.append(health.status)
        health.answered(HEAD)
        seen.append(health.status)
        health.failed(HEAD)
        health.answered(HEAD)
        seen.append(health.status)
        self.assertFalse(health.answered(HEAD))
        seen.append(health.status)
        self.assertEqual(seen, [HEALTHY, HEALTHY, DEGRADED, DEGRADED, DEGRADED, HEALTHY])

    def test_interrupted(self) -> None:
        """An answer between failures begins the count anew, and a failure that of answers."""
        health = Health(1, 2, 2)
        for _ in range(5):
            self.assertFalse(health.failed(HEAD))
            self.assertFalse(health.answered(HEAD))
        health.failed(HEAD)
        self.assertTrue(health.failed(HEAD))
        for _ in range(5):
            self.assertFalse(health.answered(HEAD))
            self.assertFalse(health.failed(HEAD))
        self.assertEqual(health.status, UNHEALTHY)

    def test_each_activity(self) -> None:
        """Answers to one question do not hide that another is never answered."""
        health = Health(1, 3, 1)
        told = []
        for _ in range(3):
            health.answered(HEAD)
            told.append(health.failed(ENTRIES))
        self.assertEqual(told, [False, False, True])
        self.assertFalse(health.answered(HEAD))
        self.assertTrue(health.answered(ENTRIES))

    def test_breaker(self) -> None:
        """At rest until a head comes, then heads alone, then entries too; a failure opens again."""
        health = Health(1, 2, 2)
        states = []

        def then(failed: bool, activity: Activity) -> None:
            (health.failed if failed else health.answered)(activity)
            states.append((health.resting, health.recovering))

        for failed, activity in (
            (True, ENTRIES),
            (True, ENTRIES),
            (False, HEAD),
            (True, HEAD),
            (False, HEAD),
            (False, HEAD),
            (True, ENTRIES),
            (False, HEAD),
            (False, HEAD),
            (False, ENTRIES),
        ):
            then(failed, activity)
        at_rest, recovering, on_trial = (True, False), (False, True), (False, False)
        self.assertEqual(
            states,
            [
                (False, False),
                at_rest,
                recovering,
                at_rest,
                recovering,
                on_trial,
                at_rest,
                recovering,
                on_trial,
                (False, False),
            ],
        )
        self.assertEqual(health.status, HEALTHY)

    def test_alone(self) -> None:
        """What fails while others are answered is one failure, and makes no log ill."""
        health = Health(3, 2, 1)
        for _ in range(50):
            self.assertFalse(health.failed(ENTRIES, alone=True))
        self.assertEqual((health.status, health.consecutive_failures), (DEGRADED, 1))
        told = [health.failed(ENTRIES) for _ in range(3)]
        self.assertEqual(told, [False, False, True])


class CadenceTests(SynchronousTestCase):
    """The intervals between two looks at a head."""

    def test_stretch(self) -> None:
        """They grow to the longest while the head stands, and snap back when it moves."""
        cadence = HeadCadence(1.0, Random(3))
        self.assertTrue(1 - JITTER <= cadence.interval() <= 1 + JITTER)
        for _ in range(20):
            cadence.stood()
        intervals = [cadence.interval() for _ in range(100)]
        self.assertGreaterEqual(min(intervals), LONGEST * (1 - JITTER))
        self.assertLessEqual(max(intervals), LONGEST * (1 + JITTER))
        self.assertGreater(max(intervals) - min(intervals), LONGEST * JITTER)
        cadence.moved()
        self.assertLessEqual(cadence.interval(), 1 + JITTER)

    def test_long_interval(self) -> None:
        """One configured beyond the longest is kept."""
        cadence = HeadCadence(60.0, Random(3))
        cadence.stood()
        self.assertGreaterEqual(cadence.interval(), 60 * (1 - JITTER))


class BudgetTests(SynchronousTestCase):
    """Entries shared by all logs."""

    def test_take_and_give(self) -> None:
        """What is taken is missing until it is given back; what must be is always granted."""
        budget = Budget(10)
        self.assertTrue(budget.take(6))
        self.assertFalse(budget.take(5))
        self.assertTrue(budget.take(5, must=True))
        self.assertFalse(budget.take(1))
        budget.give(11)
        self.assertTrue(budget.take(10))

    def test_waiting(self) -> None:
        """Who waits is told once, in order, as far as there is something; who left is not."""
        budget = Budget(10)
        budget.take(10)
        told = []

        def want(name: str, entries: int) -> None:
            def retry() -> None:
                told.append(name)
                if not budget.take(entries):
                    budget.notify(retry)

            budget.notify(retry)

        def gone() -> None:
            told.append("gone")

        want("large", 8)
        budget.notify(gone)
        want("small", 3)
        want("last", 1)
        budget.forget(gone)
        budget.give(3)
        self.assertEqual(told, ["large", "small"])
        budget.give(7)
        self.assertEqual(told, ["large", "small", "last", "large"])
        budget.give(20)
        self.assertEqual(told[4:], ["large"])
        budget.give(1)
        self.assertEqual(told[5:], [])


class WakeupTests(SynchronousTestCase):
    """Waiting for something to happen."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wakeup = Wakeup(self.clock)

    def wait(self, seconds: float | None = None) -> "Deferred[bool]":
        """Begin to wait."""
        return Deferred.fromCoroutine(self.wakeup.wait(seconds))

    def test_fired(self) -> None:
        """All who wait are woken, those who come later wait for the next."""
        self.wakeup.fire()
        first, second = self.wait(), self.wait(5)
        self.clock.advance(1)
        self.assertNoResult(first)
        self.wakeup.fire()
        self.assertTrue(self.successResultOf(first))
        self.assertTrue(self.successResultOf(second))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNoResult(self.wait())

    def test_limit(self) -> None:
        """The wait ends after so many seconds in any case."""
        waiting = self.wait(5)
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertFalse(self.successResultOf(waiting))
        self.wakeup.fire()

    def test_cancelled(self) -> None:
        """Cancelled, it leaves nothing behind."""
        for waiting in (self.wait(5), self.wait()):
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.wakeup.fire()
