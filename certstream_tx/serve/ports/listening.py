"""One listening port, described by an endpoint string, that exists or ends the program."""

from contextlib import suppress
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from certstream_tx.config.texts import brings_tls
from certstream_tx.events import logger
from certstream_tx.start_error import StartError

log = logger("certstream_tx.serve")

BACKLOG = 1024
"""connections that wait to be accepted, where the endpoint string does not say: Twisted's own 50
are too few for clients that all come back at once"""

_WITH_BACKLOG = ("tcp:", "tcp6:", "ssl:", "tls:", "unix:", "haproxy:")
"""kinds of endpoints that take one (what `haproxy` wraps may not: then it is left out)"""


class Schemes(NamedTuple):
    """How the addresses of ports of one kind begin."""

    plain: str
    secure: str


HTTP = Schemes("http", "https")
LINES = Schemes("tcp", "tls")


class ListenError(StartError):
    """An endpoint cannot be listened on; the text names it and why."""


class Listening(Service):
    """Listens on an endpoint while it runs, and says where.

    Twisted's own service for this goes on without a port when it cannot be had, or says so with a
    traceback; and it does not tell which port it got where any free one was asked for.
    """

    def __init__(
        self,
        description: str,
        factory: IProtocolFactory,
        reactor: Any,
        tls: IOpenSSLServerConnectionCreator | None = None,
        schemes: Schemes = HTTP,
    ) -> None:
        """With ``tls``, that is spoken on it. Raises ListenError when the string means nothing."""
        self.description = description
        self._schemes = schemes
        self._secure = tls is not None or brings_tls(description)
        if tls is not None:
            factory = TLSMemoryBIOFactory(tls, False, factory, clock=reactor)
        self._factory = factory
        self._port: IListeningPort | None = None
        try:
            self._endpoint = _endpoint(reactor, description)
        except Exception as error:  # each kind of endpoint has errors of its own
            raise ListenError(_text(description, _reason(error))) from error

    @property
    def address(self) -> str:
        """Where it listens, as a URL where there is one; empty before it does."""
        if self._port is None:
            return ""
        host = self._port.getHost()
        scheme = self._schemes.secure if self._secure else self._schemes.plain
        if isinstance(host, IPv4Address):
            return f"{scheme}://{host.host}:{host.port}/"
        if isinstance(host, IPv6Address):
            return f"{scheme}://[{host.host}]:{host.port}/"
        if isinstance(host, UNIXAddress) and host.name is not None:
            return str(host.name.decode("utf-8", "replace"))
        return self.description

    def privilegedStartService(self) -> None:
        """Bind. Raises ListenError when that cannot be done now."""
        super().privilegedStartService()
        outcome: list[IListeningPort | Failure] = []
        self._endpoint.listen(self._factory).addBoth(outcome.append)
        # Every server endpoint there is binds at once; one that did not would be a port that
        # nobody knows whether it came to be.
        if not outcome:
            raise ListenError(_text(self.description, "it does not bind at once"))
        (port,) = outcome
        if isinstance(port, Failure):
            reason = _reason(port.value) if port.value else "no reason was given"
            raise ListenError(_text(self.description, reason)) from port.value
        self._port = port

    def startService(self) -> None:
        """Bind, unless that was done with privileges before, and say where."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()
        log.info("Listening on {address}", address=self.address)

    def stopService(self) -> "Deferred[None] | None":
        """Take no more connections; those that there are stay."""
        super().stopService()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()


def _endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """The endpoint, with a backlog that is long enough. Raises whatever its kind raises."""
    if description.startswith(_WITH_BACKLOG) and ":backlog=" not in description:
        # It may have one by position, or none at all, or be wrong: then it says so itself below.
        with suppress(Exception):
            longer: IStreamServerEndpoint = serverFromString(
                reactor, f"{description}:backlog={BACKLOG}"
            )
            return longer
    endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    return endpoint


def _text(description: str, reason: str) -> str:
    # The reason first: of a daemon's last words its terminal is shown 100 bytes.
    return f"cannot listen ({reason}) on {description}"


def _reason(error: BaseException) -> str:
    if isinstance(error, CannotListenError):
        cause = error.socketError
        return str(getattr(cause, "strerror", None) or cause)
    return str(error) or type(error).__name__
