"""Tests of certstream_tx.ingest.clients.rfc6962 against a demonstration log that can misbehave."""

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignatureError
from certstream_tx.ingest.clients.rfc6962 import MAX_PAGE
from certstream_tx.ingest.http.fetch import (
    BadBody,
    BadSignature,
    FetchError,
    Lagging,
    MerkleMismatch,
    Refused,
    Throttled,
    Unavailable,
)
from tests.ingest.clients.case import ClientCase
from tests.ingest.faults import Answer, Stall
from tests.ingest.fronted_log import FrontedLog

ROOT = b64encode(bytes(32)).decode()


def page(*leaves: tuple[bytes, bytes]) -> Answer:
    """A get-entries answer."""
    entries = [
        {"leaf_input": b64encode(leaf).decode(), "extra_data": b64encode(extra).decode()}
        for leaf, extra in leaves
    ]
    return Answer(body=json.dumps({"entries": entries}).encode())


class RFC6962Case(ClientCase):
    """A log of 1,000 entries and its client."""

    size = 1000

    def start(self, size: int, batch_size: int = 256, **resource: Any) -> None:
        self.fake = FrontedLog("rfc6962", size, **resource)
        self.client = self.fake.rfc6962(batch_size)
        self.head = self.fake.head()


class HeadTests(RFC6962Case):
    """get-sth."""

    def sth(self, **changed: Any) -> Answer:
        document = {
            "tree_size": self.head.size,
            "timestamp": self.head.timestamp,
            "sha256_root_hash": b64encode(self.head.root).decode(),
            "tree_head_signature": b64encode(self.head.signature).decode(),
        } | changed
        return Answer(body=json.dumps(document).encode())

    def test_head(self) -> None:
        """The head of the log, in one request."""
        self.assertEqual(self.successResultOf(self.ask_head()), self.head)
        self.assertEqual(self.fake.asked(), ["ct/v1/get-sth"])
        self.assertEqual(self.fake.stats.requests, 1)
        self.assertFalse(self.fake.stats.errors)

    def test_bad_signature(self) -> None:
        """A head with any part changed is never given, and counted."""
        for changed in (
            {"tree_size": self.head.size + 1},
            {"timestamp": self.head.timestamp + 1},
            {"sha256_root_hash": ROOT},
            {"tree_head_signature": b64encode(self.head.signature + b"x").decode()},
            {"tree_head_signature": ""},
        ):
            self.failure(self.ask_head(self.sth(**changed)), BadSignature, "bad_signature")
        self.assertEqual(self.fake.stats.bad_signatures, 5)
        self.assertEqual(self.fake.stats.errors["bad_signature"], 5)

    def test_shapes(self) -> None:
        """What is no STH is refused by its shape."""
        for answer in (
            self.sth(tree_size=-1),
            self.sth(tree_size="1000"),
            self.sth(tree_size=2**63),
            self.sth(tree_size=1.5),
            self.sth(timestamp=None),
            self.sth(sha256_root_hash=b64encode(bytes(31)).decode()),
            self.sth(sha256_root_hash="A" * 43),
            Answer(body=b"{}"),
            Answer(body=b"[]"),
            Answer(body=b""),
            Answer(body=b"{"),
            Answer(body=b"\xff"),
            Answer(body=b'{"a":' + b"[" * 60_000),
        ):
            self.failure(self.ask_head(answer), BadBody, "bad_body")
        self.assertEqual(self.fake.stats.errors["bad_body"], 13)
        self.failure(self.ask_head(Answer(body=b" " * 100_000)), BadBody, "too_large")

    def test_more_fields(self) -> None:
        """Fields that are not ours to know are passed over."""
        self.successResultOf(self.ask_head(self.sth(more={"deep": [[1]]})))

    def test_page_for_people(self) -> None:
        """An HTML page with status 200, as front ends send it, is said to be one."""
        answer = Answer(body=b"\n <!DOCTYPE html><title>Just a moment...</title>")
        self.assertIn(
            "page for people", self.failure(self.ask_head(answer), BadBody, "bad_body").reason
        )

    def test_without_key(self) -> None:
        """The head of a log whose key nobody knows is taken as it is."""
        self.fake.listed = replace(self.fake.listed, key=None, log_id=None)
        self.client = self.fake.rfc6962()
        head = self.successResultOf(self.ask_head(self.sth(tree_size=5)))
        self.assertEqual(head.size, 5)

    def test_bad_key(self) -> None:
        """A key that cannot be used is an error at once, not at each head."""
        self.fake.listed = replace(self.fake.listed, key=b"nothing")
        self.assertRaises(SignatureError, self.fake.rfc6962)

    def test_smaller_head(self) -> None:
        """An older head of a replica is a head like others."""
        old = self.head
        self.fake.log.add(10)
        self.assertEqual(self.successResultOf(self.ask_head()).size, old.size + 10)
        head = self.successResultOf(self.ask_head(self.sth()))
        self.assertEqual(head, old)

    def test_new_log(self) -> None:
        """A log without entries, and one with a single entry."""
        for size in (0, 1):
            self.start(size)
            self.assertEqual(self.successResultOf(self.ask_head()).size, size)
            self.assertIs(self.client.span(size, size), None)


