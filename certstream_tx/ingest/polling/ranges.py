"""Ranges of a log that are to be read, and how long one is tried that others need not wait for.

A log that is ill is waited for, however long that takes. A range is given up only when the log
gives others meanwhile, so that what keeps them waiting is this range alone: a page that stays
garbage, a tile that was lost. It then becomes a gap, which is tried on beside the reading.
"""

from bisect import insort
from dataclasses import dataclass, field
from typing import Final

from certstream_tx.ct.entry import Entry
from certstream_tx.ingest.http.errors import BadBody
from certstream_tx.ingest.state.gaps import Unreadable

GIVE_UP_SECONDS: Final = 3.0
GIVE_UP_TRIES: Final = 5
GIVE_UP_ALONE: Final = 2
"""The effort before a range is given up: for so long and so often, and the last ones in a row while
the log gave others. Entries that come late, within seconds mostly, cost their order alone; the ones
behind them, if they are held back, all of their worth."""

NARROW_AFTER: Final = 6
NARROW_ON_AFTER: Final = 2
NARROW_SECONDS: Final = 20.0
"""Failures, while the log gave others, after which a range of several entries is halved, and after
which a half is; and how long that goes on: a page of which nothing can be read is given up as it
is. Fewer would cost logs that are merely shaky more requests."""

HOLEY_SECONDS: Final = 600.0
"""For so long after a half was given up other ranges are halved as soon as halves are: of a log
that has lost many single entries nearly every page fails."""

NEIGHBOUR_SECONDS: Final = 5.0
"""For so long an answer to one request shows that a log can be read: the longest of the waits
between two tries (``retry_max_delay_ms``)."""

SUSPECT_AFTER: Final = 5
"""Failures in a row after which something else is asked, to tell the range from its log."""


@dataclass(slots=True, order=True)
class Range:
    """Indexes ``start`` to ``end`` (exclusive) that were asked for, or are to be."""

    start: int
    end: int = field(compare=False)
    attempts: int = field(default=0, compare=False)
    """failures in a row"""
    not_before: float = field(default=0.0, compare=False)
    sent_at: float = field(default=0.0, compare=False)
    reason: str = field(default="", compare=False)
    """of the last failure"""
    tries: int = field(default=0, compare=False)
    """failures, also of the range that this one was cut from"""
    since: float | None = field(default=None, compare=False)
    """when it, or the range that it was cut from, failed first"""
    alone: int = field(default=0, compare=False)
    """failures in a row while the log gave others"""
    alone_since: float | None = field(default=None, compare=False)
    narrowed: bool = field(default=False, compare=False)
    """whether it was cut because it failed: then it must not grow again"""
    cost: int = field(default=0, compare=False)
    """what it takes of the budget while it is in flight"""

    def check(self, entries: list[Entry]) -> list[Entry]:
        """What a client gave must be what it was asked for; anything else would lose entries."""
        count = len(entries)
        if not 0 < count <= self.end - self.start:
            raise BadBody(f"{count} entries came for {self.start} to {self.end - 1}")
        if entries[0].index != self.start or entries[-1].index != self.start + count - 1:
            raise BadBody(f"other entries came than those from {self.start} on")
        return entries

    def failed(self, reason: str, now: float, answered_at: float | None) -> None:
        """It could not be read; ``answered_at``: when the log gave another range last."""
        self.reason = reason
        self.attempts += 1
        self.tries += 1
        if self.since is None:
            self.since = now
        if answered_at is not None and answered_at >= self.sent_at - NEIGHBOUR_SECONDS:
            self.alone += 1
            if self.alone_since is None:
                self.alone_since = now
        else:
            self.alone, self.alone_since = 0, None

    def to_be_halved(self, now: float, *, holey: bool = False) -> bool:
        """Whether its halves are to be tried instead; only where parts can be had alone.

        ``holey``: whether the log has lost single entries.
        """
        return (
            self.end - self.start > 1
            and self.alone >= (NARROW_ON_AFTER if self.narrowed or holey else NARROW_AFTER)
            and self.alone_since is not None
            and now - self.alone_since < NARROW_SECONDS
        )

    def halves(self) -> "tuple[Range, Range]":
        """Two ranges in its place, to be tried at once."""
        middle = (self.start + self.end) // 2
        return self._part(self.start, middle), self._part(middle, self.end)

    def _part(self, start: int, end: int) -> "Range":
        return Range(
            start,
            end,
            reason=self.reason,
            tries=self.tries,
            since=self.since,
            alone_since=self.alone_since,
            narrowed=True,
        )

    @property
    def fails_on(self) -> bool:
        """Whether it was tried so often that it goes with a range before it that is given up."""
        return self.alone >= NARROW_ON_AFTER or self.attempts >= GIVE_UP_TRIES

    def to_be_given_up(self, now: float, *, divisible: bool) -> bool:
        """Whether the effort was made; ``divisible``: parts of it can be had alone."""
        if self.alone_since is None or self.since is None:
            return False
        alone_for = now - self.alone_since
        if self.tries < GIVE_UP_TRIES or self.alone < GIVE_UP_ALONE:
            return False
        if divisible and self.end - self.start > 1:
            return alone_for >= NARROW_SECONDS
        return now - self.since >= GIVE_UP_SECONDS


