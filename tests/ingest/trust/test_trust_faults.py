"""Logs over HTTP that change what they signed: noticed, told, counted, kept, never passed on."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from certstream_tx.certificate import read_certificate
from certstream_tx.ct.checkpoint import head_signature, write_checkpoint
from certstream_tx.ct.entry import read_entry
from certstream_tx.ct.signatures import SignedHead, digitally_signed, head_input
from certstream_tx.ct.structs import PRECERT_ENTRY, read_extra_data, read_leaf, write_extra_data
from certstream_tx.demo.log import ORIGIN
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.state.evidence import Evidence
from certstream_tx.ingest.trust.rollback import ROLLBACK_SECONDS
from certstream_tx.ingest.trust.verification import Verification
from certstream_tx.message.documents import build_message
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import Follower, events
from tests.ingest.faults import Answer, Fault
from tests.ingest.polling.test_lost_entries import LostCase
from tests.ingest.polling.test_poller_faults import SIZE
from tests.ingest.trust.test_verification import Verdicts

START = SIZE - 700


class TrustCase(LostCase):
    """A log that is followed with real messages, and a folder for evidence."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()

    def follow(self, **settings: Any) -> Follower:
        """Begin to follow the log."""
        follower = self.follower = Follower(
            self.clock,
            self.client(),
            log=self.fronted.listed,
            stats=self.fronted.stats,
            settings=PollSettings(start_overlap_leaves=700, **settings),
            build=build_message,
            evidence=Evidence(str(self.folder), self.clock, execute),
        )
        follower.poller.startService()
        self.addCleanup(self.end)
        return follower

    def found(self, what: str) -> list[dict[str, Any]]:
        """The evidence."""
        if not self.folder.exists():
            return []
        names = sorted(name for name in os.listdir(self.folder) if f"-{what}-" in name)
        return [json.loads((self.folder / name).read_text()) for name in names]

    def signed(self, size: int, root: bytes, later: int = 0) -> bytes:
        """What the log would answer if it signed this head, so many ms from now."""
        timestamp = int(self.clock.seconds() * 1000) + later
        key = self.log._private_key
        signature = digitally_signed(key, head_input(size, timestamp, root))
        if self.kind == "rfc6962":
            sth = {
                "tree_size": size,
                "timestamp": timestamp,
                "sha256_root_hash": b64encode(root).decode(),
                "tree_head_signature": b64encode(signature).decode(),
            }
            return json.dumps(sth).encode()
        head = SignedHead(size, timestamp, root, signature)
        return write_checkpoint(
            ORIGIN, size, root, (head_signature(ORIGIN, self.log.log_id, head),)
        )

    def entries_of(self, follower: Follower) -> list[int]:
        """The indexes published, in order."""
        return [message.entry.index for message in follower.published]


class BothKinds:
    """What either kind of log may do."""

    def test_bad_signature_storm(self: Any) -> None:
        """Heads without end that the key did not sign: the log stands, and says why, once."""
        follower = self.follow()
        self.step(5)
        self.log.add(100)
        self.misbehave(self.on_head(lambda path: Answer(200, self.damaged_head())))
        with events("error") as told:
            self.step(300)
        self.assertEqual(follower.stats.position, SIZE)
        self.assertGreater(follower.stats.bad_signatures, 10)
        self.assertEqual(follower.stats.head_size, SIZE)
        self.assertEqual(len(told), 1, told)
        self.front.rule = lambda path: None
        self.step(90)
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE + 100)))
        self.assertEqual(follower.stats.verified_size, SIZE + 100)
        self.assertFalse(follower.stats.inconsistent)

    def test_contradiction(self: Any) -> None:
        """Two signed heads of one size: both are kept, so that anybody can check them."""
        follower = self.follow()
        self.step(5)
        forged = self.signed(SIZE, b"x" * 32)
        self.misbehave(self.on_head(lambda path: Answer(200, forged)), times=2)
        self.step(60)
        self.assertEqual(follower.stats.contradictions, 1)
        self.assertTrue(follower.stats.inconsistent)
        (document,) = self.found("contradiction")
        key = self.fronted.listed.key
        self.assertEqual(b64decode(document["log"]["key"]), key)
        for head in document["heads"]:
            signed = SignedHead(
                head["tree_size"],
                head["timestamp"],
                b64decode(head["sha256_root_hash"]),
                b64decode(head["tree_head_signature"]),
            )
            self.fronted.rfc6962()._key.verify_head(signed)
        self.log.add(33)
        self.step(30)
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE + 33)))
        self.assertEqual(follower.stats.verified_size, SIZE + 33)

    def test_forged_growth(self: Any) -> None:
        """A head of a tree that the log cannot prove is found out by the next honest one."""
        follower = self.follow()
        self.step(5)
        self.log.add(30)
        forged = self.signed(SIZE + 30, b"x" * 32)
        self.misbehave(self.on_head(lambda path: Answer(200, forged)), times=1)
        self.step(10)
        self.log.add(30)
        with events("error") as told:
            self.step(120)
        self.assertTrue(follower.stats.inconsistent)
        self.assertGreaterEqual(len(self.found("contradiction")), 1, told)
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE + 60)))
        self.log.add(10)
        self.step(60)
        self.assertEqual(follower.stats.verified_size, SIZE + 70)

    def test_rollback(self: Any) -> None:
        """A log that takes back entries for good is told from one whose replicas lag."""
        follower = self.follow()
        self.step(5)
        size = SIZE - 20
        root = self.log.tree.root(size)
        self.misbehave(self.on_head(lambda path: Answer(200, self.signed(size, root))))
        for _ in range(round(ROLLBACK_SECONDS * 1.2 / 10)):
            follower.run(10, 0.5)
            self.fronted.agent.flush()
        self.assertEqual((follower.stats.rollbacks, follower.stats.contradictions), (1, 0))
        self.assertTrue(follower.stats.rolled_back)
        self.assertEqual(len(self.found("rollback")), 1)
        self.assertGreater(follower.stats.head_regressions, 100)
        self.front.rule = lambda path: None
        self.log.add(33)
        self.step(60)
        self.assertFalse(follower.stats.rolled_back)
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE + 33)))


