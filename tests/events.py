"""Collecting what the program tells its operator."""

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import LogEvent, globalLogPublisher


@contextmanager
def collected_events() -> Iterator[list[LogEvent]]:
    """The events that are logged inside of the ``with`` block."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(events.append)
