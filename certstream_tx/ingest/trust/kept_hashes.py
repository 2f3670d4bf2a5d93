"""The leaf hashes of the entries read last, as long as something may still come of them."""

from collections.abc import Sequence
from typing import Final

from certstream_tx.ct.merkle import HASH_SIZE

MAX_KEPT: Final = 32_768
"""Leaf hashes of one log: a megabyte, in which an hour of most logs fits."""


class KeptHashes:
    """Those of entries ``start`` to ``end`` (exclusive); the oldest make room for new ones."""

    def __init__(self, start: int) -> None:
        self.start = start
        self._hashes = bytearray()

    @property
    def end(self) -> int:
        """Index after the last one."""
        return self.start + len(self._hashes) // HASH_SIZE

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Keep the next ones too."""
        self._hashes += b"".join(hashes)
        # A quarter at a time: each makes the others move in memory.
        if len(self._hashes) > MAX_KEPT * HASH_SIZE:
            self.forget_before(max(self.end - MAX_KEPT, self.start + MAX_KEPT // 4))

    def between(self, start: int, end: int) -> bytes | None:
        """The hashes of these entries in one piece; None when some of them are not kept."""
        if start < self.start or end > self.end:
            return None
        first, last = start - self.start, end - self.start
        return bytes(self._hashes[first * HASH_SIZE : last * HASH_SIZE])

    def hashes(self, start: int, end: int) -> list[bytes] | None:
        """The same, one by one."""
        piece = self.between(start, end)
        return None if piece is None else split(piece)

    def forget_before(self, index: int) -> None:
        """Those before this entry are of no more use."""
        index = min(index, self.end)
        if index > self.start:
            del self._hashes[: (index - self.start) * HASH_SIZE]
            self.start = index


def split(piece: bytes) -> list[bytes]:
    """Hashes one by one, out of one piece."""
    return [piece[at : at + HASH_SIZE] for at in range(0, len(piece), HASH_SIZE)]
