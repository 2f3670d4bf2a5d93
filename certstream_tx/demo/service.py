"""The demonstration logs as a service: they listen on the loopback interface and grow."""

import os
from collections.abc import Sequence
from typing import Final

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from certstream_tx.ct.log_list import Log
from certstream_tx.demo.answers import Folder
from certstream_tx.demo.log import KINDS, DemoLog, Kind
from certstream_tx.demo.log_list import SignedLogList, listed
from certstream_tx.demo.rfc6962 import MAX_ENTRIES, rfc6962
from certstream_tx.demo.static import static
from certstream_tx.events import logger

events = logger("certstream_tx.demo")

RATE: Final = 20.0
"""entries a second of all logs together"""
SIZE: Final = 300
"""entries of each log at its start: a full tile, a partial one, and a second level"""
SEED_SIZE: Final = 32
GROWTH_INTERVAL: Final = 0.1
"""seconds between two looks at the clock: more often would only cost idle time"""


class QuietSite(Site):
    """A site that writes no access log, and no noise when it starts and stops."""

    noisy = False

    def __init__(self, root: Resource, reactor: IReactorTime) -> None:
        Site.__init__(self, root, reactor=reactor)

    def log(self, request: Request) -> None:
        """Say nothing: the pollers' own counters tell of their requests."""


class DemoLogs(Service):
    """One log of each kind behind one HTTP port, growing for as long as the service runs.

    They live in memory and are other logs at each start, so that a position in one of them is worth
    nothing later: keep it out of any state file. The exception is a start with the ``seed``,
    ``began``, ``rate`` and ``size`` of an earlier one, see ``DemoLog``.
    """

    name = "demonstration logs"

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        rate: float = RATE,
        size: int = SIZE,
        kinds: Sequence[Kind] = KINDS,
        seed: bytes | None = None,
        began: int | None = None,
        endpoint: IStreamServerEndpoint | None = None,
        address: str = "http://127.0.0.1",
        max_entries: int = MAX_ENTRIES,
        align: bool = True,
        growth_interval: float = GROWTH_INTERVAL,
    ) -> None:
        """``rate``: entries a second, all logs together; ``size``: of each log at the start.

        ``endpoint`` (a free port of 127.0.0.1 by default) is reached at ``address`` and its port.
        ``max_entries`` and ``align`` are about get-entries, see ``rfc6962``. What is due is added
        every ``growth_interval`` seconds.
        """
        self._endpoint = endpoint or TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        self._reactor = reactor
        self._address = address
        self._port: IListeningPort | None = None
        seed = os.urandom(SEED_SIZE) if seed is None else seed
        began = int(reactor.seconds() * 1000) if began is None else began
        self.demo_logs = tuple(
            DemoLog(kind, seed=seed, clock=reactor, rate=rate / len(kinds), size=size, began=began)
            for kind in kinds
        )
        self._root = Folder()
        for log in self.demo_logs:
            face = (
                static(log)
                if log.kind == "tiled"
                else rfc6962(log, max_entries=max_entries, align=align)
            )
            self._root.putChild(_path(log.kind).encode(), face)
        self._growth_interval = growth_interval
        self._growth = LoopingCall(self._grow)
        self._growth.clock = reactor
        self.logs: tuple[Log, ...] = ()
        """the logs as a list of logs has them, once the service listens"""
        self.log_list_url = ""
        """the signed list of them; ``.sig`` and ``_pubkey.pem`` stand beside it"""

    def startService(self) -> None:
        """Listen and begin to grow; a port that cannot be had raises its error here."""
        Service.startService(self)
        failures: list[Failure] = []
        site = QuietSite(self._root, self._reactor)
        self._endpoint.listen(site).addCallback(self._listening).addErrback(failures.append)
        if failures:
            self.running = 0
            failures[0].raiseException()

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        host = port.getHost()
        assert isinstance(host, IPv4Address | IPv6Address), "the logs need a port"
        base = f"{self._address}:{host.port}"
        self.logs = tuple(listed(log, f"{base}/{_path(log.kind)}") for log in self.demo_logs)
        SignedLogList(self.logs, self._reactor.seconds()).add_to(self._root)
        self.log_list_url = f"{base}/log_list.json"
        self._growth.start(self._growth_interval, now=False)
        for log in self.logs:
            events.info("{name} at {url}/", name=log.name, url=log.url)

    def stopService(self) -> Deferred[None] | None:
        """Stop growing and listening; the logs stay as they are."""
        Service.stopService(self)
        self.stop_growth()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def stop_growth(self) -> None:
        """Stand still from now on, and go on to answer."""
        if self._growth.running:
            self._growth.stop()

    def _grow(self) -> None:
        for log in self.demo_logs:
            log.grow()


def _path(kind: Kind) -> str:
    """Where a log stands below the port."""
    return "static" if kind == "tiled" else kind
