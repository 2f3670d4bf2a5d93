"""Metrics of what goes out: clients, messages, bytes, flushes."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from certstream_tx.framing import SSE, TCP, WEBSOCKET, Wire
from certstream_tx.hub import Channel, Stream
from certstream_tx.serve.metrics.rows import HistogramRow, MetricRow, Samples, one
from certstream_tx.serve.metrics.sources import Sources


def _of(wire: Wire, sources: Sources) -> Iterator[Channel]:
    return (c for c in sources.hub.channels() if c.wire.protocol == wire.protocol)


def _clients(wire: Wire) -> Callable[[Sources], Samples]:
    """Those of one protocol."""
    return one(lambda s: sum(map(len, _of(wire, s))))


def _connections(stream: Stream) -> Callable[[Sources], Samples]:
    """WebSocket clients of one stream."""
    return one(lambda s: sum(len(c) for c in _of(WEBSOCKET, s) if c.stream is stream))


def _channels(value: Callable[[Channel], float]) -> Callable[[Sources], Samples]:
    """A number of every stream on every wire, all views together."""

    def read(sources: Sources) -> Samples:
        totals: defaultdict[tuple[str, ...], float] = defaultdict(int)
        for channel in sources.hub.channels():
            totals[channel.stream.value, channel.wire.name] += value(channel)
        return iter(totals.items())

    return read


def _bytes_by_wire(sources: Sources) -> Samples:
    totals: defaultdict[str, int] = defaultdict(int)
    for channel in sources.hub.channels():
        totals[channel.wire.protocol] += channel.bytes_sent
    return (((wire,), total) for wire, total in totals.items())


DELIVERY = (
    MetricRow(
        "certstream_ws_connections_total",
        "gauge",
        "WebSocket clients connected.",
        _clients(WEBSOCKET),
    ),
    MetricRow(
        "certstream_ws_connections_full",
        "gauge",
        "WebSocket clients of the full stream.",
        _connections(Stream.FULL),
    ),
    MetricRow(
        "certstream_ws_connections_lite",
        "gauge",
        "WebSocket clients of the lite stream.",
        _connections(Stream.LITE),
    ),
    MetricRow(
        "certstream_ws_connections_domains",
        "gauge",
        "WebSocket clients of the domains-only stream.",
        _connections(Stream.DOMAINS_ONLY),
    ),
    MetricRow(
        "certstream_sse_connections",
        "gauge",
        "Clients of Server-Sent Events connected.",
        _clients(SSE),
    ),
    MetricRow(
        "certstream_tcp_connections",
        "gauge",
        "Clients of raw TCP connected that have their stream.",
        _clients(TCP),
    ),
    MetricRow(
        "certstream_ws_disconnect_silent",
        "counter",
        "WebSocket clients dropped because they answered no ping.",
        one(lambda s: s.clients.silent_dropped),
    ),
    MetricRow(
        "certstream_bytes_sent_total",
        "counter",
        "Bytes of messages, framed, that clients have taken.",
        _bytes_by_wire,
        ("protocol",),
    ),
    MetricRow(
        "certstream_messages_delivered_total",
        "counter",
        "Messages that clients have taken, each counted once for every client.",
        _channels(lambda c: c.messages_sent),
        ("stream", "wire"),
    ),
    MetricRow(
        "certstream_messages_dropped_total",
        "counter",
        "Messages that clients did not get because they read too slowly.",
        _channels(lambda c: c.lost),
        ("stream", "wire"),
    ),
    MetricRow(
        "certstream_backlog_bytes",
        "gauge",
        "Bytes kept for clients that are behind, shared by all of them.",
        _channels(lambda c: c.ring.size),
        ("stream", "wire"),
    ),
    MetricRow(
        "certstream_clients_behind",
        "gauge",
        "Clients that have not yet taken everything there is.",
        _channels(lambda c: len(c.held)),
        ("stream", "wire"),
    ),
    MetricRow(
        "certstream_messages_published_total",
        "counter",
        "Messages given to the hub, whether or not anybody was there to get them.",
        one(lambda s: s.hub.counts.published),
    ),
)

HISTOGRAMS = (
    HistogramRow(
        "certstream_delivery_seconds",
        "From having read a certificate until its message was written to every client that keeps"
        " up; one observation for each message and stream in use.",
        lambda s: s.hub.counts.delivery_seconds,
    ),
    HistogramRow(
        "certstream_flush_seconds",
        "Time a flush took: framing what waited and sending it to every client.",
        lambda s: s.hub.counts.flush_seconds,
    ),
    HistogramRow(
        "certstream_flush_messages",
        "Messages of a flush, each counted once for every stream in use.",
        lambda s: s.hub.counts.flush_messages,
    ),
)
