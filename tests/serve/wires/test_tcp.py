"""Raw TCP: how a stream is chosen, and what a closed side means."""

import weakref
from errno import EPIPE
from socket import (
    AF_UNIX,
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPIDLE,
    TCP_NODELAY,
    socketpair,
)

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.hub import Stream
from certstream_tx.serve.wires.clients import HEARTBEAT_SECONDS
from certstream_tx.serve.wires.passive import MAX_INPUT_BYTES
from certstream_tx.serve.wires.tcp import CHOICE_SECONDS, HANDSHAKE_SECONDS, LineFactory
from certstream_tx.serve.writing import tcp_options
from tests.events import collected_events
from tests.serve.links import PlainLink, TLSLink
from tests.serve.memory import Descriptors
from tests.serve.visitor import House
from tests.serve.wires.clients import make_house, publish


class LineTestCase(SynchronousTestCase):
    """With a port in memory."""

    def setUp(self) -> None:
        self.house = make_house()
        self.addCleanup(self.house.close)

    def connect(self, house: House | None = None) -> PlainLink:
        house = house or self.house
        link = PlainLink(LineFactory(house.clock, house.clients), house.clock)
        self.addCleanup(link.hang_up)
        return link

    def lines(self, link: PlainLink) -> list[bytes]:
        """What comes of one more message."""
        publish(self.house)
        return link.received().splitlines()

    def assert_gets(self, link: PlainLink, stream: bytes) -> None:
        """It is subscribed to that stream."""
        number = self.house.hub.counts.published
        self.assertEqual(self.lines(link), [b"%s %d " % (stream, number)])


class ChoiceTests(LineTestCase):
    """The first byte, and who does not send one."""

    def test_first_byte(self) -> None:
        """f and F are the full stream, d and D domains only, all else is lite, also half an HTTP
        request; what follows the byte changes nothing."""
        streams = {"f": b"full", "F": b"full", "d": b"domains", "D": b"domains"}
        for code in range(256):
            link = self.connect()
            link.send(bytes([code]) + b"fd\r\n")
            link.send(b"d")
            self.assert_gets(link, streams.get(chr(code), b"lite"))
            link.hang_up()

    def test_nothing_is_said(self) -> None:
        """A client that sends nothing for five seconds gets the lite stream then, not before."""
        link = self.connect()
        self.house.clock.advance(CHOICE_SECONDS - 0.01)
        self.assertEqual(self.lines(link), [])
        self.house.clock.advance(0.01)
        self.assert_gets(link, b"lite")
        link.send(b"f")
        self.assert_gets(link, b"lite")
        self.assertEqual(CHOICE_SECONDS, 5)

    def test_side_is_closed_at_once(self) -> None:
        """A client that closes its side without a word gets the lite stream without waiting."""
        link = self.connect()
        link.end()
        self.assert_gets(link, b"lite")

    def test_lone_line_end(self) -> None:
        """An empty line is a choice like any other."""
        link = self.connect()
        link.send(b"\n")
        self.assert_gets(link, b"lite")

    def test_disabled_stream(self) -> None:
        """Who chooses a stream that is not served is disconnected, in peace and without a word; so
        is who chooses none, where the lite one is not."""
        house = make_house([Stream.FULL])
        self.addCleanup(house.close)
        for said in (b"d", b"x", b""):
            link = self.connect(house)
            if said:
                link.send(said)
            else:
                house.clock.advance(CHOICE_SECONDS)
            self.assertEqual(link.received(), b"")
            reason = link.closed
            assert reason is not None, said
            reason.trap(ConnectionDone)
        self.assertEqual(len(house.clients), 0)
        self.connect(house).send(b"f")
        self.assertTrue(house.hub.in_use(Stream.FULL))

    def test_gone_before_the_choice(self) -> None:
        """A client that is gone is not waited for."""
        link = self.connect()
        client = weakref.ref(link.application)
        link.hang_up()
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)
        self.assertEqual(len(self.house.clients), 0)
        self.assertIsNone(client())

    def test_stopping_before_the_choice(self) -> None:
        """Who has not chosen when the server stops is disconnected in peace, at once."""
        link = self.connect()
        stopped = self.house.clients.stopService()
        link.received()
        reason = link.closed
        assert reason is not None
        reason.trap(ConnectionDone)
        self.successResultOf(stopped)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_connects_while_stopping(self) -> None:
        """Who comes too late is disconnected."""
        staying = self.connect()
        staying.send(b"f")
        staying.kernel.room = 0
        publish(self.house, padding=300_000)
        self.house.clients.stopService()
        late = self.connect()
        late.send(b"f")
        self.assertEqual(late.received(), b"")
        self.assertIsNotNone(late.closed)


