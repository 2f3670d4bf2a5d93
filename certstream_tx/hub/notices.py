"""What a client is told within its stream about the stream, where it asked for that."""

import msgspec


class Notice(msgspec.Struct, frozen=True, gc=False, tag_field="message_type", tag="notice"):
    """The document of a notice."""

    kind: str
    count: int
    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")


_encode = msgspec.json.Encoder().encode


def lost(count: int, first: str, last: str) -> bytes:
    """The document that stands where ``count`` messages are missing, named by their ids."""
    return _encode(Notice("lost", count, first, last))
