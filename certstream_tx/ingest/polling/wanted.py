"""Which range of a log is asked for next: what is missing first, then what is new."""

from collections.abc import Collection
from typing import Final

from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.polling.neighbours import Ahead, Neighbours
from certstream_tx.ingest.polling.ranges import SUSPECT_AFTER, MissingRanges, Range
from certstream_tx.ingest.state.gaps import Unreadable

BATCHES_BEHIND: Final = 2
"""How many more batches than requests in flight may wait for a missing one before them."""
ASK_AGAIN: Final = 1.0
"""Seconds. A client that finds nothing worth asking for (a partial tile) is asked again so soon."""


class Wanted:
    """The ranges of one log that are not there yet: missing ones, and all from the frontier on.

    ``position`` is everywhere the index that is needed first, ``waiting`` the number of batches
    that are in flight or ready to be read, ``now`` the time in seconds.
    """

    def __init__(self, client: LogClient, position: int) -> None:
        self._client = client
        self._frontier = position
        self._missing = MissingRanges()
        self._neighbours = Neighbours(client)
        self.limit = 0
        """how far there is something to be asked for"""

    @property
    def behind(self) -> bool:
        """Whether there is something worth asking for that is not asked for yet.

        Nothing is while the first of all that is missing fails again and again: whether that is
        the log, or this range alone, a newer head may show.
        """
        first = self._missing.first
        if first is not None:
            return first.attempts < SUSPECT_AFTER
        return (
            self._frontier < self.limit
            and self._client.span(self._frontier, self.limit) is not None
        )

    def next(self, now: float, position: int, waiting: int) -> Range | None:
        """The next range to be asked for; None when there is none now."""
        return self._next_missing(now, position, waiting) or self._next_new(waiting)

    def try_now(self) -> None:
        """What is missing may be asked for now, whenever it would be due."""
        self._missing.try_now()

    def put_back(self, unasked: Range) -> None:
        """Return a range that could not be asked for."""
        if unasked.end == self._frontier and not unasked.tries:
            self._frontier = unasked.start
        else:
            self._missing.add(unasked)

    def wait(self, now: float, position: int, waiting: int, in_flight: int) -> float | None:
        """Seconds after which there may be something to be asked for; None: something else will
        tell. For what is crowded, that is when the next batch was read."""
        due = self._missing.next_due()
        if due is not None:
            return None if self._is_crowded(position, waiting) else max(0.0, due - now)
        return ASK_AGAIN if not in_flight and self._frontier < self.limit else None

    def wait_for_first(self, now: float, position: int) -> float | None:
        """Seconds until the range that all others wait for is due, if that is why they wait."""
        first = self._missing.first
        if first is None or first.start != position or first.not_before <= now:
            return None
        return first.not_before - now

    def wants_neighbour(self, now: float, position: int, *, beyond: bool) -> bool:
        """Whether something else is to be asked for, to tell the first range from its log;
        ``beyond``: whether something is there already that waits for that range."""
        return self._neighbours.due(self._missing.first, position, now, self.limit, beyond=beyond)

    def neighbour(self, now: float, known: Ahead | None) -> tuple[Range | None, bool]:
        """What that is, and whether it is one of the ranges that are wanted anyway.

        ``known``: something that could be read a while ago.
        """
        if known is not None:
            return self._neighbours.known(*known), False
        first = self._missing.first
        elsewhere = 0 if first is None else self._tile_end(first.start)
        other = self._missing.take_other(now, suspect=False, start=elsewhere)
        if other is not None:
            return other, True
        further = self._neighbours.further(first, self._frontier, self.limit)
        if further is not None:
            return further, False
        return self._missing.take_other(now, suspect=True, start=elsewhere), True

    def answered(self, now: float) -> None:
        """The log gave entries."""
        self._neighbours.answered(now)

    def came_short(self, asked: Range, count: int) -> None:
        """Only so many entries came of a range."""
        if count < asked.end - asked.start:
            self._missing.add(Range(asked.start + count, asked.end))

    def keeps_ahead(self, start: int, count: int) -> bool:
        """Whether entries of a neighbour lie beyond the frontier, and nobody asked for them since;
        then they are waited for there."""
        if self._frontier > start or self._neighbours.ahead is not None:
            return False
        self._neighbours.ahead = Ahead(start, start + count)
        return True

    def throttled(self, asked: Range) -> None:
        """A range was not given for the sake of pace, which is no failure."""
        self._missing.add(asked)

    def failed(self, asked: Range, reason: str, now: float) -> None:
        """A range could not be read: it is missing, or its halves are."""
        asked.failed(reason, now, self._neighbours.answered_at)
        if self._client.divisible and asked.to_be_halved(now, holey=self._missing.holey(now)):
            for half in asked.halves():
                self._missing.add(half)
        else:
            self._missing.add(asked)

    def give_up(self, now: float, position: int, ready: Collection[int]) -> Unreadable | None:
        """Take out what alone keeps those waiting that are ``ready`` (their first indexes), once
        the effort was made."""
        beyond = [start for start in ready if start > position]
        if not beyond:
            return None
        given_up = self._missing.give_up(
            position, now, divisible=self._client.divisible, tile_end=self._tile_end(position)
        )
        if given_up is not None and given_up.end == self._frontier and self._frontier not in ready:
            # Nothing that was asked for in order can be read: go on at what is known to be.
            self._frontier = min(beyond)
            return given_up._replace(end=self._frontier)
        return given_up

    def _tile_end(self, position: int) -> int:
        """Up to where all can only be had with the entry at ``position``; 0 where each can be had
        alone."""
        if self._client.divisible:
            return 0
        return self._client.span(position, self.limit) or self.limit

    def _is_crowded(self, position: int, waiting: int) -> bool:
        """Whether enough waits to be read, and nothing that is missing keeps it waiting."""
        first = self._missing.first
        return waiting >= self._client.depth + BATCHES_BEHIND and (
            first is None or first.start != position
        )

    def _next_missing(self, now: float, position: int, waiting: int) -> Range | None:
        """The first missing range whose time has come, cut as the client likes it best now.

        None while enough waits to be read, unless this is what it waits for: where every answer
        is short, the rest of each would be asked for at once, and read much later.
        """
        if self._is_crowded(position, waiting):
            return None
        due = self._missing.take_due(now)
        if due is None:
            return None
        # The last range may grow with the head; others end where their neighbours begin.
        last = due.end == self._frontier and not due.narrowed
        end = self._client.span(due.start, max(self.limit, due.end)) or due.end
        end = self._neighbours.end_before(end) if last else min(end, due.end)
        if end < due.end:
            self._missing.add(Range(end, due.end))
        self._frontier = max(self._frontier, end)
        due.end = end
        return due

    def _next_new(self, waiting: int) -> Range | None:
        """The next range that was never asked for, unless enough waits to be read already."""
        self._frontier = self._neighbours.frontier(self._frontier)
        outstanding = waiting + len(self._missing)
        if self._frontier >= self.limit or outstanding >= self._client.depth + BATCHES_BEHIND:
            return None
        end = self._client.span(self._frontier, self.limit)
        if end is None:
            return None
        start, self._frontier = self._frontier, self._neighbours.end_before(end)
        return Range(start, self._frontier)
