"""What is saved of one log, while its gaps are filled and nobody follows it."""

from collections.abc import Sequence
from dataclasses import replace

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ingest.state.gaps import Gap, Gaps
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition, SavedRange
from certstream_tx.stats import LogStats


class Differs(Exception):
    """What came late does not lead to the tree that the log proved before."""


class LatePosition:
    """A saved position whose gaps close; the tree around them is joined as a poller does it."""

    def __init__(self, saved: SavedPosition, stats: LogStats, clock: IReactorTime) -> None:
        self._saved = saved
        self._range = saved.range()
        self._gaps = Gaps(stats, clock, self._join, self._differs)
        self._gaps.load([gap.gap() for gap in saved.gaps])

    @property
    def open(self) -> list[Gap]:
        """The gaps in which entries are missing, in order."""
        return self._gaps.open

    def filled(self, start: int, hashes: Sequence[bytes]) -> SavedPosition:
        """Entries from ``start`` on came, all of them in one gap: what is to be saved now.

        Raises Differs; then what was saved before stands.
        """
        self._gaps.filled(start, hashes)
        return self.saved()

    def saved(self) -> SavedPosition:
        """What is to be saved now."""
        read = self._range
        return replace(
            self._saved,
            nodes=None if read.start else tuple(read.nodes),
            part=SavedRange.of(read) if 0 < read.start < read.size else None,
            gaps=tuple(SavedGap.of(gap) for gap in self._gaps),
        )

    def _join(self, before: CompactRange, base: CompactRange | None) -> None:
        if before.size == self._range.start:
            whole = before.copy()
            whole.join(self._range)
            self._range = whole

    def _differs(self, gap: Gap) -> None:
        raise Differs(f"entries up to {gap.end - 1} do not lead to what the log proved there")
