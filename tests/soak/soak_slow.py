"""A thousand clients, of which 400 are slow or do not read: the others do not notice."""

import time
from typing import Any

from benchmarks.processes import result
from tests.integration.followed_log import FollowedLogTestCase

READERS, SLOW, STALLED = 600, 200, 200
RATE = 500.0
SLOW_BYTES = 100_000
"""a second: a tenth of what there is"""
BASE_SECONDS = 60.0
SECONDS = 300.0
FIRST = 60.0
"""seconds in which memory may grow: the ring and the caches fill"""
FLAT_MB = 10.0
WITH_SLOW = ("--slow", str(SLOW), "--slow-bytes", str(SLOW_BYTES), "--stalled", str(STALLED))


class SlowTestCase(FollowedLogTestCase):
    """One load after the other on the same server."""

    rate = RATE

    def readers_alone(self) -> dict[str, Any]:
        """What the readers get when there is nobody else."""
        return result(self.load(READERS, BASE_SECONDS, warmup=2))

    def check_readers(self, counted: dict[str, Any], alone: dict[str, Any]) -> None:
        """They get everything, and about as early as when they are alone."""
        groups = counted["groups"]
        print(
            f"\n{READERS} readers alone: p50 {alone['lat_ms_p50']:.1f} ms,"
            f" p99 {alone['lat_ms_p99']:.1f} ms; beside {SLOW} slow and {STALLED} that do not read:"
            f" p50 {counted['lat_ms_p50']:.1f} ms, p99 {counted['lat_ms_p99']:.1f} ms,"
            f" share {counted['share']:.4f}; left of these {groups['slow']['streaming']} and"
            f" {groups['stalled']['streaming']}; lost"
            f" {self.metric('certstream_messages_dropped_total'):,.0f} messages"
        )
        self.assertEqual(groups["readers"]["dropped"], 0)
        self.assertEqual(counted["share"], 1.0)
        self.assertLess(counted["lat_ms_p99"], 2 * alone["lat_ms_p99"])


class PatientTests(SlowTestCase):
    """The hardest case: nobody is dropped for being slow."""

    configuration = {
        "lag": {"max_lost_share": 1.0, "window_secs": 3600, "stall_secs": 3600},
        # It remembers certificates for a quarter of an hour, within its capacity.
        "dedup": {"enabled": False},
    }

    def test_they_cost_nothing(self) -> None:
        """Memory stays what it was after the first minute, for four more."""
        alone = self.readers_alone()
        load = self.load(READERS + SLOW + STALLED, SECONDS, *WITH_SLOW, "--announce", warmup=2)
        assert load.stderr is not None
        for line in load.stderr:
            if "measuring" in line:
                break
        time.sleep(FIRST)
        seen = []
        end = time.monotonic() + SECONDS - FIRST - 5
        while time.monotonic() < end:
            seen.append(self.server.resident_mb())
            time.sleep(1)
        counted = result(load)
        print(f"\nresident from the second minute on: {min(seen):.1f} to {max(seen):.1f} MB")
        self.assertEqual(counted["groups"]["slow"]["streaming"], SLOW)
        self.assertEqual(counted["groups"]["stalled"]["streaming"], STALLED)
        self.assertLess(max(seen) - min(seen), FLAT_MB)
        self.check_readers(counted, alone)


class DroppingTests(SlowTestCase):
    """As it is configured by default."""

    def test_they_are_dropped(self) -> None:
        """Who takes nothing is dropped after seconds, who loses nine tenths after a while."""
        alone = self.readers_alone()
        load = self.load(READERS + SLOW + STALLED, 90, *WITH_SLOW, warmup=2)
        counted = result(load)
        for name, count in (("stalled", STALLED), ("slow", SLOW)):
            self.assertEqual(counted["groups"][name]["streaming"], 0)
            self.assertEqual(counted["groups"][name]["dropped"], count)
        self.check_readers(counted, alone)
