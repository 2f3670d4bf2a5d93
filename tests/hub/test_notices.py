"""Notices: who asked is told what it lost, where it is missing."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import SSE, TCP, WEBSOCKET, Wire
from certstream_tx.hub import Hub, Stream, Subscription
from tests.hub.messages import Numbered, Sink, number_of
from tests.serve.memory import frames_of

Item = int | tuple[int, str, str]
"""number of a message, or count and ids of a notice"""


def item(document: bytes) -> Item:
    """What a document says."""
    if not document.startswith(b"{"):
        return number_of(document)
    fields = json.loads(document)
    assert (fields.pop("message_type"), fields.pop("kind")) == ("notice", "lost")
    return fields.pop("count"), fields.pop("from"), fields.pop("to")


def items(data: bytes) -> list[Item]:
    """What a WebSocket client got."""
    return [item(payload) for _, payload in frames_of(data)]


def fetch(subscription: Subscription, most: int = 1 << 20) -> bytes:
    """Take up to ``most`` bytes of what waits, as a sink does."""
    got = b""
    while most and (piece := bytes(subscription.rest()[:most])):
        subscription.taken(len(piece))
        got += piece
        most -= len(piece)
    return got


class NoticeTests(SynchronousTestCase):
    """One client that takes less than it is offered, with a ring of three messages."""

    def setUp(self) -> None:
        self.hub = Hub(Clock(), ring_messages=3, epoch="e")
        self.published = 0

    def subscribe(self, wire: Wire = WEBSOCKET, room: int = 0, *, notices: bool = True) -> Sink:
        self.sink = Sink(room)
        self.subscription = self.hub.subscribe(Stream.LITE, wire, self.sink, notices=notices)
        return self.sink

    def publish(self, count: int) -> None:
        for _ in range(count):
            self.hub.publish(Numbered(self.published, padding=1))
            self.hub.flush()
            self.published += 1

    def test_stands_where_messages_are_missing(self) -> None:
        """Between the last message before the loss and the first after it, with their ids."""
        self.subscribe()
        self.publish(3)
        first = fetch(self.subscription, 10)
        self.publish(4)
        self.assertEqual(items(first + fetch(self.subscription)), [0, (3, "e-1", "e-3"), 4, 5, 6])
        self.publish(1)
        self.assertEqual(len(self.sink.offered), 2)

    def test_only_for_who_asked(self) -> None:
        """Others get the same stream without it."""
        self.subscribe(notices=False)
        self.publish(5)
        self.assertEqual(items(fetch(self.subscription)), [2, 3, 4])

    def test_nothing_is_lost_nothing_is_told(self) -> None:
        """Who is behind, but not too far, gets no notice; nor who has fallen off and lost none."""
        self.subscribe(room=4)
        self.publish(3)
        self.sink.taken += fetch(self.subscription)
        self.assertEqual(items(self.sink.taken), [0, 1, 2])
        sink = self.subscribe(room=4)
        self.publish(4)
        self.assertTrue(self.subscription.mid_frame)
        self.assertEqual(items(sink.taken + fetch(self.subscription)), [3, 4, 5, 6])
        self.assertEqual(self.subscription.lost, 0)

    def test_begun_frame_comes_first(self) -> None:
        """The rest of a frame whose chunk is gone, then the notice, then the stream."""
        sink = self.subscribe(room=4)
        self.publish(6)
        got = sink.taken + fetch(self.subscription)
        self.assertEqual(items(got), [0, (2, "e-1", "e-2"), 3, 4, 5])

    def test_is_a_frame_that_is_not_cut(self) -> None:
        """Taken in part, its rest comes before anything else, whatever is lost meanwhile."""
        self.subscribe()
        self.publish(5)
        begun = fetch(self.subscription, 7)
        self.assertTrue(self.subscription.mid_frame)
        self.publish(5)
        begun += bytes(self.subscription.rest_of_frame())
        self.assertEqual(items(begun), [(2, "e-0", "e-1")])
        self.subscription.taken(len(begun) - 7)
        self.assertEqual(items(fetch(self.subscription)), [(5, "e-2", "e-6"), 7, 8, 9])

    def test_counts_as_bytes_and_not_as_a_message(self) -> None:
        """What a notice takes is in the bytes; messages sent are those of the stream."""
        self.subscribe()
        self.publish(5)
        got = fetch(self.subscription)
        (channel,) = self.hub.channels()
        self.assertEqual((channel.bytes_sent, channel.messages_sent), (len(got), 3))

    def test_closed_with_a_notice_before_it(self) -> None:
        """A subscription that ends within a notice gives the rest of it, which is no message."""
        self.subscribe()
        self.publish(5)
        begun = fetch(self.subscription, 7)
        self.assertEqual(items(begun + self.subscription.close()), [(2, "e-0", "e-1")])
        (channel,) = self.hub.channels()
        self.assertEqual(channel.messages_sent, 0)

    def test_sse(self) -> None:
        """As an event it has no id: who comes back names the last message it got."""
        self.subscribe(SSE)
        self.publish(5)
        first, second, *_ = fetch(self.subscription).split(b"\n\n")
        self.assertEqual(item(first.removeprefix(b"data: ")), (2, "e-0", "e-1"))
        self.assertTrue(second.startswith(b"id: e-2\n"))

    def test_lines_have_none(self) -> None:
        """On the line wire nobody can ask, and nobody is told."""
        self.subscribe(TCP)
        self.publish(5)
        lines = fetch(self.subscription).splitlines()
        self.assertEqual([number_of(line) for line in lines], [2, 3, 4])

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), st.integers(1, 6)),
                st.tuples(st.just("take"), st.integers(1, 90)),
                st.tuples(st.just("room"), st.integers(0, 90)),
            ),
            max_size=60,
        ),
        st.integers(1, 12),
    )
    @settings(deadline=None, max_examples=150)
    def test_tells_exactly_what_is_missing(self, steps: list[tuple[str, int]], ring: int) -> None:
        """Whatever a client takes when: messages and notices together are all that was published,
        in order, each once."""
        hub = Hub(Clock(), ring_messages=ring, ring_bytes=200, epoch="e")
        sink = Sink(room=0)
        subscription = hub.subscribe(Stream.LITE, WEBSOCKET, sink, notices=True)
        published = 0
        for step, amount in steps:
            if step == "publish":
                for _ in range(amount):
                    hub.publish(Numbered(published, padding=published % 7))
                    published += 1
                hub.flush()
            elif step == "room":
                sink.room = amount
            else:
                sink.taken += fetch(subscription, amount)
        sink.taken += fetch(subscription)
        accounted: list[int] = []
        for each in items(sink.taken):
            if isinstance(each, int):
                accounted.append(each)
            else:
                count, first, last = each
                begin, end = int(first.removeprefix("e-")), int(last.removeprefix("e-")) + 1
                self.assertEqual(count, end - begin)
                accounted.extend(range(begin, end))
        self.assertEqual(accounted, list(range(published)))
