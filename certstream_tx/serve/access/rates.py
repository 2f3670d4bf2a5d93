"""How fast each client asks, in a table whose size does not depend on how many there are. Pure."""

from array import array
from hashlib import blake2b
from secrets import token_bytes

CELLS = 1 << 16
"""in each row: a client shares both of its cells with others only when thousands ask at the same
moment (with a thousand, one in 4,000 does); all rows together take 1 MB"""

_HASH_BYTES = 8
_SLACK = 1e-3
"""of the time between two requests: what rounding may add up to"""


class Rates:
    """Token buckets of all clients: ``burst`` requests at once, then ``per_second``.

    A bucket is one number, the time at which it will be full again (the "generic cell rate
    algorithm"). Each client has a cell in either of two rows, at places that a secret key chooses,
    and its bucket is the fuller of both. A cell always knows at least as much use as each of its
    clients made, so nobody is ever allowed more than the limit; and nothing is ever forgotten
    before its time, so a flood of addresses cannot give anybody a new bucket. What it can do is
    fill cells of others, and for that it must come from tens of thousands of networks at once.
    """

    def __init__(self, cells: int = CELLS, key: bytes | None = None) -> None:
        """``cells`` is a power of two."""
        self._mask = cells - 1
        self._key = key or token_bytes(16)
        self._rows: tuple[array[float], ...] = ()
        """none before the first request: most servers limit nobody"""
        self._start = 0.0

    def take(self, network: bytes, now: float, per_second: float, burst: int) -> float:
        """Count one request; 0, or the seconds until one is allowed, and then it is not counted.

        The limits may differ from those of the last call: what is known counts by the new ones.
        """
        if not self._rows:
            self._rows = tuple(array("d", bytes(8 * (self._mask + 1))) for _ in range(2))
            self._start = now
        # Small numbers, for the sake of precision; a full bucket is one whose time has come.
        now = now - self._start + 1.0
        interval = 1 / per_second
        depth = burst * interval
        first, second = self._rows
        i, j = self._places(network)
        # No bucket is emptier than empty: neither a clock that was set back nor a limit that was
        # raised leaves anybody waiting for longer than a bucket takes to fill.
        empty = now + depth
        first[i], second[j] = min(first[i], empty), min(second[j], empty)
        full_at = max(now, min(first[i], second[j]))
        if full_at - now + interval > depth + interval * _SLACK:
            return full_at - now + interval - depth
        full_at += interval
        first[i], second[j] = max(first[i], full_at), max(second[j], full_at)
        return 0.0

    def _places(self, network: bytes) -> tuple[int, int]:
        hashed = blake2b(network, digest_size=_HASH_BYTES, key=self._key).digest()
        return (
            int.from_bytes(hashed[:4], "big") & self._mask,
            int.from_bytes(hashed[4:], "big") & self._mask,
        )
