"""Reading one HTTP body: bounded in bytes and in time, and really gone when it is given up.

Neither Twisted nor treq closes the connection when the reading of a body is cancelled, and neither
bounds what gzip unfolds to, so this protocol does both.
"""

import zlib
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from certstream_tx.ingest.http.errors import BadBody, FetchError, Unavailable

_SMALL_PIECE: Final = 4096
"""Bytes. Smaller pieces are put together: kept apart, each costs more than it holds."""

_JOINED_PIECES: Final = 64 * 1024
"""Bytes of small pieces put together before a new heap of them is begun."""

_GZIP: Final = 16 + zlib.MAX_WBITS

GZIP_MAGIC: Final = b"\x1f\x8b"


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """One whole gzip stream, unfolded; BadBody if it is broken, cut or too large."""
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise BadBody(f"not gzip: {error}", "bad_encoding") from None
    if len(plain) > max_bytes:
        raise BadBody(f"more than {max_bytes} bytes when decompressed", "too_large")
    if not stream.eof or stream.unused_data:
        raise BadBody("the gzip stream does not end where the body ends", "bad_encoding")
    return plain


class BodyReader(Protocol):
    """Collects a body for ``done``, which fires with its bytes or fails with a FetchError.

    Cancelling ``done`` closes the connection, as does every failure. With ``cut_at_limit`` a body
    that is too large gives its first ``max_bytes`` bytes instead of failing.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        max_bytes: int,
        gzip: bool,
        stall: float,
        deadline: float,
        cut_at_limit: bool = False,
    ) -> None:
        """``stall`` in seconds between two pieces; ``deadline`` is a time of ``clock``."""
        self.done: Deferred[bytes] = Deferred(self._cancelled)
        self._clock = clock
        self._max_bytes = max_bytes
        self._stall = stall
        self._deadline = deadline
        self._cut_at_limit = cut_at_limit
        self._gunzip = zlib.decompressobj(_GZIP) if gzip else None
        self._size = 0
        self._pieces: list[bytes | bytearray] = []
        self._finished = False
        self._heard = clock.seconds()
        self._watch: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._heard = self._clock.seconds()
        self._look_again()

    def dataReceived(self, data: bytes) -> None:
        if self._finished:
            return
        self._heard = self._clock.seconds()
        if self._gunzip is not None:
            try:
                data = self._gunzip.decompress(data, self._max_bytes - self._size + 1)
            except zlib.error as error:
                self._give_up(BadBody(f"not gzip: {error}", "bad_encoding"))
                return
        self._size += len(data)
        if len(data) >= _SMALL_PIECE:
            self._pieces.append(data)
        elif data:
            self._join_small(data)
        if self._size > self._max_bytes:
            if self._cut_at_limit:
                self._finish(b"".join(self._pieces)[: self._max_bytes])
                self._close()
            else:
                self._give_up(BadBody(f"more than {self._max_bytes} bytes", "too_large"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the body, or of the connection within it."""
        if self._finished:
            return
        # A body that only the end of the connection ends (PotentialDataLoss) may be whole: what
        # reads it will see.
        if reason.check(ResponseDone, PotentialDataLoss) is None:
            cause = innermost_cause(reason.value or ConnectionDone())
            self._give_up(Unavailable("cut", f"the connection ended in the answer: {cause}"))
        elif self._gunzip is not None and not (self._gunzip.eof and not self._gunzip.unused_data):
            self._give_up(
                BadBody("the gzip stream does not end where the body ends", "bad_encoding")
            )
        else:
            self._finish(b"".join(self._pieces))

    def _join_small(self, data: bytes) -> None:
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, bytearray) and len(last) < _JOINED_PIECES:
            last += data
        else:
            self._pieces.append(bytearray(data))

    def _look_again(self) -> None:
        # One timer that looks when it must, instead of one that every piece of data sets back.
        now = self._clock.seconds()
        if now >= self._deadline:
            self._give_up(Unavailable("timeout", "the answer took too long"))
        elif now >= self._heard + self._stall:
            self._give_up(Unavailable("stalled", f"no data for {self._stall:g} s in the answer"))
        else:
            due = min(self._deadline, self._heard + self._stall)
            self._watch = self._clock.callLater(max(due - now, 0.001), self._look_again)

    def _finish(self, body: bytes) -> None:
        self._stop()
        self.done.callback(body)

    def _give_up(self, error: FetchError) -> None:
        self._stop()
        self._close()
        self.done.errback(Failure(error))

    def _cancelled(self, _: Deferred[bytes]) -> None:
        self._stop()
        self._close()

    def _stop(self) -> None:
        self._finished = True
        self._pieces = []
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        self._watch = None

    def _close(self) -> None:
        # Of the ways to let go that a body's transport offers, only this one also closes a TLS
        # connection whose peer no longer answers: loseConnection waits for the peer's farewell.
        transport = self.transport
        if transport is not None:
            producer: IPushProducer = transport  # type: ignore[assignment]
            producer.stopProducing()


def innermost_cause(error: BaseException) -> BaseException:
    """What a failure of twisted.web's client comes from; it wraps its causes in lists."""
    while causes := getattr(error, "reasons", None):
        error = causes[0].value
    return error
