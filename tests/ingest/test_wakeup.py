"""Waiting for something to happen."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.wakeup import Wakeup


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
