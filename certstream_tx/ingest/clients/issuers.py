"""Issuer certificates of static-ct-api logs, by fingerprint: fetched once, checked, remembered."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.ingest.http.errors import FetchError, Throttled, Unavailable

log = logger("certstream_tx.issuers")

MAX_ISSUER: Final = 64 * 1024
"""Bytes of one issuer certificate; real ones have 1 to 3 KB."""

MAX_COUNT: Final = 8192
MAX_BYTES: Final = 16 * 1024 * 1024
"""What is remembered for all logs together. About 2,000 issuers are in use, 4 MB."""

TRIES: Final = 2
"""Requests for one issuer, throttled ones not counted, before its chains are left short."""

THROTTLED_TRIES: Final = 5
"""Throttled requests for one issuer before its chains are left short."""

MISSING_FOR: Final = 300.0
"""Seconds during which an issuer that could not be had is not asked for again."""

TELL_AGAIN: Final = 600.0
"""Seconds between two warnings about issuers of one log; the counter goes on meanwhile."""

MAX_MISSING: Final = 4096
"""Issuers remembered as missing; the oldest are forgotten first."""

Fetch = Callable[[bytes], Awaitable[bytes]]
"""Gives the body of an issuer for its fingerprint, or raises a FetchError."""


class IssuerCache:
    """Shared by all logs: a certificate is known by its hash, wherever it came from."""

    def __init__(
        self, clock: IReactorTime, max_count: int = MAX_COUNT, max_bytes: int = MAX_BYTES
    ) -> None:
        self._clock = clock
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        # By log and fingerprint: what one log does not have another may.
        self._missing: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._in_flight: dict[tuple[str, bytes], _Flight] = {}
        self._told: dict[str, float] = {}  # when, by log
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def size(self) -> int:
        """Bytes of the certificates that are remembered."""
        return self._bytes

    def known(self, fingerprint: bytes) -> bytes | None:
        """The certificate, if it is remembered; counts as its use."""
        issuer = self._known.get(fingerprint)
        if issuer is not None:
            self.hits += 1
            self._known.move_to_end(fingerprint)
        return issuer

    async def get(self, fingerprint: bytes, source: str, fetch: Fetch) -> bytes | None:
        """The certificate with this SHA-256, or None when ``source`` does not give it.

        ``source`` names where ``fetch`` looks. Calls for the same one at the same time share one
        request, which ends when the last of them is cancelled.
        """
        issuer = self.known(fingerprint)
        if issuer is not None:
            return issuer
        self.misses += 1
        key = (source, fingerprint)
        missing_until = self._missing.get(key)
        if missing_until is not None:
            # Or later than it can be, when the clock was set back.
            if 0 < missing_until - self._clock.seconds() <= MISSING_FOR:
                return None
            del self._missing[key]
        flight = self._in_flight.get(key)
        if flight is None:
            flight = self._in_flight[key] = _Flight()
            flight.start(self._fetch(key, fetch))
        return await flight.join()

    async def _fetch(self, key: tuple[str, bytes], fetch: Fetch) -> bytes | None:
        try:
            return await self._try(key, fetch)
        finally:
            del self._in_flight[key]

    async def _try(self, key: tuple[str, bytes], fetch: Fetch) -> bytes | None:
        source, fingerprint = key
        tries = throttled = 0
        reason = ""
        while tries < TRIES and throttled < THROTTLED_TRIES:
            try:
                issuer = await fetch(fingerprint)
            except Throttled as error:  # the pace holds the next try back
                throttled += 1
                reason = error.reason
            except Unavailable as error:
                tries += 1
                reason = error.reason
            except FetchError as error:
                reason = error.reason
                break
            else:
                reason = _wrong(issuer, fingerprint)
                if not reason:
                    self._remember(fingerprint, issuer)
                    return issuer
                tries += 1
        now = self._clock.seconds()
        tell = log.debug
        if abs(now - self._told.get(source, 0.0)) >= TELL_AGAIN:
            self._told[source] = now
            tell = log.warn
        tell(
            "No issuer {fingerprint} from {source}, chains that need it are short: {reason}",
            fingerprint=fingerprint.hex(),
            source=source,
            reason=reason,
        )
        self._missing[key] = now + MISSING_FOR
        if len(self._missing) > MAX_MISSING:
            self._missing.popitem(last=False)
        return None

    def _remember(self, fingerprint: bytes, issuer: bytes) -> None:
        if fingerprint in self._known:
            return
        self._known[fingerprint] = issuer
        self._bytes += len(issuer)
        while len(self._known) > self._max_count or self._bytes > self._max_bytes:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= len(oldest)


class _Flight:
    """One fetch that several wait for."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[bytes | None]] = []
        self._over = False
        self._result: bytes | Failure | None = None
        self._work: Deferred[None] | None = None

    def start(self, work: Coroutine[Deferred[Any], Any, bytes | None]) -> None:
        """Begin; it may be over at once."""
        self._work = Deferred.fromCoroutine(work).addBoth(self._land)

    async def join(self) -> bytes | None:
        """Wait for its result; the last one to be cancelled here cancels it."""
        waiter: Deferred[bytes | None] = Deferred(self._leave)
        if self._over:
            waiter.callback(self._result)
        else:
            self._waiting.append(waiter)
        return await waiter

    def _land(self, result: bytes | Failure | None) -> None:
        self._over = True
        self._result = result
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(result)

    def _leave(self, waiter: "Deferred[bytes | None]") -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            if not self._waiting and self._work is not None:
                self._work.cancel()


def _wrong(issuer: bytes, fingerprint: bytes) -> str:
    """Why this cannot be the issuer; empty when it is."""
    if sha256(issuer).digest() != fingerprint:
        return "another certificate came"
    # Fingerprints are not covered by the tree: a blob is no certificate because its hash is right.
    if issuer[:1] != b"\x30":
        return "what came is no certificate"
    return ""
