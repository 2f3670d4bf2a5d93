"""Entries written to standard output, a message each, as a line of JSON."""

import sys
from collections.abc import Callable, Sequence
from time import time
from typing import Final

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.message.documents import Message, Source

STREAMS: Final[dict[str, Callable[[Message], bytes | None]]] = {
    "full": Message.full,
    "lite": Message.lite,
    "domains-only": Message.domains_only,
}


def writer(log: Log, stream: str, *, late: bool = False) -> Callable[[Sequence[Entry]], None]:
    """Writes the messages about entries of a log; ``late``: with the mark of those from a gap."""
    write, encode = sys.stdout.buffer.write, STREAMS[stream]
    source = Source.of(log)

    def take(entries: Sequence[Entry]) -> None:
        for entry in entries:
            document = encode(Message(entry, source, time(), late=late))
            if document is not None:
                write(document + b"\n")

    return take
