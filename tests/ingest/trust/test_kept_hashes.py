"""Leaf hashes that are kept for a while."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.trust import kept_hashes
from certstream_tx.ingest.trust.kept_hashes import KeptHashes
from tests.ingest.fake_log import hash_of


class KeptHashesTests(SynchronousTestCase):
    """What is given back is what was kept."""

    def setUp(self) -> None:
        self.patch(kept_hashes, "MAX_KEPT", 40)

    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 9), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 120))))
    def test_newest_are_kept(self, start: int, steps: list[tuple[int, int]]) -> None:
        """The newest are there, in order, within the bound; what is not is said to be missing."""
        kept = KeptHashes(start)
        end = forgotten = start
        for count, forget in steps:
            kept.extend([hash_of(index) for index in range(end, end + count)])
            end += count
            kept.forget_before(forget)
            forgotten = max(forgotten, min(forget, end))
            self.assertEqual(kept.end, end)
            self.assertLessEqual(end - kept.start, 40)
            self.assertLessEqual(kept.start, max(forgotten, end - 30 + 1))
            expected = [hash_of(index) for index in range(kept.start, end)]
            self.assertEqual(kept.hashes(kept.start, end), expected)
            self.assertIsNone(kept.between(kept.start - 1, end))
            self.assertIsNone(kept.between(kept.start, end + 1))
            self.assertIsNone(kept.hashes(kept.start, end + 1))
            self.assertEqual(kept.between(kept.start, end), b"".join(expected))
            if len(expected) > 2:
                self.assertEqual(kept.hashes(kept.start + 1, end - 1), expected[1:-1])