class EntriesTests(RFC6962Case):
    """get-entries."""

    def test_entries(self) -> None:
        """Entries with their index and the hash that the tree has for them."""
        entries = self.entries(256, 512)
        self.assertEqual([each.index for each in entries], list(range(256, 512)))
        self.assertEqual([each.leaf_hash for each in entries], self.fake.leaf_hashes(256, 512))
        self.assertFalse(any(each.error for each in entries))
        self.assertEqual(self.fake.asked(), ["ct/v1/get-entries?start=256&end=511"])

    def test_range(self) -> None:
        """Nothing is asked for that the head does not have."""
        for start, end in ((0, 0), (5, 4), (-1, 3), (0, 1001), (1000, 1001)):
            self.failureResultOf(self.asking(start, end), ValueError)
        self.assertEqual(self.fake.asked(), [])

    def test_span(self) -> None:
        """Requests end on page boundaries, and never beyond the head."""
        self.assertEqual(self.client.span(0, 1000), 256)
        self.assertEqual(self.client.span(255, 1000), 256)
        self.assertEqual(self.client.span(768, 1000), 1000)
        self.assertIsNone(self.client.span(1000, 1000))
        self.assertIsNone(self.client.span(1001, 1000))

    def test_short_pages(self) -> None:
        """A log that gives fewer than asked, at a boundary, is soon asked for no more."""
        for boundary in (32, 256):
            self.start(3000, batch_size=1024, max_entries=boundary)
            position = 0
            while position < 3000:
                end = self.client.span(position, 3000)
                assert end is not None
                position += len(self.entries(position, end))
            self.assertEqual(self.client.block, boundary)
            self.assertLessEqual(len(self.fake.asked()), 3000 // boundary + 3)

    def test_one_entry_page(self) -> None:
        """A page of one entry, as at a boundary, is a page."""
        self.fake.front.next.append(
            page((self.fake.log.entries.leaf_input(255), self.fake.log.entries.extra_data(255)))
        )
        self.assertEqual([each.index for each in self.entries(255, 512)], [255])

    def test_too_many_and_none(self) -> None:
        """More entries than asked for, or none, is no page."""
        leaf = (b"leaf", b"")
        for answer in (page(leaf, leaf, leaf), page()):
            self.fake.front.next.append(answer)
            self.failure(self.asking(0, 2), BadBody, "bad_body")
        self.assertEqual(self.fake.stats.errors["bad_body"], 2)

    def test_bad_base64(self) -> None:
        """Base64 that is cut, has other characters or misses its padding is no page."""
        for text in ("AAA", "AA==AA==", "AA-_", "A A=", "AAAA=", "\u00e4AAA", 5, None):
            body = json.dumps({"entries": [{"leaf_input": text, "extra_data": ""}]})
            self.fake.front.next.append(Answer(body=body.encode()))
            self.failure(self.asking(0, 2), BadBody, "bad_body")

    def test_cut_json(self) -> None:
        """A page that ends in the middle, anywhere, is no page."""
        body = self.fake.log.entries.page(0, 1)
        for end in range(0, len(body), 97):
            self.fake.front.next.append(Answer(body=body[:end]))
            self.failure(self.asking(0, 2), BadBody, "bad_body")

    def test_malformed_entries(self) -> None:
        """An entry that cannot be read is an entry, with its hash and the reason."""
        self.fake.front.next.append(
            page((b"", b""), (b"\x00\x00nonsense", b"x"), (b"\x00" * 10 + b"\x00\x07rest", b""))
        )
        entries = self.entries(10, 13)
        self.assertEqual([each.index for each in entries], [10, 11, 12])
        self.assertTrue(all(each.error for each in entries))
        self.assertEqual(len({each.leaf_hash for each in entries}), 3)

    def test_missing_extra_data(self) -> None:
        """An entry without extra_data, which the tree does not cover, is an entry."""
        leaf = b64encode(self.fake.log.entries.leaf_input(0)).decode()
        body = json.dumps({"entries": [{"leaf_input": leaf}]})
        self.fake.front.next.append(Answer(body=body.encode()))
        self.assertEqual(self.entries(0, 2)[0].leaf_hash, self.fake.leaf_hashes(0, 1)[0])

    def test_null_extra_data(self) -> None:
        """Nor does it have any that is written as null, as Go writes an empty one."""
        self.fake.front.next.append(self.altered(2, 1, extra_data=None))
        self.assertEqual(
            [each.leaf_hash for each in self.entries(0, 2)], self.fake.leaf_hashes(0, 2)
        )

    def altered(self, count: int, index: int, **fields: Any) -> Answer:
        """The page of the first entries, one of them with other fields."""
        document = json.loads(self.fake.log.entries.page(0, count))
        document["entries"][index].update(fields)
        return Answer(body=json.dumps(document).encode())

    def test_bad_extra_data(self) -> None:
        """What the tree does not cover costs an entry its chain, or its certificate, not its place
        in the tree, and no other entry anything."""
        hashes = self.fake.leaf_hashes(0, 8)
        for bad in ("%%%", 5, "\u00e4", [[]], {"a": "b"}):
            self.fake.front.next.append(self.altered(8, 3, extra_data=bad))
            entries = self.entries(0, 8)
            self.assertEqual([each.leaf_hash for each in entries], hashes)
            self.assertEqual(entries[3].chain, ())
            self.assertTrue(all(each.error is None for each in entries if each.index != 3))

    def test_bad_leaf(self) -> None:
        """A leaf that is none ends the page before it, and nothing is learned of page sizes."""
        for bad in ("%%%", 5, None, [[]]):
            for _ in range(4):
                self.fake.front.next.append(self.altered(256, 64, leaf_input=bad))
                entries = self.entries(0, 256)
                self.assertEqual([each.leaf_hash for each in entries], self.fake.leaf_hashes(0, 64))
            self.assertEqual(self.client.span(0, 1000), 256)
            self.fake.front.next.append(self.altered(8, 0, leaf_input=bad))
            self.failure(self.asking(0, 8), BadBody, "bad_body")

    def test_entries_of_nothing(self) -> None:
        """A page of numbers without end is not taken apart."""
        self.fake.front.next.append(Answer(body=b'{"entries":[%s1]}' % (b"1," * 5000)))
        self.failure(self.asking(0, 256), BadBody, "bad_body")
        self.fake.front.next.append(self.altered(8, 1, leaf_input=5, more=[0] * 500))
        self.failure(self.asking(0, 8), BadBody, "bad_body")

    def test_lagging(self) -> None:
        """A 400 that says so, or near the head, comes from a replica that is behind."""
        self.fake.front.next.append(Answer(400, b"need tree size: 991 to get leaves but only got"))
        self.failure(self.asking(990, 1000), Lagging, "lagging")
        self.fake.front.next.append(Answer(400, b"end is beyond the current tree size"))
        self.failure(self.asking(0, 10), Lagging, "lagging")
        self.fake.front.next.append(Answer(400, b"bad request"))
        self.failure(self.asking(990, 1000), Lagging, "lagging")
        self.assertEqual(self.client.span(512, 1000), 768)
        self.assertEqual(self.client.depth, 4)

    def test_refused_far_from_the_head(self) -> None:
        """A 400 for entries that every replica has is a refusal."""
        self.head = replace(self.head, size=100_000)
        self.fake.front.next.append(Answer(400, b"bad request"))
        self.failure(self.asking(0, 256), Refused, "refused")

    def test_too_large(self) -> None:
        """A page that is too large in bytes, however that is said, is halved at once."""
        grpc = b"code = ResourceExhausted desc = grpc: received message larger than max (4579991"
        for answer in (
            Answer(403, grpc),
            Answer(500, grpc),
            Answer(413),
            Answer(200, b"", {b"Content-Length": b"%d" % (MAX_PAGE + 1)}),
        ):
            self.start(1000)
            if answer.code == 200:
                self.fake.front.next.append(Stall(b"{", answer.headers))
            else:
                self.fake.front.next.append(answer)
            self.failureResultOf(self.asking(0, 256), FetchError)
            self.assertEqual(self.client.span(0, 1000), 128)

    def test_maybe_too_large(self) -> None:
        """Timeouts, stalls and 5xx of a large page halve it when they come twice."""
        for answer, wait in (
            (Answer(500), 0),
            (Answer(504), 0),
            (Answer(403), 0),
            (Stall(), 30),
            (Stall(b"{"), 15),
        ):
            self.start(1000)
            for block in (256, 128):
                self.fake.front.next.append(answer)
                asking = self.asking(0, 256)
                self.fake.clock.advance(wait)
                self.failureResultOf(asking, Unavailable, Refused)
                self.assertEqual(self.client.block, block, answer)

    def test_page_regrows(self) -> None:
        """After 20 answers a halved page is asked for whole again."""
        self.fake.front.next.append(Answer(413))
        self.failure(self.asking(0, 256), Refused, "refused")
        for _ in range(20):
            self.assertEqual(self.client.block, 128)
            self.entries(0, 128)
        self.assertEqual(self.client.block, 256)

    def test_other_failures(self) -> None:
        """Failures that a smaller page would not have avoided leave it as it is."""
        for code in (404, 410, 502, 503, 401, 302):
            for _ in range(3):
                self.fake.front.next.append(Answer(code))
                self.failureResultOf(self.asking(0, 256), FetchError)
        self.assertEqual(self.client.block, 256)
        self.assertEqual(self.fake.stats.errors["server"], 6)
        self.assertEqual(self.fake.stats.errors["not_found"], 6)

    def test_throttled(self) -> None:
        """429 slows the operator's pace, is counted as that, and is no error."""
        self.fake.front.next.append(Answer(429, b"", {b"Retry-After": b"20"}))
        self.assertEqual(self.failure(self.asking(0, 1), Throttled, "throttled").retry_after, 20)
        self.assertEqual(self.fake.stats.throttled, 1)
        self.assertFalse(self.fake.stats.errors)
        again = self.asking(0, 1)
        self.fake.clock.advance(19.9)
        self.assertNoResult(again)
        self.assertEqual(self.fake.stats.requests, 1)
        self.fake.clock.advance(0.2)
        self.successResultOf(again)

    def test_throttled_now_and_then(self) -> None:
        """A good answer between two 429s makes the second the first of a new series."""
        for _ in range(3):
            self.fake.front.next.append(Answer(429))
            self.failure(self.asking(0, 1), Throttled, "throttled")
            again = self.asking(0, 1)
            self.fake.clock.advance(1.1)
            self.successResultOf(again)
            self.fake.clock.advance(0.1)

    def test_lagging_pages(self) -> None:
        """Pages of a lagging replica, which end at its own head, do not lessen the page."""
        leaves = self.fake.log.entries
        for _ in range(5):
            answer = page(*((leaves.leaf_input(768 + at), b"") for at in range(50)))
            self.fake.front.next.append(answer)
            self.assertEqual(len(self.entries(768, 1000)), 50)
        self.assertEqual(self.client.block, 256)

    def test_depth(self) -> None:
        """Failures halve the requests in flight; slow answers let them grow."""
        self.fake.front.next.append(Answer(502))
        self.failure(self.asking(0, 1), Unavailable, "server")
        self.assertEqual(self.client.depth, 2)
        for _ in range(20):
            self.entries(0, 1)
        self.assertEqual(self.client.depth, 4)

    def test_cancelled(self) -> None:
        """Cancelling ends the request, waiting for its turn or for its answer, and counts not."""
        stall = Stall(b"{")
        self.fake.front.next.append(stall)
        asking = self.asking(0, 256)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.fake.agent.flush()
        self.assertEqual(len(stall.closed), 1)
        self.fake.pace.throttled(10, 10)
        asking = self.asking(0, 256)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.fake.stats.requests, 1)
        self.assertFalse(self.fake.stats.errors)
        self.assertEqual(self.client.block, 256)
        self.assertEqual(self.fake.clock.getDelayedCalls(), [])

    def test_heads_go_first(self) -> None:
        """A head is asked for before entries that wait for their turn."""
        self.fake.pace.throttled(5, 10)
        self.asking(0, 256)
        Deferred.fromCoroutine(self.client.head())
        self.fake.clock.pump([0.5] * 20)
        self.assertEqual(self.fake.asked()[0], "ct/v1/get-sth")

    @given(st.binary(max_size=300) | st.text(max_size=60).map(str.encode))
    @settings(deadline=None, max_examples=50)
    def test_any_answer(self, body: bytes) -> None:
        """Whatever comes with status 200 is a page, or BadBody."""
        self.fake.front.next.append(Answer(body=body))
        self.failure(self.asking(0, 256), BadBody, "bad_body")


