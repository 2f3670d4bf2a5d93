"""How long to wait after failures in a row: exponential, with full jitter."""

from random import Random

MAX_DOUBLINGS = 32
"""Beyond this many the longest delay rules anyway, and powers stay small numbers."""


def backoff_delay(failures: int, initial: float, longest: float, rng: Random) -> float:
    """Seconds to wait after the ``failures``-th failure in a row (1 is the first).

    Uniform between 0 and ``initial * 2 ** (failures - 1)`` capped at ``longest`` seconds: full
    jitter, so that many logs of one operator which fail at once do not come back at once. Never
    less than a tenth of that bound: an immediate second try at a sick log helps nobody.
    """
    if failures < 1:
        return 0.0
    bound = min(longest, initial * 2.0 ** min(failures - 1, MAX_DOUBLINGS))
    return rng.uniform(bound * 0.1, bound)
