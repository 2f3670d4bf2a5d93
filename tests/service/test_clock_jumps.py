"""Tests of :mod:`certstream_tx.service.clock_jumps`."""

from random import Random

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.service.clock_jumps import ClockJumps
from tests.ingest.fake_log import events

DAY = 86400.0


class ClockJumpTests(SynchronousTestCase):
    """A real reactor, with a time of day and a steady time of our own."""

    def setUp(self) -> None:
        self.reactor = SelectReactor()
        self.addCleanup(self.close)
        self.day = self.steady = 1_800_000_000.0
        self.reactor.seconds = lambda: self.day  # type: ignore[method-assign]
        self.jumped: list[float] = []
        self.jumps = ClockJumps(
            self.reactor, [lambda: self.jumped.append(self.day)], steady=lambda: self.steady
        )
        self.jumps.startService()

    def close(self) -> None:
        for each in self.reactor.removeAll():
            each.connectionLost(None)  # type: ignore[attr-defined]

    def wait(self, seconds: float) -> None:
        """Time passes, and the reactor turns."""
        self.day += seconds
        self.steady += seconds
        self.reactor.runUntilCurrent()

    def test_either_way(self) -> None:
        """What was to come in five seconds comes in five, in the same order, once it was told."""
        for jump in (-DAY, DAY, -1.5, 1.5):
            came: list[int] = []
            rng = Random(7)
            delays = [rng.uniform(1, 20) for _ in range(200)]
            calls = [
                self.reactor.callLater(delay, came.append, n) for n, delay in enumerate(delays)
            ]
            for call in calls[::3]:
                call.cancel()
            self.wait(0.9)
            self.day += jump
            with events() as told:
                self.wait(0.05)
                self.wait(0.0)
            self.assertEqual(came, [])
            self.assertEqual(len([text for text in told if "The clock was set" in text]), 1, told)
            left = [n for n in range(200) if n % 3]
            for _ in range(110):
                self.wait(0.2)
                passed = 0.95 + 0.2 * (_ + 1)
                self.assertEqual(set(came), {n for n in left if delays[n] <= passed})
        self.assertEqual(len(self.jumped), 4)

    def test_slow_corrections(self) -> None:
        """A clock that is kept right moves nothing."""
        came: list[int] = []
        self.reactor.callLater(50, came.append, 1)
        with events() as told:
            for _ in range(100):
                self.day += 0.1
                self.wait(0.4)
        self.assertEqual((came, told, self.jumped), ([1], [], []))

    def test_stops(self) -> None:
        """Afterwards the reactor's time is the time of day again."""
        self.jumps.stopService()
        self.day += DAY
        self.assertEqual(self.reactor.seconds(), self.day)
        self.wait(1)
        self.assertEqual(self.jumped, [])

    def test_clock_in_memory(self) -> None:
        """A reactor whose time is its own is left alone."""
        clock = Clock()
        jumps = ClockJumps(clock)
        jumps.startService()
        clock.advance(DAY)
        self.assertEqual(clock.seconds(), DAY)
        self.assertNotIn("seconds", vars(clock))
        jumps.stopService()
