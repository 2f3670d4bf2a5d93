"""A range of one log, read once from end to end and held against a head that the log signed.

The log proves the compact Merkle ranges before the first entry and behind the last. From the one
the hashes of the entries between must lead to the other: so a handful of requests verify a range of
any length, wherever it lies in the tree.
"""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.outcomes import THROTTLED_WAIT
from certstream_tx.ingest.http.errors import (
    BadSignature,
    FetchError,
    Lagging,
    MerkleMismatch,
    Throttled,
)
from certstream_tx.ingest.pacing.backoff import backoff_delay

TRIES: Final = 6
"""Failures in a row, some ten seconds of them, before one request is given up, unless told."""
SIGNATURE_TRIES: Final = 2
"""The same of heads that the key does not confirm: one may be damaged on its way."""
THROTTLED_TRIES: Final = 100
"""Answers in a row that asked for a slower pace, each waited for as long as the log said."""
DELAYS: Final = (0.5, 10.0)
"""Seconds between tries: first, and longest."""

T = TypeVar("T")


class BeyondHead(Exception):
    """The log does not have all of the entries that were asked for."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class ProvenRange:
    """Entries ``start`` to ``end - 1`` of one log."""

    def __init__(
        self,
        client: LogClient,
        start: int,
        end: int,
        clock: IReactorTime,
        rng: Random,
        tries: int = TRIES,
    ) -> None:
        if not 0 <= start < end:
            raise ValueError(f"no entries from {start} to {end}")
        self._client = client
        self._start = start
        self._end = end
        self._clock = clock
        self._rng = rng
        self._tries = tries

    async def read(self, take: Callable[[Sequence[Entry]], None]) -> SignedHead:
        """Give all entries to ``take``, in order, some at a time; the head that proves them.

        Raises BeyondHead before the first entry; MerkleMismatch when what was given is not what
        the log signed; another FetchError when the log cannot be read.
        """
        client = self._client
        head = await self._patiently(client.head)
        if head.size < self._end:
            raise BeyondHead(head.size)
        tree = await self._patiently(lambda: client.range_at(self._start, head))
        proven = await self._patiently(lambda: client.range_at(self._end, head))
        while tree.size < self._end:
            entries = await self._patiently(lambda: self._some(tree.size, head))
            tree.extend(entry.leaf_hash for entry in entries)
            take(entries)
        if tree.nodes != proven.nodes:
            raise MerkleMismatch(
                f"entries {self._start} to {self._end - 1} are not those of the head at {head.size}"
            )
        return head

    async def _some(self, position: int, head: SignedHead) -> list[Entry]:
        end = self._client.span(position, self._end) or self._end
        return await self._client.entries(position, min(end, self._end), head)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        failures = throttled = 0
        while True:
            try:
                return await ask()
            except MerkleMismatch:
                raise
            except Throttled:
                throttled += 1
                if throttled >= THROTTLED_TRIES:
                    raise
                delay = THROTTLED_WAIT
            except FetchError as error:
                failures += 1
                if failures >= (
                    SIGNATURE_TRIES if isinstance(error, BadSignature) else self._tries
                ):
                    raise
                delay = backoff_delay(failures, *DELAYS, self._rng)
                if isinstance(error, Lagging):
                    delay = max(delay, DELAYS[0])
            await deferLater(self._clock, delay)
