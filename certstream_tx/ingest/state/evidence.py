"""What a log was caught at, kept as files beside the state file.

Two signed heads that contradict each other prove to anybody that the log broke its promise
(RFC 6962 3); they are never removed. Everything else is bounded, the oldest goes first. While there
is a file about a log, but for one of a rollback, it counts as inconsistent: whoever has looked into
it moves the file away.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.state.state_file import replace_file

log = logger("certstream_tx.ingest.state.evidence")

FOLDER: Final = "evidence"
FOR_EVER: Final = "contradiction"
"""What files that are never removed are called."""
ROLLBACK: Final = "rollback"
"""What files are called that say what may be over by now."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of all files that may be removed."""
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""Larger ones are not written: the entries of one are bounded long before."""
MAX_FOR_EVER: Final = 64
"""Contradictions of one log: the first proves all that there is to prove."""

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9]+")


class Evidence:
    """The files of all logs in one folder; ``folder`` None: nothing is kept."""

    def __init__(
        self,
        folder: str | None,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], None]], "Deferred[None]"],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._in_thread = in_thread

    def known(self, about: Log) -> str | None:
        """The newest file that makes a log inconsistent; None when there is none."""
        mark = _mark(about)
        names = [n for n in self._names() if f"-{mark}" in n and f"-{ROLLBACK}-" not in n]
        return None if not names or self._folder is None else os.path.join(self._folder, names[-1])

    def keep(self, about: Log, what: str, document: dict[str, object]) -> None:
        """Write a file, soon, in a thread; ``what`` is a word, ``FOR_EVER`` one of them."""
        if self._folder is None:
            return
        moment = datetime.fromtimestamp(self._clock.seconds(), UTC)
        name = f"{moment:%Y%m%dT%H%M%S}-{what}-{_plain(about.name)}-{_mark(about)}"
        said = {
            "what": what,
            "time": moment.isoformat(timespec="seconds"),
            "log": {
                "name": about.name,
                "url": about.url,
                "log_id": about.log_id_base64,
                "key": None if about.key is None else b64encode(about.key).decode(),
            },
            **document,
        }
        data = msgspec.json.format(msgspec.json.encode(said), indent=1) + b"\n"
        writing = self._in_thread(lambda: self._write(name, data, what, about))
        writing.addErrback(self._failed, about)

    def _write(self, name: str, data: bytes, what: str, about: Log) -> None:
        folder = self._folder
        assert folder is not None
        if len(data) > MAX_FILE_BYTES:
            raise OSError(f"{len(data)} bytes are too many for a file of evidence")
        os.makedirs(folder, mode=0o755, exist_ok=True)
        names = self._names()
        if what == FOR_EVER:
            alike = [each for each in names if f"-{FOR_EVER}-" in each and _mark(about) in each]
            if len(alike) >= MAX_FOR_EVER:
                return
        else:
            self._make_room(names, len(data))
        count = 0
        path = os.path.join(folder, f"{name}.json")
        while os.path.exists(path):
            count += 1
            path = os.path.join(folder, f"{name}-{count:03d}.json")
        replace_file(path, data)
        log.error("Evidence about {log} is kept in {path}", log=about.name, path=path)

    def _make_room(self, names: list[str], needed: int) -> None:
        """Remove the oldest until there is room for so many bytes."""
        assert self._folder is not None
        paths = [os.path.join(self._folder, n) for n in names if f"-{FOR_EVER}-" not in n]
        sizes = {path: os.path.getsize(path) for path in paths}
        total = sum(sizes.values())
        for path in paths:
            if total + needed <= MAX_BYTES:
                break
            os.unlink(path)
            total -= sizes[path]

    def _names(self) -> list[str]:
        """Oldest first."""
        if self._folder is None or not os.path.isdir(self._folder):
            return []
        return sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))

    def _failed(self, failure: Failure, about: Log) -> None:
        log.error(
            "Evidence about {log} could not be written to {folder}: {reason}",
            log=about.name,
            folder=self._folder,
            reason=failure.getErrorMessage(),
        )


def head_document(head: SignedHead) -> dict[str, object]:
    """A signed head, by the names of RFC 6962 4.3; without a signature when it has none."""
    return {
        "tree_size": head.size,
        "timestamp": head.timestamp,
        "sha256_root_hash": b64encode(head.root).decode(),
        "tree_head_signature": b64encode(head.signature).decode() or None,
    }


def range_document(tree: CompactRange) -> dict[str, object]:
    """A compact range from the first entry on: its size, its nodes, its root."""
    return {
        "tree_size": tree.size,
        "nodes": [b64encode(node).decode() for node in tree.nodes],
        "sha256_root_hash": b64encode(tree.root()).decode(),
    }


def _plain(name: str) -> str:
    return _NOT_PLAIN.sub("-", name).strip("-")[:60] or "log"


def _mark(about: Log) -> str:
    """By what the files of a log are known, whatever it is called."""
    return sha256(about.state_key.encode()).hexdigest()[:12]
