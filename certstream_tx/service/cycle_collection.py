"""When Python looks for garbage that refers to itself.

Left alone, it goes through every object there is whenever a quarter has been added: with thousands
of clients a pause of some tenths of a second every few seconds, in which no message leaves. Nearly
everything here is freed without that, as soon as nobody refers to it; the little that is not can
wait.
"""

import gc
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.events import logger

log = logger("certstream_tx")

SHARE: Final = 0.001
"""of the time may be spent on it: of a thousand messages one is late for it"""
SHORTEST: Final = 10.0
LONGEST: Final = 600.0
"""seconds between two rounds"""
NEVER: Final = 1 << 30


class CycleCollection(Service):
    """Takes over from Python's own timing while it runs: a full round once in a while.

    Young objects are looked at as always, which costs little. What there is at the start (modules,
    functions) is there until the end, and is not looked at again.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._former = gc.get_threshold()

    def startService(self) -> None:
        """Set what is there aside, and plan the first round."""
        super().startService()
        self._former = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*self._former[:2], NEVER)
        self._timer = self._clock.callLater(SHORTEST, self.collect)

    def stopService(self) -> None:
        """Leave it to Python again."""
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        gc.set_threshold(*self._former)
        gc.unfreeze()

    def collect(self) -> None:
        """A full round; the longer it takes, the later the next."""
        begun = self._clock.seconds()
        freed = gc.collect()
        took = max(0.0, self._clock.seconds() - begun)
        log.debug(
            "Looked for cyclic garbage for {ms:.1f} ms: {freed} objects",
            ms=took * 1000,
            freed=freed,
        )
        pause = min(max(took / SHARE, SHORTEST), LONGEST)
        self._timer = self._clock.callLater(pause, self.collect)
