"""Chunks, how they are cut, and the bounds of a ring."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.hub.ring import Chunk, Ring, split

FRAMES = st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=8)


class ChunkTests(SynchronousTestCase):
    """Where frames begin and end."""

    @given(FRAMES, st.data())
    @settings(deadline=None, max_examples=100)
    def test_boundaries(self, frames: list[bytes], data: st.DataObject) -> None:
        """Every offset has its next boundary, frames begun before it and frames whole by then."""
        chunk = Chunk(0, 0, frames)
        offset = data.draw(st.integers(0, len(chunk.data)))
        ends = [sum(map(len, frames[: i + 1])) for i in range(len(frames))]
        begins = [0, *ends[:-1]]
        self.assertEqual(chunk.count, len(frames))
        self.assertEqual(chunk.boundary(offset), min(e for e in [0, *ends] if e >= offset))
        self.assertEqual(chunk.begun(offset), sum(1 for begin in begins if begin < offset))
        self.assertEqual(chunk.whole(offset), sum(1 for end in ends if end <= offset))

    def test_one_frame_is_not_copied(self) -> None:
        """A chunk of one frame is that very object."""
        frame = b"frame"
        self.assertIs(Chunk(0, 0, [frame]).data, frame)

    @given(FRAMES, st.integers(1, 20))
    @settings(deadline=None, max_examples=100)
    def test_split(self, frames: list[bytes], limit: int) -> None:
        """Runs keep the order, stay within the limit unless a single frame is above it, and could
        not be fewer by joining two neighbours."""
        runs = list(split(frames, limit))
        sizes = [sum(map(len, run)) for run in runs]
        self.assertEqual([frame for run in runs for frame in run], frames)
        for run, size in zip(runs, sizes, strict=True):
            self.assertTrue(size <= limit or len(run) == 1)
        for run, following in zip(sizes, runs[1:], strict=False):
            self.assertGreater(run + len(following[0]), limit)


class RingTests(SynchronousTestCase):
    """What is kept."""

    def test_bounded_in_bytes_and_messages(self) -> None:
        """Whichever bound is passed, the oldest chunks go until both hold."""
        ring = Ring(max_bytes=10, max_messages=4)
        chunks = [Chunk(0, 0, [b"aaa", b"b"]), Chunk(1, 2, [b"cccc"]), Chunk(2, 3, [b"ddd"])]
        self.assertEqual([ring.append(c) for c in chunks], [[], [], [chunks[0]]])
        self.assertEqual((ring.size, ring.messages), (7, 2))
        many = Chunk(3, 4, [b"e"] * 3)
        self.assertEqual(ring.append(many), [chunks[1]])
        self.assertEqual((ring.size, ring.messages), (6, 4))
        self.assertIs(ring.oldest(), chunks[2])
        self.assertIs(ring.chunk(3), many)

    def test_young_chunks_stay(self) -> None:
        """However many messages there are, those of the last seconds go for their bytes only."""
        ring = Ring(max_bytes=50, max_messages=2, min_seconds=2.0)
        chunks = [Chunk(i, i, [b"0123456789"], at=i * 0.5) for i in range(8)]
        kept = [(len(ring.append(chunk)), ring.messages) for chunk in chunks]
        self.assertEqual(kept, [(0, 1), (0, 2), (0, 3), (0, 4), (1, 4), (1, 4), (1, 4), (1, 4)])
        self.assertEqual(len(ring.append(Chunk(8, 8, [b"0" * 25], at=3.5))), 2)
        self.assertEqual(ring.size, 45)

    def test_quiet_stream(self) -> None:
        """As many messages as there may be are kept however old they are."""
        ring = Ring(max_bytes=50, max_messages=2, min_seconds=2.0)
        for i in range(4):
            ring.append(Chunk(i, i, [b"x"], at=i * 1000.0))
        self.assertEqual((ring.messages, ring.oldest().number), (2, 2))

    def test_clock_set_back(self) -> None:
        """While the clock catches up, the bytes are bounded all the same."""
        ring = Ring(max_bytes=5, max_messages=2, min_seconds=2.0)
        for i in range(20):
            ring.append(Chunk(i, i, [b"x"], at=1000.0 - i * 100))
        self.assertEqual(ring.messages, 5)

    def test_newest_chunk_stays(self) -> None:
        """A chunk above the bounds is kept as long as it is the newest."""
        ring = Ring(max_bytes=2, max_messages=1)
        first, second = Chunk(0, 0, [b"long", b"longer"]), Chunk(1, 2, [b"long"])
        self.assertEqual(ring.append(first), [])
        self.assertEqual(ring.append(second), [first])
        self.assertIs(ring.oldest(), second)

    def test_clear_keeps_numbers(self) -> None:
        """A cleared ring holds nothing and numbers its next chunk as if it did."""
        ring = Ring(100, 100)
        ring.append(Chunk(0, 0, [b"a"]))
        ring.clear()
        self.assertEqual((ring.size, ring.messages, ring.next_number), (0, 0, 1))
