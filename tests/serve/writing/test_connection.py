"""Which writer a connection gets."""

from socket import IPPROTO_TCP, TCP_NOTSENT_LOWAT, create_connection, create_server, socketpair

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from certstream_tx.serve.writing.buffered_writer import BufferedWriter
from certstream_tx.serve.writing.connection import writer_for
from certstream_tx.serve.writing.socket_writer import SocketWriter
from certstream_tx.serve.writing.tcp_options import UNSENT_BYTES
from tests.serve.certificates import server_options
from tests.serve.memory import Descriptors


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

    def test_kernel_keeps_little(self) -> None:
        """What waits for a client that does not read waits in the ring, whatever is above TCP."""
        for wrapped in (False, True):
            with create_server(("127.0.0.1", 0)) as server:
                theirs = create_connection(server.getsockname())
                ours, _ = server.accept()
            self.addCleanup(theirs.close)
            self.addCleanup(ours.close)
            ours.setblocking(False)
            connection = Connection(ours, Protocol(), Descriptors())  # type: ignore[arg-type]
            if wrapped:
                inner = Factory.forProtocol(Protocol)
                protocol = TLSMemoryBIOFactory(server_options(), False, inner).buildProtocol(None)
                connection.connected = 1
                protocol.makeConnection(connection)
                writer_for(protocol)
            else:
                writer_for(connection)
            unsent = ours.getsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT)
            self.assertEqual(unsent, UNSENT_BYTES)

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
