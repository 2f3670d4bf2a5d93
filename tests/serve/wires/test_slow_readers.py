"""Clients that do not read: dropped with a reason, or told what they lost."""

import json
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import OPCODE_CLOSE
from certstream_tx.hub import Slow, Stream
from certstream_tx.hub.lag import LagBounds
from certstream_tx.serve.metrics.slow import PROTOCOLS, SLOW
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.wires.slow_readers import SlowReaders
from certstream_tx.serve.writing.buffered_writer import BufferedWriter
from tests.hub.messages import number_of
from tests.serve.links import Link, PlainLink, TLSLink
from tests.serve.memory import split_frames
from tests.serve.wires.clients import (
    CLIENTS,
    SSEClient,
    WebSocketClient,
    WireClient,
    channel_of,
    make_house,
    publish,
)


class SlowReaderTests(SynchronousTestCase):
    """With a site in memory, and a ring of a hundred messages."""

    def setUp(self) -> None:
        self.house = make_house(ring_messages=100)
        self.addCleanup(self.house.close)
        self.slow = SlowReaders(self.house.clock, self.house.hub, LagBounds())
        self.slow.startService()
        self.addCleanup(self.slow.stopService)

    def subscribed(
        self, client: type[WireClient], link: type[Link] = PlainLink, room: int | None = None
    ) -> WireClient:
        """A client that has read its greeting; from then on it takes ``room`` bytes."""
        subscribed = client(self.house, link)
        subscribed.subscribe()
        self.addCleanup(subscribed.link.hang_up)
        if room is not None:
            subscribed.link.kernel.room = room
        return subscribed

    def seconds(self, count: int, *clients: WireClient) -> None:
        """Time passes, a message a second; these clients get what they can."""
        for _ in range(count):
            publish(self.house)
            self.house.clock.advance(1)
            for client in clients:
                client.link.turn()

    def metric(self, wire: WireClient, name: str) -> float:
        sources = Sources(self.house.hub, self.house.clients, list, self.house.clock.seconds)
        full = f"certstream_{PROTOCOLS[wire.wire.protocol][0]}_{name}"
        (row,) = [row for row in SLOW if row.name == full]
        ((_, value),) = row.read(sources)
        return value

    def test_stalled(self) -> None:
        """One that takes nothing for ten seconds is dropped, and cut when it does not take that
        either; others get everything. So on every wire, plain and over TLS."""
        for client in CLIENTS:
            for count, link in enumerate((PlainLink, TLSLink), 1):
                stalled, reading = self.subscribed(client, link, 0), self.subscribed(client, link)
                # A transport that buffers is full before anything waits.
                publish(self.house, 40, padding=5_000)
                self.seconds(10, stalled, reading)
                self.assertEqual(self.metric(stalled, "disconnect_write_timeout"), count - 1)
                self.seconds(1, stalled, reading)
                self.assertEqual(self.metric(stalled, "disconnect_write_timeout"), count)
                self.assertIsNone(stalled.link.closed)
                self.seconds(4, stalled, reading)
                self.assertIsNotNone(stalled.link.closed, (client, link))
                self.assertEqual(self.metric(stalled, "disconnect_lag"), 0)
                self.assertEqual(len(reading.messages()), 55)
                self.assertEqual(self.metric(stalled, "messages_lagged"), 0)

    def test_other_bounds(self) -> None:
        """New bounds hold from when they are set, for who is connected already."""
        self.slow.use(LagBounds(stall=3600))
        stalled = self.subscribed(WebSocketClient, room=0)
        self.seconds(20, stalled)
        self.assertEqual(self.metric(stalled, "disconnect_write_timeout"), 0)
        self.slow.use(LagBounds(stall=3))
        self.seconds(3, stalled)
        self.assertEqual(self.metric(stalled, "disconnect_write_timeout"), 0)
        self.seconds(1, stalled)
        self.assertEqual(self.metric(stalled, "disconnect_write_timeout"), 1)

    def test_lost_too_much(self) -> None:
        """One that lost most of its stream gets the frame that was begun, and is closed."""
        for client in CLIENTS:
            slow = self.subscribed(client, room=3 * 1_000)
            begin = self.house.hub.counts.published
            for _ in range(30):
                publish(self.house, 50, padding=1_000)
            self.house.clock.advance(1)
            slow.settle()
            self.assertEqual([number_of(m) - begin for m in slow.messages()], [0, 1, 2])
            self.assertEqual(self.metric(slow, "disconnect_lag"), 1)
            self.assertEqual(self.metric(slow, "disconnect_write_timeout"), 0)
            self.assertGreater(self.metric(slow, "messages_lagged"), 1_000)
            slow.link.hang_up()

    def test_websocket_is_told_why(self) -> None:
        """The close frame says 1013 and what is the matter."""
        losing, stalled = (self.subscribed(WebSocketClient, room=0) for _ in range(2))
        stalled_reason = b"\x03\xf5too slow: nothing was read"
        losing_reason = b"\x03\xf5too slow: too many messages were lost"
        self.seconds(5)
        losing.settle()
        losing.link.kernel.room = 0
        self.seconds(6)
        publish(self.house, 1_500)
        publish(self.house, 100)
        self.house.clock.advance(1)
        for client, reason in ((losing, losing_reason), (stalled, stalled_reason)):
            client.settle()
            frames, _ = split_frames(client.data.partition(b"\r\n\r\n")[2])
            self.assertEqual(frames[-1], (OPCODE_CLOSE, reason))

    def test_slow_is_not_stalled(self) -> None:
        """Over TLS the transport's buffer hides for long that a client takes what it can: the
        socket's queue tells."""
        client = self.subscribed(WebSocketClient, TLSLink, 0)
        queue = iter(range(1_000_000, 0, -1_000))
        self.patch(BufferedWriter, "queued", lambda writer: next(queue))
        publish(self.house, 100, padding=5_000)
        self.seconds(60)
        self.assertEqual(self.metric(client, "disconnect_write_timeout"), 0)

    def ask_for_notices(self, client: type[WireClient], value: bytes) -> WireClient:
        class Asking(client):  # type: ignore[misc,valid-type]
            def request(self, stream: Stream) -> bytes:
                method, path, rest = super().request(stream).split(b" ", 2)
                sign = b"&" if b"?" in path else b"?"
                return b"%s %s%snotices=%s %s" % (method, path, sign, value, rest)

        return self.subscribed(Asking)

    def test_notices(self) -> None:
        """Who asks for them by the query gets them; nobody else does."""
        told = {"message_type": "notice", "kind": "lost", "count": 2, "from": "e-1", "to": "e-2"}
        split: dict[type[WireClient], Callable[[bytes], list[bytes]]] = {
            WebSocketClient: lambda data: [p for _, p in split_frames(data)[0]],
            SSEClient: lambda data: data.split(b"\n\n")[:-1],
        }
        for client in (WebSocketClient, SSEClient):
            self.house = make_house(ring_messages=100)
            asking = self.ask_for_notices(client, b"1")
            others = [self.ask_for_notices(client, b"0"), self.subscribed(client)]
            publish(self.house, 1, padding=9)
            for each in (asking, *others):
                each.collect()
                each.data.clear()
                each.link.kernel.room = 0
            for _ in range(2):
                publish(self.house, 1, padding=9)
            publish(self.house, 100, padding=9)
            for each in (asking, *others):
                each.settle()
            notice, *messages = split[client](bytes(asking.data))
            self.assertEqual(json.loads(notice.removeprefix(b"data: ")), told)
            self.assertEqual(len(messages), 100)
            for each in others:
                self.assertEqual(split[client](bytes(each.data)), messages)
            self.house.close()

    def test_clock_survives_a_mistake(self) -> None:
        """What fails for one client is logged, and the next look is done."""
        client = self.subscribed(WebSocketClient, room=0)

        def fail(code: int, reason: str) -> None:
            raise RuntimeError("broken")

        client.link.application.leave = fail
        self.seconds(12)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(channel_of(self.house, WebSocketClient).dropped[Slow.STALL], 2)

    def test_metrics(self) -> None:
        """Three counters for each protocol, under the names that dashboards know."""
        names = {
            f"certstream_{protocol}_{what}"
            for protocol in ("ws", "sse", "tcp")
            for what in ("messages_lagged", "disconnect_lag", "disconnect_write_timeout")
        }
        self.assertEqual({row.name for row in SLOW}, names)
        self.assertEqual({row.kind for row in SLOW}, {"counter"})

    def test_stops(self) -> None:
        """Stopped, it has no timer."""
        before = len(self.house.clock.getDelayedCalls())
        self.slow.stopService()
        self.assertEqual(len(self.house.clock.getDelayedCalls()), before - 1)
