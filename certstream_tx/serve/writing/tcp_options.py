"""Options of TCP sockets that streams need."""

from contextlib import suppress
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NOTSENT_LOWAT,
    socket,
)
from typing import Any, Final

from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper

IDLE_SECONDS: Final = 60
"""without a byte in either direction until the kernel asks whether the peer is there"""
PROBE_SECONDS: Final = 20
PROBES: Final = 3
"""that go unanswered, until the connection is lost: two minutes after the peer was"""
UNSENT_BYTES: Final = 256 * 1024
"""of one client wait in the kernel, besides what is on its way: two chunks. Without a bound each
slow client takes 4 MB of the kernel's memory, and filling that holds up everybody for a second; and
what it gets is old, for the stream moves on in the ring and not there."""


def prepare(transport: Any) -> None:
    """Send small messages at once, and find peers that are gone and that nothing is heard of.

    Works on the socket below TLS and the PROXY protocol; other kinds of connections have no need.
    """
    found = _tcp_below(transport)
    if found is None:
        return
    connection, handle = found
    with suppress(OSError):  # the peer may be gone already
        connection.setTcpNoDelay(True)
        connection.setTcpKeepAlive(True)
        handle.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, IDLE_SECONDS)
        handle.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, PROBE_SECONDS)
        handle.setsockopt(IPPROTO_TCP, TCP_KEEPCNT, PROBES)


def bound_unsent(transport: Any) -> None:
    """Let the kernel keep little for a client that does not read: the ring has it for all."""
    found = _tcp_below(transport)
    if found is not None:
        with suppress(OSError):
            found[1].setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _tcp_below(transport: Any) -> tuple[Connection, socket] | None:
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if not isinstance(transport, Connection):
        return None
    handle: socket = transport.getHandle()
    return (transport, handle) if handle.family in (AF_INET, AF_INET6) else None
