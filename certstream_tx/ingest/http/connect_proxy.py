"""A way through an HTTP proxy (CONNECT, RFC 9110, section 9.3.6).

What comes out at its end is a connection as any other: TLS is spoken, and certificates are
verified, with the host itself. The proxy looks the host's name up; here only its own is.
"""

import re
from http import HTTPStatus
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from certstream_tx.ingest.http.proxies import Proxy

ANSWER_TIMEOUT: Final = 15.0
"""Seconds for the proxy to reach the host: it has a name to look up, and a connection to make."""

MAX_ANSWER: Final = 8192
"""Bytes of the head of its answer. Proxies send some hundred."""

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")


class ProxyError(Exception):
    """The proxy opened no way to the host; the text says why, and what may help."""


class _Tunnel(Protocol):
    """Asks for a way through; once it is open, does nothing but pass on what comes."""

    inner: Any = None
    """who talks with the host"""

    def __init__(self, way: "_Way") -> None:
        self._way = way
        self._answer = b""

    def connectionMade(self) -> None:
        self._way.begun(self)
        transport: Any = self.transport
        transport.write(self._way.request)

    def dataReceived(self, data: bytes) -> None:
        if self.inner is not None:
            self.inner.dataReceived(data)
        elif not self._way.over:
            self._answer += data
            end = _END.search(self._answer, 0, MAX_ANSWER)
            if end is not None:
                self._way.answered(self, self._answer[: end.end()], self._answer[end.end() :])
            elif len(self._answer) >= MAX_ANSWER:
                self._way.failed("does not come to the end of its answer")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.inner is not None:
            self.inner.connectionLost(reason)
        else:
            how = "TLS with it failed" if reason.check(SSL.Error) else "hung up"
            self._way.failed(f"gave no answer: {how}")


class _Way:
    """One attempt: to the proxy, then through it."""

    def __init__(
        self, proxy: Proxy, target: str, factory: IProtocolFactory, clock: IReactorTime
    ) -> None:
        self.opened: Deferred[IProtocol] = Deferred(self._cancelled)
        self.over = False
        self._proxy = proxy
        self._target = target
        self._factory = factory
        self._clock = clock
        self._tunnel: _Tunnel | None = None
        self._timer: IDelayedCall | None = None
        self._connecting: Deferred[Any] | None = None
        lines = [f"CONNECT {target} HTTP/1.1".encode(), b"Host: " + target.encode()]
        if proxy.authorization is not None:
            lines.append(b"Proxy-Authorization: " + proxy.authorization)
        self.request: Final = b"\r\n".join([*lines, b"", b""])

    def begin(self, endpoint: IStreamClientEndpoint) -> None:
        """Connect to the proxy."""
        self._connecting = endpoint.connect(_Tunnels(self))
        self._connecting.addErrback(self._unreachable)

    def begun(self, tunnel: _Tunnel) -> None:
        """The proxy is there, and is being asked."""
        self._tunnel = tunnel
        self._timer = self._clock.callLater(
            ANSWER_TIMEOUT, self.failed, f"did not answer within {ANSWER_TIMEOUT:g} s"
        )

    def _unreachable(self, failure: Failure) -> None:
        self.failed(f"cannot be reached: {str(failure.value).rstrip('.')}")

    def answered(self, tunnel: _Tunnel, head: bytes, rest: bytes) -> None:
        """The head of the answer is there, and perhaps some of what the host says."""
        status = _STATUS.match(head)
        if status is None:
            self.failed("does not answer as an HTTP proxy")
        elif status[1][:1] != b"2":
            self.failed(self._refusal(int(status[1])))
        else:
            inner: Any = self._factory.buildProtocol(tunnel.transport.getPeer())  # type: ignore[union-attr]
            self._finish()
            tunnel.inner = inner
            inner.makeConnection(tunnel.transport)
            self.opened.callback(inner)
            if rest:
                inner.dataReceived(rest)

    def _refusal(self, status: int) -> str:
        # Nothing that the proxy wrote: some repeat the request, and with it the password.
        said = f"HTTP {status} {_PHRASES.get(status, '')}".rstrip()
        if status >= 500:
            return f"could not reach it: {said}"
        text = f"refused: {said}"
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            given = (
                "another user and password" if self._proxy.authorization else "user and password"
            )
            variable = self._proxy.variable
            return f"{text}; it wants {given}: {variable}=http://user:password@host:port"
        return f"{text}; let it allow this, or reach the host without it (NO_PROXY)"

    def failed(self, why: str) -> None:
        """Give up; ``why`` goes on from the proxy's name."""
        if self.over:
            return
        self._finish()
        self._close()
        text = f"the proxy {self._proxy.name}, asked for {self._target}, {why}"
        self.opened.errback(Failure(ProxyError(text)))

    def _cancelled(self, _: object) -> None:
        self._finish()
        self._close()

    def _finish(self) -> None:
        self.over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _close(self) -> None:
        if self._tunnel is not None:
            transport: Any = self._tunnel.transport
            transport.abortConnection()
        elif self._connecting is not None:
            self._connecting.cancel()


class _Tunnels(Factory):
    """Makes the one protocol of one attempt."""

    noisy = False

    def __init__(self, way: _Way) -> None:
        self._way = way

    def buildProtocol(self, addr: Any) -> _Tunnel:
        return _Tunnel(self._way)


@implementer(IStreamClientEndpoint)
class ConnectProxyEndpoint:
    """Connects to a host by way of a proxy.

    Fails with a ProxyError that names the proxy, never what it was told about who asks.

    :param endpoint: the proxy's
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        proxy: Proxy,
        host: str,
        port: int,
        clock: IReactorTime,
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._clock = clock

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":
        """Gives the protocol of ``protocolFactory`` once the way is open."""
        way = _Way(self._proxy, self._target, protocolFactory, self._clock)
        way.begin(self._endpoint)
        return way.opened
