"""Raw TCP: one byte chooses a stream, then every line is a message.

Clients of this wire are scripts (``nc``, ``socat``): most send nothing, and many close their side
of the connection once their input ends, which must not end the stream.
"""

from typing import Any, Final

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IReactorTime,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from certstream_tx.framing import TCP
from certstream_tx.hub import Stream
from certstream_tx.serve import tcp_options
from certstream_tx.serve.clients import Clients
from certstream_tx.serve.connection import writer_for
from certstream_tx.serve.passive import PassiveClient

CHOICE_SECONDS: Final = 5
"""for the byte that chooses; who sends none gets the lite stream then"""
HANDSHAKE_SECONDS: Final = 10
"""for the TLS handshake, where there is one"""

STREAMS: Final = {
    b"f": Stream.FULL,
    b"F": Stream.FULL,
    b"d": Stream.DOMAINS_ONLY,
    b"D": Stream.DOMAINS_ONLY,
}
"""by the first byte; every other one is the lite stream's"""


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class LineStream(PassiveClient, LineReceiver):
    """One client: it may send a byte, and receives lines."""

    wire = TCP
    delimiter = b"\n"

    _deadline: IDelayedCall | None = None
    """set while it has not chosen"""
    _half_closed = False

    def __init__(self, clock: IReactorTime, clients: Clients) -> None:
        self.clients = clients
        self._clock = clock

    def makeConnection(self, transport: Any) -> None:
        """Put the writer between this and the transport, and wait for the choice."""
        self.writer = writer_for(transport)
        tcp_options.prepare(transport)
        # What comes in has no lines, and none of it is kept.
        self.setRawMode()
        super().makeConnection(self.writer)
        self.clients.add(self)
        if self.clients.stopping:
            self.close()
        elif isinstance(transport, TLSMemoryBIOProtocol):
            self._deadline = self._clock.callLater(HANDSHAKE_SECONDS, self.abort)
        else:
            self._deadline = self._clock.callLater(CHOICE_SECONDS, self._choose)

    def handshakeCompleted(self) -> None:
        """Over TLS it can say something only now."""
        if self._deadline is not None:
            self._wait_no_more()
            self._deadline = self._clock.callLater(CHOICE_SECONDS, self._choose)

    def rawDataReceived(self, data: bytes) -> None:
        """The first byte is the choice; the rest is ignored."""
        if self._deadline is not None:
            self._choose(STREAMS.get(data[:1], Stream.LITE))
        self.ignore(data)

    def readConnectionLost(self) -> None:
        """It will say nothing more, and may well go on to read."""
        self._half_closed = True
        if self._deadline is not None:
            self._choose()

    def writeConnectionLost(self) -> None:
        """Our side is never closed alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, however it went."""
        self._wait_no_more()
        super().connectionLost(reason)

    def visit(self, heartbeat: bytes | None, ping: bool) -> None:
        """There are no heartbeats; but look whether one that is not read from is still there."""
        if self._half_closed and self.stream is not None:
            self.writer.probe()

    def close(self) -> None:
        """Close behind what was begun of a line, and in time."""
        self._wait_no_more()
        super().close()

    def _choose(self, stream: Stream = Stream.LITE) -> None:
        self._wait_no_more()
        if stream in self.clients.hub.streams:
            self.subscribe(stream)
        else:
            self.close()

    def _wait_no_more(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


class LineFactory(Factory):
    """The clients of a port.

    :param clock: for the time they have to choose
    """

    noisy = False

    def __init__(self, clock: IReactorTime, clients: Clients) -> None:
        self._clock = clock
        self._clients = clients

    def buildProtocol(self, addr: IAddress | None) -> LineStream:
        """One more client."""
        client = LineStream(self._clock, self._clients)
        client.factory = self
        return client
