"""Reading entries that are in doubt once more, by another route, to find out whose fault it is.

Where the log's tree comes out the second time, a cache or a front end was wrong: the entries that
differed are handed on once more, as they are. Where it does not, the log contradicts itself. As
long as they cannot be read a second time nothing is known, and nothing is said against the log.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.clients.log_client import LogClient, Served
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import THROTTLED_WAIT, Outcomes
from certstream_tx.ingest.http.errors import FetchError, Lagging, Throttled, Unavailable
from certstream_tx.ingest.pacing.budget import weight
from certstream_tx.ingest.trust.doubts import Doubt

MAX_AGAIN: Final = 262_144
"""Entries that are read a second time, at most: some hundred pages. Where more are in doubt the log
is to prove its tree so far before their end first."""
MAX_CHANGED: Final = 1024
"""The weight of entries that differ from the first time and are handed on again: 5 MB. More of them
are no slip of a cache."""
MAX_SHOWN: Final = 2 * 1024 * 1024
"""Bytes of leaves of which the evidence shows what was served."""
TRIES: Final = 12
"""Refusals and answers that make no sense, in a row, after which the second reading pauses: a
minute of them."""
PATIENCE: Final = 24
"""Failures of any kind in a row after which it does. A log that is down is waited for, and does not
fail again and again meanwhile."""

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """A second reading, as far as it came.

    base: the tree before the entries that are read again; part: of those that were so far
    changed: entries that differ from the first time
    shown: what was served, of those that differ, or of the first ones where none does
    reason: why it came no further
    """

    doubt: Doubt
    base: CompactRange = field(init=False)
    part: CompactRange = field(init=False)
    changed: list[Entry] = field(default_factory=list)
    shown: list[Served] = field(default_factory=list)
    changed_weight: int = 0
    shown_bytes: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        base = self.doubt.base
        self.begin(CompactRange() if base is None else base.copy())

    def begin(self, base: CompactRange) -> None:
        """Read again what comes after this tree."""
        self.base = base
        self.part = CompactRange.beginning_at(base.size)

    @property
    def tree(self) -> CompactRange:
        """The whole tree up to the entries that were read again so far."""
        whole = self.base.copy()
        whole.join(self.part)
        return whole

    @property
    def right(self) -> bool:
        """Whether all were read again, and lead to where they should."""
        return self.part.size == self.doubt.end and self.tree.root() == self.doubt.root

    def take(self, served: list[Served]) -> None:
        """The next entries came again."""
        self.part.extend([each.entry.leaf_hash for each in served])
        for each in served:
            if self.doubt.first_hash(each.entry.index) != each.entry.leaf_hash:
                self._change(each.entry)
                self.show(each)

    def show(self, served: Served) -> None:
        """Keep what was served, if it is not too much."""
        size = len(served.leaf_input)
        if self.shown_bytes + size <= MAX_SHOWN:
            self.shown.append(served)
            self.shown_bytes += size

    def _change(self, entry: Entry) -> None:
        self.changed_weight += weight([entry])
        if self.changed_weight <= MAX_CHANGED:
            self.changed.append(entry)
        elif self.doubt.hashes is None:
            # Nobody knows what they were the first time: most were no others.
            self.changed = []


class SecondReading:
    """Reads again for one log. ``head_at(size)`` gives the head that was verified there."""

    def __init__(
        self,
        client: LogClient,
        heads: HeadWatch,
        outcomes: Outcomes,
        clock: IReactorTime,
        head_at: Callable[[int], SignedHead | None],
    ) -> None:
        self._client = client
        self._heads = heads
        self._outcomes = outcomes
        self._clock = clock
        self._head_at = head_at

    async def read(self, reading: Reading) -> bool:
        """Read on; whether it is known now what is right.

        If so, and it is not as it should be, then the entries were read twice, and were added to a
        tree that is the log's own: by a head that it signed, or by its proof.
        """
        end = reading.doubt.end
        if end - reading.part.size > MAX_AGAIN and not await self._come_nearer(reading):
            return False
        while reading.part.size < end:
            served = await self._patiently(
                reading, lambda head: self._client.entries_again(reading.part.size, end, head)
            )
            if served is None:
                return False
            reading.take(served)
        return reading.right or await self._stands(reading)

    async def _come_nearer(self, reading: Reading) -> bool:
        """Have the log prove its tree so near that the rest can be read."""
        proven = await self._prove(reading, reading.doubt.end - MAX_AGAIN)
        if proven is None:
            return False
        reading.begin(proven)
        return True

    async def _stands(self, reading: Reading) -> bool:
        """Whether the tree to which the entries were added is the log's, or is now.

        It may be what a run before this one read, and never compared.
        """
        base = reading.base
        verified = self._head_at(base.size)
        if base.size == 0 or (verified is not None and verified.root == base.root()):
            return True
        proven = await self._prove(reading, base.size)
        if proven is None:
            return False
        reading.base = proven
        return True

    async def _prove(self, reading: Reading, size: int) -> CompactRange | None:
        return await self._patiently(reading, lambda head: self._client.range_at(size, head))

    async def _patiently(
        self, reading: Reading, ask: Callable[[SignedHead], Awaitable[T]]
    ) -> T | None:
        """What the log answers once it does; None if it answers, but not this."""
        failures = refusals = 0
        while True:
            # Of a log that is unhealthy by now nothing is asked until it is well.
            head = await self._heads.reaching(reading.doubt.end)
            try:
                return await ask(head)
            except CancelledError:
                raise
            except Throttled:
                await deferLater(self._clock, THROTTLED_WAIT)
                continue
            except FetchError as error:
                refusals += not isinstance(error, Unavailable | Lagging)
                reading.reason = error.reason
            except Exception as error:
                self._outcomes.unexpected(Failure())
                refusals += 1
                reading.reason = repr(error)
            failures += 1
            if refusals >= TRIES or failures >= PATIENCE:
                return None
            await deferLater(self._clock, self._outcomes.backoff(failures))


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
