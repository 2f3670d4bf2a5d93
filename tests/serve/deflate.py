"""What a client that offered permessage-deflate gets, read by hand (RFC 7692 section 7.2.2)."""

import zlib
from struct import calcsize, unpack_from

from certstream_tx.deflate import FLUSH_TAIL
from certstream_tx.framing import OPCODE_TEXT


def deflated_frames(data: bytes | bytearray) -> tuple[list[tuple[int, bytes]], bytes]:
    """Opcode and payload of each whole frame, compressed ones inflated one after the other, and
    what is left of a frame that is cut. AssertionError unless they are what a client may get."""
    inflator = zlib.decompressobj(-zlib.MAX_WBITS)
    frames = []
    position = 0
    while len(data) - position >= 2:
        first, length = data[position : position + 2]
        assert first & 0xB0 == 0x80, "not the final fragment, or bits that mean nothing"
        assert length < 128, "masked"
        begin = position + 2
        if length >= 126:
            size = "!H" if length == 126 else "!Q"
            begin += calcsize(size)
            if begin > len(data):
                break
            (length,) = unpack_from(size, data, position + 2)
        payload = bytes(data[begin : begin + length])
        if len(payload) < length:
            break
        opcode = first & 0x0F
        if first & 0x40:
            assert opcode == OPCODE_TEXT, "only messages are compressed"
            payload = inflator.decompress(payload + FLUSH_TAIL)
            assert not inflator.unconsumed_tail
            assert not inflator.eof
        frames.append((opcode, payload))
        position = begin + length
    return frames, bytes(data[position:])
