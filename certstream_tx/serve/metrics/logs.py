"""Metrics of what comes in: entries, requests and trouble of each log."""

from collections import defaultdict
from collections.abc import Callable

from certstream_tx.serve.metrics.rows import LOG, MetricRow, Samples, each_log, one
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.stats import LogStats


def _log_count(kind: str) -> Callable[[Sources], Samples]:
    return one(lambda s: sum(1 for log in s.logs() if log.kind == kind))


def _log_type(log: LogStats) -> str:
    return "static_ct" if log.kind == "tiled" else "rfc6962"


def _throttled(sources: Sources) -> Samples:
    return (((g.name, g.source_id, _log_type(g)), g.throttled) for g in sources.logs())


def _lag(log: LogStats) -> float | None:
    return log.lag if log.head_size else None


def _ingest_delay(sources: Sources) -> Samples:
    now = sources.now()
    return each_log(lambda g: g.last_entry_timestamp and max(0.0, now - g.last_entry_timestamp))(
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


LOGS = (
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
        each_log(lambda g: g.entries),
        LOG,
    ),
    MetricRow(
        "certstream_parse_failures",
        "counter",
        "Entries whose certificate could not be read; they are streamed with what could.",
        each_log(lambda g: g.parse_failures),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_tiles_fetched",
        "counter",
        "Tiles fetched from the log.",
        each_log(lambda g: g.tiles_fetched, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_entries_parsed",
        "counter",
        "Entries of the static log that were read and published.",
        each_log(lambda g: g.entries, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_parse_failures",
        "counter",
        "Entries of the static log whose certificate could not be read.",
        each_log(lambda g: g.parse_failures, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_checkpoint_errors",
        "counter",
        "Looks at the static log's checkpoint that gave nothing that can be used.",
        each_log(lambda g: g.head_errors, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_checkpoint_sig_verified",
        "counter",
        "Checkpoints whose signature is that of the log's key.",
        each_log(lambda g: g.heads_verified, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_checkpoint_sig_failed",
        "counter",
        "Checkpoints refused because no signature of the log's key holds.",
        each_log(lambda g: g.bad_signatures, "tiled"),
        LOG,
    ),
    MetricRow(
        "certstream_static_ct_tree_size_rollbacks",
        "counter",
        "Checkpoints smaller than one that was seen before.",
        each_log(lambda g: g.head_regressions, "tiled"),
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
        each_log(_lag),
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
        "Largest tree size whose root, computed from the entries, matched a signed head; 0 while"
        " the log's key is not known.",
        each_log(lambda g: g.verified_size),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_root_mismatches_total",
        "counter",
        "Times that the entries, or two signed heads, did not agree; each is looked into.",
        each_log(lambda g: g.root_mismatches),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_bad_signatures_total",
        "counter",
        "Heads refused because the signature of the log's key does not hold.",
        each_log(lambda g: g.bad_signatures),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_requests_total",
        "counter",
        "Requests made to the log.",
        each_log(lambda g: g.requests),
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
)
