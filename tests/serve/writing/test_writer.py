"""Writers: every frame whole and in order, whatever the kernel takes and whenever."""

from collections.abc import Callable
from errno import ENOBUFS, EPIPE

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IConsumer, ITransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from certstream_tx.framing import (
    OPCODE_CLOSE,
    OPCODE_PING,
    OPCODE_PONG,
    OPCODE_TEXT,
    WEBSOCKET,
    websocket_control,
)
from certstream_tx.hub import Hub, Stream, Subscription
from certstream_tx.hub.channel import CHUNK_BYTES
from certstream_tx.serve.writing.buffered_writer import BufferedWriter
from certstream_tx.serve.writing.socket_writer import PUMP_BYTES, SocketWriter
from certstream_tx.serve.writing.writer import Writer
from tests.hub.messages import Numbered, number_of
from tests.serve.memory import ENDLESS, Kernel, MemoryTransport, frames_of

BUFFER_BYTES = 2 << 16
"""what Twisted's transports buffer before they ask to pause, and as much again on its way out"""
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Connection:
    """A hub, one client with its writer on a transport in memory, and what it received."""

    def __init__(
        self, make_writer: Callable[["Connection"], Writer], room: int = ENDLESS, ring: int = 1000
    ) -> None:
        self.clock = Clock()
        self.hub = Hub(self.clock, ring_messages=ring, ring_bytes=1 << 24)
        self.kernel = Kernel(room)
        self.transport = MemoryTransport(self.kernel)
        self.writer = make_writer(self)
        self.published = 0

    def open(self) -> Subscription:
        """Write the handshake's answer, then open as a protocol does."""
        self.writer.write(ANSWER)
        subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, self.writer)
        self.writer.attach(subscription)
        self.writer.open()
        return subscription

    def publish(self, count: int = 1, padding: int = 0) -> None:
        """Messages in one flush."""
        for _ in range(count):
            self.hub.publish(Numbered(self.published, padding))
            self.published += 1
        self.hub.flush()

    def turn(self) -> None:
        """One turn of the reactor."""
        self.transport.turn()

    def settle(self) -> None:
        """Turns with an endless kernel until nothing waits."""
        self.kernel.room = ENDLESS
        self.transport.drain()

    def frames(self) -> list[tuple[int, bytes]]:
        """Frames received, all of them whole, behind the handshake's answer."""
        received = bytes(self.kernel.received)
        assert received.startswith(ANSWER), received[:80]
        return frames_of(received[len(ANSWER) :])

    def numbers(self) -> list[int]:
        """Numbers of the messages received."""
        return [number_of(p) for opcode, p in self.frames() if opcode == OPCODE_TEXT]

    def opcodes(self) -> list[int]:
        """Opcodes received."""
        return [opcode for opcode, _ in self.frames()]


def on_socket(connection: Connection) -> Writer:
    """The writer of plain connections."""
    return SocketWriter(connection.transport, connection.kernel.send)


def on_buffer(connection: Connection) -> Writer:
    """The writer of connections that buffer."""
    return BufferedWriter(connection.transport)


def ping(payload: bytes = b"") -> bytes:
    return websocket_control(OPCODE_PING, payload)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8)),
        st.tuples(st.just("room"), st.integers(0, 400) | st.just(0)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("ping"), st.integers(0, 99)),
        st.tuples(st.just("pong"), st.integers(0, 99)),
    ),
    max_size=80,
)


def check_order(
    test: SynchronousTestCase,
    make_writer: Callable[[Connection], Writer],
    steps: list[tuple[str, int]],
    ring: int,
    closing: bool,
) -> None:
    """Every frame is whole; messages are in order, and those missing were counted; the newest of
    each control frame arrives; a close frame is the last."""
    connection = Connection(make_writer, 200, ring)
    subscription = connection.open()
    newest: dict[int, bytes] = {}
    for step, amount in steps:
        if step == "publish":
            connection.publish(amount, padding=amount * 9)
        elif step == "room":
            connection.kernel.room = amount
        elif step == "turn":
            connection.turn()
        else:
            opcode = OPCODE_PING if step == "ping" else OPCODE_PONG
            newest[opcode] = b"%d" % amount
            frame = websocket_control(opcode, newest[opcode])
            connection.writer.send(opcode, frame)
    if closing:
        connection.writer.last(websocket_control(OPCODE_CLOSE))
        connection.publish(3)
        connection.writer.send(OPCODE_PING, ping())
        connection.writer.loseConnection()
    connection.settle()
    frames = connection.frames()
    numbers = connection.numbers()
    test.assertEqual(numbers, sorted(set(numbers)))
    if closing:
        test.assertEqual(frames[-1], (OPCODE_CLOSE, b""))
        test.assertEqual(connection.opcodes().count(OPCODE_CLOSE), 1)
        test.assertIsNotNone(connection.transport.closed)
        test.assertFalse(connection.hub.in_use(Stream.LITE))
    else:
        test.assertEqual(len(numbers) + subscription.lost, connection.published)
        for opcode, payload in newest.items():
            test.assertEqual([p for o, p in frames if o == opcode][-1], payload)
    (channel,) = connection.hub.channels()
    test.assertEqual(channel.messages_sent, len(numbers))


