"""What may be answered in a log's place, by fronts in memory and over HTTP alike."""

import gzip
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

GZIP: Final = {b"Content-Encoding": b"gzip"}


@dataclass
class Answer:
    """What is answered in the log's place."""

    code: int = 200
    body: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)


@dataclass
class Stall:
    """An answer of which only this much ever comes; no head either when ``body`` is None."""

    body: bytes | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)
    closed: list[Any] = field(default_factory=list)
    """requests whose connection was closed at last"""


@dataclass
class Cut:
    """An answer whose connection dies after this much of it; without a head when None."""

    body: bytes | None = b""
    headers: dict[bytes, bytes] = field(default_factory=lambda: {b"Content-Length": b"100000"})


Fault = Answer | Stall | Cut | None


def damaged_head(path: str, body: bytes) -> bytes:
    """A head, or checkpoint, whose size is not the one that was signed."""
    if path == "checkpoint":
        lines = body.split(b"\n")
        lines[1] = b"%d" % (int(lines[1]) + 1)
        return b"\n".join(lines)
    sth = json.loads(body)
    sth["tree_size"] += 1
    return json.dumps(sth).encode()


def any_fault(rng: Random, body: bytes, retry_after: bytes) -> Fault:
    """Something else than the body, or less of it."""
    packed = gzip.compress(body, 1)
    faults: tuple[Fault, ...] = (
        Answer(rng.choice((400, 403, 404, 410, 500, 502, 503, 504))),
        Answer(429),
        Answer(429, b"", {b"Retry-After": retry_after}),
        Answer(200, body[:-1]),
        Answer(200, packed[:-1], GZIP),
        Answer(200, b"<html>"),
        Answer(200, b""),
        Cut(None),
        Cut(body[:50]),
        Stall(body[:50]),
    )
    return rng.choice(faults)
