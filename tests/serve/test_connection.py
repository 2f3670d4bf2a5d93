"""Which writer a connection gets, and that no plaintext leaves a TLS connection."""

import ssl
from socket import socketpair

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from certstream_tx.framing import OPCODE_PING, OPCODE_TEXT, websocket_control
from certstream_tx.hub.channel import CHUNK_BYTES
from certstream_tx.serve.buffered_writer import BufferedWriter
from certstream_tx.serve.connection import writer_for
from certstream_tx.serve.socket_writer import SocketWriter
from tests.hub.messages import Numbered, number_of
from tests.serve.certificates import server_options
from tests.serve.memory import ENDLESS, Descriptors, Kernel, MemoryTransport, frames_of
from tests.serve.visitor import KEY, House

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
RECORD_TYPES = {20, 21, 22, 23}
"""of TLS (RFC 8446 section 5.1)"""


class ChoiceTests(SynchronousTestCase):
    """Kinds of connections."""

    def connection(self) -> Connection:
        """A plain one."""
        ours, theirs = socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        connection = Connection(ours, Protocol(), Descriptors())  # type: ignore[arg-type]
        connection.connected = 1
        return connection

    def test_plain(self) -> None:
        """A socket's own transport is written to directly."""
        self.assertIsInstance(writer_for(self.connection()), SocketWriter)

    def test_socket_that_began_tls(self) -> None:
        """A socket's transport that speaks TLS by now is not."""
        connection = self.connection()
        alsoProvides(connection, ISSLTransport)
        self.assertIsInstance(writer_for(connection), BufferedWriter)

    def test_wrappers(self) -> None:
        """TLS wraps a transport whose attributes it passes on, and is written to, not what it
        wraps; the PROXY protocol only reads, so the socket below it is written to, unless TLS is
        between."""
        made: list[Protocol] = []

        class Made(Protocol):
            def connectionMade(self) -> None:
                made.append(self)

        inner = Factory.forProtocol(Made)
        options = server_options()
        for factory, writer in (
            (TLSMemoryBIOFactory(options, False, inner), BufferedWriter),
            (TLSMemoryBIOFactory(options, False, HAProxyWrappingFactory(inner)), BufferedWriter),
            (HAProxyWrappingFactory(TLSMemoryBIOFactory(options, False, inner)), BufferedWriter),
            (HAProxyWrappingFactory(inner), SocketWriter),
        ):
            connection = self.connection()
            protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
            assert protocol is not None
            connection.protocol = protocol
            protocol.makeConnection(connection)
            transport = made.pop().transport
            self.assertTrue(hasattr(transport, "getHandle"))
            self.assertIsInstance(writer_for(transport), writer)  # type: ignore[arg-type]


class TLSVisitor:
    """A WebSocket client over TLS, in memory."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kernel = Kernel()
        self.transport = MemoryTransport(self.kernel)
        factory = TLSMemoryBIOFactory(server_options(), False, house.site, clock=house.clock)
        protocol = factory.buildProtocol(self.transport.getPeer())
        assert protocol is not None
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self.ciphertext = bytearray()
        self.plaintext = bytearray()
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.exchange()
        self._tls.write(HANDSHAKE)
        self.exchange()

    def exchange(self) -> None:
        """A turn of the reactor, and the client's answer to what came."""
        assert self.transport.protocol is not None
        sent = self._out.read()
        if sent:
            self.transport.protocol.dataReceived(sent)
        self.house.clock.advance(0)
        self.transport.drain()
        self.ciphertext += self.kernel.received
        self._in.write(bytes(self.kernel.received))
        self.kernel.received.clear()

    def read(self) -> None:
        """Decrypt what came."""
        try:
            while piece := self._tls.read(1 << 16):
                self.plaintext += piece
        except ssl.SSLWantReadError:
            pass

    def frames(self) -> list[tuple[int, bytes]]:
        """All frames, with an endless kernel."""
        self.kernel.room = ENDLESS
        for _ in range(200):
            before = len(self.ciphertext)
            self.exchange()
            if before == len(self.ciphertext):
                break
        self.read()
        head, _, rest = bytes(self.plaintext).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return frames_of(rest)

    def held(self) -> int:
        """Bytes in the socket's transport."""
        return len(self.transport.dataBuffer) + self.transport._tempDataLen


class TLSTests(SynchronousTestCase):
    """The same stream, encrypted."""

    def setUp(self) -> None:
        self.house = House()
        self.addCleanup(self.house.close)

    def publish(self, count: int, padding: int) -> None:
        for _ in range(count):
            number = self.house.hub.counts.published
            self.house.hub.publish(Numbered(number, padding))
        self.house.hub.flush()

    def test_no_plaintext_leaves(self) -> None:
        """Everything on the socket is a TLS record; inside is the stream, pings included."""
        visitor = TLSVisitor(self.house)
        self.publish(20, 3000)
        self.house.seconds(30)
        opcodes = [opcode for opcode, _ in visitor.frames()]
        self.assertGreaterEqual(opcodes.count(OPCODE_PING), 2)
        self.assertGreaterEqual(opcodes.count(OPCODE_TEXT), 21)
        records = bytes(visitor.ciphertext)
        position = 0
        while position < len(records):
            self.assertIn(records[position], RECORD_TYPES)
            self.assertEqual(records[position + 1], 3)
            position += 5 + int.from_bytes(records[position + 3 : position + 5], "big")
        self.assertEqual(position, len(records))
        self.assertNotIn(b"." * 20, records)
        self.assertNotIn(b"heartbeat", records)

    def test_stalled_client_holds_a_bounded_buffer(self) -> None:
        """A client that takes nothing has at most 64 KiB and a chunk waiting, encrypted."""
        visitor = TLSVisitor(self.house)
        visitor.kernel.room = 0
        most = 0
        for _ in range(300):
            self.publish(3, 9000)
            self.house.clock.advance(0)
            visitor.transport.turn()
            most = max(most, visitor.held())
        self.assertLess(most, 2 * (1 << 16) + CHUNK_BYTES)
        numbers = [number_of(p) for o, p in visitor.frames() if o == OPCODE_TEXT and p[:1] != b"{"]
        self.assertEqual(numbers, list(range(900)))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), st.integers(1, 9)),
                st.tuples(st.just("room"), st.integers(0, 30000)),
                st.tuples(st.just("turn"), st.just(0)),
                st.tuples(st.just("ping"), st.integers(0, 99)),
            ),
            max_size=40,
        )
    )
    @settings(deadline=None, max_examples=60)
    def test_frames_are_whole_and_in_order(self, steps: list[tuple[str, int]]) -> None:
        """With stalls, short writes and pings, also over TLS."""
        house = House(ring_messages=30)
        visitor = TLSVisitor(house)
        (client,) = house.clients
        (channel,) = house.hub.channels()
        for step, amount in steps:
            if step == "publish":
                for _ in range(amount):
                    house.hub.publish(Numbered(house.hub.counts.published, amount * 900))
                house.hub.flush()
            elif step == "room":
                visitor.kernel.room = amount
            elif step == "turn":
                house.clock.advance(0)
                visitor.transport.turn()
            else:
                frame = websocket_control(OPCODE_PING, b"%d" % amount)
                client.writer.send(OPCODE_PING, frame)  # type: ignore[attr-defined]
        texts = [p for opcode, p in visitor.frames() if opcode == OPCODE_TEXT and p[:1] != b"{"]
        numbers = [number_of(p) for p in texts]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers) + channel.lost, house.hub.counts.published)
        house.close()
