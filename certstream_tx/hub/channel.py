"""One view of a stream on one wire: its ring of chunks and the subscriptions that read it."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum

from certstream_tx.events import logger
from certstream_tx.framing import Wire, event_id
from certstream_tx.hub import notices
from certstream_tx.hub.dedup import View
from certstream_tx.hub.ring import Chunk, Ring, split
from certstream_tx.hub.streams import Stream
from certstream_tx.hub.subscription import Reader, Sink, Subscription

log = logger("certstream_tx.hub")

CHUNK_BYTES = 128 * 1024
"""most bytes of a chunk (but for a single longer frame): what Twisted sends in one turn"""


class Slow(Enum):
    """Why a client was dropped; the values name the reasons in metrics."""

    LAG = "lag"
    """lost too much"""
    STALL = "write_timeout"
    """took nothing for too long"""


class Channel:
    """The clients of one view of a stream on one wire.

    :param view: of the stream
    :param epoch: names this run of the server in message ids
    :param on_empty: called when the last client has left
    """

    def __init__(
        self,
        stream: Stream,
        view: View,
        wire: Wire,
        ring: Ring,
        epoch: str,
        on_empty: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.view = view
        self.wire = wire
        self.ring = ring
        self.ready: dict[Subscription, Callable[[bytes], int]] = {}
        """who is up to date, and how it takes bytes"""
        self.held: dict[Subscription, None] = {}
        """who is behind"""
        self.losses: dict[Subscription, int] = {}
        """who lost how many messages since somebody last looked"""
        self.fed_at = 0.0
        """when it last had a chunk, on the hub's clock"""
        self.messages_sent = 0
        self.bytes_sent = 0
        self.lost = 0
        self.dropped: Counter[Slow] = Counter()
        """clients that were dropped because they were too slow"""
        self._keep_from: int | None = None
        """number of a message that the ring must not let go yet, nor any after it"""
        self._epoch = epoch
        self._on_empty = on_empty

    def __len__(self) -> int:
        return len(self.ready) + len(self.held)

    def subscribe(
        self, sink: Sink, reader: Reader | None, notices: bool, since: int
    ) -> Subscription:
        """A subscription from now on; ``since``: sequence number of the next message."""
        notices = notices and self.wire.notice is not None
        subscription = Subscription(self, sink, reader, notices, since)
        self.ready[subscription] = sink.take
        return subscription

    def send(self, payloads: Sequence[bytes], first: int, now: float) -> None:
        """Give messages to everybody; ``first`` is the sequence number of the first."""
        self.fed_at = now
        for frames in split(self._frames(payloads, first), CHUNK_BYTES):
            if not self:
                return
            self._offer(Chunk(self.ring.next_number, first, frames, now))
            first += len(frames)

    def beat(self, now: float) -> None:
        """Where heartbeats are a part of the stream, give everybody one."""

    # What subscriptions ask and tell

    def place(self, after: int) -> Chunk:
        """Where one goes on that fell off the ring, having lost all before number ``after``."""
        return self.ring.oldest()

    def notice(self, first: int, after: int) -> bytes:
        """What tells that the messages from ``first`` to before ``after`` are missing."""
        ids = event_id(self._epoch, first), event_id(self._epoch, after - 1)
        assert self.wire.notice is not None
        return self.wire.notice(notices.lost(after - first, *ids))

    def count_lost(self, subscription: Subscription, count: int) -> None:
        """It will not get ``count`` messages."""
        self.lost += count
        self.losses[subscription] = self.losses.get(subscription, 0) + count

    def make_ready(self, subscription: Subscription) -> None:
        """It has taken everything there is."""
        del self.held[subscription]
        self.ready[subscription] = subscription.sink.take

    def make_held(self, subscription: Subscription) -> None:
        """It could not take what it was offered."""
        del self.ready[subscription]
        self.held[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """It has ended."""
        self.ready.pop(subscription, None)
        self.held.pop(subscription, None)
        self.losses.pop(subscription, None)
        if not self:
            self._emptied()

    # What subclasses may do otherwise

    def _emptied(self) -> None:
        self.ring.clear()
        self._on_empty()

    def _frames(self, payloads: Sequence[bytes], first: int) -> list[bytes]:
        return self.wire.frames(payloads, first, self._epoch)

    def _offer(self, chunk: Chunk) -> None:
        """Append ``chunk`` and let everybody who is up to date take it."""
        for gone in self.ring.append(chunk, self._keep_from):
            for subscription in self.held:
                subscription.dropped(gone)
        data = chunk.data
        size = len(data)
        took_all = 0
        for subscription, take in list(self.ready.items()):
            try:
                taken = take(data)
            except Exception:
                log.failure("A client could not be written to; it is left out from now on.")
                subscription.close()
                continue
            if taken == size:
                took_all += 1
            else:
                subscription.hold(chunk, taken)
        self.messages_sent += took_all * chunk.count
        self.bytes_sent += took_all * size
