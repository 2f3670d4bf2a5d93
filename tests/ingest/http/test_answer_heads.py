"""Tests of certstream_tx.ingest.http.answer_heads."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.http.answer_heads import MAX_ANSWER_HEAD, MAX_INTERIM, BoundedHeads
from tests.ingest.fronted_log import pieces

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"


class Noting(Protocol):
    """Notes what it received."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class BoundedHeadsTests(SynchronousTestCase):
    """Heads that are too long close the connection; bodies may be of any length."""

    def setUp(self) -> None:
        reactor = MemoryReactorClock()
        endpoint = BoundedHeads(TCP4ClientEndpoint(reactor, "127.0.0.1", 80))
        connecting = endpoint.connect(Factory.forProtocol(Noting))
        self.bounded = reactor.tcpClients[0][2].buildProtocol(None)
        self.transport = StringTransport()
        self.bounded.makeConnection(self.transport)
        self.client = self.successResultOf(connecting)
        self.client.transport.write(b"GET / HTTP/1.1\r\n\r\n")

    def receive(self, data: bytes, size: int = 65536) -> bool:
        """Whether the connection is still open after this came."""
        for piece in pieces(data, size):
            self.bounded.dataReceived(piece)
            if self.transport.disconnecting:
                return False
        return True

    def test_long_body(self) -> None:
        """Only the head counts, also for the next answer on the connection."""
        for _ in range(2):
            self.assertTrue(self.receive(HEAD + b"\r\n" + bytes(5 * MAX_ANSWER_HEAD)))
            self.client.transport.writeSequence([b"GET / ", b"HTTP/1.1\r\n\r\n"])
        self.assertEqual(len(self.client.received), 2 * (len(HEAD) + 2 + 5 * MAX_ANSWER_HEAD))

    def test_long_head(self) -> None:
        """A head may have as many bytes as allowed, and not one more."""
        for rest, still_open in ((0, True), (1, False)):
            self.setUp()
            room = MAX_ANSWER_HEAD + rest - len(HEAD) - len(b"a: \r\n\r\n")
            whole = HEAD + b"a: " + b"x" * room + b"\r\n\r\n"
            self.assertIs(self.receive(whole, len(whole)), still_open)
            self.assertEqual(bool(self.client.received), still_open)

    def test_head_without_end(self) -> None:
        """The connection is closed before the end of a long head is seen."""
        self.assertFalse(self.receive(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, 1000))
        self.assertLessEqual(len(self.client.received), MAX_ANSWER_HEAD)

    def test_interim_answers(self) -> None:
        """A few interim answers are part of the head and do not end it; more are no answer."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(2):
            answer = interim * MAX_INTERIM + HEAD + b"\r\n" + bytes(MAX_ANSWER_HEAD)
            self.assertTrue(self.receive(answer))
            self.client.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        self.setUp()
        self.assertFalse(self.receive(interim * (MAX_INTERIM + 1), len(interim)))
        self.setUp()
        self.assertFalse(self.receive(interim + HEAD + b"a: b\r\n" * 20_000))

    @given(st.integers(1, 60), st.integers(0, 3), st.booleans())
    @settings(deadline=None, max_examples=100)
    def test_any_pieces(self, size: int, interims: int, bare: bool) -> None:
        """The end of the head is found wherever the pieces are cut."""
        self.setUp()
        head = b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n" * interims + HEAD + b"\r\n"
        if bare:
            head = head.replace(b"\r\n", b"\n")
        self.assertTrue(self.receive(head, size))
        self.assertTrue(self.receive(bytes(2 * MAX_ANSWER_HEAD)))
