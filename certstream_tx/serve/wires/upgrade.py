"""The path of a stream, where a request that asks for a WebSocket becomes one."""

from autobahn.twisted.resource import WebSocketResource
from twisted.web import http, server
from twisted.web.resource import Resource

from certstream_tx.serve.answers import UPGRADE_REQUIRED, Node, Nothing, error
from certstream_tx.serve.bounded import BoundedRequest
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.takeover import let_go
from certstream_tx.serve.wires.websocket import StreamFactory


class StreamResource(WebSocketResource):
    """Hands a request's connection to a stream's factory."""

    def __init__(self, factory: StreamFactory) -> None:
        super().__init__(factory)
        self.factory = factory


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
        if not wants_websocket(request):
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


def wants_websocket(request: BoundedRequest) -> bool:
    """Whether it asks for one."""
    if request.method != b"GET":
        return False
    values = request.requestHeaders.getRawHeaders(b"Upgrade", ())
    return any(t.strip().lower() == b"websocket" for v in values for t in v.split(b","))


def _upgrade(request: BoundedRequest, resource: StreamResource) -> int:
    """Hand the connection over, and leave nothing of the request behind."""
    channel = request.channel
    resource.factory.slot = request.slot
    handed_over: int = resource.render(request)
    let_go(request, channel)
    return handed_over
