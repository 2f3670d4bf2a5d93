"""What is counted while running: plain numbers that the edges write and the metrics page reads."""

from collections import Counter
from dataclasses import dataclass, field


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
    """largest tree size whose root was recomputed from entries and matched a signed head"""
    head_size: int = 0
    """largest tree size of a head that was accepted"""
    head_timestamp: float | None = None
    last_head_at: float | None = None
    last_entry_timestamp: float | None = None
    entries: int = 0
    parse_failures: int = 0
    requests: int = 0
    throttled: int = 0
    """answers that asked for a slower pace (429, 503 with Retry-After)"""
    errors: Counter[str] = field(default_factory=Counter)
    """failed requests by kind"""
    consecutive_failures: int = 0
    bad_signatures: int = 0
    root_mismatches: int = 0
    head_regressions: int = 0
    tiles_fetched: int = 0
    issuers_missing: int = 0

    @property
    def source_id(self) -> str:
        """``ctlog:<log id>`` or, without one, ``url:<url>``."""
        return f"ctlog:{self.log_id}" if self.log_id else f"url:{self.url}"
