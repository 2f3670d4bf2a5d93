"""Tests of certstream_tx.ingest.pacing.depth."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.pacing.depth import DEEPEST, Depth


class DepthTests(SynchronousTestCase):
    """How many requests are in flight."""

    def test_start(self) -> None:
        """It begins as configured, with one at least."""
        self.assertEqual(Depth(4).value, 4)
        self.assertEqual(Depth(0).value, 1)
        self.assertEqual(Depth(30).value, 30)

    def test_grows_with_latency(self) -> None:
        """Slow answers at a fast pace make it grow by one a round, up to a limit."""
        depth = Depth(4)
        for _ in range(4):
            depth.answered(1.0, 0.025)
        self.assertEqual(depth.value, 5)
        for _ in range(1000):
            depth.answered(1.0, 0.025)
        self.assertEqual(depth.value, DEEPEST)

    def test_no_more_than_the_pace_takes(self) -> None:
        """Where the pace is what limits, more in flight would only wait."""
        depth = Depth(4)
        for _ in range(1000):
            depth.answered(1.0, 0.25)
        self.assertEqual(depth.value, 4)
        for _ in range(1000):
            depth.answered(1.0, 0.125)
        self.assertEqual(depth.value, 8)

    def test_halves(self) -> None:
        """A failure halves it; the others of its round do not do so again."""
        depth = Depth(8)
        for _ in range(8):
            depth.failed()
        self.assertEqual(depth.value, 2)
        depth = Depth(8)
        depth.failed()
        depth.failed()
        self.assertEqual(depth.value, 4)

    def test_one_is_left(self) -> None:
        """It never falls below one, and comes back to where it began."""
        depth = Depth(4)
        for _ in range(100):
            depth.failed()
        self.assertEqual(depth.value, 1)
        for _ in range(6):
            depth.answered(0.001, 1.0)
        self.assertEqual(depth.value, 4)
        for _ in range(100):
            depth.answered(0.001, 1.0)
        self.assertEqual(depth.value, 4)
