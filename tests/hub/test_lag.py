"""Who is too slow, and who is not."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import TCP, WEBSOCKET, Wire
from certstream_tx.hub import Hub, Slow, Stream, Subscription
from certstream_tx.hub.lag import MAX_SAMPLES, MIN_LOST, LagBounds, LagWatch
from tests.hub.messages import Numbered, Sink

RATE = 2000
"""messages a second; twice what the ring keeps, and enough for a loss to count"""


class Forgetful(Sink):
    """Keeps nothing of what it takes."""

    def take(self, data: bytes) -> int:
        count = min(self.room, len(data))
        self.room -= count
        return count


class Client:
    """A client that takes what it is told to, and is never heard of again when told to leave."""

    def __init__(self, hub: Hub, wire: Wire = WEBSOCKET) -> None:
        self.sink = Forgetful()
        self.subscription: Subscription = hub.subscribe(Stream.LITE, wire, self.sink, self)
        self.left = False

    def leave(self, code: int, reason: str) -> None:
        self.left = True
        self.subscription.close()

    def take(self, most: int = 1 << 40) -> None:
        """Take up to ``most`` bytes of what waits."""
        while most > 0 and (piece := self.subscription.rest()[:most]):
            self.subscription.taken(len(piece))
            most -= len(piece)


class LagTests(SynchronousTestCase):
    """A second at a time."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **bounds: float) -> None:
        self.hub = Hub(Clock(), ring_messages=1000)
        self.watch = LagWatch(self.hub, LagBounds(**bounds))  # type: ignore[arg-type]
        self.published = 0

    def second(self, rate: int = RATE) -> list[Slow]:
        """Messages of one second, in ten flushes; then a look. Returns why somebody was dropped."""
        for part in range(10):
            for _ in range(rate * part // 10, rate * (part + 1) // 10):
                self.hub.publish(Numbered(self.published, padding=50))
                self.published += 1
            self.hub.flush()
        reasons = []
        for reader, reason in list(self.watch.tick()):
            reader.leave(1013, reason.value)
            reasons.append(reason)
        return reasons

    def seconds_until_dropped(self, client: Client, take: int, limit: int = 200) -> int | None:
        """For how long it may take ``take`` bytes of each second's stream."""
        for second in range(limit):
            client.take(take)
            client.sink.room = 0
            if self.second():
                self.assertTrue(client.left)
                return second
        return None

    def test_who_keeps_up_is_not_looked_at(self) -> None:
        """Neither asked for its queue nor noted anywhere."""
        client = Client(self.hub)
        client.sink.queued = None  # type: ignore[assignment,method-assign]
        for _ in range(100):
            self.assertEqual(self.second(), [])
        self.assertEqual(self.watch._still, {})
        self.assertFalse(any(self.watch._losses.values()))

    def test_long_window(self) -> None:
        """An hour's losses of a client take no more memory than a minute's, and are told apart."""
        self.begin(window=600, stall=3600, max_lost_share=1.0)
        client = Client(self.hub)
        client.sink.room = 10
        for _ in range(700):
            self.assertEqual(self.second(rate=20), [])
        ((samples,),) = (losses.values() for losses in self.watch._losses.values())
        self.assertLessEqual(len(samples), MAX_SAMPLES + 1)
        self.assertTrue(590 * 20 <= sum(count for _, count in samples) <= 600 * 20)

    def test_nothing_taken(self) -> None:
        """After ten seconds without a byte taken, while data waits, it is dropped."""
        client = Client(self.hub)
        client.sink.room = 10
        reasons = [self.second(rate=10) for _ in range(12)]
        self.assertEqual(reasons, [[]] * 10 + [[Slow.STALL], []])
        self.assertTrue(client.left)
        (channel,) = self.hub.channels()
        self.assertEqual(channel.dropped, {Slow.STALL: 1})

    def test_quiet_stream_is_no_stall(self) -> None:
        """Who has everything is not stalled however long nothing comes."""
        client = Client(self.hub)
        self.second(rate=10)
        for _ in range(100):
            self.assertEqual(self.second(rate=0), [])
        self.assertFalse(client.left)

    def test_a_byte_in_time(self) -> None:
        """A byte every nine seconds is something."""
        client = Client(self.hub)
        client.sink.room = 10
        for second in range(60):
            if second % 9 == 8:
                client.take(1)
            self.assertEqual(self.second(rate=10), [])
        self.assertFalse(client.left)

    def test_queue_that_shrinks(self) -> None:
        """What the kernel still gets rid of counts as taken, though it takes no more yet."""
        client = Client(self.hub)
        client.sink.room = 10
        for second in range(60):
            client.sink.queue = 100_000 - second
            self.assertEqual(self.second(rate=10), [])
        for _ in range(9):
            self.assertEqual(self.second(rate=10), [])
        self.assertEqual(self.second(rate=10), [Slow.STALL])

    def test_stalled_anew(self) -> None:
        """Seconds without a byte are counted from the last one that was taken."""
        client = Client(self.hub)
        client.sink.room = 10
        for _ in range(9):
            self.second(rate=10)
        client.take()
        self.assertTrue(client.subscription.ready)
        client.sink.room = 0
        self.assertEqual([self.second(rate=10) for _ in range(10)], [[]] * 10)
        self.assertEqual(self.second(rate=10), [Slow.STALL])

    def test_lost_too_much(self) -> None:
        """One that gets a tenth is dropped as soon as it lost half of all since it came."""
        for _ in range(70):
            self.second()
        client = Client(self.hub)
        seconds = self.seconds_until_dropped(client, take=12_000)
        assert seconds is not None
        self.assertLess(seconds, 5)
        (channel,) = self.hub.channels()
        self.assertEqual(channel.dropped, {Slow.LAG: 1})

    def test_lost_less_than_half(self) -> None:
        """One that gets six of ten messages may stay; with another share it may not."""
        size = len(b"..lite 12345 ") + 50
        self.assertIsNone(self.seconds_until_dropped(Client(self.hub), take=1200 * size, limit=130))
        self.begin(max_lost_share=0.3)
        self.assertIsNotNone(self.seconds_until_dropped(Client(self.hub), take=1200 * size))

    def bursts_until_dropped(self) -> int | None:
        """For how many bursts a minute apart it may lose 600 messages of 1,600 each."""
        client = Client(self.hub)
        for burst in range(5):
            client.sink.room = 0
            for _ in range(2):
                if self.second(rate=800):
                    return burst
            client.take()
            client.sink.room = 1 << 60
            for _ in range(61):
                self.assertEqual(self.second(rate=0), [])
        self.assertGreater(client.subscription.lost, 2 * MIN_LOST)
        return None

    def test_old_losses_are_forgotten(self) -> None:
        """What was lost before the window is no reason, however much it was in sum."""
        self.begin(max_lost_share=0.3)
        self.assertIsNone(self.bursts_until_dropped())
        self.assertFalse(any(self.watch._losses.values()))

    def test_window(self) -> None:
        """The same within a longer window is too much."""
        self.begin(max_lost_share=0.3, window=600)
        self.assertEqual(self.bursts_until_dropped(), 1)

    def test_few_messages_are_no_reason(self) -> None:
        """All of a quiet stream lost is no reason while it is below a thousand messages."""
        self.hub = Hub(Clock(), ring_messages=2)
        self.watch = LagWatch(self.hub, LagBounds(stall=3600))
        client = Client(self.hub)
        client.sink.room = 0
        reasons = [self.second(rate=10) for _ in range(300)]
        self.assertGreater(client.subscription.lost, 2 * MIN_LOST)
        self.assertEqual([r for r in reasons if r], [])

    def test_each_wire_counts_its_own(self) -> None:
        """Dropped clients are counted where they were."""
        clients = [Client(self.hub, wire) for wire in (WEBSOCKET, TCP, TCP)]
        for client in clients:
            client.sink.room = 0
        for _ in range(11):
            self.second(rate=1)
        counts = {channel.wire: channel.dropped[Slow.STALL] for channel in self.hub.channels()}
        self.assertEqual(counts, {WEBSOCKET: 1, TCP: 2})

    def test_nobody_is_told_twice(self) -> None:
        """One that is stalled and lost too much is told once, and counted once."""
        client = Client(self.hub)
        client.sink.room = 0
        reasons = [reason for _ in range(30) for reason in self.second(rate=RATE // 4)]
        self.assertEqual(len(reasons), 1)
        (channel,) = self.hub.channels()
        self.assertEqual(sum(channel.dropped.values()), 1)

    def test_gone_clients_are_forgotten(self) -> None:
        """Nothing is kept of clients that left while they were behind."""
        client = Client(self.hub)
        client.sink.room = 0
        for _ in range(3):
            self.second(rate=RATE // 2)
        self.assertGreater(client.subscription.lost, 0)
        client.leave(1000, "")
        self.second(rate=0)
        self.assertEqual(self.watch._still, {})
        self.assertFalse(any(self.watch._losses.values()))
