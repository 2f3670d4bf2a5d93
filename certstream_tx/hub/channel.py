"""One stream on one wire: its ring of chunks and the subscriptions that read it."""

from collections.abc import Callable
from typing import Protocol

from certstream_tx.events import logger
from certstream_tx.framing import Wire
from certstream_tx.hub.ring import Chunk, Ring
from certstream_tx.hub.streams import Stream

log = logger("certstream_tx.hub")


class Sink(Protocol):
    """Where a subscription's bytes go."""

    def take(self, data: bytes) -> int:
        """Take as much of ``data`` as can be taken at once and return how many bytes that was.

        A sink that takes less than all must later fetch the rest from its subscription
        (`Subscription.rest`), until nothing is left: until then it is not offered more.
        """
        ...


class Subscription:
    """A cursor into a ring, exact to the byte: what one client has got, and what comes next.

    A subscription that is up to date has no state but its place among the ready ones. One whose
    sink took less than it was offered holds its place; when the ring drops that chunk, the cursor
    moves to the oldest chunk there is, at a message boundary, and the loss is counted.
    """

    __slots__ = ("_channel", "_chunk", "_offset", "_tail", "closed", "lost", "sink")

    def __init__(self, channel: "Channel", sink: Sink) -> None:
        self.sink = sink
        self.closed = False
        self._channel = channel
        self._chunk: Chunk | None = None
        """the chunk it is inside of, or has next; None when ready or fallen off the ring"""
        self._offset = 0
        self._tail = b""
        """rest of a frame whose chunk is gone"""
        self.lost = 0
        """messages it did not get because the ring had moved on"""

    @property
    def ready(self) -> bool:
        """Whether it has taken everything and is offered the next chunk."""
        return self in self._channel.ready

    @property
    def mid_frame(self) -> bool:
        """Whether the sink took a part of a frame: nothing else may go out before its rest."""
        if self._tail:
            return True
        return self._chunk is not None and self._chunk.boundary(self._offset) != self._offset

    def rest(self) -> bytes | memoryview:
        """What comes next (at most one chunk); empty when up to date."""
        if self._tail:
            return self._tail
        if self._chunk is None:
            if self.closed or self.ready:
                return b""
            self._chunk = self._channel.ring.oldest()
        data = self._chunk.data
        return memoryview(data)[self._offset :] if self._offset else data

    def rest_of_frame(self) -> bytes | memoryview:
        """What is left of a frame that was begun; empty between frames."""
        if self._tail or self._chunk is None:
            return self._tail
        return memoryview(self._chunk.data)[self._offset : self._chunk.boundary(self._offset)]

    def taken(self, count: int) -> None:
        """The sink took ``count`` bytes of what `rest` or `rest_of_frame` gave."""
        channel = self._channel
        channel.bytes_sent += count
        if self._tail:
            self._tail = self._tail[count:]
            return
        chunk = self._chunk
        assert chunk is not None
        before = chunk.whole(self._offset)
        self._offset += count
        channel.messages_sent += chunk.whole(self._offset) - before
        if self._offset == len(chunk.data):
            self._offset = 0
            following = chunk.number + 1
            if following == channel.ring.next_number:
                self._chunk = None
                channel.make_ready(self)
            else:
                self._chunk = channel.ring.chunk(following)

    def close(self) -> bytes:
        """End it; returns the rest of a frame that was begun, which alone may still be sent."""
        if self.closed:
            return b""
        rest = bytes(self.rest_of_frame())
        if rest:
            # The connection's end does not tell how much of it arrived: it counts as sent.
            self._channel.bytes_sent += len(rest)
            self._channel.messages_sent += not self._tail
        self.closed = True
        self._chunk, self._tail = None, b""
        self._channel.remove(self)
        return rest

    def hold(self, chunk: Chunk, taken: int) -> None:
        """The sink took only ``taken`` bytes of ``chunk``, which it was just offered."""
        if not self.closed:
            self._chunk = chunk
            self._offset = 0
            self._channel.make_held(self)
            self.taken(taken)

    def dropped(self, chunk: Chunk) -> None:
        """The ring let go of ``chunk``: keep only the rest of a frame that was begun."""
        if self._chunk is None:
            lost = chunk.count
        elif self._chunk is chunk:
            begun = chunk.begun(self._offset)
            self._tail = chunk.data[self._offset : chunk.boundary(self._offset)]
            # The begun frame will arrive whole, so it counts as sent; what follows it is lost.
            self._channel.messages_sent += begun - chunk.whole(self._offset)
            self._chunk, self._offset = None, 0
            lost = chunk.count - begun
        else:
            return
        self.lost += lost
        self._channel.lost += lost


class Channel:
    """The clients of one stream on one wire."""

    def __init__(
        self, stream: Stream, wire: Wire, ring: Ring, on_empty: Callable[[], None]
    ) -> None:
        self.stream = stream
        self.wire = wire
        self.ring = ring
        self.ready: dict[Subscription, Callable[[bytes], int]] = {}
        """who is up to date, and how it takes bytes"""
        self.held: dict[Subscription, None] = {}
        """who is behind"""
        self.fed_at = 0.0
        """when it last had a chunk, on the hub's clock"""
        self.messages_sent = 0
        self.bytes_sent = 0
        self.lost = 0
        self._on_empty = on_empty

    def __len__(self) -> int:
        return len(self.ready) + len(self.held)

    def subscribe(self, sink: Sink) -> Subscription:
        """A subscription from now on."""
        subscription = Subscription(self, sink)
        self.ready[subscription] = sink.take
        return subscription

    def offer(self, chunk: Chunk) -> None:
        """Append ``chunk`` and let everybody who is up to date take it."""
        for gone in self.ring.append(chunk):
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
        if not self:
            self.ring.clear()
            self._on_empty()
