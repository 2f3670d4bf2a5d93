"""Skipping ahead of a log that is too far behind, never in silence."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.catch_up import CatchUp
from tests.ingest.fake_log import FakeLog, events
from tests.ingest.polling.test_poller_gaps import GapCase


class CatchUpTests(SynchronousTestCase):
    """When, and to where."""

    def test_off(self) -> None:
        """By default a log is read however far it is behind."""
        self.assertIsNone(CatchUp(PollSettings()).skip(0, 10**9, 1e9, 0.0))

    def test_entries(self) -> None:
        """By entries: more than so many, to where a first start would begin."""
        catch_up = CatchUp(PollSettings(max_catchup_lag_entries=10_000))
        self.assertIsNone(catch_up.skip(5, 10_005, None, None))
        ahead = catch_up.skip(5, 10_006, None, None)
        assert ahead is not None
        self.assertEqual(ahead[0], 10_006 - 256)
        self.assertIn("10001 entries behind", ahead[1])

    def test_seconds(self) -> None:
        """By time between the newest head and the entry read last, as soon as both are known."""
        catch_up = CatchUp(PollSettings(max_catchup_lag_secs=300))
        self.assertIsNone(catch_up.skip(0, 10_000, 1000.0, 700.0))
        self.assertIsNone(catch_up.skip(0, 10_000, None, 0.0))
        self.assertIsNone(catch_up.skip(0, 10_000, 1000.0, None))
        ahead = catch_up.skip(0, 10_000, 1000.0, 699.0)
        assert ahead is not None
        self.assertEqual((ahead[0], ahead[1][:11]), (9744, "301 s behin"))

    def test_near_the_head(self) -> None:
        """There is nothing to be skipped in what a first start would read."""
        catch_up = CatchUp(PollSettings(max_catchup_lag_secs=300))
        self.assertIsNone(catch_up.skip(9744, 10_000, 9000.0, 0.0))
        self.assertIsNone(catch_up.skip(10_100, 10_000, 9000.0, 0.0))


class SkippingTests(GapCase):
    """A poller that is to skip ahead."""

    def test_at_the_start(self) -> None:
        """A server that was away for long goes on at the head, and reads the rest late."""
        log = FakeLog(self.clock, 50_000, page=256, latency=0.1)
        settings = PollSettings(max_catchup_lag_entries=10_000)
        with events("warn") as told:
            follower = self.follow(log, positions=self.saved(100), settings=settings)
            follower.run(3)
        self.assertEqual(len(told), 1, told)
        self.assertIn("entries 100 to 49743 are left out for now (49900 entries behind", told[0])
        self.assertEqual(follower.stats.position, 50_000)
        in_time = [message.index for message in follower.published if not message.late]
        self.assertEqual(in_time, list(range(49_744, 50_000)))
        self.check(follower, 100)
        self.assertEqual(follower.poller.snapshot().gaps[0].tries, 0)
        while self.lost(follower):
            self.assertLess(self.clock.seconds(), 120)
            log.size += 20
            follower.run(1)
        follower.run(16)
        self.check(follower, 100)
        self.assertEqual(follower.stats.verified_size, log.size)
        self.assertEqual(follower.stats.late_entries, 49_744 - 100)

    def test_while_reading(self) -> None:
        """A log that grows faster than it can be read is skipped ahead again and again."""
        log = FakeLog(self.clock, 1000, page=32, latency=1.0)
        log.depth = 1
        settings = PollSettings(max_catchup_lag_entries=10_000)
        follower = self.follow(log, settings=settings)
        with events("warn") as told:
            for _ in range(300):
                log.size += 100
                follower.run(1)
        self.assertGreater(len(told), 1)
        self.assertLess(log.size - follower.stats.position, 10_000 + 3200)
        start = follower.stats.started_at
        assert start is not None
        self.check(follower, start)
        log.depth = 16
        for _ in range(60):
            follower.run(10)
        self.assertEqual(follower.stats.position, log.size)
        self.check(follower, start)

    def test_by_time(self) -> None:
        """The same by the log's own times."""
        self.clock.advance(1_700_000_000 + 500)
        log = FakeLog(self.clock, 50_000, page=256, latency=0.1)
        settings = PollSettings(max_catchup_lag_secs=300)
        follower = self.follow(log, positions=self.saved(100), settings=settings)
        follower.run(5)
        self.assertEqual(len(self.lost(follower)), 1)
        self.assertLess(follower.indexes[0], 1000)
        self.assertEqual(follower.stats.position, 50_000)
        self.check(follower, 100)

    def test_idle_log(self) -> None:
        """Entries that come after a long silence are not late, however many at once."""
        self.clock.advance(1_700_000_000)
        log = FakeLog(self.clock, 300, page=256)
        honest = log.entry
        log.entry = lambda index, changed=None: honest(index)._replace(  # type: ignore
            timestamp=int(self.clock.seconds() * 1000)
        )
        settings = PollSettings(max_catchup_lag_secs=300)
        follower = self.follow(log, settings=settings)
        follower.run(5)
        follower.run(3600, 5)
        log.size += 5000
        follower.run(30)
        self.assertEqual(follower.stats.position, log.size)
        self.assertEqual(self.lost(follower), [])

    def test_reading_comes_first(self) -> None:
        """While the log is behind its head, what was left out waits."""
        log = FakeLog(self.clock, 50_000, page=32, latency=0.5)
        settings = PollSettings(max_catchup_lag_entries=10_000)
        follower = self.follow(log, positions=self.saved(100), settings=settings)
        follower.run(2)
        log.size += 9_000
        before = follower.stats.late_entries
        follower.run(10)
        self.assertLess(follower.stats.late_entries - before, 32 * 10)
        self.read_to(follower, log.size, 60)
        before = follower.stats.late_entries
        follower.run(20)
        self.assertGreater(follower.stats.late_entries - before, 32 * 20)
