"""Which writer a connection gets."""

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.tcp import Connection

from certstream_tx.serve.buffered_writer import BufferedWriter
from certstream_tx.serve.socket_writer import SocketWriter
from certstream_tx.serve.writer import ClientTransport, Writer


def writer_for(transport: ClientTransport) -> Writer:
    """The writer for this kind of connection.

    Never chosen by what attributes a transport has: wrappers pass unknown ones on to the socket's
    transport below them, and plaintext would go out beside the ciphertext.
    """
    if isinstance(transport, Connection) and not ISSLTransport.providedBy(transport):
        return SocketWriter(transport, transport.getHandle().send)
    return BufferedWriter(transport)
