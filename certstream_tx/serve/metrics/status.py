"""Metrics of how the logs are: whether they can be read, how far they are, how old their news."""

from collections.abc import Callable, Sequence

from certstream_tx.serve.metrics.rows import LOG, MetricRow, Samples, each_log, one
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.stats import LogStats, LogStatus, Trust


def _states(
    value: Callable[[LogStats], str], states: Sequence[str]
) -> Callable[[Sources], Samples]:
    """One sample for each state of every log: 1 for the one that it is in."""

    def read(sources: Sources) -> Samples:
        for log in sources.logs():
            state = value(log)
            for each in states:
                yield (log.name, log.source_id, each), float(each == state)

    return read


def _head_age(sources: Sources) -> Samples:
    now = sources.now()
    return each_log(lambda g: g.head_timestamp and max(0.0, now - g.head_timestamp))(sources)


STATUS = (
    MetricRow(
        "certstream_ct_log_status",
        "gauge",
        "Whether the log can be read and trusted: 1 for the status that it has, 0 for the others.",
        _states(lambda g: g.status, tuple(LogStatus)),
        (*LOG, "status"),
    ),
    MetricRow(
        "certstream_ct_log_verification",
        "gauge",
        "Whether the log signed the entries that were read: 1 for what is so, 0 for the others.",
        _states(lambda g: g.verification, tuple(Trust)),
        (*LOG, "verification"),
    ),
    MetricRow(
        "certstream_ct_log_unsigned_list",
        "gauge",
        "Whether only a log list that nobody signed names the log: 1 if so, else 0.",
        each_log(lambda g: int(g.unsigned_list)),
        LOG,
    ),
    MetricRow(
        "certstream_log_health_checks_failed",
        "counter",
        "Looks at the heads of unhealthy logs that gave nothing.",
        one(lambda s: sum(log.health_checks_failed for log in s.logs())),
    ),
    MetricRow(
        "certstream_ct_log_last_success_timestamp_seconds",
        "gauge",
        "When a request to the log last gave what it should.",
        each_log(lambda g: g.last_success_at),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_tree_size",
        "gauge",
        "Entries in the log's largest head.",
        each_log(lambda g: g.head_size),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_position",
        "gauge",
        "The next entry of the log to be read.",
        each_log(lambda g: None if g.started_at is None else g.position),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_head_age_seconds",
        "gauge",
        "Age of the log's newest head by its own timestamp; no entry can be had sooner.",
        _head_age,
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_heads_verified_total",
        "counter",
        "Heads whose signature is that of the log's key.",
        each_log(lambda g: g.heads_verified),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_head_errors_total",
        "counter",
        "Looks at the log's head that gave nothing that can be used.",
        each_log(lambda g: g.head_errors),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_head_regressions_total",
        "counter",
        "Heads smaller than one that was seen before: replicas of a log that are behind.",
        each_log(lambda g: g.head_regressions),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_gaps_open",
        "gauge",
        "Ranges of the log that could not be read yet; they are tried again until they can.",
        each_log(lambda g: g.gaps_open),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_gap_entries",
        "gauge",
        "Entries of the log that are missing in these ranges.",
        each_log(lambda g: g.gap_entries),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_late_entries_total",
        "counter",
        "Entries of the log that came late, out of such a range.",
        each_log(lambda g: g.late_entries),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_corrected_entries_total",
        "counter",
        "Entries that came otherwise than the log signed them, and were published again.",
        each_log(lambda g: g.corrected_entries),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_unproven_entries_total",
        "counter",
        "Entries whose precertificate or chain is not that of what the log signed.",
        each_log(lambda g: g.unproven_entries),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_contradictions_total",
        "counter",
        "Pairs of heads that the log signed, of which only one can be true.",
        each_log(lambda g: g.contradictions),
        LOG,
    ),
    MetricRow(
        "certstream_ct_log_rollbacks_total",
        "counter",
        "Times that the log took back, for an hour and more, what it had signed.",
        each_log(lambda g: g.rollbacks),
        LOG,
    ),
)
