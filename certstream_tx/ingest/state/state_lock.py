"""Keeps other processes off a state file: two that write it would undo each other's work."""

import errno
import fcntl
import os
from typing import IO

from certstream_tx.events import logger
from certstream_tx.start_error import StartError

log = logger("certstream_tx.ingest.state.positions")

FOR_MORE = "or set ct_log.state_file to another path, or to null to keep no positions"


class StateFileError(StartError):
    """The state file cannot be used; the text is for the operator and names the way out."""


def check_folder(path: str) -> None:
    """Raise StateFileError when the state file at ``path`` could not be written."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise StateFileError(
            f"state file {path}: the folder {folder} does not exist; create it, {FOR_MORE}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateFileError(
            f"state file {path}: nothing can be written in the folder {folder}; make it"
            f" writable, {FOR_MORE}"
        )


class StateLock:
    """The right to write the state file at ``path``."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    def take(self) -> None:
        """Get it; raises StateFileError when it cannot be had, or another process has it."""
        path = self._path
        check_folder(path)
        try:
            # Beside the file, which is replaced; it stays, for removing it would race.
            lock = open(f"{path}.lock", "a+", encoding="ascii")  # noqa: SIM115 (held while running)
        except OSError as error:
            raise StateFileError(
                f"state file {path}: its lock file {path}.lock cannot be written:"
                f" {error.strerror}; make the folder writable, {FOR_MORE}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                lock.seek(0)
                holder = lock.read(32).strip()
                lock.close()
                raise StateFileError(
                    f"state file {path} is in use by another process"
                    f"{f' ({holder})' if holder else ''}; stop that one, {FOR_MORE}"
                ) from error
            log.warn(
                "{path}.lock cannot be locked here ({reason}): make sure that no other process"
                " uses this state file",
                path=path,
                reason=error.strerror,
            )
        self._file = lock
        self.name_holder()

    def name_holder(self) -> None:
        """Write our process id into the lock file; it changes when twistd becomes a daemon."""
        lock = self._file
        assert lock is not None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}\n")
        lock.flush()

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None
