"""What is published, encoded, flushed and when."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import SSE, TCP, WEBSOCKET, Wire
from certstream_tx.hub import Hub, Newest, Stream
from certstream_tx.hub.broadcast import MAX_GAP, MAX_PENDING_BYTES
from certstream_tx.hub.channel import CHUNK_BYTES
from tests.hub.messages import Numbered, Sink, number_of
from tests.serve.memory import frames_of


def numbers(sink: Sink) -> list[int]:
    """Numbers of the messages in WebSocket frames that a sink took."""
    return [number_of(payload) for _, payload in frames_of(sink.taken)]


class PublishTests(SynchronousTestCase):
    """Who gets what."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = Hub(self.clock, epoch="e")

    def publish(self, *numbers: int, **options: Any) -> list[Numbered]:
        messages = [Numbered(n, **options) for n in numbers]
        for message in messages:
            self.hub.publish(message)
        self.hub.flush()
        return messages

    def test_stream_nobody_uses_is_not_encoded(self) -> None:
        """Only streams with a subscription are encoded, each once however many wires it has."""
        sinks = [Sink() for _ in range(3)]
        self.hub.subscribe(Stream.LITE, WEBSOCKET, sinks[0])
        self.hub.subscribe(Stream.LITE, WEBSOCKET, sinks[1])
        subscription = self.hub.subscribe(Stream.LITE, SSE, sinks[2])
        (message,) = self.publish(1)
        self.assertEqual(message.encoded, ["lite"])
        subscription.close()
        self.assertTrue(self.hub.in_use(Stream.LITE))
        self.assertFalse(self.hub.in_use(Stream.FULL))

    def test_wire_is_framed_once(self) -> None:
        """All subscriptions of a stream on a wire get the same object."""
        calls: list[int] = []

        def frames(payloads: Any, first: int, epoch: str) -> list[bytes]:
            calls.append(first)
            return list(payloads)

        wire = Wire("test", frames)
        sinks = [Sink() for _ in range(5)]
        for sink in sinks:
            self.hub.subscribe(Stream.LITE, wire, sink)
        self.publish(1, 2)
        self.assertEqual(len({id(sink.offered[0]) for sink in sinks}), 1)
        self.assertEqual(calls, [0])

    def test_wires_have_their_frames(self) -> None:
        """The same message stands on each wire in that wire's frame."""
        sinks = {wire: Sink() for wire in (WEBSOCKET, SSE, TCP)}
        for wire, sink in sinks.items():
            self.hub.subscribe(Stream.LITE, wire, sink)
        self.publish(5)
        self.assertEqual(sinks[WEBSOCKET].taken, b"\x81\x07lite 5 ")
        self.assertEqual(sinks[SSE].taken, b"id: e-0\ndata: lite 5 \n\n")
        self.assertEqual(sinks[TCP].taken, b"lite 5 \n")

    def test_new_subscription_begins_now(self) -> None:
        """What was flushed before a subscription is not sent to it."""
        first, second = Sink(), Sink()
        self.hub.subscribe(Stream.LITE, WEBSOCKET, first)
        self.publish(1)
        self.hub.subscribe(Stream.LITE, WEBSOCKET, second)
        self.publish(2)
        self.assertEqual((numbers(first), numbers(second)), ([1, 2], [2]))

    def test_message_without_document_has_no_number(self) -> None:
        """A certificate without names is not on domains-only, and takes no sequence number."""
        sink = Sink()
        self.hub.subscribe(Stream.DOMAINS_ONLY, SSE, sink)
        self.publish(1)
        self.publish(2, names=False)
        self.publish(3)
        self.assertEqual(sink.taken, b"id: e-0\ndata: domains 1 \n\nid: e-1\ndata: domains 3 \n\n")

    def test_sequence_moves_while_nobody_listens(self) -> None:
        """One who comes back sees by the number that messages have passed."""
        self.publish(1, 2, 3)
        sink = Sink()
        self.hub.subscribe(Stream.LITE, SSE, sink)
        self.publish(4)
        self.assertIn(b"id: e-3\n", sink.taken)

    def test_pending_goes_with_the_last_listener(self) -> None:
        """What waits when the last one leaves is dropped, and later numbers are still right."""
        subscription = self.hub.subscribe(Stream.LITE, SSE, Sink())
        self.hub.publish(Numbered(1))
        subscription.close()
        sink = Sink()
        self.hub.subscribe(Stream.LITE, SSE, sink)
        self.publish(2)
        self.assertEqual(sink.taken, b"id: e-1\ndata: lite 2 \n\n")

    def test_disabled_stream(self) -> None:
        """A stream that is not served cannot be subscribed to and is never encoded."""
        hub = Hub(self.clock, streams=[Stream.LITE])
        with self.assertRaises(KeyError):
            hub.subscribe(Stream.FULL, WEBSOCKET, Sink())
        self.assertEqual(hub.streams, {Stream.LITE})
        self.assertFalse(hub.in_use(Stream.FULL))

    def test_newest_are_kept_unencoded(self) -> None:
        """The newest messages are there to be encoded later, and no more than asked for."""
        hub = Hub(self.clock, newest=Newest(2))
        messages = [Numbered(i) for i in range(3)]
        for message in messages:
            hub.publish(message)
        self.assertEqual(list(hub.newest), messages[1:])
        self.assertEqual([m.encoded for m in messages], [[], [], []])

    def test_epochs_differ(self) -> None:
        """A hub made later has another epoch."""
        earlier = Hub(self.clock).epoch
        self.clock.advance(1)
        self.assertNotEqual(Hub(self.clock).epoch, earlier)

    def test_sink_that_raises_is_left_out(self) -> None:
        """A sink that fails loses its subscription; the others get everything."""

        def fail() -> None:
            raise RuntimeError("broken")

        broken, whole = Sink(), Sink()
        broken.on_take = fail
        subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, broken)
        self.hub.subscribe(Stream.LITE, WEBSOCKET, whole)
        self.publish(1)
        self.publish(2)
        self.assertEqual(numbers(whole), [1, 2])
        self.assertTrue(subscription.closed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_client_that_leaves_while_it_is_written_to(self) -> None:
        """A subscription may be closed by its own sink in the middle of a flush."""
        leaving, other = Sink(room=3), Sink()
        subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, leaving)
        leaving.on_take = subscription.close
        self.hub.subscribe(Stream.LITE, WEBSOCKET, other)
        self.publish(1)
        self.publish(2)
        self.assertEqual(numbers(other), [1, 2])
        self.assertEqual(len(leaving.offered), 1)


