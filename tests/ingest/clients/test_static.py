"""Tests of certstream_tx.ingest.clients.static against a demonstration log that can misbehave."""

import gzip
from dataclasses import replace
from hashlib import sha256
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher

from certstream_tx.ct.checkpoint import read_checkpoint, write_checkpoint
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignatureError, SignedHead
from certstream_tx.ct.tiles import read_data_tile, write_tile_leaf
from certstream_tx.ingest.clients.issuers import IssuerCache
from certstream_tx.ingest.clients.static import MAX_CHAIN
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


class StaticCase(ClientCase):
    """A log of 700 entries, two tiles and a part of a third, and its client."""

    size = 700

    def start(self, size: int) -> None:
        self.fake = FrontedLog("tiled", size)
        self.issuers = IssuerCache(self.fake.clock)
        self.client = self.fake.static(issuers=self.issuers)
        self.head = self.fake.head()

    def tiles_asked(self) -> list[str]:
        return [each for each in self.fake.asked() if not each.startswith("issuer/")]

    def rule(self, part: str, answer: Answer | Stall) -> None:
        """From now on requests with this in their path are answered so."""
        self.fake.front.rule = lambda path: answer if part in path else None


class HeadTests(StaticCase):
    """The checkpoint."""

    def note(self) -> bytes:
        """The checkpoint as the log gives it."""
        body = self.successResultOf(
            Deferred.fromCoroutine(
                self.fake.fetcher.get("https://log.example/2026/checkpoint", max_bytes=9999)
            )
        )
        self.assertIn("checkpoint", self.fake.asked())
        return body

    def test_head(self) -> None:
        """The head of the log, with lines of other keys beside its own."""
        self.assertEqual(self.successResultOf(self.ask_head()), self.head)
        self.assertEqual(self.fake.asked(), ["checkpoint"])
        self.assertEqual(self.fake.stats.requests, 1)

    def test_bad_signature(self) -> None:
        """A checkpoint with anything changed is never given, and counted."""
        note = self.note()
        checkpoint = read_checkpoint(note)
        others = [line for line in checkpoint.signatures if line.name != checkpoint.origin]
        for body in (
            note.replace(b"\n700\n", b"\n701\n"),
            write_checkpoint(checkpoint.origin, 700, bytes(32), checkpoint.signatures),
            write_checkpoint(checkpoint.origin, 700, checkpoint.root, others),
        ):
            self.failure(self.ask_head(Answer(body=body)), BadSignature, "bad_signature")
        self.assertEqual(self.fake.stats.bad_signatures, 3)

    def test_shapes(self) -> None:
        """What is no checkpoint is refused."""
        note = self.note()
        for body in (b"", b"<html>", note[:-1], note.replace(b"\n\n", b"\nextension\n\n"), b"\xff"):
            self.failure(self.ask_head(Answer(body=body)), BadBody, "bad_body")
        self.failure(self.ask_head(Answer(body=note + b"x" * 100_000)), BadBody, "too_large")

    def test_other_origin(self) -> None:
        """An origin that is not the expected one is told of once; the key decides."""
        self.fake.listed = replace(self.fake.listed, origin="another.example/log")
        self.client = self.fake.static()
        told: list[Any] = []
        observer = told.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.ask_head()), self.head)
        told = [each for each in told if each.get("log_namespace") == "certstream_tx.static"]
        self.assertEqual(len(told), 1)
        self.assertEqual(told[0]["expected"], "another.example/log")

    def test_without_key(self) -> None:
        """The checkpoint of a log whose key nobody knows is taken as it is."""
        self.fake.listed = replace(self.fake.listed, key=None, log_id=None)
        self.client = self.fake.static()
        body = self.note().replace(b"\n700\n", b"\n701\n")
        self.assertEqual(self.successResultOf(self.ask_head(Answer(body=body))).size, 701)

    def test_bad_key(self) -> None:
        """A key that cannot be used is an error at once."""
        self.fake.listed = replace(self.fake.listed, key=b"nothing")
        self.assertRaises(SignatureError, self.fake.static)


