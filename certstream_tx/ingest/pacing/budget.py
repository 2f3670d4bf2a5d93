"""How much all logs together may have fetched, or be fetching, that was not read yet."""

from collections.abc import Callable, Sequence

from certstream_tx.ct.entry import Entry

ENTRIES_AHEAD = 8192
"""Entries of all logs: 40 MB at most, and half a second of reading, more of which would only be
held longer."""
ENTRY_BYTES = 5120
"""What an entry takes with its chain. One that takes more counts as so many: entries may be
megabytes long, and a log's word on how many it gives is no bound on memory."""


def weight(entries: Sequence[Entry]) -> int:
    """What entries that came take of the budget: at least their number."""
    size = 0
    for entry in entries:
        size += len(entry.submitted)
        for issuer in entry.chain:
            size += len(issuer)
    return max(len(entries), size // ENTRY_BYTES)


class Budget:
    """Entries that may wait to be read, shared by all logs.

    ``take`` before asking for entries, ``give`` them back once they were read or did not come.
    """

    def __init__(self, entries: int = ENTRIES_AHEAD) -> None:
        self._left = entries
        self._waiting: dict[Callable[[], None], None] = {}  # in the order they came

    def take(self, entries: int, *, must: bool = False) -> bool:
        """Whether so many entries may be asked for; if so they are taken.

        ``must``: what a log needs next is always granted, even beyond the budget. Else a log whose
        next entries are missing could hold the budget with the ones behind them, for ever.
        """
        if self._left < entries and not must:
            return False
        self._left -= entries
        return True

    def give(self, entries: int) -> None:
        """Return what was taken, and let those who wait try again, first come first."""
        self._left += entries
        # One round only: who still finds too little asks to be told again, behind the others.
        for waiting in list(self._waiting):
            if self._left <= 0:
                break
            self.forget(waiting)
            waiting()

    def notify(self, retry: Callable[[], None]) -> None:
        """Call ``retry`` once, when there is something to take again."""
        self._waiting[retry] = None

    def forget(self, retry: Callable[[], None]) -> None:
        """Do not call it any more."""
        self._waiting.pop(retry, None)
