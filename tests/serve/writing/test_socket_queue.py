"""What the kernel holds for a peer."""

import socket

from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.writing.socket_queue import unacknowledged
from tests.serve.links import TLSLink
from tests.serve.wires.clients import make_house


class QueueTests(SynchronousTestCase):
    """Of real sockets, and of what has none."""

    def test_shrinks_when_the_peer_reads(self) -> None:
        """What was sent and not read is in it; it changes with every read."""
        with socket.create_server(("127.0.0.1", 0)) as port:
            near = socket.create_connection(port.getsockname())
            far, _ = port.accept()
        with near, far:
            near.setblocking(False)
            self.assertEqual(unacknowledged(near), 0)
            with self.assertRaises(BlockingIOError):
                while True:
                    near.send(bytes(1 << 16))
            full = unacknowledged(near)
            self.assertGreater(full, 0)
            self.assertEqual(unacknowledged(near), full)
            read = 0
            while unacknowledged(near) == full and read < 1 << 24:
                read += len(far.recv(1 << 16))
            self.assertLess(unacknowledged(near), full)

    def test_behind_tls(self) -> None:
        """It is the socket's, whatever transforms what is written to it."""
        house = make_house()
        link = TLSLink(house.site, house.clock)
        near, far = socket.socketpair()
        with near, far:
            near.send(bytes(1000))
            link.transport.fileno = near.fileno
            transport = link.transport.protocol.wrappedProtocol.transport
            self.assertIsInstance(transport, TLSMemoryBIOProtocol)
            self.assertGreater(unacknowledged(transport), 0)
        link.hang_up()
        house.close()

    def test_unknown(self) -> None:
        """Nothing is known of what is closed, or is no socket."""
        near, far = socket.socketpair()
        near.close()
        far.close()
        self.assertEqual(unacknowledged(near), 0)
        self.assertEqual(unacknowledged(object()), 0)