class SpanTests(StaticCase):
    """What is worth asking for."""

    def look(self) -> SignedHead:
        return self.successResultOf(Deferred.fromCoroutine(self.client.head()))

    def test_full_tiles(self) -> None:
        """Requests end with the tile that they begin in."""
        self.assertEqual(self.client.span(0, 700), 256)
        self.assertEqual(self.client.span(100, 700), 256)
        self.assertEqual(self.client.span(256, 700), 512)
        self.assertEqual(self.client.span(256, 512), 512)

    def test_at_the_head(self) -> None:
        """At the head, and beyond it, there is nothing."""
        self.look()
        self.fake.clock.advance(60)
        for position, size in ((700, 700), (701, 700), (512, 512), (0, 0)):
            self.assertIsNone(self.client.span(position, size))

    def test_partial_tile(self) -> None:
        """A partial tile is left alone until its oldest new entry has waited long enough."""
        self.look()
        self.assertIsNone(self.client.span(512, 700))
        self.fake.clock.advance(14.9)
        self.assertIsNone(self.client.span(512, 700))
        self.fake.clock.advance(0.1)
        self.assertEqual(self.client.span(512, 700), 700)

    def test_once_in_a_while(self) -> None:
        """After a partial tile was read its next entries wait anew, from when they were seen."""
        self.look()
        self.fake.clock.advance(15)
        self.fake.log.add(5)
        self.look()
        self.assertEqual(self.client.span(512, 705), 705)
        self.assertIsNone(self.client.span(705, 705))
        self.fake.clock.advance(10)
        self.fake.log.add(5)
        self.look()
        self.assertIsNone(self.client.span(705, 710))
        self.fake.clock.advance(15)
        self.assertEqual(self.client.span(705, 710), 710)

    def test_fills_up(self) -> None:
        """A tile that is full by now is read at once."""
        self.look()
        self.assertIsNone(self.client.span(512, 700))
        self.fake.log.add(100)
        self.look()
        self.assertEqual(self.client.span(512, 800), 768)
        self.assertIsNone(self.client.span(768, 800))

    def test_at_once(self) -> None:
        """Without a wait partial tiles are read like others."""
        self.client = self.fake.static(partial_wait=0)
        self.look()
        self.assertEqual(self.client.span(512, 700), 700)


