"""The newest good log list on disk: a list and its signature, from one run to the next.

A pair is two files whose name says when the list was made. A new pair is whole before the old one
goes, and every pair is verified when it is read: half a pair is of no use, and does no harm.
"""

import os
import re
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from certstream_tx.ct.log_list import MAX_LIST_BYTES
from certstream_tx.ingest.state.state_file import replace_file

MAX_SIGNATURE_BYTES = 4096
"""An RSA signature has as many bytes as its key, Chrome's 512."""
MAX_PAIRS = 4
"""looked at: the newest, and what a crash may have left of others"""


class SignedList(NamedTuple):
    """A log list as it came, not verified yet."""

    data: bytes
    signature: bytes
    origin: str
    """where it came from, for the operator"""


class ListCache:
    """The pairs of one list in a folder. Its methods touch the disk; they raise OSError."""

    def __init__(self, folder: str, url: str) -> None:
        """``url`` is the list's own: another list's pairs are none of ours."""
        # A daemon changes its working directory after this.
        self.folder = os.path.abspath(folder)
        self._prefix = f"log_list-{sha256(url.encode()).hexdigest()[:8]}-"

    def load(self) -> list[SignedList]:
        """The pairs there are, newest first; none when there is no folder."""
        found = []
        for stem in self._stems()[:MAX_PAIRS]:
            with suppress(FileNotFoundError):
                found.append(
                    SignedList(
                        _read(f"{stem}.json", MAX_LIST_BYTES),
                        _read(f"{stem}.sig", MAX_SIGNATURE_BYTES),
                        f"{stem}.json",
                    )
                )
        return found

    def store(self, data: bytes, signature: bytes, timestamp: float) -> None:
        """Keep a list that was verified, made at ``timestamp`` (Unix seconds), and no other."""
        os.makedirs(self.folder, exist_ok=True)
        stem = os.path.join(self.folder, f"{self._prefix}{max(0, int(timestamp)):012d}")
        replace_file(f"{stem}.json", data)
        replace_file(f"{stem}.sig", signature)
        for other in self._stems():
            if other != stem:
                for name in (f"{other}.json", f"{other}.sig"):
                    with suppress(FileNotFoundError):
                        os.unlink(name)

    def _stems(self) -> list[str]:
        """Paths without their ending, newest first."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        ours = re.compile(rf"({re.escape(self._prefix)}[0-9]{{12}})\.(?:json|sig)")
        stems = {found.group(1) for name in names if (found := ours.fullmatch(name))}
        return [os.path.join(self.folder, stem) for stem in sorted(stems, reverse=True)]


def _read(path: str, limit: int) -> bytes:
    """A file; one that is larger than it may be is cut, and will not verify."""
    with open(path, "rb") as file:
        return file.read(limit)
