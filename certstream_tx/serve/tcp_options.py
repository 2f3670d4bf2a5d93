"""Options of TCP sockets that streams need."""

from contextlib import suppress
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
)
from typing import Any, Final

from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper

IDLE_SECONDS: Final = 60
"""without a byte in either direction until the kernel asks whether the peer is there"""
PROBE_SECONDS: Final = 20
PROBES: Final = 3
"""that go unanswered, until the connection is lost: two minutes after the peer was"""


def prepare(transport: Any) -> None:
    """Send small messages at once, and find peers that are gone and that nothing is heard of.

    Works on the socket below TLS and the PROXY protocol; other kinds of connections have no need.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if not isinstance(transport, Connection):
        return
    socket = transport.getHandle()
    if socket.family not in (AF_INET, AF_INET6):
        return
    with suppress(OSError):  # the peer may be gone already
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        socket.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, IDLE_SECONDS)
        socket.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, PROBE_SECONDS)
        socket.setsockopt(IPPROTO_TCP, TCP_KEEPCNT, PROBES)
