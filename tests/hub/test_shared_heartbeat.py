"""Events that are compressed once for all: heartbeats and notices are parts of the same stream."""

import re
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import SSE_GZIP
from certstream_tx.hub import Hub, Stream
from certstream_tx.hub.shared_deflate import DeflatedChannel
from tests.hub.messages import Sink
from tests.hub.test_notices import fetch, item
from tests.hub.test_shared_deflate import Noisy

BEAT = "beat"


class Reader:
    """A client that fetches what waits, and inflates it as it comes."""

    def __init__(self, hub: Hub, room: int = 1 << 60, *, notices: bool = False) -> None:
        self.sink = Sink(room)
        self.subscription = hub.subscribe(Stream.LITE, SSE_GZIP, self.sink, notices=notices)

    def fetch(self, most: int = 1 << 40) -> None:
        self.sink.taken += fetch(self.subscription, most)

    def items(self) -> list[Any]:
        """Messages, heartbeats and notices so far; AssertionError unless all can be inflated."""
        text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.sink.taken)
        *events, rest = text.split(b"\n\n")
        assert not rest
        items: list[Any] = []
        for event in events:
            if event == b": heartbeat":
                items.append(BEAT)
                continue
            found = re.fullmatch(rb"(?:id: e-(\d+)\n)?data: (.+)", event, re.DOTALL)
            assert found is not None, event
            items.append(item(found[2]))
            assert found[1] is None or int(found[1]) == items[-1]
        return items


