"""Server-sent events: what is about HTTP in them."""

import weakref
from socket import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
)
from typing import NamedTuple

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import SSE_RETRY
from certstream_tx.hub import Stream
from certstream_tx.serve.bounded import MAX_BODY_BYTES, REQUEST_SECONDS
from certstream_tx.serve.wires.passive import MAX_INPUT_BYTES
from tests.serve.links import Link, PlainLink, TLSLink
from tests.serve.visitor import House
from tests.serve.wires.clients import make_house, publish

REQUEST = b"GET /sse HTTP/1.1\r\nHost: a\r\n\r\n"


class Answered(NamedTuple):
    """An answer, as far as it has arrived."""

    version: bytes
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class EventStreamTestCase(SynchronousTestCase):
    """With a site in memory."""

    def setUp(self) -> None:
        self.house = make_house()
        self.addCleanup(self.house.close)

    def connect(self, house: House | None = None, link: type[Link] = PlainLink) -> Link:
        house = house or self.house
        connected = link(house.site, house.clock)
        self.addCleanup(connected.hang_up)
        return connected

    def ask(self, request: bytes, house: House | None = None) -> tuple[Link, Answered]:
        """The answer's head, and what of its body is there."""
        link = self.connect(house)
        link.send(request)
        head, _, body = link.received().partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        version, code, _ = status.split(b" ", 2)
        headers = {n.lower(): v for n, _, v in (line.partition(b": ") for line in lines)}
        return link, Answered(version, int(code), headers, body)

    def stream_of(self, link: Link) -> bytes:
        """Which stream a client gets: the first word of the next message."""
        publish(self.house)
        return link.received().partition(b"data: ")[2].partition(b" ")[0]


