"""Tests of certstream_tx.library.entry_queue."""

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry
from certstream_tx.library.entry_queue import EntryQueue
from certstream_tx.message.documents import Source
from certstream_tx.stats import LogStats

SOURCE = Source("a", "https://a.example", None, None, "rfc6962")


def entries(start: int, end: int) -> list[Entry]:
    return [Entry(i, 1_700_000_000_000 + i, 0, b"", (), b"") for i in range(start, end)]


class EntryQueueTests(SynchronousTestCase):
    """A queue of four."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = EntryQueue(self.clock, 4)
        self.stats = LogStats("a", "https://a.example", "rfc6962", None, None)
        self.accepted: list[int] = []

    def read(self, start: int, end: int, *, late: bool = False) -> "Deferred[None]":
        reading = self.queue.read(entries(start, end), SOURCE, self.stats, self.accept, late=late)
        return Deferred.fromCoroutine(reading)

    def accept(self, taken: Sequence[Entry]) -> None:
        self.accepted += [entry.index for entry in taken]

    def next(self) -> "Deferred[Entry]":
        return Deferred.fromCoroutine(self.queue.next())

    def take(self, count: int) -> list[int]:
        taken = []
        for _ in range(count):
            entry = self.next()
            self.clock.advance(0)
            taken.append(self.successResultOf(entry).index)
        return taken

    def test_no_more_than_the_limit(self) -> None:
        """Who reads waits for who takes, and a position moves over what was taken in only."""
        reading = self.read(0, 10)
        self.clock.advance(60)
        self.assertNoResult(reading)
        self.assertEqual(len(self.queue), 4)
        self.assertEqual(self.accepted, [0, 1, 2, 3])
        most = 0
        taken = []
        for _ in range(10):
            taken += self.take(1)
            most = max(most, len(self.queue))
        self.assertEqual(taken, list(range(10)))
        self.assertEqual(most, 4)
        self.assertEqual(self.accepted, taken)
        self.successResultOf(reading)

    def test_waiting_for_an_entry(self) -> None:
        """Who takes waits as long as it takes, and gets it in the reactor's next turn."""
        entry = self.next()
        self.clock.advance(3600)
        self.assertNoResult(entry)
        self.successResultOf(self.read(5, 6))
        self.assertNoResult(entry)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(entry).index, 5)

    def test_a_backlog_leaves_turns_to_others(self) -> None:
        """However much is there, no more than the limit is had in one turn."""
        self.read(0, 100)
        for _ in range(4):
            self.successResultOf(self.next())
        self.assertNoResult(self.next())

    def test_two_that_read(self) -> None:
        """Entries out of a gap come between the others; none is lost, both are counted."""
        both = [self.read(100, 110), self.read(0, 10, late=True)]
        taken = self.take(20)
        for each in both:
            self.successResultOf(each)
        self.assertEqual(sorted(taken), [*range(10), *range(100, 110)])
        self.assertEqual((self.stats.entries, self.stats.late_entries), (20, 10))
        self.assertEqual(self.stats.last_entry_timestamp, 1_700_000_000.109)

    def test_who_takes_ends_all(self) -> None:
        """In the very turn in which there is room again."""
        reading = self.read(0, 10)

        async def end() -> None:
            for _ in range(5):
                await self.queue.next()
            reading.cancel()

        ended = Deferred.fromCoroutine(end())
        self.clock.advance(0)
        self.clock.advance(0)
        self.successResultOf(ended)
        self.failureResultOf(reading, CancelledError)

    def test_closed(self) -> None:
        """Nothing is left in the reactor."""
        self.successResultOf(self.read(0, 2))
        self.queue.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
