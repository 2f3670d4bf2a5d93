"""The newest messages: bounded in number and bytes, found by hash."""

import gc
import json
import tracemalloc
from hashlib import sha1, sha256
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import read_entry
from certstream_tx.hub import Newest
from certstream_tx.hub.newest import BYTES_EACH, LARGEST_SHARE, LEAST_BYTES
from certstream_tx.message.documents import Source, build_message
from tests.ct.samples import page_entries
from tests.hub.messages import Numbered

SOURCE = Source("A log", "https://log.example", None, None, "rfc6962")


def hashes(number: int) -> tuple[bytes, bytes]:
    """Those of a numbered message."""
    der = b"%d" % number
    return sha256(der).digest(), sha1(der).digest()


class NewestTests(SynchronousTestCase):
    """What is kept, and what goes."""

    def numbers(self, newest: Newest) -> list[int]:
        """Of what is kept, oldest first."""
        return [json.loads(message.lite().split(b" ")[1]) for message in newest]

    def test_number(self) -> None:
        """The oldest go when there are more than asked for."""
        newest = Newest(3)
        for i in range(5):
            newest.append(Numbered(i))
        self.assertEqual(self.numbers(newest), [2, 3, 4])
        self.assertEqual(next(reversed(newest)).lite(), b"lite 4 ")
        self.assertEqual((len(newest), newest.capacity), (3, 3))

    def test_bytes(self) -> None:
        """The oldest go as well when all together are too large."""
        newest = Newest(1000)
        each = 1000 * BYTES_EACH // LARGEST_SHARE
        for i in range(40):
            newest.append(Numbered(i, padding=each))
        self.assertEqual(self.numbers(newest), list(range(40 - LARGEST_SHARE, 40)))
        self.assertEqual(newest.size, LARGEST_SHARE * each)

    def test_giant(self) -> None:
        """One out of all proportion is not kept, and pushes nothing out."""
        for indexed in (False, True):
            newest = Newest(5, indexed=indexed)
            newest.append(Numbered(1))
            newest.append(Numbered(2, padding=LEAST_BYTES // LARGEST_SHARE + 1))
            self.assertEqual(self.numbers(newest), [1])
            self.assertIsNone(newest.find(hashes(2)[0]))

    def test_find(self) -> None:
        """A certificate is found by either hash while it is kept; unindexed, none is."""
        newest, plain = Newest(2, indexed=True), Newest(2)
        for i in range(3):
            newest.append(Numbered(i))
            plain.append(Numbered(i))
        for digest in hashes(2):
            found = newest.find(digest)
            assert found is not None
            self.assertEqual(found.full(), b"full 2 ")
            self.assertIsNone(plain.find(digest))
        for digest in (*hashes(0), b"", bytes(32)):
            self.assertIsNone(newest.find(digest))

    def test_same_certificate_again(self) -> None:
        """Of a certificate that came twice the newest is found, until that goes too."""
        newest = Newest(2, indexed=True)
        for number, padding in ((1, 0), (1, 3), (2, 0)):
            newest.append(Numbered(number, padding))
        found = newest.find(hashes(1)[0])
        assert found is not None
        self.assertEqual(found.lite(), b"lite 1 ...")
        newest.append(Numbered(3))
        self.assertIsNone(newest.find(hashes(1)[0]))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20_000))), st.integers(1, 8))
    def test_index_is_what_is_kept(self, came: list[tuple[int, int]], capacity: int) -> None:
        """Exactly the certificates that are kept are found, whatever came."""
        newest = Newest(capacity, indexed=True)
        for number, padding in came:
            newest.append(Numbered(number, padding))
            kept = set(self.numbers(newest))
            for each in range(7):
                for digest in hashes(each):
                    self.assertEqual(newest.find(digest) is not None, each in kept)
        self.assertEqual(newest.size, sum(len(message.padding) for message in newest))

    def test_memory(self) -> None:
        """A thousand real certificates with their chains, index and all, take less than 3 MB."""
        entries = [read_entry(*each) for each in page_entries()]
        random = Random(1)
        newest = Newest(1000, indexed=True)
        for entry in entries:
            newest.append(build_message(entry, SOURCE, lambda: 1.0))
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for i in range(1000):
            entry = entries[i % len(entries)]
            der, chain = entry.submitted, entry.chain
            fresh = entry._replace(
                submitted=der[:16] + random.randbytes(15) + der[31:],  # another serial number
                chain=tuple(bytes(memoryview(each)) for each in chain),
            )
            newest.append(build_message(fresh, SOURCE, lambda: 1.0))
        gc.collect()
        self.assertEqual(len(newest), 1000)
        self.assertLess(tracemalloc.get_traced_memory()[0], 3_000_000)
