"""Bodies that unfold to a thousand times of what came: they keep nobody waiting."""

import gzip
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from certstream_tx.ingest.clients.log_requests import DECODED_AT_ONCE
from certstream_tx.ingest.http.body import BodyReader
from certstream_tx.ingest.http.errors import BadBody, Unavailable
from certstream_tx.ingest.http.gzip_stream import SLICE
from certstream_tx.ingest.turns import Turns
from tests.ingest.fronted_log import FrontedLog, pieces
from tests.ingest.test_turns import TurningClock

LIMIT = 4 * 1024 * 1024
DONE = Failure(ResponseDone())


class GzipBodyTests(SynchronousTestCase):
    """Several bodies in one turn; each slice takes a whole turn's time."""

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.looks = 0
        self.turns = Turns(self.clock, self.timer)

    def timer(self) -> float:
        self.looks += 1
        return float(self.looks)

    def reader(self, limit: int = LIMIT) -> BodyReader:
        reader = BodyReader(
            self.clock, max_bytes=limit, gzip=True, stall=10, deadline=900, turns=self.turns
        )
        reader.makeConnection(StringTransport())
        return reader

    def test_slices(self) -> None:
        """All together unfold a slice in each turn, and come whole at last."""
        body = bytes(LIMIT)
        readers = [self.reader() for _ in range(6)]
        for reader in readers:
            for piece in pieces(gzip.compress(body), 3000):
                reader.dataReceived(piece)
            reader.connectionLost(DONE)

        def unfolded() -> int:
            return sum(reader._size for reader in readers)

        self.assertLessEqual(unfolded(), 6 * 64 * 1024)
        before = unfolded()
        for _ in range(6 * LIMIT // SLICE + 12):
            self.clock.turn()
            self.assertLessEqual(unfolded() - before, SLICE)
            before = unfolded()
        for reader in readers:
            self.assertEqual(self.successResultOf(reader.done), body)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_large(self) -> None:
        """One that goes on behind the limit is given up there."""
        reader = self.reader()
        reader.dataReceived(gzip.compress(bytes(LIMIT * 20)))
        self.assertNoResult(reader.done)
        self.clock.turn(LIMIT // SLICE + 2)
        self.assertEqual(self.failureResultOf(reader.done, BadBody).value.kind, "too_large")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_packed_too_large(self) -> None:
        """So is one of which more is sent than it may unfold to, be it nothing that it says."""
        packer = zlib.compressobj(wbits=31)
        reader = self.reader(1000)
        reader.dataReceived(packer.compress(b"x") + packer.flush(zlib.Z_FULL_FLUSH))
        for _ in range(200):
            reader.dataReceived(b"\0\0\0\xff\xff" * 100)  # blocks of nothing
        self.assertEqual(self.failureResultOf(reader.done, BadBody).value.kind, "too_large")

    def test_given_up_in_the_midst(self) -> None:
        """Cancelled, or cut, no more is unfolded."""
        for how in ("cancel", "cut", "noise"):
            reader = self.reader()
            packed = gzip.compress(bytes(LIMIT))
            reader.dataReceived(packed[:-9])
            self.clock.turn()
            size = reader._size
            if how == "cancel":
                reader.done.addErrback(lambda failure: None)
                reader.done.cancel()
            elif how == "cut":
                reader.connectionLost(Failure(ConnectionLost()))
                self.failureResultOf(reader.done, Unavailable)
            else:
                reader.dataReceived(b"noise noise noise")
                self.clock.turn(40)
                self.failureResultOf(reader.done, BadBody)
                size = reader._size
            self.clock.turn(3)
            self.assertEqual(reader._size, size)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut_gzip(self) -> None:
        """One that ends too early, or late, is refused once that is known."""
        packed = gzip.compress(bytes(LIMIT))
        for body in (packed[:-1], packed[:-30], packed + b"x", packed + packed):
            reader = self.reader()
            reader.dataReceived(body)
            reader.connectionLost(DONE)
            self.clock.turn(40)
            self.assertEqual(self.failureResultOf(reader.done, BadBody).value.kind, "bad_encoding")

    def test_waiting_is_no_stall(self) -> None:
        """That others have their turn first is not the log's fault."""
        reader = self.reader()
        reader.dataReceived(gzip.compress(bytes(LIMIT)))
        self.clock.turn(LIMIT // SLICE - 1, 8)
        self.assertLess(reader._size, LIMIT)
        reader.connectionLost(DONE)
        self.clock.turn(4, 8)
        self.assertEqual(self.successResultOf(reader.done), bytes(LIMIT))

    @given(st.binary(max_size=300), st.integers(1, 6000), st.integers(1, 9000), st.booleans())
    @settings(deadline=None, max_examples=60)
    def test_any(self, some: bytes, times: int, size: int, early: bool) -> None:
        """However it is packed and cut, it comes whole, whether its end comes early or not."""
        self.setUp()
        body = some * times
        reader = self.reader()
        for piece in pieces(gzip.compress(body, 1), size):
            reader.dataReceived(piece)
            if not early:
                self.clock.turn()
        if not early:
            self.clock.turn(20)
        reader.connectionLost(DONE)
        self.clock.turn(20)
        self.assertEqual(self.successResultOf(reader.done), body)


class DecodingTests(SynchronousTestCase):
    """Pages and tiles of several logs that come in one turn."""

    def test_one_in_a_turn(self) -> None:
        """Each is decoded in a turn of its own."""
        for kind in ("rfc6962", "tiled"):
            clock = TurningClock()
            looks: list[float] = []

            def timer(looks: list[float] = looks) -> float:
                looks.append(0)
                return float(len(looks))

            turns = Turns(clock, timer)
            asked: list[Deferred[Any]] = []
            fakes = []
            for _ in range(4):
                fake = FrontedLog(kind, 300, clock)  # type: ignore[arg-type]
                fake.fetcher.turns = turns  # type: ignore[misc]
                client: Any = fake.rfc6962() if kind == "rfc6962" else fake.static()
                asked.append(Deferred.fromCoroutine(client.entries(0, 256, fake.head())))
                fake.agent.flush()
                fakes.append(fake)
            self.assertEqual([each.called for each in asked], [False] * 4)
            decoded = [0]
            while decoded[-1] < 4 and len(decoded) < 50:
                clock.turn()
                for fake in fakes:
                    fake.agent.flush()
                decoded.append(sum(bool(each.called) for each in asked))
            self.assertEqual(list(dict.fromkeys(decoded)), [0, 1, 2, 3, 4], kind)

    def test_small(self) -> None:
        """Heads and proofs do not wait."""
        fake = FrontedLog("rfc6962", 300, Clock())
        client = fake.rfc6962()
        for ask in (client.head(), client.range_at(100, fake.head())):
            asked = Deferred.fromCoroutine(ask)  # type: ignore[arg-type]
            fake.agent.flush()
            self.successResultOf(asked)
        self.assertGreater(DECODED_AT_ONCE, 4096)
