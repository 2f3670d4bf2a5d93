"""Between who reads a log and who iterates its entries: a few entries, and never more."""

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.ct.entry import Entry
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.message.documents import Source
from certstream_tx.stats import LogStats


class EntryQueue:
    """An ``EntryTaker`` that takes entries as fast as they are asked for.

    Each side waits in turns of the reactor's own, so that a backlog keeps nothing else from it for
    longer than ``limit`` entries take.
    """

    def __init__(self, clock: IReactorTime, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._room = Wakeup(clock)
        self._arrival = Wakeup(clock)
        self._turn: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._entries)

    async def read(
        self,
        entries: Sequence[Entry],
        source: Source,
        stats: LogStats,
        accepted: Callable[[Sequence[Entry]], None],
        *,
        late: bool = False,
    ) -> None:
        """See ``EntryTaker``."""
        taken = 0
        while taken < len(entries):
            while (room := self._limit - len(self._entries)) <= 0:
                await self._room.wait()
            some = entries[taken : taken + room]
            taken += len(some)
            self._entries.extend(some)
            stats.entries += len(some)
            if late:
                stats.late_entries += len(some)
            elif timestamp := some[-1].timestamp:  # 0: too broken to tell
                stats.last_entry_timestamp = timestamp / 1000
            accepted(some)
            self._wake()

    async def next(self) -> Entry:
        """The next entry, waited for."""
        while not self._entries:
            await self._arrival.wait()
        entry = self._entries.popleft()
        if not self._entries:
            self._wake()
        return entry

    def close(self) -> None:
        """Wake nobody any more."""
        if self._turn is not None and self._turn.active():
            self._turn.cancel()

    def _wake(self) -> None:
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._look)

    def _look(self) -> None:
        self._turn = None
        # Last who iterates: it may end everything, and who reads must not be on its way then.
        self._room.fire()
        self._arrival.fire()
