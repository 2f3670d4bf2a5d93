"""Which writer a connection gets, and what it goes through."""

from typing import Any, cast

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.tcp import Connection
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.policies import ProtocolWrapper

from certstream_tx.serve.writing import tcp_options
from certstream_tx.serve.writing.buffered_writer import BufferedWriter
from certstream_tx.serve.writing.socket_writer import SocketTransport, SocketWriter
from certstream_tx.serve.writing.writer import ClientTransport, Writer


def writer_for(transport: ClientTransport) -> Writer:
    """The writer for this kind of connection, whose kernel is told to keep little for it.

    Never chosen by what attributes a transport has: wrappers pass unknown ones on to the socket's
    transport below them, and plaintext would go out beside the ciphertext.
    """
    tcp_options.bound_unsent(transport)
    below: object = transport
    if isinstance(transport, HAProxyProtocolWrapper):
        # It reads the line that comes before everything, and passes on what is written as it is.
        below = transport.transport
    if isinstance(below, Connection) and not ISSLTransport.providedBy(below):
        return SocketWriter(cast(SocketTransport, transport), below.getHandle().send)
    return BufferedWriter(transport)


def behind_proxy(transport: Any) -> bool:
    """Whether the client's address is said by the PROXY protocol, before its own first byte."""
    while isinstance(transport, ProtocolWrapper):
        if isinstance(transport, HAProxyProtocolWrapper):
            return True
        transport = transport.transport
    return False
