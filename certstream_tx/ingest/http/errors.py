"""What can go wrong while a log is read over HTTP: one class for each way to go on afterwards.

``kind`` is a word from a small fixed set, made for counting (``LogStats.errors``); the text is
for the operator. ``certstream_tx.ingest.http.fetch`` gives all of these names as well.
"""

from typing import Final


class FetchError(Exception):
    """A request to a log gave nothing that can be used."""

    kind: str

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    @property
    def reason(self) -> str:
        """What happened, in one line for the operator."""
        return str(self.args[0])


class Throttled(FetchError):
    """The log asked for a slower pace (429, or 503 with Retry-After): pace, never sickness.

    ``retry_after`` is in seconds, already within sane bounds; None when the log did not say.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__("throttled", reason)
        self.retry_after = retry_after


class Unavailable(FetchError):
    """No whole answer came: the log or the way to it is ill. The same request may work later.

    Kinds: ``connect`` (refused, unreachable, name not found, TLS), ``timeout`` (no end of the
    answer in time), ``stalled`` (the answer stood still), ``cut`` (the connection ended within
    it), ``server`` (5xx).
    """

    def __init__(self, kind: str, reason: str, status: int | None = None) -> None:
        super().__init__(kind, reason)
        self.status: Final = status


class Refused(FetchError):
    """The log answered with a status that is neither success nor illness.

    Kinds: ``not_found`` (404, 410), ``redirect`` (3xx: never followed), ``refused`` (all else).
    ``body`` is the begin of what it said, cleaned, for the operator and for telling causes apart.
    """

    def __init__(self, kind: str, reason: str, status: int, body: str = "") -> None:
        super().__init__(kind, reason)
        self.status: Final = status
        self.body: Final = body


class Lagging(FetchError):
    """A replica does not have yet what a signed head promised: ask again, it is no failure."""

    def __init__(self, reason: str) -> None:
        super().__init__("lagging", reason)


class BadBody(FetchError):
    """The answer came whole and is not what the protocol says.

    Kinds: ``too_large``, ``bad_encoding`` (of the content: not the gzip it claims to be),
    ``bad_body`` (not JSON, wrong shape, no entries, too many, a broken tile).
    """

    def __init__(self, reason: str, kind: str = "bad_body") -> None:
        super().__init__(kind, reason)


class BadSignature(FetchError):
    """A head whose signature the log's key does not confirm: never to be used."""

    def __init__(self, reason: str) -> None:
        super().__init__("bad_signature", reason)


class MerkleMismatch(FetchError):
    """What the log gave does not lead to the root that it signed."""

    def __init__(self, reason: str) -> None:
        super().__init__("merkle_mismatch", reason)
