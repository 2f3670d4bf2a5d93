"""The writer of plain connections: straight to the socket."""

from collections.abc import Callable
from errno import ENOBUFS, ENOMEM
from typing import Protocol

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from certstream_tx.serve.writing.writer import ClientTransport, Writer

PUMP_BYTES = 512 * 1024
"""most bytes that a client which was behind is sent in one turn: others wait meanwhile"""


class SocketTransport(ClientTransport, Protocol):
    """A socket's transport, which can be asked to say when the socket is writable."""

    def startWriting(self) -> None: ...


@implementer(IPullProducer)
class SocketWriter(Writer):
    """Writes straight to the socket of a plain connection and keeps nothing when it is full.

    A send from the flush is several times cheaper than a turn of the reactor for each client. The
    transport's own buffer is used for the handshake only: this is its pull producer, called when
    that buffer is empty and, having asked for it (``startWriting``), when the socket is writable.

    :param put: the socket's ``send``
    """

    __slots__ = ("_registering", "_socket_send")

    _transport: SocketTransport

    def __init__(
        self, transport: SocketTransport, put: Callable[[bytes | memoryview], int]
    ) -> None:
        super().__init__(transport)
        self._socket_send = put
        self._registering = False

    def open(self) -> None:
        """Go out directly as soon as the handshake's answer has left the transport's buffer."""
        # A pull producer is called once at once, when the buffer may still hold that answer.
        self._registering = True
        self._transport.registerProducer(self, False)
        self._registering = False
        if not self._gone:
            self._wait()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty and the socket writable."""
        if not self._registering:
            self._pump(PUMP_BYTES)

    def take(self, data: bytes) -> int:
        """Write what goes out at once of the next chunk: the path of nearly every byte."""
        if self._blocked:
            return 0
        try:
            taken = self._socket_send(data)
        except OSError as error:
            taken = self._refused(error)
        if taken != len(data):
            self._block()
        return taken

    def probe(self) -> None:
        """Wait until the socket is writable, or broken."""
        if not self._blocked:
            self._block()

    def _put(self, data: bytes | memoryview) -> int:
        try:
            return self._socket_send(data)
        except OSError as error:
            return self._refused(error)

    def _refused(self, error: OSError) -> int:
        """Nothing was taken, because the kernel is full or because the connection is lost."""
        if not isinstance(error, BlockingIOError) and error.errno not in (ENOBUFS, ENOMEM):
            self._gone = True
            self._transport.abortConnection()
        return 0

    def _wait(self) -> None:
        self._transport.startWriting()
