"""Entries that cannot be read do not stop a log: they are listed, tried on, and come late."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from certstream_tx.ingest.http.errors import BadBody, Lagging, Refused, Throttled, Unavailable
from certstream_tx.ingest.polling.gap_filling import AGAIN
from certstream_tx.ingest.polling.ranges import GIVE_UP_SECONDS, NARROW_SECONDS
from certstream_tx.ingest.state.positions import Positions
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition, SavedRange
from tests.ingest.fake_log import FakeLog, Follower, events
from tests.ingest.polling.test_poller import KEY, PollerCase

LOST = Refused("not_found", "HTTP 404", 404)


def covering(*lost: int) -> Callable[[int, int], Exception | None]:
    """Faults: every request that covers one of these entries fails."""
    return lambda start, end: LOST if any(start <= index < end for index in lost) else None


class GapCase(PollerCase):
    """Logs that keep some of their entries to themselves."""

    def lost(self, follower: Follower) -> list[tuple[int, int]]:
        """The gaps, as the state file would have them."""
        saved = follower.poller.snapshot()
        assert saved is not None
        return [(gap.start, gap.end) for gap in saved.gaps if gap.start < gap.end]

    def read_to(self, follower: Follower, position: int, within: float) -> float:
        """Let time pass until the position is there; how long that took."""
        began = self.clock.seconds()
        while follower.stats.position < position:
            self.assertLess(self.clock.seconds() - began, within, follower.stats)
            follower.run(0.5)
        return self.clock.seconds() - began

    def check(self, follower: Follower, start: int) -> None:
        """Every index before the position was published or is listed, those in time in order."""
        missing = {index for gap in self.lost(follower) for index in range(*gap)}
        self.assertEqual(
            sorted({*follower.indexes} | missing), list(range(start, follower.stats.position))
        )
        self.assertEqual({*follower.indexes} & missing, set())
        self.assertEqual(len(follower.indexes), len({*follower.indexes}))
        in_time = [message.index for message in follower.published if not message.late]
        self.assertEqual(in_time, sorted(in_time))
        late = [message.index for message in follower.published if message.late]
        self.assertEqual(follower.stats.late_entries, len(late))
        self.assertEqual(follower.stats.gap_entries, len(missing))
        self.assertEqual(follower.stats.gaps_open, len(self.lost(follower)))


class OpenTests(GapCase):
    """How a gap comes to be."""

    def test_poison_entry(self) -> None:
        """A single unreadable entry is found out within its page; all its neighbours are read."""
        log = FakeLog(self.clock, 2000, page=256, latency=0.05)
        log.entry_faults = covering(300)
        follower = self.follow(log, positions=self.saved(0))
        with events("warn") as told:
            took = self.read_to(follower, 2000, 60)
        self.assertTrue(GIVE_UP_SECONDS <= took < GIVE_UP_SECONDS + 15, took)
        self.assertEqual(self.lost(follower), [(300, 301)])
        self.check(follower, 0)
        self.assertEqual(len(told), 1, told)
        self.assertIn("entries 300 to 300 cannot be read (HTTP 404)", told[0])
        gap = follower.poller.snapshot().gaps[0]
        self.assertTrue(0 <= gap.since <= 5 and gap.tries >= 10, gap)

    def test_poison_entries(self) -> None:
        """Several of them, next to each other, at edges of pages and at the edge of what is read,
        cost their own places only, and no more time together than one."""
        log = FakeLog(self.clock, 600, page=64)
        poison = (0, 63, 64, 100, 101, 250, 599)
        log.entry_faults = covering(*poison)
        follower = self.follow(log, positions=self.saved(0))
        self.read_to(follower, 599, 60)
        follower.run(60)
        self.check(follower, 0)
        missing = {index for gap in self.lost(follower) for index in range(*gap)}
        # The last one holds nobody up, as long as nothing follows it.
        self.assertEqual(missing, {*poison} - {599})
        log.size = 640
        self.read_to(follower, 640, 60)
        self.check(follower, 0)
        self.assertIn((599, 600), self.lost(follower))

    def test_poison_page(self) -> None:
        """A page of which nothing can be read is given up as it is, after a bounded time."""
        log = FakeLog(self.clock, 2000, page=256)
        log.entry_faults = covering(*range(256, 512))
        follower = self.follow(log, positions=self.saved(0))
        took = self.read_to(follower, 2000, 150)
        self.assertGreater(took, GIVE_UP_SECONDS)
        missing = {index for gap in self.lost(follower) for index in range(*gap)}
        self.assertEqual(missing, set(range(256, 512)))
        self.check(follower, 0)
        self.assertLess(len(log.asked), 250)

    def test_lost_tile(self) -> None:
        """What cannot be had in parts is a gap as a whole."""
        log = FakeLog(self.clock, 2000, page=256)
        log.divisible = False
        log.entry_faults = covering(300)
        follower = self.follow(log, positions=self.saved(0))
        took = self.read_to(follower, 2000, 60)
        self.assertTrue(GIVE_UP_SECONDS <= took < GIVE_UP_SECONDS + 15, took)
        self.assertEqual(self.lost(follower), [(256, 512)])
        self.check(follower, 0)
        self.assertLess(len(log.asked), 40)

    def test_many_lost_tiles(self) -> None:
        """More lost tiles than are ever asked for ahead: what lies beyond them is found."""
        for count in (6, 7, 30):
            log = FakeLog(self.clock, 256 * 60, page=256)
            log.divisible = False
            log.entry_faults = covering(*range(512, 512 + 256 * count, 256))
            follower = self.follow(log, positions=self.saved(0))
            self.read_to(follower, 256 * 60, 120)
            self.check(follower, 0)
            missing = {index for gap in self.lost(follower) for index in range(*gap)}
            lost = set(range(512, 512 + 256 * count))
            self.assertEqual(lost - missing, set())
            self.assertLess(len(missing), 5 * len(lost))
            self.assertLess(len(log.asked), 60 + 200)
            follower.run(AGAIN[0] * 1.3)
            missing = {index for gap in self.lost(follower) for index in range(*gap)}
            self.assertEqual(len(missing), len(lost), count)
            self.stop_all()

    def test_kinds_of_failures(self) -> None:
        """Garbage, refusals, timeouts, lagging replicas, our own errors: all the same."""
        for error in (
            BadBody("no JSON"),
            Unavailable("timeout", "no answer within 30 s"),
            Unavailable("server", "HTTP 500", 500),
            Lagging("need tree size"),
            Refused("refused", "HTTP 400", 400),
            RuntimeError("a bug"),
        ):
            log = FakeLog(self.clock, 640)
            log.entry_faults = lambda start, end, e=error: e if start <= 70 < end else None
            follower = self.follow(log, positions=self.saved(0))
            self.read_to(follower, 640, 60)
            self.assertEqual(self.lost(follower), [(70, 71)], error)
            self.check(follower, 0)
            self.stop_all()
        self.flushLoggedErrors(RuntimeError)

    def test_ill_log(self) -> None:
        """A log that gives nothing at all has no gaps, however long that lasts, nor later."""
        for down in (
            lambda start, end: Unavailable("connect", "refused"),
            lambda start, end: BadBody("a page for people"),
            lambda start, end: LOST,
            lambda start, end: Throttled("HTTP 429"),
        ):
            log = FakeLog(self.clock, 6400, latency=0.2)
            follower = self.follow(log, positions=self.saved(0))
            follower.run(1)
            self.assertGreater(follower.stats.position, 0)
            log.entry_faults = down
            follower.run(180)
            self.assertLess(follower.stats.position, 6400)
            log.entry_faults = lambda start, end: None
            self.read_to(follower, 6400, 90)
            self.assertEqual(self.lost(follower), [])
            self.assertEqual(follower.indexes, list(range(6400)))
            self.stop_all()

    def test_shaky_log(self) -> None:
        """A log of which two answers in five fail has no gaps, and is hardly asked more for it."""
        rng = Random(4)
        log = FakeLog(self.clock, 32 * 600, latency=0.1)
        log.entry_faults = lambda start, end: (
            Unavailable("server", "HTTP 502", 502) if rng.random() < 0.4 else None
        )
        follower = self.follow(log, positions=self.saved(0))
        self.read_to(follower, 32 * 600, 600)
        self.assertEqual(self.lost(follower), [])
        self.assertEqual(follower.indexes, list(range(32 * 600)))
        self.assertLess(len(log.asked), 600 / 0.6 * 1.15)

    def test_stays_well(self) -> None:
        """A log with an unreadable entry is no unhealthy log."""
        log = FakeLog(self.clock, 1000)
        log.entry_faults = covering(300)
        follower = self.follow(log, positions=self.saved(0))
        for _ in range(120):
            follower.run(0.5)
            self.assertTrue(follower.poller.healthy)

    def test_at_the_head(self) -> None:
        """At a log's head a gap opens once something follows it, and the head is followed on."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(2)
        log.entry_faults = covering(303)
        for _ in range(60):
            log.size += 1
            follower.run(1)
        self.assertEqual(self.lost(follower), [(303, 304)])
        self.check(follower, 44)
        self.assertGreaterEqual(follower.stats.position, log.size - 3)

    def test_verified_behind(self) -> None:
        """Behind a gap entries are compared with heads as before; its start remains."""
        log = FakeLog(self.clock, 1000)
        log.entry_faults = covering(300)
        follower = self.follow(log, positions=self.saved(0))
        self.read_to(follower, 1000, 60)
        follower.run(5)
        self.assertLessEqual(follower.stats.verified_size, 300)
        log.changed = {1005}
        log.size = 1010
        with events("error") as told:
            follower.run(20)
        self.assertEqual((len(told), follower.stats.root_mismatches), (1, 1))


