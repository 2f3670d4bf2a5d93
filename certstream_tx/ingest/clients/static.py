"""Reading a log of static-ct-api: checkpoints, tiles, and issuers by fingerprint."""

from typing import Final, Literal

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.checkpoint import CheckpointError, read_checkpoint, signed_head
from certstream_tx.ct.entry import Entry, entry_of
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import LogKey, SignedHead
from certstream_tx.ct.structs import write_leaf
from certstream_tx.ct.tiles import (
    TILE_WIDTH,
    TileError,
    TileLeaf,
    read_data_tile,
    tile_path,
)
from certstream_tx.events import logger
from certstream_tx.ingest.clients.hash_tiles import Tile, prove, tiles_for
from certstream_tx.ingest.clients.issuers import MAX_ISSUER, IssuerCache
from certstream_tx.ingest.clients.log_client import Served
from certstream_tx.ingest.clients.log_requests import MAX_HEAD, LogRequests, all_of
from certstream_tx.ingest.clients.tile_edge import TileEdge
from certstream_tx.ingest.http.errors import BadBody, BadSignature, Lagging, MerkleMismatch, Refused
from certstream_tx.ingest.http.fetch import Fetcher
from certstream_tx.ingest.http.gzip_stream import GZIP_MAGIC
from certstream_tx.ingest.pacing.pace import Pace
from certstream_tx.stats import LogStats

log_event = logger("certstream_tx.static")

MAX_DATA_TILE: Final = 16 * 1024 * 1024
"""Bytes of one data tile, unfolded. Real ones have about 400 KB."""

MAX_HASH_TILE: Final = TILE_WIDTH * 32

MAX_CHAIN: Final = 32
"""Fingerprints of one entry that are followed; real chains have up to 5."""

MAX_NEW_ISSUERS: Final = 256
"""Issuers fetched for one tile; more than one for each entry is an attack, not a log."""

ISSUER_TIMEOUT: Final = 10.0
"""Seconds for one issuer. They wait with their tile, and the log with it."""

NEAR_HEAD: Final = 4 * TILE_WIDTH
"""Entries before the head whose tiles a cache may not have yet."""


