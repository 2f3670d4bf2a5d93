"""Tests of certstream_tx.ingest.http.fetch and .body, in memory."""

import gzip
import tracemalloc
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss

from certstream_tx.ingest.http.body import BodyReader
from certstream_tx.ingest.http.fetch import (
    MAX_ERROR_BODY,
    BadBody,
    Fetcher,
    FetchError,
    Refused,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.http.gzip_stream import gunzip
from certstream_tx.ingest.http.http_client import _NoCookies
from certstream_tx.ingest.turns import Turns
from tests.ingest.faults import Answer, Stall
from tests.ingest.fronted_log import Front, pieces

URL = "https://log.example/2026/x"
GZIP = {b"Content-Encoding": b"gzip"}


class FetcherCase(SynchronousTestCase):
    """A Fetcher in front of a front."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.front = Front()
        self.agent = RequestTraversalAgent(self.front)
        self.fetcher = Fetcher(HTTPClient(self.agent), self.clock, "me (a@b.example)", 30, 10)

    def get(self, answer: Answer | Stall | None = None, **kwargs: Any) -> "Deferred[bytes]":
        if answer is not None:
            self.front.next.append(answer)
        kwargs.setdefault("max_bytes", 1000)
        return Deferred.fromCoroutine(self.fetcher.get(URL, **kwargs))

    def failed(self, getting: "Deferred[bytes]", kind: str) -> Any:
        error = self.failureResultOf(getting, FetchError).value
        self.assertEqual(error.kind, kind, error)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return error


class AnswerTests(FetcherCase):
    """What comes back, by status and headers."""

    def test_body(self) -> None:
        """The body of a 200 answer is given as it is, and no timer is left."""
        self.assertEqual(self.successResultOf(self.get(Answer(body=b"hello"))), b"hello")
        self.assertEqual(self.successResultOf(self.get(Answer(body=b""))), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_request(self) -> None:
        """The request names us, accepts gzip, carries no cookie and its parameters encoded."""
        getting = self.get(Answer(), params={"hash": "a+b/c=", "tree_size": 5})
        self.successResultOf(getting)
        self.assertEqual(self.front.asked, ["x?hash=a%2Bb%2Fc%3D&tree_size=5"])
        headers = self.front.headers[0]
        self.assertEqual(headers.getRawHeaders("user-agent"), ["me (a@b.example)"])
        self.assertEqual(headers.getRawHeaders("accept-encoding"), ["gzip"])
        self.assertFalse(headers.hasHeader("cookie"))

    def test_throttled(self) -> None:
        """429 is pace, with the seconds or the date of Retry-After, or without."""
        for value, seconds in ((b"60", 60), (b"Fri, 15 Jan 2027 08:00:30 UTC", 30), (b"?", None)):
            answer = Answer(429, b"slow down", {b"Retry-After": value})
            error = self.failed(self.get(answer), "throttled")
            self.assertIsInstance(error, Throttled)
            self.assertEqual(error.retry_after, seconds)
        self.assertIsNone(self.failed(self.get(Answer(429)), "throttled").retry_after)

    def test_unavailable_with_retry_after(self) -> None:
        """503 is pace only when it says until when."""
        error = self.failed(self.get(Answer(503, b"", {b"Retry-After": b"7"})), "throttled")
        self.assertEqual(error.retry_after, 7)
        self.assertEqual(self.failed(self.get(Answer(503)), "server").status, 503)

    def test_statuses(self) -> None:
        """Each status has its class and its kind."""
        for status, kind, kind_of in (
            (500, "server", Unavailable),
            (502, "server", Unavailable),
            (504, "server", Unavailable),
            (400, "refused", Refused),
            (403, "refused", Refused),
            (413, "refused", Refused),
            (206, "refused", Refused),
            (404, "not_found", Refused),
            (410, "not_found", Refused),
            (301, "redirect", Refused),
            (307, "redirect", Refused),
        ):
            error = self.failed(self.get(Answer(status, b"why")), kind)
            self.assertIsInstance(error, kind_of)
            self.assertEqual(error.status, status)
            self.assertIn(str(status), error.reason)

    def test_redirect(self) -> None:
        """A redirect is not followed; where it points to is said."""
        answer = Answer(302, b"", {b"Location": b"https://elsewhere.example/"})
        error = self.failed(self.get(answer), "redirect")
        self.assertEqual(len(self.front.asked), 1)
        self.assertIn("https://elsewhere.example/", error.reason)

    def test_error_body_is_cleaned(self) -> None:
        """What a log says of an error holds no control characters for a terminal."""
        body = b"<b>\x1b[31mno\x00\r\n\xc2\x9bx\xff \xe2\x80\xa8y</b>"
        error = self.failed(self.get(Answer(400, body)), "refused")
        self.assertEqual(error.body, "<b> [31mno x y</b>")
        self.assertEqual(error.reason, "HTTP 400: <b> [31mno x y</b>")

    def test_error_body_is_bounded(self) -> None:
        """Of a large error page only the begin is read, and less of it goes into the reason."""
        error = self.failed(self.get(Answer(400, b"x" * 1_000_000)), "refused")
        self.assertEqual(len(error.body), MAX_ERROR_BODY)
        self.assertLess(len(error.reason), 250)

    def test_error_body_that_stalls(self) -> None:
        """An error page that never ends does not hide the status."""
        getting = self.get(Stall(b"busy"))
        self.front.next.clear()
        self.assertNoResult(getting)
        self.clock.advance(10)
        self.failed(getting, "stalled")

    def test_error_body_is_unfolded(self) -> None:
        """An error page may be compressed, even badly."""
        error = self.failed(self.get(Answer(400, gzip.compress(b"no"), GZIP)), "refused")
        self.assertEqual(error.body, "no")
        error = self.failed(self.get(Answer(400, b"not gzip", GZIP)), "refused")
        self.assertEqual(error.body, "")

    def test_cookies_are_not_kept(self) -> None:
        """What make_http_client gives sends back no cookie and keeps none."""
        jar = _NoCookies()
        self.fetcher = Fetcher(HTTPClient(self.agent, cookiejar=jar), self.clock, "me", 30)
        for _ in range(2):
            self.successResultOf(self.get(Answer(200, b"", {b"Set-Cookie": b"a=b; Path=/"})))
        self.assertFalse(self.front.headers[1].hasHeader("cookie"))
        self.assertEqual(len(jar), 0)


class BoundTests(FetcherCase):
    """Bounds in bytes."""

    def test_largest(self) -> None:
        """A body may be as large as allowed, to the byte."""
        self.assertEqual(len(self.successResultOf(self.get(Answer(body=b"x" * 1000)))), 1000)
        self.failed(self.get(Answer(body=b"x" * 1001)), "too_large")

    def test_announced_length(self) -> None:
        """A Content-Length above the limit is refused before the body is read."""
        stall = Stall(b"x", {b"Content-Length": b"1001"})
        error = self.failed(self.get(stall), "too_large")
        self.assertIn("1001 bytes announced", error.reason)
        self.agent.flush()
        self.assertEqual(len(stall.closed), 1)

    def test_endless_body(self) -> None:
        """A body without a length is cut off at the limit, and the connection closed."""
        stall = Stall(b"x" * 1001)
        self.failed(self.get(stall), "too_large")
        self.agent.flush()
        self.assertEqual(len(stall.closed), 1)

    def test_gzip(self) -> None:
        """gzip is unfolded, and the limit is that of the unfolded bytes."""
        body = gzip.compress(bytes(1000))
        self.assertEqual(self.successResultOf(self.get(Answer(200, body, GZIP))), bytes(1000))
        self.failed(self.get(Answer(200, gzip.compress(bytes(1001)), GZIP)), "too_large")

    def test_gzip_bomb(self) -> None:
        """Of 200 MB that came as 200 KB no more is unfolded than the limit allows."""
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
        getting = self.get(Answer(200, bomb, GZIP), max_bytes=300_000)
        self.clock.pump([0] * 10)
        self.failed(getting, "too_large")

    def test_gzip_bomb_in_memory(self) -> None:
        """Nor does it take the memory meanwhile: 64 KB, as they come at once, would be 64 MB."""
        reader = BodyReader(
            self.clock,
            max_bytes=1000,
            gzip=True,
            stall=10,
            deadline=2e9,
            turns=Turns(self.clock),
        )
        reader.makeConnection(StringTransport())
        packer = zlib.compressobj(9, wbits=31)
        piece = b"".join(packer.compress(bytes(1_000_000)) for _ in range(64)) + packer.flush()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        reader.dataReceived(piece)
        self.failureResultOf(reader.done, BadBody)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)
        self.assertRaises(BadBody, unfolded, piece, 1000)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)

    def test_not_gzip(self) -> None:
        """What is not the gzip it claims to be, is cut, goes on or is empty is refused."""
        good = gzip.compress(b"hello")
        for body in (b"hello", good[:-1], good[:-9], good + b"x", good + good, b"\x1f", b""):
            self.failed(self.get(Answer(200, body, GZIP)), "bad_encoding")

    def test_encodings(self) -> None:
        """Other encodings, and gzip twice, are refused; identity is none."""
        self.successResultOf(self.get(Answer(200, b"x", {b"Content-Encoding": b"identity"})))
        for encoding in (b"br", b"deflate", b"gzip, br", b"zstd"):
            self.failed(
                self.get(Answer(200, b"x", {b"Content-Encoding": encoding})), "bad_encoding"
            )
        body = gzip.compress(gzip.compress(b"hello"))
        twice = {b"Content-Encoding": b"gzip, gzip"}
        self.failed(self.get(Answer(200, body, twice)), "bad_encoding")


class TimeTests(FetcherCase):
    """Bounds in time."""

    def test_no_answer(self) -> None:
        """Without an answer the request ends with its timeout, and its connection."""
        stall = Stall()
        getting = self.get(stall)
        self.clock.advance(29.9)
        self.assertNoResult(getting)
        self.clock.advance(0.2)
        self.failed(getting, "timeout")
        self.agent.flush()
        self.assertEqual(len(stall.closed), 1)

    def test_shorter_timeout(self) -> None:
        """A request may be given less time, not more."""
        getting = self.get(Stall(), timeout=5)
        self.clock.advance(5)
        self.failed(getting, "timeout")
        getting = self.get(Stall(), timeout=500)
        self.clock.advance(30)
        self.failed(getting, "timeout")

    def test_stall_before_body(self) -> None:
        """Headers, and then nothing: ended by the stall guard."""
        stall = Stall(b"", {b"Content-Length": b"10"})
        getting = self.get(stall)
        self.clock.advance(9.9)
        self.assertNoResult(getting)
        self.clock.advance(0.1)
        self.failed(getting, "stalled")
        self.agent.flush()
        self.assertEqual(len(stall.closed), 1)

    def test_stall_in_body(self) -> None:
        """The guard counts from the last piece."""
        requests: list[Any] = []
        stall = Stall(b"a")
        getting = self.get(stall)
        stall.closed = requests
        for _ in range(2):
            self.clock.advance(9)
            self.assertNoResult(getting)
            self.write(b"b")
        self.clock.advance(9.5)
        self.assertNoResult(getting)
        self.clock.advance(0.5)
        self.failed(getting, "stalled")

    def test_drip(self) -> None:
        """A byte now and then keeps no request beyond its timeout."""
        getting = self.get(Stall(b"a"))
        for _ in range(5):
            self.clock.advance(5)
            self.assertNoResult(getting)
            self.write(b"b")
        self.clock.advance(4.9)
        self.assertNoResult(getting)
        self.clock.advance(0.1)
        self.failed(getting, "timeout")

    def test_cancelled(self) -> None:
        """Cancelling, before the answer or within it, closes the connection, and is no error."""
        for stall in (Stall(), Stall(b"a")):
            getting = self.get(stall)
            getting.cancel()
            self.failureResultOf(getting, CancelledError)
            self.agent.flush()
            self.assertEqual(len(stall.closed), 1)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def write(self, data: bytes) -> None:
        """Another piece of the answer that is under way."""
        for pump in self.agent._pumps:
            pump.server._channel.requests[0].write(data)
        self.agent.flush()


class ConnectionTests(SynchronousTestCase):
    """Connections that are not made, or break."""

    def get(self, agent: Any, url: str = "http://127.0.0.1/") -> "Deferred[bytes]":
        fetcher = Fetcher(HTTPClient(agent), Clock(), "me", 30)
        return Deferred.fromCoroutine(fetcher.get(url, max_bytes=1000))

    def connected(self, data: bytes) -> "tuple[Deferred[bytes], Any]":
        """A request on a connection on which ``data`` has come."""
        reactor = MemoryReactorClock()
        getting = self.get(Agent(reactor))
        factory = reactor.tcpClients[0][2]
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        if data:
            protocol.dataReceived(data)
        return getting, protocol

    def test_cancelled_during_lookup(self) -> None:
        """A name that was being looked up is then said to be unknown: still a cancellation."""

        class LookingUp:
            def request(self, *_: object) -> "Deferred[None]":
                return Deferred(lambda waiting: waiting.errback(DNSLookupError()))

        getting = self.get(LookingUp())
        getting.cancel()
        self.failureResultOf(getting, CancelledError)

    def test_cut(self) -> None:
        """A connection that ends before or within an answer."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
        for data in (b"", b"HTTP/1.1 20", head, head + b"12345"):
            getting, protocol = self.connected(data)
            protocol.connectionLost(Failure(ConnectionLost()))
            error = self.failureResultOf(getting, Unavailable).value
            self.assertEqual(error.kind, "cut", data)

    def test_no_http(self) -> None:
        """An answer that is not HTTP."""
        getting, _ = self.connected(b"SSH-2.0-OpenSSH\r\n\r\n")
        self.assertEqual(self.failureResultOf(getting, Unavailable).value.kind, "cut")

    def test_unknown_transfer_encoding(self) -> None:
        """An answer in a way of transfer that nobody knows is a failure like others."""
        getting, protocol = self.connected(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n")
        protocol.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(getting, Unavailable)
        self.flushLoggedErrors()

    def test_refused(self) -> None:
        """A connection that is refused."""
        reactor = MemoryReactorClock()
        getting = self.get(Agent(reactor))
        factory = reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        reactor.advance(1)
        error = self.failureResultOf(getting, Unavailable).value
        self.assertEqual(error.kind, "connect")
        self.assertIn("refused", error.reason)

    def test_bad_url(self) -> None:
        """A URL that leads nowhere is told as one more kind of failure."""
        for url in ("ftp://127.0.0.1/", "http://[::1/", "nothing"):
            self.failureResultOf(self.get(Agent(MemoryReactorClock()), url), FetchError)


def unfolded(data: bytes, limit: int) -> bytes:
    """What ``gunzip`` gives at last."""
    pieces = gunzip(data, limit)
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        plain: bytes = end.value
        return plain


class BodyReaderTests(SynchronousTestCase):
    """The body protocol on its own."""

    def reader(self, **kwargs: Any) -> BodyReader:
        self.clock = Clock()
        self.transport = StringTransport()
        settings = {"max_bytes": 10_000, "gzip": False, "stall": 10, "deadline": 30} | kwargs
        settings["turns"] = Turns(self.clock)
        reader = BodyReader(self.clock, **settings)
        reader.makeConnection(self.transport)
        return reader

    def test_one_piece_is_not_copied(self) -> None:
        """A body that came in one piece is given as that very object."""
        reader = self.reader()
        piece = bytes(5000)
        reader.dataReceived(piece)
        reader.connectionLost(Failure(ResponseDone()))
        self.assertIs(self.successResultOf(reader.done), piece)

    def test_small_pieces_are_joined(self) -> None:
        """A body in single bytes, as chunks may have it, does not cost an object for each."""
        reader = self.reader()
        for _ in range(10_000):
            reader.dataReceived(b"x")
        self.assertLess(len(reader._pieces), 3)
        reader.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(reader.done), b"x" * 10_000)

    def test_end_of_connection_as_end_of_body(self) -> None:
        """A body of HTTP/1.0 that only the end of the connection ends is taken."""
        reader = self.reader()
        reader.dataReceived(b"x")
        reader.connectionLost(Failure(PotentialDataLoss()))
        self.assertEqual(self.successResultOf(reader.done), b"x")

    def test_late_pieces(self) -> None:
        """What comes after the end, as it may in the same turn, is ignored."""
        reader = self.reader(max_bytes=3)
        reader.dataReceived(b"1234")
        reader.dataReceived(b"5")
        reader.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(reader.done, BadBody)
        self.assertTrue(self.transport.producerState == "stopped" or self.transport.disconnecting)

    @given(st.binary(max_size=3000), st.integers(1, 700), st.booleans(), st.integers(0, 3000))
    @settings(deadline=None, max_examples=150)
    def test_any_pieces(self, body: bytes, size: int, packed: bool, limit: int) -> None:
        """However a body is cut, plain or gzip, it comes whole or, above the limit, not at all."""
        reader = self.reader(gzip=packed, max_bytes=limit)
        for piece in pieces(gzip.compress(body) if packed else body, size):
            reader.dataReceived(piece)
        reader.connectionLost(Failure(ResponseDone()))
        if len(body) > limit:
            self.assertEqual(self.failureResultOf(reader.done).value.kind, "too_large")
        else:
            self.assertEqual(self.successResultOf(reader.done), body)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @given(st.binary(max_size=300), st.integers(0, 300))
    @settings(deadline=None, max_examples=200)
    def test_gunzip(self, data: bytes, limit: int) -> None:
        """gunzip gives back what was packed, within the limit, and no other error for noise."""
        if len(data) <= limit:
            self.assertEqual(unfolded(gzip.compress(data), limit), data)
        else:
            self.assertRaises(BadBody, unfolded, gzip.compress(data), limit)
        if data[:2] != b"\x1f\x8b":
            self.assertRaises(BadBody, unfolded, data, limit)
