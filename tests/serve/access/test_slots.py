"""Places that are taken."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.access.slots import Slot, Slots


class SlotTests(SynchronousTestCase):
    """Places."""

    def test_given_back_once(self) -> None:
        """However often that is said."""
        slots = Slots()
        first, second = slots.take(b"a"), slots.take(b"a")
        first.release()
        first.release()
        self.assertEqual((slots.total, slots.of(b"a")), (1, 1))
        second.release()
        self.assertEqual((slots.total, slots.networks), (0, 0))

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=60))
    @settings(deadline=None, max_examples=100)
    def test_counts(self, steps: list[tuple[bool, int]]) -> None:
        """The counts are those of the places that are taken; of who left nothing stays."""
        slots, held = Slots(), []
        for take, which in steps:
            if take:
                held.append((b"%d" % which, slots.take(b"%d" % which)))
            elif held:
                held.pop(which % len(held))[1].release()
            expected = Counter(network for network, _ in held)
            self.assertEqual(slots.total, expected.total())
            self.assertEqual(slots.networks, len(expected))
            for network, count in expected.items():
                self.assertEqual(slots.of(network), count)

    def test_million(self) -> None:
        """Addresses that came and went leave nothing behind."""
        slots = Slots()
        for i in range(100_000):
            slots.take(i.to_bytes(8, "big")).release()
        self.assertEqual(slots.networks, 0)
        self.assertIsInstance(slots.take(b"a"), Slot)
