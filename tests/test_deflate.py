"""Compression of a stream that is shared: whoever has the window can read on."""

import random
import time
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import read_entry
from certstream_tx.deflate import FLUSH_TAIL, WINDOW_BYTES, Deflator, alone
from certstream_tx.message.documents import Message, Source
from tests.ct.samples import page_entries

TEXTS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        # Texts that refer far back, and much text at once.
        st.tuples(st.integers(0, 9), st.integers(1, 12_000)).map(lambda t: noise(*t)),
    ),
    min_size=1,
    max_size=30,
)


def noise(seed: int, length: int) -> bytes:
    """Bytes that only their own repetition compresses."""
    return random.Random(seed).randbytes(length)


class DeflatorTests(SynchronousTestCase):
    """What comes out."""

    @given(TEXTS)
    @settings(deadline=None, max_examples=100)
    def test_each_text_is_there_at_once(self, texts: list[bytes]) -> None:
        """Each text can be inflated when its own bytes are there, and ends with an empty block."""
        deflator, inflator = Deflator(), zlib.decompressobj(-zlib.MAX_WBITS)
        for text in texts:
            deflated = deflator.text(text)
            self.assertTrue(deflated.endswith(FLUSH_TAIL))
            self.assertEqual(inflator.decompress(deflated), text)

    @given(TEXTS, st.integers(0, 40))
    @settings(deadline=None, max_examples=200)
    def test_who_has_the_window_reads_on(self, texts: list[bytes], joins: int) -> None:
        """One that comes in the middle, and gets as many of the newest texts as fill the window
        deflated on their own, can inflate all that follows."""
        deflator = Deflator()
        for text in texts[:joins]:
            deflator.text(text)
        window: list[bytes] = []
        for text in reversed(texts[:joins]):
            if sum(map(len, window)) < WINDOW_BYTES:
                window.insert(0, text)
        inflator = zlib.decompressobj(-zlib.MAX_WBITS)
        primed = [inflator.decompress(deflated) for deflated in alone(window)]
        self.assertEqual(primed, window)
        for text in texts[joins:]:
            self.assertEqual(inflator.decompress(deflator.text(text)), text)

    def test_reaches_back_as_far_as_the_window(self) -> None:
        """What was said nearly a window ago is not said again; what was said before it is."""
        for distance, small in ((WINDOW_BYTES - 1_000, True), (WINDOW_BYTES + 1_000, False)):
            deflator = Deflator()
            deflator.text(noise(1, 400))
            deflator.text(noise(2, distance - 400))
            self.assertEqual(len(deflator.text(noise(1, 400))) < 40, small)

    def test_alone_refers_to_nothing_before(self) -> None:
        """The first of the texts stands by itself, the others lean on it."""
        first, second = alone([noise(1, 1_000), noise(1, 1_000)])
        self.assertGreater(len(first), 1_000)
        self.assertLess(len(second), 40)
        self.assertEqual(alone([]), [])

    def test_size_of_real_messages(self) -> None:
        """Messages of the live entries, each once: a quarter of their size, and less than a third
        where nothing like them came before."""
        source = Source("Log", "https://log.example", "Operator", None, "rfc6962")
        messages = [Message(read_entry(*r), source, 1.0).lite() for r in page_entries()]
        deflator = Deflator()
        sizes = [len(deflator.text(message)) for message in messages]
        whole = sum(map(len, messages))
        self.assertLess(sum(sizes), 0.30 * whole)

    def test_worst_text(self) -> None:
        """A megabyte made to be searched for matches takes about as long as any other: at a higher
        level it would take thirty times as long, in which nobody is sent anything."""
        times = []
        for letters in (b"0123456789abcdef", b"ab"):
            text = bytes(random.Random(1).choices(letters, k=1 << 20))
            begin = time.process_time()
            Deflator().text(text)
            times.append(time.process_time() - begin)
        self.assertLess(times[1], 5 * times[0])
