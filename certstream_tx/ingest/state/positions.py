"""The service that keeps the logs' positions in the state file, at most a second behind."""

import os
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from certstream_tx.events import logger
from certstream_tx.ingest.state.evidence import FOLDER, Evidence
from certstream_tx.ingest.state.state_file import (
    MAX_STATE_BYTES,
    SavedPosition,
    State,
    StateError,
    bare_url,
    read_state,
    replace_file,
    write_state,
)
from certstream_tx.ingest.state.state_lock import FOR_MORE, StateFileError, StateLock
from certstream_tx.ingest.wakeup import Wakeup

__all__ = ["Positions", "SavedPosition", "StateFileError", "read_state_file"]

log = logger("certstream_tx.ingest.state.positions")

SAVE_INTERVAL = 1.0
"""Seconds. What was read since the last save is read again after a crash."""

Snapshot = Callable[[], SavedPosition | None]


def read_state_file(path: str) -> tuple[bytes, State] | None:
    """The content of a state file, and what it means; None: there is none.

    Raises StateFileError.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_STATE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateFileError(
            f"state file {path} cannot be read: {error.strerror}; it must be a file that this"
            f" user may read and write. Repair that, {FOR_MORE}"
        ) from error
    try:
        if len(data) > MAX_STATE_BYTES:
            raise StateError(f"it is larger than {MAX_STATE_BYTES} bytes")
        return data, read_state(data)
    except StateError as error:
        raise StateFileError(
            f"state file {path} cannot be used: {error}. It was left as it is. Put a good copy"
            " in its place; or move it away to begin at the head of every log, missing what was"
            f" logged since; {FOR_MORE}"
        ) from error


class Positions(Service):
    """Positions of all logs: out of the state file at the start, into it from then on.

    ``path`` None: none are kept. ``before_save`` is called before the positions are looked at, and
    makes sure that what was read up to them has left (``Hub.flush``). ``in_thread`` runs a function
    outside of the reactor's thread. Positions of logs that are not followed now stay in the file.
    """

    def __init__(
        self,
        path: str | None,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], None]], "Deferred[None]"],
        before_save: Callable[[], None] = lambda: None,
        *,
        replace: Callable[[str, bytes], None] = replace_file,
    ) -> None:
        # The file itself, should the path be a link: a link would be replaced by a file.
        self._path = None if path is None else os.path.realpath(path)
        folder = None if self._path is None else os.path.dirname(self._path)
        self.evidence = Evidence(
            None if folder is None else os.path.join(folder, FOLDER), clock, in_thread
        )
        """what logs were caught at, in a folder beside the file"""
        self._clock = clock
        self._in_thread = in_thread
        self._before_save = before_save
        self._replace = replace
        self._lock = None if self._path is None else StateLock(self._path)
        self._positions: dict[str, SavedPosition] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._on_disk: dict[str, SavedPosition] = {}
        self._foreign: bytes | None = None  # another server's file, until a copy of it is kept
        self._failing_since: float | None = None
        self._wakeup = Wakeup(clock)
        self._saving: Deferred[None] | None = None
        self.saved_at: float | None = None
        """When the file was last known to hold all positions, seconds since the epoch."""

    def load(self) -> None:
        """Read the state file, once, before anything starts. Raises StateFileError."""
        path, lock = self._path, self._lock
        if path is None or lock is None:
            return
        lock.take()
        try:
            found = read_state_file(path)
        except StateFileError:
            lock.release()
            raise
        if found is None:
            return
        data, state = found
        self._positions = dict(state.positions)
        if state.written_by == "certstream-tx":
            self._on_disk = dict(state.positions)
        else:
            self._foreign = data
            log.info(
                "Positions of {count} logs are taken over from the state file {path} of {server}",
                count=len(self._positions),
                path=path,
                server=state.written_by,
            )

    def position_of(self, state_key: str, url: str | None = None) -> SavedPosition | None:
        """Where to read on in this log; None when it was never read.

        ``url`` finds what was saved while the log's key was not known (also by other servers).
        """
        saved = self._positions.get(state_key)
        if saved is None and url is not None:
            bare = bare_url(url)
            for key, each in self._positions.items():
                if key.startswith("url:") and bare_url(each.url) == bare:
                    self._positions[state_key] = self._positions.pop(key)
                    return each
        return saved

    def register(self, state_key: str, snapshot: Snapshot) -> None:
        """Ask ``snapshot`` for this log's position at each save; it may give None: as it was."""
        self._snapshots[state_key] = snapshot

    def unregister(self, state_key: str) -> None:
        """The log is no longer read: its last position stays."""
        snapshot = self._snapshots.pop(state_key, None)
        if snapshot is not None and (last := snapshot()) is not None:
            self._positions[state_key] = last

    def startService(self) -> None:
        """Begin to save."""
        Service.startService(self)
        if self._lock is not None:
            if not self._lock.held:
                self._lock.take()
            self._lock.name_holder()
            self._saving = Deferred.fromCoroutine(self._keep_saving())

    def stopService(self) -> "Deferred[None] | None":
        """Save once more; fires when that is done, or has failed and was told."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._wakeup.fire()
        if self._saving is not None:
            # Never cancelled: two threads must not write the file at once.
            await self._saving
            self._saving = None
            await self._save()
        if self._lock is not None:
            self._lock.release()

    async def _keep_saving(self) -> None:
        while self.running:
            begun = self._clock.seconds()
            await self._save()
            # Writing takes its time on a slow disk; the next save is due a second after this began.
            spent = max(0.0, self._clock.seconds() - begun)
            if self.running:
                await self._wakeup.wait(max(0.0, SAVE_INTERVAL - spent))

    async def _save(self) -> None:
        try:
            self._before_save()
            for key, snapshot in self._snapshots.items():
                if (position := snapshot()) is not None:
                    self._positions[key] = position
            if self._positions != self._on_disk:
                now_there = dict(self._positions)
                await self._in_thread(lambda: self._write(now_there))
                self._on_disk = now_there
        except CancelledError:
            raise
        except OSError as error:
            self._failed(f"{error.strerror or error}")
        except Exception:
            if self._failing_since is None:
                log.failure("Positions could not be saved")
            self._failed("an error of this program")
        else:
            self._succeeded()

    def _write(self, positions: dict[str, SavedPosition]) -> None:
        """In a thread: write the file, but first put another server's aside."""
        path = self._path
        assert path is not None
        if self._foreign is not None:
            self._replace(f"{path}.before-import", self._foreign)
            self._foreign = None
        self._replace(path, write_state(positions))

    def _failed(self, reason: str) -> None:
        if self._failing_since is not None:
            return
        self._failing_since = self._clock.seconds()
        log.error(
            "The state file {path} cannot be written: {reason}. It is tried again every second; if"
            " this process ends before, what is read from now on will be read again",
            path=self._path,
            reason=reason,
        )

    def _succeeded(self) -> None:
        now = self._clock.seconds()
        self.saved_at = now
        if self._failing_since is not None:
            log.info(
                "The state file {path} is written again, after {seconds} s",
                path=self._path,
                seconds=round(now - self._failing_since),
            )
            self._failing_since = None
