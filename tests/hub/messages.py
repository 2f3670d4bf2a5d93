"""Messages that say where they stand, and sinks that take what they are told to."""

from collections.abc import Callable
from hashlib import sha1, sha256

from certstream_tx.certificate import Certificate, unread_certificate


class Numbered:
    """A message whose documents are its number, the stream's letter, and padding."""

    def __init__(
        self,
        number: int,
        padding: int = 0,
        *,
        names: bool = True,
        certificate: Certificate | None = None,
    ) -> None:
        self.number = number
        self.certificate = certificate or unread_certificate(b"%d" % number, "a number")
        self.padding = b"." * padding
        self.names = names
        self.encoded: list[str] = []

    @property
    def size(self) -> int:
        return len(self.padding)

    def kept(self) -> "Numbered":
        return Numbered(self.number, len(self.padding), names=self.names)

    def hashes(self) -> tuple[bytes, ...]:
        der = b"%d" % self.number
        return sha256(der).digest(), sha1(der).digest()

    def _document(self, stream: str) -> bytes:
        self.encoded.append(stream)
        return b"%s %d %s" % (stream.encode(), self.number, self.padding)

    def full(self) -> bytes:
        return self._document("full")

    def lite(self) -> bytes:
        return self._document("lite")

    def domains_only(self) -> bytes | None:
        return self._document("domains") if self.names else None


def number_of(document: bytes) -> int:
    """The number that a `Numbered` message's document holds."""
    return int(document.split(b" ")[1])


class Sink:
    """Takes at most ``room`` bytes, counted over all that is offered."""

    def __init__(self, room: int = 1 << 60) -> None:
        self.room = room
        self.taken = b""
        self.offered: list[bytes] = []
        self.queue = 0
        self.on_take: Callable[[], object] = lambda: None

    def take(self, data: bytes) -> int:
        self.on_take()
        self.offered.append(data)
        count = min(self.room, len(data))
        self.room -= count
        self.taken += data[:count]
        return count

    def queued(self) -> int:
        return self.queue
