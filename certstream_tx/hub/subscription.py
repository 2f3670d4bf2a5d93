"""What one client has of a stream: a cursor, exact to the byte."""

from collections.abc import Container
from typing import Protocol

from certstream_tx.hub.ring import Chunk, Ring


class Sink(Protocol):
    """Where a subscription's bytes go."""

    def take(self, data: bytes) -> int:
        """Take as much of ``data`` as can be taken at once and return how many bytes that was.

        A sink that takes less than all must later fetch the rest from its subscription
        (`Subscription.rest`), until nothing is left: until then it is not offered more.
        """
        ...

    def queued(self) -> int:
        """Bytes taken that the client has not: what changes, while it takes some."""
        ...


class Reader(Protocol):
    """Who has a subscription."""

    def leave(self, code: int, reason: str) -> None:
        """Begin to close, with that WebSocket close code where there are such."""
        ...


class Source(Protocol):
    """What a subscription reads, and who counts what becomes of it."""

    messages_sent: int
    bytes_sent: int

    @property
    def ring(self) -> Ring:
        """The chunks."""
        ...

    @property
    def ready(self) -> Container["Subscription"]:
        """Who is up to date."""
        ...

    def make_ready(self, subscription: "Subscription") -> None:
        """It has taken everything there is."""
        ...

    def make_held(self, subscription: "Subscription") -> None:
        """It could not take what it was offered."""
        ...

    def place(self, after: int) -> Chunk:
        """Where one goes on that fell off the ring, having lost all before number ``after``."""
        ...

    def notice(self, first: int, after: int) -> bytes:
        """What tells that the messages from ``first`` to before ``after`` are missing."""
        ...

    def count_lost(self, subscription: "Subscription", count: int) -> None:
        """It will not get ``count`` messages."""
        ...

    def remove(self, subscription: "Subscription") -> None:
        """It has ended."""
        ...


class Subscription:
    """A cursor into a ring: what one client has got, and what comes next.

    A subscription that is up to date has no state but its place among the ready ones. One whose
    sink took less than it was offered holds its place; when the ring drops that chunk, the cursor
    moves to another one, at a message boundary, and the loss is counted.
    """

    __slots__ = (
        "_chunk",
        "_gap",
        "_offset",
        "_source",
        "_tail",
        "closed",
        "lost",
        "moved",
        "notices",
        "reader",
        "since",
        "sink",
    )

    def __init__(
        self, source: Source, sink: Sink, reader: Reader | None, notices: bool, since: int
    ) -> None:
        self.sink = sink
        self.reader = reader
        self.notices = notices
        """whether it is told in the stream what it lost"""
        self.since = since
        """sequence number of the first message it was meant to get"""
        self.closed = False
        self.moved = True
        """it took something since this was last set to False"""
        self.lost = 0
        """messages it did not get because the ring had moved on"""
        self._source = source
        self._chunk: Chunk | None = None
        """the chunk it is inside of, or has next; None when ready or fallen off the ring"""
        self._offset = 0
        self._tail = b""
        """what comes before anything of a chunk: rest of a frame whose chunk is gone, a notice"""
        self._gap: tuple[int, int] | None = None
        """sequence numbers of the first message lost since it fell off, and of the first after"""

    def begin(self, chunk: Chunk) -> None:
        """Start with ``chunk``, which its sink has to fetch."""
        self._chunk = chunk

    @property
    def ready(self) -> bool:
        """Whether it has taken everything and is offered the next chunk."""
        return self in self._source.ready

    @property
    def mid_frame(self) -> bool:
        """Whether the sink took a part of a frame: nothing else may go out before its rest."""
        if self._tail:
            return True
        return self._chunk is not None and self._chunk.boundary(self._offset) != self._offset

    def rest(self) -> bytes | memoryview:
        """What comes next (at most one chunk); empty when up to date."""
        if not self._tail and self._chunk is None and not self.closed and not self.ready:
            self._go_on()
        if self._tail or self._chunk is None:
            return self._tail
        data = self._chunk.data
        return memoryview(data)[self._offset :] if self._offset else data

    def rest_of_frame(self) -> bytes | memoryview:
        """What is left of a frame that was begun; empty between frames."""
        if self._tail or self._chunk is None:
            return self._tail
        return memoryview(self._chunk.data)[self._offset : self._chunk.boundary(self._offset)]

    def taken(self, count: int) -> None:
        """The sink took ``count`` bytes of what `rest` or `rest_of_frame` gave."""
        source = self._source
        source.bytes_sent += count
        if count:
            self.moved = True
        if self._tail:
            self._tail = self._tail[count:]
            return
        chunk = self._chunk
        assert chunk is not None
        before = chunk.whole(self._offset)
        self._offset += count
        source.messages_sent += chunk.whole(self._offset) - before
        if self._offset == len(chunk.data):
            self._offset = 0
            following = chunk.number + 1
            if following == source.ring.next_number:
                self._chunk = None
                source.make_ready(self)
            else:
                self._chunk = source.ring.chunk(following)

    def close(self) -> bytes:
        """End it; returns the rest of a frame that was begun, which alone may still be sent."""
        if self.closed:
            return b""
        rest = bytes(self.rest_of_frame())
        if rest:
            # The connection's end does not tell how much of it arrived: it counts as sent.
            self._source.bytes_sent += len(rest)
            if not self._tail and self._chunk is not None:
                begun, whole = self._chunk.begun(self._offset), self._chunk.whole(self._offset)
                self._source.messages_sent += begun - whole
        self.closed = True
        self._chunk, self._tail = None, b""
        self._source.remove(self)
        return rest

    def hold(self, chunk: Chunk, taken: int) -> None:
        """The sink took only ``taken`` bytes of ``chunk``, which it was just offered."""
        if not self.closed:
            self._chunk = chunk
            self._offset = 0
            self._source.make_held(self)
            self.moved = True
            self.taken(taken)

    def dropped(self, gone: Chunk) -> None:
        """The ring let go of ``gone``: if that was to come, it is lost but for a begun frame."""
        first = gone.first
        if self._chunk is not None:
            chunk = self._chunk
            # A primer has the number of the last chunk that it stands for.
            if chunk is not gone and chunk.number >= gone.number:
                return
            first = chunk.first + chunk.begun(self._offset)
            if self._offset:
                self._tail = chunk.data[self._offset : chunk.boundary(self._offset)]
                # The begun frame will arrive whole, so it counts as sent.
                self._source.messages_sent += chunk.begun(self._offset) - chunk.whole(self._offset)
            self._chunk, self._offset = None, 0
        self._lose(first, gone.after)

    def _lose(self, first: int, after: int) -> None:
        """The messages from ``first`` to before ``after`` (none, it may be) will not be sent. Those
        from before it came, which a primer repeats, were not meant for it."""
        first = max(first, self.since)
        if after > first:
            self.lost += after - first
            self._source.count_lost(self, after - first)
        self._gap = (self._gap[0] if self._gap else first, after)

    def _go_on(self) -> None:
        """Find a place again after falling off the ring, and say what is missing."""
        assert self._gap is not None
        chunk = self._source.place(self._gap[1])
        self._lose(self._gap[1], chunk.first)
        first, after = self._gap
        if self.notices and after > first:
            self._tail = self._source.notice(first, after)
        self._chunk, self._gap = chunk, None
