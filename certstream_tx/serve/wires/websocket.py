"""WebSocket clients: autobahn speaks the protocol, the writer writes.

autobahn does the handshake, reads frames and keeps the closing handshake's state; what it wants to
write (the handshake's answer, close frames) goes through the client's writer like everything else.
Its own timers, limits on connections and prepared messages are not used.
"""

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES

from certstream_tx import __version__
from certstream_tx.framing import (
    CLOSE_POLICY_VIOLATION,
    OPCODE_CLOSE,
    OPCODE_PING,
    WEBSOCKET,
    WEBSOCKET_DEFLATE,
    websocket_control,
    websocket_text,
)
from certstream_tx.hub import Stream, View
from certstream_tx.serve.access.slots import Slot
from certstream_tx.serve.access.tokens import SUBPROTOCOL
from certstream_tx.serve.answers import error_document
from certstream_tx.serve.wires.autobahn_events import AutobahnEvents
from certstream_tx.serve.wires.bounded_input import BoundedInput
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.deflate_offer import UNREAD, accept
from certstream_tx.serve.writing.connection import writer_for

MAX_MESSAGE_BYTES = 64 * 1024
"""of what a client sends (it is ignored); more is answered with close 1009"""
_HEARTBEAT = "heartbeat"

_HANDSHAKE_LEFTOVERS = (
    "http_request_data",
    "http_status_line",
    "http_headers",
    "http_request_uri",
    "http_request_path",
    "http_request_params",
    "http_request_host",
    "http_response_data",
    "websocket_protocols",
    "websocket_protocol_in_use",
    "websocket_origin",
    "websocket_extensions",
    "websocket_extensions_in_use",
    "_wskey",
    "_transport_details",
    "send_queue",
)
"""what autobahn keeps for nobody once a client is open: about 2 KB of each"""


class StreamProtocol(BoundedInput):
    """One client of one stream."""

    log = AutobahnEvents()
    # autobahn copies each option to each client and prints the list into a debug event that nobody
    # reads (half the cost of a handshake): they are set on a class once, by the factory.
    CONFIG_ATTRS: list[str] = []

    factory: "StreamFactory"
    wire = WEBSOCKET
    stream: Stream
    view = View.EVERY
    visits = 0

    _perMessageCompress: Any
    """autobahn's, for what clients send"""

    # The connection

    def makeConnection(self, transport: Any) -> None:
        """Put the writer between autobahn and the transport."""
        self.writer = writer_for(transport)
        super().makeConnection(self.writer)

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, dict[str, str]]:
        """Choose the subprotocol that stands for no change, where it is offered, and compression.

        A browser that offers some, because it has a token beside it, fails unless one is chosen.
        """
        # autobahn would refuse the handshake over an offer that is only to be passed over, and
        # compress for each client.
        self.websocket_extensions = []
        headers = {}
        extension = accept(request.extensions)
        if extension is not None:
            headers["Sec-WebSocket-Extensions"] = extension
            self.wire = WEBSOCKET_DEFLATE
            self._perMessageCompress = UNREAD
        return SUBPROTOCOL if SUBPROTOCOL in request.protocols else None, headers

    def onOpen(self) -> None:
        """The handshake's answer is written: greet, and subscribe."""
        notices = "1" in self.http_request_params.get("notices", ())
        (dedup, *_) = self.http_request_params.get("dedup", ("",))
        self._forget_handshake()
        clients = self.factory.clients
        self.stream = self.factory.stream
        self.view = clients.hub.view(dedup)
        clients.add(self)
        self._greeted = True
        self.writer.send(_HEARTBEAT, websocket_text(clients.heartbeat()))
        self.writer.send(OPCODE_PING, websocket_control(OPCODE_PING))
        self.writer.attach(
            clients.hub.subscribe(
                self.stream, self.wire, self.writer, self, notices=notices, view=self.view
            )
        )
        self.writer.open()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, however it went."""
        self.writer.lost()
        self.factory.clients.discard(self)
        super().connectionLost(reason)
        # A Deferred whose result is this protocol would keep both until the next collection.
        self.is_closed = self.is_open = None

    def _forget_handshake(self) -> None:
        for name in _HANDSHAKE_LEFTOVERS:
            self.__dict__.pop(name, None)

    # What autobahn writes

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """The handshake's answer, and then whole frames."""
        if not self._greeted:
            self.writer.write(data)
        elif data[0] & 0x0F == OPCODE_CLOSE:
            self.writer.last(data)
            self.factory.clients.closing(self)
        else:
            self.writer.send(data[0] & 0x0F, data)

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: list[tuple[str, str]] | None = None
    ) -> None:
        """Refuse the handshake; why is for the body, since it may quote the client."""
        body = error_document(reason)
        lines = [
            b"HTTP/1.1 %d %s" % (code, RESPONSES.get(code, b"Refused")),
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            b"Connection: close",
        ]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in responseHeaders or ()]
        self.writer.write(b"\r\n".join([*lines, b"", body]))

    def dropConnection(self, abort: bool = False) -> None:
        """Close; after a complete closing handshake in peace, not by a reset."""
        self._deaf = True
        self.factory.clients.closing(self)
        super().dropConnection(abort=abort and not self.wasClean)

    # What the clock asks (certstream_tx.serve.wires.clients.Client), but for ``next_tick``

    def visit(self, heartbeat: bytes | None, ping: bool) -> None:
        """Send what is due, or close: nothing was heard for too long, not even a pong."""
        if self.state != WebSocketProtocol.STATE_OPEN:
            return
        clients = self.factory.clients
        if clients.now - self.heard_at >= clients.silent_seconds:
            clients.silent_dropped += 1
            self.fail(CLOSE_POLICY_VIOLATION, "no answer to pings")
            return
        if heartbeat is not None:
            self.writer.send(_HEARTBEAT, heartbeat)
        if ping:
            self.writer.send(OPCODE_PING, websocket_control(OPCODE_PING))

    def leave(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless one has begun."""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode("utf-8"), isReply=False)

    def cut(self) -> None:
        """The closing handshake took too long."""
        self.writer.cut()

    def abort(self) -> None:
        """Close at once."""
        self.writer.abortConnection()


class StreamFactory(WebSocketServerFactory):
    """The clients of one stream.

    :param reactor: what autobahn would put timers on, if it were asked to
    """

    noisy = False
    slot: Slot | None = None
    """the place of the next client that is built"""

    def __init__(self, reactor: IReactorTime, clients: Clients, stream: Stream) -> None:
        super().__init__(reactor=reactor, server=f"certstream-tx/{__version__}")
        self.clients = clients
        self.stream = stream
        self.webStatus = False
        # Close frames with the right code, instead of a cut connection.
        self.failByDrop = False
        self.maxFramePayloadSize = self.maxMessagePayloadSize = MAX_MESSAGE_BYTES
        # The request is complete when autobahn sees it, and closing has its own clock.
        self.openHandshakeTimeout = self.closeHandshakeTimeout = 0
        self.protocol = self._with_options()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """One more client, which has the place that was taken for it."""
        client: Any = super().buildProtocol(addr)
        slot, self.slot = self.slot, None
        self.clients.hold(client, slot)
        return client

    def _with_options(self) -> type[StreamProtocol]:
        """The protocol with this factory's options as class attributes."""
        options: dict[str, Any] = {}
        for name in WebSocketServerProtocol.CONFIG_ATTRS:
            value = getattr(self, name)
            options[name] = staticmethod(value) if callable(value) else value
        return type("StreamProtocol", (StreamProtocol,), options)
