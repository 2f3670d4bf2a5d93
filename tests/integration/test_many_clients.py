"""Many clients of a real server: none is refused, none costs much, and slow ones cost the others
nothing. The soak has the same with more of them, for longer."""

import resource
import time
from statistics import median
from typing import Any
from unittest import SkipTest

from benchmarks.processes import result
from tests.integration.followed_log import FollowedLogTestCase

CLIENT_KB = 9.0
SCRAPE_SECONDS = 0.05
"""with 5,000 clients; it costs the same with any number"""


class IdleTests(FollowedLogTestCase):
    """A log that does not grow."""

    rate = 0.0
    clients = 1200
    arrivals = 800
    """a second"""
    seconds = 0.5
    settle = 1.0
    """seconds until the server has read what is in the log, and before memory is read"""

    def setUp(self) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if limit < self.clients + 1000:
            raise SkipTest(f"{self.clients} clients need more than {limit} open files")
        super().setUp()

    def check_idle(self) -> dict[str, Any]:
        """All get in, stay, and cost little memory and none of the metrics' time."""
        time.sleep(self.settle)
        before = self.server.resident_mb()
        flight = str(self.arrivals)
        options = ("--rate", flight, "--flight", flight, "--announce")
        load = self.load(self.clients, self.seconds, *options)
        assert load.stderr is not None
        for line in load.stderr:
            if "measuring" in line:
                break
        each = (self.server.resident_mb() - before) * 1000 / self.clients
        there = self.metric("certstream_ws_connections_total")
        scrapes = [self.scrape_seconds() for _ in range(11)]
        counted = result(load)
        self.assertEqual((counted["connected"], counted["failed"]), (self.clients, 0))
        self.assertEqual(counted["dropped"], 0)
        self.assertEqual(there, self.clients)
        self.assertLess(each, CLIENT_KB)
        self.assertLess(median(scrapes), SCRAPE_SECONDS)
        self.assertNotIn("Traceback", self.printed())
        return counted | {"kb": each, "scrape_ms": median(scrapes) * 1000}

    def test_idle(self) -> None:
        """On a server that has nothing to say."""
        self.check_idle()


class SlowTests(FollowedLogTestCase):
    """Readers beside clients that read at a tenth of the speed, and that do not read."""

    rate = 500.0
    readers, slow, stalled = 60, 20, 20
    slow_bytes = 100_000
    """a second: a tenth of what there is"""
    seconds = 2.5

    def load_all(self, seconds: float, *options: str) -> Any:
        """Readers and the others."""
        options = (
            *("--slow", str(self.slow), "--slow-bytes", str(self.slow_bytes)),
            *("--stalled", str(self.stalled), *options),
        )
        return self.load(self.readers + self.slow + self.stalled, seconds, *options, warmup=1)

    def check_readers(self, counted: dict[str, Any]) -> None:
        """They get everything."""
        self.assertEqual(counted["groups"]["readers"]["dropped"], 0)
        self.assertEqual(counted["share"], 1.0)

    def test_slow(self) -> None:
        """The readers get everything, and the others what they take."""
        load = self.load_all(self.seconds)
        counted = result(load)
        self.check_readers(counted)
        rate = counted["groups"]["slow"]["MB_per_s"] * 1e6 / self.slow
        self.assertTrue(0.5 * self.slow_bytes < rate < 2 * self.slow_bytes, rate)
        self.assertGreater(self.metric("certstream_messages_dropped_total"), 0)