class HalfClosedTests(LineTestCase):
    """Clients that closed their side and go on to read."""

    def half_closed(self) -> PlainLink:
        link = self.connect()
        link.send(b"d")
        link.received()
        link.end()
        return link

    def test_stream_goes_on(self) -> None:
        """As long as the client likes."""
        link = self.half_closed()
        for _ in range(30):
            self.house.clock.advance(1)
            link.turn()
            self.assert_gets(link, b"domains")
        self.assertIsNone(link.closed)

    def test_end_of_a_paused_client_is_seen(self) -> None:
        """Where reading was paused the closed side is seen when it goes on, once."""
        link = self.connect()
        link.send(b"d" * (MAX_INPUT_BYTES + 1))
        self.assertEqual(link.transport.descriptors.readers, set())
        link.end()
        self.house.clock.advance(1)
        link.turn()
        self.assertEqual(link.transport.descriptors.readers, set())
        self.house.clock.advance(1)
        self.assert_gets(link, b"domains")

    def test_gone_with_a_message(self) -> None:
        """One that is gone altogether is found when it is written to."""
        link = self.half_closed()
        link.kernel.error = OSError(EPIPE, "broken")
        publish(self.house)
        link.turn()
        self.assertIsNotNone(link.closed)
        self.assertFalse(self.house.hub.in_use(Stream.DOMAINS_ONLY))

    def test_gone_on_a_quiet_stream(self) -> None:
        """Without any message it is found within a heartbeat's time after the kernel knows."""
        link, other = self.half_closed(), self.half_closed()
        link.kernel.error = OSError(EPIPE, "broken")
        for _ in range(HEARTBEAT_SECONDS):
            self.house.clock.advance(1)
            link.turn()
            other.turn()
        self.assertIsNotNone(link.closed)
        self.assertIsNone(other.closed)
        self.assert_gets(other, b"domains")

    def test_stopping(self) -> None:
        """It is disconnected in peace like everybody."""
        link = self.half_closed()
        stopped = self.house.clients.stopService()
        link.received()
        reason = link.closed
        assert reason is not None
        reason.trap(ConnectionDone)
        self.successResultOf(stopped)


class InputTests(LineTestCase):
    """What clients send that nobody asked for."""

    def test_nothing_is_kept(self) -> None:
        """However long a line is, none of it is in memory."""
        link = self.connect()
        for _ in range(30):
            link.send(b"x" * 9_000)
            self.house.clock.advance(1)
        client = link.application
        self.assertIsInstance(client, LineReceiver)
        self.assertEqual([v for v in vars(client).values() if isinstance(v, bytes) and v], [])
        self.assertIsNone(link.closed)

    def test_flood(self) -> None:
        """Who sends much in one second is not read until the next one."""
        link = self.connect()
        readers = link.transport.descriptors.readers
        sent = 0
        while readers:
            link.send(b"x" * 65536)
            sent += 65536
        self.assertLess(sent, MAX_INPUT_BYTES + 2 * 65536)
        self.assert_gets(link, b"lite")
        self.house.clock.advance(1)
        self.assertEqual(readers, {link.transport})
        link.send(b"x")
        self.assertEqual(readers, {link.transport})

    def test_no_lines_in_the_log(self) -> None:
        """Clients that come and go are not told of one by one."""
        with collected_events() as events:
            factory = LineFactory(self.house.clock, self.house.clients)
            factory.doStart()
            for said in (b"", b"f", b"x" * 70_000):
                link = PlainLink(factory, self.house.clock)
                link.send(said)
                link.hang_up()
            factory.doStop()
        self.assertEqual(events, [])


