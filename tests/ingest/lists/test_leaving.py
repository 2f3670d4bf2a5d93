"""Tests of :mod:`certstream_tx.ingest.lists.leaving`: when a log that left is done with."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.lists.leaving import LAST_HEAD, LOOK, PATIENCE, read_out
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import events


class ReadOutTests(SynchronousTestCase):
    """A log at 50 of 100 entries."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.stats = LogStats("a log", "https://a", "rfc6962", None, None)
        self.stats.position, self.stats.head_size, self.stats.last_head_at = 50, 100, 999.0
        self.done: Deferred[None] = Deferred.fromCoroutine(read_out(self.stats, self.clock))

    def run_for(self, seconds: float) -> None:
        self.clock.pump([LOOK] * int(seconds / LOOK))

    def test_to_the_last_head(self) -> None:
        """The head that it showed first after it left is the end, however it grows."""
        self.stats.last_head_at, self.stats.head_size = 1002.0, 120
        self.run_for(LOOK)
        self.stats.head_size, self.stats.position = 500, 100
        self.run_for(LOOK)
        self.assertNoResult(self.done)
        self.stats.position = 120
        with events() as told:
            self.run_for(LOOK)
        self.successResultOf(self.done)
        self.assertEqual(told, ["a log was read to its end at 120"])

    def test_no_head_any_more(self) -> None:
        """The last one known is the end, once a new one would have been there."""
        self.stats.position = 100
        self.run_for(LAST_HEAD - LOOK)
        self.assertNoResult(self.done)
        self.run_for(LOOK)
        self.successResultOf(self.done)

    def test_no_answer(self) -> None:
        """A log that gives nothing is given up, and what is missing is told; one that does is not,
        however long it takes."""
        for position in range(51, 60):
            self.run_for(PATIENCE - LOOK)
            self.stats.position = position
        self.run_for(LOOK)
        self.assertNoResult(self.done)
        with events("warn") as told:
            self.run_for(PATIENCE)
        self.successResultOf(self.done)
        self.assertEqual(
            told,
            [
                "a log left the log list and gives nothing any more: 41 entries up to 100 were not"
                " read"
            ],
        )

    def test_stopped(self) -> None:
        """One that is not read any more as it is inconsistent is not waited for."""
        self.stats.stopped = True
        self.run_for(LOOK)
        self.successResultOf(self.done)

    def test_cancelled(self) -> None:
        """It came back."""
        self.done.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
