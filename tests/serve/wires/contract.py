"""What every wire keeps, on every kind of connection."""

import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.hub import Stream
from certstream_tx.serve.metrics.delivery import DELIVERY
from certstream_tx.serve.metrics.slow import SLOW
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.wires.clients import STOP_SECONDS
from tests.hub.messages import Numbered, number_of
from tests.serve.links import Link
from tests.serve.visitor import House
from tests.serve.wires.clients import CLIENTS, WireClient, channel_of, make_house, publish

QUIET_SECONDS = 40
MAX_TICKS = 8
"""of the random steps: a client that takes nothing for longer is dropped"""

COUNTED = {
    "websocket": ("certstream_ws_connections_total", "certstream_ws_messages_lagged"),
    "sse": ("certstream_sse_connections", "certstream_sse_messages_lagged"),
    "tcp": ("certstream_tcp_connections", "certstream_tcp_messages_lagged"),
}
"""names that dashboards use, by protocol"""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8)),
        st.tuples(st.just("room"), st.integers(0, 400) | st.just(0)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("chatter"), st.integers(1, 3)),
        st.tuples(st.just("tick"), st.just(0)),
    ),
    max_size=50,
)


class Contract(SynchronousTestCase):
    """Mixed into one class for each wire and each kind of link."""

    client: ClassVar[type[WireClient]]
    link: ClassVar[type[Link]]
    heartbeats: ClassVar[bool]
    """whether a quiet stream has them"""

    def setUp(self) -> None:
        self.house = self.make_house()

    def make_house(self, *arguments: Any, **options: Any) -> House:
        house = make_house(*arguments, **options)
        self.addCleanup(house.close)
        return house

    def connect(self, house: House | None = None) -> WireClient:
        """A client that has not yet said what it wants."""
        client = self.client(house or self.house, self.link)
        self.addCleanup(client.link.hang_up)
        return client

    def subscribed(self, stream: Stream = Stream.LITE, house: House | None = None) -> WireClient:
        """A client that gets ``stream``."""
        client = self.connect(house)
        client.subscribe(stream)
        self.assertIn(self.client.wire, self.wires_in_use(house or self.house, stream))
        return client

    def wires_in_use(self, house: House, stream: Stream = Stream.LITE) -> set[Any]:
        return {c.wire for c in house.hub.channels() if c.stream is stream and len(c)}

    def assert_nothing_is_left(self, house: House) -> None:
        """Nobody is subscribed or known, and only the clients' own clock ticks."""
        self.assertEqual(len(house.clients), 0)
        self.assertEqual([len(c) for c in house.hub.channels() if len(c)], [])
        self.assertEqual(len(house.clock.getDelayedCalls()), 1)

    # What is sent

    def test_each_stream(self) -> None:
        """A client gets the stream it asked for, from then on, every message once and in order."""
        publish(self.house)
        words = {Stream.FULL: b"full", Stream.LITE: b"lite", Stream.DOMAINS_ONLY: b"domains"}
        clients = {stream: self.subscribed(stream) for stream in Stream}
        publish(self.house, 3)
        publish(self.house, 2)
        for stream, client in clients.items():
            expected = [b"%s %d " % (words[stream], n) for n in range(1, 6)]
            self.assertEqual(client.messages(), expected)

    def test_sequence_is_told_rightly(self) -> None:
        """Where a wire names messages, the names are the stream's own numbers, skips included."""
        client = self.subscribed()
        publish(self.house, 3)
        other = self.subscribed()
        publish(self.house, 2)
        for each in (client, other):
            for unit in each.units():
                if unit.kind == "message" and unit.sequence is not None:
                    self.assertEqual(unit.sequence, number_of(unit.payload))

    def test_message_without_the_stream(self) -> None:
        """A certificate without names is on the other streams only."""
        client = self.subscribed(Stream.DOMAINS_ONLY)
        for number in range(4):
            self.house.hub.publish(Numbered(number, names=number % 2 == 0))
        self.house.hub.flush()
        self.assertEqual(client.messages(), [b"domains 0 ", b"domains 2 "])

    def test_large_messages(self) -> None:
        """A message above every buffer arrives whole."""
        client = self.subscribed()
        publish(self.house, 2, padding=700_000)
        self.assertEqual([len(m) for m in client.messages()], [700_007, 700_007])

    def test_all_wires_at_once(self) -> None:
        """Clients of every wire get the same documents, each encoded once."""
        clients = [each(self.house, self.link) for each in CLIENTS]
        for client in clients:
            client.subscribe()
        messages = [Numbered(number) for number in range(5)]
        for message in messages:
            self.house.hub.publish(message)
        self.house.hub.flush()
        for client in clients:
            self.assertEqual(client.messages(), [b"lite %d " % n for n in range(5)])
            client.link.hang_up()
        self.assertEqual([m.encoded for m in messages], [["lite"]] * 5)

    # Whatever the connection takes

    def check_steps(self, steps: list[tuple[str, int]], ring: int) -> None:
        """Units are whole and in order; what is missing was counted."""
        house = self.make_house(ring_messages=ring)
        client, other = self.subscribed(house=house), self.subscribed(house=house)
        ticks = 0
        for step, amount in steps:
            if step == "publish":
                publish(house, amount, padding=amount * 9)
                other.collect()
            elif step == "room":
                client.link.kernel.room = amount
            elif step == "turn":
                client.link.turn()
            elif step == "chatter":
                client.link.send(self.client.chatter * amount)
            elif ticks < MAX_TICKS:
                ticks += 1
                house.clock.advance(1)
        client.settle()
        numbers = [number_of(m) for m in client.messages()]
        published = house.hub.counts.published
        channel = channel_of(house, self.client)
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers) + channel.lost, published)
        self.assertEqual(channel.messages_sent, len(numbers) + published)
        self.assertEqual([number_of(m) for m in other.messages()], list(range(published)))
        for each in (client, other):
            self.assertIsNone(each.link.closed)
            each.link.hang_up()
        self.assert_nothing_is_left(house)

    def test_stalled_client_loses_and_goes_on(self) -> None:
        """Who takes nothing for a while loses whole messages, exactly as many as are counted, and
        gets the newest afterwards; others lose nothing."""
        house = self.make_house(ring_messages=20)
        stalled, other = self.subscribed(house=house), self.subscribed(house=house)
        stalled.link.kernel.room = 3_000
        for _ in range(100):
            publish(house, 5, padding=2_000)
            other.collect()
        stalled.settle()
        publish(house)
        numbers = [number_of(m) for m in stalled.messages()]
        lost = channel_of(house, self.client).lost
        self.assertGreater(lost, 350)
        self.assertEqual(len(numbers) + lost, 501)
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-1], 500)
        self.assertEqual(len(other.messages()), 501)

    def test_stalled_client_is_no_burden(self) -> None:
        """However much is published, what is kept for who takes nothing is bounded; what the ring
        still holds it can get later."""
        stalled = self.subscribed()
        stalled.link.kernel.room = 0
        most = 0
        for _ in range(300):
            publish(self.house, 3, padding=9_000)
            stalled.link.turn()
            most = max(most, stalled.link.held)
        self.assertLess(most, self.most_held())
        stalled.settle()
        self.assertEqual([number_of(m) for m in stalled.messages()], list(range(900)))

    def most_held(self) -> int:
        """Bytes that a client's transport may hold at most."""
        raise NotImplementedError

    def test_is_counted(self) -> None:
        """Clients, bytes and losses are counted for the protocol, and for no other."""
        house = self.make_house(ring_messages=20)
        clients = [self.subscribed(stream, house) for stream in Stream]
        clients[1].link.kernel.room = 3_000
        for _ in range(30):
            publish(house, 5, padding=2_000)
        for client in clients:
            client.settle()
        texts: dict[str, float] = {}
        sources = Sources(house.hub, house.clients, list, house.clock.seconds)
        for row in (*DELIVERY, *SLOW):
            for labels, value in row.read(sources):
                texts["/".join((row.name, *labels))] = value
        ours = self.client.wire.protocol
        for protocol, (connections, lagged) in COUNTED.items():
            mine = protocol == ours
            self.assertEqual(texts[connections], 3 if mine else 0, protocol)
            self.assertEqual(texts[lagged] > 0, mine, protocol)
            self.assertEqual(f"certstream_bytes_sent_total/{protocol}" in texts, mine)
        received = sum(len(client.messages()) for client in clients)
        lost = sum(c.lost for c in house.hub.channels())
        self.assertEqual(received + lost, 450)
        self.assertEqual(texts[COUNTED[ours][1]], lost)
        self.assertGreater(texts[f"certstream_bytes_sent_total/{ours}"], 2_000 * received)

    # Quiet streams

    def test_heartbeats(self) -> None:
        """On a quiet stream there is something at least every ten seconds, where the wire has such
        a thing; on a busy one nothing but messages."""
        client = self.subscribed(Stream.DOMAINS_ONLY)
        silence = longest = 0
        seen = client.heartbeats()
        for _ in range(QUIET_SECONDS):
            self.house.clock.advance(1)
            client.link.send(self.client.chatter)
            came = client.heartbeats()
            silence = 0 if came > seen else silence + 1
            longest = max(longest, silence)
            seen = came
        if not self.heartbeats:
            self.assertEqual(client.data, b"")
            return
        self.assertLess(longest, 10)
        for _ in range(QUIET_SECONDS):
            publish(self.house)
            self.house.clock.advance(1)
            client.link.send(self.client.chatter)
        self.assertEqual(client.heartbeats(), seen)

    def test_heartbeat_waits_for_the_end_of_a_message(self) -> None:
        """To a client within a message, a heartbeat comes behind it, before the next."""
        client = self.subscribed()
        before = len(client.units())
        client.link.kernel.room = 500
        publish(self.house, 2, padding=200_000)
        self.house.clock.advance(1)
        for _ in range(9):
            client.link.turn()
            self.house.clock.advance(1)
        client.settle()
        kinds = [unit.kind for unit in client.units()[before:]]
        if self.heartbeats:
            self.assertIn("heartbeat", kinds)
        self.assertEqual(kinds[0], "message")
        self.assertEqual(kinds.count("message"), 2)

    # What clients say

    def test_what_is_said_changes_nothing(self) -> None:
        """A client may go on talking; it is not kept, and messages come as before."""
        client = self.subscribed()
        for _ in range(50):
            client.link.send(self.client.chatter)
        publish(self.house, 2)
        self.assertEqual(client.messages(), [b"lite 0 ", b"lite 1 "])
        self.assertIsNone(client.link.closed)

    def test_beginning_is_not_overtaken(self) -> None:
        """Messages that come while the answer is still on its way come behind it."""
        client = self.connect()
        client.link.kernel.room = 10
        client.link.send(client.request(Stream.LITE))
        publish(self.house, 3)
        self.house.clock.advance(1)
        client.settle()
        publish(self.house, 2)
        self.assertEqual([number_of(m) for m in client.messages()], list(range(5)))

    def test_bytes_one_by_one(self) -> None:
        """What asks for the stream may arrive in any pieces."""
        client = self.connect()
        for byte in client.request(Stream.LITE):
            client.link.send(bytes([byte]))
        publish(self.house)
        self.assertEqual(client.messages(), [b"lite 0 "])

    # Who is let in

    def test_disabled_stream(self) -> None:
        """A stream that is not served is refused, and nothing is left of who asked."""
        house = self.make_house([Stream.LITE])
        for stream in (Stream.FULL, Stream.DOMAINS_ONLY):
            client = self.connect(house)
            client.link.send(client.request(stream))
            client.collect()
            self.check_refusal(client)
            client.link.hang_up()
        self.subscribed(house=house).link.hang_up()
        self.assert_nothing_is_left(house)

    def check_refusal(self, client: WireClient) -> None:
        """How a stream is refused over HTTP."""
        self.assertIn(b" 404 Not Found\r\n", client.data)

    # How it ends

    def test_disconnects_at_every_moment(self) -> None:
        """Whenever a client goes, by an end or a break, it leaves nothing behind, and is freed
        without a collection."""
        request = self.connect().request(Stream.LITE)
        actions: list[Callable[[House, WireClient], object]] = [
            lambda house, client: client.link.send(request[: len(request) // 2]),
            lambda house, client: client.link.send(request[len(request) // 2 :]),
            lambda house, client: client.link.turn(),
            lambda house, client: setattr(client.link.kernel, "room", 150),
            lambda house, client: client.collect(),
            lambda house, client: publish(house, 2, padding=40),
            lambda house, client: house.clock.advance(9),
            lambda house, client: client.link.turn(),
            lambda house, client: setattr(client.link.kernel, "room", 0),
            lambda house, client: publish(house, 1, padding=300_000),
            lambda house, client: client.link.send(self.client.chatter),
            lambda house, client: [each.leave(1001, "") for each in house.clients],
            lambda house, client: house.clock.advance(1),
            lambda house, client: house.clock.advance(1),
        ]
        for count in range(len(actions) + 1):
            for gently in (True, False):
                house = make_house()
                client = self.client(house, self.link)
                for action in actions[:count]:
                    action(house, client)
                if gently:
                    client.link.end()
                    client.units(cut=True)
                client.link.hang_up()
                publish(house, 2)
                self.assert_nothing_is_left(house)
                house.close()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_gone_client_is_freed(self) -> None:
        """A client that left is not kept until the next garbage collection."""
        client = self.subscribed()
        publish(self.house)
        client.collect()
        gone = weakref.ref(client.link.application)
        client.link.hang_up()
        self.assertIsNone(gone())

    def test_nobody_is_left_over_after_many(self) -> None:
        """Clients that come and go leave no subscriptions, and the stream is not in use then."""
        for number in range(60):
            client = self.subscribed()
            if number % 3:
                publish(self.house)
            client.link.hang_up()
        self.assert_nothing_is_left(self.house)
        self.assertFalse(self.house.hub.in_use(Stream.LITE))

    def test_server_stops(self) -> None:
        """Everybody who reads gets what was sent, whole, and a clean end, at once."""
        clients = [self.subscribed(stream) for stream in Stream]
        publish(self.house, 3, padding=100)
        stopped = self.house.clients.stopService()
        for client in clients:
            self.assertNoResult(stopped)
            self.assertEqual(len(client.messages()), 3)
            client.answer_the_end()
            client.collect()
            reason = client.link.closed
            assert reason is not None
            reason.trap(ConnectionDone)
        self.successResultOf(stopped)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_server_stops_within_a_message(self) -> None:
        """Who is within a message gets the rest of it, and nothing more."""
        client = self.subscribed()
        client.link.kernel.room = 500
        publish(self.house, 100, padding=3_000)
        stopped = self.house.clients.stopService()
        client.settle()
        self.assertLess(len(client.messages()), 90)
        client.answer_the_end()
        client.collect()
        self.assertIsNotNone(client.link.closed)
        self.successResultOf(stopped)

    def test_server_stops_in_time(self) -> None:
        """Who takes nothing is cut."""
        client = self.subscribed()
        client.link.kernel.room = 0
        publish(self.house, 1, padding=300_000)
        stopped = self.house.clients.stopService()
        self.house.clock.advance(STOP_SECONDS)
        client.link.turn()
        self.assertIsNotNone(client.link.closed)
        self.successResultOf(stopped)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_no_timers_of_single_clients(self) -> None:
        """However many clients there are, there is one timer."""
        for _ in range(20):
            self.subscribed()
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)


def random_steps(contract: type[Contract]) -> type[Contract]:
    """Give it the test that hypothesis runs: its examples belong to one class each."""

    @given(STEPS, st.integers(1, 30))
    @settings(deadline=None, max_examples=100)
    def test_units_are_whole_and_in_order(
        self: Contract, steps: list[tuple[str, int]], ring: int
    ) -> None:
        """Holds with random short writes, stalls, heartbeats and chatter."""
        self.check_steps(steps, ring)

    contract.test_units_are_whole_and_in_order = test_units_are_whole_and_in_order  # type: ignore[attr-defined]
    return contract
