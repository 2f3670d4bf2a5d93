"""The memory of what was read: bounded, and kind to what is in use."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.x509.cache import LARGEST_SHARE, BoundedCache
from tests.ct.samples import PROPERTY


class BoundedCacheTests(SynchronousTestCase):
    """Count and bytes, whatever is put in."""

    def test_remembers(self) -> None:
        """What was put in comes out, falsy values too; what was not is None."""
        cache: BoundedCache[str | bool] = BoundedCache(max_entries=8, max_bytes=1000)
        cache.put(b"a", "x")
        cache.put(b"b", False)
        self.assertEqual((cache.get(b"a"), cache.get(b"b"), cache.get(b"c")), ("x", False, None))

    @given(st.lists(st.binary(max_size=14), max_size=200))
    @PROPERTY
    def test_bounds(self, keys: list[bytes]) -> None:
        """Never more entries nor bytes than allowed, and never a wrong value."""
        cache: BoundedCache[bytes] = BoundedCache(max_entries=30, max_bytes=400, weigh=len)
        for key in keys:
            found = cache.get(key)
            if found is None:
                cache.put(key, key)
            else:
                self.assertEqual(found, key)
            self.assertLessEqual(len(cache), 30)
            self.assertLessEqual(sum(len(k) + len(v) for k, v in cache.items()), 400)

    def test_bytes_bound(self) -> None:
        """Few large values fill it as many small ones do, keys counted."""
        for key, size in ((b"%010d", 10), (b"%020d", 0), (b"%02d", 18)):
            cache: BoundedCache[bytes] = BoundedCache(max_entries=100, max_bytes=320, weigh=len)
            for i in range(96):
                cache.put(key % i, bytes(size))
            self.assertEqual(len(cache), 16)

    def test_found_again_is_weighed_again(self) -> None:
        """What moves to the young generation counts there."""
        cache: BoundedCache[bytes] = BoundedCache(max_entries=100, max_bytes=320, weigh=len)
        for _ in range(20):
            for i in range(16):
                if cache.get(b"%02d" % i) is None:
                    cache.put(b"%02d" % i, bytes(18))
                self.assertLessEqual(len(cache), 16)

    def test_what_is_used_stays(self) -> None:
        """An entry that is asked for now and then outlives any number that never are."""
        cache: BoundedCache[int] = BoundedCache(max_entries=10, max_bytes=10_000)
        cache.put(b"issuer", 1)
        for i in range(1000):
            cache.put(b"%d" % i, i)
            if i % 3 == 0:
                self.assertEqual(cache.get(b"issuer"), 1, i)
        self.assertIsNone(cache.get(b"0"))

    def test_giants_are_not_kept(self) -> None:
        """One giant key does not flush everything else."""
        cache: BoundedCache[int] = BoundedCache(
            max_entries=10, max_bytes=1600, weigh=lambda value: 0
        )
        cache.put(b"issuer", 1)
        giant = bytes(1600 // LARGEST_SHARE + 1)
        for _ in range(100):
            cache.put(giant, 2)
        self.assertIsNone(cache.get(giant))
        self.assertEqual(cache.get(b"issuer"), 1)
