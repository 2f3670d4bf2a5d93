"""Tests of certstream_tx.ingest.pacing.backoff."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.pacing.backoff import backoff_delay


class BackoffTests(SynchronousTestCase):
    """Exponential delays with jitter."""

    def test_bounds(self) -> None:
        """The n-th delay lies between a tenth and all of the doubled first one, up to a limit."""
        rng = Random(1)
        for failures, bound in ((1, 0.1), (2, 0.2), (4, 0.8), (7, 5.0), (10_000, 5.0)):
            delays = [backoff_delay(failures, 0.1, 5.0, rng) for _ in range(200)]
            self.assertLessEqual(max(delays), bound)
            self.assertGreaterEqual(min(delays), bound / 10)
            self.assertGreater(max(delays), bound * 0.9)
            self.assertLess(min(delays), bound * 0.2)

    def test_no_failure(self) -> None:
        """Without a failure there is nothing to wait for."""
        self.assertEqual(backoff_delay(0, 0.1, 5.0, Random(1)), 0)
