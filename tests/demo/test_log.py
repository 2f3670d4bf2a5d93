"""A demonstration log on a clock: growth, timestamps, heads, and what makes it the same log."""

from itertools import pairwise

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.signatures import LogKey, SignatureError, SignedHead
from certstream_tx.ct.structs import read_leaf
from certstream_tx.demo.log import GROWTH_SLICE, HEAD_LIFETIME, KINDS, DemoLog, Timeline

NOW = 1_700_000_000
"""Unix seconds at which the tests begin"""


def clock_at(seconds: float) -> Clock:
    clock = Clock()
    clock.advance(seconds)
    return clock


def timestamps(log: DemoLog) -> list[int]:
    """The timestamps that the leaves carry."""
    return [read_leaf(log.entries.leaf_input(index)).timestamp for index in range(log.tree.size)]


class TimelineTests(SynchronousTestCase):
    """Times of entries by runs."""

    def test_runs(self) -> None:
        """A run goes on until the next one begins, wherever one begins to read."""
        line = Timeline()
        line.begin(0, 100, 1)
        line.begin(3, 200.5, 2.5)
        line.begin(3, 300, 0)
        line.begin(5, 400, 10)
        expected = [100, 101, 102, 300, 300, 400, 410, 420]
        for start in range(len(expected) + 1):
            for end in range(start, len(expected) + 1):
                self.assertEqual(list(line.times(start, end)), expected[start:end])

    def test_fractions(self) -> None:
        """Steps of part of a millisecond do not add up errors."""
        line = Timeline()
        line.begin(0, 1000, 1000 / 3)
        self.assertEqual(list(line.times(0, 4)), [1000, 1333, 1666, 2000])
        self.assertEqual(list(line.times(3_000_000, 3_000_001)), [1_000_001_000])


