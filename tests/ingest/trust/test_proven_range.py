"""Tests of certstream_tx.ingest.trust.proven_range."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.http.errors import (
    BadSignature,
    MerkleMismatch,
    Refused,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.trust.proven_range import THROTTLED_TRIES, TRIES, BeyondHead, ProvenRange
from tests.ingest.fake_log import FakeLog
from tests.ingest.fronted_log import FrontedLog


class ProvenRangeTests(SynchronousTestCase):
    """A log of 1000 entries."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fake = FakeLog(self.clock, 1000)
        self.taken: list[int] = []

    def read(self, start: int, end: int, client: Any = None) -> "Deferred[SignedHead]":
        wanted = ProvenRange(client or self.fake, start, end, self.clock, Random(1))
        reading = Deferred.fromCoroutine(
            wanted.read(lambda entries: self.taken.extend(entry.index for entry in entries))
        )
        self.clock.pump([0.5] * 400)
        return reading

    def test_any_range(self) -> None:
        """At the start, in the middle, over page boundaries, and up to the head."""
        for start, end in ((0, 1), (0, 1000), (31, 33), (500, 777), (999, 1000)):
            self.taken.clear()
            self.assertEqual(self.successResultOf(self.read(start, end)).size, 1000)
            self.assertEqual(self.taken, list(range(start, end)))

    def test_a_changed_entry(self) -> None:
        """Wherever it is in the range, it is not taken for the log's."""
        for changed in (500, 640, 776):
            self.fake.changed = {changed}
            self.failureResultOf(self.read(500, 777), MerkleMismatch)
        self.fake.changed = {499, 777}
        self.successResultOf(self.read(500, 777))

    def test_beyond_the_head(self) -> None:
        """Nothing is read, and how many there are is told."""
        error = self.failureResultOf(self.read(990, 1001), BeyondHead).value
        self.assertEqual((error.size, self.taken), (1000, []))
        self.assertRaises(ValueError, ProvenRange, self.fake, 5, 5, self.clock, Random(1))

    def test_faults_that_pass(self) -> None:
        """Failures, short answers and a slower pace cost nothing but time."""
        faults: list[Exception | int | None] = [
            Unavailable("server", "HTTP 500", 500),
            Throttled("HTTP 429"),
            3,
            Refused("refused", "HTTP 400", 400),
            None,
        ] * 3
        self.fake.entry_faults = lambda start, end: faults.pop(0) if faults else None
        self.fake.head_faults = [Unavailable("timeout", "no answer")]
        self.fake.proof_faults = [Unavailable("cut", "cut")]
        self.successResultOf(self.read(100, 300))
        self.assertEqual(self.taken, list(range(100, 300)))

    def test_faults_that_stay(self) -> None:
        """The reason is told in the end."""
        self.fake.entry_faults = lambda start, end: Unavailable("server", "HTTP 500", 500)
        self.failureResultOf(self.read(100, 300), Unavailable)
        self.assertEqual(len(self.fake.asked), TRIES)
        self.fake.asked.clear()
        self.fake.entry_faults = lambda start, end: Throttled("HTTP 429")
        self.failureResultOf(self.read(100, 300), Throttled)
        self.assertEqual(len(self.fake.asked), THROTTLED_TRIES)

    def test_another_key(self) -> None:
        """One bad signature is an accident, a second is not."""
        self.fake.head_faults = [BadSignature("by another key")]
        self.successResultOf(self.read(100, 102))
        self.fake.head_faults = [BadSignature("by another key")] * 2
        self.failureResultOf(self.read(100, 102), BadSignature)

    def test_no_proof(self) -> None:
        """What the log does not prove is not even begun."""
        self.fake.head_faults = [SignedHead(1000, 0, bytes(32), b"")]
        self.failureResultOf(self.read(100, 300), MerkleMismatch)
        self.assertEqual(self.taken, [])

    def test_both_protocols(self) -> None:
        """Pages and tiles, a partial one among them."""
        for kind in ("rfc6962", "tiled"):
            fake = FrontedLog(kind, 700, self.clock)  # type: ignore[arg-type]
            client = fake.rfc6962() if kind == "rfc6962" else fake.static(partial_wait=0)
            self.taken.clear()
            # The answers are there as soon as they are asked for.
            fake.agent.flush()
            head = self.successResultOf(self.read(200, 690, client))
            self.assertEqual(head.size, 700)
            self.assertEqual(self.taken, list(range(200, 690)))
