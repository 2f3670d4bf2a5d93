"""Token buckets in a table of a fixed size."""

import tracemalloc
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.access.rates import Rates

START = 5_000.0
"""seconds since the machine was started"""


class BucketTests(SynchronousTestCase):
    """One client."""

    def allowed(self, rates: Rates, now: float, tries: int, rate: float, burst: int) -> int:
        """Of so many requests at once."""
        return sum(rates.take(b"client", START + now, rate, burst) == 0 for _ in range(tries))

    def test_burst_and_rate(self) -> None:
        """As many as the burst at once, then as many as the rate gives back, never more."""
        for rate, burst in ((10, 20), (1, 1), (3, 7), (1000, 5), (1_000_000, 1_000), (1, 500)):
            rates = Rates()
            self.assertEqual(self.allowed(rates, 0, burst + 5, rate, burst), burst)
            self.assertEqual(self.allowed(rates, 0.5 / rate, 5, rate, burst), 0)
            self.assertEqual(self.allowed(rates, 1.001 / rate, 5, rate, burst), 1)
            self.assertEqual(self.allowed(rates, 3.5 / rate, 50, rate, burst), min(2, burst))
            self.assertEqual(self.allowed(rates, burst / rate + 10, burst + 5, rate, burst), burst)

    def test_waiting_time(self) -> None:
        """Who waits for as long as it is told to is let in, and not much earlier."""
        rates = Rates()
        self.allowed(rates, 0, 20, 10, 20)
        wait = rates.take(b"client", START, 10, 20)
        self.assertAlmostEqual(wait, 0.1, places=6)
        self.assertGreater(rates.take(b"client", START + wait * 0.9, 10, 20), 0)
        self.assertEqual(rates.take(b"client", START + wait, 10, 20), 0)

    def test_refusals_cost_nothing(self) -> None:
        """Knocking does not prolong the wait."""
        rates = Rates()
        self.allowed(rates, 0, 1000, 10, 20)
        self.assertEqual(self.allowed(rates, 0.1, 5, 10, 20), 1)

    def test_changed_limits(self) -> None:
        """A new limit holds at once, and nobody waits longer than a bucket of it takes to fill."""
        rates = Rates()
        self.allowed(rates, 0, 100_000, 1, 100_000)
        self.assertLessEqual(rates.take(b"client", START + 1, 10, 20), 0.1 + 1e-6)
        self.assertEqual(self.allowed(rates, 1.1, 5, 10, 20), 1)
        self.assertEqual(self.allowed(rates, 60, 50, 10, 20), 20)
        self.assertEqual(self.allowed(rates, 60, 50, 10, 5), 0)

    def test_clock_set_back(self) -> None:
        """It stands still for a bucket's time at most, and the limit holds meanwhile."""
        rates = Rates()
        self.allowed(rates, 10_000, 20, 10, 20)
        self.assertEqual(self.allowed(rates, 0, 5, 10, 20), 0)
        self.assertEqual(self.allowed(rates, 0.1, 5, 10, 20), 1)
        self.assertEqual(self.allowed(rates, 5, 50, 10, 20), 20)

    @given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 20), st.integers(1, 10))
    @settings(deadline=None, max_examples=100)
    def test_never_more(self, pauses: list[float], rate: int, burst: int) -> None:
        """In no span of time is anybody let in more often than burst plus rate times span."""
        rates, now, taken = Rates(), START, []
        for pause in pauses:
            now += pause
            if rates.take(b"client", now, rate, burst) == 0:
                taken.append(now)
        for i, begin in enumerate(taken):
            for j in range(i, len(taken)):
                self.assertLessEqual(j - i + 1, burst + rate * (taken[j] - begin) + 0.01)


class CrowdTests(SynchronousTestCase):
    """Many clients."""

    def test_apart(self) -> None:
        """A thousand clients at the same moment have their own buckets, nearly all of them."""
        rates = Rates(key=bytes(16))
        for i in range(1000):
            for _ in range(20):
                rates.take(b"%d" % i, START, 10, 20)
        refused = sum(rates.take(b"new %d" % i, START, 10, 20) > 0 for i in range(1000))
        self.assertLess(refused, 5)

    def test_never_more_under_a_flood(self) -> None:
        """Whatever others do, nobody gets more than the limit: a flood of addresses makes nobody's
        use forgotten, neither its own nor another's."""
        rates = Rates(cells=1 << 6, key=bytes(16))
        taken: defaultdict[bytes, int] = defaultdict(int)
        for i in range(20_000):
            for network in (b"victim", b"attacker", b"flood %d" % i):
                taken[network] += rates.take(network, START + i / 10_000, 2, 3) == 0
        for network, count in taken.items():
            self.assertLessEqual(count, 3 + 2 * 2 + 1, network)

    def test_bounded(self) -> None:
        """Fifty thousand addresses cost not a byte more than one."""
        rates = Rates()
        rates.take(b"first", START, 10, 20)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for i in range(50_000):
                rates.take(i.to_bytes(8, "big"), START + i / 10_000, 10, 20)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(after - before, 5_000)

    def test_nothing_before_the_first_request(self) -> None:
        """Who limits nobody pays nothing."""
        tracemalloc.start()
        try:
            rates = Rates()
            self.assertLess(tracemalloc.get_traced_memory()[0], 5_000)
            rates.take(b"first", START, 10, 20)
            self.assertGreater(tracemalloc.get_traced_memory()[0], 1_000_000)
        finally:
            tracemalloc.stop()

    def test_places_are_secret(self) -> None:
        """Who shares a cell with whom differs from server to server."""
        self.assertNotEqual(Rates()._places(b"client"), Rates()._places(b"client"))