class FillTests(GapCase):
    """How it is closed."""

    def open_gap(self, log: FakeLog, *lost: int, **around: Any) -> Follower:
        """Follow a log until the gaps are there."""
        log.entry_faults = covering(*lost)
        follower = self.follow(log, positions=self.saved(0), **around)
        self.read_to(follower, log.size, 120)
        self.assertNotEqual(self.lost(follower), [])
        return follower

    def test_filled_late(self) -> None:
        """What comes back is read late, by its own index, and proven with all that was read."""
        for divisible in (True, False):
            log = FakeLog(self.clock, 1000)
            log.divisible = divisible
            follower = self.open_gap(log, 300)
            log.entry_faults = lambda start, end: None
            with events() as told:
                follower.run(AGAIN[0] * 1.3)
            self.assertEqual(self.lost(follower), [])
            self.check(follower, 0)
            late = [message.index for message in follower.published if message.late]
            self.assertEqual(late, [300] if divisible else list(range(288, 320)))
            self.assertEqual(follower.stats.verified_size, 1000)
            self.assertEqual(follower.stats.root_mismatches, 0)
            self.assertEqual(len([text for text in told if "came late" in text]), 1, told)
            self.stop_all()

    def test_without_proofs(self) -> None:
        """A log that proves nothing: the parts are joined when the gap is filled."""
        log = FakeLog(self.clock, 1000)
        log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 10_000
        follower = self.open_gap(log, 300, 500)
        follower.run(20)
        self.assertFalse(follower.poller.verified)
        log.size = 1100
        self.read_to(follower, 1100, 60)
        log.entry_faults = lambda start, end: None
        follower.run(60)
        self.check(follower, 0)
        self.assertTrue(follower.poller.verified)
        self.assertEqual((self.lost(follower), follower.stats.verified_size), ([], 1100))

    def test_changed_in_the_gap(self) -> None:
        """Entries that come late are held to the tree, with and without proofs."""
        for proofs in (True, False):
            log = FakeLog(self.clock, 1000)
            if not proofs:
                log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 10_000
            follower = self.open_gap(log, 300)
            log.entry_faults = lambda start, end: None
            log.changed = {300}
            with events("error") as told:
                follower.run(AGAIN[0] * 1.3)
            self.assertEqual(len(told), 1, told)
            self.assertEqual(follower.stats.root_mismatches, 1)
            self.check(follower, 0)
            self.stop_all()

    def test_tried_for_ever(self) -> None:
        """What stays away is tried ever more rarely, for ever, and told no more."""
        log = FakeLog(self.clock, 1000)
        follower = self.open_gap(log, 300)
        asked: list[float] = []
        log.entry_faults = lambda start, end: (
            asked.append(self.clock.seconds()) or LOST if start <= 300 < end else None
        )
        with events("info") as told:
            follower.run(12 * 3600, 5)
        self.assertEqual(told, [])
        waits = [after - before for before, after in pairwise(asked)]
        self.assertLessEqual(min(waits), 5)
        self.assertTrue(all(AGAIN[1] * 0.75 <= wait <= AGAIN[1] * 1.25 for wait in waits[-5:]))
        self.assertGreater(follower.poller.snapshot().gaps[0].tries, 20)
        log.entry_faults = lambda start, end: None
        follower.run(AGAIN[1] * 1.3, 5)
        self.assertEqual((self.lost(follower), follower.stats.verified_size), ([], 1000))

    def test_filled_in_part(self) -> None:
        """Of a page that was given up whole, what can be read is, around what cannot."""
        log = FakeLog(self.clock, 2000, page=256)
        follower = self.open_gap(log, *range(256, 512))
        log.entry_faults = covering(256, 300, 301, 511)
        follower.run(180)
        self.check(follower, 0)
        self.assertEqual(self.lost(follower), [(256, 257), (300, 302), (511, 512)])
        log.entry_faults = lambda start, end: None
        follower.run(AGAIN[1] * 1.3, 1)
        self.assertEqual((self.lost(follower), follower.stats.verified_size), ([], 2000))

    def test_beyond_the_head(self) -> None:
        """Of a log that has less than it had, what is there is filled, whatever lies beyond."""
        ranges = ((100, 150), (900, 1100), (1200, 1210))
        gaps = tuple(
            SavedGap(start, end, 1.0, "HTTP 404", 3, SavedRange(start, start, ()))
            for start, end in ranges
        )
        saved = SavedPosition("Test log", "https://log.example", 2000, gaps=gaps)
        positions = Positions(None, self.clock, lambda write: write())  # type: ignore
        positions.register(KEY, lambda: saved)
        positions.unregister(KEY)
        log = FakeLog(self.clock, 1000)
        log.entry_faults = covering(995)
        follower = self.follow(log, positions=positions)
        follower.run(60)
        self.assertEqual(self.lost(follower), [(995, 996), (1000, 1100), (1200, 1210)])
        self.assertEqual(
            sorted(follower.indexes), [*range(100, 150), *range(900, 995), *range(996, 1000)]
        )
        asked = len(log.asked)
        follower.run(600)
        self.assertLess(len(log.asked), asked + 10)
        log.entry_faults = lambda start, end: None
        log.size = 2010
        self.read_to(follower, 2010, 60)
        follower.run(AGAIN[1] * 1.3, 1)
        self.assertEqual(self.lost(follower), [])
        late = sorted(message.index for message in follower.published if message.late)
        self.assertEqual(late, [index for each in ranges for index in range(*each)])

    def test_log_down_while_filling(self) -> None:
        """A log that cannot be reached is not held against the gap."""
        log = FakeLog(self.clock, 1000)
        follower = self.open_gap(log, 300)
        tries = follower.poller.snapshot().gaps[0].tries
        down = Unavailable("connect", "refused")
        log.entry_faults = lambda start, end: down
        before = len(log.asked)
        follower.run(900, 1)
        self.assertGreater(len(log.asked), before + 5)
        log.head_faults = [down] * 10_000
        follower.run(900, 1)
        self.assertEqual(follower.poller.snapshot().gaps[0].tries, tries)
        log.entry_faults, log.head_faults = (lambda start, end: None), []
        follower.run(90)  # its head is looked at once a minute by now
        self.assertEqual(self.lost(follower), [])

    def test_throttled_while_filling(self) -> None:
        """429 is pace for a gap, too."""
        log = FakeLog(self.clock, 1000)
        follower = self.open_gap(log, 300)
        left = [20]

        def throttle(start: int, end: int) -> Exception | None:
            left[0] -= 1
            return Throttled("HTTP 429") if left[0] > 0 else None

        log.entry_faults = throttle
        follower.run(AGAIN[0] * 1.3 + 2)
        self.assertEqual(self.lost(follower), [])

    def test_budget_returns(self) -> None:
        """Gaps, filled or not, leave the common budget as it was."""
        log = FakeLog(self.clock, 1000)
        follower = self.open_gap(log, 300, 301, 640)
        follower.run(300)
        log.entry_faults = covering(640)
        follower.run(300)
        self.stop_all()
        self.assertTrue(follower.budget.take(8192))


