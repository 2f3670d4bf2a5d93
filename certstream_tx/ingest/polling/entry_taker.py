"""Who takes the entries that a poller has read."""

from collections.abc import Callable, Sequence
from typing import Protocol

from certstream_tx.ct.entry import Entry
from certstream_tx.message.documents import Source
from certstream_tx.stats import LogStats


class EntryTaker(Protocol):
    """Takes entries at its own speed: a poller reads no further than a few batches meanwhile."""

    async def read(
        self,
        entries: Sequence[Entry],
        source: Source,
        stats: LogStats,
        accepted: Callable[[Sequence[Entry]], None],
        *,
        late: bool = False,
    ) -> None:
        """Take them, in order, and count them; ends when all are taken.

        ``accepted`` is called with some of them at a time, as soon as they are taken; ``late``:
        they come after their neighbours, out of a gap.
        """
        ...
