"""``twistd``, which on SIGUSR2 prints how many objects of each type there are, as JSON."""

import gc
import json
import os
import signal
import sys
from collections import Counter

from twisted.internet import reactor
from twisted.scripts.twistd import run


def count() -> None:
    """Count what is left after a full collection."""
    gc.collect()
    types = Counter(f"{type(each).__module__}.{type(each).__name__}" for each in gc.get_objects())
    os.write(2, b"objects: " + json.dumps(types).encode() + b"\n")


def asked(*_: object) -> None:
    """Count between two turns of the reactor."""
    reactor.callFromThread(count)  # type: ignore[attr-defined]


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, asked)
    sys.argv[0] = "twistd"
    run()
