"""From an entry to the message that the server would stream about it."""

from time import time

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.message.documents import Message, Source

__all__ = ["message_of"]


def message_of(entry: Entry, source: Source | Log, *, seen: float | None = None) -> Message:
    """The message about an entry of a log, its certificate read. Never raises.

    ``.certificate`` has the names, dates and extensions; ``.lite()``, ``.full()`` and
    ``.domains_only()`` give the JSON documents of the streams (docs/wire-format.md).

    :param seen: Unix seconds, the message's ``seen``; None: now
    """
    if isinstance(source, Log):
        source = Source.of(source)
    return Message(entry, source, time() if seen is None else seen)
