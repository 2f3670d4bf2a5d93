"""What clients have in common that have nothing more to say, once they chose their stream."""

from typing import Final

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from certstream_tx.framing import Wire
from certstream_tx.hub import Stream, View
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.writing.writer import Writer

MAX_INPUT_BYTES: Final = 256 * 1024
"""read (and thrown away) from a client in one tick; the rest waits in its own socket"""

_HEARTBEAT: Final = "heartbeat"


class PassiveClient:
    """The part of a protocol that is not about how a stream is chosen.

    Whoever mixes it in makes the writer, adds itself to the clients and calls `subscribe`.
    """

    wire: Wire
    stream: Stream | None = None
    view = View.EVERY
    clients: Clients
    writer: Writer
    visits = 0

    _input = 0
    _told = False
    _reading_paused = False

    def subscribe(self, stream: Stream, *, notices: bool = False, dedup: str | None = None) -> None:
        """Send ``stream`` from now on, with ``notices`` of what was lost; ``dedup``: the view that
        was asked for, if one was."""
        self.stream = stream
        hub = self.clients.hub
        self.view = hub.view(dedup)
        self.writer.attach(
            hub.subscribe(stream, self.wire, self.writer, self, notices=notices, view=self.view)
        )
        self.writer.open()

    def ignore(self, data: bytes) -> None:
        """Throw away what the client sends; who sends much is not read until the next tick."""
        self._input += len(data)
        if not self._told:
            self._told = True
            self.clients.tell_next_tick(self)
        if self._input > MAX_INPUT_BYTES and not self._reading_paused:
            self._reading_paused = True
            self.writer.pause_reading()

    def close(self) -> None:
        """Close behind what was begun of a frame, and in time."""
        self.writer.loseConnection()
        self.clients.closing(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, however it went."""
        self.writer.lost()
        self.clients.discard(self)

    # What the clock asks (certstream_tx.serve.wires.clients.Client)

    def next_tick(self) -> None:
        """What was read is forgotten; go on reading."""
        self._told = False
        self._input = 0
        if self._reading_paused:
            self._reading_paused = False
            self.writer.resume_reading()

    def visit(self, heartbeat: bytes | None, ping: bool) -> None:
        """Send what is due."""
        if heartbeat is not None:
            self.writer.send(_HEARTBEAT, heartbeat)

    def leave(self, code: int, reason: str) -> None:
        """Close; these wires have no word for why."""
        self.close()

    def cut(self) -> None:
        """It took too long to close."""
        self.writer.cut()

    def abort(self) -> None:
        """Close at once."""
        self.writer.abortConnection()