class RFC6962TrustTests(BothKinds, TrustCase):
    """Pages."""

    kind = "rfc6962"
    head = "ct/v1/get-sth"
    entries = "ct/v1/get-entries"

    def changing(self, index: int, change: Callable[[Any], None]) -> Callable[[str], Fault]:
        """Answer with pages in which one entry was changed."""

        def fault(path: str) -> Fault:
            if not path.startswith(self.entries):
                return None
            query = parse_qs(urlsplit(path).query)
            page = json.loads(self.honest(path))
            place = index - int(query["start"][0])
            if not 0 <= place < len(page["entries"]):
                return None
            change(page["entries"][place])
            return Answer(200, json.dumps(page).encode())

        return fault

    def change_leaf(self, entry: Any) -> None:
        """One bit of the certificate in the leaf."""
        leaf = bytearray(b64decode(entry["leaf_input"]))
        leaf[300] ^= 1
        entry["leaf_input"] = b64encode(leaf).decode()

    def test_changed_entry(self) -> None:
        """An entry that stays changed is evidence, with what was served."""
        self.misbehave(self.changing(600, self.change_leaf))
        follower = self.follow()
        with events("error") as told:
            self.step(20)
        self.assertTrue(follower.stats.inconsistent)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertIn("wrong are 600.", told[0])
        (document,) = self.found("mismatch")
        self.assertEqual(document["wrong_entries"], [600])
        (entry,) = document["entries"]
        leaf = b64decode(entry["leaf_input"])
        self.assertEqual(sha256(b"\0" + leaf).hexdigest(), entry["leaf_hash"])
        self.assertNotEqual(leaf, self.log.entries.leaf_input(600))
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE)))

    def test_cached_slip(self) -> None:
        """An entry that only the cached page has wrong comes once more, as it is."""
        change = self.changing(600, self.change_leaf)
        self.misbehave(lambda path: None if self.front.fresh else change(path))
        follower = self.follow()
        self.step(20)
        self.assertEqual(follower.stats.corrected_entries, 1)
        self.assertFalse(follower.stats.inconsistent)
        self.assertEqual(self.entries_of(follower), [*range(START, SIZE), 600])
        late = follower.published[-1]
        self.assertTrue(late.late)
        self.assertIsNone(late.parse_error)
        self.assertEqual(follower.stats.verified_size, SIZE)

    def test_other_precertificate(self) -> None:
        """A precertificate that is not that of the leaf is not passed on; what was logged is."""
        index, other = self.precertificates()

        def change(entry: Any) -> None:
            entry["extra_data"] = b64encode(self.log.entries.extra_data(other)).decode()

        follower = self.read_changed(index, change)
        message = self.message(follower, index)
        self.assertIn("not the one that was logged", message.parse_error)
        true_leaf = read_leaf(self.log.entries.leaf_input(index))
        self.assertTrue(message.entry.proven.endswith(true_leaf.certificate))
        submitted, _ = read_extra_data(PRECERT_ENTRY, self.log.entries.extra_data(other))
        assert submitted is not None
        for stream in (message.lite(), message.full(), message.domains_only() or b""):
            self.assertNotIn(self.serial_of(other).encode(), stream)
            self.assertNotIn(b64encode(submitted)[:200], stream)
        leaf_cert = json.loads(message.lite())["data"]["leaf_cert"]
        self.assertEqual(leaf_cert["serial_number"], self.serial_of(index))

    def serial_of(self, index: int) -> str:
        """Of an entry as it is."""
        honest = self.log.entries
        entry = read_entry(index, honest.leaf_input(index), honest.extra_data(index))
        self.assertIsNone(entry.error)
        return read_certificate(entry.submitted).serial_number

    def test_other_chain(self) -> None:
        """Nor is a chain that is not the entry's own, be it a precertificate's or not."""
        index, other = self.precertificates()
        honest, strange = self.log.entries.extra_data(index), self.log.entries.extra_data(other)
        submitted, chain = read_extra_data(PRECERT_ENTRY, honest)
        _, strange_chain = read_extra_data(PRECERT_ENTRY, strange)
        self.assertNotEqual(chain, strange_chain)

        def change(entry: Any) -> None:
            entry["extra_data"] = b64encode(write_extra_data(submitted, strange_chain)).decode()

        follower = self.read_changed(index, change)
        message = self.message(follower, index)
        self.assertIn("issuer key", message.parse_error)
        self.assertEqual(json.loads(message.full())["data"]["chain"], [])
        self.assertEqual(message.entry.submitted, submitted)

    def read_changed(self, index: int, change: Callable[[Any], None]) -> Follower:
        """Follow the log while one entry's extra_data is changed: the tree does not tell."""
        self.misbehave(self.changing(index, change))
        follower = self.follow()
        self.step(20)
        self.assertEqual(follower.stats.verified_size, SIZE)
        self.assertEqual((follower.stats.unproven_entries, follower.stats.parse_failures), (1, 1))
        self.assertFalse(follower.stats.inconsistent)
        self.assertEqual(self.entries_of(follower), list(range(START, SIZE)))
        return follower

    def message(self, follower: Follower, index: int) -> Any:
        """The message of an entry."""
        return follower.published[index - START]

    def precertificates(self) -> tuple[int, int]:
        """Two precertificate entries of different issuers."""
        found: dict[bytes, int] = {}
        for index in range(600, 700):
            leaf = read_leaf(self.log.entries.leaf_input(index))
            if leaf.issuer_key_hash is not None:
                found.setdefault(leaf.issuer_key_hash, index)
        one, other, *_ = found.values()
        return one, other


