"""The static-ct-api files, as a client sees them."""

import gzip
from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.checkpoint import read_checkpoint, signed_head
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import LogKey
from certstream_tx.ct.tiles import read_data_tile, read_hash_tile, tile_path
from certstream_tx.demo.log import ORIGIN, DemoLog
from certstream_tx.demo.static import static
from tests.demo.http import NOW, Response, ask, demo_log

SIZE = 600


class StaticTests(SynchronousTestCase):
    """Checkpoint, tiles and issuers."""

    def setUp(self) -> None:
        self.log: DemoLog = demo_log("tiled", SIZE)
        self.resource = static(self.log)

    def file(self, path: str, encoding: str = "identity") -> Response:
        response = ask(self, self.resource, path, headers={"Accept-Encoding": encoding})
        self.assertEqual(response.status, 200, (path, response.body))
        return response

    def test_checkpoint(self) -> None:
        """The checkpoint is a signed note with the log's origin, beside a line of a stranger."""
        response = self.file("checkpoint")
        self.assertEqual(response.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(response.headers["cache-control"], "no-store")
        checkpoint = read_checkpoint(response.body)
        self.assertEqual(len(checkpoint.signatures), 2)
        head = signed_head(checkpoint, ORIGIN, LogKey(self.log.key))
        self.assertEqual((head.size, head.timestamp), (SIZE, NOW * 1000))
        self.assertEqual(head.root, self.log.tree.root())

    def test_whole_log(self) -> None:
        """All data tiles, full and partial, lead to the signed root; all issuers can be had."""
        tree, seen, issuers = CompactRange(), set(), set()
        for n, width in ((0, 256), (1, 256), (2, 88)):
            body = self.file(tile_path("data", n, width)).body
            for leaf in read_data_tile(body, n * 256, width):
                tree.add(leaf.leaf_hash)
                seen.add(leaf.precertificate or leaf.entry.certificate)
                issuers.update(leaf.fingerprints)
        self.assertEqual(tree.root(), self.log.head().root)
        self.assertEqual(len(seen), SIZE)
        for fingerprint in issuers:
            response = self.file(f"issuer/{fingerprint.hex()}")
            self.assertEqual(sha256(response.body).digest(), fingerprint)
            self.assertEqual(response.headers["content-type"], "application/pkix-cert")
            self.assertIn("immutable", response.headers["cache-control"])

    def test_hash_tiles(self) -> None:
        """Hash tiles of each level hold what the tree has there."""
        for level, n, width in ((0, 0, 256), (0, 2, 88), (0, 2, 1), (1, 0, 2), (1, 0, 1)):
            response = self.file(tile_path(level, n, width))
            hashes = read_hash_tile(response.body, width)
            step = 256**level
            for place, node in enumerate(hashes, n * 256):
                below = CompactRange()
                below.extend(self.log.entries.leaf_hashes(place * step, (place + 1) * step))
                self.assertEqual(below.root(), node)
            self.assertEqual(response.headers["content-type"], "application/octet-stream")
            self.assertIn("immutable", response.headers["cache-control"])

    def test_gzip(self) -> None:
        """Data tiles are compressed for those who accept it, and for nobody else."""
        plain = self.file("tile/data/000")
        self.assertNotIn("content-encoding", plain.headers)
        for accepted in ("gzip", "gzip, identity", "br;q=1.0, gzip;q=0.8", "GZIP"):
            packed = self.file("tile/data/000", accepted)
            self.assertEqual(packed.headers["content-encoding"], "gzip", accepted)
            self.assertEqual(packed.headers["vary"], "accept-encoding")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
        for refused in ("br", "gzip;q=0", "gzip; q=0.0, br", "xgzip2"):
            self.assertNotIn("content-encoding", self.file("tile/data/000", refused).headers)

    def test_gzip_of_hashes(self) -> None:
        """Hashes and issuers, which nothing can compress, are served as they are."""
        self.assertNotIn("content-encoding", self.file("tile/0/000", "gzip").headers)

    def test_growth(self) -> None:
        """A tile is there as soon as the tree has it; a partial one stays when the tree goes on."""
        partial = self.file("tile/data/002.p/88").body
        self.assertEqual(ask(self, self.resource, "tile/data/002").status, 404)
        self.log.add(256)
        self.assertTrue(self.file("tile/data/002").body.startswith(partial))
        self.assertEqual(self.file("tile/data/002.p/88").body, partial)

    def test_not_there(self) -> None:
        """Tiles past the tree, and paths that are written otherwise, are not found."""
        for path in (
            "tile/data/003", "tile/data/002", "tile/data/002.p/89", "tile/0/002.p/89", "tile/1/001",
            "tile/1/000", "tile/1/000.p/3", "tile/2/000", "tile/2/000.p/1", "tile/6/000",
            "tile/data/000.p/0", "tile/data/000.p/256", "tile/data/000.p/257", "tile/data/000.p/01",
            "tile/data/000.p/", "tile/data/0", "tile/data/0000", "tile/data/x000/000",
            "tile/-1/000", "tile/data/000/", "tile/data//000", "tile/data", "tile",
            "tile/names/000", "tile/00/000", "tile/data/x001/234", "tile/0/000.p/1/x", "issuer/",
            "issuer/" + "0" * 64, "issuer", "issuer/%C3%A9", "tile/data/%D9%A1%D9%A1%D9%A1",
            "checkpoint/", "", "log_list.json",
        ):  # fmt: skip
            self.assertEqual(ask(self, self.resource, path).status, 404, path)

    def test_case_of_a_fingerprint(self) -> None:
        """Fingerprints are written in small letters."""
        fingerprint = next(iter(self.log.entries.issuers))
        self.file(f"issuer/{fingerprint}")
        upper = ask(self, self.resource, f"issuer/{fingerprint.upper()}")
        self.assertEqual(upper.status, 404)
