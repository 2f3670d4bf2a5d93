"""The logs as ``/api/logs`` and ``/health/deep`` tell of them."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from certstream_tx.stats import LogStats, LogStatus


class LogReport(msgspec.Struct, frozen=True):
    """One log. Sizes and indexes count entries, ages are seconds, times are Unix seconds; null is
    what is not known yet."""

    name: str
    url: str
    operator: str | None
    status: str
    """``healthy``, ``degraded`` or ``unhealthy``"""
    current_index: int
    """the next entry to be read"""
    tree_size: int
    """of its largest head"""
    total_errors: int
    """requests that failed"""
    last_success: int | None
    """when a request last gave what it should"""
    log_id: str | None
    type: str
    """``rfc6962`` or ``tiled``"""
    start_index: int | None
    """the first entry that was read since the server started"""
    lag: int
    """entries in its newest head that were not read yet"""
    newest_entry_age: float | None
    """by the log's own time of the entry read last"""
    head_age: float | None
    """by the log's own time of its newest head"""
    entries: int
    """read since the server started"""
    parse_failures: int
    """those of them whose certificate could not be read"""
    requests: int
    throttled: int
    """answers that asked for a slower pace: no errors"""
    errors: dict[str, int]
    """the failed requests by kind"""
    verification: str
    """``verified``, ``unverified`` or ``inconsistent``: whether it signed what was read"""
    verified_size: int
    """the largest tree of which that is known"""
    gaps: int
    """ranges before ``current_index`` that could not be read yet"""
    gap_entries: int
    """entries in them"""
    late_entries: int
    """those of ``entries`` that came out of such a gap"""
    unsigned_list: bool
    """whether only a list that nobody signed names it"""


class LogCounts(msgspec.Struct, frozen=True):
    """How many logs there are, by status."""

    total: int
    healthy: int
    degraded: int
    unhealthy: int

    @classmethod
    def of(cls, logs: Iterable[LogStats]) -> "LogCounts":
        """Count them."""
        counts = Counter(log.status for log in logs)
        return cls(
            counts.total(),
            counts[LogStatus.HEALTHY],
            counts[LogStatus.DEGRADED],
            counts[LogStatus.UNHEALTHY],
        )

    @property
    def status(self) -> LogStatus:
        """Of all together: unhealthy when more than half of them are, or when there are none."""
        if not self.total or self.unhealthy * 2 > self.total:
            return LogStatus.UNHEALTHY
        if self.unhealthy or self.degraded:
            return LogStatus.DEGRADED
        return LogStatus.HEALTHY


def report(log: LogStats, now: float) -> LogReport:
    """What is known of ``log``; ``now`` in Unix seconds."""
    return LogReport(
        name=log.name,
        url=log.url,
        operator=log.operator,
        status=log.status,
        current_index=log.position,
        tree_size=log.head_size,
        total_errors=log.errors.total(),
        last_success=None if log.last_success_at is None else int(log.last_success_at),
        log_id=log.log_id,
        type=log.kind,
        start_index=log.started_at,
        lag=log.lag,
        newest_entry_age=_age(log.last_entry_timestamp, now),
        head_age=_age(log.head_timestamp, now),
        entries=log.entries,
        parse_failures=log.parse_failures,
        requests=log.requests,
        throttled=log.throttled,
        errors=dict(sorted(log.errors.items())),
        verification=log.verification,
        verified_size=log.verified_size,
        gaps=log.gaps_open,
        gap_entries=log.gap_entries,
        late_entries=log.late_entries,
        unsigned_list=log.unsigned_list,
    )


def _age(since: float | None, now: float) -> float | None:
    return None if since is None else round(max(0.0, now - since), 3)
