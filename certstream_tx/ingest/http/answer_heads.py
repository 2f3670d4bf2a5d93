"""A bound on the head of an HTTP answer: Twisted's client takes any number of header lines."""

import re
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

MAX_ANSWER_HEAD: Final = 64 * 1024
"""Bytes of status and header lines before a body; logs and their caches send 1 KB."""

MAX_INTERIM: Final = 3
"""Interim answers (100 Continue, 103 Early Hints) to one request. None is asked for, and each is a
line in Twisted's log: a log could fill the disk with them."""

_END: Final = re.compile(rb"\n\r?\n")

_STATUS: Final = len(b"HTTP/1.1 1")


class BoundedHead(ProtocolWrapper):
    """Closes a connection on which a head exceeds its bound after a request was written."""

    _in_body = False
    _count = 0
    _interims = 0
    _start = b""
    _tail = b""

    def write(self, data: bytes) -> None:
        self._expect_head()
        transport: Any = self.transport
        transport.write(data)

    def writeSequence(self, data: Any) -> None:
        self._expect_head()
        transport: Any = self.transport
        transport.writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        if not self._in_body and not self._within_bound(data):
            self.abortConnection()
            return
        client: Any = self.wrappedProtocol
        client.dataReceived(data)

    def _expect_head(self) -> None:
        self._in_body = False
        self._count = self._interims = 0
        self._start = self._tail = b""

    def _within_bound(self, data: bytes) -> bool:
        """Take note of a piece that begins in a head: whether what came of it is not too much."""
        while data:
            self._start += data[: _STATUS - len(self._start)]
            seen = self._tail + data
            end = _END.search(seen)
            if end is None:
                self._count += len(data)
                self._tail = seen[-2:]
                break
            used = end.end() - len(self._tail)
            self._count += used
            interim = self._start.endswith(b" 1")  # 100 Continue and the like: one more head
            self._start = self._tail = b""
            if not interim:
                self._in_body = True
                break
            self._interims += 1
            data = data[used:]
        return self._count <= MAX_ANSWER_HEAD and self._interims <= MAX_INTERIM


@implementer(IStreamClientEndpoint)
class BoundedHeads:
    """An endpoint like another one, whose connections bound the heads of answers."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":
        """As that of the endpoint within; gives the protocol of ``protocolFactory`` itself."""
        factory: WrappingFactory[BoundedHead] = WrappingFactory(protocolFactory)
        factory.protocol = BoundedHead
        # One event for each connection to a log is nothing an operator could use.
        factory.noisy = False
        if isinstance(protocolFactory, Factory):
            protocolFactory.noisy = False
        connected: Deferred[Any] = self._endpoint.connect(factory)
        return connected.addCallback(lambda bounded: bounded.wrappedProtocol)