class EntriesTests(StaticCase):
    """Data tiles."""

    def test_full_tile(self) -> None:
        """The entries of a tile, with their hashes and chains."""
        entries = self.entries(256, 512)
        self.assertEqual([each.index for each in entries], list(range(256, 512)))
        self.assertEqual([each.leaf_hash for each in entries], self.fake.leaf_hashes(256, 512))
        self.assertEqual(self.tiles_asked(), ["tile/data/001"])
        self.assertEqual(self.fake.stats.tiles_fetched, 1)
        self.assertFalse(self.fake.stats.errors)
        for entry in entries:
            self.assertTrue(entry.chain)

    def test_chains(self) -> None:
        """Each issuer is fetched once, and stands in the order of the fingerprints."""
        entries = self.entries(0, 256)
        leaves = read_data_tile(self.fake.log.entries.data_tile(0, 256), 0, 256)
        for entry, leaf in zip(entries, leaves, strict=True):
            self.assertEqual(
                tuple(sha256(each).digest() for each in entry.chain), leaf.fingerprints
            )
        asked = [each for each in self.fake.asked() if each.startswith("issuer/")]
        self.assertEqual(len(asked), len(set(asked)))
        self.assertEqual(len(asked), len({each for leaf in leaves for each in leaf.fingerprints}))
        self.entries(256, 512)
        self.assertFalse([each for each in self.fake.asked() if each.startswith("issuer/")])

    def test_position_in_a_tile(self) -> None:
        """From a position within a tile on only what follows is given, and never the next tile."""
        self.assertEqual([each.index for each in self.entries(300, 310)], list(range(300, 310)))
        self.assertEqual([each.index for each in self.entries(500, 600)], list(range(500, 512)))
        self.assertEqual(self.tiles_asked(), ["tile/data/001"] * 2)

    def test_partial_tile(self) -> None:
        """A partial tile is asked for in the width that the head says."""
        entries = self.entries(600, 700)
        self.assertEqual([each.leaf_hash for each in entries], self.fake.leaf_hashes(600, 700))
        self.assertEqual(self.tiles_asked(), ["tile/data/002.p/188"])

    def test_partial_tile_that_is_gone(self) -> None:
        """When the log keeps the full tile only, that is read, and cut to the head's size."""
        self.fake.log.add(100)
        self.rule("tile/data/002.p/", Answer(404))
        entries = self.entries(512, 700)
        self.assertEqual([each.leaf_hash for each in entries], self.fake.leaf_hashes(512, 700))
        self.assertEqual(self.tiles_asked(), ["tile/data/002.p/188", "tile/data/002"])
        self.assertFalse(self.fake.stats.errors)

    def test_partial_tile_that_is_refused(self) -> None:
        """Only a partial tile that is gone has the full one in its place."""
        for answer in (Answer(403), Answer(429), Answer(500)):
            self.fake.front.next.append(answer)
            self.failureResultOf(self.asking(512, 700), FetchError)
            self.assertEqual(len(self.fake.asked()), 1)
            self.fake.clock.advance(60)

    def test_tile_not_there_yet(self) -> None:
        """A tile near the head that a cache does not have yet is asked for again later."""
        self.rule("tile/data/", Answer(404))
        self.failure(self.asking(512, 700), Lagging, "lagging")
        self.assertEqual(self.tiles_asked(), ["tile/data/002.p/188", "tile/data/002"])
        self.failure(self.asking(256, 512), Lagging, "lagging")
        self.assertEqual(self.tiles_asked(), ["tile/data/001"])

    def test_tile_that_is_lost(self) -> None:
        """A tile far from the head that is not there is missing."""
        self.rule("tile/data/", Answer(404))
        self.head = replace(self.head, size=5000)
        self.failure(self.asking(256, 512), Refused, "not_found")

    def test_gzip(self) -> None:
        """Tiles stored as gzip are read with and without a word about it."""
        tile = gzip.compress(self.fake.log.entries.data_tile(0, 256))
        for headers in ({}, {b"Content-Encoding": b"gzip"}):
            self.rule("tile/data/000", Answer(200, tile, headers))
            self.assertEqual(
                [each.leaf_hash for each in self.entries(0, 256)], self.fake.leaf_hashes(0, 256)
            )

    def test_bad_gzip(self) -> None:
        """gzip without a word about it is bounded and checked like any other."""
        tile = gzip.compress(self.fake.log.entries.data_tile(0, 256))
        for body in (b"\x1f\x8bnonsense", tile[:-1], tile + b"x"):
            self.rule("tile/data/000", Answer(200, body))
            self.failure(self.asking(0, 256), BadBody, "bad_encoding")
        self.rule("tile/data/000", Answer(200, gzip.compress(bytes(20_000_000))))
        self.failure(self.asking(0, 256), BadBody, "too_large")

    def test_broken_tiles(self) -> None:
        """A tile that is cut, goes on, is another one or none is refused as a whole."""
        tile = self.fake.log.entries.data_tile(0, 256)
        other = self.fake.log.entries.data_tile(256, 512)
        for body in (b"", tile[:-1], tile + b"x", other, b"<html>", tile[100:]):
            self.rule("tile/data/000", Answer(200, body))
            self.failure(self.asking(0, 256), BadBody, "bad_body")
        self.assertEqual(self.fake.stats.errors["bad_body"], 6)

    def test_partial_tile_of_another_width(self) -> None:
        """A partial tile with more or fewer entries than its name says is refused."""
        for end in (699, 701):
            self.fake.log.add(1)
            body = self.fake.log.entries.data_tile(512, end)
            self.rule("tile/data/002.p/188", Answer(200, body))
            self.failure(self.asking(512, 700), BadBody, "bad_body")

    def test_range(self) -> None:
        """Nothing is asked for that the head does not have."""
        for start, end in ((0, 0), (5, 4), (-1, 3), (0, 701), (700, 701)):
            self.failureResultOf(self.asking(start, end), ValueError)

    def test_throttled(self) -> None:
        """429 on a tile slows the operator's pace, and is no error."""
        self.fake.front.next.append(Answer(429, b"", {b"Retry-After": b"20"}))
        self.failure(self.asking(0, 256), Throttled, "throttled")
        self.assertEqual(self.fake.stats.throttled, 1)
        self.assertFalse(self.fake.stats.errors)

    def test_failed_tile(self) -> None:
        """A tile that fails is a failure of its own, and lessens the requests in flight."""
        stall = Stall(b"x")
        self.fake.front.next.append(stall)
        asking = self.asking(0, 256)
        self.fake.clock.advance(15)
        self.failure(asking, Unavailable, "stalled")
        self.assertEqual(self.client.depth, 2)
        self.assertEqual(len(self.entries(256, 512)), 256)

    def test_cancelled(self) -> None:
        """Cancelling closes the connection, within a tile and within its issuers."""
        stall = Stall(b"x")
        self.fake.front.next.append(stall)
        asking = self.asking(0, 256)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.rule("issuer/", stall)
        asking = self.asking(0, 256)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.fake.agent.flush()
        self.assertGreater(len(stall.closed), 2)
        self.assertEqual(self.fake.clock.getDelayedCalls(), [])


