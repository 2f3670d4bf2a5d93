"""Whether something about a log lasts: for so long, and at so many looks in a row."""

from twisted.internet.interfaces import IReactorTime


class Lasting:
    """Counts looks at one thing; a replica that lags does not make it last, others answer too."""

    def __init__(self, clock: IReactorTime, seconds: float, looks: int) -> None:
        self._clock = clock
        self._least = seconds
        self._looks_wanted = looks
        self.over()

    def over(self) -> None:
        """It is not so any more."""
        self._since: float | None = None
        self._looks = 0
        self.seconds = 0.0
        """for how long it has been so, at the last look"""

    def seen(self) -> bool:
        """It was so at one more look; whether that is often and long enough."""
        now = self._clock.seconds()
        if self._since is None:
            self._since = now
        self._looks += 1
        self.seconds = now - self._since
        return self._looks >= self._looks_wanted and self.seconds >= self._least
