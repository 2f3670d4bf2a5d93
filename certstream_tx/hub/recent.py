"""A set of digests of the last while, in little more memory than their bytes.

A Python set of ``bytes`` takes 100 bytes and more for each. Here digests are spread over buckets,
each one ``bytearray`` of records in the order in which they came, so that the oldest are at its
front. A bucket is searched as a string, and nothing ever has to be rehashed.
"""

from typing import Final

DIGEST_BYTES: Final = 16
_RECORD: Final = DIGEST_BYTES + 4
"""bytes of a record: the digest, then the second in which it came"""
_BUCKET: Final = 32
"""records of a full bucket, at least half of it: it is searched in a tenth of a microsecond"""
_LOOK: Final = 8 * _RECORD
"""bytes after which a bucket is looked through for what is too old: not at every record"""
_MAX_BUCKETS: Final = 1 << 20
"""all are there once the first digest came, 8 bytes each"""
_SECONDS: Final = 0xFFFFFFFF
"""what four bytes hold"""


class Recent:
    """Digests (16 bytes, of which any two are as good as random) that came lately.

    :param capacity: never more than this; the oldest go, a few of them somewhat before that, as
        each bucket has an equal share
    :param ttl: seconds after which one is forgotten
    """

    __slots__ = ("_buckets", "_count", "_mask", "_now", "_room", "_stamp", "_ttl")

    def __init__(self, capacity: int, ttl: int) -> None:
        buckets = 1
        while buckets * _BUCKET < capacity and buckets < _MAX_BUCKETS:
            buckets *= 2
        self._buckets: list[bytearray | None] = []
        self._mask = buckets - 1
        self._room = capacity // buckets * _RECORD
        self._ttl = ttl
        self._count = 0
        self._now = -1
        self._stamp = b""
        """the second, as it stands in records"""

    def __len__(self) -> int:
        """Those that are in memory, of which some may be too old."""
        return self._count

    def is_new(self, digest: bytes, now: int) -> bool:
        """Whether it was not added within the last ``ttl`` seconds; adds it then."""
        if not self._buckets:
            self._buckets = [None] * (self._mask + 1)
        index = hash(digest) & self._mask
        bucket = self._buckets[index]
        if bucket is None:
            bucket = self._buckets[index] = bytearray()
        elif digest in bucket and self._holds(bucket, digest, now):
            return False
        elif len(bucket) % _LOOK == 0 or len(bucket) == self._room:
            self._let_go(bucket, now)
            if len(bucket) == self._room:
                del bucket[:_RECORD]
                self._count -= 1
        if now != self._now:
            self._now = now
            self._stamp = (now & _SECONDS).to_bytes(4, "big")
        bucket += digest + self._stamp
        self._count += 1
        return True

    def forget(self, digest: bytes) -> None:
        """As if the digest that was added last had not been."""
        bucket = self._buckets[hash(digest) & self._mask] if self._buckets else None
        if bucket is not None and bucket[-_RECORD:].startswith(digest):
            del bucket[-_RECORD:]
            self._count -= 1

    def _holds(self, bucket: bytearray, digest: bytes, now: int) -> bool:
        # From behind: after a clock was set back, the newest of two counts.
        at = bucket.rfind(digest)
        while at > 0 and at % _RECORD:
            at = bucket.rfind(digest, 0, at + DIGEST_BYTES - 1)
        return at >= 0 and not self._is_old(bucket, at, now)

    def _is_old(self, bucket: bytearray, at: int, now: int) -> bool:
        came = int.from_bytes(bucket[at + DIGEST_BYTES : at + _RECORD], "big")
        # Of what is from the future, since the clock was set back, nothing is known.
        return (now - came) & _SECONDS >= self._ttl

    def _let_go(self, bucket: bytearray, now: int) -> None:
        """Forget what is too old."""
        end = 0
        while end < len(bucket) and self._is_old(bucket, end, now):
            end += _RECORD
        if end:
            del bucket[:end]
            self._count -= end // _RECORD
