"""What is remembered of digests, for how long, and in how much memory."""

from collections.abc import Iterable
from random import Random
from sys import getsizeof

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.hub.recent import DIGEST_BYTES, Recent

MAX_ENTRY_BYTES = 60


def digests(count: int, seed: int = 1) -> list[bytes]:
    """As good as random."""
    random = Random(seed)
    return [random.randbytes(DIGEST_BYTES) for _ in range(count)]


def in_memory(recent: Recent) -> int:
    """Bytes that it takes, all in all."""
    buckets = recent._buckets
    return getsizeof(recent) + getsizeof(buckets) + sum(map(getsizeof, filter(None, buckets)))


class RecentTests(SynchronousTestCase):
    """A set that forgets."""

    def add(self, recent: Recent, each: Iterable[bytes], now: int = 0) -> list[bytes]:
        """Those of them that were new."""
        return [digest for digest in each if recent.is_new(digest, now)]

    def test_each_is_new_once(self) -> None:
        """However many others come between."""
        recent = Recent(100_000, 10)
        some = digests(5000)
        self.assertEqual(self.add(recent, some), some)
        self.assertEqual(self.add(recent, some), [])
        self.assertEqual(len(recent), 5000)

    def test_time(self) -> None:
        """It counts from when a digest was first added: a repetition does not prolong it."""
        recent = Recent(10, 5)
        one, other = digests(2)
        self.assertTrue(recent.is_new(one, 100))
        self.assertFalse(recent.is_new(one, 104))
        self.assertTrue(recent.is_new(other, 104))
        self.assertTrue(recent.is_new(one, 105))
        self.assertFalse(recent.is_new(one, 109))
        self.assertTrue(recent.is_new(other, 109))

    def test_clock_is_set_back(self) -> None:
        """What was added in the future is not known; from then on the newest addition counts."""
        recent = Recent(100, 5)
        (one,) = digests(1)
        self.assertTrue(recent.is_new(one, 1000))
        self.assertTrue(recent.is_new(one, 10))
        self.assertFalse(recent.is_new(one, 14))
        self.assertTrue(recent.is_new(one, 15))

    def test_old_ones_leave_the_memory(self) -> None:
        """Without anybody asking for them."""
        recent = Recent(10_000, 5)
        self.add(recent, digests(5000), 0)
        self.add(recent, digests(20_000, seed=2), 5)
        self.assertLessEqual(len(recent), 10_000)
        first_ones = self.add(recent, digests(5000), 5)
        self.assertEqual(len(first_ones), 5000)

    def test_capacity(self) -> None:
        """It is never passed, nearly reached, and the oldest make room."""
        for capacity in (1, 2, 31, 33, 1000, 100_000):
            recent = Recent(capacity, 1000)
            some = digests(2 * capacity)
            self.add(recent, some)
            self.assertLessEqual(len(recent), capacity)
            self.assertGreaterEqual(len(recent), 0.85 * capacity)
            kept = set(some) - set(self.add(recent, some[::-1]))
            newest = set(some[-capacity // 2 :])
            self.assertGreaterEqual(len(kept & newest), 0.9 * len(newest))

    def test_forget(self) -> None:
        """The last one only, and only if it is that one."""
        recent = Recent(10, 5)
        one, other = digests(2)
        recent.forget(one)
        self.add(recent, (one, other))
        recent.forget(one)
        self.assertEqual(len(recent), 2)
        recent.forget(other)
        self.assertEqual(len(recent), 1)
        self.assertFalse(recent.is_new(one, 0))
        self.assertTrue(recent.is_new(other, 0))

    def test_record_boundaries(self) -> None:
        """Bytes of two records that look like a digest are none."""
        recent = Recent(10, 1000)
        self.assertTrue(recent.is_new(b"\1" * 12 + b"abcd", 0x65666768))
        self.assertTrue(recent.is_new(b"ijklmnop" + b"\2" * 8, 0x65666768))
        self.assertTrue(recent.is_new(b"abcdefghijklmnop", 0x65666768))
        self.assertFalse(recent.is_new(b"abcdefghijklmnop", 0x65666768))

    def test_memory(self) -> None:
        """Little of each when it is full, and next to nothing before anything came."""
        recent = Recent(100_000, 1000)
        self.assertLess(in_memory(recent), 1024)
        self.add(recent, digests(300_000))
        self.assertLess(in_memory(recent) / len(recent), 30)
        large = Recent(1_000_000, 1000)
        self.add(large, digests(1))
        self.assertLess(in_memory(large), 300 * 1024)

    @given(
        capacity=st.integers(1, 200),
        ttl=st.integers(1, 20),
        steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), max_size=150),
    )
    @settings(deadline=None, max_examples=150)
    def test_never_says_that_it_knows_what_it_does_not(
        self, capacity: int, ttl: int, steps: list[tuple[int, int]]
    ) -> None:
        """A digest is withheld only if it was let through less than ``ttl`` ago; where there is
        room for all, always then."""
        recent = Recent(capacity, ttl)
        some = digests(61)
        let_through: dict[int, int] = {}
        now = 0
        for which, passed in steps:
            now += passed
            known = which in let_through and now - let_through[which] < ttl
            is_new = recent.is_new(some[which], now)
            self.assertFalse(not is_new and not known)
            if capacity <= 32 and capacity > len(let_through):
                self.assertEqual(is_new, not known)
            if is_new:
                let_through[which] = now
            self.assertLessEqual(len(recent), capacity)
