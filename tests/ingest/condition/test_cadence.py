"""How often a head is looked at."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.condition.cadence import JITTER, LONGEST, HeadCadence


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
