"""A memory of what was read, by the bytes it was read from: issuers and their words repeat."""

from collections.abc import Callable
from sys import getsizeof
from typing import Final, Generic, TypeVar

V = TypeVar("V")

LARGEST_SHARE: Final = 16
"""What takes more than this part of the bytes is not remembered: a giant would flush the rest."""


class BoundedCache(Generic[V]):
    """Values by ``bytes`` key, bounded in number and in bytes, in constant time.

    Two generations: what is found in the old one moves to the young one; when the young one is
    full it becomes the old one and the former old one is forgotten. So what is in use stays, even
    beside a log that sends only new things, and nothing is ever sorted or counted through.

    ``weigh`` gives the bytes a value takes; keys are counted beside it.
    """

    __slots__ = ("_bytes", "_largest", "_max_bytes", "_max_entries", "_old", "_weigh", "_young")

    def __init__(
        self, max_entries: int, max_bytes: int, weigh: Callable[[V], int] = getsizeof
    ) -> None:
        self._max_entries = max_entries // 2
        self._max_bytes = max_bytes // 2
        self._largest = max_bytes // LARGEST_SHARE
        self._weigh = weigh
        self._young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def items(self) -> list[tuple[bytes, V]]:
        """What is remembered, in no order that matters."""
        return [*self._old.items(), *self._young.items()]

    def get(self, key: bytes) -> V | None:
        """The value of ``key``, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: bytes, value: V) -> None:
        """Remember ``value``, unless it is out of all proportion."""
        size = len(key) + self._weigh(value)
        if size > self._largest:
            return
        if len(self._young) >= self._max_entries or self._bytes + size > self._max_bytes:
            self._old = self._young
            self._young = {}
            self._bytes = 0
        self._young[key] = value
        self._bytes += size
