"""Looking up host names in threads that nobody has to wait for."""

from collections.abc import Callable, Sequence
from functools import partial
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    SOCK_DGRAM,
    SOCK_STREAM,
    gaierror,
    getaddrinfo,
)
from threading import Thread
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorThreads,
    IResolutionReceiver,
)
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from certstream_tx.events import logger

log = logger("certstream_tx.ingest.http.name_lookup")

THREADS = 16
"""lookups at the same time: there are some thirty hosts of logs, and each takes milliseconds
unless the name server is ill"""

_FAMILIES = {AF_INET: IPv4Address, AF_INET6: IPv6Address}


@implementer(IHostResolution)
class _Lookup:
    """One name that is being looked up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """The system's lookup cannot be interrupted; its answer will find nobody interested."""


@implementer(IHostnameResolver)
class NameLookup:
    """The system's own lookup (hosts file, name servers) in daemon threads.

    Twisted's is the same but in the reactor's threads, which it joins when it stops: where a name
    server does not answer, the process would then take half a minute to end.
    """

    def __init__(
        self,
        reactor: IReactorThreads,
        lookup: Callable[..., Sequence[tuple[Any, ...]]] = getaddrinfo,
    ) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._pool = ThreadPool(minthreads=0, maxthreads=THREADS, name="names")
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Tell the receiver the addresses of a name; none when it has none or cannot be found."""
        if not self._pool.started:
            self._pool.start()
        wanted = [
            family
            for family, kind in _FAMILIES.items()
            if addressTypes is None or kind in addressTypes
        ]
        family = wanted[0] if len(wanted) == 1 else AF_UNSPEC
        socket_type = SOCK_STREAM if transportSemantics == "TCP" else SOCK_DGRAM
        resolution = _Lookup(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def found(answers: Sequence[tuple[Any, ...]]) -> None:
            for answer_family, _, _, _, address in answers:
                if answer_family in wanted:
                    kind = _FAMILIES[answer_family]
                    resolutionReceiver.addressResolved(kind(transportSemantics, *address))

        def failed(failure: Failure) -> None:
            # A name that cannot even be encoded is as unknown as one that nobody knows.
            failure.trap(gaierror, UnicodeError)

        looking = deferToThreadPool(
            self._reactor, self._pool, self._lookup, hostName, portNumber, family, socket_type
        )
        looking.addCallbacks(found, failed)
        looking.addErrback(lambda failure: log.failure("while a name was looked up", failure))
        looking.addCallback(lambda _: resolutionReceiver.resolutionComplete())
        return resolution
