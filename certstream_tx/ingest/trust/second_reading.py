"""Reading entries that are in doubt once more, by another route, to find out whose fault it is.

Where the log's tree comes out the second time, a cache or a front end was wrong: the entries that
differed are handed on once more, as they are. Where it does not, the log contradicts itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ingest.clients.log_client import LogClient, Served
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import THROTTLED_WAIT, Outcomes
from certstream_tx.ingest.http.errors import FetchError, Throttled
from certstream_tx.ingest.pacing.budget import weight
from certstream_tx.ingest.trust.doubts import Doubt
from certstream_tx.ingest.trust.kept_hashes import MAX_KEPT

MAX_AGAIN: Final = MAX_KEPT
"""Entries that are read a second time, at most: where more are in doubt nobody knows what they were
the first time."""
MAX_CHANGED: Final = 1024
"""The weight of entries that differ from the first time and are handed on again: 5 MB. More of them
are no slip of a cache."""
MAX_SHOWN: Final = 2 * 1024 * 1024
"""Bytes of leaves of which the evidence shows what was served."""
TRIES: Final = 12
"""Failures in a row after which the second reading ends without a result: a minute."""


@dataclass(slots=True)
class Reading:
    """What came of a second reading.

    tree: the tree over all entries; None when they could not be had, or are too many
    changed: entries that differ from the first time
    shown: what was served, of those that differ, or of the first ones where none does
    """

    tree: CompactRange | None = None
    changed: list[Entry] = field(default_factory=list)
    shown: list[Served] = field(default_factory=list)
    changed_weight: int = 0
    shown_bytes: int = 0

    def show(self, served: Served) -> None:
        """Keep what was served, if it is not too much."""
        size = len(served.leaf_input)
        if self.shown_bytes + size <= MAX_SHOWN:
            self.shown.append(served)
            self.shown_bytes += size

    def change(self, entry: Entry) -> None:
        """Keep an entry that was another one the first time, if it is not too much."""
        self.changed_weight += weight([entry])
        if self.changed_weight <= MAX_CHANGED:
            self.changed.append(entry)


class SecondReading:
    """Reads again for one log."""

    def __init__(
        self, client: LogClient, heads: HeadWatch, outcomes: Outcomes, clock: IReactorTime
    ) -> None:
        self._client = client
        self._heads = heads
        self._outcomes = outcomes
        self._clock = clock

    async def read(self, doubt: Doubt) -> Reading:
        """Read the entries in doubt."""
        reading = Reading()
        start, end = doubt.start, doubt.end
        if end - start > MAX_AGAIN:
            return reading
        head = await self._heads.reaching(end)
        tree = CompactRange() if doubt.base is None else doubt.base.copy()
        failures = 0
        while start < end:
            try:
                served = await self._client.entries_again(start, end, head)
            except CancelledError:
                raise
            except Throttled:
                await deferLater(self._clock, THROTTLED_WAIT)
                continue
            except Exception as error:
                if not isinstance(error, FetchError):
                    self._outcomes.unexpected(Failure())
                failures += 1
                if failures >= TRIES:
                    return reading
                await deferLater(self._clock, self._outcomes.backoff(failures))
                continue
            failures = 0
            start += len(served)
            tree.extend([each.entry.leaf_hash for each in served])
            _note(served, doubt, reading)
        reading.tree = tree
        return reading


def _note(served: list[Served], doubt: Doubt, reading: Reading) -> None:
    for each in served:
        first = doubt.first_hash(each.entry.index)
        if first != each.entry.leaf_hash:
            reading.change(each.entry)
            reading.show(each)


async def wrong_entries(
    base: CompactRange,
    hashes: list[bytes],
    prove: Callable[[int], Awaitable[CompactRange]],
    limit: int,
) -> list[int]:
    """Which of the entries behind ``base`` are not in the log's tree as these hashes.

    ``prove(size)`` gives the log's own tree before an index. Looks for ``limit`` of them at most,
    each in as many proofs as their count has binary digits. Raises what ``prove`` raises.
    """
    found: list[int] = []
    right, end = base, base.size + len(hashes)
    while len(found) < limit and right.size < end:
        last = right.size
        if _grown(right, hashes, base.size, end) == await prove(end):
            break
        wrong = end
        while wrong - last > 1:
            middle = (last + wrong) // 2
            proven = await prove(middle)
            if _grown(right, hashes, base.size, middle) == proven:
                last = middle
            else:
                wrong = middle
        found.append(last)
        right = await prove(wrong)
    return found


def _grown(right: CompactRange, hashes: list[bytes], first: int, end: int) -> CompactRange:
    tree = right.copy()
    tree.extend(hashes[right.size - first : end - first])
    return tree
