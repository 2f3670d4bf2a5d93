"""The table of metrics: name, type, labels, meaning, and how each is read.

Where dashboards of certstream servers already use a name, it is that name, to the letter.
"""

import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from certstream_tx import __version__
from certstream_tx.framing import WEBSOCKET
from certstream_tx.hub import Channel, Histogram, Hub, Stream
from certstream_tx.serve.clients import Clients
from certstream_tx.stats import LogStats

Samples = Iterator[tuple[tuple[str, ...], float]]
"""label values in the order of the metric's labels, value"""

LOG = ("log", "source_id")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers are."""

    hub: Hub
    clients: Clients
    logs: Callable[[], Iterable[LogStats]]
    """every log that is followed"""
    now: Callable[[], float]
    """seconds since the epoch"""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric: its name, type, labels and meaning, and how it is read."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[Sources], Samples]
    labels: tuple[str, ...] = ()

    def family(self, sources: Sources) -> Metric:
        """Read it."""
        metric = Metric(self.name, self.help, self.kind)
        for values, value in self.read(sources):
            metric.add_sample(self.name, dict(zip(self.labels, values, strict=True)), value)
        return metric


# How rows are read


def _one(value: Callable[[Sources], float]) -> Callable[[Sources], Samples]:
    """A single number."""
    return lambda sources: iter([((), value(sources))])


def _connections(stream: Stream) -> Callable[[Sources], Samples]:
    """WebSocket clients of one stream."""
    return _one(lambda s: sum(len(c) for c in _websocket(s) if c.stream is stream))


def _websocket(sources: Sources) -> Iterator[Channel]:
    return (c for c in sources.hub.channels() if c.wire is WEBSOCKET)


def _channels(value: Callable[[Channel], float]) -> Callable[[Sources], Samples]:
    """A number of every stream on every wire."""
    return lambda s: (((c.stream.value, c.wire.name), value(c)) for c in s.hub.channels())


def _bytes_by_wire(sources: Sources) -> Samples:
    totals: defaultdict[str, int] = defaultdict(int)
    for channel in sources.hub.channels():
        totals[channel.wire.name] += channel.bytes_sent
    return (((wire,), total) for wire, total in totals.items())


def _logs(
    value: Callable[[LogStats], float | None], kind: str = ""
) -> Callable[[Sources], Samples]:
    """A number of every log (of one kind); a log that has none yet is left out."""

    def read(sources: Sources) -> Samples:
        for log in sources.logs():
            number = value(log) if kind in ("", log.kind) else None
            if number is not None:
                yield (log.name, log.source_id), number

    return read


def _log_count(kind: str) -> Callable[[Sources], Samples]:
    return _one(lambda s: sum(1 for log in s.logs() if log.kind == kind))


def _log_type(log: LogStats) -> str:
    return "static_ct" if log.kind == "tiled" else "rfc6962"


def _throttled(sources: Sources) -> Samples:
    return (((g.name, g.source_id, _log_type(g)), g.throttled) for g in sources.logs())


def _lag(log: LogStats) -> float | None:
    return max(0, log.head_size - log.position) if log.head_size else None


def _ingest_delay(sources: Sources) -> Samples:
    now = sources.now()
    return _logs(lambda g: g.last_entry_timestamp and max(0.0, now - g.last_entry_timestamp))(
        sources
    )


def _log_info(sources: Sources) -> Samples:
    for log in sources.logs():
        operator = log.operator or ""
        yield (log.source_id, log.log_id or "", log.name, operator, _log_type(log)), 1


def _operator_requests(sources: Sources) -> Samples:
    totals: defaultdict[str, int] = defaultdict(int)
    for log in sources.logs():
        totals[log.operator or ""] += log.requests
    return (((operator,), total) for operator, total in totals.items())


def _errors(sources: Sources) -> Samples:
    for log in sources.logs():
        for kind, count in sorted(log.errors.items()):
            yield (log.name, log.source_id, kind), count


def _build(sources: Sources) -> Samples:
    return iter([((__version__, platform.python_version()), 1)])


METRICS = (
    MetricRow(
        "certstream_ws_connections_total",
        "gauge",
        "WebSocket clients connected.",
        _one(lambda s: sum(map(len, _websocket(s)))),
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
        "certstream_ws_messages_lagged",
        "counter",
        "Messages that WebSocket clients did not get because they read too slowly.",
        _one(lambda s: sum(c.lost for c in _websocket(s))),
    ),
    MetricRow(
        "certstream_ws_disconnect_silent",
        "counter",
        "WebSocket clients dropped because they answered no ping.",
        _one(lambda s: s.clients.silent_dropped),
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
        _one(lambda s: s.hub.counts.published),
    ),
    MetricRow(
        "certstream_ct_logs_count",
        "gauge",
        "RFC 6962 logs that are followed.",
        _log_count("rfc6962"),
    ),
    MetricRow(
        "certstream_static_ct_logs_count",
        "gauge",
        "Static (tiled) logs that are followed.",
        _log_count("tiled"),
    ),
    MetricRow(
        "certstream_messages_sent",
        "counter",
        "Entries of the log that were read and published.",
        _logs(lambda g: g.entries),
        LOG,
    ),
    MetricRow(
        "certstream_parse_failures",
        "counter",
        "Entries whose certificate could not be read; they are streamed with what could.",
        _logs(lambda g: g.parse_failures),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_tiles_fetched",
        "counter",
        "Tiles fetched from the log.",
        _logs(lambda g: g.tiles_fetched, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_entries_parsed",
        "counter",
        "Entries of the static log that were read and published.",
        _logs(lambda g: g.entries, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_parse_failures",
        "counter",
        "Entries of the static log whose certificate could not be read.",
        _logs(lambda g: g.parse_failures, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_checkpoint_sig_failed",
        "counter",
        "Checkpoints refused because no signature of the log's key holds.",
        _logs(lambda g: g.bad_signatures, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_tree_size_rollbacks",
        "counter",
        "Checkpoints smaller than one that was seen before.",
        _logs(lambda g: g.head_regressions, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_rate_limited_total",
        "counter",
        "Answers of the log that asked for a slower pace.",
        _throttled,
        (*LOG, "log_type"),
    ),
    MetricRow(
        "certstream_ct_log_lag_entries",
        "gauge",
        "Entries between what was published and the newest head of the log.",
        _logs(_lag),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_ingest_delay_seconds",
        "gauge",
        "Age of the newest published entry by the log's own timestamp.",
        _ingest_delay,
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_verified_size",
        "gauge",
        "Largest tree size whose root, computed from the entries, matched a signed head.",
        _logs(lambda g: g.verified_size),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_root_mismatches_total",
        "counter",
        "Signed heads whose root did not match the entries.",
        _logs(lambda g: g.root_mismatches),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_bad_signatures_total",
        "counter",
        "Heads refused because the signature of the log's key does not hold.",
        _logs(lambda g: g.bad_signatures),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_requests_total",
        "counter",
        "Requests made to the log.",
        _logs(lambda g: g.requests),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_errors_total",
        "counter",
        "Requests to the log that failed, by kind.",
        _errors,
        (*LOG, "kind"),
    ),
    MetricRow(
        "certstream_ct_runtime_log_info",
        "gauge",
        "The logs that are followed; always 1.",
        _log_info,
        ("source_id", "log_id", "log", "operator", "log_type"),
    ),
    MetricRow(
        "certstream_operator_requests_total",
        "counter",
        "Requests made to all logs of an operator.",
        _operator_requests,
        ("operator",),
    ),
    MetricRow(
        "certstream_build_info",
        "gauge",
        "The server's version and Python's; always 1.",
        _build,
        ("version", "python"),
    ),
)


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """One histogram of the hub."""

    name: str
    help: str
    read: Callable[[Sources], Histogram]

    def family(self, sources: Sources) -> Metric:
        """Read it."""
        histogram = self.read(sources)
        below = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
            below += count
            buckets.append((floatToGoString(bound), below))
        return HistogramMetricFamily(self.name, self.help, buckets, histogram.total)


HISTOGRAMS = (
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