class SocketTests(LineTestCase):
    """Options of the socket."""

    def test_dead_peers_are_found(self) -> None:
        """Clients answer nothing, so the kernel asks whether they are there."""
        options = self.connect().transport.kernel_socket.options
        self.assertEqual(options[SOL_SOCKET, SO_KEEPALIVE], 1)
        self.assertEqual(options[IPPROTO_TCP, TCP_NODELAY], 1)
        self.assertEqual(options[IPPROTO_TCP, TCP_KEEPIDLE], 60)

    def test_unix_socket_has_none(self) -> None:
        """A UNIX socket has no such options, and no need of them."""
        ours, theirs = socketpair(AF_UNIX)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        connection = Connection(ours, Protocol(), Descriptors())  # type: ignore[arg-type]
        tcp_options.prepare(connection)
        tcp_options.bound_unsent(connection)
        self.assertFalse(connection.getTcpKeepAlive())

    def test_peer_that_is_gone_already(self) -> None:
        """A socket that takes no options any more is left to fail where it is written to."""
        link = self.connect()
        transport = link.transport

        def refuse(level: int, option: int, value: object) -> None:
            if level == SOL_SOCKET:
                raise OSError(22, "Invalid argument")

        transport.kernel_socket.setsockopt = refuse  # type: ignore[method-assign]
        tcp_options.prepare(transport)


class TLSTests(LineTestCase):
    """Where the port speaks TLS."""

    def encrypted(self, *, shake_hands: bool = True) -> TLSLink:
        factory = LineFactory(self.house.clock, self.house.clients)
        link = TLSLink(factory, self.house.clock, shake_hands=shake_hands)
        self.addCleanup(link.hang_up)
        return link

    def test_time_begins_with_the_handshake(self) -> None:
        """A client has five seconds to choose from when it can say something."""
        link = self.encrypted(shake_hands=False)
        self.house.clock.advance(HANDSHAKE_SECONDS - 1)
        link.shake_hands()
        self.house.clock.advance(CHOICE_SECONDS - 1)
        self.assertEqual(self.lines(link), [])
        link.send(b"D")
        self.assert_gets(link, b"domains")

    def test_nothing_is_said(self) -> None:
        """Who says nothing after the handshake gets the lite stream."""
        link = self.encrypted()
        self.house.clock.advance(CHOICE_SECONDS)
        self.assert_gets(link, b"lite")

    def test_choice_behind_the_end(self) -> None:
        """What a client chooses while it is being disconnected is too late."""
        link = self.encrypted()
        self.house.clients.stopService()
        link.send(b"f")
        publish(self.house)
        self.assertEqual([len(c) for c in self.house.hub.channels()], [])
        self.assertEqual(link.received(), b"")
        self.assertIsNotNone(link.closed)

    def test_no_handshake(self) -> None:
        """Who does not even shake hands is cut, and has had no stream."""
        link = self.encrypted(shake_hands=False)
        self.house.clock.advance(HANDSHAKE_SECONDS)
        link.turn()
        reason = link.closed
        assert reason is not None
        reason.trap(ConnectionAborted)
        self.assertEqual(len(self.house.clients), 0)
        self.assertEqual([len(c) for c in self.house.hub.channels()], [])

    def test_garbage(self) -> None:
        """What is no TLS ends the connection, and nothing is told of it."""
        link = self.encrypted(shake_hands=False)
        link.transport.arrive(b"GET / HTTP/1.1\r\n\r\n" * 10)
        for _ in range(3):
            link.turn()
        self.assertIsNotNone(link.closed)
        self.assertEqual(len(self.house.clients), 0)
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)

    def test_closed_side_is_the_end(self) -> None:
        """TLS as it is here has no half-closed connections."""
        for say_goodbye in (True, False):
            link = self.encrypted()
            link.send(b"d")
            if say_goodbye:
                link._say_goodbye()
            link.end()
            link.received()
            self.assertIsNotNone(link.closed)
        self.assertEqual(len(self.house.clients), 0)
