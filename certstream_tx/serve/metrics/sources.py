"""Where the numbers are that the server tells of itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from certstream_tx.hub import Hub
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.stats import LogStats, ReloadStats


class CacheCounts(Protocol):
    """A memory that counts what is looked up in it."""

    hits: int
    misses: int

    def __len__(self) -> int:
        """How many it remembers."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """The parts of the server that count."""

    hub: Hub
    clients: Clients
    logs: Callable[[], Iterable[LogStats]]
    """every log that is followed"""
    now: Callable[[], float]
    """seconds since the epoch"""
    gate: Gate = field(default_factory=Gate)
    issuers: CacheCounts | None = None
    """issuer certificates of static logs"""
    reloads: ReloadStats = field(default_factory=ReloadStats)
