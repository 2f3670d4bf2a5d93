"""A position that a log has not got to is told, and never moved."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.condition.beyond_head import BEYOND_LOOKS, BEYOND_SECONDS, BeyondHead
from certstream_tx.stats import LogStats, LogStatus
from tests.ingest.fake_log import FakeLog, events, head_of
from tests.ingest.polling.test_poller import PollerCase


class BeyondHeadTests(SynchronousTestCase):
    """Heads of a log that is to be read on from entry 100."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stats = LogStats("Test log", "https://log.example", "rfc6962", None, None)
        self.stats.position = 100
        self.beyond = BeyondHead(self.stats, self.clock)

    def look(self, *sizes: int, every: float) -> None:
        """See heads of these sizes."""
        for size in sizes:
            self.beyond.seen(head_of(size))
            self.clock.advance(every)

    def test_told_once(self) -> None:
        """After both the time and the looks; over when it has grown so far."""
        with events() as told:
            self.look(*[99] * BEYOND_LOOKS, every=BEYOND_SECONDS / BEYOND_LOOKS - 1)
            self.assertEqual(told, [])
            self.look(99, 99, every=BEYOND_SECONDS)
            self.assertTrue(self.stats.beyond_head)
            self.assertEqual(self.stats.status, LogStatus.DEGRADED)
            self.assertEqual(len(told), 1)
            self.assertIn("from entry 100, but has only 99", told[0])
            self.look(100, every=1)
        self.assertEqual(self.stats.status, LogStatus.HEALTHY)
        self.assertEqual(len(told), 2)

    def test_few_looks(self) -> None:
        """Not after one or two, however far between."""
        self.look(*[99] * (BEYOND_LOOKS - 1), every=BEYOND_SECONDS * 2)
        self.assertFalse(self.stats.beyond_head)

    def test_replicas(self) -> None:
        """Not where one in a while has it."""
        self.look(*[99, 98, 97, 100] * 50, every=BEYOND_SECONDS / 4)
        self.assertFalse(self.stats.beyond_head)


class PollerTests(PollerCase):
    """The whole poller."""

    def test_begun_anew(self) -> None:
        """A log with less than its saved position is in trouble; its position stays."""
        follower = self.follow(FakeLog(self.clock, 100), positions=self.saved(500))
        with events("warn") as told:
            follower.run(BEYOND_SECONDS + 60, 1)
        self.assertEqual(len(told), 1, told)
        self.assertEqual(follower.stats.status, LogStatus.DEGRADED)
        self.assertEqual((follower.stats.position, follower.published), (500, []))

    def test_damaged_first_head(self) -> None:
        """A huge first head of a log without a key does not say where to begin: the second look
        does not confirm it."""
        log = FakeLog(self.clock, 1000)
        log.head_faults = [head_of(10**12, root=bytes(32))]
        stats = LogStats("Test log", "https://log.example", "rfc6962", None, None, keyless=True)
        follower = self.follow(log, stats=stats)
        follower.run(10)
        self.assertEqual(follower.indexes, list(range(1000 - 256, 1000)))
        self.assertEqual(follower.stats.head_size, 1000)

    def test_first_head_confirmed(self) -> None:
        """With a key the first head is enough; without, the second look has to bear it out, and
        says nothing by itself: it may be the damaged one."""
        for keyless in (False, True):
            log = FakeLog(self.clock, 1000)
            stats = LogStats("Test log", "https://log.example", "rfc6962", None, None)
            stats.keyless = keyless
            follower = self.follow(log, stats=stats)
            follower.run(0.5)
            self.assertEqual(follower.stats.position, 0 if keyless else 1000)
            log.head_faults = [head_of(10**12, root=bytes(32))] if keyless else []
            follower.run(1)
            self.assertEqual(follower.stats.position, 1000)
            self.assertEqual(follower.stats.started_at, 744)
