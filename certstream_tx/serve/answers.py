"""Short HTTP answers: documents made on request, and errors as JSON."""

import json
from collections.abc import Callable
from typing import NamedTuple

from twisted.web.http import NO_CONTENT, NOT_ALLOWED, NOT_FOUND, RESPONSES
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from certstream_tx import __version__

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
SERVER = f"certstream-tx/{__version__}".encode("ascii")

UPGRADE_REQUIRED = 426
TOO_MANY_REQUESTS = 429

_METHODS = b"GET, HEAD, OPTIONS"
_MORE_RESPONSES = {
    UPGRADE_REQUIRED: b"Upgrade Required",
    TOO_MANY_REQUESTS: b"Too Many Requests",
}


class Document(NamedTuple):
    """What a path answers with."""

    content_type: bytes
    body: bytes
    status: int = 200


def error_document(text: str) -> bytes:
    """The body of every error."""
    return json.dumps({"error": text}, separators=(",", ":")).encode("ascii")


def answer(request: Request, document: Document) -> bytes | int:
    """Set the head for ``document`` and return the body, which HEAD leaves out."""
    reason = RESPONSES.get(document.status) or _MORE_RESPONSES.get(document.status)
    request.setResponseCode(document.status, reason)
    request.setHeader(b"Server", SERVER)
    request.setHeader(b"Content-Type", document.content_type)
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    request.setHeader(b"Content-Length", b"%d" % len(document.body))
    if request.method != b"HEAD":
        return document.body
    # Returned from render, even an empty body would get a Content-Length of its own.
    request.write(b"")
    request.finish()
    return NOT_DONE_YET


def error(request: Request, status: int, text: str | None = None) -> bytes | int:
    """An error's answer; its text is the status's own when none is given."""
    if text is None:
        text = (RESPONSES.get(status) or _MORE_RESPONSES[status]).decode("ascii")
    return answer(request, Document(JSON, error_document(text), status))


class Node(Resource):
    """A path that may have others below it; what it does not know is a JSON 404."""

    cors = False
    """whether pages of other origins may read it"""

    def is_guarded(self, request: Request) -> bool:
        """Whether the gate is asked first: for everything that does not say otherwise."""
        return True

    def getChild(self, path: bytes, request: Request) -> Resource:
        """No such path."""
        return Nothing()

    def get(self, request: Request) -> bytes | int:
        """Answer GET and HEAD."""
        return error(request, NOT_FOUND)

    def render(self, request: Request) -> bytes | int:
        """Answer by method."""
        request.setHeader(b"Cache-Control", b"no-store")
        if self.cors:
            request.setHeader(b"Access-Control-Allow-Origin", b"*")
        if request.method in (b"GET", b"HEAD"):
            return self.get(request)
        request.setHeader(b"Allow", _METHODS)
        if request.method != b"OPTIONS":
            return error(request, NOT_ALLOWED)
        if self.cors:
            request.setHeader(b"Access-Control-Allow-Methods", _METHODS)
            # The star stands for every header but this one, and tokens may be in any.
            request.setHeader(b"Access-Control-Allow-Headers", b"Authorization, *")
        request.setHeader(b"Server", SERVER)
        request.setResponseCode(NO_CONTENT)
        request.finish()
        return NOT_DONE_YET


class Nothing(Node):
    """What is not there, with all that might be below it."""

    isLeaf = True

    def is_guarded(self, request: Request) -> bool:
        """There is nothing to be guarded."""
        return False

    def render(self, request: Request) -> bytes | int:
        """Not found, whatever the method."""
        return error(request, NOT_FOUND)


class Refused(Node):
    """What somebody gets who is not let in, whatever the path and the method.

    :param cors: whether pages of other origins may read it
    """

    isLeaf = True

    def __init__(self, status: int, header: tuple[bytes, bytes], *, cors: bool = False) -> None:
        super().__init__()
        self._status = status
        self._header = header
        self.cors = cors

    def render(self, request: Request) -> bytes | int:
        """Say why."""
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(*self._header)
        if self.cors:
            request.setHeader(b"Access-Control-Allow-Origin", b"*")
        return error(request, self._status)


class Page(Node):
    """A document made anew for each request."""

    def __init__(
        self, document: Callable[[], Document], *, cors: bool = False, guarded: bool = True
    ) -> None:
        super().__init__()
        self._document = document
        self._guarded = guarded
        self.cors = cors

    def is_guarded(self, request: Request) -> bool:
        """As it was made."""
        return self._guarded

    def get(self, request: Request) -> bytes | int:
        """The document of this moment."""
        return answer(request, self._document())
