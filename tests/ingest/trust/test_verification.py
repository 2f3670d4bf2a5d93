"""Comparing what was read with the heads that were signed."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.trust import kept_hashes
from certstream_tx.ingest.trust import verification as verification_module
from certstream_tx.ingest.trust.doubts import Doubt
from certstream_tx.ingest.trust.verification import MAX_HEADS_AHEAD, MAX_ROOTS, Verification
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import hash_of, head_of, range_of


class Verdicts:
    """Notes what does not agree."""

    def __init__(self) -> None:
        self.contradictions: list[tuple[SignedHead, SignedHead]] = []
        self.doubted: list[Doubt] = []
        self.old: list[SignedHead] = []

    def contradicts(self, one: SignedHead, other: SignedHead) -> None:
        self.contradictions.append((one, other))

    def doubts(self, doubt: Doubt) -> None:
        self.doubted.append(doubt)

    def passed(self, head: SignedHead) -> None:
        self.old.append(head)


class VerificationTests(SynchronousTestCase):
    """One log, its heads, its hashes."""

    def setUp(self) -> None:
        self.stats = LogStats("Test", "https://log.example", "rfc6962", None, None)
        self.judge = Verdicts()
        self.verification = Verification(self.stats, Clock(), self.judge)

    def begin(self, position: int) -> None:
        """Begin in mid-tree, with a proof."""
        self.verification.begin(position)
        self.assertTrue(self.verification.precede(range_of(position).copy()) or not position)

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
        self.verification.begin(0)
        for size in (30, 10, 30, 25):
            self.verification.expect(head_of(size, timestamp=size * 7))
        self.assertEqual(self.read(0, 20), [10, 20])
        self.assertEqual(self.stats.verified_size, 10)
        self.assertEqual(self.read(20, 40), [25, 30, 40])
        self.assertEqual(self.stats.verified_size, 30)

    def test_head_where_it_stands(self) -> None:
        """A head of just the size that was read is compared when it comes."""
        self.verification.begin(0)
        self.read(0, 20)
        self.verification.expect(head_of(20))
        self.assertEqual(self.stats.verified_size, 20)

    def test_resumed(self) -> None:
        """Hashes saved before are compared with a head seen before they were there."""
        self.verification.expect(head_of(20))
        self.verification.resume(range_of(20).copy())
        self.assertEqual(self.stats.verified_size, 20)
        self.verification = Verification(self.stats, Clock(), self.judge)
        self.verification.expect(head_of(20))
        wrong = CompactRange()
        wrong.extend([hash_of(1)] * 20)
        self.verification.resume(wrong)
        self.assertEqual(len(self.judge.doubted), 1)

    def test_proof_is_no_reading(self) -> None:
        """What the log proved counts as verified only from what is read after it."""
        self.verification.expect(head_of(20))
        self.begin(20)
        self.assertEqual(self.stats.verified_size, 0)

    def test_late_proof(self) -> None:
        """A proof that comes late proves what was read before it came, at every head passed."""
        self.verification.begin(100)
        for size in (110, 150, 160):
            self.verification.expect(head_of(size))
        self.read(100, 155)
        self.assertEqual((self.verification.anchor, self.stats.verified_size), (100, 0))
        self.assertTrue(self.verification.precede(range_of(100).copy()))
        self.assertEqual(self.stats.verified_size, 150)
        self.assertEqual(self.verification.range, range_of(155))
        self.read(155, 170)
        self.assertEqual((self.stats.verified_size, len(self.judge.doubted)), (160, 0))

    def test_late_mismatch(self) -> None:
        """It also disproves it; then the next proof begins where the tree is known again."""
        self.verification.begin(100)
        for size in (110, 130, 160):
            self.verification.expect(head_of(size))
        self.read(100, 155, changed=120)
        self.assertTrue(self.verification.precede(range_of(100).copy()))
        self.assertEqual((self.stats.verified_size, len(self.judge.doubted)), (110, 1))
        self.assertEqual(self.verification.anchor, 130)
        self.assertTrue(self.verification.precede(range_of(130).copy()))
        self.read(155, 160)
        self.assertEqual((self.stats.verified_size, len(self.judge.doubted)), (160, 1))

    def test_proof_comes_very_late(self) -> None:
        """However much is read meanwhile, the proof of what lies before the start proves it all."""
        self.verification.begin(10)
        self.verification.expect(head_of(500))
        self.read(10, 500)
        self.read(500, 900)
        self.assertFalse(self.verification.precede(range_of(20).copy()))
        self.assertEqual((self.verification.anchor, self.stats.verified_size), (10, 0))
        self.assertTrue(self.verification.precede(range_of(10).copy()))
        self.assertEqual(self.stats.verified_size, 500)
        self.assertEqual(self.verification.range, range_of(900))

    def test_forgotten_hashes(self) -> None:
        """After a mismatch further back than hashes are kept it goes on where it stands."""
        self.patch(kept_hashes, "MAX_KEPT", 16)
        self.verification.begin(10)
        for size in (30, 100):
            self.verification.expect(head_of(size))
        self.read(10, 100, changed=20)
        self.assertTrue(self.verification.precede(range_of(10).copy()))
        self.assertEqual((self.verification.anchor, len(self.judge.doubted)), (100, 1))

    def test_skip(self) -> None:
        """Behind missing entries it goes on as at a start; what lies before them is given back."""
        self.begin(10)
        self.read(10, 30)
        self.assertEqual(self.verification.skip(30, 40), range_of(30))
        self.assertEqual(self.verification.anchor, 40)
        self.verification.expect(head_of(50))
        self.read(40, 50)
        self.assertTrue(self.verification.precede(range_of(40).copy()))
        self.assertEqual(self.stats.verified_size, 50)
        self.assertRaises(ValueError, self.verification.skip, 49, 60)

    def test_part_before_a_part(self) -> None:
        """What is joined may itself lack its beginning."""
        self.verification.begin(40)
        self.verification.expect(head_of(50))
        self.read(40, 60)
        part = CompactRange.beginning_at(25)
        part.extend(map(hash_of, range(25, 40)))
        self.assertTrue(self.verification.precede(part))
        self.assertEqual((self.verification.anchor, self.stats.verified_size), (25, 0))
        self.assertTrue(self.verification.precede(range_of(25).copy()))
        self.assertEqual(self.stats.verified_size, 50)

    def test_missing_entries_hold_what_is_verified(self) -> None:
        """Beyond entries that are missing nothing counts as verified, until they are there."""
        limit: list[int | None] = [25]
        self.verification = Verification(self.stats, Clock(), self.judge, lambda: limit[0])
        self.begin(10)
        for size in (20, 25, 30, 40):
            self.verification.expect(head_of(size))
        self.read(10, 40)
        self.assertEqual(self.stats.verified_size, 25)
        limit[0] = None
        self.verification.complete()
        self.assertEqual(self.stats.verified_size, 40)

    def test_waits_for_the_need(self) -> None:
        """Who proves is told when there is something to be proven."""
        needed = Deferred.fromCoroutine(self.verification.unproven.wait())
        self.verification.begin(0)
        self.assertNoResult(needed)
        self.assertIsNone(self.verification.anchor)
        self.verification.begin(5)
        self.assertTrue(self.successResultOf(needed))
        self.assertEqual(self.verification.anchor, 5)
        self.verification.precede(range_of(5).copy())
        self.assertIsNone(self.verification.anchor)

    def test_heads_are_bounded(self) -> None:
        """Heads seen before there is anything to compare them with are kept within bounds."""
        for size in range(200):
            self.verification.expect(head_of(size))
        self.begin(150)
        stops = self.read(150, 200)
        self.assertEqual(stops[-1], 200)
        self.assertLessEqual(len(stops), MAX_HEADS_AHEAD)
        self.assertEqual((len(self.judge.doubted), self.stats.verified_size), (0, 199))

    def test_many_heads(self) -> None:
        """Far behind, heads are thinned out; the first and the newest always stay."""
        self.verification.begin(0)
        for size in range(10, 1010, 10):
            self.verification.expect(head_of(size))
        stops = self.read(0, 1000)
        self.assertEqual((stops[0], stops[-1]), (10, 1000))
        self.assertLessEqual(len(stops), MAX_HEADS_AHEAD)
        self.assertEqual(self.stats.verified_size, 1000)

    def test_roots_are_bounded(self) -> None:
        """What is remembered of heads passed does not grow for ever."""
        self.verification.begin(0)
        for size in range(1, 200):
            self.verification.expect(head_of(size))
            self.read(size - 1, size)
        self.assertEqual(len(self.verification._verified), MAX_ROOTS)

    def test_old_head_that_differs(self) -> None:
        """A head of a size verified before, with another root, contradicts; nothing is undone."""
        self.verification.begin(0)
        self.verification.expect(head_of(10))
        self.read(0, 20)
        other = head_of(10, root=b"z" * 32)
        self.verification.expect(head_of(10, timestamp=5))
        self.verification.expect(other)
        self.assertEqual(self.judge.contradictions, [(head_of(10), other)])
        self.verification.expect(head_of(30))
        self.read(20, 30)
        self.assertEqual((self.stats.verified_size, self.judge.doubted), (30, []))
        self.assertEqual(self.verification.head, head_of(30))
        self.assertEqual(self.verification.head_at(10), head_of(10))

    def test_two_heads_of_one_size(self) -> None:
        """Two roots of one size contradict each other at once; the one that was read is right."""
        for order in (1, -1):
            self.setUp()
            self.verification.begin(0)
            pair = [head_of(10), head_of(10, root=b"z" * 32)][::order]
            for head in (*pair, *pair):
                self.verification.expect(head)
            self.assertEqual(self.judge.contradictions, [tuple(pair)])
            self.read(0, 10)
            self.assertEqual((self.stats.verified_size, self.judge.doubted), (10, []))
            self.assertIsNone(self.verification.anchor)

    def test_head_that_was_in_doubt(self) -> None:
        """Once a head did not match, another one of its size contradicts it."""
        self.verification.begin(0)
        wrong = head_of(10, root=b"z" * 32)
        self.verification.expect(wrong)
        self.read(0, 10)
        self.verification.expect(head_of(10))
        self.assertEqual(self.judge.contradictions, [(wrong, head_of(10))])

    def test_heads_passed_by(self) -> None:
        """Heads that can no longer be compared are told, whether they come late or are passed."""
        self.verification.expect(head_of(5))
        self.begin(10)
        self.read(10, 30)
        self.verification.expect(head_of(20))
        self.verification.expect(head_of(0))
        self.assertEqual([head.size for head in self.judge.old], [5, 20, 0])

    def test_doubt(self) -> None:
        """A mismatch says which entries are in doubt, and what they hashed to."""
        self.begin(10)
        for size in (20, 30):
            self.verification.expect(head_of(size))
        self.read(10, 30, changed=25)
        (doubt,) = self.judge.doubted
        self.assertEqual((doubt.base, doubt.end, doubt.head), (range_of(20), 30, head_of(30)))
        self.assertEqual((doubt.start, doubt.root), (20, head_of(30).root))
        self.assertEqual(doubt.first_hash(24), hash_of(24))
        self.assertEqual(doubt.first_hash(25), hash_of(-1))
        self.assertNotEqual(doubt.ours, range_of(30))

    def test_spots(self) -> None:
        """Far from any head the log is asked what its tree is, every so many entries."""
        self.patch(verification_module, "SPOT_EVERY", 50)
        self.verification.begin(0)
        self.verification.expect(head_of(200))
        self.read(0, 49)
        self.assertIsNone(self.verification.spot)
        asked = Deferred.fromCoroutine(self.verification.unproven.wait())
        self.read(49, 60)
        self.assertTrue(self.successResultOf(asked))
        spot = self.verification.spot
        assert spot is not None
        self.assertEqual(spot.tree, range_of(60))
        self.read(60, 100)
        self.assertIs(self.verification.spot, spot)
        self.verification.looked_at(spot, range_of(60).copy())
        self.assertEqual((self.verification.spot, self.stats.verified_size), (None, 60))
        self.read(100, 115)
        self.assertEqual(self.verification.spot.tree, range_of(115))
        self.verification.looked_at(self.verification.spot, None)
        self.read(115, 200)
        self.assertEqual((self.stats.verified_size, self.judge.doubted), (200, []))

    def test_wrong_at_a_spot(self) -> None:
        """What the log proves there is held against what was read, which goes on from there."""
        self.patch(verification_module, "SPOT_EVERY", 50)
        self.verification.begin(0)
        self.read(0, 60, changed=33)
        spot = self.verification.spot
        assert spot is not None
        self.read(60, 80)
        self.verification.expect(head_of(100))
        self.verification.looked_at(spot, range_of(60).copy())
        (doubt,) = self.judge.doubted
        self.assertEqual((doubt.start, doubt.end, doubt.proven), (0, 60, range_of(60)))
        self.assertEqual(doubt.first_hash(33), hash_of(-1))
        self.assertEqual(self.verification.anchor, 60)
        self.assertTrue(self.verification.precede(range_of(60).copy()))
        self.read(80, 100)
        self.assertEqual(self.stats.verified_size, 100)

    def test_spot_before_missing_entries(self) -> None:
        """What was read since the last head before missing entries is proven by the log at once."""
        self.begin(10)
        self.verification.expect(head_of(20))
        self.read(10, 25)
        self.verification.skip(25, 30)
        spot = self.verification.spot
        assert spot is not None
        self.assertEqual((spot.base, spot.tree), (range_of(20), range_of(25)))
        self.verification.looked_at(spot, range_of(25).copy())
        self.assertEqual((self.stats.verified_size, self.verification.anchor), (25, 30))
        self.verification.skip(30, 40)
        self.assertIsNone(self.verification.spot)

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 299), st.integers(0, 299), st.lists(st.integers(1, 299), max_size=20))
    def test_changed_entry(self, start: int, changed: int, heads: list[int]) -> None:
        """Any changed entry is noticed at the first head behind it, and never before."""
        self.setUp()
        self.begin(start)
        for size in [*heads, 300]:
            self.verification.expect(head_of(size))
        self.read(start, 300, changed)
        if changed < start:
            self.assertEqual((self.judge.doubted, self.stats.verified_size), ([], 300))
        else:
            (doubt,) = self.judge.doubted
            self.assertEqual(doubt.end, min(size for size in [*heads, 300] if size > changed))
            self.assertLessEqual(doubt.start, changed)
            self.assertEqual(doubt.first_hash(changed), hash_of(-1))
            self.assertLessEqual(self.stats.verified_size, changed)
            self.assertEqual(self.verification.anchor, doubt.end)
