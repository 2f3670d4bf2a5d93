"""The hub itself: what is published, when it is flushed, who is subscribed."""

from collections.abc import Iterable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.framing import Wire
from certstream_tx.hub.channel import Channel
from certstream_tx.hub.counts import HubCounts
from certstream_tx.hub.newest import Newest
from certstream_tx.hub.ring import Ring
from certstream_tx.hub.shared_deflate import DeflatedChannel
from certstream_tx.hub.streams import Publishable, Stream, encode
from certstream_tx.hub.subscription import Reader, Sink, Subscription

MAX_GAP = 0.010
"""seconds between flushes under load: a longer gap makes larger chunks, whose flush takes longer"""
MAX_PENDING_BYTES = 1024 * 1024
"""of one stream; more than that is flushed at once, whoever publishes without a pause"""
RING_BYTES = 16 * 1024 * 1024
"""of one stream on one wire: about two seconds of the full stream at 1,000 messages a second"""
RING_MESSAGES = 1000
RING_SECONDS = 2.0
"""what is younger is kept whatever its number, within the bytes: after an outage 10,000 messages a
second come in, of which 1,000 are a tenth of a second, and every client is behind for that long"""


class _Feed:
    """One stream: what waits for the next flush, and its channels."""

    __slots__ = ("channels", "pending", "pending_bytes", "published", "sequence", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sequence = 0
        """of the next message"""
        self.pending: list[bytes] = []
        self.published: list[float] = []
        """when each of them was"""
        self.pending_bytes = 0
        self.channels: dict[Wire, Channel] = {}

    @property
    def in_use(self) -> bool:
        return any(self.channels.values())

    def forget_pending(self) -> None:
        """Nobody is there to get it."""
        if not self.in_use:
            self.take_pending()

    def take_pending(self) -> tuple[list[bytes], list[float]]:
        """What waits, and when it was published; nothing waits any more."""
        taken = self.pending, self.published
        self.pending, self.published, self.pending_bytes = [], [], 0
        return taken


class Hub:
    """Takes messages and gives them to every subscription of their streams.

    :param clock: tells the time (seconds) and calls the next flush
    :param streams: the streams that are served; the others are never encoded
    :param ring_bytes: bytes a ring keeps for clients that are behind
    :param ring_messages: messages a ring keeps; whichever bound is met first counts
    :param ring_seconds: younger messages are kept although there are more than that
    :param newest: where the newest messages are kept, for who asks for them
    :param epoch: names this run of the server in message ids
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        streams: Iterable[Stream] = tuple(Stream),
        ring_bytes: int = RING_BYTES,
        ring_messages: int = RING_MESSAGES,
        ring_seconds: float = 0.0,
        newest: Newest | None = None,
        max_gap: float = MAX_GAP,
        epoch: str | None = None,
    ) -> None:
        self.epoch = f"{int(clock.seconds() * 1000):x}" if epoch is None else epoch
        self.counts = HubCounts()
        self.newest = Newest() if newest is None else newest
        self._clock = clock
        self._ring_bounds = (ring_bytes, ring_messages, ring_seconds)
        self._max_gap = max_gap
        self._feeds = {stream: _Feed(stream) for stream in streams}
        self._timer: IDelayedCall | None = None
        self._flushed_at = 0.0
        self._gap = 0.0

    @property
    def streams(self) -> frozenset[Stream]:
        """The streams that are served."""
        return frozenset(self._feeds)

    def channels(self) -> Iterator[Channel]:
        """Every stream on every wire that was used since the hub was made."""
        for feed in self._feeds.values():
            yield from feed.channels.values()

    def in_use(self, stream: Stream) -> bool:
        """Whether anybody is subscribed to ``stream`` on any wire."""
        feed = self._feeds.get(stream)
        return feed is not None and feed.in_use

    def sequence(self, stream: Stream) -> int:
        """The sequence number of the stream's next message."""
        return self._feeds[stream].sequence

    def subscribe(
        self,
        stream: Stream,
        wire: Wire,
        sink: Sink,
        reader: Reader | None = None,
        *,
        notices: bool = False,
    ) -> Subscription:
        """Give ``sink`` what ``stream`` sends from now on, the next flush included.

        ``reader`` is told to leave when it is too slow; with ``notices`` it is told in the stream
        what it lost, where the wire has a way to say it. Raises KeyError when the stream is not
        served.
        """
        feed = self._feeds[stream]
        channel = feed.channels.get(wire)
        if channel is None:
            ring = Ring(*self._ring_bounds)
            kind = Channel if wire.deflated is None else DeflatedChannel
            channel = kind(stream, wire, ring, self.epoch, feed.forget_pending)
            feed.channels[wire] = channel
        since = feed.sequence - len(feed.pending)
        return channel.subscribe(sink, reader, notices, since)

    def publish(self, message: Publishable) -> None:
        """Take one message: encode it for the streams in use, and see that it is flushed soon."""
        self.newest.append(message)
        self.counts.published += 1
        now = self._clock.seconds()
        for feed in self._feeds.values():
            if not feed.in_use:
                # The number moves on, so that one who returns sees that something passed.
                feed.sequence += 1
                continue
            payload = encode(message, feed.stream)
            if payload is None:
                continue
            feed.sequence += 1
            feed.pending.append(payload)
            feed.published.append(now)
            feed.pending_bytes += len(payload)
            if feed.pending_bytes >= MAX_PENDING_BYTES:
                self.flush()
            elif self._timer is None:
                self._timer = self._clock.callLater(self._wait(), self.flush)

    def flush(self) -> None:
        """Send now what waits."""
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        started = self._clock.seconds()
        messages = 0
        for feed in self._feeds.values():
            if feed.pending:
                messages += self._flush_feed(feed, started)
        if messages:
            self._flushed_at = self._clock.seconds()
            took = max(0.0, self._flushed_at - started)
            self._gap = min(took, self._max_gap)
            self.counts.flush_seconds.observe(took)
            self.counts.flush_messages.observe(messages)

    def _flush_feed(self, feed: _Feed, now: float) -> int:
        payloads, published = feed.take_pending()
        first = feed.sequence - len(payloads)
        for channel in list(feed.channels.values()):
            if channel:
                channel.send(payloads, first, now)
        written = self._clock.seconds()
        for each in published:
            self.counts.delivery_seconds.observe(max(0.0, written - each))
        return len(payloads)

    def _wait(self) -> float:
        """Seconds until the next flush may be: none when idle, else the rest of the gap."""
        # A clock that is set back must not hold messages up.
        return min(max(0.0, self._flushed_at + self._gap - self._clock.seconds()), self._max_gap)
