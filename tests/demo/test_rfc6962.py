"""The RFC 6962 calls, as a client sees them."""

import json
from base64 import b64decode, b64encode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import read_entry
from certstream_tx.ct.merkle import CompactRange, verify_inclusion
from certstream_tx.ct.signatures import LogKey, SignedHead
from certstream_tx.demo.rfc6962 import rfc6962
from certstream_tx.demo.samples import samples
from tests.ct.consistency import verify_consistency
from tests.demo.http import NOW, Response, ask, demo_log

SIZE = 600


class Rfc6962Tests(SynchronousTestCase):
    """Every call, with good and with bad parameters."""

    def setUp(self) -> None:
        self.log = demo_log("rfc6962", SIZE)
        self.resource = rfc6962(self.log)

    def ask(self, call: str, **parameters: Any) -> Response:
        return ask(self, self.resource, f"ct/v1/{call}", **parameters)

    def json(self, call: str, **parameters: Any) -> Any:
        response = self.ask(call, **parameters)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["content-type"], "application/json")
        return json.loads(response.body)

    def refused(self, call: str, status: int = 400, **parameters: Any) -> str:
        """The reason why a call is refused."""
        response = self.ask(call, **parameters)
        self.assertEqual(response.status, status, (call, parameters, response.body))
        self.assertEqual(response.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(response.headers["cache-control"], "no-store")
        return response.body.decode()

    def page(self, start: int, end: int) -> int:
        """How many entries a range is answered with; they are those that begin at ``start``."""
        entries = self.json("get-entries", start=start, end=end)["entries"]
        for index, item in enumerate(entries, start):
            self.assertEqual(item.keys(), {"leaf_input", "extra_data"})
            self.assertEqual(b64decode(item["leaf_input"]), self.log.entries.leaf_input(index))
        return len(entries)

    def test_get_sth(self) -> None:
        """The head has the four fields of section 4.3, is signed, and is not to be cached."""
        head = self.json("get-sth")
        self.assertEqual(
            list(head), ["tree_size", "timestamp", "sha256_root_hash", "tree_head_signature"]
        )
        signed = SignedHead(
            head["tree_size"],
            head["timestamp"],
            b64decode(head["sha256_root_hash"]),
            b64decode(head["tree_head_signature"]),
        )
        LogKey(self.log.key).verify_head(signed)
        self.assertEqual((signed.size, signed.timestamp), (SIZE, NOW * 1000))
        self.assertEqual(self.ask("get-sth").headers["cache-control"], "no-store")

    def test_whole_log(self) -> None:
        """A client that advances by what it gets reads the log whole, and comes to the root."""
        tree, seen = CompactRange(), set()
        while tree.size < SIZE:
            for item in self.json("get-entries", start=tree.size, end=SIZE - 1)["entries"]:
                leaf, extra = b64decode(item["leaf_input"]), b64decode(item["extra_data"])
                entry = read_entry(tree.size, leaf, extra)
                self.assertIsNone(entry.error)
                seen.add(entry.submitted)
                tree.add(entry.leaf_hash)
        self.assertEqual(tree.root(), self.log.head().root)
        self.assertEqual(len(seen), SIZE)

    def test_range_as_asked(self) -> None:
        """A range smaller than the largest is answered as asked, wherever it lies."""
        self.assertEqual(self.page(0, 0), 1)
        self.assertEqual(self.page(250, 260), 11)
        self.assertEqual(self.page(1, 255), 255)

    def test_range_cut(self) -> None:
        """A larger one is cut to the largest, and so that it ends on a multiple of that."""
        self.assertEqual(self.page(0, 255), 256)
        self.assertEqual(self.page(0, 10**12), 256)
        self.assertEqual(self.page(1, 256), 255)
        self.assertEqual(self.page(255, 10**12), 1)
        self.assertEqual(self.page(256, SIZE - 1), 256)

    def test_range_not_aligned(self) -> None:
        """Without alignment only the length is bounded."""
        self.resource = rfc6962(self.log, max_entries=32, align=False)
        self.assertEqual(self.page(5, 500), 32)
        self.resource = rfc6962(self.log, max_entries=32)
        self.assertEqual(self.page(5, 500), 27)

    def test_range_at_the_end(self) -> None:
        """A range that goes past the last entry is answered with what is there, for now."""
        self.assertEqual(self.page(590, 650), 10)
        self.assertEqual(self.page(512, 767), 88)
        self.assertEqual(self.page(SIZE - 1, SIZE - 1), 1)
        past = self.ask("get-entries", start=590, end=650).headers["cache-control"]
        self.assertEqual(past, "no-store")
        within = self.ask("get-entries", start=0, end=255).headers["cache-control"]
        self.assertIn("immutable", within)

    def test_bad_ranges(self) -> None:
        """What is no range in the tree is refused, with the reason."""
        self.assertIn("601 entries", self.refused("get-entries", start=SIZE, end=SIZE))
        self.assertIn("larger", self.refused("get-entries", start=5, end=4))
        self.assertIn("end is missing", self.refused("get-entries", start=5))
        self.assertIn("start is missing", self.refused("get-entries", end=5))
        for bad in ("-1", "", "1.0", "x", "1" * 19, "\u0661", "0x1", "1 "):
            self.assertIn("start is not", self.refused("get-entries", start=bad, end=5))

    def test_consistency(self) -> None:
        """Proofs between sizes verify; from nothing, and to itself, there is an empty one."""
        root = self.log.tree.root
        for first, second in ((1, 2), (3, 600), (256, 600), (599, 600), (1, 600)):
            found = self.json("get-sth-consistency", first=first, second=second)
            path = [b64decode(node) for node in found["consistency"]]
            verify_consistency(first, second, path, root(first), root(second))
        self.assertEqual(self.json("get-sth-consistency", first=0, second=9), {"consistency": []})
        self.assertEqual(self.json("get-sth-consistency", first=9, second=9), {"consistency": []})

    def test_bad_consistency(self) -> None:
        """Sizes that are none, or not yet reached, are refused."""
        self.refused("get-sth-consistency", first=2, second=1)
        self.refused("get-sth-consistency", first=1, second=SIZE + 1)
        self.refused("get-sth-consistency", first=-1, second=1)
        self.refused("get-sth-consistency", second=1)

    def test_proof_by_hash(self) -> None:
        """An entry is found by its leaf hash and proven."""
        for index in (0, 255, 256, 511, 599):
            (leaf,) = self.log.entries.leaf_hashes(index, index + 1)
            found = self.json("get-proof-by-hash", hash=b64encode(leaf).decode(), tree_size=SIZE)
            self.assertEqual(found["leaf_index"], index)
            path = [b64decode(node) for node in found["audit_path"]]
            verify_inclusion(index, SIZE, leaf, path, self.log.tree.root())

    def test_bad_proof_by_hash(self) -> None:
        """Hashes that are none are refused; those not in that tree are not found."""
        leaf = b64encode(self.log.entries.leaf_hashes(9, 10)[0]).decode()
        self.refused("get-proof-by-hash", 404, hash=leaf, tree_size=9)
        self.refused("get-proof-by-hash", 404, hash=leaf, tree_size=SIZE + 1)
        self.refused("get-proof-by-hash", 404, hash="AAAA", tree_size=9)
        self.refused("get-proof-by-hash", hash=leaf, tree_size=0)
        self.refused("get-proof-by-hash", hash=leaf)
        self.refused("get-proof-by-hash", tree_size=9)
        self.refused("get-proof-by-hash", hash="not base64", tree_size=9)
        self.refused("get-proof-by-hash", hash="\u00e9" * 4, tree_size=9)

    def test_entry_and_proof(self) -> None:
        """An entry and its proof, as a start in the middle of the tree needs them."""
        for index, size in ((0, 1), (0, SIZE), (300, SIZE), (SIZE - 1, SIZE), (255, 256)):
            found = self.json("get-entry-and-proof", leaf_index=index, tree_size=size)
            leaf, extra = b64decode(found["leaf_input"]), b64decode(found["extra_data"])
            entry = read_entry(index, leaf, extra)
            self.assertEqual(entry.chain, samples()[index % len(samples())].chain)
            path = [b64decode(node) for node in found["audit_path"]]
            verify_inclusion(index, size, entry.leaf_hash, path, self.log.tree.root(size))

    def test_bad_entry_and_proof(self) -> None:
        """Entries outside of the tree are refused."""
        self.refused("get-entry-and-proof", leaf_index=5, tree_size=5)
        self.refused("get-entry-and-proof", leaf_index=0, tree_size=0)
        self.refused("get-entry-and-proof", leaf_index=0, tree_size=SIZE + 1)
        self.refused("get-entry-and-proof", tree_size=5)

    def test_get_roots(self) -> None:
        """The roots are the certificates that the chains end in."""
        found = self.json("get-roots")["certificates"]
        self.assertEqual({b64decode(der) for der in found}, {s.chain[-1] for s in samples()})

    def test_empty_log(self) -> None:
        """A log without entries has a head and nothing else."""
        self.resource = rfc6962(demo_log("rfc6962", 0))
        self.assertEqual(self.json("get-sth")["tree_size"], 0)
        self.refused("get-entries", start=0, end=0)
        self.refused("get-entry-and-proof", leaf_index=0, tree_size=1)

    def test_nothing_else(self) -> None:
        """There is nothing beside and below the calls, and they are only read."""
        for path in ("ct/v1/get-sth/", "ct/v1/get-entries/x", "ct/v1/add-chain", "ct/v1", "", "x"):
            self.assertEqual(ask(self, self.resource, path).status, 404, path)
        posted = ask(self, self.resource, "ct/v1/get-sth", method="POST")
        self.assertEqual(posted.status, 405)
        head = ask(self, self.resource, "ct/v1/get-sth", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