class OrderTests:
    """What holds for every writer."""

    make_writer: Callable[[Connection], Writer]

    def connect(self, room: int = ENDLESS, ring: int = 1000) -> Connection:
        return Connection(type(self).make_writer, room, ring)

    def test_handshake_is_not_overtaken(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """What is written while the handshake's answer is still in the transport comes after it."""
        connection = self.connect()
        connection.open()
        connection.writer.send(OPCODE_PING, ping())
        connection.publish(2)
        connection.settle()
        self.assertEqual(connection.opcodes(), [OPCODE_PING, OPCODE_TEXT, OPCODE_TEXT])

    def test_control_frame_under_back_pressure(
        self: "SocketOrderTests | BufferedOrderTests",
    ) -> None:
        """To a client that is behind, a ping goes out at the next frame boundary, not at the end
        of the backlog."""
        connection = self.connect()
        connection.open()
        connection.settle()
        connection.kernel.room = 5000
        for _ in range(100):
            connection.publish(padding=2000)
        connection.writer.send(OPCODE_PING, ping())
        for _ in range(200):
            connection.kernel.room = 5000
            connection.turn()
        position = connection.opcodes().index(OPCODE_PING)
        # A buffering transport has some in it already.
        self.assertLess(position * 2000, 5000 + 2000 + self.buffered)

    def test_newest_control_frame_of_a_slot_waits(
        self: "SocketOrderTests | BufferedOrderTests",
    ) -> None:
        """However many pongs are due to a client that takes nothing, one is kept."""
        connection = self.connect()
        connection.open()
        connection.settle()
        connection.kernel.room = 0
        connection.publish(1, padding=300000)
        for i in range(1000):
            frame = websocket_control(OPCODE_PONG, b"%d" % i)
            connection.writer.send(OPCODE_PONG, frame)
        connection.settle()
        pongs = [p for opcode, p in connection.frames() if opcode == OPCODE_PONG]
        self.assertEqual(pongs, [b"999"])

    def test_close_frame_comes_before_the_backlog(
        self: "SocketOrderTests | BufferedOrderTests",
    ) -> None:
        """A client that is behind gets the begun frame and the close frame, not its backlog."""
        connection = self.connect()
        connection.open()
        connection.settle()
        connection.kernel.room = 1000
        for _ in range(1000):
            connection.publish(padding=1000)
        connection.writer.last(websocket_control(OPCODE_CLOSE))
        connection.writer.loseConnection()
        connection.settle()
        self.assertEqual(connection.opcodes()[-1], OPCODE_CLOSE)
        self.assertLess(len(connection.frames()) * 1000, 3000 + self.buffered)
        self.assertIsNotNone(connection.transport.closed)
        self.assertFalse(connection.transport.aborted)

    def test_abort(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """Aborted, it writes nothing more and has left its stream."""
        connection = self.connect()
        connection.open()
        connection.settle()
        connection.kernel.room = 10
        connection.publish(3)
        connection.writer.abortConnection()
        before = len(connection.kernel.received)
        connection.writer.send(OPCODE_PING, ping())
        connection.publish(1)
        connection.settle()
        self.assertEqual(len(connection.kernel.received), before)
        self.assertTrue(connection.transport.aborted)
        self.assertFalse(connection.hub.in_use(Stream.LITE))

    def test_connection_lost(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """A connection that is gone is neither written to nor asked for anything."""
        connection = self.connect()
        connection.open()
        connection.settle()
        connection.transport.abortConnection()
        connection.turn()
        connection.writer.lost()
        before = len(connection.kernel.received)
        connection.publish(1)
        connection.writer.send(OPCODE_PING, ping())
        connection.writer.last(websocket_control(OPCODE_CLOSE))
        connection.settle()
        self.assertEqual(len(connection.kernel.received), before)

    def test_cut(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """Cut, it closes in peace when nothing waits, at once when something does, or the second
        time."""
        idle, full, slow = (self.connect() for _ in range(3))
        for connection in (idle, full, slow):
            connection.open()
            connection.settle()
        full.kernel.room = 0
        full.publish(1, padding=300000)
        full.writer.last(websocket_control(OPCODE_CLOSE))
        slow.kernel.room = 0
        for connection in (idle, full, slow):
            connection.writer.cut()
        slow.writer.cut()
        outcome = [c.transport.aborted for c in (idle, full, slow)]
        self.assertEqual(outcome, [False, True, True])
        idle.settle()
        self.assertIsNotNone(idle.transport.closed)

    def test_stale_producer_is_unregistered(
        self: "SocketOrderTests | BufferedOrderTests",
    ) -> None:
        """A producer that was left on the transport does not stand in the way."""
        connection = self.connect()
        connection.transport.producer = object()  # type: ignore[assignment]
        writer = type(self).make_writer(connection)
        writer.open()
        self.assertIs(connection.transport.producer, writer)

    def test_is_a_transport(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """A protocol can take it for its transport."""
        connection = self.connect()
        verifyObject(ITransport, connection.writer)
        verifyObject(IConsumer, connection.writer)
        connection.writer.writeSequence([b"a", b"b"])
        connection.transport.drain()
        self.assertEqual(connection.kernel.received, b"ab")
        self.assertEqual(connection.writer.getPeer(), connection.transport.getPeer())
        self.assertEqual(connection.writer.getHost(), connection.transport.getHost())

    def test_reading_is_paused(self: "SocketOrderTests | BufferedOrderTests") -> None:
        """What the client sends can be left in its socket for a while."""
        connection = self.connect()
        connection.open()
        connection.writer.pause_reading()
        self.assertEqual(connection.transport.descriptors.readers, set())
        connection.writer.resume_reading()
        self.assertEqual(connection.transport.descriptors.readers, {connection.transport})


class SocketOrderTests(OrderTests, SynchronousTestCase):
    """Straight to the socket."""

    make_writer = staticmethod(on_socket)
    buffered = 0

    @given(STEPS, st.integers(1, 30), st.booleans())
    @settings(deadline=None, max_examples=300)
    def test_frames_are_whole_and_in_order(
        self, steps: list[tuple[str, int]], ring: int, closing: bool
    ) -> None:
        """Holds with random short writes, stalls, control frames and ends."""
        check_order(self, on_socket, steps, ring, closing)


class BufferedOrderTests(OrderTests, SynchronousTestCase):
    """Through a transport that buffers."""

    make_writer = staticmethod(on_buffer)
    buffered = BUFFER_BYTES

    @given(STEPS, st.integers(1, 30), st.booleans())
    @settings(deadline=None, max_examples=300)
    def test_frames_are_whole_and_in_order(
        self, steps: list[tuple[str, int]], ring: int, closing: bool
    ) -> None:
        """Holds with random short writes, stalls, control frames and ends."""
        check_order(self, on_buffer, steps, ring, closing)


class SocketWriterTests(SynchronousTestCase):
    """What the direct way costs and how it fails."""

    def test_shared_object_reaches_the_kernel(self) -> None:
        """An idle client is sent the chunk's own object, with no turn of the reactor."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.sent.clear()
        connection.publish(3)
        (channel,) = connection.hub.channels()
        self.assertIs(connection.kernel.sent[0], channel.ring.oldest().data)
        self.assertEqual(connection.transport.descriptors.writers, set())

    def test_blocked_client_is_only_a_cursor(self) -> None:
        """A client that takes nothing has nothing in its transport's buffer."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.room = 100
        for _ in range(50):
            connection.publish(padding=5000)
        self.assertEqual(connection.transport.dataBuffer, b"")
        self.assertEqual(connection.transport._tempDataBuffer, [])

    def test_turn_is_shared(self) -> None:
        """A client far behind is sent a bounded share in one turn."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.room = 0
        for _ in range(20):
            connection.publish(padding=100000)
        connection.kernel.room = ENDLESS
        before = len(connection.kernel.received)
        connection.turn()
        sent = len(connection.kernel.received) - before
        self.assertTrue(PUMP_BYTES <= sent < PUMP_BYTES + 128 * 1024, sent)
        connection.settle()
        self.assertEqual(connection.numbers(), list(range(20)))

    def test_no_buffers_is_not_the_end(self) -> None:
        """A kernel that is out of buffers is waited for."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.error = OSError(ENOBUFS, "none")
        connection.publish(1)
        connection.kernel.error = None
        self.assertFalse(connection.transport.aborted)
        connection.settle()
        self.assertEqual(connection.numbers(), [0])

    def test_broken_connection(self) -> None:
        """An error of the connection ends it: nothing is tried again."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.error = OSError(EPIPE, "broken")
        connection.publish(1)
        connection.kernel.error = None
        self.assertTrue(connection.transport.aborted)
        before = len(connection.kernel.received)
        connection.publish(1)
        connection.writer.send(OPCODE_PING, ping())
        connection.turn()
        self.assertEqual(len(connection.kernel.received), before)

    def test_control_frame_when_the_kernel_is_full(self) -> None:
        """A frame that an idle client's kernel does not take at all is not lost."""
        connection = Connection(on_socket)
        connection.open()
        connection.settle()
        connection.kernel.room = 0
        connection.writer.send(OPCODE_PING, ping(b"1"))
        connection.writer.send(OPCODE_PING, ping(b"2"))
        connection.settle()
        self.assertEqual(connection.frames(), [(OPCODE_PING, b"2")])


class BufferedWriterTests(SynchronousTestCase):
    """What it lets the transport hold."""

    def test_buffer_is_bounded(self) -> None:
        """A client that takes nothing holds what makes its transport pause and at most a chunk,
        however much is published, within a turn and over many."""
        connection = Connection(on_buffer)
        connection.open()
        connection.settle()
        connection.kernel.room = 0
        most = 0
        for i in range(400):
            connection.publish(padding=10000)
            if i % 3 == 0:
                connection.turn()
            held = len(connection.transport.dataBuffer) + connection.transport._tempDataLen
            most = max(most, held)
        self.assertLess(most, BUFFER_BYTES + CHUNK_BYTES)
        connection.settle()
        self.assertEqual(connection.numbers(), list(range(400)))