class AnswerTests(EventStreamTestCase):
    """The answer to a request."""

    def test_head(self) -> None:
        """Everything that EventSource, pages of other origins and proxies need, and no length: the
        end of the connection is the end."""
        link, answer = self.ask(REQUEST)
        self.assertEqual(answer.status, 200)
        expected = {
            b"content-type": b"text/event-stream",
            b"cache-control": b"no-store",
            b"access-control-allow-origin": b"*",
            b"x-accel-buffering": b"no",
            b"connection": b"close",
            b"x-content-type-options": b"nosniff",
        }
        self.assertEqual(answer.headers | expected, answer.headers)
        for absent in (b"content-length", b"transfer-encoding", b"content-encoding"):
            self.assertNotIn(absent, answer.headers)
        self.assertEqual(answer.body, SSE_RETRY)
        self.assertIsNone(link.closed)

    def test_events(self) -> None:
        """An event is an id (this run of the server, the stream's number) and one line of data."""
        link, _ = self.ask(REQUEST)
        publish(self.house, 2)
        self.assertEqual(link.received(), b"id: e-0\ndata: lite 0 \n\nid: e-1\ndata: lite 1 \n\n")

    def test_http_1_0(self) -> None:
        """The same body for a client that knows no other HTTP."""
        for request in (
            b"GET /sse HTTP/1.0\r\n\r\n",
            b"GET /sse HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ):
            link, answer = self.ask(request)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.version, b"HTTP/1.0")
            self.assertEqual(answer.headers[b"connection"], b"close")
            self.assertEqual(answer.body, SSE_RETRY)
            self.assertEqual(self.stream_of(link), b"lite")

    def test_streams(self) -> None:
        """The query names the stream; what it does not name, or nobody knows, is the lite one."""
        for query, stream in {
            b"": b"lite",
            b"?": b"lite",
            b"?stream=": b"lite",
            b"?stream": b"lite",
            b"?stream=lite": b"lite",
            b"?stream=full": b"full",
            b"?stream=domains": b"domains",
            b"?stream=domains-only": b"domains",
            b"?stream=%66ull": b"full",
            b"?stream=FULL": b"lite",
            b"?stream=full%00": b"lite",
            b"?stream=%ff": b"lite",
            b"?x=1&stream=full&x": b"full",
            b"?stream=full&stream=lite": b"full",
            b"?streams=full": b"lite",
        }.items():
            for path in (b"/sse", b"/sse/"):
                link, answer = self.ask(b"GET %s%s HTTP/1.1\r\nHost: a\r\n\r\n" % (path, query))
                self.assertEqual(answer.status, 200, query)
                self.assertEqual(self.stream_of(link), stream, query)
                link.hang_up()

    def test_head_request(self) -> None:
        """HEAD gets the head of GET, subscribes nobody, and that is the end of the connection."""
        for version in (b"1.0", b"1.1"):
            asked = b" /sse?stream=full HTTP/%s\r\nHost: a\r\n\r\n" % version
            _, got = self.ask(b"GET" + asked)
            link, answer = self.ask(b"HEAD" + asked)
            self.assertEqual((answer.status, answer.headers), (200, got.headers))
            self.assertEqual(answer.body, b"")
            reason = link.closed
            assert reason is not None
            reason.trap(ConnectionDone)
        self.assertEqual(len(self.house.clients), 2)

    def test_disabled_stream(self) -> None:
        """A stream that is not served is 404 by every name it has, which pages may read."""
        house = make_house([Stream.FULL])
        self.addCleanup(house.close)
        for query in (
            b"",
            b"?stream=lite",
            b"?stream=domains",
            b"?stream=domains-only",
            b"?stream=x",
        ):
            for method in (b"GET", b"HEAD"):
                asked = method + b" /sse" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n"
                _, answer = self.ask(asked, house)
                self.assertEqual(answer.status, 404, query)
                self.assertEqual(answer.headers[b"access-control-allow-origin"], b"*")
        self.assertEqual(
            self.ask(REQUEST.replace(b"sse", b"sse?stream=full"), house)[1].status, 200
        )

    def test_other_methods_and_paths(self) -> None:
        """It can be read and nothing else, and has nothing below it."""
        for method, path, status in (
            (b"POST", b"/sse", 405),
            (b"DELETE", b"/sse/", 405),
            (b"OPTIONS", b"/sse", 204),
            (b"GET", b"/sse/full", 404),
            (b"GET", b"/sse//", 404),
            (b"GET", b"/SSE", 404),
        ):
            _, answer = self.ask(method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(answer.status, status, (method, path))
        self.assertEqual(len(self.house.clients), 0)

    def test_switched_off(self) -> None:
        """Where events are not served there is no such path."""
        house = make_house(sse=False)
        self.addCleanup(house.close)
        self.assertEqual(self.ask(REQUEST, house)[1].status, 404)

    def test_nobody_is_let_in_while_stopping(self) -> None:
        """A request that comes too late gets 503."""
        self.ask(REQUEST)
        self.house.clients.stopping = True
        self.assertEqual(self.ask(REQUEST)[1].status, 503)

    def test_upgrade_is_no_matter(self) -> None:
        """There is no WebSocket here; who asks for one gets events."""
        _, answer = self.ask(
            b"GET /sse HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self.assertEqual((answer.status, answer.body), (200, SSE_RETRY))


class ConnectionTests(EventStreamTestCase):
    """A connection that carries more than the one request, and how long it lasts."""

    def test_requests_before(self) -> None:
        """What was asked before is answered before, also in one piece and to a slow client."""
        link = self.connect()
        link.kernel.room = 50
        link.send(
            b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST
        )
        self.house.clock.advance(0)
        publish(self.house, 2)
        for _ in range(3):
            link.turn()
            link.kernel.room = 50
        link.kernel.room = 1 << 30
        health, page, events = link.received().split(b"HTTP/1.1 200 OK\r\n")[1:]
        self.assertTrue(health.endswith(b"OK"))
        self.assertIn(b"</html>", page)
        self.assertTrue(
            events.endswith(SSE_RETRY + b"id: e-0\ndata: lite 0 \n\nid: e-1\ndata: lite 1 \n\n")
        )

    def test_requests_behind(self) -> None:
        """What is asked behind it is never answered, not kept, and in nobody's way: neither in one
        piece with it nor later."""
        for link_type in (PlainLink, TLSLink):
            link = self.connect(link=link_type)
            link.send(REQUEST + b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 40_000)
            for _ in range(100):
                link.send(b"POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n" + b"y" * 900)
            self.house.clock.advance(1)
            received = link.received()
            self.assertEqual(received.count(b"HTTP/1.1"), 1)
            self.assertTrue(received.endswith(SSE_RETRY))
            # It is still read from: its end is seen.
            self.assertEqual(link.transport.descriptors.readers, {link.transport})
            link.end()
            link.received()
            self.assertIsNotNone(link.closed)
        self.assertEqual(len(self.house.clients), 0)

    def test_channel_that_had_stopped_reading(self) -> None:
        """Should the connection not be read from when the request's turn comes, it is again."""
        link = self.connect()
        link.transport.pauseProducing()
        link.application.dataReceived(REQUEST)
        self.assertEqual(link.transport.descriptors.readers, {link.transport})

    def test_body(self) -> None:
        """A body is read and thrown away before there is an answer; none is taken for a request."""
        link = self.connect()
        link.send(b"GET /sse HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /health")
        self.assertEqual(link.received(), b"")
        link.send(b" HTTP/1.1\r\nHost: a\r\n")
        self.assertTrue(link.received().endswith(SSE_RETRY))
        _, answer = self.ask(
            b"GET /sse HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
        )
        self.assertEqual(answer.status, 413)

    def test_flood(self) -> None:
        """Who sends much in one second is not read until the next one."""
        link, _ = self.ask(REQUEST)
        readers = link.transport.descriptors.readers
        sent = 0
        while readers:
            link.send(b"x" * 65536)
            sent += 65536
        self.assertLess(sent, MAX_INPUT_BYTES + 2 * 65536)
        publish(self.house)
        self.assertIn(b"lite 0", link.received())
        self.house.clock.advance(1)
        self.assertEqual(readers, {link.transport})
        link.send(b"x")
        self.assertEqual(readers, {link.transport})
        self.assertIsNone(link.closed)

    def test_time_limit_of_requests_is_over(self) -> None:
        """A client that never sends anything more stays."""
        link, _ = self.ask(REQUEST)
        self.house.clock.pump([1] * 4 * REQUEST_SECONDS)
        publish(self.house)
        self.assertIn(b"data: lite 0", link.received())
        self.assertIsNone(link.closed)

    def test_end_of_the_client_is_the_end(self) -> None:
        """As for every HTTP client: one that closes its side is gone."""
        link, _ = self.ask(REQUEST)
        link.end()
        self.assertIsNotNone(link.closed)

    def test_dead_peers_are_found(self) -> None:
        """Clients answer nothing, so the kernel asks whether they are there, also below TLS."""
        for link_type in (PlainLink, TLSLink):
            link = self.connect(link=link_type)
            link.send(REQUEST)
            options = link.transport.kernel_socket.options
            self.assertEqual(options[SOL_SOCKET, SO_KEEPALIVE], 1)
            self.assertEqual(options[IPPROTO_TCP, TCP_NODELAY], 1)
            found_after = options[IPPROTO_TCP, TCP_KEEPIDLE] + (
                options[IPPROTO_TCP, TCP_KEEPINTVL] * options[IPPROTO_TCP, TCP_KEEPCNT]
            )
            self.assertLessEqual(found_after, 120)

    def test_nothing_is_left_of_the_request(self) -> None:
        """Once it is answered, the request and its channel are gone, without a collection."""
        link = self.connect()
        channel = weakref.ref(link.application)
        link.send(REQUEST)
        self.assertIsNone(channel())
