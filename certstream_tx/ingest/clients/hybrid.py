"""Reading a log of both protocols: its head by get-sth, its entries by tiles.

Some RFC 6962 logs let their entries be had as tiles too, which caches can keep, but have neither a
checkpoint nor, perhaps, partial tiles or tiles of hashes. What they lack is asked for as of any
RFC 6962 log.
"""

from typing import Final

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ct.tiles import TILE_WIDTH
from certstream_tx.ingest.clients.log_client import Served
from certstream_tx.ingest.clients.rfc6962 import RFC6962Client
from certstream_tx.ingest.clients.static import StaticClient
from certstream_tx.ingest.http.errors import FetchError, Lagging, Refused

MISSING: Final = 3
"""Tiles in a row that were not there, after which get-entries is asked for a while."""

PAGES_THEN: Final = 64
"""Answers of get-entries before a tile is tried again."""


class _Route:
    """Whether tiles of one kind are worth asking for."""

    def __init__(self) -> None:
        self._missing = 0
        self._pages_left = 0

    def by_tiles(self) -> bool:
        """Whether to ask for a tile now; to be asked once for each request."""
        if not self._pages_left:
            return True
        self._pages_left -= 1
        return False

    def there(self) -> None:
        """A tile was."""
        self._missing = 0

    def missing(self) -> None:
        """A tile was not."""
        self._missing += 1
        if self._missing >= MISSING:
            self._missing, self._pages_left = 0, PAGES_THEN


class HybridClient:
    """A ``LogClient`` for a log that answers get-sth and serves tiles of entries.

    Both clients are of the same log, and count in the same ``LogStats``.
    """

    divisible: Final = True
    """See ``LogClient``: by get-entries, when their tile cannot be had."""

    def __init__(self, calls: RFC6962Client, tiles: StaticClient) -> None:
        self._calls = calls
        self._tiles = tiles
        # A log may serve full tiles only.
        self._full, self._partial = _Route(), _Route()

    @property
    def depth(self) -> int:
        """See ``LogClient``."""
        return self._tiles.depth

    async def head(self) -> SignedHead:
        """See ``LogClient``."""
        head = await self._calls.head()
        self._tiles.seen(head)
        return head

    def span(self, position: int, head_size: int) -> int | None:
        """See ``LogClient``. A tile, whether it is read as one or not."""
        return self._tiles.span(position, head_size)

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        """See ``LogClient``. A part of a tile is meant to do without the tile."""
        tile_end = (start // TILE_WIDTH + 1) * TILE_WIDTH
        route = self._full if tile_end <= head.size else self._partial
        if end < min(tile_end, head.size) or not route.by_tiles():
            return await self._calls.entries(start, end, head)
        try:
            entries = await self._tiles.entries(start, end, head)
        except FetchError as error:
            if not _not_there(error):
                raise
            route.missing()
            return await self._calls.entries(start, end, head)
        route.there()
        return entries

    async def entries_again(self, start: int, end: int, head: SignedHead) -> list[Served]:
        """See ``LogClient``. The other route is the other protocol."""
        return await self._calls.entries_again(start, end, head)

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        """See ``LogClient``. By a proof of the log, or by tiles of hashes if it gives none."""
        try:
            return await self._calls.range_at(start, head)
        except FetchError as refusal:
            if not isinstance(refusal, Refused):
                raise
            try:
                return await self._tiles.range_at(start, head)
            except Refused:
                raise refusal from None


def _not_there(error: FetchError) -> bool:
    """Whether a tile is missing: for good, or because it has only just been filled."""
    return isinstance(error, Lagging) or (isinstance(error, Refused) and error.kind == "not_found")
