"""The writer of connections whose transport transforms what is written, TLS above all."""

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from certstream_tx.serve.writing.writer import Writer


@implementer(IPushProducer)
class BufferedWriter(Writer):
    """Writes to a transport that has to buffer, and puts nothing in while it asks to pause.

    Twisted's transports ask within the very ``write`` that fills them above 64 KiB, TLS included,
    so one client holds at most that and a chunk.
    """

    __slots__ = ("_paused",)

    _paused: bool

    def open(self) -> None:
        """Go out behind what the transport has of the handshake."""
        self._paused = False
        self._transport.registerProducer(self, True)
        self._pump()

    def pauseProducing(self) -> None:
        """The transport's buffer is full (said again at every write, so it must be cheap)."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._paused = False
        self._pump()

    def _put(self, data: bytes | memoryview) -> int:
        if self._paused:
            return 0
        self._transport.write(bytes(data))
        return len(data)

    def _wait(self) -> None:
        """The transport calls `resumeProducing`: only a paused one takes less than all."""
