"""The memory of what was read: bounded, and kind to what is in use."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.x509.cache import LONGEST_KEY_SHARE, BoundedCache
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
        """Never more entries nor bytes of keys than allowed, and never a wrong value."""
        cache: BoundedCache[bytes] = BoundedCache(max_entries=40, max_bytes=200)
        for key in keys:
            found = cache.get(key)
            if found is None:
                cache.put(key, key)
            else:
                self.assertEqual(found, key)
            self.assertLessEqual(len(cache), 40)
            self.assertLessEqual(sum(map(len, cache.keys())), 200)

    def test_bytes_bound(self) -> None:
        """Few long keys fill it as many short ones do."""
        cache: BoundedCache[int] = BoundedCache(max_entries=100, max_bytes=320)
        for i in range(96):
            cache.put(b"%020d" % i, i)
        self.assertEqual(len(cache), 16)

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
        cache: BoundedCache[int] = BoundedCache(max_entries=10, max_bytes=1600)
        cache.put(b"issuer", 1)
        giant = bytes(1600 // LONGEST_KEY_SHARE + 1)
        for _ in range(100):
            cache.put(giant, 2)
        self.assertIsNone(cache.get(giant))
        self.assertEqual(cache.get(b"issuer"), 1)