class SharedHeartbeatTests(SynchronousTestCase):
    """With a ring of a hundred messages."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, ring_messages: int = 100) -> None:
        self.hub = Hub(Clock(), epoch="e", ring_messages=ring_messages)
        self.published = 0

    def publish(self, count: int = 1, padding: int = 1_000) -> None:
        for _ in range(count):
            self.hub.publish(Noisy(self.published, padding))
            self.published += 1
        self.hub.flush()

    @property
    def channel(self) -> DeflatedChannel:
        (channel,) = self.hub.channels()
        assert isinstance(channel, DeflatedChannel)
        return channel

    def beat(self) -> None:
        if len(list(self.hub.channels())) and len(self.channel):
            self.channel.beat(0.0)

    def test_between_messages(self) -> None:
        """Everybody gets it, and can read on; it counts as no message."""
        readers = [Reader(self.hub) for _ in range(2)]
        self.beat()
        self.publish(2)
        self.beat()
        self.beat()
        self.publish(2)
        for reader in readers:
            self.assertEqual(reader.items(), [BEAT, 0, 1, BEAT, BEAT, 2, 3])
        self.assertEqual(self.channel.messages_sent, 8)
        self.assertEqual(self.channel.ring.messages, 4)

    def test_who_comes_after_it(self) -> None:
        """It needs nothing from before."""
        first = Reader(self.hub)
        self.publish(50)
        self.beat()
        second = Reader(self.hub)
        self.assertTrue(second.subscription.ready)
        self.publish(2)
        third = Reader(self.hub)
        third.fetch()
        self.publish(1)
        self.assertEqual(second.items(), [50, 51, 52])
        self.assertEqual(third.items(), [50, 51, 52])
        self.assertEqual(first.items(), [*range(50), BEAT, 50, 51, 52])

    def test_who_came_before_it(self) -> None:
        """A primer that was made before it leads to it."""
        Reader(self.hub)
        self.publish(50)
        second = Reader(self.hub)
        self.beat()
        self.publish(2)
        second.fetch()
        self.assertEqual(second.items(), [*range(18, 50), BEAT, 50, 51])

    def test_lost_its_place_before_it(self) -> None:
        """It goes on with a heartbeat of its own, behind what it is told of its loss."""
        reader, _ = Reader(self.hub, room=3, notices=True), Reader(self.hub)
        for _ in range(150):
            self.publish()
        self.beat()
        for _ in range(3):
            reader.fetch(5)
        reader.fetch()
        self.assertTrue(reader.subscription.ready)
        reader.sink.room = 1 << 20
        self.publish(2)
        self.assertEqual(reader.items(), [0, (149, "e-1", "e-149"), BEAT, 150, 151])
        self.assertEqual(self.channel.lost, 149)

    def test_fell_behind_heartbeats(self) -> None:
        """Who reads none of a quiet stream's heartbeats has lost nothing, and reads on."""
        self.publish(5)
        reader = Reader(self.hub, room=3, notices=True)
        for _ in range(300):
            self.beat()
        reader.fetch()
        reader.sink.room = 1 << 20
        self.publish(2)
        self.assertEqual(reader.items(), [BEAT, BEAT, 5, 6])
        self.assertEqual(self.channel.lost, 0)

    def test_fell_behind_heartbeats_and_messages(self) -> None:
        """Of what it fell behind, only the messages are lost."""
        self.publish(5)
        reader = Reader(self.hub, room=3, notices=True)
        for _ in range(300):
            self.beat()
        for _ in range(150):
            self.publish()
        reader.fetch()
        first = 155 - 32
        lost = (first - 5, "e-5", f"e-{first - 1}")
        self.assertEqual(reader.items(), [BEAT, lost, *range(first, 155)])

    def test_closed_within_it(self) -> None:
        """The rest of it is given, and counts as no message."""
        reader = Reader(self.hub, room=3)
        self.beat()
        self.assertTrue(reader.subscription.mid_frame)
        reader.sink.taken += reader.subscription.close()
        self.assertEqual(reader.items(), [BEAT])
        self.assertEqual(self.channel.messages_sent, 0)

    def test_quiet_stream_keeps_no_more_and_more(self) -> None:
        """Heartbeats are kept no longer than so many messages."""
        Reader(self.hub)
        for _ in range(500):
            self.beat()
        self.assertLessEqual(self.channel.ring.size, 100 * 30)
        self.assertFalse(self.channel.ring.reaches(self.channel.ring.next_number - 101))

    def test_notice_refers_to_nothing(self) -> None:
        """What one client alone is told does not get into the way of what all are sent."""
        reader, other = Reader(self.hub, room=0, notices=True), Reader(self.hub)
        for _ in range(300):
            self.publish()
        reader.fetch()
        reader.sink.room = 1 << 20
        self.publish(50)
        first = 300 - 32
        lost = (first, "e-0", f"e-{first - 1}")
        self.assertEqual(reader.items(), [lost, *range(first, 350)])
        self.assertEqual(other.items(), list(range(350)))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), st.integers(1, 12)),
                st.tuples(st.just("join"), st.integers(0, 3_000)),
                st.tuples(st.just("fetch"), st.integers(1, 9_000)),
                st.tuples(st.just("room"), st.integers(0, 9_000)),
                st.tuples(st.just("beat"), st.just(0)),
            ),
            max_size=50,
        ),
        st.integers(1, 60),
        st.integers(0, 4_000),
    )
    @settings(deadline=None, max_examples=150)
    def test_whatever_happens(self, steps: list[tuple[str, int]], ring: int, padding: int) -> None:
        """Any interleaving of joins, stalls, losses and heartbeats: every client inflates whole
        events in order, all from one message on, and what is missing is told."""
        self.begin(ring)
        readers: list[Reader] = []
        for number, (step, amount) in enumerate(steps):
            reader = readers[number % len(readers)] if readers else None
            if step == "publish":
                for _ in range(amount):
                    seed = self.published % (3 + amount)
                    self.hub.publish(Noisy(self.published, padding + amount, seed))
                    self.published += 1
                self.hub.flush()
            elif step == "join":
                readers.append(Reader(self.hub, amount, notices=True))
            elif step == "beat":
                self.beat()
            elif reader is not None and step == "fetch":
                reader.fetch(amount)
            elif reader is not None:
                reader.sink.room = amount
        for reader in readers:
            reader.fetch()
            self.assertTrue(reader.subscription.ready)
            accounted: list[int] = []
            for each in reader.items():
                if isinstance(each, int):
                    accounted.append(each)
                elif each != BEAT:
                    begin, end = (int(name.removeprefix("e-")) for name in each[1:])
                    accounted.extend(range(begin, end + 1))
            self.assertEqual(accounted, sorted(set(accounted)))
            since = reader.subscription.since
            due = [number for number in accounted if number >= since]
            self.assertEqual(due, list(range(since, self.published)))
