"""The HTTP surface: which path answers with what, and how much a request may cost."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource, Resource

from certstream_tx.events import logger
from certstream_tx.hub import Hub, Stream
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.guarded import GuardedChannel, GuardedRequest
from certstream_tx.serve.answers import (
    JSON,
    TEXT,
    UPGRADE_REQUIRED,
    Document,
    Node,
    Nothing,
    Page,
    answer,
    error,
    error_document,
)
from certstream_tx.serve.pages.api import api_node
from certstream_tx.serve.pages.examples import example
from certstream_tx.serve.pages.landing import landing_page
from certstream_tx.serve.pages.reports import Reports
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.sse import EventStreamNode
from certstream_tx.serve.wires.takeover import let_go
from certstream_tx.serve.wires.websocket import StreamFactory, StreamResource

log = logger("certstream_tx.http")

REQUEST_SECONDS = 30
"""from connecting, or from the last answer, until the next request has been read"""
ABORT_SECONDS = 15
"""for a client to take what is left when its connection is to be closed"""
MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 16 * 1024
"""no path takes a body: what comes is counted and thrown away"""

PATHS = {Stream.LITE: b"", Stream.FULL: b"full-stream", Stream.DOMAINS_ONLY: b"domains-only"}
"""where each stream is"""

METRICS_TEXT = b"text/plain; version=0.0.4; charset=utf-8"

_ABSOLUTE = re.compile(rb"^https?://[^/]*/?", re.IGNORECASE)

_PAGE_HEADERS = (
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Surface:
    """What is served; the streams are the hub's."""

    websocket: bool = True
    sse: bool = False
    metrics: bool = True
    health: bool = True
    example_json: bool = True
    api: bool = False


class StreamNode(Node):
    """A stream's path: a WebSocket for who asks for one."""

    def __init__(self, resource: StreamResource | None, clients: Clients) -> None:
        super().__init__()
        self._resource = resource
        self._clients = clients

    def getChild(self, path: bytes, request: server.Request) -> Resource:
        """The same with a slash behind it."""
        return self if path == b"" and not request.postpath else Nothing()

    def render(self, request: server.Request) -> bytes | int:
        """Upgrade, or answer as a page would."""
        assert isinstance(request, BoundedRequest)
        if not _wants_websocket(request):
            return super().render(request)
        if self._resource is None:
            return error(request, http.NOT_FOUND)
        if self._clients.stopping:
            return error(request, http.SERVICE_UNAVAILABLE)
        if request.clientproto != b"HTTP/1.1" or request.body_bytes:
            return error(request, http.BAD_REQUEST)
        return _upgrade(request, self._resource)

    def get(self, request: server.Request) -> bytes | int:
        """Say that it is a WebSocket."""
        if self._resource is None:
            return error(request, http.NOT_FOUND)
        request.setHeader(b"Upgrade", b"websocket")
        request.setHeader(b"Connection", b"Upgrade")
        return error(request, UPGRADE_REQUIRED)


class Front(StreamNode):
    """``/``: the lite stream for clients, a page for people."""

    def __init__(self, resource: StreamResource | None, clients: Clients) -> None:
        super().__init__(resource, clients)
        self._page = landing_page()

    def is_guarded(self, request: server.Request) -> bool:
        """The stream is, the page is not."""
        assert isinstance(request, BoundedRequest)
        return _wants_websocket(request)

    def get(self, request: server.Request) -> bytes | int:
        """The page."""
        request.setHeader(b"Content-Security-Policy", self._page.policy)
        for name, value in _PAGE_HEADERS:
            request.setHeader(name, value)
        return answer(request, Document(b"text/html; charset=utf-8", self._page.body))


def _wants_websocket(request: "BoundedRequest") -> bool:
    if request.method != b"GET":
        return False
    values = request.requestHeaders.getRawHeaders(b"Upgrade", ())
    return any(t.strip().lower() == b"websocket" for v in values for t in v.split(b","))


def _upgrade(request: "BoundedRequest", resource: StreamResource) -> int:
    """Hand the connection over, and leave nothing of the request behind."""
    channel = request.channel
    resource.factory.slot = request.slot
    handed_over: int = resource.render(request)
    let_go(request, channel)
    return handed_over


