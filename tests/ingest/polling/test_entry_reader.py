"""Reading in slices: order, fairness, time, and entries that raise."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry
from certstream_tx.ingest.polling.entry_reader import SLICE_SECONDS, UNIT, UNIT_BYTES, EntryReader
from certstream_tx.message.documents import Source
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import build, events

COST = 0.0001
"""Seconds a certificate takes to be read here."""


class ReadingCase(SynchronousTestCase):
    """A reader whose timer moves with every entry."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.timer = 0.0
        self.published: list[Any] = []
        self.poison: Callable[[Entry], None] = lambda entry: None
        self.refuse: Callable[[Any], None] = lambda message: None
        self.reader = EntryReader(
            self.publish, self.clock, timer=lambda: self.timer, build=self.build
        )

    def build(self, entry: Entry, source: Source, now: Callable[[], float]) -> Any:
        """Read a certificate."""
        self.timer += COST
        if entry.error is None:
            self.poison(entry)
        return build(entry, source, now)

    def publish(self, message: Any) -> None:
        """Take a message."""
        self.refuse(message)
        self.published.append(message)

    def read(
        self, name: str, first: int, count: int, size: int = 0
    ) -> "tuple[LogStats, list[int], Deferred[None]]":
        """Read entries of a log: its counters, the positions it was told, the end of it."""
        stats = LogStats(name, f"https://{name}.example", "rfc6962", None, None)
        source = Source(name, stats.url, None, None, "rfc6962")
        entries = [
            Entry(index, 1000 * index, 0, bytes(size), (), b"h" * 32)
            for index in range(first, first + count)
        ]
        told: list[int] = []

        def accepted(these: Sequence[Entry]) -> None:
            self.assertEqual(these[-1], entries[these[-1].index - first])
            self.assertIn(these[-1].index, [message.index for message in self.published])
            told.extend(entry.index for entry in these)

        reading = Deferred.fromCoroutine(self.reader.read(entries, source, stats, accepted))
        return stats, told, reading

    def turn(self) -> float:
        """One turn of the reactor: the seconds that reading took of it."""
        before = self.timer
        # Not advance(0): it would also run what a slice puts off to the next turn.
        (call,) = self.clock.getDelayedCalls()
        slice_of_work = call.func
        call.cancel()
        slice_of_work()
        return self.timer - before


