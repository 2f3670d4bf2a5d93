"""``python -m certstream_tx.demo``: demonstration logs in a process of their own.

For benchmarks, long tests and anybody who wants a log that is always there. To have the logs answer
nothing for a while, stop the process (SIGSTOP) and let it go on (SIGCONT): they then hold what they
would hold had it never been stopped.
"""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.internet.task import react

from certstream_tx.demo.log import GROWTH_SLICE, KINDS
from certstream_tx.demo.rfc6962 import MAX_ENTRIES
from certstream_tx.demo.service import GROWTH_INTERVAL, RATE, SEED_SIZE, SIZE, DemoLogs

MAX_RATE: Final = GROWTH_SLICE / GROWTH_INTERVAL
"""no log can grow faster, see there"""
MAX_SIZE: Final = 100_000_000
"""takes some minutes and 600 MB to make"""
FACTS: Final = ("rate", "size", "kinds")
"""options that, with a seed and the time of the start, say what is in the logs"""


def options(arguments: list[str]) -> Namespace:
    """Read the command line; leaves with a message when it is wrong."""
    parser = ArgumentParser(
        prog="python -m certstream_tx.demo",
        description="Certificate Transparency logs to try things on, on the loopback interface.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="TCP port of 127.0.0.1 (default: a free one)")
    add("--rate", type=float, help=f"new entries a second, all logs together (default {RATE:g})")
    add("--size", type=int, help=f"entries of each log at the start (default {SIZE})")
    add("--growth-interval", type=float, default=GROWTH_INTERVAL, help="seconds (default 0.1)")
    add("--kind", dest="kinds", action="append", choices=KINDS, help="default: one of each kind")
    add("--max-entries", type=int, default=MAX_ENTRIES, help="of get-entries (default 256)")
    add("--no-align", action="store_true", help="do not end full answers on multiples of that")
    add("--identity", type=Path, help="file: made at first, the same logs again with it later")
    chosen = parser.parse_args(arguments)
    if chosen.rate is not None and not 0 <= chosen.rate <= MAX_RATE:
        parser.error(f"--rate is not between 0 and {MAX_RATE:g}")
    if chosen.size is not None and not 0 <= chosen.size <= MAX_SIZE:
        parser.error(f"--size is not between 0 and {MAX_SIZE}")
    if not 0 <= chosen.port <= 65535:
        parser.error("--port is not between 0 and 65535")
    if not 0.001 <= chosen.growth_interval <= GROWTH_INTERVAL:
        parser.error(f"--growth-interval is not between 0.001 and {GROWTH_INTERVAL:g}")
    if chosen.max_entries < 1:
        parser.error("--max-entries is not 1 or more")
    return chosen


def identity(chosen: Namespace, now: float) -> tuple[bytes, int]:
    """The seed and the start (ms) of the logs, and the ``FACTS`` of ``chosen`` filled in.

    With an identity file they are those of the first start. Raises ``ValueError`` when the file
    cannot be read or contradicts the command line, ``OSError`` when it cannot be written.
    """
    path: Path | None = chosen.identity
    if path is not None and path.exists():
        known = json.loads(path.read_text())
        if not isinstance(known, dict) or not {*FACTS, "seed", "began"} <= known.keys():
            raise ValueError(f"{path} is no identity file")
        for fact in FACTS:
            if getattr(chosen, fact) not in (None, known[fact]):
                raise ValueError(f"{path} has another {fact}: {known[fact]}")
            setattr(chosen, fact, known[fact])
        return bytes.fromhex(known["seed"]), known["began"]
    chosen.rate = RATE if chosen.rate is None else chosen.rate
    chosen.size = SIZE if chosen.size is None else chosen.size
    chosen.kinds = list(chosen.kinds or KINDS)
    seed, began = os.urandom(SEED_SIZE), int(now * 1000)
    if path is not None:
        facts = {fact: getattr(chosen, fact) for fact in FACTS}
        path.write_text(json.dumps({"seed": seed.hex(), "began": began, **facts}) + "\n")
    return seed, began


def main(reactor: IReactorTime, *arguments: str) -> Deferred[None]:
    """Serve until the process is told to stop."""
    chosen = options(list(arguments))
    try:
        seed, began = identity(chosen, reactor.seconds())
        service = DemoLogs(
            reactor,
            rate=chosen.rate,
            size=chosen.size,
            kinds=chosen.kinds,
            seed=seed,
            began=began,
            endpoint=TCP4ServerEndpoint(reactor, chosen.port, interface="127.0.0.1"),
            max_entries=chosen.max_entries,
            align=not chosen.no_align,
            growth_interval=chosen.growth_interval,
        )
        service.startService()
    except (ValueError, OSError, CannotListenError) as error:
        raise SystemExit(f"the demonstration logs do not start: {error}") from None
    for name, url in [
        *((log.name, f"{log.url}/") for log in service.logs),
        ("signed list of them, Chrome's format v3", service.log_list_url),
    ]:
        print(f"{name}: {url}")
    sys.stdout.flush()
    core: IReactorCore = IReactorCore(reactor)
    core.addSystemEventTrigger("before", "shutdown", service.stopService)
    return Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