class RestartTests(GapCase):
    """Gaps outlive the process."""

    def test_crashes(self) -> None:
        """Killed at any moment: every index was received, or stands in the state file."""
        rng = Random(11)
        path = Path(self.mktemp()).absolute()
        size, received, begun, filled = 3000, set[int](), 2900, 0
        poison: set[int] = set()
        for _ in range(50):
            clock = Clock()
            clock.advance(1000)
            log = FakeLog(clock, size, latency=rng.choice((0.0, 0.1)))
            log.divisible = rng.random() < 0.7
            poison |= {rng.randrange(size, size + 300) for _ in range(3)}
            if rng.random() < 0.4:
                poison = set()
            log.entry_faults = covering(*poison)
            positions = Positions(str(path), clock, execute)
            positions.load()
            follower = Follower(clock, log, positions=positions)
            positions.startService()
            follower.poller.startService()
            for _ in range(rng.randint(5, 400)):
                log.size += rng.choice((0, 1, 4))
                follower.run(0.25, 0.25)
            self.assertEqual(follower.stats.root_mismatches, 0)
            lock: Any = positions._lock
            lock.release()
            filled += follower.stats.late_entries
            received |= {*follower.indexes}
            size = log.size
            last = Positions(str(path), clock, execute)
            last.load()
            saved = last.position_of("url:https://log.example")
            lock = last._lock
            lock.release()
            if saved is None:
                continue
            begun = min([begun, *received])
            missing = {index for gap in saved.gaps for index in range(gap.start, gap.end)}
            never = set(range(begun, saved.position)) - received - missing
            self.assertEqual(never, set())
        self.assertGreater(filled, 20)
        self.assertGreater(len(received), 1000)

    def test_verified_again(self) -> None:
        """A gap filled by the next process proves what the last one read behind it."""
        for proofs in (True, False):
            log = FakeLog(self.clock, 1000)
            if not proofs:
                log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 10_000
            log.entry_faults = covering(300)
            positions = self.saved(0)
            first = self.follow(log, positions=positions)
            self.read_to(first, 1000, 60)
            first.run(3)
            self.stop_all()
            log.entry_faults = lambda start, end: None
            log.size = 1100
            second = self.follow(log, positions=positions)
            second.run(20)
            late = [message.index for message in second.published if message.late]
            self.assertEqual(late, [300])
            self.assertEqual(second.stats.verified_size, 1100)
            self.assertEqual(second.stats.root_mismatches, 0)
            self.stop_all()


assert NARROW_SECONDS > GIVE_UP_SECONDS


class ByHandTests(GapCase):
    """An operator knows when it is worth a try."""

    def test_tried_at_once(self) -> None:
        """What would be due in an hour is tried now, from its beginning on."""
        log = FakeLog(self.clock, 600, page=64)
        log.entry_faults = covering(*range(300, 310))
        follower = self.follow(log, positions=self.saved(0))
        self.read_to(follower, 600, 60)
        follower.run(3 * AGAIN[1], step=5)
        self.assertEqual(follower.stats.gap_entries, 10)
        saved = follower.poller.snapshot()
        self.assertTrue(all(gap.due > self.clock.seconds() + 60 for gap in saved.gaps))
        log.entry_faults = lambda start, end: None
        with events("info") as told:
            self.assertEqual(follower.poller.try_gaps(), 10)
            follower.run(1)
        self.assertEqual(self.lost(follower), [])
        self.assertTrue(any("every gap is filled" in text for text in told), told)
        self.check(follower, 0)
        self.assertEqual(follower.poller.try_gaps(), 0)
