"""Whether a log took entries back, or merely lets replicas answer that lag behind it."""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.condition.lasting import Lasting
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.trust.rollback")

ROLLBACK_SECONDS: Final = 3600.0
ROLLBACK_LOOKS: Final = 10
"""For so long, and at so many looks, a log must show nothing but heads that are smaller than one
that was verified, and were signed after it. Front ends lag by minutes, and show older heads, or
sign the small tree they have, but in between others answer."""


class Rollback:
    """Looks at every head of one log; ``rolled_back(verified, head)`` is told once."""

    def __init__(
        self,
        stats: LogStats,
        clock: IReactorTime,
        rolled_back: Callable[[SignedHead, SignedHead], None],
    ) -> None:
        self._stats = stats
        self._rolled_back = rolled_back
        self._lasting = Lasting(clock, ROLLBACK_SECONDS, ROLLBACK_LOOKS)

    def seen(self, head: SignedHead, verified: SignedHead | None) -> None:
        """A head came; ``verified``: the largest to which the entries led."""
        if verified is None or head.size >= verified.size:
            self._lasting.over()
            if self._stats.rolled_back:
                self._stats.rolled_back = False
                log.info("{log} has again what it had taken back", log=self._stats.name)
            return
        if head.timestamp <= verified.timestamp:
            return  # an older head, from a cache or a replica: says nothing
        if self._lasting.seen() and not self._stats.rolled_back:
            self._stats.rolled_back = True
            self._stats.rollbacks += 1
            log.error(
                "{log} has taken entries back: for {minutes} minutes it has signed nothing but"
                " trees of {size} entries and less, though it had signed one of {verified}, which"
                " was read",
                log=self._stats.name,
                minutes=round(self._lasting.seconds / 60),
                size=head.size,
                verified=verified.size,
            )
            self._rolled_back(verified, head)
