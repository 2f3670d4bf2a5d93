"""HTTP connections whose requests may cost only so much: size, time, and turns of the reactor."""

import re
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource

from certstream_tx.events import logger
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.guarded import GuardedChannel, GuardedRequest
from certstream_tx.serve.answers import JSON, SERVER, error_document

log = logger("certstream_tx.http")

REQUEST_SECONDS = 30
"""from connecting, or from the last answer, until the next request has been read"""
ABORT_SECONDS = 15
"""for a client to take what is left when its connection is to be closed"""
MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 16 * 1024
"""no path takes a body: what comes is counted and thrown away"""

_ABSOLUTE = re.compile(rb"^https?://[^/]*/?", re.IGNORECASE)


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
        if self.path == b"*":
            self._answer_for_the_server()
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

    def _answer_for_the_server(self) -> None:
        """The star stands for no path, but for the server as a whole (RFC 9110 section 9.3.7)."""
        asked = self.method == b"OPTIONS"
        self.setResponseCode(http.NO_CONTENT if asked else http.NOT_ALLOWED)
        self.setHeader(b"Server", SERVER)
        self.setHeader(b"Allow", b"GET, HEAD, OPTIONS" if asked else b"OPTIONS")
        if not asked:
            self.setHeader(b"Content-Length", b"0")
        self.finish()

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

    def headerReceived(self, line: bytes) -> bool:
        """Refuse what says more than once how long its body is, one as ``identity`` too: another
        server may heed the other (RFC 9112 section 6.3)."""
        if not super().headerReceived(line):
            return False
        if line[:1] in b"tTcC":
            headers = self.requests[-1].requestHeaders
            codings = len(headers.getRawHeaders(b"Transfer-Encoding", ()))
            if codings > 1 or (codings and headers.hasHeader(b"Content-Length")):
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                self.loseConnection()
                return False
        return True

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
