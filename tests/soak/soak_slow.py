"""A thousand clients, of which 400 are slow or do not read: the others do not notice."""

import time
from typing import Any

from benchmarks.processes import result
from tests.integration import test_many_clients

BASE_SECONDS = 40.0
"""for what readers get when they are alone, before and after: other work on the machine varies"""
FIRST = 60.0
"""seconds in which memory may grow: the ring and the caches fill"""
FLAT_MB = 10.0


class SlowTests(test_many_clients.SlowTests):
    """The hardest case: nobody is dropped for being slow."""

    readers, slow, stalled = 600, 200, 200
    seconds = 300.0
    configuration = {
        "lag": {"max_lost_share": 1.0, "window_secs": 3600, "stall_secs": 3600},
        # It remembers certificates for a quarter of an hour, within its capacity.
        "dedup": {"enabled": False},
    }

    def alone(self) -> dict[str, Any]:
        """What the readers get when there is nobody else."""
        return result(self.load(self.readers, BASE_SECONDS, warmup=2))

    def compare(self, counted: dict[str, Any], before: dict[str, Any]) -> None:
        """They get everything, and about as early as when they are alone."""
        lost = self.metric("certstream_messages_dropped_total")
        alone = max(before, self.alone(), key=lambda each: each["lat_ms_p99"])
        print(
            f"\n{self.readers} readers alone: p50 {alone['lat_ms_p50']:.1f} ms,"
            f" p99 {alone['lat_ms_p99']:.1f} ms; beside {self.slow} slow and {self.stalled} that do"
            f" not read: p50 {counted['lat_ms_p50']:.1f} ms, p99 {counted['lat_ms_p99']:.1f} ms,"
            f" share {counted['share']:.4f}; {lost:,.0f} messages lost to the others"
        )
        self.check_readers(counted)
        self.assertLess(counted["lat_ms_p99"], 2 * alone["lat_ms_p99"])

    def test_slow(self) -> None:
        """Memory stays what it was after the first minute, for four more."""
        alone = self.alone()
        load = self.load_all(self.seconds, "--announce")
        assert load.stderr is not None
        for line in load.stderr:
            if "measuring" in line:
                break
        time.sleep(FIRST)
        seen = []
        end = time.monotonic() + self.seconds - FIRST - 5
        while time.monotonic() < end:
            seen.append(self.server.resident_mb())
            time.sleep(1)
        counted = result(load)
        print(f"\nresident from the second minute on: {min(seen):.1f} to {max(seen):.1f} MB")
        self.assertEqual(counted["groups"]["slow"]["streaming"], self.slow)
        self.assertEqual(counted["groups"]["stalled"]["streaming"], self.stalled)
        self.assertLess(max(seen) - min(seen), FLAT_MB)
        self.compare(counted, alone)


class DroppedTests(SlowTests):
    """As it is configured by default."""

    seconds = 90.0
    configuration: dict[str, Any] = {}

    def test_slow(self) -> None:
        """Who takes nothing is dropped after seconds, who loses nine tenths after a while."""
        alone = self.alone()
        counted = result(self.load_all(self.seconds))
        for name, count in (("stalled", self.stalled), ("slow", self.slow)):
            self.assertEqual(counted["groups"][name]["streaming"], 0)
            self.assertEqual(counted["groups"][name]["dropped"], count)
        self.compare(counted, alone)
