"""When a log is so far behind that it is skipped ahead, if its operator wants that. Pure."""

from certstream_tx.ingest.poll_settings import PollSettings


class CatchUp:
    """By how many entries, or by how much time, a log may be behind its head."""

    def __init__(self, settings: PollSettings) -> None:
        self._entries = settings.max_catchup_lag_entries
        self._seconds = settings.max_catchup_lag_secs
        self._overlap = settings.start_overlap_leaves

    def skip(
        self, position: int, limit: int, head_at: float | None, entry_at: float | None
    ) -> tuple[int, str] | None:
        """Where to go on and why, if it is too far behind; None when it is not.

        ``limit``: how far there is to read; ``head_at``, ``entry_at``: the log's own times of its
        newest head and of the entry read last, None before the first.
        """
        behind = limit - position
        target = limit - self._overlap
        if target <= position:
            return None
        if self._entries and behind > self._entries:
            return target, f"{behind} entries behind, {self._entries} are allowed"
        if self._seconds and head_at is not None and entry_at is not None:
            late = head_at - entry_at
            if late > self._seconds:
                return target, f"{round(late)} s behind, {self._seconds} are allowed"
        return None
