"""Logs to be read in tests: demonstration logs behind a front that can misbehave."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.demo.log import DemoLog, Kind
from certstream_tx.demo.rfc6962 import rfc6962
from certstream_tx.demo.static import static
from certstream_tx.ingest.clients.issuers import IssuerCache
from certstream_tx.ingest.clients.rfc6962 import RFC6962Client
from certstream_tx.ingest.clients.static import StaticClient
from certstream_tx.ingest.http.fetch import Fetcher
from certstream_tx.ingest.pacing.pace import Pace
from certstream_tx.ingest.turns import Turns
from certstream_tx.stats import LogStats
from tests.ingest.faults import Answer, Stall

URL = "https://log.example/2026"


class _Misbehaviour(Resource):
    isLeaf = True

    def __init__(self, answer: Answer | Stall) -> None:
        super().__init__()
        self.answer = answer

    def render_GET(self, request: Request) -> bytes | int:
        answer = self.answer
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        if isinstance(answer, Answer):
            request.setResponseCode(answer.code)
            return answer.body
        request.notifyFinish().addErrback(lambda _: answer.closed.append(request))
        if answer.body is not None:
            request.write(answer.body)
        return NOT_DONE_YET


class Front(Resource):
    """Passes requests on to a log, unless something is queued to be answered first.

    ``rule`` may answer any request (None: the log does); ``next`` answers the next ones.
    """

    def __init__(self, behind: Resource | None = None) -> None:
        super().__init__()
        self.behind = behind or Resource()
        self.next: deque[Answer | Stall | None] = deque()
        self.rule: Callable[[str], Answer | Stall | None] = lambda path: None
        self.asked: list[str] = []
        self.headers: list[Any] = []

    def getChildWithDefault(self, path: bytes, request: Request) -> Resource:
        uri = request.uri.decode("ascii").removeprefix("/2026/")
        self.asked.append(uri)
        self.headers.append(request.requestHeaders)
        answer = self.next.popleft() if self.next else self.rule(uri)
        if answer is not None:
            return _Misbehaviour(answer)
        # The first segment of the path is the year of the shard.
        return self.behind


class AtOnce(Clock):
    """A clock on which whatever is to be in the next turn is now."""

    def callLater(self, when: float, what: Callable[..., object], *a: Any, **kw: Any) -> Any:
        if when:
            return super().callLater(when, what, *a, **kw)
        what(*a, **kw)


class FrontedLog:
    """A demonstration log of ``size`` entries, its front, and all that a client needs."""

    def __init__(self, kind: Kind, size: int, clock: Clock | None = None, **resource: Any) -> None:
        self.clock = clock or Clock()
        self.clock.rightNow = max(self.clock.rightNow, 1_800_000_000.0)
        self.log = DemoLog(kind, seed=b"tests", clock=self.clock, size=size)
        make = rfc6962 if kind == "rfc6962" else static
        self.front = Front(make(self.log, **resource))
        self.agent = RequestTraversalAgent(self.front)
        self.listed = Log(
            name=self.log.name, url=URL, kind=kind, log_id=self.log.log_id, key=self.log.key
        )
        self.stats = LogStats(self.log.name, URL, kind, None, self.listed.log_id_base64)
        self.fetcher = Fetcher(
            HTTPClient(self.agent),
            self.clock,
            "tests (a@b.example)",
            30.0,
            turns=Turns(AtOnce() if clock is None else clock),
        )
        self.pace = Pace(self.clock, 0.0)

    def asked(self) -> list[str]:
        """The requests since this was called last."""
        asked = list(self.front.asked)
        self.front.asked.clear()
        return asked

    def head(self, size: int | None = None) -> SignedHead:
        """A head of the log (not signed when it is not the newest)."""
        if size is None:
            return self.log.head()
        return SignedHead(size, 0, self.log.tree.root(size), b"")

    def rfc6962(self, batch_size: int = 256, depth: int = 4) -> RFC6962Client:
        """A client for it."""
        return RFC6962Client(
            self.listed, self.fetcher, self.pace, self.clock, self.stats, batch_size, depth
        )

    def static(
        self, partial_wait: float = 15.0, depth: int = 4, issuers: IssuerCache | None = None
    ) -> StaticClient:
        """A client for it."""
        return StaticClient(
            self.listed,
            self.fetcher,
            self.pace,
            self.clock,
            self.stats,
            issuers or IssuerCache(self.clock),
            partial_wait,
            depth,
        )

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """The truth about its entries."""
        return self.log.entries.leaf_hashes(start, end)


def pieces(body: bytes, size: int) -> Iterable[bytes]:
    """``body`` in pieces of ``size`` bytes."""
    return (body[start : start + size] for start in range(0, len(body), size))
