"""The clock of the machine may be set while the server runs, or the machine may sleep.

The reactor measures what it waits for by the time of day: set back by an hour, everything would
wait for that hour to come again; set forward, everything would be due at once, and every request
under way an hour late. So all that waits is moved by as much as the clock was.
"""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.base import ReactorBase

from certstream_tx.events import logger

log = logger("certstream_tx")

LEAST: Final = 1.0
"""Seconds. Less is how a clock is kept right, and does no harm."""


class ClockJumps(Service):
    """Watches the time as the reactor asks for it; ``jumped`` are called after it was set.

    Only of a real reactor, whose time is that of the machine.
    """

    def __init__(
        self,
        reactor: Any,
        jumped: Sequence[Callable[[], object]] = (),
        *,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self._reactor = reactor
        self._jumped = jumped
        self._steady = steady
        self._time_of_day: Callable[[], float] = reactor.seconds
        self._ahead = 0.0

    def startService(self) -> None:
        """Begin to watch."""
        Service.startService(self)
        if isinstance(self._reactor, ReactorBase):
            self._ahead = self._time_of_day() - self._steady()
            self._reactor.seconds = self._seconds

    def stopService(self) -> None:
        """Leave the reactor as it was."""
        Service.stopService(self)
        if self._reactor.seconds == self._seconds:
            self._reactor.seconds = self._time_of_day

    def _seconds(self) -> float:
        now = self._time_of_day()
        ahead = now - self._steady()
        jump, self._ahead = ahead - self._ahead, ahead
        if abs(jump) >= LEAST:
            self._move(jump)
        return now

    def _move(self, jump: float) -> None:
        for call in self._reactor.getDelayedCalls():
            call.delay(jump)
        # The reactor may be about to sleep for as long as it thought a moment ago.
        self._reactor.callFromThread(self._tell, jump)

    def _tell(self, jump: float) -> None:
        log.warn(
            "The clock was set {direction} by {seconds} s: what waits goes on waiting as before",
            direction="forward" if jump > 0 else "back",
            seconds=round(abs(jump)),
        )
        for each in self._jumped:
            each()
