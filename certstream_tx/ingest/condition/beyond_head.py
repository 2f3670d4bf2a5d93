"""Whether a log is to be read on from where it has nothing, as if it were not the one it was."""

from typing import Final

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.condition.lasting import Lasting
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.condition.beyond_head")

BEYOND_SECONDS: Final = 600.0
BEYOND_LOOKS: Final = 3
"""For so long, and at so many looks, all heads of a log must be smaller than the position. Replicas
lag by minutes, but in between others answer."""


class BeyondHead:
    """Looks at every head of one log, and tells once.

    The position is never moved: what lies before it was read, or so it was saved, and only the
    operator can know that this log is another one.
    """

    def __init__(self, stats: LogStats, clock: IReactorTime) -> None:
        self._stats = stats
        self._lasting = Lasting(clock, BEYOND_SECONDS, BEYOND_LOOKS)

    def seen(self, head: SignedHead) -> None:
        """A head came."""
        stats = self._stats
        if head.size >= stats.position:
            self._lasting.over()
            if stats.beyond_head:
                stats.beyond_head = False
                log.info(
                    "{log} has got to entry {position}, and is read on",
                    log=stats.name,
                    position=stats.position,
                )
            return
        if self._lasting.seen() and not stats.beyond_head:
            stats.beyond_head = True
            log.warn(
                "{log}: nothing can be read: it is to be read on from entry {position}, but has"
                " only {size}. If it was begun anew, or that position is wrong: stop the server,"
                " remove the log from the state file, and start it again",
                log=stats.name,
                position=stats.position,
                size=head.size,
            )
