"""The newest chunks of one stream on one wire, bounded in bytes, messages and time."""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate


class Chunk:
    """Whole frames that leave together: one ``bytes`` object, shared by all who take it."""

    __slots__ = ("at", "data", "ends", "first", "number")

    def __init__(self, number: int, first: int, frames: Sequence[bytes], at: float = 0.0) -> None:
        self.number = number
        """its place in its ring, counted from the ring's beginning"""
        self.first = first
        """sequence number of its first message"""
        self.at = at
        """when it was made, on the hub's clock"""
        self.data = frames[0] if len(frames) == 1 else b"".join(frames)
        self.ends = array("Q", accumulate(map(len, frames)))
        """offset behind each frame"""

    @property
    def count(self) -> int:
        """How many messages it holds."""
        return len(self.ends)

    @property
    def after(self) -> int:
        """Sequence number of the message that follows its last one."""
        return self.first + self.count

    def boundary(self, offset: int) -> int:
        """The first frame boundary at or behind ``offset``."""
        return self.ends[bisect_left(self.ends, offset)] if offset else 0

    def begun(self, offset: int) -> int:
        """How many frames have a byte before ``offset``."""
        return bisect_left(self.ends, offset) + 1 if offset else 0

    def whole(self, offset: int) -> int:
        """How many frames end at or before ``offset``."""
        return bisect_right(self.ends, offset)


class Aside(Chunk):
    """A frame that all are given and that is no message; ``first`` is the next one's number."""

    __slots__ = ()

    def __init__(self, number: int, first: int, frame: bytes, at: float) -> None:
        super().__init__(number, first, [frame], at)

    @property
    def count(self) -> int:
        """None."""
        return 0

    def begun(self, offset: int) -> int:
        """None."""
        return 0

    def whole(self, offset: int) -> int:
        """None."""
        return 0


def split(frames: Sequence[bytes], limit: int) -> Iterator[Sequence[bytes]]:
    """Runs of ``frames`` of at most ``limit`` bytes each; a frame above it is a run of its own."""
    begin = size = 0
    for i, frame in enumerate(frames):
        if size and size + len(frame) > limit:
            yield frames[begin:i]
            begin, size = i, 0
        size += len(frame)
    if size:
        yield frames[begin:]


class Ring:
    """Chunks in order; the oldest go when a bound is passed, the newest one always stays.

    :param max_bytes: never more than this (but for a single larger chunk)
    :param max_messages: no more than this of what is older than ``min_seconds``
    :param min_seconds: what is younger goes only when there are too many bytes: in a burst, a
        number of messages is a very short time
    """

    __slots__ = (
        "_chunks",
        "_max_bytes",
        "_max_messages",
        "_min_seconds",
        "messages",
        "next_number",
        "size",
    )

    def __init__(self, max_bytes: int, max_messages: int, min_seconds: float = 0.0) -> None:
        self._chunks: deque[Chunk] = deque()
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._min_seconds = min_seconds
        self.next_number = 0
        self.messages = 0
        self.size = 0
        """bytes held"""

    def append(self, chunk: Chunk, keep_from: int | None = None) -> list[Chunk]:
        """Put ``chunk`` in front; returns the chunks that had to go, oldest first.

        Messages from number ``keep_from`` on stay in any case.
        """
        self._chunks.append(chunk)
        self.next_number = chunk.number + 1
        self.size += len(chunk.data)
        self.messages += chunk.count
        gone = []
        while len(self._chunks) > 1 and self._is_over(chunk.at):
            if keep_from is not None and self._chunks[0].after > keep_from:
                break
            oldest = self._chunks.popleft()
            self.size -= len(oldest.data)
            self.messages -= oldest.count
            gone.append(oldest)
        return gone

    def _is_over(self, now: float) -> bool:
        if self.size > self._max_bytes:
            return True
        # While a clock that was set back catches up, only the bytes count.
        held = max(self.messages, len(self._chunks))
        return held > self._max_messages and now - self._chunks[0].at >= self._min_seconds

    def oldest(self) -> Chunk:
        """The oldest chunk that is held; IndexError when there is none."""
        return self._chunks[0]

    def reaches(self, number: int) -> bool:
        """Whether the chunk of this number is held, or is the next to come."""
        first = self._chunks[0].number if self._chunks else self.next_number
        return first <= number <= self.next_number

    def chunk(self, number: int) -> Chunk:
        """A chunk that is held."""
        return self._chunks[number - self._chunks[0].number]

    def clear(self) -> None:
        """Let go of every chunk; numbers go on."""
        self._chunks.clear()
        self.size = self.messages = 0
