"""What the hub counts: plain numbers, read by the metrics page."""

from bisect import bisect_left
from dataclasses import dataclass, field

FLUSH_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
DELIVERY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
FLUSH_MESSAGES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Histogram:
    """Observations counted by upper bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """of each bucket alone; the last one is above every bound"""
        self.total = 0.0
        """sum of what was observed"""

    def observe(self, value: float) -> None:
        """Count ``value`` in the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class HubCounts:
    """Counters of the hub since it was made."""

    published: int = 0
    """messages given to the hub"""
    duplicates: int = 0
    """of them, those that were left out for some clients, who had the certificate already"""
    flush_seconds: Histogram = field(default_factory=lambda: Histogram(FLUSH_SECONDS))
    flush_messages: Histogram = field(default_factory=lambda: Histogram(FLUSH_MESSAGES))
    """messages of a flush, each counted once for every stream in use"""
    delivery_seconds: Histogram = field(default_factory=lambda: Histogram(DELIVERY_SECONDS))
    """from a message's publication until every client that keeps up was written to; observed once
    for each message and stream in use, so that it costs the same for any number of clients"""
