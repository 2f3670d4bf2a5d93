"""``example.json`` of each stream: the newest real message, encoded when somebody asks."""

from collections.abc import Mapping
from itertools import islice

from certstream_tx.hub import Hub, Stream
from certstream_tx.hub.newest import CAPACITY
from certstream_tx.hub.streams import encode
from certstream_tx.serve.answers import JSON, Document


def example(hub: Hub, stream: Stream, built_in: Mapping[str, bytes]) -> Document:
    """The newest message that ``stream`` has; a built-in example when no recent one is on it."""
    for message in islice(reversed(hub.newest), CAPACITY):
        payload = encode(message, stream)
        if payload is not None:
            return Document(JSON, payload)
    return Document(JSON, built_in[stream.value])
