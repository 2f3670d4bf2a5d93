"""A memory of what was read, by the bytes it was read from: issuers and their words repeat."""

from typing import Final, Generic, TypeVar

V = TypeVar("V")

LONGEST_KEY_SHARE: Final = 16
"""A key above this part of the byte budget is not remembered: one giant must not flush the rest."""


class BoundedCache(Generic[V]):
    """Values by ``bytes`` key, bounded in number and in bytes of keys, in constant time.

    Two generations: what is found in the old one moves to the young one; when the young one is
    full it becomes the old one and the former old one is forgotten. So what is in use stays, even
    beside a log that sends only new things, and nothing is ever sorted or counted through.

    Bytes are counted by key only: a value must be in proportion to its key.
    """

    __slots__ = ("_bytes", "_longest", "_max_bytes", "_max_entries", "_old", "_young")

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries // 2
        self._max_bytes = max_bytes // 2
        self._longest = max_bytes // LONGEST_KEY_SHARE
        self._young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def keys(self) -> list[bytes]:
        """What is remembered, in no order that matters."""
        return [*self._old, *self._young]

    def get(self, key: bytes) -> V | None:
        """The value of ``key``, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: bytes, value: V) -> None:
        """Remember ``value``, unless its key is out of all proportion."""
        size = len(key)
        if size > self._longest:
            return
        if len(self._young) >= self._max_entries or self._bytes + size > self._max_bytes:
            self._old = self._young
            self._young = {}
            self._bytes = 0
        self._young[key] = value
        self._bytes += size
