"""What WebSocket clients say: bounded, answered where the protocol demands it, else ignored."""

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol

from certstream_tx.framing import (
    CLOSE_POLICY_VIOLATION,
    OPCODE_CLOSE,
    OPCODE_PONG,
    websocket_control,
)
from certstream_tx.serve.writing.writer import Writer

MAX_FRAMES = 100
"""a client may send in one tick: clients in the field send one every 15 s"""
MAX_INPUT_BYTES = 256 * 1024
"""read from a client in one tick; the rest waits in its own socket"""


class BoundedInput(WebSocketServerProtocol):
    """The receiving half of a client."""

    factory: Any
    writer: Writer
    heard_at = 0
    """the clients' tick at which something was last received"""
    _greeted = False
    _deaf = False
    """what it sends is not even parsed any more"""
    _frames = 0
    _input = 0
    _told = False
    _reading_paused = False

    def dataReceived(self, data: bytes) -> None:
        """Bound what a client can make us do before autobahn sees it."""
        clients = self.factory.clients
        self.heard_at = clients.now
        if self._greeted:
            self._input += len(data)
            self._count_this_tick()
            if self._input > MAX_INPUT_BYTES and not self._reading_paused:
                self._reading_paused = True
                self.writer.pause_reading()
        if self._deaf:
            # What follows a fault is not parsed any more; but an answer that comes alone is seen.
            if _is_close_frame(data):
                self.writer.loseConnection()
        else:
            super().dataReceived(data)
            # What follows a violation is not worth parsing: the close frame is on its way.
            self._deaf = self._deaf or self.failedByMe

    def fail(self, code: int, reason: str) -> None:
        """Close with ``code`` and listen to nothing more."""
        self._deaf = True
        self.data = b""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode("utf-8"), isReply=False)

    def onPing(self, payload: bytes) -> None:
        """Answer; of many pings that wait, the newest (RFC 6455 section 5.5.3)."""
        if self._frame_allowed() and self.state == WebSocketProtocol.STATE_OPEN:
            self.writer.send(OPCODE_PONG, websocket_control(OPCODE_PONG, payload))

    def onPong(self, payload: bytes) -> None:
        """It is alive, which was noted."""
        self._frame_allowed()

    def onMessageFrameBegin(self, length: int) -> None:
        """Count it; autobahn checks its size."""
        if self._frame_allowed():
            super().onMessageFrameBegin(length)

    def onMessageFrameData(self, payload: bytes) -> None:
        """Clients have nothing to say to a server that only sends."""

    def onMessageFrameEnd(self) -> None:
        """Nothing was kept of it."""

    def onMessageEnd(self) -> None:
        """Nothing was kept of it."""

    def _frame_allowed(self) -> bool:
        self._frames += 1
        if self._frames <= MAX_FRAMES:
            return True
        if not self._deaf:
            self.fail(CLOSE_POLICY_VIOLATION, "too many frames")
        return False

    def _count_this_tick(self) -> None:
        if not self._told:
            self._told = True
            self.factory.clients.tell_next_tick(self)

    def next_tick(self) -> None:
        """What was read is forgotten; go on reading, unless that has ended."""
        self._told = False
        if self._deaf:
            # Its close frame is on the way, and what the client said after its fault was read.
            self.writer.loseConnection()
            return
        self._frames = self._input = 0
        if self._reading_paused:
            self._reading_paused = False
            self.writer.resume_reading()


def _is_close_frame(data: bytes) -> bool:
    """Whether it is one close frame of a client and nothing else (RFC 6455 section 5.2)."""
    return len(data) >= 6 and data[0] == 0x80 | OPCODE_CLOSE and len(data) == 6 + (data[1] & 0x7F)
