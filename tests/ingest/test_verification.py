"""Comparing what was read with the heads that were signed."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ingest.verification import MAX_HEADS_AHEAD, MAX_ROOTS, Verification
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import events, hash_of, head_of, range_of


class VerificationTests(SynchronousTestCase):
    """One log, its heads, its hashes."""

    def setUp(self) -> None:
        self.stats = LogStats("Test", "https://log.example", "rfc6962", None, None)
        self.verification = Verification(self.stats)

    def read(self, start: int, end: int, changed: int | None = None) -> list[int]:
        """Read hashes as the poller does; where it stopped to compare."""
        stops = []
        while start < end:
            stop = self.verification.next_stop(start, end)
            self.assertTrue(start < stop <= end)
            hashes = [hash_of(-1 if index == changed else index) for index in range(start, stop)]
            self.verification.add(hashes)
            self.verification.reached()
            stops.append(start := stop)
        return stops

    def test_every_head_on_the_way(self) -> None:
        """Reading stops at each head that was seen, and each is compared."""
        self.verification.begin(CompactRange())
        for size in (30, 10, 30, 25):
            self.verification.expect(head_of(size, timestamp=size * 7))
        self.assertEqual(self.read(0, 20), [10, 20])
        self.assertEqual(self.stats.verified_size, 10)
        self.assertEqual(self.read(20, 40), [25, 30, 40])
        self.assertEqual(self.stats.verified_size, 30)

    def test_head_where_it_stands(self) -> None:
        """A head of just the size that was read is compared when it comes."""
        self.verification.begin(range_of(20).copy())
        self.verification.expect(head_of(20))
        self.assertEqual(self.stats.verified_size, 20)

    def test_resumed(self) -> None:
        """Hashes saved before are compared with a head seen before they were there."""
        self.verification.expect(head_of(20))
        self.verification.resume(range_of(20).copy())
        self.assertEqual(self.stats.verified_size, 20)
        self.verification = Verification(self.stats)
        self.verification.expect(head_of(20))
        wrong = CompactRange()
        wrong.extend([hash_of(1)] * 20)
        self.verification.resume(wrong)
        self.assertEqual(self.stats.root_mismatches, 1)

    def test_proof_is_no_reading(self) -> None:
        """What the log proved counts as verified only from what is read after it."""
        self.verification.expect(head_of(20))
        self.verification.begin(range_of(20).copy())
        self.assertEqual(self.stats.verified_size, 0)

    def test_unverified(self) -> None:
        """Without a range nothing is compared, and heads are kept within bounds."""
        for size in range(200):
            self.verification.expect(head_of(size))
        self.read(0, 150)
        self.assertIsNone(self.verification.range)
        self.verification.begin(range_of(150).copy())
        self.assertEqual(self.read(150, 200)[-1], 200)
        self.assertEqual((self.stats.root_mismatches, self.stats.verified_size), (0, 199))

    def test_many_heads(self) -> None:
        """Far behind, heads are thinned out; the first and the newest always stay."""
        self.verification.begin(CompactRange())
        for size in range(10, 1010, 10):
            self.verification.expect(head_of(size))
        stops = self.read(0, 1000)
        self.assertEqual((stops[0], stops[-1]), (10, 1000))
        self.assertLessEqual(len(stops), MAX_HEADS_AHEAD)
        self.assertEqual(self.stats.verified_size, 1000)

    def test_roots_are_bounded(self) -> None:
        """What is remembered of heads passed does not grow for ever."""
        self.verification.begin(CompactRange())
        for size in range(1, 200):
            self.verification.expect(head_of(size))
            self.read(size - 1, size)
        self.assertEqual(len(self.verification._roots), MAX_ROOTS)

    def test_old_head_that_differs(self) -> None:
        """A head of a size verified before, with another root, contradicts; told, and read on."""
        self.verification.begin(CompactRange())
        self.verification.expect(head_of(10))
        self.read(0, 20)
        with events("error") as told:
            self.verification.expect(head_of(10, root=b"z" * 32))
        self.assertEqual(len(told), 1)
        self.assertIn("Test", told[0])
        self.assertEqual(self.stats.root_mismatches, 1)
        self.verification.expect(head_of(30))
        self.read(20, 30)
        self.assertEqual(self.stats.verified_size, 30)

    def test_two_heads_of_one_size(self) -> None:
        """Of two roots for one size, the one that was read is right, in whichever order."""
        for order in (1, -1):
            self.setUp()
            self.verification.begin(CompactRange())
            for head in (head_of(10), head_of(10, root=b"z" * 32))[::order]:
                self.verification.expect(head)
            self.read(0, 10)
            self.assertEqual((self.stats.verified_size, self.stats.root_mismatches), (10, 1))
            self.assertIsNotNone(self.verification.range)

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 299), st.integers(0, 299), st.lists(st.integers(1, 299), max_size=20))
    def test_changed_entry(self, start: int, changed: int, heads: list[int]) -> None:
        """Any changed entry is noticed at the first head behind it, and never before."""
        self.setUp()
        self.verification.begin(range_of(start).copy())
        for size in [*heads, 300]:
            self.verification.expect(head_of(size))
        with events("error") as told:
            self.read(start, 300, changed)
        if changed < start:
            self.assertEqual((told, self.stats.verified_size), ([], 300))
        else:
            self.assertEqual((len(told), self.stats.root_mismatches), (1, 1))
            noticed = min(size for size in [*heads, 300] if size > changed)
            self.assertIn(f"tree of {noticed} entries", told[0])
            self.assertLessEqual(self.stats.verified_size, changed)
            self.assertIsNone(self.verification.range)
