"""What verification costs: entries from a page to a message, with it and with nothing in its place.

``python -m benchmarks verification``. Pages of a demonstration log are decoded, taken apart, read
and encoded for the lite stream, as the server does it with one client, but without network, hub
and wires, which take as long again: the share of all that a server does is half of what is shown
here. The same is done with the parts of verification taken out:
leaf hashes, the Merkle range, and the comparison of precertificates and chains with the leaf.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.internet.task import Clock

from certstream_tx.ct import entry as entry_module
from certstream_tx.ct.entry import Entry, read_entry
from certstream_tx.demo.log import DemoLog
from certstream_tx.ingest.clients.rfc6962_answers import PAGE as ANSWER
from certstream_tx.ingest.polling.entry_reader import UNIT
from certstream_tx.ingest.trust.verification import Verification
from certstream_tx.message.documents import Source, build_message
from certstream_tx.stats import LogStats

PAGES = 16
"""of a round"""
PAGE = 256
ROUNDS = 12
"""The fastest counts; those with and without take turns, so that both meet the same machine."""
SOURCE = Source("A log", "https://log.example/2026", "Operator", "AA" * 22, "rfc6962")


class _Judge:
    def contradicts(self, one: Any, other: Any) -> None: ...
    def doubts(self, doubt: Any) -> None: ...
    def passed(self, head: Any) -> None: ...


class Log:
    """Pages that were never read before, one after the other."""

    def __init__(self) -> None:
        clock = Clock()
        clock.advance(1_800_000_000)
        self.log = DemoLog("rfc6962", seed=b"bench", clock=clock, size=0)
        self.next = 0

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Those of one round: the first index and the body of each."""
        self.log.add(PAGES * PAGE)
        for _ in range(PAGES):
            yield self.next, self.log.entries.page(self.next, self.next + PAGE)
            self.next += PAGE


def microseconds(log: Log, add: Callable[[Sequence[Entry]], None]) -> float:
    """Per entry, of one round."""
    pages = list(log.pages())
    began = time.thread_time()
    for start, body in pages:
        page = ANSWER.decode(body).entries
        entries = [
            read_entry(index, leaf.leaf_input, leaf.extra_data)
            for index, leaf in enumerate(page, start)
        ]
        for first in range(0, PAGE, UNIT):
            unit = entries[first : first + UNIT]
            for entry in unit:
                build_message(entry, SOURCE, time.time).lite()
            add(unit)
    return (time.thread_time() - began) / (PAGES * PAGE) * 1e6


@contextmanager
def without(*parts: str) -> Iterator[None]:
    """Nothing in the place of these parts of ``ct.entry``."""
    nothing: dict[str, Any] = {
        "leaf_hash": lambda leaf: b"",
        "held_certificate": lambda certificate, chain: (None, True, len(chain)),
        "held_precertificate": lambda pre, tbs, key, chain: (None, True, len(chain)),
    }
    kept = {part: getattr(entry_module, part) for part in parts}
    for part in parts:
        setattr(entry_module, part, nothing[part])
    try:
        yield
    finally:
        for part, was in kept.items():
            setattr(entry_module, part, was)


def nothing(entries: Sequence[Entry]) -> None:
    """In the place of the Merkle range."""


def main() -> None:
    """Print the table."""
    log = Log()
    stats = LogStats("A log", SOURCE.url, "rfc6962", None, None)
    verification = Verification(stats, Clock(), _Judge())
    verification.begin(0)

    def add(entries: Sequence[Entry]) -> None:
        verification.add([entry.leaf_hash for entry in entries])

    held = ("held_certificate", "held_precertificate")
    ways: dict[str, tuple[tuple[str, ...], Callable[[Sequence[Entry]], None]]] = {
        "all of it": ((), add),
        "without range": ((), nothing),
        "without range, hashes": (("leaf_hash",), nothing),
        "without comparison": (held, add),
        "none of it": (("leaf_hash", *held), nothing),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, (parts, work) in ways.items():
            with without(*parts):
                best[name] = min(best[name], microseconds(log, work))
    print(f"{'':24}{'us an entry':>12}{'share':>9}")
    whole = best["all of it"]
    for name, each in best.items():
        share = "" if name == "all of it" else f"{(whole - each) / whole:9.1%}"
        print(f"{name:24}{each:12.1f}{share}")


if __name__ == "__main__":
    main()