class MissingRanges:
    """The ranges whose requests failed, or gave less than was asked for, in order."""

    def __init__(self) -> None:
        self._ranges: list[Range] = []
        self._holey_until = 0.0

    def holey(self, now: float) -> bool:
        """Whether a part of a range, and not all of it, was given up a while ago."""
        return now < self._holey_until

    def __len__(self) -> int:
        return len(self._ranges)

    @property
    def first(self) -> Range | None:
        """The one with the lowest indexes."""
        return self._ranges[0] if self._ranges else None

    def add(self, missing: Range) -> None:
        """One more."""
        insort(self._ranges, missing)

    def try_now(self) -> None:
        """The time of all of them has come."""
        for missing in self._ranges:
            missing.not_before = 0.0

    def take_due(self, now: float) -> Range | None:
        """Take out the first one whose time has come."""
        for missing in self._ranges:
            if missing.not_before <= now:
                self._ranges.remove(missing)
                return missing
        return None

    def take_other(self, now: float, *, suspect: bool, start: int = 0) -> Range | None:
        """Take out one behind the first whose time has come, that which was tried the longest ago;
        ``suspect``: be it one that failed as often as makes a range suspicious; ``start``: one that
        begins there or later."""
        others = [
            each
            for each in self._ranges[1:]
            if each.start >= start
            and each.not_before <= now
            and (suspect or each.attempts < SUSPECT_AFTER)
        ]
        if not others:
            return None
        other = min(others, key=lambda each: each.sent_at)
        self._ranges.remove(other)
        return other

    def next_due(self) -> float | None:
        """When one is due, at the earliest."""
        return min((missing.not_before for missing in self._ranges), default=None)

    def give_up(
        self, position: int, now: float, *, divisible: bool, tile_end: int = 0
    ) -> Unreadable | None:
        """Take out the first, if it begins at ``position`` and the effort was made, with those
        after it, without a hole, that fail like it, or lie in the same tile up to ``tile_end``."""
        first = self.first
        if first is None or first.start != position or first.since is None:
            return None
        if not first.to_be_given_up(now, divisible=divisible):
            return None
        if first.narrowed:
            self._holey_until = now + HOLEY_SECONDS
        end, tries, count = first.end, first.tries, 1
        for other in self._ranges[1:]:
            if other.start != end or not (other.fails_on or other.end <= tile_end):
                break
            end, tries, count = other.end, max(tries, other.tries), count + 1
        del self._ranges[:count]
        return Unreadable(first.start, end, first.reason, tries, first.since)
