"""Reading one HTTP body: bounded in bytes and in time, and really gone when it is given up.

Neither Twisted nor treq closes the connection when the reading of a body is cancelled, and neither
bounds what gzip unfolds to, so this protocol does both. What unfolds to much does so in turns.
"""

from collections.abc import Generator
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from certstream_tx.ingest.http.errors import BadBody, FetchError, Unavailable
from certstream_tx.ingest.http.gzip_stream import SLICE, GzipStream, too_large
from certstream_tx.ingest.turns import Turns

_SMALL_PIECE: Final = 4096
"""Bytes. Smaller pieces are put together: kept apart, each costs more than it holds."""

_JOINED_PIECES: Final = 64 * 1024
"""Bytes of small pieces put together before a new heap of them is begun."""

_AT_ONCE: Final = 64 * 1024
"""Bytes that are unfolded as they come; the rest waits for its turn."""

_PACKING: Final = 64 * 1024
"""Bytes by which gzip may be larger than what it holds."""


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
        turns: Turns,
        cut_at_limit: bool = False,
    ) -> None:
        """``stall`` in seconds between two pieces; ``deadline`` is a time of ``clock``."""
        self.done: Deferred[bytes] = Deferred(self._cancelled)
        self._clock = clock
        self._max_bytes = max_bytes
        self._stall = stall
        self._deadline = deadline
        self._cut_at_limit = cut_at_limit
        self._gzip = GzipStream() if gzip else None
        self._turns = turns
        self._packed = 0
        self._unfolding: Deferred[None] | None = None
        self._ended = False
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
        if self._gzip is None:
            self._take(data)
            return
        self._gzip.feed(data)
        self._packed += len(data)
        if self._packed > self._max_bytes + _PACKING:
            self._give_up(too_large(self._max_bytes))
        elif self._unfolding is None:
            self._unfold(self._gzip, _AT_ONCE)
            if self._gzip.waiting and not self._finished:
                unfolding = self._turns.unfold(self._unfold_on(self._gzip))
                unfolding.addErrback(lambda failure: failure.trap(CancelledError))
                self._unfolding = None if unfolding.called else unfolding

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the body, or of the connection within it."""
        if self._finished:
            return
        # A body that only the end of the connection ends (PotentialDataLoss) may be whole: what
        # reads it will see.
        if reason.check(ResponseDone, PotentialDataLoss) is None:
            cause = innermost_cause(reason.value or ConnectionDone())
            self._give_up(Unavailable("cut", f"the connection ended in the answer: {cause}"))
        elif self._unfolding is not None:
            self._ended = True
            self._stop_watching()
        else:
            self._end()

    def _unfold(self, stream: GzipStream, most: int) -> None:
        try:
            self._take(stream.unfold(min(most, self._max_bytes - self._size + 1)))
        except BadBody as error:
            self._give_up(error)

    def _unfold_on(self, stream: GzipStream) -> Generator[None, None, None]:
        """What there is by now, a slice in each turn."""
        while stream.waiting and not self._finished:
            self._unfold(stream, SLICE)
            self._heard = self._clock.seconds()
            yield
        self._unfolding = None
        if self._ended and not self._finished:
            self._end()

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if len(data) >= _SMALL_PIECE:
            self._pieces.append(data)
        elif data:
            self._join_small(data)
        if self._size > self._max_bytes:
            if self._cut_at_limit:
                self._finish(b"".join(self._pieces)[: self._max_bytes])
                self._close()
            elif self._gzip is not None:
                self._give_up(too_large(self._max_bytes))
            else:
                self._give_up(BadBody(f"more than {self._max_bytes} bytes", "too_large"))

    def _end(self) -> None:
        try:
            if self._gzip is not None:
                self._gzip.end()
        except BadBody as error:
            self._give_up(error)
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
        self._stop_watching()
        if self._unfolding is not None:
            self._unfolding.cancel()

    def _stop_watching(self) -> None:
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
