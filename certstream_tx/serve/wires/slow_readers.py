"""Drops clients that are too slow, once a second."""

from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from certstream_tx.events import logger
from certstream_tx.framing import CLOSE_TRY_AGAIN_LATER
from certstream_tx.hub import Hub, Slow
from certstream_tx.hub.lag import LagBounds, LagWatch

log = logger("certstream_tx.clients")

LOOK_SECONDS: Final = 1.0
"""what `LagWatch` takes a tick for"""

REASONS: Final = {
    Slow.LAG: "too slow: too many messages were lost",
    Slow.STALL: "too slow: nothing was read",
}
"""what a client is told"""


class SlowReaders(Service):
    """Tells clients to leave that lost too much or take nothing."""

    def __init__(self, clock: IReactorTime, hub: Hub, bounds: LagBounds) -> None:
        self._hub = hub
        self.use(bounds)
        self._look = LoopingCall(self.look)
        self._look.clock = clock

    def use(self, bounds: LagBounds) -> None:
        """Judge by these from now on; what was lost before is forgotten."""
        self._watch = LagWatch(self._hub, bounds)

    def startService(self) -> None:
        """Look from now on."""
        super().startService()
        self._look.start(LOOK_SECONDS, now=False)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._look.running:
            self._look.stop()

    def look(self) -> None:
        """One second has passed."""
        try:
            for reader, slow in list(self._watch.tick()):
                reader.leave(CLOSE_TRY_AGAIN_LATER, REASONS[slow])
        except Exception:
            log.failure("Dropping slow clients failed.")
