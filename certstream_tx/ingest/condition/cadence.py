"""When to look at a log's head again: often while it moves, ever more rarely while it stands."""

from random import Random

LONGEST = 15.0
"""Seconds. Idle logs are most of all logs, and their heads most of what they are asked for."""
DRAINED_INTERVAL = 3600.0
"""Seconds. A read-only log whose last entry was read has nothing to say; it must not grow."""
STRETCH = 1.5
"""Per look at an unmoved head: from one second to the longest interval in 50 seconds."""
JITTER = 0.2
"""Share of an interval by which it varies, so that logs started together drift apart."""


class HeadCadence:
    """The intervals between looks at one log's head; ``shortest`` is the configured one."""

    def __init__(self, shortest: float, rng: Random) -> None:
        self._shortest = shortest
        self._longest = max(shortest, LONGEST)
        self._interval = shortest
        self._rng = rng

    def moved(self) -> None:
        """The head has grown: look often again."""
        self._interval = self._shortest

    def stood(self) -> None:
        """The head is where it was: take more time."""
        self._interval = min(self._interval * STRETCH, self._longest)

    def interval(self) -> float:
        """Seconds until the next look."""
        return self._jittered(self._interval)

    def shortest_interval(self) -> float:
        """Seconds until the next look, whether or not the head moves."""
        return self._jittered(self._shortest)

    def drained_interval(self) -> float:
        """Seconds until the next look at a log that has ended."""
        return self._jittered(DRAINED_INTERVAL)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rng.uniform(1 - JITTER, 1 + JITTER)
