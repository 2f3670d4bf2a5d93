"""How many requests to one log are worth having in flight, learned from what comes of them."""

from typing import Final

DEEPEST: Final = 16
"""Requests. Logs that take a second for 32 entries, or seconds for a tile, keep up at this."""


class Depth:
    """Starts as configured, halves on a failure, grows by one a round while waiting costs speed."""

    def __init__(self, start: int) -> None:
        self._start = max(1, start)
        self._deepest = max(self._start, DEEPEST)
        self._good = 0
        self._since_failure = self._start
        self.value = self._start

    def answered(self, latency: float, interval: float) -> None:
        """An answer came ``latency`` seconds after its request; turns are ``interval`` apart.

        More in flight than fit between a request and its answer would only wait for their turn.
        """
        self._since_failure += 1
        if self.value < self._start or latency > self.value * interval:
            self._good += 1
            if self._good >= self.value:
                self._good = 0
                self.value = min(self.value + 1, self._deepest)

    def failed(self) -> None:
        """A request gave nothing, or came too late.

        The requests that were in flight beside it fail for the same reason: a round counts once.
        """
        self._good = 0
        self._since_failure += 1
        if self._since_failure > self.value:
            self._since_failure = 0
            self.value = max(1, self.value // 2)
