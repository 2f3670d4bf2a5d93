"""Tests of :mod:`certstream_tx.ingest.clients.hybrid`: a log of both protocols on one prefix."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry
from certstream_tx.demo.rfc6962 import rfc6962
from certstream_tx.demo.static import static
from certstream_tx.ingest.clients.hybrid import MISSING, PAGES_THEN, HybridClient
from certstream_tx.ingest.http.errors import BadSignature, Refused
from tests.ingest.fake_log import Follower
from tests.ingest.faults import Answer
from tests.ingest.fronted_log import FrontedLog

PAGE = 256


class HybridCase(SynchronousTestCase):
    """An RFC 6962 log of 700 entries that serves tiles too, but no checkpoint."""

    def setUp(self) -> None:
        self.fake = FrontedLog("rfc6962", 700)
        behind = rfc6962(self.fake.log)
        faces = static(self.fake.log)
        for part in (b"tile", b"issuer"):
            behind.putChild(part, faces.children[part])
        self.fake.front.behind = behind
        self.fake.listed = replace(self.fake.listed, kind="tiled", get_sth=True)
        self.client = HybridClient(self.fake.rfc6962(PAGE), self.fake.static(partial_wait=0.0))
        self.head = self.fake.head()

    def entries(self, start: int, end: int) -> list[Entry]:
        asking = self.client.entries(start, end, self.head)
        return self.successResultOf(Deferred.fromCoroutine(asking))

    def without(self, *parts: str) -> None:
        """The log does not have what has one of these in its path."""
        gone = Answer(404)
        self.fake.front.rule = lambda path: gone if any(p in path for p in parts) else None


class HybridClientTests(HybridCase):
    """What is asked for, by which protocol."""

    def test_head_by_get_sth(self) -> None:
        """The checkpoint, which is not there, is never asked for; signatures count."""
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(self.client.head())), self.head
        )
        self.assertEqual(self.fake.asked(), ["ct/v1/get-sth"])
        body = b'{"tree_size":1,"timestamp":1,"sha256_root_hash":"%s","tree_head_signature":"BAMA"}'
        self.fake.front.next.append(Answer(body=body % (b"A" * 43 + b"=")))
        self.failureResultOf(Deferred.fromCoroutine(self.client.head()), BadSignature)

    def test_entries_by_tiles(self) -> None:
        """Full and partial tiles of leaves without a leaf_index extension, as they are signed."""
        for start, end in ((0, 256), (300, 512), (512, 700)):
            found = self.entries(start, end)
            self.assertEqual([each.leaf_hash for each in found], self.fake.leaf_hashes(start, end))
            self.assertTrue(all(each.chain for each in found))
        tiles = [path for path in self.fake.asked() if not path.startswith("issuer/")]
        self.assertEqual(tiles, ["tile/data/000", "tile/data/001", "tile/data/002.p/188"])

    def test_same_entries_as_by_pages(self) -> None:
        """Certificate, chain and all else do not depend on the way."""
        by_pages = Deferred.fromCoroutine(self.fake.rfc6962(PAGE).entries(0, 256, self.head))
        self.assertEqual(self.entries(0, 256), self.successResultOf(by_pages))

    def test_part_of_a_tile(self) -> None:
        """A single entry, asked for when its tile cannot be used, comes by get-entries."""
        self.assertEqual(len(self.entries(7, 8)), 1)
        self.assertEqual(self.fake.asked(), ["ct/v1/get-entries?start=7&end=7"])

    def test_missing_partial_tile(self) -> None:
        """A log that serves full tiles only is read to its head by get-entries."""
        self.without(".p/", "tile/data/002")
        for _ in range(MISSING):
            self.assertEqual(len(self.entries(512, 700)), 188)
        self.fake.asked()
        for _ in range(PAGES_THEN):
            self.entries(512, 700)
        self.assertTrue(all("get-entries" in path for path in self.fake.asked()))
        self.assertEqual(len(self.entries(0, 256)), 256)
        self.assertEqual(self.fake.asked()[0], "tile/data/000")
        self.entries(512, 700)
        self.assertEqual(self.fake.asked()[0], "tile/data/002.p/188", "tried again")

    def test_other_failures_are_the_callers(self) -> None:
        """A tile that is refused otherwise is not asked for in two ways at once."""
        self.fake.front.rule = lambda path: Answer(403) if "tile/" in path else None
        asking = Deferred.fromCoroutine(self.client.entries(0, 256, self.head))
        self.failureResultOf(asking, Refused)
        self.assertEqual(self.fake.asked(), ["tile/data/000"])

    def test_again_by_the_other_protocol(self) -> None:
        """What did not match is read again by get-entries, leaf input and all."""
        again = Deferred.fromCoroutine(self.client.entries_again(0, 256, self.head))
        served = self.successResultOf(again)
        hashes = [each.entry.leaf_hash for each in served]
        self.assertEqual(hashes, self.fake.leaf_hashes(0, len(served)))
        self.assertTrue(all("get-entries" in path for path in self.fake.asked()))

    def test_range_by_proof_or_hash_tiles(self) -> None:
        """Either proves the tree before a start; without both the refusal of the proof is told."""

        def ask() -> "Deferred[object]":
            return Deferred.fromCoroutine(self.client.range_at(600, self.head))

        by_proof = self.successResultOf(ask())
        self.assertTrue(all("proof" in path for path in self.fake.asked()))
        self.without("proof")
        by_tiles = self.successResultOf(ask())
        self.assertTrue(any(path.startswith("tile/0/") for path in self.fake.asked()))
        self.assertEqual(by_proof.nodes, by_tiles.nodes)  # type: ignore[attr-defined]
        self.without("proof", "tile/")
        self.assertEqual(self.failureResultOf(ask(), Refused).value.status, 404)


class HybridPollerTests(HybridCase):
    """A poller that reads such a log."""

    def test_read_and_verified(self) -> None:
        """From before its head on, growing, every entry hashed to the signed root."""
        follower = Follower(self.fake.clock, self.client, log=self.fake.listed)
        follower.poller.startService()
        follower.run(2)
        self.fake.log.add(300)
        follower.run(5)
        self.successResultOf(follower.poller.stopService())
        self.assertEqual(follower.indexes, list(range(700 - 256, 1000)))
        self.assertEqual(follower.stats.verified_size, 1000)
        asked = self.fake.asked()
        self.assertIn("tile/data/002", asked)
        self.assertFalse([path for path in asked if "get-entries" in path or "checkp" in path])
