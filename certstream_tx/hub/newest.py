"""The newest messages, kept not encoded, for those who ask for one or a few of them."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from certstream_tx.hub.streams import Encodable, Publishable

CAPACITY = 25
"""messages"""
BYTES_EACH = 8 * 1024
"""of what a message is made from, on average: twice what logs give"""
LEAST_BYTES = 1024 * 1024
"""of all messages that are allowed however few they are"""
LARGEST_SHARE = 16
"""what takes more than this part of all the bytes is not kept: a giant would flush the rest"""


class _Place(NamedTuple):
    message: Encodable
    size: int
    hashes: tuple[bytes, ...]


class Newest:
    """Messages, bounded in number and in bytes; the oldest go first.

    :param capacity: messages
    :param indexed: whether a certificate is to be found by its hashes. Messages are then kept in
        as little memory as can be, and are read again by who asks for them; otherwise taking one
        costs next to nothing.
    """

    def __init__(self, capacity: int = CAPACITY, *, indexed: bool = False) -> None:
        self.capacity = capacity
        self._max_bytes = max(capacity * BYTES_EACH, LEAST_BYTES)
        self._indexed = indexed
        self._places: deque[_Place] = deque()
        self._by_hash: dict[bytes, Encodable] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Encodable]:
        """Oldest first."""
        return (place.message for place in self._places)

    def __reversed__(self) -> Iterator[Encodable]:
        """Newest first."""
        return (place.message for place in reversed(self._places))

    @property
    def size(self) -> int:
        """Bytes of what the messages are made from; what they share is counted each time."""
        return self._bytes

    def append(self, message: Publishable) -> None:
        """Keep ``message``, unless it is out of all proportion."""
        size = message.size
        if size * LARGEST_SHARE > self._max_bytes:
            return
        if self._indexed:
            place = _Place(message.kept(), size, message.hashes())
            # The newest one of a certificate that comes from several logs.
            self._by_hash.update(dict.fromkeys(place.hashes, place.message))
        else:
            place = _Place(message, size, ())
        self._places.append(place)
        self._bytes += size
        while len(self._places) > self.capacity or self._bytes > self._max_bytes:
            self._forget(self._places.popleft())

    def find(self, digest: bytes) -> Encodable | None:
        """The newest message of the certificate with this SHA-256 or SHA-1."""
        return self._by_hash.get(digest)

    def _forget(self, place: _Place) -> None:
        self._bytes -= place.size
        for digest in place.hashes:
            if self._by_hash.get(digest) is place.message:
                del self._by_hash[digest]
