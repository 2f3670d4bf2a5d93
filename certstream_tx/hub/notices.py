"""What a client is told within its stream about the stream, where it asked for that."""

import msgspec

from certstream_tx.message.fields import Notice

_encode = msgspec.json.Encoder().encode


def lost(count: int, first: str, last: str) -> bytes:
    """The document that stands where ``count`` messages are missing, named by their ids."""
    return _encode(Notice("lost", count, first, last))
