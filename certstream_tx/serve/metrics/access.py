"""Metrics of the gate: who was not let in, and who was."""

from certstream_tx.serve.metrics.rows import MetricRow, Samples, one
from certstream_tx.serve.metrics.sources import Sources


def _by_token(sources: Sources) -> Samples:
    return (((label,), count) for label, count in sources.gate.counts.let_in.items())


ACCESS = (
    MetricRow(
        "certstream_connection_limit_rejected",
        "counter",
        "Requests and connections refused because all places were taken.",
        one(lambda s: s.gate.counts.full_rejected),
    ),
    MetricRow(
        "certstream_per_ip_limit_rejected",
        "counter",
        "Requests and connections refused because their client had all the places it may have.",
        one(lambda s: s.gate.counts.network_rejected),
    ),
    MetricRow(
        "certstream_rate_limit_rejected",
        "counter",
        "Requests and connections refused because their client asked too fast.",
        one(lambda s: s.gate.counts.rate_rejected),
    ),
    MetricRow(
        "certstream_auth_rejected",
        "counter",
        "Requests and connections refused because they had no token, or none that is good.",
        one(lambda s: s.gate.counts.auth_rejected),
    ),
    MetricRow(
        "certstream_token_requests_total",
        "counter",
        "Requests and connections let in, by the name of the token they came with.",
        _by_token,
        ("token",),
    ),
    MetricRow(
        "certstream_places_taken",
        "gauge",
        "Connections that count for the limit: streams, and requests that are being answered.",
        one(lambda s: s.gate.slots.total),
    ),
    MetricRow(
        "certstream_connections_waiting",
        "gauge",
        "Connections that have not asked for anything yet, or were answered.",
        one(lambda s: len(s.gate.waiting)),
    ),
    MetricRow(
        "certstream_connections_waiting_dropped_total",
        "counter",
        "Connections closed because too many had not asked for anything.",
        one(lambda s: s.gate.counts.waiting_dropped),
    ),
)
