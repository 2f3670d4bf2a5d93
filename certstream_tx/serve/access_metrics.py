"""Metrics of the gate: who was not let in, and who was."""

from certstream_tx.serve.metric_rows import MetricRow, Samples, Sources, one


def _by_token(sources: Sources) -> Samples:
    return (((label,), count) for label, count in sources.gate.counts.let_in.items())


ACCESS = (
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
)
