"""15,000 WebSocket clients on a server that has nothing to say: all get in, none costs much."""

import resource
import time
from statistics import median
from unittest import SkipTest

from benchmarks.processes import result
from tests.integration.followed_log import FollowedLogTestCase

CLIENTS = 15_000
ARRIVALS = 800
"""a second"""
SECONDS = 75
"""more than two rounds of pings"""
SETTLE = 5.0
"""seconds until the server has read what is in the log, and before memory is read"""
CLIENT_KB = 9.0
HEARTBEAT_SECONDS = 10.0
LATE_SECONDS = 1.0
SCRAPE_SECONDS = 0.05
"""with 5,000 clients, so much more with three times as many"""


class IdleTests(FollowedLogTestCase):
    """A log that does not grow."""

    rate = 0.0

    def setUp(self) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if limit < CLIENTS + 1000:
            raise SkipTest(f"{CLIENTS} clients need more than {limit} open files")
        super().setUp()

    def test_idle_clients(self) -> None:
        """None is refused or lost, heartbeats come in time, memory and metrics stay small."""
        time.sleep(SETTLE)
        before, descriptors = self.server.resident_mb(), self.metric("process_open_fds")
        flight = str(ARRIVALS)
        load = self.load(CLIENTS, SECONDS, "--rate", flight, "--flight", flight, "--announce")
        assert load.stderr is not None
        for line in load.stderr:
            if "measuring" in line:
                break
        time.sleep(SETTLE)
        after, opened = self.server.resident_mb(), self.metric("process_open_fds") - descriptors
        cpu, begun = self.server.cpu_seconds(), time.monotonic()
        time.sleep(30)
        cores = (self.server.cpu_seconds() - cpu) / (time.monotonic() - begun)
        scrapes = [self.scrape_seconds() for _ in range(21)]
        counted = result(load)
        each = (after - before) * 1000 / CLIENTS
        print(
            f"\n{CLIENTS} clients in {counted['connect_seconds']:.1f} s"
            f" (handshake p50 {counted['connect_ms_p50']:.1f} ms,"
            f" p99 {counted['connect_ms_p99']:.1f} ms): {each:.2f} kB each,"
            f" {after:.0f} MB in all; longest silence {counted['silence_s_max']:.2f} s;"
            f" idle at {cores:.2f} cores; scrape {median(scrapes) * 1000:.1f} ms"
            f" (worst {max(scrapes) * 1000:.1f} ms)"
        )
        self.assertEqual((counted["connected"], counted["failed"]), (CLIENTS, 0))
        self.assertEqual(counted["dropped"], 0)
        self.assertGreaterEqual(opened, CLIENTS)
        self.assertLess(counted["connect_seconds"], CLIENTS / ARRIVALS * 1.05)
        self.assertGreater(counted["pings"], 2 * CLIENTS)
        self.assertLess(counted["silence_s_max"], HEARTBEAT_SECONDS + LATE_SECONDS)
        self.assertLess(each, CLIENT_KB)
        self.assertLess(median(scrapes), SCRAPE_SECONDS)
        self.assertNotIn("Traceback", self.printed())