class StaticTrustTests(BothKinds, TrustCase):
    """Tiles."""

    kind = "tiled"
    head = "checkpoint"
    entries = "tile/data/"

    def changed(self, path: str) -> bytes:
        """A tile of which one bit of a certificate is another one."""
        body = bytearray(self.honest(path))
        body[200] ^= 1
        return bytes(body)

    def test_changed_entry(self) -> None:
        """A tile that stays changed is evidence; the entry is found by the hash tiles."""
        self.misbehave(
            lambda path: Answer(200, self.changed(path)) if path == "tile/data/002" else None
        )
        follower = self.follow()
        with events("error") as told:
            self.step(20)
        self.assertTrue(follower.stats.inconsistent, told)
        (document,) = self.found("mismatch")
        self.assertEqual(document["wrong_entries"], [512])
        self.assertEqual(document["entries"][0]["index"], 512)

    def test_slip(self) -> None:
        """One that was wrong in a cache is read past it; its entry comes once more."""
        self.misbehave(
            lambda path: Answer(200, self.changed(path)) if path == "tile/data/002" else None,
            times=1,
        )
        follower = self.follow()
        self.step(20)
        self.assertEqual(follower.stats.corrected_entries, 1)
        self.assertEqual(self.entries_of(follower), [*range(START, SIZE), 512])
        self.assertEqual(follower.stats.verified_size, SIZE)
        fresh = [
            path
            for path, headers in zip(self.front.asked, self.front.headers, strict=True)
            if headers.getRawHeaders("cache-control") == ["no-cache"]
        ]
        self.assertIn("tile/data/002", fresh)
        self.assertTrue(all(path.startswith("tile/data/") for path in fresh))


class AnyByteTests(TrustCase):
    """The property behind it."""

    kind = "rfc6962"
    head = "ct/v1/get-sth"
    entries = "ct/v1/get-entries"

    @settings(deadline=None, max_examples=150)
    @given(st.integers(0, SIZE - 1), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
    def test_any_byte(self, index: int, place: float, change: int) -> None:
        """A byte changed anywhere in the leaf_input of a page of 1,000 is noticed at the head."""
        if not hasattr(self, "leaves"):
            self.leaves = [self.log.entries.leaf_input(each) for each in range(SIZE)]
            self.hashes = self.log.entries.leaf_hashes(0, SIZE)
        stats = LogStats("Test", "https://log.example", "rfc6962", None, None)
        judge = Verdicts()
        verification = Verification(stats, Clock(), judge)
        verification.begin(0)
        verification.expect(self.log.head())
        leaf = bytearray(self.leaves[index])
        leaf[int(place * len(leaf))] ^= change
        hashes = list(self.hashes)
        hashes[index] = read_entry(index, bytes(leaf), b"").leaf_hash
        verification.add(hashes)
        verification.reached()
        (doubt,) = judge.doubted
        self.assertEqual((doubt.start, doubt.end, stats.verified_size), (0, SIZE, 0))
        self.assertEqual(doubt.first_hash(index), hashes[index])