class MissingIssuerTests(StaticCase):
    """Issuers that cannot be had."""

    def test_not_found(self) -> None:
        """Without its issuers an entry has no chain, and is an entry all the same."""
        self.rule("issuer/", Answer(404))
        entries = self.entries(0, 256)
        self.assertEqual([each.chain for each in entries], [()] * 256)
        self.assertEqual(self.fake.stats.issuers_missing, 256)
        self.assertGreater(len(self.fake.asked()), 1)
        self.entries(256, 512)
        self.assertEqual(len(self.fake.asked()), 1)

    def test_short_chain(self) -> None:
        """A chain ends before the first issuer that is missing."""
        leaves = read_data_tile(self.fake.log.entries.data_tile(0, 256), 0, 256)
        chains = {leaf.fingerprints for leaf in leaves if len(leaf.fingerprints) > 1}
        second = next(iter(chains))[1]
        self.rule(second.hex(), Answer(404))
        for entry, leaf in zip(self.entries(0, 256), leaves, strict=True):
            expected = leaf.fingerprints
            if second in expected:
                expected = expected[: expected.index(second)]
            self.assertEqual(tuple(sha256(each).digest() for each in entry.chain), expected)
        self.assertGreater(self.fake.stats.issuers_missing, 0)

    def test_stalled(self) -> None:
        """Issuers that never come hold one tile up for two short timeouts, the next not at all."""
        self.rule("issuer/", Stall())
        asking = self.asking(0, 256)
        self.fake.clock.pump([1] * 21)
        self.assertEqual(len(self.successResultOf(asking)), 256)
        self.assertEqual(len(self.entries(256, 512)), 256)

    def test_many_fingerprints(self) -> None:
        """A tile that names issuers without end is not followed without end."""
        leaves = read_data_tile(self.fake.log.entries.data_tile(0, 256), 0, 256)
        number = iter(range(10**6))
        body = b"".join(
            write_tile_leaf(
                leaf.entry,
                leaf.precertificate,
                [sha256(next(number).to_bytes(4, "big")).digest() for _ in range(200)],
            )
            for leaf in leaves
        )
        self.rule("", Answer(404))
        self.fake.front.next.append(Answer(200, body))
        self.assertEqual(len(self.entries(0, 256)), 256)
        self.assertEqual(len(self.fake.asked()), 1 + 256)

    def test_long_chain(self) -> None:
        """One that names a root as its own issuer over and over makes no message as long."""
        leaves = read_data_tile(self.fake.log.entries.data_tile(0, 256), 0, 256)
        body = b"".join(
            write_tile_leaf(
                leaf.entry, leaf.precertificate, leaf.fingerprints + leaf.fingerprints[-1:] * 500
            )
            for leaf in leaves
        )
        self.fake.front.next.append(Answer(200, body))
        longest = max(len(entry.chain) for entry in self.entries(0, 256))
        self.assertEqual(longest, MAX_CHAIN)

    def test_large_issuer(self) -> None:
        """An issuer is bounded in size."""
        self.rule("issuer/", Answer(200, b"\x30" * 100_000))
        self.assertEqual({each.chain for each in self.entries(0, 256)}, {()})
        self.assertEqual(len(self.issuers), 0)


