"""Fetching one URL from a log: bounded in bytes and time, every failure a FetchError."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

from OpenSSL.SSL import Error as TLSError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import GzipDecoder
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from certstream_tx.ingest.http.body import BodyReader, innermost_cause
from certstream_tx.ingest.http.connect_proxy import ProxyError
from certstream_tx.ingest.http.errors import (
    BadBody,
    BadSignature,
    FetchError,
    Lagging,
    MerkleMismatch,
    Refused,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.http.http_client import make_http_client
from certstream_tx.ingest.http.retry_after import parse_retry_after
from certstream_tx.ingest.turns import Turns

__all__ = [
    "BadBody",
    "BadSignature",
    "FetchError",
    "Fetcher",
    "Lagging",
    "MerkleMismatch",
    "Refused",
    "Throttled",
    "Unavailable",
    "make_http_client",
    "parse_retry_after",
]

STALL_TIMEOUT: Final = 15.0
"""Seconds without any data after which a body is given up (or the whole timeout, if shorter)."""

MAX_ERROR_BODY: Final = 2048
"""Bytes of the body of an error answer that are read, for the operator to see."""

_MAX_REASON: Final = 200
"""Characters of such a body in one line of the log."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ufffd]+")


class Fetcher:
    """Fetches from logs over one HTTP client. Follows no redirect, keeps no cookie."""

    def __init__(
        self,
        http: HTTPClient,
        clock: IReactorTime,
        user_agent: str,
        timeout: float,
        stall: float = STALL_TIMEOUT,
        turns: Turns | None = None,
    ) -> None:
        """``timeout``: seconds for a whole request with its body; ``stall``: between its pieces.

        ``turns``: of all logs, of which none may keep the reactor for long; None: of this one's.
        """
        self.turns: Final = turns or Turns(clock)
        self._http = http
        self._clock = clock
        self._headers = Headers({b"User-Agent": [user_agent.encode("utf-8")]})
        self._fresh = self._headers.copy()
        self._fresh.setRawHeaders(b"Cache-Control", [b"no-cache"])
        self._timeout = timeout
        self._stall = stall

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: Mapping[str, str | int] | None = None,
        timeout: float | None = None,
        fresh: bool = False,
    ) -> bytes:
        """The body of a 200 answer, its gzip unfolded, at most ``max_bytes``.

        A ``timeout`` in seconds may shorten the usual one; ``fresh``: caches on the way are to ask
        the log itself. Raises a FetchError for everything
        else. Cancelling closes the connection.
        """
        if params:
            url = f"{url}?{urlencode(params)}"
        timeout = self._timeout if timeout is None else min(timeout, self._timeout)
        deadline = self._clock.seconds() + timeout
        headers = self._fresh if fresh else self._headers
        response, gzip = await self._answer(url, headers, timeout)
        code: int = response.code
        fine = code == 200
        if not fine:
            max_bytes = MAX_ERROR_BODY
        reader = BodyReader(
            self._clock,
            max_bytes=max_bytes,
            gzip=gzip,
            stall=min(self._stall, timeout),
            deadline=deadline,
            turns=self.turns,
            cut_at_limit=not fine,
        )
        refusal = self._refusal(response, max_bytes) if fine else None
        # The reader is connected in any case: only so can the connection be closed.
        response.deliverBody(reader)
        if refusal is not None:
            reader.done.addErrback(lambda _: None)
            reader.done.cancel()
            raise refusal
        if fine:
            return await reader.done
        try:
            said = _clean(await reader.done)
        except FetchError:  # the status alone says enough
            said = ""
        raise self._failed(code, response.headers, said)

    async def _answer(self, url: str, headers: Headers, timeout: float) -> tuple[Any, bool]:
        """The response with its body still to come, as sent, and whether that is gzip."""
        try:
            waiting: Deferred[Any] = self._http.get(
                url,
                headers=headers,
                allow_redirects=False,
                unbuffered=True,
                reactor=cast(Any, self._clock),
            )
        except ValueError as error:
            raise Unavailable("connect", f"not a URL to connect to: {error}") from None
        timer = self._clock.callLater(timeout, waiting.cancel)
        cancelled = False

        def cancel(_: object) -> None:
            nonlocal cancelled
            cancelled = True
            waiting.cancel()

        answered: Deferred[Any] = Deferred(cancel)
        waiting.chainDeferred(answered)
        try:
            response = await answered
        except Exception as error:
            # What a cancelled request fails with does not tell: twisted.web wraps the
            # CancelledError once the request was written, and a name that was being looked up
            # is reported as unknown.
            if cancelled:
                raise CancelledError from None
            if not timer.active():
                raise Unavailable("timeout", f"no answer within {timeout:g} s") from None
            raise _unreachable(error, innermost_cause(error)) from error
        finally:
            if timer.active():
                timer.cancel()
        # treq answers with a wrapper, and with one more where it would decompress without bound.
        original = response.original
        gzip = isinstance(original, GzipDecoder)
        return (original.original if gzip else original), gzip

    def _refusal(self, response: Any, max_bytes: int) -> BadBody | None:
        """Why the body of a 200 answer need not be read."""
        length = response.length
        if isinstance(response, GzipDecoder):
            return BadBody("compressed twice", "bad_encoding")
        for encoding in response.headers.getRawHeaders(b"Content-Encoding", ()):
            if encoding.strip().lower() not in (b"", b"identity"):
                return BadBody(f"unknown content encoding {_clean(encoding)}", "bad_encoding")
        if length != UNKNOWN_LENGTH and length > max_bytes:
            return BadBody(f"{length} bytes announced, {max_bytes} allowed", "too_large")
        return None

    def _failed(self, code: int, headers: Headers, said: str) -> FetchError:
        """The error of an answer that is not 200."""
        reason = f"HTTP {code}" + (f": {said[:_MAX_REASON]}" if said else "")
        retry_after = None
        for value in headers.getRawHeaders(b"Retry-After", ())[:1]:
            retry_after = parse_retry_after(value, self._clock.seconds())
        if code == 429 or (code == 503 and retry_after is not None):
            return Throttled(reason, retry_after)
        if code >= 500:
            return Unavailable("server", reason, code)
        if 300 <= code < 400:
            target = _clean(b" ".join(headers.getRawHeaders(b"Location", ())[:1]))
            return Refused("redirect", f"HTTP {code}: a redirect to {target[:_MAX_REASON]}", code)
        if code in (404, 410):
            return Refused("not_found", reason, code, said)
        return Refused("refused", reason, code, said)


def _unreachable(error: Exception, innermost: BaseException) -> Unavailable:
    """Why there was no answer at all."""
    if isinstance(innermost, TLSError):
        return Unavailable("connect", f"TLS: {_tls_reason(innermost)}")
    reason = str(innermost) or type(innermost).__name__
    if isinstance(error, ProxyError | ConnectError | DNSLookupError | SchemeNotSupported):
        return Unavailable("connect", reason)
    return Unavailable("cut", reason)


def _tls_reason(error: TLSError) -> str:
    try:
        return str(error.args[0][0][2])
    except (IndexError, TypeError):
        return "the connection was not set up"


def _clean(data: bytes) -> str:
    """What a log said, as one line that is safe in a terminal."""
    return _UNPRINTABLE.sub(" ", data.decode("utf-8", "replace")).strip()