class DemoLogTests(SynchronousTestCase):
    """Growth and heads."""

    def test_growth(self) -> None:
        """A log grows by its rate, and each entry has the time at which it was due."""
        clock = clock_at(NOW)
        log = DemoLog("rfc6962", seed=b"", clock=clock, rate=4, size=2)
        self.assertEqual(log.tree.size, 2)
        clock.advance(0.2)
        self.assertEqual(log.grow(), 0)
        clock.advance(0.8)
        self.assertEqual(log.grow(), 4)
        self.assertEqual(log.grow(), 0)
        began = NOW * 1000
        expected = [began - 2, began - 1, began + 250, began + 500, began + 750, began + 1000]
        self.assertEqual(timestamps(log), expected)

    def test_logs_take_turns(self) -> None:
        """Of two logs of one rate, one adds its entries between the other's."""
        clock = clock_at(NOW)
        logs = [DemoLog(kind, seed=b"", clock=clock, rate=1) for kind in KINDS]
        sizes = []
        for _ in range(4):
            clock.advance(0.5)
            for log in logs:
                log.grow()
            sizes.append([log.tree.size for log in logs])
        self.assertEqual(sizes, [[0, 1], [1, 1], [1, 2], [2, 2]])

    def test_catching_up(self) -> None:
        """After a long sleep all that was due is added, in slices, with the times it was due at."""
        clock = clock_at(NOW)
        log = DemoLog("tiled", seed=b"", clock=clock, rate=10)
        clock.advance(GROWTH_SLICE * 0.15)
        self.assertEqual(log.grow(), GROWTH_SLICE)
        self.assertEqual(log.grow(), GROWTH_SLICE // 2)
        self.assertEqual(log.grow(), 0)
        times = timestamps(log)
        self.assertEqual({late - early for early, late in pairwise(times)}, {100})

    def test_standing_still(self) -> None:
        """Without a rate a log only takes what it is given."""
        clock = clock_at(NOW)
        log = DemoLog("rfc6962", seed=b"", clock=clock)
        clock.advance(1000)
        self.assertEqual(log.grow(), 0)
        log.add(3)
        clock.advance(5)
        log.add(2)
        times = [(NOW + 1000) * 1000] * 3 + [(NOW + 1005) * 1000] * 2
        self.assertEqual(timestamps(log), times)
        growing = DemoLog("rfc6962", seed=b"", clock=clock, rate=1)
        self.assertRaises(ValueError, growing.add, 1)

    def test_same_log(self) -> None:
        """Seed, start, rate and size make the same log, however the time between was spent."""
        facts = {"seed": b"s", "rate": 7.0, "size": 20, "began": NOW * 1000}
        for kind in KINDS:
            clock = clock_at(NOW)
            first = DemoLog(kind, clock=clock, **facts)
            for _ in range(124):
                clock.advance(0.25)
                first.grow()
            again = DemoLog(kind, clock=clock_at(NOW + 31), **facts)
            self.assertEqual(again.log_id, first.log_id)
            self.assertEqual(again.tree.size, first.tree.size)
            self.assertEqual(again.tree.root(), first.tree.root())
            self.assertEqual(again.tree.size, 20 + int(31 * 7 + KINDS.index(kind) / 2))

    def test_another_log(self) -> None:
        """Another seed, and the other kind, have another key."""
        clock = clock_at(NOW)
        logs = [DemoLog(kind, seed=seed, clock=clock) for kind in KINDS for seed in (b"a", b"b")]
        self.assertEqual(len({log.log_id for log in logs}), 4)

    def test_heads(self) -> None:
        """Heads are signed by the log's key for the tree as it is, never before its last entry."""
        clock = clock_at(NOW)
        for kind in KINDS:
            log = DemoLog(kind, seed=b"", clock=clock, rate=100)
            key = LogKey(log.key)
            self.assertEqual(key.log_id, log.log_id)
            for _ in range(5):
                head = log.head()
                key.verify_head(head)
                self.assertEqual((head.size, head.root), (log.tree.size, log.tree.root()))
                self.assertEqual(head.timestamp, int(clock.seconds() * 1000))
                self.assertTrue(all(time <= head.timestamp for time in timestamps(log)))
                forged = SignedHead(head.size + 1, head.timestamp, head.root, head.signature)
                self.assertRaises(SignatureError, key.verify_head, forged)
                clock.advance(0.25)
                log.grow()

    def test_head_is_renewed(self) -> None:
        """A tree that stands still keeps its head for a while, then signs a younger one."""
        clock = clock_at(NOW)
        log = DemoLog("tiled", seed=b"", clock=clock, size=3)
        head = log.head()
        clock.advance(HEAD_LIFETIME / 1000 - 0.5)
        self.assertIs(log.head(), head)
        clock.advance(1)
        renewed = log.head()
        self.assertEqual((renewed.size, renewed.root), (head.size, head.root))
        self.assertEqual(renewed.timestamp, int(clock.seconds() * 1000))
        LogKey(log.key).verify_head(renewed)

    def test_clock_set_back(self) -> None:
        """When the clock is set back the tree keeps its entries and heads do not grow older."""
        clock = clock_at(NOW)
        log = DemoLog("rfc6962", seed=b"", clock=clock, rate=10)
        clock.advance(10)
        log.grow()
        head = log.head()
        clock.rightNow -= 3600
        self.assertEqual(log.grow(), 0)
        self.assertEqual(log.tree.size, 100)
        self.assertGreaterEqual(log.head().timestamp, head.timestamp)

    def test_growth_after_clock_set_back(self) -> None:
        """What comes after that is not older either: neither entries nor heads."""
        clock = clock_at(NOW)
        log = DemoLog("rfc6962", seed=b"", clock=clock)
        log.add(1)
        clock.advance(1)
        log.head()
        clock.rightNow -= 3600
        log.add(1)
        self.assertEqual(timestamps(log), [NOW * 1000, NOW * 1000])
        self.assertEqual(log.head().timestamp, (NOW + 1) * 1000)

    def test_empty(self) -> None:
        """A log without entries has a head like any other."""
        log = DemoLog("tiled", seed=b"", clock=clock_at(0))
        LogKey(log.key).verify_head(log.head())
        self.assertEqual(log.head().size, 0)
