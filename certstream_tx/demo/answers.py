"""How the demonstration logs answer over HTTP: one resource for every call."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from twisted.web.http import NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

FRESH: Final = b"no-store"
"""Cache-Control of heads, which change all the time"""
IMMUTABLE: Final = b"public, max-age=31536000, immutable"
"""Cache-Control of everything that a log can never say otherwise"""
NUMBER: Final = re.compile(rb"[0-9]{1,18}")
"""what fits the signed 64 bits that logs take numbers in"""


class Answer(NamedTuple):
    """A body and what it is."""

    body: bytes
    content_type: bytes
    cache: bytes = FRESH
    encoding: bytes | None = None


class Refusal(Exception):
    """An answer that says why there is none: the status, and one line for people."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Folder(Resource):
    """A part of a path at which there is nothing itself."""

    def __init__(self) -> None:
        Resource.__init__(self)

    def render(self, request: Request) -> bytes:
        request.setResponseCode(NOT_FOUND)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"there is nothing here\n"

    def getChild(self, path: bytes, request: Request) -> Resource:
        """What was not put here is not here."""
        return Folder()


class Call(Resource):
    """Answers GET (and HEAD) with what a function says."""

    isLeaf = True

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        Resource.__init__(self)
        self._answer = answer

    def render_GET(self, request: Request) -> bytes:
        try:
            answer = self._answer(request)
        except Refusal as refusal:
            request.setResponseCode(refusal.status)
            answer = Answer(f"{refusal}\n".encode(), b"text/plain; charset=utf-8")
        headers = request.responseHeaders
        headers.setRawHeaders(b"content-type", [answer.content_type])
        headers.setRawHeaders(b"cache-control", [answer.cache])
        if answer.encoding is not None:
            headers.setRawHeaders(b"content-encoding", [answer.encoding])
            headers.setRawHeaders(b"vary", [b"accept-encoding"])
        return answer.body


def below(request: Request) -> str:
    """What follows a call's own path."""
    return b"/".join(request.postpath or ()).decode("latin-1")


def nothing_below(request: Request) -> None:
    """Refuse a path that goes on where a call's own path ends."""
    if request.postpath:
        raise Refusal(NOT_FOUND, "there is nothing here")


def number(request: Request, name: str, *, least: int = 0) -> int:
    """A parameter that must be a whole number of at least ``least``."""
    values = request.args.get(name.encode(), [])
    if not values:
        raise Refusal(400, f"the parameter {name} is missing")
    if not NUMBER.fullmatch(values[0]) or int(values[0]) < least:
        raise Refusal(400, f"the parameter {name} is not a whole number from {least} on")
    return int(values[0])
