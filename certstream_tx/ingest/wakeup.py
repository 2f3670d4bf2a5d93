"""Waiting for something to happen, with a limit in time."""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Wakeup:
    """Ends the wait of all who wait for it at the time it fires; it is not remembered."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: list[Deferred[bool]] = []

    def fire(self) -> None:
        """Wake everybody who waits now."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(True)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it fires (True), or until so many seconds have passed (False)."""
        waiter: Deferred[bool] = Deferred(self._forget)
        self._waiting.append(waiter)
        if seconds is None:
            return await waiter
        timer = self._clock.callLater(seconds, self._give_up, waiter)
        try:
            return await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _give_up(self, waiter: "Deferred[bool]") -> None:
        self._waiting.remove(waiter)
        waiter.callback(False)

    def _forget(self, waiter: "Deferred[bool]") -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
