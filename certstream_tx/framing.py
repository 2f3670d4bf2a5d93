"""Messages as they stand on each wire: WebSocket frames, server-sent events, lines. Bytes only.

A frame is the least that may be cut from a stream: whatever else a client must get (a ping, a
comment, a notice) goes between two frames, and a client that lost messages goes on at a frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import pack

from certstream_tx.deflate import FLUSH_TAIL, alone

OPCODE_TEXT = 0x1
OPCODE_CLOSE = 0x8
OPCODE_PING = 0x9
OPCODE_PONG = 0xA

CLOSE_GOING_AWAY = 1001
CLOSE_POLICY_VIOLATION = 1008
CLOSE_TRY_AGAIN_LATER = 1013

MAX_CONTROL_PAYLOAD = 125
"""bytes (RFC 6455 section 5.5)"""

_FIN = 0x80
_COMPRESSED = 0x40
"""the first reserved bit (RFC 7692 section 6)"""

SSE_RETRY = b"retry: 2000\n\n"
SSE_HEARTBEAT = b": heartbeat\n\n"
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""deflate, no name, no time, from an unknown system (RFC 1952 section 2.3)"""


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """A way to put messages on a connection; every client of one wire gets the same bytes.

    ``frames(payloads, first, epoch)`` gives one frame for each payload. ``first`` is the sequence
    number of the first payload, the others follow; with ``epoch`` it makes a message's id.
    ``heartbeat(document)`` is what a client of a quiet stream gets; None: nothing.
    ``notice(document)`` is a frame outside of the stream's sequence, for who asked to be told what
    it lost; None: nobody can ask.
    ``deflated(text)`` is the frame of one of ``frames``, deflated, of a wire that compresses what
    ``frames`` gives; None: it does not.
    ``shared_heartbeat`` is what all clients of a quiet stream get as a part of the stream.
    """

    name: str
    """the protocol; behind a plus, what is done to its messages"""
    frames: Callable[[Sequence[bytes], int, str], list[bytes]]
    heartbeat: Callable[[bytes], bytes] | None = None
    notice: Callable[[bytes], bytes] | None = None
    deflated: Callable[[bytes], bytes] | None = None
    shared_heartbeat: bytes | None = None

    @property
    def protocol(self) -> str:
        """What clients speak: ``websocket``, ``sse`` or ``tcp``."""
        return self.name.partition("+")[0]


def _header(opcode: int, length: int) -> bytes:
    """An unmasked frame's header with the shortest length field that holds ``length``."""
    if length < 126:
        return pack("!BB", _FIN | opcode, length)
    if length < 1 << 16:
        return pack("!BBH", _FIN | opcode, 126, length)
    return pack("!BBQ", _FIN | opcode, 127, length)


def websocket_text(payload: bytes) -> bytes:
    """One unfragmented text frame (RFC 6455 section 5.2); ``payload`` is UTF-8."""
    return _header(OPCODE_TEXT, len(payload)) + payload


def websocket_deflated(text: bytes) -> bytes:
    """A text frame of permessage-deflate (RFC 7692 section 7.2.1); ``text`` ends with an empty
    block, which is left out."""
    return (
        _header(_COMPRESSED | OPCODE_TEXT, len(text) - len(FLUSH_TAIL)) + text[: -len(FLUSH_TAIL)]
    )


def websocket_control(opcode: int, payload: bytes = b"") -> bytes:
    """A close, ping or pong frame; ValueError when ``payload`` is over 125 bytes."""
    if len(payload) > MAX_CONTROL_PAYLOAD:
        raise ValueError(f"a control frame holds 125 bytes, not {len(payload)}")
    return _header(opcode, len(payload)) + payload


def event_id(epoch: str, sequence: int) -> str:
    """A message's id; the epoch changes when the server restarts, the sequence is the stream's."""
    return f"{epoch}-{sequence}"


def sse_event(payload: bytes, identifier: str) -> bytes:
    """One server-sent event with its id; ``payload`` holds no line break (JSON does not)."""
    return b"id: %s\ndata: %s\n\n" % (identifier.encode("ascii"), payload)


def sse_notice(payload: bytes) -> bytes:
    """An event without an id: a client that comes back names the last message, not this."""
    return b"data: %s\n\n" % payload


def tcp_line(payload: bytes) -> bytes:
    """One line; ``payload`` holds no line break (JSON does not)."""
    return payload + b"\n"


def gzip_alone(text: bytes) -> bytes:
    """A part of a gzip stream (no header) that refers to nothing before it."""
    (deflated,) = alone([text])
    return deflated


def _gzip_notice(payload: bytes) -> bytes:
    """Good only in front of what refers to nothing before it either."""
    return gzip_alone(sse_notice(payload))


def _websocket_frames(payloads: Sequence[bytes], first: int, epoch: str) -> list[bytes]:
    return [websocket_text(payload) for payload in payloads]


def _plain(payloads: Sequence[bytes], first: int, epoch: str) -> list[bytes]:
    return list(payloads)


def _sse_events(payloads: Sequence[bytes], first: int, epoch: str) -> list[bytes]:
    return [sse_event(p, event_id(epoch, sequence)) for sequence, p in enumerate(payloads, first)]


def _tcp_lines(payloads: Sequence[bytes], first: int, epoch: str) -> list[bytes]:
    return [tcp_line(payload) for payload in payloads]


def _comment(document: bytes) -> bytes:
    return SSE_HEARTBEAT


WEBSOCKET = Wire("websocket", _websocket_frames, websocket_text, websocket_text)
WEBSOCKET_DEFLATE = Wire(
    "websocket+deflate", _plain, websocket_text, websocket_text, websocket_deflated
)
SSE = Wire("sse", _sse_events, _comment, sse_notice)
SSE_GZIP = Wire(
    "sse+gzip",
    _sse_events,
    notice=_gzip_notice,
    deflated=bytes,
    shared_heartbeat=SSE_HEARTBEAT,
)
TCP = Wire("tcp", _tcp_lines)
