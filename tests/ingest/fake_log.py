"""A log in memory behind the ``LogClient`` protocol, faults at will, and a poller to read it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange, leaf_hash
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.clients.log_client import Served
from certstream_tx.ingest.http.errors import MerkleMismatch
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.entry_reader import EntryReader
from certstream_tx.ingest.polling.poller import LogPoller
from certstream_tx.ingest.state.evidence import Evidence
from certstream_tx.ingest.state.positions import Positions
from certstream_tx.stats import LogStats


@cache
def hash_of(index: int) -> bytes:
    """The leaf hash of an entry of every log here."""
    return leaf_hash(b"entry %d" % index)


@cache
def range_of(size: int) -> CompactRange:
    """The compact range of the first entries."""
    while len(_EVERY_64) <= size // 64:
        grown = _EVERY_64[-1].copy()
        grown.extend(map(hash_of, range(grown.size, grown.size + 64)))
        _EVERY_64.append(grown)
    tree = _EVERY_64[size // 64].copy()
    tree.extend(map(hash_of, range(tree.size, size)))
    return tree


_EVERY_64 = [CompactRange()]


def head_of(size: int, timestamp: int = 0, root: bytes | None = None) -> SignedHead:
    """The head at a size, or one that says something else."""
    return SignedHead(size, timestamp, range_of(size).root() if root is None else root, b"")


class FakeLog:
    """A ``LogClient`` whose answers take ``latency`` seconds.

    ``entry_faults`` is asked before each answer with (start, end): an exception to raise, a number
    of entries to be cut to, or None. ``head_faults`` are raised, or answered, first come first.
    """

    def __init__(self, clock: Clock, size: int, *, page: int = 32, latency: float = 0.0) -> None:
        self.clock = clock
        self.size = size
        self.page = page
        self.latency = latency
        self.depth = 4
        self.divisible = True
        self.looks: list[float] = []
        self.asked: list[tuple[int, int]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.cancelled = 0
        self.head_faults: list[Exception | SignedHead] = []
        self.entry_faults: Callable[[int, int], Exception | int | None] = lambda start, end: None
        self.proof_faults: list[Exception] = []
        self.changed: set[int] = set()
        self.slips: set[int] = set()  # those changed only the first time they are asked for
        self.asked_again: list[tuple[int, int]] = []
        self.again_faults: list[Exception] = []
        self.partial_allowed = True

    @property
    def heads(self) -> int:
        """How often the head was asked for."""
        return len(self.looks)

    async def head(self) -> SignedHead:
        self.looks.append(self.clock.seconds())
        await deferLater(self.clock, self.latency)
        if self.head_faults:
            fault = self.head_faults.pop(0)
            if isinstance(fault, SignedHead):
                return fault
            raise fault
        return head_of(self.size, int(self.clock.seconds() * 1000))

    def span(self, position: int, head_size: int) -> int | None:
        if position >= head_size:
            return None
        end = position // self.page * self.page + self.page
        if end > head_size and not self.partial_allowed:
            return None
        return min(end, head_size)

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        if not start < end <= head.size:
            raise ValueError((start, end, head.size))
        self.asked.append((start, end))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await deferLater(self.clock, self.latency)
        except CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        fault = self.entry_faults(start, end)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            end = start + fault
        return [self.entry(index) for index in range(start, end)]

    async def entries_again(self, start: int, end: int, head: SignedHead) -> list[Served]:
        if not start < end <= head.size:
            raise ValueError((start, end, head.size))
        self.asked_again.append((start, end))
        await deferLater(self.clock, self.latency)
        if self.again_faults:
            raise self.again_faults.pop(0)
        end = min(end, start + self.page - 1)
        entries = [self.entry(index, self.changed - self.slips) for index in range(start, end)]
        return [Served(entry, b"leaf %d" % entry.index) for entry in entries]

    def entry(self, index: int, changed: "set[int] | None" = None) -> Entry:
        if changed is None:
            changed = self.changed
        digest = leaf_hash(b"changed") if index in changed else hash_of(index)
        return Entry(index, 1_700_000_000_000 + index, 0, b"der %d" % index, (), digest)

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        await deferLater(self.clock, self.latency)
        if self.proof_faults:
            raise self.proof_faults.pop(0)
        if range_of(head.size).root() != head.root:
            raise MerkleMismatch("no proof")
        return range_of(start).copy()


def build(entry: Entry, source: Any, now: Callable[[], float], *, late: bool = False) -> Any:
    """A message that is only told apart by its index."""
    return SimpleNamespace(
        index=entry.index, source=source, seen=now(), parse_error=entry.error, late=late
    )


class Follower:
    """A poller of a log, with everything around it, on one clock; keeps what was published."""

    def __init__(
        self,
        clock: Clock,
        client: Any,
        *,
        log: Log | None = None,
        positions: Positions | None = None,
        settings: PollSettings | None = None,
        budget: Budget | None = None,
        stats: LogStats | None = None,
        build: Any = build,
        evidence: Evidence | None = None,
    ) -> None:
        self.clock = clock
        self.log = log or Log("Test log", "https://log.example", "rfc6962", operator="Example")
        self.stats = stats or LogStats(
            self.log.name, self.log.url, self.log.kind, self.log.operator, self.log.log_id_base64
        )
        self.positions = positions or Positions(None, clock, lambda f: f())  # type: ignore
        if evidence is not None:
            self.positions.evidence = evidence
        self.budget = budget or Budget()
        self.published: list[Any] = []
        self.refuse: Callable[[Any], None] = lambda message: None
        self.poller = LogPoller(
            self.log,
            client,
            EntryReader(self._publish, clock, timer=clock.seconds, build=build),
            self.positions,
            clock,
            self.stats,
            settings or PollSettings(),
            Random(1),
            self.budget,
        )

    def _publish(self, message: Any) -> None:
        self.refuse(message)
        self.published.append(message)

    @property
    def indexes(self) -> list[int]:
        """Of the entries published, in the order they were."""
        return [message.index for message in self.published]

    def run(self, seconds: float, step: float = 0.1) -> None:
        """Let the time pass."""
        self.clock.pump([step] * round(seconds / step))


@contextmanager
def events(level: str | None = None) -> Iterator[list[str]]:
    """The texts of the events within; only those of one level if it is given."""
    texts: list[str] = []

    def observe(event: LogEvent) -> None:
        namespace = event.get("log_namespace", "")
        if namespace.startswith("certstream_tx") and level in (None, event["log_level"].name):
            texts.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield texts
    finally:
        globalLogPublisher.removeObserver(observe)
