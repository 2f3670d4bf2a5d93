"""Unfolding gzip: bounded in how much comes out, and in how much at a time."""

import zlib
from collections import deque
from collections.abc import Generator
from typing import Final

from certstream_tx.ingest.http.errors import BadBody

GZIP_MAGIC: Final = b"\x1f\x8b"

SLICE: Final = 256 * 1024
"""Bytes unfolded before others have their turn: below a millisecond of work."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class GzipStream:
    """One gzip stream, fed as it comes, unfolded as there is time."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._pieces: deque[bytes] = deque()  # not longer than they came: each is copied to be cut

    @property
    def waiting(self) -> bool:
        """Whether there is more to unfold."""
        return bool(self._pieces)

    def feed(self, data: bytes) -> None:
        """The next bytes came."""
        self._pieces.append(data)

    def unfold(self, limit: int) -> bytes:
        """The next bytes, as many at most (1 or more); BadBody if they are no gzip.

        Only if there is something waiting; it may be that nothing comes out of it.
        """
        try:
            plain = self._stream.decompress(self._pieces.popleft(), limit)
        except zlib.error as error:
            raise BadBody(f"not gzip: {error}", "bad_encoding") from None
        if self._stream.unused_data:
            raise _bad_end()
        # After as much as was wanted the stream may hold more, though it took all of its input.
        if len(plain) == limit or self._stream.unconsumed_tail:
            self._pieces.appendleft(self._stream.unconsumed_tail)
        return plain

    def end(self) -> None:
        """No more comes; BadBody if there should."""
        if not self._stream.eof:
            raise _bad_end()


def gunzip(data: bytes, max_bytes: int) -> Generator[None, None, bytes]:
    """One whole gzip stream, unfolded, with a pause after each SLICE.

    BadBody if it is broken, cut or too large.
    """
    stream = GzipStream()
    # In pieces, for what is left of one is copied each time.
    for start in range(0, len(data), SLICE):
        stream.feed(data[start : start + SLICE])
    plain = bytearray()
    while stream.waiting:
        plain += stream.unfold(min(SLICE, max_bytes - len(plain) + 1))
        if len(plain) > max_bytes:
            raise too_large(max_bytes)
        yield
    stream.end()
    return bytes(plain)


def too_large(max_bytes: int) -> BadBody:
    """The error for what unfolds to more."""
    return BadBody(f"more than {max_bytes} bytes when decompressed", "too_large")


def _bad_end() -> BadBody:
    return BadBody("the gzip stream does not end where the body ends", "bad_encoding")
