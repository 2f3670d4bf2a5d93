"""Tests of :mod:`certstream_tx.service.cycle_collection`."""

import gc
from weakref import ref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.service.cycle_collection import LONGEST, NEVER, SHARE, SHORTEST, CycleCollection


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


class CycleCollectionTests(SynchronousTestCase):
    """On a clock of its own, and with Python's collector."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.thresholds = gc.get_threshold()
        self.frozen = gc.get_freeze_count()
        self.service = CycleCollection(self.clock)
        self.service.startService()
        self.addCleanup(lambda: self.service.running and self.service.stopService())

    def test_full_rounds_are_ours(self) -> None:
        """Python starts none by itself, goes on with young objects, and gets everything back."""
        self.assertEqual(gc.get_threshold(), (*self.thresholds[:2], NEVER))
        self.assertGreater(gc.get_freeze_count(), 1000)
        self.service.stopService()
        self.assertEqual(gc.get_threshold(), self.thresholds)
        self.assertEqual(gc.get_freeze_count(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_garbage_is_found(self) -> None:
        """What refers to itself is freed at the next round, and at every one after."""
        for _ in range(3):
            knot = Knot()
            there = ref(knot)
            gc.collect(1)  # it is not young any more
            del knot
            self.assertIsNotNone(there())
            self.clock.advance(SHORTEST)
            self.assertIsNone(there())

    def test_the_longer_the_later(self) -> None:
        """Rounds take a set share of the time, within bounds."""
        takes = [0.0]

        def collect(generation: int = 2) -> int:
            self.clock.rightNow += takes[0]
            return 0

        self.patch(gc, "collect", collect)
        for takes[0], pause in (
            (0.001, SHORTEST),
            (0.05, 0.05 / SHARE),
            (0.4, 0.4 / SHARE),
            (9.0, LONGEST),
            (-3600.0, SHORTEST),
        ):
            (call,) = self.clock.getDelayedCalls()
            self.clock.advance(max(0.0, call.getTime() - self.clock.seconds()))
            (call,) = self.clock.getDelayedCalls()
            self.assertAlmostEqual(call.getTime() - self.clock.seconds(), pause)
