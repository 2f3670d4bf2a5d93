"""A log that left the lists, or was retired: what it signed until then is still read."""

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from certstream_tx.events import logger
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.lists.leaving")

LOOK: Final = 5.0
"""Seconds between two looks at how far it was read."""

LAST_HEAD: Final = 120.0
"""Seconds within which a log that answers shows a last head: the longest time between two looks at
one that stands still, twice. What it signs after that head is not read."""

PATIENCE: Final = 900.0
"""Seconds without a single new entry after which the rest is given up: it does not answer."""


async def read_out(stats: LogStats, clock: IReactorTime) -> None:
    """Wait until a log that is being followed was read to the last head it showed, or until nothing
    comes from it any more; its state is looked at in ``stats``."""
    left_at = moved_at = clock.seconds()
    position = stats.position
    end: int | None = None
    log.info("{log} left the log list: what it signed is still read", log=stats.name)
    while True:
        await deferLater(clock, LOOK)
        now = clock.seconds()
        if end is None and ((stats.last_head_at or 0.0) > left_at or now - left_at >= LAST_HEAD):
            end = stats.head_size
        if end is not None and stats.position >= end:
            log.info("{log} was read to its end at {end}", log=stats.name, end=end)
            return
        if stats.position > position:
            position, moved_at = stats.position, now
        if stats.stopped or now - moved_at >= PATIENCE:
            log.warn(
                "{log} left the log list and gives nothing any more: {count} entries up to {size}"
                " were not read",
                log=stats.name,
                count=stats.lag,
                size=stats.head_size,
            )
            return