class SliceTests(ReadingCase):
    """How the time is shared."""

    def test_order(self) -> None:
        """All entries are published, in order, and told as accepted."""
        stats, told, done = self.read("a", 100, 1000)
        self.assertNoResult(done)
        while not done.called:
            self.turn()
        self.successResultOf(done)
        self.assertEqual([message.index for message in self.published], list(range(100, 1100)))
        self.assertEqual(told, list(range(100, 1100)))
        self.assertEqual((stats.entries, stats.parse_failures), (1000, 0))
        self.assertEqual(stats.last_entry_timestamp, 1099)
        self.assertEqual(self.published[0].seen, 1_700_000_000)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slices(self) -> None:
        """A turn of the reactor is never kept longer than a slice and one unit."""
        _, _, done = self.read("a", 0, 1000)
        slices = []
        while not done.called:
            slices.append(self.turn())
        self.assertLessEqual(max(slices), SLICE_SECONDS + UNIT * COST)
        self.assertGreater(min(slices[:-1]), SLICE_SECONDS / 2)

    def test_large_certificates(self) -> None:
        """Of large certificates fewer are read between two looks at the time."""

        def slowly(entry: Entry) -> None:
            self.timer += SLICE_SECONDS

        self.poison = slowly
        for size, most in ((UNIT_BYTES, 1), (UNIT_BYTES // 2, 2), (UNIT_BYTES // 100, UNIT)):
            _, told, done = self.read("a", 0, 30, size)
            counts = [0]
            while not done.called:
                self.turn()
                counts.append(len(told))
            self.assertEqual(told, list(range(30)))
            self.assertEqual(max(b - a for a, b in pairwise(counts)), most)

    def test_fair(self) -> None:
        """Logs take turns: a small batch does not wait for a large one."""
        _, large, large_done = self.read("large", 0, 4000)
        _, other, _ = self.read("other", 0, 4000)
        self.turn()
        _, small, small_done = self.read("small", 0, UNIT)
        self.turn()
        self.successResultOf(small_done)
        self.assertEqual(len(small), UNIT)
        while not large_done.called:
            self.assertLessEqual(abs(len(large) - len(other)), 2 * UNIT)
            self.turn()

    def test_nothing(self) -> None:
        """No entries are read in no time."""
        _, told, done = self.read("a", 0, 0)
        self.turn()
        self.successResultOf(done)
        self.assertEqual(told, [])

    def test_cancelled(self) -> None:
        """Cancelled, it stops where it is, and what was accepted is what was published."""
        _, told, done = self.read("a", 0, 1000)
        self.turn()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual([message.index for message in self.published], told)
        self.assertTrue(0 < len(told) < 1000)
        _, more, done = self.read("a", 0, 1)
        self.turn()
        self.successResultOf(done)
        self.assertEqual(more, [0])


class FailureTests(ReadingCase):
    """Entries that raise, though none should."""

    def test_unreadable_is_counted(self) -> None:
        """A message that says it could not be read is published and counted."""
        stats = LogStats("a", "https://a.example", "rfc6962", None, None)
        source = Source("a", stats.url, None, None, "rfc6962")
        entries = [Entry(0, 0, 0, b"", (), b"", "cut short"), Entry(1, 5000, 0, b"", (), b"")]
        done = Deferred.fromCoroutine(self.reader.read(entries, source, stats, lambda _: None))
        self.turn()
        self.successResultOf(done)
        self.assertEqual([message.parse_error for message in self.published], ["cut short", None])
        self.assertEqual((stats.entries, stats.parse_failures), (2, 1))

    def test_raising_entry(self) -> None:
        """An entry that raises costs its names alone: it is told, counted, and published unread."""

        def poison(entry: Entry) -> None:
            if entry.index in (3, 10, 11):
                raise IndexError("out of range")

        self.poison = poison
        with events() as told:
            stats, accepted, done = self.read("a", 0, 20)
            self.turn()
        self.successResultOf(done)
        self.assertEqual([message.index for message in self.published], list(range(20)))
        self.assertEqual(accepted, list(range(20)))
        bad = [message for message in self.published if message.parse_error]
        self.assertEqual([message.index for message in bad], [3, 10, 11])
        self.assertIn("out of range", bad[0].parse_error)
        self.assertEqual((stats.entries, stats.parse_failures), (20, 3))
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertEqual(len(told), 3)
        for text, index in zip(told, (3, 10, 11), strict=True):
            self.assertIn(f"a: entry {index} ", text)

    def test_raising_encoding(self) -> None:
        """So does one that cannot be encoded."""

        def refuse(message: Any) -> None:
            if message.index == 5 and message.parse_error is None:
                raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

        self.refuse = refuse
        stats, accepted, done = self.read("a", 0, 10)
        self.turn()
        self.successResultOf(done)
        self.assertEqual(accepted, list(range(10)))
        self.assertEqual(stats.parse_failures, 1)
        self.assertEqual(len(self.flushLoggedErrors(UnicodeEncodeError)), 1)

    def test_hub_that_takes_nothing(self) -> None:
        """Where nothing can be published the reading fails, after exactly what was."""

        def refuse(message: Any) -> None:
            if message.index == 11:
                raise MemoryError

        self.refuse = refuse
        stats, accepted, done = self.read("a", 0, 20)
        self.turn()
        self.failureResultOf(done, MemoryError)
        self.assertEqual(accepted, list(range(11)))
        self.assertEqual(stats.entries, 11)
        self.flushLoggedErrors(MemoryError)
