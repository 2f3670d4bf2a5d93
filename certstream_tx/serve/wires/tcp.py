"""Raw TCP: one byte chooses a stream, then every line is a message.

Where a token is needed the client's first line is ``token <token> [stream]``.

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
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.slots import Slot
from certstream_tx.serve.access.tokens import in_line
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.passive import PassiveClient
from certstream_tx.serve.writing import tcp_options
from certstream_tx.serve.writing.connection import behind_proxy, writer_for

CHOICE_SECONDS: Final = 5
"""for the byte that chooses; who sends none gets the lite stream then"""
HANDSHAKE_SECONDS: Final = 10
"""for the TLS handshake, where there is one"""
MAX_TOKEN_LINE: Final = 600
"""bytes of the line with a token: the longest that is good has 530"""

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
    _has_place = False
    _line = b""
    """as much as there is of the line that has to hold a token"""

    def __init__(self, clock: IReactorTime, clients: Clients, gate: Gate) -> None:
        self.clients = clients
        self._clock = clock
        self._gate = gate

    def makeConnection(self, transport: Any) -> None:
        """Put the writer between this and the transport, and wait for the choice."""
        self.writer = writer_for(transport)
        tcp_options.prepare(transport)
        # What comes in has no lines, and none of it is kept.
        self.setRawMode()
        super().makeConnection(self.writer)
        self.clients.add(self)
        proxied = behind_proxy(transport)
        if proxied:
            # Who it is, the proxy's header says, which has not been read yet.
            self._gate.waits(self, None)
        else:
            self._enter()
        if self.clients.stopping or not (self._has_place or proxied):
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
        """The first byte is the choice, or the first line if a token is needed; the rest is
        ignored."""
        if self._deadline is not None:
            if self._gate.asks:
                self._line += data[: MAX_TOKEN_LINE - len(self._line)]
                if b"\n" in self._line or len(self._line) == MAX_TOKEN_LINE:
                    self._choose_by_line()
            else:
                self._choose(STREAMS.get(data[:1], Stream.LITE))
        self.ignore(data)

    def readConnectionLost(self) -> None:
        """It will say nothing more, and may well go on to read."""
        self._half_closed = True
        if self._deadline is not None:
            self._choose_by_line()

    def writeConnectionLost(self) -> None:
        """Our side is never closed alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, however it went."""
        self._wait_no_more()
        self._gate.waiting.discard(self)
        super().connectionLost(reason)

    def visit(self, heartbeat: bytes | None, ping: bool) -> None:
        """There are no heartbeats; but look whether one that is not read from is still there."""
        if self._half_closed and self.stream is not None:
            self.writer.probe()

    def close(self) -> None:
        """Close behind what was begun of a line, and in time."""
        self._wait_no_more()
        super().close()

    def _enter(self) -> None:
        """Take a place, if there is one."""
        entered = self._gate.enter_unasked(self.writer.getPeer())
        if isinstance(entered, Slot):
            self._has_place = True
            self.clients.hold(self, entered)

    def _choose_by_line(self) -> None:
        """With what there is of the first line."""
        line = in_line(self._line.partition(b"\n")[0])
        self._line = b""
        if line is None:
            self._choose()
        else:
            self._choose(STREAMS.get(line.stream[:1], Stream.LITE), line.token)

    def _choose(self, stream: Stream = Stream.LITE, *tokens: bytes) -> None:
        self._wait_no_more()
        self._gate.waiting.discard(self)
        if not self._has_place:
            self._enter()
        welcome = self._has_place and self._gate.knows(tokens)
        if welcome and stream in self.clients.hub.streams:
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
    :param gate: who is let in; everybody when there is none
    """

    noisy = False

    def __init__(self, clock: IReactorTime, clients: Clients, gate: Gate | None = None) -> None:
        self._clock = clock
        self._clients = clients
        self._gate = gate or Gate()

    def buildProtocol(self, addr: IAddress | None) -> LineStream:
        """One more client."""
        client = LineStream(self._clock, self._clients, self._gate)
        client.factory = self
        return client
