"""Subscriptions: cursors exact to the byte, that lose nothing uncounted."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import WEBSOCKET
from certstream_tx.hub import Hub, Stream, Subscription
from tests.hub.messages import Numbered, Sink, number_of
from tests.serve.memory import frames_of


class SubscriptionTests(SynchronousTestCase):
    """One client that takes less than it is offered."""

    def setUp(self) -> None:
        # Each message is a chunk of 10 bytes ("lite n " and a header of 2, one byte of padding).
        self.hub = Hub(Clock(), ring_messages=3)
        self.sink = Sink()
        self.subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, self.sink)
        self.published = 0

    def publish(self, count: int = 1) -> None:
        """Messages, each in a chunk of its own."""
        for _ in range(count):
            self.hub.publish(Numbered(self.published, padding=1))
            self.hub.flush()
            self.published += 1

    def fetch(self, most: int = 1 << 20) -> bytes:
        """Take up to ``most`` bytes of what is held, as a sink does."""
        got = b""
        while most and (piece := bytes(self.subscription.rest()[:most])):
            self.subscription.taken(len(piece))
            got += piece
            most -= len(piece)
        return got

    def numbers(self, data: bytes) -> list[int]:
        return [number_of(payload) for _, payload in frames_of(data)]

    def test_goes_on_where_it_stopped(self) -> None:
        """After a short take the rest comes from the same byte on, then the chunks since."""
        self.sink.room = 4
        self.publish(2)
        self.assertEqual(len(self.sink.offered), 1)
        self.assertFalse(self.subscription.ready)
        self.assertTrue(self.subscription.mid_frame)
        self.sink.taken += self.fetch()
        self.assertTrue(self.subscription.ready)
        self.assertEqual(self.numbers(self.sink.taken), [0, 1])

    def test_rest_is_not_a_copy(self) -> None:
        """A whole chunk is the shared object, a part of it a view of that object."""
        self.sink.room = 0
        self.publish()
        data = self.sink.offered[0]
        self.assertIs(self.subscription.rest(), data)
        self.subscription.taken(3)
        rest = self.subscription.rest()
        assert isinstance(rest, memoryview)
        self.assertIs(rest.obj, data)

    def test_up_to_date_has_nothing_left(self) -> None:
        """One that took everything has no rest and is offered the next chunk."""
        self.publish()
        self.assertEqual(self.subscription.rest(), b"")
        self.assertEqual(self.subscription.rest_of_frame(), b"")
        self.publish()
        self.assertEqual(len(self.sink.offered), 2)

    def test_falls_off_at_a_boundary(self) -> None:
        """One whose chunk is gone goes on with the oldest there is; what lay between is counted."""
        self.sink.room = 0
        self.publish(5)
        self.assertEqual(self.subscription.lost, 2)
        self.assertEqual(self.numbers(self.fetch()), [2, 3, 4])
        self.assertEqual(self.subscription.lost, 2)
        (channel,) = self.hub.channels()
        self.assertEqual((channel.messages_sent, channel.lost), (3, 2))

    def test_begun_frame_is_finished(self) -> None:
        """One that fell off in the middle of a frame still gets that frame's rest first."""
        self.sink.room = 4
        self.publish(6)
        self.assertTrue(self.subscription.mid_frame)
        self.assertEqual(self.subscription.lost, 2)
        self.assertEqual(self.numbers(self.sink.taken + self.fetch()), [0, 3, 4, 5])

    def test_loss_goes_on_growing(self) -> None:
        """While a fallen client takes nothing, its loss is known at any time."""
        self.sink.room = 0
        losses = []
        for _ in range(6):
            self.publish()
            losses.append(self.subscription.lost)
        self.assertEqual(losses, [0, 0, 0, 1, 2, 3])
        (channel,) = self.hub.channels()
        self.subscription.close()
        self.assertEqual(channel.lost, 3)

    def test_chunk_is_let_go(self) -> None:
        """A stalled client keeps no chunk alive: only the rest of a frame it began."""
        self.sink.room = 4
        self.hub.publish(Numbered(0, padding=100000))
        self.hub.publish(Numbered(1, padding=10))
        self.hub.flush()
        self.publish(4)
        rest = self.subscription.rest()
        self.assertIsInstance(rest, bytes)
        self.assertEqual(len(self.sink.taken) + len(rest), 100000 + 17)

    def test_frame_boundary_for_others(self) -> None:
        """A sink that has something else to send gets just the rest of the frame."""
        self.hub.publish(Numbered(0, padding=1))
        self.hub.publish(Numbered(1, padding=1))
        self.sink.room = 4
        self.hub.flush()
        rest = bytes(self.subscription.rest_of_frame())
        self.assertEqual(self.numbers(self.sink.taken + rest), [0])
        self.subscription.taken(len(rest))
        self.assertFalse(self.subscription.mid_frame)
        self.assertEqual(self.subscription.rest_of_frame(), b"")

    def test_close_gives_the_rest_of_the_frame(self) -> None:
        """Closed in the middle of a frame, it gives that frame's rest and nothing more, ever."""
        self.sink.room = 4
        self.publish(2)
        rest = self.subscription.close()
        self.assertEqual(self.numbers(self.sink.taken + rest), [0])
        self.assertEqual((self.subscription.close(), self.subscription.rest()), (b"", b""))
        self.assertFalse(self.hub.in_use(Stream.LITE))

    def test_close_between_frames(self) -> None:
        """Closed when up to date or between frames, it has nothing left."""
        self.sink.room = 10
        self.publish(2)
        self.assertEqual(self.subscription.close(), b"")

    def test_ring_goes_with_the_last_one(self) -> None:
        """A stream that nobody reads keeps nothing."""
        self.publish(3)
        (channel,) = self.hub.channels()
        self.assertGreater(channel.ring.size, 0)
        self.subscription.close()
        self.assertEqual(channel.ring.size, 0)


class AccountTests(SynchronousTestCase):
    """Whatever a client takes, sent and lost add up."""

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), st.integers(1, 6)),
                st.tuples(st.just("take"), st.integers(1, 60)),
                st.tuples(st.just("room"), st.integers(0, 60)),
            ),
            max_size=60,
        ),
        st.integers(1, 12),
    )
    @settings(deadline=None, max_examples=150)
    def test_sent_and_lost_are_all(self, steps: list[tuple[str, int]], ring: int) -> None:
        """Frames arrive whole and in order, and those that did not arrive were counted."""
        hub = Hub(Clock(), ring_messages=ring, ring_bytes=200)
        sink = Sink(room=0)
        subscription = hub.subscribe(Stream.LITE, WEBSOCKET, sink)
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
                sink.taken += _take(subscription, amount)
        sink.taken += _take(subscription, 1 << 20)
        got = [number_of(payload) for _, payload in frames_of(sink.taken)]
        self.assertEqual(got, sorted(set(got)))
        (channel,) = hub.channels()
        self.assertEqual(len(got) + subscription.lost, published)
        self.assertEqual((channel.messages_sent, channel.lost), (len(got), subscription.lost))
        self.assertEqual(channel.bytes_sent, len(sink.taken))
        if published:
            self.assertEqual(got[-1], published - 1)


def _take(subscription: Subscription, most: int) -> bytes:
    got = b""
    while most and (piece := bytes(subscription.rest()[:most])):
        subscription.taken(len(piece))
        got += piece
        most -= len(piece)
    return got
