"""Gaps and the tree around them: whatever is missing, and in whatever order it comes."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ingest.state import gaps as gaps_module
from certstream_tx.ingest.state.gaps import Gap, Gaps
from certstream_tx.ingest.state.saved_log import SavedGap
from certstream_tx.ingest.trust.verification import Verification
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import events, hash_of, head_of, range_of
from tests.ingest.trust.test_verification import Verdicts


class GapsCase(SynchronousTestCase):
    """A log whose entries are read, missed and read late."""

    def setUp(self) -> None:
        self.make()

    def make(self, start: int = 0) -> None:
        """Begin to read at an index."""
        self.clock = Clock()
        self.stats = LogStats("Test", "https://log.example", "rfc6962", None, None)
        self.differing: list[Gap] = []
        self.judge = Verdicts()
        self.verification = Verification(
            self.stats, self.clock, self.judge, lambda: self.gaps.complete_before
        )
        self.gaps = Gaps(self.stats, self.clock, self.verification.precede, self.differing.append)
        self.verification.begin(start)
        self.position = start
        self.changed: set[int] = set()

    def hashes(self, start: int, end: int) -> list[bytes]:
        """What the entries hash to when they come."""
        return [hash_of(-1 if index in self.changed else index) for index in range(start, end)]

    def read(self, end: int) -> None:
        """Read on, as the poller does."""
        while self.position < end:
            stop = self.verification.next_stop(self.position, end)
            self.verification.add(self.hashes(self.position, stop))
            self.position = stop
            self.verification.reached()

    def miss(self, end: int) -> None:
        """Leave out the entries before ``end``."""
        before = self.verification.skip(self.position, end)
        self.gaps.add(Gap(self.position, end, 1.0, "HTTP 404", 3, before))
        self.position = end

    def late(self, start: int, end: int) -> None:
        """Read them late."""
        self.gaps.filled(start, self.hashes(start, end))
        self.verification.complete()

    def prove(self) -> bool:
        """Let the log prove what is to be proven, if anything is."""
        size = self.verification.anchor or self.gaps.unproven_start
        if size is None:
            return False
        proven = range_of(size).copy()
        self.gaps.proven(proven)
        self.verification.precede(proven)
        self.verification.complete()
        return True

    def open(self) -> list[tuple[int, int]]:
        """Which entries are missing."""
        return [(gap.start, gap.end) for gap in self.gaps.open]


class GapsTests(GapsCase):
    """Single cases."""

    def test_one_gap(self) -> None:
        """Verification stays where it is, goes on behind the gap, and is joined when it closes."""
        for size in (20, 40):
            self.verification.expect(head_of(size))
        self.read(25)
        self.miss(30)
        self.read(40)
        self.assertEqual((self.open(), self.stats.gaps_open), ([(25, 30)], 1))
        self.assertEqual((self.stats.gap_entries, self.stats.verified_size), (5, 20))
        self.late(25, 30)
        self.assertEqual((self.open(), self.stats.gaps_open, self.stats.gap_entries), ([], 0, 0))
        self.assertEqual(self.stats.verified_size, 40)
        self.assertEqual(self.verification.range, range_of(40))

    def test_proven_behind(self) -> None:
        """With a proof of what lies before its end, entries behind a gap are compared at once."""
        self.read(25)
        self.miss(30)
        self.assertTrue(self.prove())
        self.changed = {33}
        for size in (35, 40):
            self.verification.expect(head_of(size))
        self.read(40)
        self.assertEqual(len(self.judge.doubted), 1)
        self.assertEqual(self.stats.verified_size, 0)

    def test_wrong_entries_come_late(self) -> None:
        """What fills a gap must lead to the tree that was proven behind it."""
        self.read(25)
        self.miss(30)
        self.prove()
        self.read(40)
        self.changed = {27}
        self.late(25, 30)
        self.assertEqual([(gap.start, gap.end) for gap in self.differing], [(30, 30)])

    def test_wrong_entries_without_proof(self) -> None:
        """Without such a proof they are found out by the next head behind them."""
        self.verification.expect(head_of(40))
        self.read(25)
        self.miss(30)
        self.read(40)
        self.changed = {27}
        self.late(25, 30)
        self.assertEqual((len(self.judge.doubted), self.stats.verified_size), (1, 0))

    def test_adjacent(self) -> None:
        """A gap right behind a gap, with nothing read between them, is one."""
        self.read(10)
        self.miss(20)
        self.miss(25)
        self.assertEqual(self.open(), [(10, 25)])
        self.prove()
        self.miss(30)
        self.assertEqual(sum(end - start for start, end in self.open()), 20)
        self.read(40)
        self.late(10, 30) if len(self.open()) == 1 else [self.late(*gap) for gap in self.open()]
        self.assertEqual(self.verification.range, range_of(40))

    def test_unproven_start(self) -> None:
        """A gap in what was read before the start was proven keeps asking for that proof."""
        self.make(5)
        self.read(10)
        self.miss(20)
        self.read(30)
        self.verification.expect(head_of(30))
        self.assertTrue(self.prove())
        self.assertEqual(self.gaps.unproven_start, 5)
        self.late(10, 20)
        self.assertEqual((self.open(), self.stats.verified_size), ([], 0))
        self.assertTrue(self.prove())
        self.assertFalse(self.prove())
        self.assertEqual((self.differing, self.stats.verified_size), ([], 30))

    def test_too_many(self) -> None:
        """Beyond the bound the two closest become one, and nothing that is missing is forgotten."""
        self.patch(gaps_module, "MAX_GAPS", 3)
        for missing, end in ((5, 10), (15, 20), (22, 23), (40, 41)):
            self.read(missing)
            self.miss(end)
        self.assertEqual(self.open(), [(5, 10), (15, 23), (40, 41)])
        self.read(50)
        self.verification.expect(head_of(50))
        for gap in ((40, 41), (15, 23), (5, 10)):
            self.late(*gap)
        self.assertEqual((self.stats.verified_size, self.judge.doubted), (50, []))

    def test_refuses_what_is_not_missing(self) -> None:
        """Only entries that are missing can come late."""
        self.read(10)
        self.miss(20)
        self.assertRaises(ValueError, self.late, 15, 21)
        self.assertRaises(StopIteration, self.late, 9, 10)
        self.assertEqual(self.open(), [(10, 20)])

    def test_told(self) -> None:
        """Each gap is told when it opens, and once when the last of them is filled."""
        with events() as told:
            self.read(10)
            self.miss(20)
            self.read(30)
            self.miss(35)
            self.late(10, 20)
            self.late(30, 35)
        self.assertEqual(len([text for text in told if "HTTP 404" in text]), 2, told)
        self.assertEqual(len([text for text in told if "every gap is filled" in text]), 1, told)


class AnyOrderTests(GapsCase):
    """The same for every order of events."""

    @settings(deadline=None, max_examples=150)
    @given(
        seed=st.integers(0, 2**32),
        start=st.sampled_from((0, 0, 7)),
        proofs=st.sampled_from((0.0, 0.1, 0.5)),
        changed=st.booleans(),
        restarts=st.booleans(),
    )
    def test_everything_is_proven_in_the_end(
        self, seed: int, start: int, proofs: float, changed: bool, restarts: bool
    ) -> None:
        """When all is filled all is verified; a changed entry never passes for a genuine one."""
        rng = Random(seed)
        self.make(start)
        end = 120
        if changed:
            self.changed = {rng.randrange(start, end)}
        heads = sorted({rng.randint(start + 1, end) for _ in range(6)} | {end})
        events_left: list[Any] = [("read", None)]
        with events():
            while self.position < end or self.open() or events_left:
                choice = rng.random()
                if choice < proofs:
                    self.prove()
                elif choice < 0.6 and self.position < end:
                    stop = min(end, self.position + rng.randint(1, 12))
                    self.read(stop) if rng.random() < 0.6 else self.miss(stop)
                elif choice < 0.7 and heads and heads[0] >= self.position:
                    self.verification.expect(head_of(heads.pop(0)))
                elif choice < 0.75 and restarts:
                    self.restart()
                elif self.open() and choice < 0.97:
                    first, last = rng.choice(self.open())
                    first = rng.randint(first, last - 1)
                    self.late(first, rng.randint(first + 1, last))
                else:
                    events_left.clear()
                if heads and heads[0] < self.position:
                    heads.pop(0)
            while self.prove():
                pass
            self.verification.expect(head_of(130))
            self.changed.clear()
            self.read(130)
            while self.prove():
                pass
        self.assertEqual(self.verification.range, range_of(130))
        mismatches = len(self.judge.doubted) + len(self.differing)
        if not changed:
            self.assertEqual((mismatches, self.stats.verified_size), (0, 130))
            self.assertEqual(list(self.gaps), [])
        else:
            self.assertGreater(mismatches, 0)

    def restart(self) -> None:
        """Go on from what is saved."""
        saved = [SavedGap.of(gap) for gap in self.gaps]
        old, verified = self.verification, self.stats.verified_size
        judge, differing, changed = self.judge, self.differing, self.changed
        position = self.position
        self.make(0)
        self.changed, self.differing, self.position = changed, differing, position
        self.stats.verified_size = verified
        self.judge.doubted = judge.doubted
        self.gaps = Gaps(self.stats, self.clock, self.verification.precede, self.differing.append)
        self.gaps.load([gap.gap() for gap in saved])
        for head in old.ahead:
            self.verification.expect(head)
        nodes = old.range
        self.verification.resume(CompactRange(nodes.size, nodes.nodes, nodes.start), old.head)