class RangeTests(StaticCase):
    """Starts in mid-tree."""

    def range_at(self, start: int) -> "Deferred[CompactRange]":
        return Deferred.fromCoroutine(self.client.range_at(start, self.head))

    def truth(self, start: int) -> CompactRange:
        tree = CompactRange()
        tree.extend(self.fake.leaf_hashes(0, start))
        return tree

    def test_starts(self) -> None:
        """Starts within and between tiles, at the head and before it, are proven."""
        for start in (1, 255, 256, 257, 511, 512, 600, 699, 700):
            self.assertEqual(self.successResultOf(self.range_at(start)), self.truth(start))
            self.assertLessEqual(len(self.fake.asked()), 4)

    def test_empty_start(self) -> None:
        """The start at 0, and an empty tree, need no proof."""
        self.assertEqual(self.successResultOf(self.range_at(0)), CompactRange())
        self.start(0)
        self.assertEqual(self.successResultOf(self.range_at(0)), CompactRange())
        self.assertEqual(self.fake.asked(), [])

    def test_at_the_head(self) -> None:
        """At the head the tiles at the right edge do."""
        self.successResultOf(self.range_at(700))
        self.assertEqual(sorted(self.fake.asked()), ["tile/0/002.p/188", "tile/1/000.p/2"])

    def test_outside(self) -> None:
        """There is no start beyond the head."""
        for start in (-1, 701):
            self.failureResultOf(self.range_at(start), ValueError)

    def test_older_head(self) -> None:
        """For a head that the log has gone past, partial tiles may be gone: full ones do."""
        self.head = self.fake.head(600)
        self.fake.front.rule = lambda path: Answer(404) if "tile/0/002.p/" in path else None
        self.fake.log.add(100)
        self.assertEqual(self.successResultOf(self.range_at(590)), self.truth(590))
        self.assertFalse(self.fake.stats.errors)

    def test_not_proven(self) -> None:
        """Tiles that lead to another root prove nothing."""
        self.head = replace(self.head, root=bytes(32))
        self.failure(self.range_at(600), MerkleMismatch, "merkle_mismatch")
        self.start(700)
        self.rule("tile/1/", Answer(200, bytes(64)))
        self.failure(self.range_at(512), MerkleMismatch, "merkle_mismatch")

    def test_broken_tiles(self) -> None:
        """A hash tile of another size is refused."""
        for body in (b"", bytes(63), bytes(96), bytes(8192)):
            self.rule("tile/1/", Answer(200, body))
            self.failure(self.range_at(700), BadBody, "bad_body")

    def test_one_failure(self) -> None:
        """When one tile fails the others are given up."""
        stall = Stall()
        answers = {"tile/0/002.p/188": stall, "tile/1/000.p/2": Answer(500)}
        self.fake.front.rule = answers.get
        self.failure(self.range_at(700), Unavailable, "server")
        self.fake.agent.flush()
        self.assertEqual(len(stall.closed), 1)
        self.assertEqual(self.fake.clock.getDelayedCalls(), [])
