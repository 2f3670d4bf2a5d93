"""``python -m tests.soak.faulty_logs SPEC``: many logs, each with a port and a fault of its own.

SPEC is JSON: ``{"rate": entries a second of each log, "size": of each at the start, "logs":
[{"name", "kind", "fault", "entries"}]}``. One line of JSON says where they are. ``/truth`` tells
how large they are and what was asked of them, ``/stop`` ends their growth, ``/grow/9`` adds 9
entries to each. They are what ``certstream_tx.demo`` makes, but for what ``tests.soak.faults`` does
to their answers.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from certstream_tx.demo.answers import Call, Folder, Refusal
from certstream_tx.demo.entries import Entries
from certstream_tx.demo.log import DemoLog
from certstream_tx.demo.rfc6962 import rfc6962
from certstream_tx.demo.service import QuietSite
from certstream_tx.demo.static import static
from certstream_tx.demo.tree import GrowingTree
from tests.ingest.faults import Answer, Cut, Fault, Stall
from tests.soak.faults import FAULTS, OUTAGE

GROWTH_INTERVAL = 0.1
"""seconds"""


class FaultyLog(Resource):
    """One log; every request goes through its fault first."""

    isLeaf = True

    def __init__(
        self, name: str, kind: Any, fault: str, clock: Any, rate: float, entries: str | None = None
    ) -> None:
        """``entries``: a word; logs with the same have the same certificates."""
        super().__init__()
        self.name, self.kind, self.fault_name = name, kind, fault
        self.clock = clock
        self.rate = rate
        self.rng = Random(name)
        self.log = log = DemoLog(kind, seed=name.encode(), clock=clock)
        if entries is not None:
            tiled = kind == "tiled"
            log.entries = Entries(entries.encode(), 0, log._timeline.times, indexed=tiled)
            log.tree = GrowingTree(log.entries.leaf_hashes)
        self.began = clock.seconds()
        self.requests = self.throttled = self.faults = 0
        self._due = 0.0
        make, options = FAULTS[fault]
        self._fault: Callable[[str], Fault] = make(self)
        face = static(self.log) if kind == "tiled" else rfc6962(self.log, **options)
        self._face = face
        self.port: Any = None

    @property
    def age(self) -> float:
        """Seconds since it began."""
        seconds: float = self.clock.seconds() - self.began
        return seconds

    def grow(self, count: float) -> None:
        """So many entries more."""
        self._due += count
        whole = int(self._due)
        self._due -= whole
        if whole:
            self.log.add(whole)

    def honest(self, path: str) -> bytes:
        """What the log itself would answer; empty where it would refuse."""
        call, rest = self._call(path)
        parts = urlsplit(path)
        asked: Any = SimpleNamespace(
            postpath=rest,
            args={k.encode(): [x.encode() for x in v] for k, v in parse_qs(parts.query).items()},
            requestHeaders=Headers({}),
        )
        try:
            return call._answer(asked).body
        except Refusal:
            return b""

    def _call(self, path: str) -> tuple[Call, list[bytes]]:
        node: Any = self._face
        rest = [part.encode() for part in urlsplit(path).path.split("/")]
        while rest and not node.isLeaf:
            node = node.children.get(rest.pop(0)) or Folder()
        return node, rest

    def render_GET(self, request: Request) -> bytes | int:
        path = b"/".join(request.postpath or ()).decode()
        _, _, query = request.uri.decode().partition("?")
        path += f"?{query}" if query else ""
        self.requests += 1
        fault = self._fault(path)
        if fault is None:
            call, request.postpath = self._call(path)
            if isinstance(call, Call):
                return call.render_GET(request)
            request.setResponseCode(404)
            return b""
        self.faults += 1
        return self._misbehave(request, fault)

    def _misbehave(self, request: Request, fault: Answer | Stall | Cut) -> bytes | int:
        for name, value in fault.headers.items():
            request.setHeader(name, value)
        if isinstance(fault, Answer):
            self.throttled += fault.code == 429
            request.setResponseCode(fault.code)
            return fault.body
        if fault.body is not None:
            request.setHeader(b"content-length", b"1000000")
            request.write(fault.body)
        if isinstance(fault, Cut):
            channel: HTTPChannel = request.channel  # type: ignore[assignment]
            channel.loseConnection()
        return NOT_DONE_YET


class _Truth(Resource):
    isLeaf = True

    def __init__(self, logs: list[FaultyLog], growth: task.LoopingCall) -> None:
        super().__init__()
        self._logs = logs
        self._growth = growth

    def render_GET(self, request: Request) -> bytes:
        if request.path == b"/stop" and self._growth.running:
            self._growth.stop()
        if request.path.startswith(b"/grow/"):
            for log in self._logs:
                log.grow(int(request.path[6:]))
        told = {
            each.name: {
                "size": each.log.tree.size,
                "requests": each.requests,
                "throttled": each.throttled,
                "faults": each.faults,
                "root": each.log.tree.root().hex(),
            }
            for each in self._logs
        }
        return json.dumps(told).encode()


def main(reactor: Any, spec: str) -> Deferred[None]:
    """Serve until the process is ended."""
    said = json.loads(spec)
    rate = said["rate"]
    logs = [
        FaultyLog(s["name"], s["kind"], s["fault"], reactor, rate, s.get("entries"))
        for s in said["logs"]
    ]
    for each in logs:
        each.grow(said["size"])
    last = [reactor.seconds()]

    def grow() -> None:
        now = reactor.seconds()
        for each in logs:
            each.grow((now - last[0]) * rate)
        last[0] = now

    growth = task.LoopingCall(grow)
    root = Folder()
    for path in (b"truth", b"stop", b"grow"):
        root.putChild(path, _Truth(logs, growth))
    main_port = _listen(reactor, root, 0)
    known = []
    for each in logs:
        # What one port asks for, all logs behind it get: they would be one operator's.
        alone = Folder()
        alone.putChild(each.name.encode(), each)
        each.port = _listen(reactor, alone, 0)
        port = each.port.getHost().port
        if each.fault_name == "refused":
            _refuse_for_a_while(reactor, each, alone, port)
        known.append(
            {
                "name": each.name,
                "kind": each.kind,
                "fault": each.fault_name,
                "url": f"http://127.0.0.1:{port}/{each.name}",
                "key": b64encode(each.log.key).decode(),
            }
        )
        each.began = reactor.seconds()
    growth.start(GROWTH_INTERVAL, now=False)
    print(json.dumps({"port": main_port.getHost().port, "logs": known}))
    sys.stdout.flush()
    return Deferred()


def _listen(reactor: Any, root: Resource, port: int) -> Any:
    ports: list[Any] = []
    endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
    endpoint.listen(QuietSite(root, reactor)).addCallback(ports.append)
    return ports[0]


def _refuse_for_a_while(reactor: Any, log: FaultyLog, root: Resource, port: int) -> None:
    def stop() -> None:
        log.port.stopListening()
        for channel in list(reactor.getReaders()):
            host = getattr(channel, "getHost", None)
            if host is not None and channel is not log.port and host().port == port:
                channel.abortConnection()

    def again() -> None:
        log.port = _listen(reactor, root, port)

    reactor.callLater(OUTAGE[0], stop)
    reactor.callLater(OUTAGE[1], again)


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
