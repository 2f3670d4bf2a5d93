"""What is counted while running: plain numbers that the edges write and the metrics page reads."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class LogStatus(StrEnum):
    """Whether a log can be read."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """it fails now and then, signs what does not match what was read, or has less than was read"""
    UNHEALTHY = "unhealthy"
    """it cannot be read, and is only asked from time to time whether it can again"""


class Trust(StrEnum):
    """What can be said of the entries that were read."""

    VERIFIED = "verified"
    """they are those that the log signed"""
    UNVERIFIED = "unverified"
    """its key is not known, or nothing was proven yet"""
    INCONSISTENT = "inconsistent"
    """the log signed something else than what was read"""


@dataclass(slots=True)
class LogStats:
    """Counters of one log. Times are seconds since the epoch, None before the first."""

    name: str
    url: str
    kind: str
    """``rfc6962`` or ``tiled``"""
    operator: str | None
    log_id: str | None
    """base64, None for a custom log without a key"""

    started_at: int | None = None
    """index of the first entry this run reads"""
    position: int = 0
    """next index to read: every entry before it was accepted by the hub"""
    verified_size: int = 0
    """largest tree size whose root was recomputed from entries and matched a signed head; 0 while
    the key is not known, for then no signature is checked"""
    head_size: int = 0
    """largest tree size of a head that was accepted"""
    head_timestamp: float | None = None
    last_head_at: float | None = None
    last_entry_timestamp: float | None = None
    entries: int = 0
    late_entries: int = 0
    """of ``entries``, those that came after their neighbours, out of a gap that was filled"""
    parse_failures: int = 0
    unproven_entries: int = 0
    """of them, those whose precertificate or chain, which came on the log's word alone, is not that
    of the entry in its tree; they are streamed with what is proven"""
    requests: int = 0
    throttled: int = 0
    """answers that asked for a slower pace (429, 503 with Retry-After)"""
    errors: Counter[str] = field(default_factory=Counter)
    """failed requests by kind"""
    consecutive_failures: int = 0
    bad_signatures: int = 0
    root_mismatches: int = 0
    """times that what was read, or two heads, did not agree; each is looked into"""
    corrected_entries: int = 0
    """entries that came otherwise than signed, were read again, and handed on once more"""
    contradictions: int = 0
    """pairs of heads that the log signed, of which only one can be true"""
    inconsistent: bool = False
    """whether it was caught at contradicting itself, or gives other entries than it signed"""
    rollbacks: int = 0
    """times that it took back entries for good, which is no replica lagging behind"""
    rolled_back: bool = False
    """whether it shows less now than was verified"""
    beyond_head: bool = False
    """whether ``position`` lies beyond all that it has, and has for a while: nothing is read"""
    stopped: bool = False
    """whether it is not read any more, because it is inconsistent"""
    head_regressions: int = 0
    gaps_open: int = 0
    """ranges before ``position`` that could not be read yet, or were left out for now"""
    gap_entries: int = 0
    """entries in them"""
    tiles_fetched: int = 0
    issuers_missing: int = 0
    health: LogStatus = LogStatus.HEALTHY
    """by what came of the last requests alone"""
    last_success_at: float | None = None
    """when it last gave what it should"""
    health_checks_failed: int = 0
    """looks at its head, while it was unhealthy, that gave nothing"""
    head_errors: int = 0
    """looks at its head that gave nothing that can be used"""
    heads_verified: int = 0
    """heads whose signature was confirmed by the log's key"""
    keyless: bool = False
    """its key is not known: its heads are taken at their word"""
    unsigned_list: bool = False
    """only a list that nobody signed names it"""

    def verified_up_to(self, size: int) -> None:
        """The root of the tree of this size, recomputed from entries, matched a head."""
        if not self.keyless:
            self.verified_size = max(self.verified_size, size)

    @property
    def status(self) -> LogStatus:
        """Whether it can be read and trusted."""
        if self.stopped:
            return LogStatus.UNHEALTHY
        if self.health is LogStatus.HEALTHY and (self.inconsistent or self.beyond_head):
            return LogStatus.DEGRADED
        return self.health

    @property
    def verification(self) -> Trust:
        """What can be said of the entries that were read."""
        if self.inconsistent:
            return Trust.INCONSISTENT
        if self.keyless or not self.verified_size:
            return Trust.UNVERIFIED
        return Trust.VERIFIED

    @property
    def lag(self) -> int:
        """Entries between what was published and the newest head."""
        return max(0, self.head_size - self.position)

    @property
    def source_id(self) -> str:
        """``ctlog:<log id>`` or, without one, ``url:<url>``."""
        return f"ctlog:{self.log_id}" if self.log_id else f"url:{self.url}"


@dataclass(slots=True)
class ReloadStats:
    """How often the configuration was read again while the server ran."""

    applied: int = 0
    failed: int = 0
    last_failed: bool = False
    """what stands in the file now is not what is in force"""
