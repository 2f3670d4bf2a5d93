"""All requests of one log: each in its turn, and counted."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime

from certstream_tx.ingest.http.errors import BadSignature, FetchError, Throttled, Unavailable
from certstream_tx.ingest.http.fetch import Fetcher
from certstream_tx.ingest.http.gzip_stream import gunzip
from certstream_tx.ingest.pacing.depth import Depth
from certstream_tx.ingest.pacing.pace import Pace
from certstream_tx.stats import LogStats

T = TypeVar("T")

MAX_HEAD: Final = 64 * 1024
"""Bytes of an STH or a checkpoint with all its cosignatures."""

DECODED_AT_ONCE: Final = 16 * 1024
"""Bytes of a body that is not worth a turn of its own: tens of microseconds."""


class LogRequests:
    """Fetches for one log at the pace of its operator."""

    def __init__(
        self, fetcher: Fetcher, pace: Pace, clock: IReactorTime, stats: LogStats, depth: int
    ) -> None:
        self._fetcher = fetcher
        self._pace = pace
        self._clock = clock
        self._stats = stats
        self._depth = Depth(depth)

    @property
    def depth(self) -> int:
        """How many requests for entries are worth having in flight now."""
        return self._depth.value

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: Mapping[str, str | int] | None = None,
        first: bool = False,
        teaches_depth: bool = False,
        timeout: float | None = None,
        fresh: bool = False,
    ) -> bytes:
        """As ``Fetcher.get``, but in its turn; ``first`` goes before all that are not.

        ``teaches_depth``: from what comes of this request the depth is learned.
        """
        ticket = await self._pace.turn(self, first=first)
        self._stats.requests += 1
        sent_at = self._clock.seconds()
        try:
            body = await self._fetcher.get(
                url, max_bytes=max_bytes, params=params, timeout=timeout, fresh=fresh
            )
        except Throttled as error:
            self._stats.throttled += 1
            self._pace.throttled(error.retry_after, ticket)
            raise
        except Unavailable:
            if teaches_depth:
                self._depth.failed()
            raise
        self._pace.ok()
        if teaches_depth:
            self._depth.answered(self._clock.seconds() - sent_at, self._pace.interval)
        return body

    async def decode(self, body: bytes, decode: Callable[[], T]) -> T:
        """What ``decode()`` makes of a body: in its turn among those of all logs, if it is large.

        Raises what that raises.
        """
        if len(body) <= DECODED_AT_ONCE:
            return decode()
        return await self._fetcher.turns.do(decode)

    async def gunzip(self, body: bytes, max_bytes: int) -> bytes:
        """A body that is gzip, unfolded in turns; BadBody if it is broken, cut or too large."""
        return await self._fetcher.turns.work(gunzip(body, max_bytes))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what fails within, by kind; throttling is no failure."""
        try:
            yield
        except Throttled:
            raise
        except FetchError as error:
            self._stats.errors[error.kind] += 1
            if isinstance(error, BadSignature):
                self._stats.bad_signatures += 1
            raise


async def all_of(coroutines: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """Run them at once; their results in order. The first failure cancels the others."""
    running = [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    try:
        return await gatherResults(running, consumeErrors=True)
    except FirstError as error:
        for each in running:
            each.cancel()
        error.subFailure.raiseException()
        raise
