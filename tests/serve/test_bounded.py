"""What a request may cost, whatever it is."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.answers import SERVER
from certstream_tx.serve.bounded import (
    ABORT_SECONDS,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    REQUEST_SECONDS,
)
from tests.serve.visitor import House
from tests.serve.wires.test_websocket import HouseTestCase


class BoundTests(HouseTestCase):
    """What a request may cost."""

    def test_small_body_is_ignored(self) -> None:
        """A body is read and thrown away; the next request is not mistaken for it."""
        visitor = self.house.visitor()
        visitor.request(b"/health", b"GET", b"Content-Length: 5")
        visitor.send(b"hello")
        self.assertEqual(visitor.answer().body, b"OK")
        visitor.request(b"/health")
        self.assertEqual(visitor.answer().body, b"OK")

    def test_many_requests_at_once(self) -> None:
        """Requests in one piece are answered in order, one a turn, as the client takes answers."""
        answered = []

        def metrics() -> bytes:
            answered.append(len(answered))
            return b"%d " % answered[-1] + b"x" * 100_000

        self.house.metrics = metrics
        visitor = self.house.visitor()
        visitor.kernel.room = 0
        visitor.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        for _ in range(20):
            self.house.clock.advance(0)
            visitor.transport.turn()
        self.assertLessEqual(len(answered), 3)
        visitor.kernel.room = 1 << 40
        received = b""
        for _ in range(520):
            received += visitor.received()
            self.house.clock.advance(0)
            self.assertLessEqual(len(answered), received.count(b"HTTP/1.1 200 OK") + 3)
        bodies = [part[:4].split()[0] for part in received.split(b"\r\n\r\n")[1:]]
        self.assertEqual(bodies, [b"%d" % number for number in range(500)])

    def test_many_requests_and_gone(self) -> None:
        """A client that leaves in the middle of them leaves nothing behind."""
        visitor = self.house.visitor()
        visitor.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        before = len(self.house.clock.getDelayedCalls())
        visitor.hang_up()
        self.house.clock.advance(0)
        self.assertLess(len(self.house.clock.getDelayedCalls()), before)

    def test_body_announced_too_long(self) -> None:
        """A body above the bound is refused before it is read, and the connection closed."""
        visitor = self.house.visitor()
        visitor.request(b"/health", b"POST", b"Content-Length: 10000000000")
        self.assertEqual(visitor.answer().status, 413)
        self.assertIsNotNone(visitor.closed)

    def test_chunked_body_too_long(self) -> None:
        """A body without a length is refused when it passes the bound; there is one answer."""
        visitor = self.house.visitor()
        visitor.request(b"/health", b"GET", b"Transfer-Encoding: chunked")
        visitor.send(
            b"4000\r\n" + b"x" * 0x4000 + b"\r\n4000\r\n" + b"x" * 0x4000 + b"\r\n0\r\n\r\n"
        )
        self.assertEqual(visitor.answer().status, 413)
        self.assertEqual(visitor.received(), b"")
        self.assertIsNotNone(visitor.closed)

    def test_body_is_not_kept(self) -> None:
        """Of a body that is allowed nothing is held."""
        visitor = self.house.visitor()
        visitor.request(b"/health", b"GET", b"Content-Length: %d" % MAX_BODY_BYTES)
        visitor.send(b"x" * (MAX_BODY_BYTES - 1))
        channel = visitor.transport.protocol
        self.assertEqual(channel.requests[0].content.getvalue(), b"")  # type: ignore[union-attr]

    def test_head_too_large(self) -> None:
        """Too many bytes or too many headers before the body: 400, and the connection is closed."""
        for line, count in ((b"X: " + b"x" * 8000, 3), (b"X: x", MAX_HEADERS + 1)):
            visitor = self.house.visitor()
            visitor.request(b"/health", b"GET", *[line] * count)
            self.assertEqual(visitor.answer().status, 400)
            self.assertIsNotNone(visitor.closed)
        visitor = self.house.visitor()
        visitor.send(b"GET /" + b"x" * (MAX_HEAD_BYTES + 10))
        self.assertIsNotNone(visitor.closed)

    def test_trickling_request(self) -> None:
        """A byte a second does not keep a connection: the whole request has its time."""
        visitor = self.house.visitor()
        for byte in b"GET / HTTP/1.1\r\nX-Long-Header: " + b"x" * 100:
            if visitor.closed is not None:
                break
            visitor.send(bytes([byte]))
            self.house.clock.advance(1)
        visitor.transport.drain()
        self.assertIsNotNone(visitor.closed)
        self.assertLessEqual(self.house.clock.seconds() - 1_700_000_000, REQUEST_SECONDS + 1)

    def test_idle_connection(self) -> None:
        """One that asks for nothing more after its answer is closed in peace."""
        visitor = self.house.visitor()
        self.house.clock.advance(REQUEST_SECONDS - 1)
        visitor.request(b"/health")
        visitor.answer()
        self.house.clock.advance(REQUEST_SECONDS - 1)
        self.assertIsNone(visitor.closed)
        self.house.clock.advance(1)
        visitor.transport.drain()
        self.assertIsNotNone(visitor.closed)
        self.assertFalse(visitor.transport.aborted)
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)

    def test_answer_that_is_not_taken(self) -> None:
        """A client that does not read its answer is cut some time after its time is over."""
        visitor = self.house.visitor()
        visitor.kernel.room = 10
        visitor.request(b"/")
        self.house.clock.advance(REQUEST_SECONDS)
        self.assertFalse(visitor.transport.aborted)
        self.house.clock.advance(ABORT_SECONDS)
        self.assertTrue(visitor.transport.aborted)

    def test_open_websocket_has_no_deadline(self) -> None:
        """The time for a request does not run on after the upgrade."""
        visitor = self.house.open()
        self.house.seconds(3 * REQUEST_SECONDS, pong=[visitor])
        self.assertIsNone(visitor.closed)

    def test_smuggling(self) -> None:
        """Requests whose end two servers might see in different places are refused."""
        for headers in (
            [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
            [b"Content-Length: 5", b"Content-Length: 6"],
            [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
            [b"transfer-encoding: identity", b"transfer-encoding: chunked"],
            [b"Transfer-Encoding: identity", b"Content-Length: 5"],
            [b"Content-Length: 5", b"Transfer-Encoding: identity"],
            [b"Content-Length: +5"],
            [b"Content-Length: 5, 5"],
            [b"Transfer-Encoding: xchunked"],
            [b"Transfer-Encoding : chunked"],
            [b"X: a\x00b"],
            [b"no colon"],
        ):
            visitor = self.house.visitor()
            visitor.request(b"/health", b"GET", *headers)
            self.assertEqual(visitor.answer().status, 400, headers)
            self.assertIsNotNone(visitor.closed, headers)

    def test_star(self) -> None:
        """What asks about the server as a whole is answered by this one, and by nothing else."""
        visitor = self.house.visitor()
        for method, status, allowed in (
            (b"OPTIONS", 204, b"GET, HEAD, OPTIONS"),
            (b"GET", 405, b"OPTIONS"),
            (b"FOO", 405, b"OPTIONS"),
        ):
            visitor.request(b"*", method)
            answer = visitor.answer()
            self.assertEqual((answer.status, answer.body), (status, b""))
            self.assertEqual(answer.headers[b"server"], SERVER)
            self.assertEqual(answer.headers[b"allow"], allowed)
        visitor.request(b"/health")
        self.assertEqual(visitor.answer().body, b"OK")

    def test_http_1_0(self) -> None:
        """An old client gets its answer, and the connection's end."""
        visitor = self.house.visitor()
        visitor.send(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertEqual(visitor.answer().body, b"OK")
        self.assertIsNotNone(visitor.closed)

    def test_only_http_1_1_is_offered(self) -> None:
        """TLS clients are not offered HTTP/2, which has no WebSocket here."""
        self.assertEqual(self.house.site.acceptableProtocols(), [b"http/1.1"])


class AnyRequestTests(SynchronousTestCase):
    """Whatever arrives."""

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=30),
                st.sampled_from(
                    [
                        b"GET / HTTP/1.1\r\n",
                        b"GET /example.json?\xff HTTP/1.1\r\n",
                        b"OPTIONS * HTTP/1.1\r\n",
                        b"HEAD /%ff%00 HTTP/1.1\r\n",
                        b"Upgrade: websocket\r\n",
                        b"Connection: Upgrade\r\n",
                        b"Sec-WebSocket-Version: 13\r\n",
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                        b'Sec-WebSocket-Extensions: permessage-deflate; x="\r\n',
                        b"Origin: \xff\r\n",
                        b"Host: [::\r\n",
                        b"Transfer-Encoding: chunked\r\n",
                        b"Content-Length: 3\r\n",
                        b"\r\n",
                        b"\r\n\r\n",
                    ]
                ),
            ),
            max_size=14,
        )
    )
    @settings(deadline=None, max_examples=250)
    def test_nothing_is_raised(self, pieces: list[bytes]) -> None:
        """Any bytes are answered, waited for or cut off; nothing is raised or logged."""
        house = House()
        visitor = house.visitor()
        for piece in pieces:
            visitor.send(piece)
        house.close()
        self.assertEqual(house.get(b"/health").body, b"OK")
        self.assertEqual(self.flushLoggedErrors(), [])
