"""Clients that take compressed messages, for the contract that all wires keep."""

import random
import zlib

from certstream_tx.framing import OPCODE_TEXT, SSE_GZIP, SSE_RETRY, WEBSOCKET_DEFLATE
from certstream_tx.hub import Stream
from tests.hub.messages import Numbered
from tests.serve.deflate import deflated_frames
from tests.serve.wires.clients import SSEClient, Unit, WebSocketClient

NOISE = random.Random(1).randbytes(1 << 22).translate(bytes.maketrans(b"\r\n", b".."))


def noisy_document(self: Numbered, stream: str) -> bytes:
    """A `Numbered` message's document that stays as large as it is when it is compressed."""
    self.encoded.append(stream)
    begin = self.number * 104_729 % (len(NOISE) - len(self.padding))
    return b"%s %d %s" % (stream.encode(), self.number, NOISE[begin : begin + len(self.padding)])


class DeflatedWebSocketClient(WebSocketClient):
    """As browsers ask for it."""

    wire = WEBSOCKET_DEFLATE

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        return super().request(stream).removesuffix(b"\r\n") + offer

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        frames, rest = deflated_frames(data)
        units = []
        for opcode, payload in frames:
            if opcode != OPCODE_TEXT:
                units.append(Unit(f"opcode {opcode}", payload))
            elif b'"heartbeat"' in payload:
                units.append(Unit("heartbeat", payload))
            else:
                units.append(Unit("message", payload))
        return units, rest


class GzipSSEClient(SSEClient):
    """As browsers ask for it."""

    wire = SSE_GZIP
    preamble = b"\r\n\r\n"

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        return super().request(stream).removesuffix(b"\r\n") + b"Accept-Encoding: gzip, br\r\n\r\n"

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        if not data:
            return [], b""
        text = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(data)
        if not text.startswith(SSE_RETRY):
            return [], text or data
        return super().split(text.removeprefix(SSE_RETRY))
