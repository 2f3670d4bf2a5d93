"""How long the entries in a log's last, partial tile have been there to be read. Pure."""

from bisect import bisect_right

from certstream_tx.ct.tiles import TILE_WIDTH


class TileEdge:
    """Remembers when each size of the tree was first seen, for the newest partial tile only."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._times: list[float] = []

    def seen(self, size: int, now: float) -> None:
        """A head of this size was seen; smaller ones than before say nothing new."""
        if self._sizes and size <= self._sizes[-1]:
            return
        self._sizes.append(size)
        self._times.append(now)
        # Entries in tiles that are full by now wait for nothing any more: 256 sizes at most remain.
        full = bisect_right(self._sizes, size - size % TILE_WIDTH)
        if size % TILE_WIDTH:
            del self._sizes[:full]
            del self._times[:full]
        else:
            self._sizes, self._times = [size], [now]

    def waited(self, position: int, now: float) -> float:
        """Seconds since a head was first seen that holds the entry at ``position``."""
        known = bisect_right(self._sizes, position)
        if known == len(self._sizes):
            return 0.0
        if now < self._times[known]:
            # The clock was set back: they wait anew, not until that time of day comes again.
            self._times = [min(time, now) for time in self._times]
        return now - self._times[known]
