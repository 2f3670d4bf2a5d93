"""The writer of connections whose transport transforms what is written, TLS above all."""

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from certstream_tx.serve.writer import ClientTransport, Writer

TURN_BYTES = 128 * 1024
"""most bytes put into a buffering transport in one turn, but for the chunk that passes it"""


class Turn:
    """The reactor's turns, as far as buffering writers must tell one from the next."""

    def __init__(self, clock: IReactorTime) -> None:
        self.number = 0
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._waiting: list[BufferedWriter] = []

    def watch(self) -> None:
        """See that ``number`` moves on after this turn."""
        if self._call is None:
            self._call = self._clock.callLater(0, self._next)

    def wait(self, writer: "BufferedWriter") -> None:
        """Let ``writer`` go on in the next turn."""
        self.watch()
        self._waiting.append(writer)

    def _next(self) -> None:
        self._call = None
        self.number += 1
        waiting, self._waiting = self._waiting, []
        for writer in waiting:
            writer.next_turn()


@implementer(IPushProducer)
class BufferedWriter(Writer):
    """Writes to a transport that transforms or wraps, TLS above all, and thus has to buffer.

    What it holds is bounded: nothing more is put in while the transport asks to pause, nor beyond
    ``TURN_BYTES`` in a turn, since it can ask only when it has seen the bytes.
    """

    __slots__ = ("_paused", "_spent", "_turn", "_turn_number", "_waiting")

    def __init__(self, transport: ClientTransport, turn: Turn) -> None:
        super().__init__(transport)
        self._turn = turn
        self._turn_number = -1
        self._spent = 0
        """bytes put in, in that turn"""
        self._paused = False
        self._waiting = False

    def open(self) -> None:
        """Go out behind what the transport has of the handshake."""
        self._transport.registerProducer(self, True)
        if not self._gone:
            self._pump()

    def pauseProducing(self) -> None:
        """The transport's buffer is full (said again at every write, so it must be cheap)."""
        self._paused = self._blocked = True

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._paused = False
        self._pump()

    def next_turn(self) -> None:
        """The turn that this writer waited for."""
        self._waiting = False
        if not self._paused and not self._gone:
            self._pump()

    def _put(self, data: bytes | memoryview) -> int:
        if self._turn_number != self._turn.number:
            self._turn_number, self._spent = self._turn.number, 0
        if self._paused or self._gone or self._spent >= TURN_BYTES:
            return 0
        self._turn.watch()
        self._spent += len(data)
        self._transport.write(bytes(data))
        return len(data)

    def _wait(self) -> None:
        if not self._paused and not self._waiting:
            self._waiting = True
            self._turn.wait(self)
