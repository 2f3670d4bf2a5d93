"""A demonstration log: a key, a tree that grows with time, and signed heads of it."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.signatures import SignedHead, digitally_signed, head_input
from certstream_tx.demo.entries import Entries
from certstream_tx.demo.tree import GrowingTree

Kind = Literal["rfc6962", "tiled"]
KINDS: Final[tuple[Kind, Kind]] = ("rfc6962", "tiled")
NAMES: Final = {
    "rfc6962": "certstream-tx demonstration log (RFC 6962)",
    "tiled": "certstream-tx demonstration log (static-ct-api)",
}
OPERATOR = "certstream-tx demonstration"
MMD: Final = {"rfc6962": 86400, "tiled": 60}
"""maximum merge delay in seconds, as logs of either kind promise it; here entries merge at once"""
ORIGIN = "demonstration.certstream-tx.invalid/static"
"""first line of the static log's checkpoints: the same wherever it listens, like its key"""

HEAD_LIFETIME = 5_000
"""ms after which a head of a tree that stands still is signed again, with the time of day"""
GROWTH_SLICE = 5_000
"""entries added in one go, some 10 ms: after a long sleep the log catches up in slices"""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(slots=True)
class Timeline:
    """When each entry was logged: runs of evenly spaced entries instead of a time for each."""

    _firsts: list[int] = field(default_factory=list)
    _runs: list[tuple[float, float]] = field(default_factory=list)

    def begin(self, first: int, time: float, step: float) -> None:
        """From entry ``first`` on: logged at ``time`` and every ``step`` after it (all in ms)."""
        self._firsts.append(first)
        self._runs.append((time, step))

    def times(self, start: int, end: int) -> Iterator[int]:
        """Timestamps in ms of entries [start, end), never falling."""
        run = bisect_right(self._firsts, start) - 1
        while start < end:
            first, (time, step) = self._firsts[run], self._runs[run]
            run += 1
            stop = min(end, self._firsts[run]) if run < len(self._firsts) else end
            for index in range(start, stop):
                yield int(time + (index - first) * step)
            start = stop


class DemoLog:
    """One log of either kind, which lives in memory and on the clock alone.

    Entries, timestamps and the key follow from ``seed``, ``began``, ``rate`` and ``size``: two logs
    made from the same four are the same log, whatever happened between them. The seed is as
    secret as the key, which is not secret at all: nobody is to trust such a log.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        seed: bytes,
        clock: IReactorTime,
        rate: float = 0.0,
        size: int = 0,
        began: int | None = None,
    ) -> None:
        """``rate``: entries a second from ``began`` (ms, now if None) on; ``size``: those before"""
        self.kind = kind
        self.name = NAMES[kind]
        self._clock = clock
        self._rate = rate
        self._first_size = size
        self._began = self._now() if began is None else began
        self._private_key = _private_key(kind.encode() + seed)
        self.key = self._private_key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        """DER SubjectPublicKeyInfo"""
        self.log_id = sha256(self.key).digest()
        branch = KINDS.index(kind)
        self._phase = branch / 2  # of two logs that share a rate, each adds between the other's
        self._timeline = Timeline()
        self._timeline.begin(0, max(0, self._began - size), 1.0 if self._began > size else 0.0)
        if rate:
            step = 1000 / rate
            self._timeline.begin(size, self._began + (1 - self._phase) * step, step)
        self.entries = Entries(seed, branch, self._timeline.times, indexed=kind == "tiled")
        self.tree = GrowingTree(self.entries.leaf_hashes)
        self._last_time = 0
        self._head: SignedHead | None = None
        self._extend(size)
        while self.grow():
            pass

    def grow(self) -> int:
        """Add the entries that are due by the clock, ``GROWTH_SLICE`` at most; says how many."""
        elapsed = self._now() - self._began
        due = self._first_size + int(elapsed * self._rate / 1000 + self._phase)
        count = min(due - self.tree.size, GROWTH_SLICE)
        if not self._rate or count <= 0:
            return 0
        self._extend(count)
        return count

    def add(self, count: int) -> None:
        """Add entries now, to a log that does not grow by itself."""
        if self._rate:
            raise ValueError("this log grows with the clock")
        self._timeline.begin(self.tree.size, max(self._now(), self._last_time), 0.0)
        self._extend(count)

    def head(self) -> SignedHead:
        """The signed head of the tree as it is, no older than ``HEAD_LIFETIME``."""
        now, head = self._now(), self._head
        if head is None or head.size != self.tree.size or now - head.timestamp >= HEAD_LIFETIME:
            # Neither its own last head nor any entry in it may be younger, whatever the clock does.
            time = max(now, self._last_time, head.timestamp if head else 0)
            root = self.tree.root()
            signed = head_input(self.tree.size, time, root)
            signature = digitally_signed(self._private_key, signed)
            head = self._head = SignedHead(self.tree.size, time, root, signature)
        return head

    def _extend(self, count: int) -> None:
        if count:
            start, end = self.tree.size, self.tree.size + count
            self.tree.extend(self.entries.leaf_hashes(start, end))
            self._last_time = next(self._timeline.times(end - 1, end))

    def _now(self) -> int:
        return int(self._clock.seconds() * 1000)


def _private_key(seed: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that follows from a seed."""
    number = int.from_bytes(sha512(b"certstream-tx demonstration key " + seed).digest(), "big")
    return ec.derive_private_key(number % (P256_ORDER - 1) + 1, ec.SECP256R1())
