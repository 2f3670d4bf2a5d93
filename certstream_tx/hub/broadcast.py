"""The hub itself: what is published, when it is flushed, who is subscribed."""

from collections.abc import Iterable, Iterator, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.framing import Wire
from certstream_tx.hub.channel import Channel
from certstream_tx.hub.counts import HubCounts
from certstream_tx.hub.dedup import Filter, View
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

_VIEWS: dict[str | None, View] = {view.value: view for view in View}


class _Feed:
    """One view of a stream: what waits for the next flush, and its channels."""

    __slots__ = (
        "channels",
        "in_use",
        "pending",
        "pending_bytes",
        "published",
        "sequence",
        "stream",
        "unused_since",
        "view",
    )

    def __init__(self, stream: Stream, view: View) -> None:
        self.stream = stream
        self.view = view
        self.in_use = False
        self.unused_since = 0
        """how many messages the hub had been given by then"""
        self.sequence = 0
        """of the next message"""
        self.pending: list[bytes] = []
        self.published: list[float] = []
        """when each of them was"""
        self.pending_bytes = 0
        self.channels: dict[Wire, Channel] = {}

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
    :param filters: what is left out of which view; without any, every view is the whole stream
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
        filters: Mapping[View, Filter] | None = None,
    ) -> None:
        self.epoch = f"{int(clock.seconds() * 1000):x}" if epoch is None else epoch
        self.counts = HubCounts()
        self.newest = Newest() if newest is None else newest
        self._clock = clock
        self._ring_bounds = (ring_bytes, ring_messages, ring_seconds)
        self._max_gap = max_gap
        self._filters = filters or {}
        self._streams = frozenset(streams)
        self._feeds = {
            (stream, view): _Feed(stream, view) for stream in self._streams for view in View
        }
        self._used: tuple[tuple[Stream, tuple[_Feed, ...]], ...] = ()
        """the feeds in use, by stream"""
        self._used_filters: tuple[tuple[View, Filter], ...] = ()
        self._timer: IDelayedCall | None = None
        self._flushed_at = 0.0
        self._gap = 0.0

    @property
    def streams(self) -> frozenset[Stream]:
        """The streams that are served."""
        return self._streams

    @property
    def remembered(self) -> int:
        """Certificates that are remembered, to leave them out if they come again."""
        return sum(map(len, self._filters.values()))

    def view(self, asked: str | None = None) -> View:
        """The view for who asks for this, or for nothing that there is."""
        if not self._filters:
            return View.EVERY
        return _VIEWS.get(asked, View.FIRST)

    def channels(self) -> Iterator[Channel]:
        """Every view of a stream on every wire that was used since the hub was made."""
        for feed in self._feeds.values():
            yield from feed.channels.values()

    def in_use(self, stream: Stream) -> bool:
        """Whether anybody is subscribed to a view of ``stream`` on any wire."""
        return any(stream is used for used, _ in self._used)

    def sequence(self, stream: Stream, view: View = View.EVERY) -> int:
        """The sequence number of the view's next message."""
        feed = self._feeds[stream, view]
        # While it is not in use the number moves on with all that is published, so that one who
        # returns sees that something passed.
        passed = 0 if feed.in_use else self.counts.published - feed.unused_since
        return feed.sequence + passed

    def subscribe(
        self,
        stream: Stream,
        wire: Wire,
        sink: Sink,
        reader: Reader | None = None,
        *,
        notices: bool = False,
        view: View | None = None,
    ) -> Subscription:
        """Give ``sink`` what ``stream`` sends from now on, the next flush included.

        ``view``: how much of it; who does not say gets what `view` gives to those.

        ``reader`` is told to leave when it is too slow; with ``notices`` it is told in the stream
        what it lost, where the wire has a way to say it. Raises KeyError when the stream is not
        served.
        """
        feed = self._feeds[stream, self.view() if view is None else view]
        channel = feed.channels.get(wire)
        if channel is None:
            ring = Ring(*self._ring_bounds)
            kind = Channel if wire.deflated is None else DeflatedChannel
            channel = kind(
                stream, feed.view, wire, ring, self.epoch, lambda: self._channel_emptied(feed)
            )
            feed.channels[wire] = channel
        if not feed.in_use:
            feed.sequence = self.sequence(stream, feed.view)
            feed.in_use = True
            self._use_feeds()
        since = feed.sequence - len(feed.pending)
        return channel.subscribe(sink, reader, notices, since)

    def publish(self, message: Publishable) -> None:
        """Take one message: encode it for the streams in use, and see that it is flushed soon."""
        self.newest.append(message)
        self.counts.published += 1
        now = self._clock.seconds()
        withheld: list[View] = []
        for view, each in self._used_filters:
            if each.withholds(message.certificate, int(now)):
                withheld.append(view)
        if withheld:
            self.counts.duplicates += 1
        try:
            for stream, feeds in self._used:
                if withheld:
                    feeds = tuple(feed for feed in feeds if feed.view not in withheld)
                payload = encode(message, stream) if feeds else None
                if payload is not None:
                    for feed in feeds:
                        self._append(feed, payload, now)
        except BaseException:
            for view, each in self._used_filters:
                if view not in withheld:
                    each.forget(message.certificate)
            raise

    def _append(self, feed: _Feed, payload: bytes, now: float) -> None:
        if not feed.in_use:
            # A flush for the feed before it has sent its last client away.
            return
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

    def _channel_emptied(self, feed: _Feed) -> None:
        if feed.in_use and not any(feed.channels.values()):
            feed.take_pending()
            feed.in_use = False
            feed.unused_since = self.counts.published
            self._use_feeds()

    def _use_feeds(self) -> None:
        """Somebody has come to a feed that nobody had, or the last one has left."""
        used = [feed for feed in self._feeds.values() if feed.in_use]
        self._used = tuple(
            (stream, tuple(feed for feed in used if feed.stream is stream))
            for stream in dict.fromkeys(feed.stream for feed in used)
        )
        views = {feed.view for feed in used}
        self._used_filters = tuple(
            (view, each) for view, each in self._filters.items() if view in views
        )

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
