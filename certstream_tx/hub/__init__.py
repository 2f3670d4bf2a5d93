"""The hub: takes messages, gives every subscription the same chunks of them.

The unit of broadcast is the flush. Each stream in use is encoded once, framed once for each wire
in use, and every client of a wire gets the same ``bytes`` object. The hub knows no sockets (a
subscription has a `Sink`) and no logs (it takes a `Publishable`).
"""

from certstream_tx.hub.broadcast import Hub
from certstream_tx.hub.channel import Channel, Slow
from certstream_tx.hub.counts import Histogram, HubCounts
from certstream_tx.hub.dedup import View, filters
from certstream_tx.hub.newest import Newest
from certstream_tx.hub.ring import Chunk, Ring
from certstream_tx.hub.streams import Encodable, Publishable, Stream
from certstream_tx.hub.subscription import Reader, Sink, Subscription

__all__ = [
    "Channel",
    "Chunk",
    "Encodable",
    "Histogram",
    "Hub",
    "HubCounts",
    "Newest",
    "Publishable",
    "Reader",
    "Ring",
    "Sink",
    "Slow",
    "Stream",
    "Subscription",
    "View",
    "filters",
]