class RangeTests(RFC6962Case):
    """Starts in mid-tree."""

    def range_at(self, start: int) -> "Deferred[CompactRange]":
        return Deferred.fromCoroutine(self.client.range_at(start, self.head))

    def truth(self, start: int) -> CompactRange:
        tree = CompactRange()
        tree.extend(self.fake.leaf_hashes(0, start))
        return tree

    def test_every_start(self) -> None:
        """Each start of trees of many sizes is proven, in one request at most."""
        for size in (1, 2, 3, 7, 8, 9, 33):
            self.start(size)
            for start in range(size + 1):
                found = self.successResultOf(self.range_at(start))
                self.assertEqual(found, self.truth(start), (start, size))
                self.assertLessEqual(len(self.fake.asked()), 1)

    def test_grows_to_the_head(self) -> None:
        """From a proven start the entries lead to the root that was signed."""
        for start in (0, 1, 255, 256, 777, 999, 1000):
            tree = self.successResultOf(self.range_at(start))
            tree.extend(self.fake.leaf_hashes(start, 1000))
            self.assertEqual(tree.root(), self.head.root)

    def test_empty_start(self) -> None:
        """The start at 0, and an empty tree, need no proof."""
        self.assertEqual(self.successResultOf(self.range_at(0)), CompactRange())
        self.start(0)
        self.assertEqual(self.successResultOf(self.range_at(0)), CompactRange())
        self.assertEqual(self.fake.asked(), [])

    def test_outside(self) -> None:
        """There is no start beyond the head."""
        for start in (-1, 1001):
            self.failureResultOf(self.range_at(start), ValueError)

    def test_fallback(self) -> None:
        """A log without get-entry-and-proof gives the entry and its proof by hash."""
        for answer in (Answer(404), Answer(400), Answer(501), Answer(200, b"<html>")):
            for start in (777, 1000):
                self.fake.front.next.append(answer)
                found = self.successResultOf(self.range_at(start))
                self.assertEqual(found, self.truth(start))
                calls = [each.partition("?")[0] for each in self.fake.asked()]
                self.assertEqual(
                    calls,
                    ["ct/v1/get-entry-and-proof", "ct/v1/get-entries", "ct/v1/get-proof-by-hash"],
                )
        self.assertFalse(self.fake.stats.errors)

    def test_fallback_for_another_entry(self) -> None:
        """The proof of an equal leaf elsewhere does not do."""
        path = [b64encode(node).decode() for node in self.fake.log.tree.inclusion(5, 1000)]
        proof = json.dumps({"leaf_index": 5, "audit_path": path}).encode()
        self.fake.front.next.extend([Answer(404), None, Answer(body=proof)])
        self.failure(self.range_at(777), BadBody, "bad_body")

    def test_not_proven(self) -> None:
        """A proof that leads to another root proves nothing."""
        self.head = replace(self.head, root=bytes(32))
        for start in (1, 777, 1000):
            self.failure(self.range_at(start), MerkleMismatch, "merkle_mismatch")
        self.assertEqual(self.fake.stats.errors["merkle_mismatch"], 3)

    def test_changed_proofs(self) -> None:
        """A proof of which any hash is changed, missing or added is refused."""
        tree, entries = self.fake.log.tree, self.fake.log.entries
        path = tree.inclusion(777, 1000)
        leaf = b64encode(entries.leaf_input(777)).decode()
        wrong = [[*path[:at], bytes(32), *path[at + 1 :]] for at in range(len(path))]
        wrong += [path[:-1], [*path, bytes(32)], [], [bytes(32)] * 64]
        for each in wrong:
            document = {
                "leaf_input": leaf,
                "extra_data": "",
                "audit_path": [b64encode(node).decode() for node in each],
            }
            self.fake.front.next.append(Answer(body=json.dumps(document).encode()))
            # What cannot be a proof is asked for by the other way, which is as wrong here.
            self.fake.front.next.extend([None, Answer(404)])
            self.failureResultOf(self.range_at(777), MerkleMismatch, BadBody)
            self.fake.front.next.clear()

    def test_lagging(self) -> None:
        """A replica that does not have the head's tree yet is asked again later."""
        late = Answer(400, b"need tree size: 1000 for proof but only got: 990")
        self.fake.front.next.extend([late, late])
        self.failure(self.range_at(1000), Lagging, "lagging")
        self.fake.front.next.extend([late, None, late])
        self.failure(self.range_at(777), Lagging, "lagging")

    def test_failures(self) -> None:
        """Throttling and dead connections are not answered by more requests."""
        self.fake.front.next.append(Answer(429))
        self.failure(self.range_at(777), Throttled, "throttled")
        self.fake.clock.advance(100)
        self.assertEqual(len(self.fake.asked()), 1)
        self.fake.front.next.append(Stall())
        asking = self.range_at(777)
        self.fake.clock.advance(31)
        self.failure(asking, Unavailable, "timeout")
        self.assertEqual(len(self.fake.asked()), 1)
