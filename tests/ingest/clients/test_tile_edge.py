"""Tests of certstream_tx.ingest.clients.tile_edge."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.clients.tile_edge import TileEdge


class TileEdgeTests(SynchronousTestCase):
    """How long entries wait in a partial tile."""

    def test_first_seen(self) -> None:
        """An entry waits since the first head that has it."""
        edge = TileEdge()
        edge.seen(10, 100.0)
        edge.seen(20, 105.0)
        edge.seen(20, 107.0)
        self.assertEqual(edge.waited(0, 110.0), 10)
        self.assertEqual(edge.waited(9, 110.0), 10)
        self.assertEqual(edge.waited(10, 110.0), 5)
        self.assertEqual(edge.waited(19, 110.0), 5)
        self.assertEqual(edge.waited(20, 110.0), 0)

    def test_older_heads(self) -> None:
        """A smaller head of a replica changes nothing."""
        edge = TileEdge()
        edge.seen(20, 100.0)
        edge.seen(10, 101.0)
        edge.seen(20, 102.0)
        self.assertEqual(edge.waited(15, 110.0), 10)

    def test_next_tile(self) -> None:
        """When a tile is full the times of its entries are forgotten, not those of the next."""
        edge = TileEdge()
        edge.seen(250, 100.0)
        edge.seen(260, 105.0)
        edge.seen(270, 106.0)
        self.assertEqual(edge.waited(256, 110.0), 5)
        self.assertEqual(edge.waited(265, 110.0), 4)
        edge.seen(512, 107.0)
        self.assertEqual(edge.waited(512, 110.0), 0)
        edge.seen(513, 109.0)
        self.assertEqual(edge.waited(512, 110.0), 1)

    def test_nothing_seen(self) -> None:
        """Before the first head nothing waits; when the clock is set back they wait anew."""
        edge = TileEdge()
        self.assertEqual(edge.waited(0, 5.0), 0)
        edge.seen(1, 100.0)
        self.assertEqual(edge.waited(0, 50.0), 0)
        self.assertEqual(edge.waited(0, 53.0), 3)

    @given(st.lists(st.integers(0, 2000), min_size=1, max_size=60))
    @settings(deadline=None, max_examples=100)
    def test_any_heads(self, sizes: list[int]) -> None:
        """It agrees with remembering everything, for the entries of the newest partial tile."""
        edge = TileEdge()
        for now, size in enumerate(sizes):
            edge.seen(size, now)
        largest = max(sizes)
        for position in range(largest - largest % 256, largest):
            first = next(now for now, size in enumerate(sizes) if size > position)
            self.assertEqual(edge.waited(position, 100), 100 - first)
        self.assertLessEqual(len(edge._sizes), 256)