class FlushClockTests(SynchronousTestCase):
    """When it is flushed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.hub = Hub(self.clock)
        self.sink = Sink()
        self.hub.subscribe(Stream.LITE, WEBSOCKET, self.sink)
        self.takes = 0.0
        self.sink.on_take = lambda: self.clock.advance(self.takes) if self.takes else None

    def test_at_once_when_idle(self) -> None:
        """A lone message leaves in the next turn, and its neighbours of the same turn with it."""
        self.hub.publish(Numbered(1))
        self.hub.publish(Numbered(2))
        self.assertEqual(self.sink.offered, [])
        self.clock.advance(0)
        self.assertEqual(numbers(self.sink), [1, 2])
        self.assertEqual(len(self.sink.offered), 1)

    def test_gap_is_as_long_as_the_flush_was(self) -> None:
        """After a flush of 4 ms the next one waits until 4 ms have passed."""
        self.takes = 0.004
        self.hub.publish(Numbered(1))
        self.clock.advance(0)
        self.takes = 0.0
        self.hub.publish(Numbered(2))
        self.clock.advance(0.0039)
        self.assertEqual(len(self.sink.offered), 1)
        self.clock.advance(0.0002)
        self.assertEqual(len(self.sink.offered), 2)

    def test_gap_is_capped(self) -> None:
        """However long a flush took, the next one is 10 ms later."""
        self.takes = 1.0
        self.hub.publish(Numbered(1))
        self.clock.advance(0)
        self.takes = 0.0
        self.hub.publish(Numbered(2))
        self.clock.advance(MAX_GAP - 0.001)
        self.assertEqual(len(self.sink.offered), 1)
        self.clock.advance(0.002)
        self.assertEqual(len(self.sink.offered), 2)

    def test_no_gap_after_a_pause(self) -> None:
        """When the gap has passed anyway, a message leaves at once."""
        self.takes = 0.005
        self.hub.publish(Numbered(1))
        self.clock.advance(0)
        self.takes = 0.0
        self.clock.advance(0.005)
        self.hub.publish(Numbered(2))
        self.clock.advance(0)
        self.assertEqual(len(self.sink.offered), 2)

    def test_clock_set_back(self) -> None:
        """A clock that is set back by an hour does not hold messages up."""
        self.takes = 0.005
        self.hub.publish(Numbered(1))
        self.clock.advance(0)
        self.takes = 0.0
        self.clock.rightNow -= 3600
        self.hub.publish(Numbered(2))
        self.clock.advance(MAX_GAP)
        self.assertEqual(len(self.sink.offered), 2)

    def test_flush_on_demand(self) -> None:
        """Asked to, it flushes at once, and the timer has nothing left to do."""
        self.hub.publish(Numbered(1))
        self.hub.flush()
        self.assertEqual(numbers(self.sink), [1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idle_hub_has_no_timer(self) -> None:
        """Without listeners nothing is ever scheduled."""
        hub = Hub(self.clock)
        hub.publish(Numbered(1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_chunks_are_bounded(self) -> None:
        """A flush above 128 KiB goes out in several chunks of at most that."""
        for i in range(40):
            self.hub.publish(Numbered(i, padding=10000))
        self.hub.flush()
        self.assertGreater(len(self.sink.offered), 2)
        self.assertLessEqual(max(map(len, self.sink.offered)), CHUNK_BYTES)
        self.assertEqual(numbers(self.sink), list(range(40)))

    def test_publisher_without_a_pause(self) -> None:
        """Who publishes on and on without giving a turn has it flushed all the same."""
        count = 2 * MAX_PENDING_BYTES // 10000
        for i in range(count):
            self.hub.publish(Numbered(i, padding=10000))
        self.assertGreater(len(numbers(self.sink)), count // 2 - 10)
        self.clock.advance(MAX_GAP)
        self.assertEqual(numbers(self.sink), list(range(count)))

    def test_counts(self) -> None:
        """Flushes and what they carried are counted."""
        self.takes = 0.002
        for i in range(3):
            self.hub.publish(Numbered(i))
        self.hub.flush()
        counts = self.hub.counts
        self.assertEqual(counts.published, 3)
        self.assertEqual((sum(counts.flush_seconds.counts), counts.flush_messages.total), (1, 3.0))
        self.assertAlmostEqual(counts.flush_seconds.total, 0.002)
        (channel,) = self.hub.channels()
        self.assertEqual((channel.messages_sent, channel.bytes_sent), (3, len(self.sink.taken)))

    def test_delivery_is_timed(self) -> None:
        """Each message from its publication until the flush that carried it was done."""
        self.takes = 0.002
        self.hub.publish(Numbered(0))
        self.clock.advance(0)
        self.hub.publish(Numbered(1))
        self.clock.rightNow += 0.0005
        self.hub.publish(Numbered(2))
        self.clock.advance(MAX_GAP)
        delivery = self.hub.counts.delivery_seconds
        self.assertEqual(sum(delivery.counts), 3)
        waited = 0.0005 + MAX_GAP
        self.assertAlmostEqual(delivery.total, 0.002 + (waited + 0.002) + (MAX_GAP + 0.002))

    def test_delivery_to_nobody_is_not_timed(self) -> None:
        """What waited for somebody who left is no delivery."""
        hub = Hub(self.clock)
        subscription = hub.subscribe(Stream.LITE, WEBSOCKET, Sink())
        hub.publish(Numbered(0))
        subscription.close()
        hub.subscribe(Stream.LITE, WEBSOCKET, Sink())
        self.clock.advance(1)
        self.assertEqual(sum(hub.counts.delivery_seconds.counts), 0)
