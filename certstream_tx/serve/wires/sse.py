"""Server-sent events: ``/sse?stream=``.

The answer's end is the connection's end (RFC 9112 section 6.3): no length, and no chunked coding
either. HTTP/1.0 has none, and the size in front of each chunk would make other bytes of what all
clients share. What it is good for, telling an end from a break, an event stream has no need of: a
client throws away an event that is cut, and connects again after an end as after a break.
EventSource, curl and proxies read such an answer as it comes.
"""

from typing import Any, Final

from twisted.internet.protocol import Protocol
from twisted.web.http import NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from certstream_tx.framing import GZIP_HEADER, SSE, SSE_GZIP, SSE_RETRY, Wire, gzip_alone
from certstream_tx.hub import Stream
from certstream_tx.serve.access.guarded import GuardedRequest
from certstream_tx.serve.answers import SERVER, Node, Nothing, error
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.content_coding import accepts_gzip
from certstream_tx.serve.wires.passive import PassiveClient
from certstream_tx.serve.wires.takeover import take_over
from certstream_tx.serve.writing import tcp_options
from certstream_tx.serve.writing.connection import writer_for

STREAMS: Final = {
    b"full": Stream.FULL,
    b"lite": Stream.LITE,
    b"domains": Stream.DOMAINS_ONLY,
    b"domains-only": Stream.DOMAINS_ONLY,
}
"""by the name in the query; every other name, and none, is the lite stream's"""

_HEADERS: Final = (
    (b"Server", SERVER),
    (b"Content-Type", b"text/event-stream"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Vary", b"Accept-Encoding"),
    (b"X-Accel-Buffering", b"no"),  # nginx would wait for a buffer to fill
    (b"Connection", b"close"),
)

_BEGIN: Final = {SSE: SSE_RETRY, SSE_GZIP: GZIP_HEADER + gzip_alone(SSE_RETRY)}
"""what an answer begins with"""


class EventStream(PassiveClient, Protocol):
    """One client of one stream, from the end of its request on."""

    def __init__(self, clients: Clients, wire: Wire) -> None:
        self.clients = clients
        self.wire = wire

    def makeConnection(self, transport: Any) -> None:
        """Put the writer between this and the transport."""
        self.writer = writer_for(transport)
        tcp_options.prepare(transport)
        super().makeConnection(self.writer)

    def begin(self, head: bytes, stream: Stream, *, notices: bool, dedup: str) -> None:
        """Answer, and subscribe."""
        self.clients.add(self)
        self.writer.write(head + _BEGIN[self.wire])
        self.subscribe(stream, notices=notices, dedup=dedup)

    def dataReceived(self, data: bytes) -> None:
        """There is no second request to a connection whose answer has no end."""
        self.ignore(data)


class EventStreamNode(Node):
    """``/sse``."""

    cors = True

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self._clients = clients

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The same with a slash behind it."""
        return self if path == b"" and not request.postpath else Nothing()

    def get(self, request: Request) -> bytes | int:
        """Answer with the head, and with the stream unless only the head is asked for."""
        query: dict[bytes, list[bytes]] = request.args or {}
        stream = STREAMS.get(query.get(b"stream", [b""])[0], Stream.LITE)
        if stream not in self._clients.hub.streams:
            return error(request, NOT_FOUND)
        if self._clients.stopping:
            return error(request, SERVICE_UNAVAILABLE)
        for name, value in _HEADERS:
            request.setHeader(name, value)
        wire = SSE
        if accepts_gzip(request.requestHeaders.getRawHeaders(b"Accept-Encoding", ())):
            wire = SSE_GZIP
            request.setHeader(b"Content-Encoding", b"gzip")
        if request.method == b"HEAD":
            request.channel.persistent = False
            request.write(b"")
            request.finish()
            return NOT_DONE_YET
        client = EventStream(self._clients, wire)
        assert isinstance(request, GuardedRequest)
        self._clients.hold(client, request.slot)
        head = _head(request)
        take_over(request, client)
        client.begin(
            head,
            stream,
            notices=b"1" in query.get(b"notices", ()),
            dedup=query.get(b"dedup", [b""])[0].decode("latin-1"),
        )
        return NOT_DONE_YET


def _head(request: Request) -> bytes:
    """The answer's head, with the headers that were set so far."""
    lines = [request.clientproto + b" 200 OK"]
    for name, values in request.responseHeaders.getAllRawHeaders():
        lines += [name + b": " + value for value in values]
    return b"\r\n".join([*lines, b"", b""])
