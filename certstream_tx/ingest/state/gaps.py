"""What is missing of one log: ranges that could not be read, or were left out for now.

Nothing else lets a position move than an entry that was handed on, or a gap that stands here; both
go into the state file in the same write. Behind a gap the log's tree is grown from there on, as a
part; when the gap is filled the parts are joined, and the entries that came late are proven with
all others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.events import logger
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.state.gaps")

MAX_GAPS: Final = 1024
"""Of one log; each takes 1 to 3 KB in the state file, and all of them 5 ms a second to be written.
When there are more, the two that are closest become one, and none is filled but from its beginning:
that would make two of it again, and what lies between them would come again and again."""


CANNOT_BE_READ: Final = (
    "{log}: entries {start} to {last} cannot be read ({reason}); reading goes on after them, and"
    " they are tried on"
)
LEFT_OUT: Final = (
    "{log}: entries {start} to {last} are left out for now ({reason}); they are read late, when"
    " there is time"
)


class Unreadable(NamedTuple):
    """Entries ``start`` to ``end`` (exclusive) that were given up for now.

    since: when they failed first, seconds since the epoch; tries: how often they did
    """

    start: int
    end: int
    reason: str
    tries: int
    since: float


@dataclass(slots=True)
class Gap:
    """Entries ``start`` to ``end`` (exclusive) of a log, which are still to be read.

    since: when they failed first, seconds since the epoch; reason: why, in the operator's words
    tries: how often they were tried
    before: the tree before ``start``, from where it is known on: from the first entry, or from the
        end of the gap before this one
    after: the whole tree before ``end``, if the log proved it: to this the entries must lead
    base: the last tree before ``start`` that the log confirmed, if there is one
    due: when it is tried again, seconds since the epoch; at: from which entry on; rounds: how often
        in a row that was in vain
    """

    start: int
    end: int
    since: float
    reason: str
    tries: int
    before: CompactRange
    after: CompactRange | None = None
    base: CompactRange | None = None
    due: float = 0.0
    at: int = 0
    rounds: int = 0

    @property
    def open(self) -> bool:
        """Whether there are entries missing; a closed one waits to be compared."""
        return self.start < self.end


class Gaps:
    """The gaps of one log, in order.

    ``joined(before, base)`` is called with what then lies before the entries read last, without a
    hole, and the last part of it that the log confirmed;
    ``differs(gap)`` when the entries that filled a gap are not those that the log proved.
    """

    def __init__(
        self,
        stats: LogStats,
        clock: IReactorTime,
        joined: Callable[[CompactRange, CompactRange | None], object],
        differs: Callable[[Gap], None],
    ) -> None:
        self._stats = stats
        self._joined = joined
        self._differs = differs
        self._gaps: list[Gap] = []
        self.opened = Wakeup(clock)
        """fires when there is one more"""

    def __iter__(self) -> Iterator[Gap]:
        return iter(self._gaps)

    @property
    def open(self) -> list[Gap]:
        """Those in which entries are missing."""
        return [gap for gap in self._gaps if gap.open]

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be: none is to be made into two."""
        return len(self.open) >= MAX_GAPS

    @property
    def complete_before(self) -> int | None:
        """The index before which nothing is missing or unproven; None: there is no gap at all."""
        return self._gaps[0].start if self._gaps else None

    @property
    def unproven_start(self) -> int | None:
        """Where the tree before the first gap begins, if what lies before that is not known."""
        return (self._gaps[0].before.start or None) if self._gaps else None

    def load(self, gaps: Sequence[Gap]) -> None:
        """Take over those of the last run."""
        self._gaps = list(gaps)
        self._count()
        self.opened.fire()

    def add(self, gap: Gap) -> None:
        """Entries are missing, right before those that will be read next."""
        last = self._gaps[-1] if self._gaps else None
        if last is not None and last.end == gap.start and gap.before.start == gap.start:
            last.end, last.after, last.reason, last.due = gap.end, None, gap.reason, gap.due
        else:
            self._gaps.append(gap)
        log.warn(
            CANNOT_BE_READ if gap.tries else LEFT_OUT,
            log=self._stats.name,
            start=gap.start,
            last=gap.end - 1,
            reason=gap.reason,
        )
        if len(self.open) > MAX_GAPS:
            self._unite_closest()
        self._count()
        self.opened.fire()

    def try_now(self) -> int:
        """Have all of them tried again now, from their beginnings; how many entries that is."""
        for gap in self.open:
            gap.due, gap.at, gap.rounds = 0.0, 0, 0
        self.opened.fire()
        return sum(gap.end - gap.start for gap in self.open)

    def filled(self, start: int, hashes: Sequence[bytes]) -> None:
        """Entries from ``start`` on were handed on, late; they must all lie in one open gap."""
        end = start + len(hashes)
        place = next(i for i, gap in enumerate(self._gaps) if gap.start <= start < gap.end)
        gap = self._gaps[place]
        if end > gap.end:
            raise ValueError(f"entries {start} to {end - 1} are not missing")
        if start > gap.start:
            rest = CompactRange.beginning_at(start)
            behind = replace(gap, start=start, before=rest)
            gap.end, gap.after = start, None
            self._gaps.insert(place + 1, behind)
            gap = behind
        gap.before.extend(hashes)
        gap.start = end
        if not gap.open:
            self._join()
        self._count()

    def proven(self, before: CompactRange) -> None:
        """The log proved its whole tree before an index, at which a gap may end, or from which on
        what lies before one is known."""
        for gap in self._gaps:
            if gap.end == before.size:
                gap.after = before.copy()
            if gap.before.start == before.size:
                whole = before.copy()
                whole.join(gap.before)
                gap.before = whole
        self._join()
        self._count()

    def _join(self) -> None:
        """Join what lies before and behind each gap that is closed, as far as that is known."""
        place = 0
        while place < len(self._gaps):
            gap = self._gaps[place]
            following = self._gaps[place + 1] if place + 1 < len(self._gaps) else None
            if gap.open:
                place += 1
            elif gap.after is not None:
                if gap.before.start:  # its own beginning is missing yet
                    place += 1
                    continue
                del self._gaps[place]
                if gap.before != gap.after:
                    self._differs(gap)
            elif following is None:
                del self._gaps[place]
                self._joined(gap.before, gap.base)
            else:
                del self._gaps[place]
                if following.before.start == gap.end:
                    gap.before.join(following.before)
                    following.before = gap.before

    def _unite_closest(self) -> None:
        places = [i for i, gap in enumerate(self._gaps[:-1]) if gap.open and self._gaps[i + 1].open]
        place = min(places, key=lambda i: self._gaps[i + 1].start - self._gaps[i].end)
        first, second = self._gaps[place], self._gaps.pop(place + 1)
        first.end, first.after = second.end, second.after

    def _count(self) -> None:
        gaps = self.open
        if self._stats.gaps_open and not gaps:
            log.info("{log}: every gap is filled", log=self._stats.name)
        self._stats.gaps_open = len(gaps)
        self._stats.gap_entries = sum(gap.end - gap.start for gap in gaps)