class BoundedRequest(GuardedRequest):
    """A request whose body is thrown away, and whose errors are JSON."""

    defaultContentType = None

    content: Any
    body_bytes = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that is announced too long; keep none."""
        self.content = BytesIO()
        if length is not None and length > MAX_BODY_BYTES:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Count it."""
        self.body_bytes += len(data)
        if self.body_bytes > MAX_BODY_BYTES:
            self._refuse()

    def process(self) -> None:
        """Answer, unless that was done."""
        if self._refused:
            return
        if not self.path.startswith(b"/"):
            # A server must accept a whole URL, which proxies send (RFC 9112 section 3.2.2).
            self.path = _ABSOLUTE.sub(b"/", self.path)
        super().process()

    def processingFailed(self, reason: Failure) -> Failure:
        """A mistake of ours: into the log, not to the client."""
        log.failure("Answering {path} failed.", failure=reason, path=self.path)
        if not self.startedWriting:
            body = error_document("Internal Server Error")
            self.setResponseCode(http.INTERNAL_SERVER_ERROR)
            self.setHeader(b"Content-Type", JSON)
            self.setHeader(b"Content-Length", b"%d" % len(body))
            self.write(body)
        if not self.finished and not self._disconnected:
            self.finish()
        return reason

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.channel.transport.write(
                b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
            self.channel.loseConnection()


class BoundedChannel(GuardedChannel):
    """An HTTP connection on which a request must arrive in time, however it trickles in."""

    totalHeadersSize = MAX_HEAD_BYTES
    maxHeaders = MAX_HEADERS

    _abort: IDelayedCall | None = None
    _fresh = True
    """nothing was answered yet of what came last"""
    _full = False
    """the transport has more of the answers so far than it wants"""
    _done: server.Request | None = None
    """the request that was answered last, while the next one waits"""
    _going_on: IDelayedCall | None = None

    def requestDone(self, request: server.Request) -> None:
        """Answer what came along with this request and the next one in turns of their own.

        Twisted answers all that are there at once, whether or not the client takes the answers:
        2,000 requests in one packet would cost seconds and hundreds of megabytes.
        """
        if self._fresh or not self.persistent:
            self._fresh = False
            super().requestDone(request)
            return
        self._done = request
        self._going_on = self.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._going_on = None
        request = self._done
        if request is not None and not self._full:
            self._done = None
            if request in self.requests:
                super().requestDone(request)

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._full = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """The transport has sent what it had."""
        self._full = False
        super().resumeProducing()
        if self._going_on is None:
            self._go_on()

    def dataReceived(self, data: bytes) -> None:
        """As any HTTP connection's, but bytes that arrive do not prolong the time they have."""
        self._fresh = self._done is None
        LineReceiver.dataReceived(self, data)

    def timeoutConnection(self) -> None:
        """The time is over."""
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close when all is written, but do not wait for ever: over TLS, for the peer's consent."""
        super().loseConnection()
        if self._abort is None:
            self._abort = self.callLater(ABORT_SECONDS, self.transport.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        for call in (self._abort, self._going_on):
            if call is not None and call.active():
                call.cancel()
        super().connectionLost(reason)


class CertstreamSite(server.Site):
    """A site without an access log, HTTP/1.1 only."""

    protocol = BoundedChannel  # type: ignore[assignment]
    noisy = False

    def __init__(self, root: IResource, reactor: IReactorTime, gate: Gate) -> None:
        self.gate = gate
        super().__init__(
            root,
            requestFactory=BoundedRequest,
            timeout=REQUEST_SECONDS,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )

    def acceptableProtocols(self) -> list[bytes]:
        """WebSocket and event streams are HTTP/1.1."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Nothing: there is no log to open, and no time of day to keep for it."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: http.Request) -> None:
        """Nothing: one line a request is not for the program's own events."""


def make_site(
    reactor: IReactorTime,
    hub: Hub,
    clients: Clients,
    *,
    examples: Mapping[str, bytes],
    metrics: Callable[[], bytes],
    ready: Callable[[], bool],
    reports: Reports,
    gate: Gate | None = None,
    surface: Surface | None = None,
) -> CertstreamSite:
    """The site of one server.

    :param reactor: for time limits of connections
    :param clients: those of every wire; their service runs beside the site
    :param examples: built-in message by name of the stream, before there is a real one
    :param metrics: the text of ``/metrics``
    :param ready: whether the server listens and a log has answered
    :param reports: what the server tells of itself as JSON
    :param gate: who is let in; everybody when there is none
    """
    surface = surface or Surface()
    sockets: dict[Stream, StreamResource | None] = {
        stream: StreamResource(StreamFactory(reactor, clients, stream))
        if surface.websocket and stream in hub.streams
        else None
        for stream in Stream
    }
    root = Front(sockets[Stream.LITE], clients)
    nodes: dict[Stream, Node] = {Stream.LITE: root}
    for stream in (Stream.FULL, Stream.DOMAINS_ONLY):
        nodes[stream] = StreamNode(sockets[stream], clients)
        root.putChild(PATHS[stream], nodes[stream])
    if surface.sse:
        root.putChild(b"sse", EventStreamNode(clients))
    if surface.example_json:
        for stream in hub.streams:
            nodes[stream].putChild(b"example.json", _example_page(hub, stream, examples))
        if Stream.LITE in hub.streams:
            root.putChild(b"latest.json", Page(reports.latest, cors=True))
    if surface.health:
        health = Page(lambda: Document(TEXT, b"OK"), guarded=False)
        health.putChild(b"deep", Page(reports.deep_health, guarded=False))
        root.putChild(b"health", health)
        root.putChild(b"ready", Page(lambda: _readiness(ready()), guarded=False))
    if surface.metrics:
        root.putChild(b"metrics", Page(lambda: Document(METRICS_TEXT, metrics()), guarded=False))
        root.putChild(b"stats", Page(reports.legacy_stats))
    if surface.api:
        root.putChild(b"api", api_node(reports))
    return CertstreamSite(root, reactor, gate or Gate())


def _example_page(hub: Hub, stream: Stream, examples: Mapping[str, bytes]) -> Page:
    return Page(lambda: example(hub, stream, examples), cors=True, guarded=False)


def _readiness(ready: bool) -> Document:
    return Document(TEXT, b"OK") if ready else Document(TEXT, b"not ready", 503)