class StaticClient:
    """A ``LogClient`` for a log that serves a checkpoint and tiles.

    Raises SignatureError when the log's key cannot be used.
    """

    divisible: Final = False
    """See ``LogClient``."""

    def __init__(
        self,
        log: Log,
        fetcher: Fetcher,
        pace: Pace,
        clock: IReactorTime,
        stats: LogStats,
        issuers: IssuerCache,
        partial_wait: float,
        depth: int,
    ) -> None:
        """``partial_wait``: seconds an entry waits in a partial tile before that is fetched."""
        self._name = log.name
        self._prefix = f"{log.url}/"
        self._origin = log.origin
        self._told_of_origin = False
        self._key = None if log.key is None else LogKey(log.key)
        self._requests = LogRequests(fetcher, pace, clock, stats, depth)
        self._clock = clock
        self._stats = stats
        self._issuers = issuers
        self._partial_wait = partial_wait
        self._edge = TileEdge()

    @property
    def depth(self) -> int:
        """See ``LogClient``."""
        return self._requests.depth

    async def head(self) -> SignedHead:
        """See ``LogClient``. An origin that is not the expected one is told of: the key decides."""
        with self._requests.counting():
            body = await self._requests.get(
                self._prefix + "checkpoint", max_bytes=MAX_HEAD, first=True
            )
            try:
                checkpoint = read_checkpoint(body)
            except CheckpointError as error:
                raise BadBody(f"the checkpoint: {error}") from None
            try:
                head = signed_head(checkpoint, None, self._key)
            except CheckpointError as error:
                raise BadSignature(str(error)) from None
            if self._origin not in (None, checkpoint.origin) and not self._told_of_origin:
                self._told_of_origin = True
                log_event.warn(
                    "{log} calls itself {origin}, not {expected} as its address says",
                    log=self._name,
                    origin=checkpoint.origin,
                    expected=self._origin,
                )
        self.seen(head)
        return head

    def seen(self, head: SignedHead) -> None:
        """The log showed this head: from now on its entries wait for their tile to fill."""
        self._edge.seen(head.size, self._clock.seconds())

    def span(self, position: int, head_size: int) -> int | None:
        """See ``LogClient``. A tile that is neither full nor old is left alone."""
        tile_end = (position // TILE_WIDTH + 1) * TILE_WIDTH
        if tile_end <= head_size:
            return tile_end
        if position < head_size:
            waited = self._edge.waited(position, self._clock.seconds())
            if waited >= self._partial_wait:
                return head_size
        return None

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        """See ``LogClient``. Answers end where the tile of ``start`` ends."""
        leaves, chains = await self._leaves(start, end, head)
        return [
            entry_of(leaf, index, chain)
            for index, (leaf, chain) in enumerate(zip(leaves, chains, strict=True), start)
        ]

    async def entries_again(self, start: int, end: int, head: SignedHead) -> list[Served]:
        """See ``LogClient``. Of a tile that was partial, by the width that it has now."""
        leaves, chains = await self._leaves(start, end, head, fresh=True)
        return [
            Served(entry_of(leaf, index, chain), write_leaf(leaf.entry))
            for index, (leaf, chain) in enumerate(zip(leaves, chains, strict=True), start)
        ]

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        """See ``LogClient``. Any start can be proven; the tiles at its edge and the head's do."""
        if not 0 <= start <= head.size:
            raise ValueError(f"no start at {start} in a tree of {head.size}")
        if start == 0:
            return CompactRange()
        with self._requests.counting():
            tiles = tiles_for(start, head.size)
            bodies = await all_of([self._hash_tile(tile) for tile in tiles])
            try:
                before, root = prove(start, head.size, dict(zip(tiles, bodies, strict=True)))
            except TileError as error:
                raise BadBody(str(error)) from None
            if root != head.root:
                raise MerkleMismatch(
                    f"the hash tiles before {start} are not proven by the head at {head.size}"
                )
            return before

    async def _leaves(
        self, start: int, end: int, head: SignedHead, *, fresh: bool = False
    ) -> tuple[list[TileLeaf], list[tuple[bytes, ...]]]:
        """The leaves from ``start`` on to the end of their tile, and their chains."""
        if not 0 <= start < end <= head.size:
            raise ValueError(f"no entries {start} to {end} in a tree of {head.size}")
        n = start // TILE_WIDTH
        first = n * TILE_WIDTH
        with self._requests.counting():
            leaves = await self._data_tile(n, head.size, fresh=fresh)
            # Of a tile that came full in place of a partial one only what the head covers.
            wanted = leaves[start - first : end - first]
            return wanted, await self._chains(wanted)

    async def _data_tile(self, n: int, head_size: int, *, fresh: bool) -> list[TileLeaf]:
        """The leaves of a data tile: at least those it has in the tree of ``head_size``."""
        first = n * TILE_WIDTH
        width = min(head_size - first, TILE_WIDTH)
        try:
            body, got = await self._tile("data", n, width, MAX_DATA_TILE, fresh=fresh)
        except Refused as error:
            if error.kind == "not_found" and first + width > head_size - NEAR_HEAD:
                raise Lagging(f"tile {n} is not there yet ({error.reason})") from None
            raise
        self._stats.tiles_fetched += 1
        try:
            return await self._requests.decode(body, lambda: read_data_tile(body, first, got))
        except TileError as error:
            raise BadBody(str(error)) from None

    async def _hash_tile(self, tile: Tile) -> bytes:
        body, got = await self._tile(tile.level, tile.n, tile.width, MAX_HASH_TILE)
        if len(body) != got * 32:
            raise BadBody(f"a hash tile of width {got} has {len(body)} bytes")
        return body[: tile.width * 32]

    async def _tile(
        self,
        level: int | Literal["data"],
        n: int,
        width: int,
        max_bytes: int,
        *,
        fresh: bool = False,
    ) -> tuple[bytes, int]:
        """A tile, unfolded, and the width it came in: a log may keep the full one only."""
        try:
            body = await self._fetch_tile(level, n, width, max_bytes, fresh=fresh)
        except Refused as error:
            if width == TILE_WIDTH or error.kind != "not_found":
                raise
            width = TILE_WIDTH
            body = await self._fetch_tile(level, n, width, max_bytes, fresh=fresh)
        return body, width

    async def _fetch_tile(
        self,
        level: int | Literal["data"],
        n: int,
        width: int,
        max_bytes: int,
        *,
        fresh: bool,
    ) -> bytes:
        body = await self._requests.get(
            self._prefix + tile_path(level, n, width),
            max_bytes=max_bytes,
            teaches_depth=not fresh,
            fresh=fresh,
        )
        # Files that are stored as gzip may come without a word about it. No tile begins so: its
        # first bytes would be a time in the year 72,000.
        if level == "data" and body.startswith(GZIP_MAGIC):
            return await self._requests.gunzip(body, max_bytes)
        return body

    async def _chains(self, leaves: list[TileLeaf]) -> list[tuple[bytes, ...]]:
        """The chain of each leaf, up to the first issuer that cannot be had."""
        wanted = dict.fromkeys(
            fingerprint for leaf in leaves for fingerprint in leaf.fingerprints[:MAX_CHAIN]
        )
        known: dict[bytes, bytes] = {}
        new: list[bytes] = []
        for fingerprint in wanted:
            issuer = self._issuers.known(fingerprint)
            if issuer is not None:
                known[fingerprint] = issuer
            elif len(new) < MAX_NEW_ISSUERS:
                new.append(fingerprint)
        if new:
            found = await all_of(
                [self._issuers.get(each, self._prefix, self._fetch_issuer) for each in new]
            )
            known.update(
                (fingerprint, issuer)
                for fingerprint, issuer in zip(new, found, strict=True)
                if issuer is not None
            )
        return [self._chain(leaf, known) for leaf in leaves]

    def _chain(self, leaf: TileLeaf, known: dict[bytes, bytes]) -> tuple[bytes, ...]:
        chain: list[bytes] = []
        for fingerprint in leaf.fingerprints[:MAX_CHAIN]:
            issuer = known.get(fingerprint)
            if issuer is None:
                self._stats.issuers_missing += 1
                break
            chain.append(issuer)
        return tuple(chain)

    async def _fetch_issuer(self, fingerprint: bytes) -> bytes:
        return await self._requests.get(
            f"{self._prefix}issuer/{fingerprint.hex()}",
            max_bytes=MAX_ISSUER,
            timeout=ISSUER_TIMEOUT,
        )
