"""The three streams, and what can be published on them."""

from enum import Enum
from typing import Protocol

from certstream_tx.certificate import Certificate


class Stream(Enum):
    """The streams a client can choose from; the values name them in metrics and queries."""

    FULL = "full"
    LITE = "lite"
    DOMAINS_ONLY = "domains-only"


class Encodable(Protocol):
    """One certificate's messages, encoded when asked for."""

    def full(self) -> bytes:
        """The JSON document of the full stream."""
        ...

    def lite(self) -> bytes:
        """The JSON document of the lite stream."""
        ...

    def domains_only(self) -> bytes | None:
        """The JSON document of the domains-only stream, None without DNS names."""
        ...


class Publishable(Encodable, Protocol):
    """A message as it is published."""

    @property
    def certificate(self) -> Certificate:
        """What is known of the certificate, by which its sightings are recognized."""
        ...

    @property
    def size(self) -> int:
        """Bytes of what it is made from."""
        ...

    def kept(self) -> Encodable:
        """The same in little memory, to be read again by who asks for it."""
        ...

    def hashes(self) -> tuple[bytes, ...]:
        """What its certificate is found by."""
        ...


def encode(message: Encodable, stream: Stream) -> bytes | None:
    """The message's document for ``stream``; None when it has none."""
    if stream is Stream.LITE:
        return message.lite()
    if stream is Stream.FULL:
        return message.full()
    return message.domains_only()
