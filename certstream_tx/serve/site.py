"""The HTTP surface: which path answers with what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from twisted.internet.interfaces import IReactorTime
from twisted.web import server

from certstream_tx.config.serving import Protocols
from certstream_tx.hub import Hub, Stream
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.answers import TEXT, Document, Node, Page, answer
from certstream_tx.serve.bounded import BoundedRequest, CertstreamSite
from certstream_tx.serve.pages.api import api_node
from certstream_tx.serve.pages.examples import example
from certstream_tx.serve.pages.landing import landing_page
from certstream_tx.serve.pages.reports import Reports
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.sse import EventStreamNode
from certstream_tx.serve.wires.upgrade import StreamNode, StreamResource, wants_websocket
from certstream_tx.serve.wires.websocket import StreamFactory

PATHS = {Stream.LITE: b"", Stream.FULL: b"full-stream", Stream.DOMAINS_ONLY: b"domains-only"}
"""where each stream is"""

METRICS_TEXT = b"text/plain; version=0.0.4; charset=utf-8"

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

    @classmethod
    def of(cls, protocols: Protocols) -> Self:
        """What ``protocols`` of the configuration say."""
        return cls(
            websocket=protocols.websocket,
            sse=protocols.sse,
            metrics=protocols.metrics,
            health=protocols.health,
            example_json=protocols.example_json,
            api=protocols.api,
        )


class Front(StreamNode):
    """``/``: the lite stream for clients, a page for people."""

    def __init__(self, resource: StreamResource | None, clients: Clients) -> None:
        super().__init__(resource, clients)
        self._page = landing_page()

    def is_guarded(self, request: server.Request) -> bool:
        """The stream is, the page is not."""
        assert isinstance(request, BoundedRequest)
        return wants_websocket(request)

    def get(self, request: server.Request) -> bytes | int:
        """The page."""
        request.setHeader(b"Content-Security-Policy", self._page.policy)
        for name, value in _PAGE_HEADERS:
            request.setHeader(name, value)
        return answer(request, Document(b"text/html; charset=utf-8", self._page.body))


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
