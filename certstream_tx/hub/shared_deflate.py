"""A channel whose messages are compressed, each once for everybody.

One compressor goes through the whole stream, so that a message may refer to what is in the window
before it. Everybody who reads along has that window. Who does not, because it has just come or has
lost its place, first gets a *primer*: the newest whole messages that fill the window, deflated on
their own. Then its window equals everyone's, and it goes on with everyone's chunks.
"""

from collections import deque
from collections.abc import Callable, Sequence

from certstream_tx.deflate import WINDOW_BYTES, Deflator, alone
from certstream_tx.framing import Wire
from certstream_tx.hub.channel import Channel
from certstream_tx.hub.dedup import View
from certstream_tx.hub.ring import Aside, Chunk, Ring
from certstream_tx.hub.streams import Stream
from certstream_tx.hub.subscription import Reader, Sink, Subscription

MAX_BEHIND_BYTES = 4 * 1024
"""A primer is given to who comes until so much was sent since (15 lite messages), which it then
gets besides: making one takes half a millisecond, and after an outage hundreds come in a second."""


class DeflatedChannel(Channel):
    """The clients of one stream on one wire that compresses."""

    def __init__(
        self,
        stream: Stream,
        view: View,
        wire: Wire,
        ring: Ring,
        epoch: str,
        on_empty: Callable[[], None],
    ) -> None:
        super().__init__(stream, view, wire, ring, epoch, on_empty)
        assert wire.deflated is not None
        self._frame = wire.deflated
        self._begin()

    def _begin(self) -> None:
        """Forget all that was: nobody has it."""
        self._keep_from = None
        self._deflator: Deflator | None = None
        self._window: deque[bytes] = deque()
        """the newest texts, oldest first: as few as fill the window. Who falls off the ring must
        have had none of them, so the ring keeps them too."""
        self._window_bytes = 0
        self._primer: Chunk | None = None
        self._bytes_since_primer = 0

    def subscribe(
        self, sink: Sink, reader: Reader | None, notices: bool, since: int
    ) -> Subscription:
        """A subscription from now on, which has something to fetch at once if anything was sent."""
        subscription = super().subscribe(sink, reader, notices, since)
        if self._keep_from is None:
            self._keep_from = since
        if self._window:
            del self.ready[subscription]
            self.held[subscription] = None
            subscription.begin(self._recent_primer())
        return subscription

    def beat(self, now: float) -> None:
        """Give everybody a heartbeat.

        A client can have none of its own: its window would not be everyone's any more. And since a
        heartbeat is no message, which a primer could hold, what follows refers to nothing before.
        """
        heartbeat = self.wire.shared_heartbeat
        if heartbeat is not None:
            self.fed_at = now
            frame = self._frame(self._deflate().last(heartbeat))
            assert self._keep_from is not None
            self._keep_from += len(self._window)
            self._window.clear()
            self._window_bytes = 0
            self._offer(Aside(self.ring.next_number, self._keep_from, frame, now))

    def place(self, after: int) -> Chunk:
        """The newest place there is. What it repeats would be a mistake here, not a courtesy."""
        primer = self._recent_primer()
        return primer if primer.first >= after else self._make_primer()

    def _emptied(self) -> None:
        self._begin()
        super()._emptied()

    def _frames(self, payloads: Sequence[bytes], first: int) -> list[bytes]:
        texts = super()._frames(payloads, first)
        self._window.extend(texts)
        self._window_bytes += sum(map(len, texts))
        while self._window_bytes - len(self._window[0]) >= WINDOW_BYTES:
            self._window_bytes -= len(self._window.popleft())
        self._keep_from = first + len(texts) - len(self._window)
        deflate, frame = self._deflate().text, self._frame
        return [frame(deflate(text)) for text in texts]

    def _deflate(self) -> Deflator:
        if self._deflator is None:
            self._deflator = Deflator()
        return self._deflator

    def _offer(self, chunk: Chunk) -> None:
        self._bytes_since_primer += len(chunk.data)
        super()._offer(chunk)

    def _recent_primer(self) -> Chunk:
        primer = self._primer
        if (
            primer is None
            or self._bytes_since_primer > MAX_BEHIND_BYTES
            or not self.ring.reaches(primer.number + 1)
        ):
            primer = self._make_primer()
        return primer

    def _make_primer(self) -> Chunk:
        assert self._keep_from is not None
        number = self.ring.next_number - 1
        if self._window:
            frames = list(map(self._frame, alone(self._window)))
            primer = Chunk(number, self._keep_from, frames, self.fed_at)
        else:
            # Nothing was sent since a heartbeat, which is as good a place to go on as any.
            assert self.wire.shared_heartbeat is not None
            (text,) = alone([self.wire.shared_heartbeat])
            primer = Aside(number, self._keep_from, self._frame(text), self.fed_at)
        self._primer, self._bytes_since_primer = primer, 0
        return primer
