"""A stream that is compressed once for all: who joins, stalls or loses its place can read it."""

import random
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.deflate import FLUSH_TAIL, WINDOW_BYTES
from certstream_tx.framing import WEBSOCKET, WEBSOCKET_DEFLATE
from certstream_tx.hub import Hub, Stream, Subscription, shared_deflate
from certstream_tx.hub.shared_deflate import MAX_BEHIND_BYTES, DeflatedChannel
from tests.hub.messages import Numbered, Sink, number_of
from tests.hub.test_notices import Item, fetch, item
from tests.serve.deflate import deflated_frames

_NOISE = random.Random(1).randbytes(1 << 20).replace(b"\n", b".")


class Noisy(Numbered):
    """With padding that cannot be compressed, unless it was said within the window."""

    def __init__(self, number: int, padding: int = 0, seed: int | None = None) -> None:
        super().__init__(number)
        begin = ((number if seed is None else seed) * 104_729) % (len(_NOISE) - padding)
        self.padding = _NOISE[begin : begin + padding]


class Client:
    """A client that fetches what waits, and inflates it as it comes."""

    def __init__(self, hub: Hub, room: int = 1 << 60, *, notices: bool = False) -> None:
        self.sink = Sink(room)
        self.subscription: Subscription = hub.subscribe(
            Stream.LITE, WEBSOCKET_DEFLATE, self.sink, notices=notices
        )

    def fetch(self, most: int = 1 << 40) -> None:
        self.sink.taken += fetch(self.subscription, most)

    def items(self) -> list[Item]:
        """Messages and notices so far; AssertionError unless all are whole and can be inflated."""
        frames, rest = deflated_frames(self.sink.taken)
        assert not rest
        return [item(payload) for _, payload in frames]


class SharedDeflateTests(SynchronousTestCase):
    """With a ring of a thousand messages."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **options: Any) -> None:
        self.hub = Hub(Clock(), epoch="e", **options)
        self.published = 0

    def publish(self, count: int = 1, padding: int = 1_000, *, flushes: int = 1) -> None:
        for _ in range(flushes):
            for _ in range(count):
                self.hub.publish(Noisy(self.published, padding))
                self.published += 1
            self.hub.flush()

    @property
    def channel(self) -> DeflatedChannel:
        (channel,) = (c for c in self.hub.channels() if c.wire is WEBSOCKET_DEFLATE)
        assert isinstance(channel, DeflatedChannel)
        return channel

    def test_from_the_first_message(self) -> None:
        """Nothing was sent before: it is ready at once and gets what everybody gets."""
        clients = [Client(self.hub) for _ in range(3)]
        self.assertTrue(clients[0].subscription.ready)
        self.publish(3)
        self.publish(2)
        for client in clients:
            self.assertEqual(client.items(), [0, 1, 2, 3, 4])
        self.assertEqual(len({id(client.sink.offered[0]) for client in clients}), 1)

    def test_is_compressed(self) -> None:
        """What was said before in the window is not said again."""
        client = Client(self.hub)
        for number in range(10):
            self.hub.publish(Noisy(number, 2_000, seed=7))
        self.hub.flush()
        self.assertLess(len(client.sink.taken), 2_000 + 10 * 40)

    def test_who_joins_is_primed(self) -> None:
        """It gets, without waiting, the newest whole messages that fill the window, and then what
        everybody gets."""
        first = Client(self.hub)
        self.publish(100)
        second = Client(self.hub)
        self.assertFalse(second.subscription.ready)
        second.fetch()
        self.assertTrue(second.subscription.ready)
        # 33 messages of 1,008 or 1,009 bytes are a little more than the window.
        self.assertEqual(second.items(), list(range(67, 100)))
        self.publish(3)
        self.assertEqual(second.sink.offered, first.sink.offered[-1:])
        self.assertIs(second.sink.offered[0], first.sink.offered[-1])
        self.assertEqual(second.items(), list(range(67, 103)))
        self.assertEqual(first.items(), list(range(103)))

    def test_who_joins_a_young_stream(self) -> None:
        """It gets all there was, when that does not fill the window."""
        Client(self.hub)
        self.publish(3)
        second = Client(self.hub)
        second.fetch()
        self.publish(1)
        self.assertEqual(second.items(), [0, 1, 2, 3])

    def test_takes_the_primer_in_parts(self) -> None:
        """While it takes its primer, the stream goes on; it gets that afterwards."""
        Client(self.hub)
        self.publish(10, flushes=10)
        second = Client(self.hub, room=0)
        while second.subscription.rest():
            second.fetch(700)
            if self.published < 130:
                self.publish()
        self.assertEqual(second.items(), list(range(67, self.published)))
        self.assertEqual(self.channel.lost, 0)

    def test_joiners_share_a_primer(self) -> None:
        """Who joins at the same chunk gets the same object; a little later still, with the chunks
        since; and a new one when those are more than a client should have to take."""
        made: list[int] = []
        alone = shared_deflate.alone
        self.patch(shared_deflate, "alone", lambda texts: made.append(1) or alone(texts))
        Client(self.hub)
        self.publish(100)
        joiners = [Client(self.hub) for _ in range(50)]
        self.assertEqual(len({id(j.subscription.rest()) for j in joiners}), 1)
        self.publish(padding=MAX_BEHIND_BYTES - 100)
        joiners += [Client(self.hub) for _ in range(50)]
        self.assertEqual(len(made), 1)
        self.publish(padding=1_000)
        joiners += [Client(self.hub) for _ in range(50)]
        self.assertEqual(len(made), 2)
        for joiner in joiners:
            joiner.fetch()
            self.assertTrue(joiner.subscription.ready)
            items = joiner.items()
            self.assertEqual(items, list(range(int(str(items[0])), 102)))

    def test_lost_its_place(self) -> None:
        """It goes on with the newest messages, primed anew; what lies between is lost, and said
        where it asked."""
        self.begin(ring_messages=100)
        stalled, other = Client(self.hub, room=500, notices=True), Client(self.hub)
        self.publish(flushes=300)
        begun = number_of(deflated_frames(self.sink_whole(stalled))[0][-1][1])
        stalled.fetch()
        first = 300 - 33
        lost = (first - begun - 1, f"e-{begun + 1}", f"e-{first - 1}")
        self.publish(flushes=5)
        stalled.fetch()
        self.assertEqual(stalled.items(), [*range(begun + 1), lost, *range(first, 305)])
        self.assertEqual(stalled.subscription.lost, lost[0])
        self.assertEqual(self.channel.lost, lost[0])
        self.assertEqual(other.items(), list(range(305)))

    def sink_whole(self, client: Client) -> bytes:
        """What it has with the frame it is within."""
        return client.sink.taken + bytes(client.subscription.rest_of_frame())

    def test_nothing_is_repeated(self) -> None:
        """However small the ring, a primer holds nothing that who lost its place has had."""
        self.begin(ring_messages=2)
        client = Client(self.hub)
        for burst in (1, 5, 20, 34, 35, 36, 70):
            client.sink.room = 0
            self.publish(flushes=burst)
            client.fetch()
            client.sink.room = 1 << 60
        items = client.items()
        self.assertEqual(items, sorted(set(map(int, map(str, items)))))
        self.assertEqual(len(items) + client.subscription.lost, self.published)
        self.assertEqual(items[-1], self.published - 1)

    def test_small_ring_and_a_shared_primer(self) -> None:
        """A primer whose chunk the ring has let go of is not given any more."""
        self.begin(ring_messages=2)
        Client(self.hub)
        self.publish(5, padding=40_000)
        for _ in range(10):
            joiner = Client(self.hub)
            self.publish(2, padding=100, flushes=3)
            joiner.fetch()
            items = joiner.items()
            self.assertEqual(items, list(range(int(str(items[0])), self.published)))

    def test_much_in_few_bytes(self) -> None:
        """Where messages compress to nearly nothing, a primer made not many bytes ago is too old:
        for who comes, when the ring has let go of the chunks since; for who lost its place, when it
        has had what the primer holds."""
        self.begin(ring_messages=2)
        client, _ = Client(self.hub), Client(self.hub)
        for number in range(40):
            self.hub.publish(Numbered(number, padding=1_000))
            self.hub.flush()
        first = Client(self.hub)
        client.sink.room = 0
        for number in range(40, 100):
            self.hub.publish(Numbered(number, padding=1_000))
            self.hub.flush()
        self.published = 100
        joiner = Client(self.hub)
        for each in (client, first, joiner):
            each.fetch()
        newest = list(range(100 - 33, 100))
        self.assertEqual(joiner.items(), newest)
        self.assertEqual(first.items(), newest)
        self.assertEqual(client.items(), [*range(40), *newest])
        self.assertEqual(self.channel.lost, 27 + 27)

    def test_primer_that_repeats(self) -> None:
        """A primer that was made for another is not given to who has had a part of it."""
        self.begin(ring_messages=2)
        client, _ = Client(self.hub), Client(self.hub)
        for number in range(73):
            if number == 20:
                client.sink.room = 0
            if number == 40:
                joiner = Client(self.hub)
            self.hub.publish(Numbered(number, padding=1_000))
            self.hub.flush()
        for each in (client, joiner):
            each.fetch()
        self.assertEqual(client.items(), [*range(20), *range(40, 73)])
        self.assertEqual(joiner.items(), list(range(7, 73)))

    def test_as_far_back_as_the_compressor_looks(self) -> None:
        """A primer reaches back to the last byte that a later message can refer to."""

        class Raw(Numbered):
            def __init__(self, document: bytes) -> None:
                super().__init__(0)
                self.document = document

            def _document(self, stream: str) -> bytes:
                return self.document

        said = b"lite 5 " + _NOISE[:13]
        for distance in range(WINDOW_BYTES - 300, WINDOW_BYTES - 200, 7):
            self.begin()
            first = Client(self.hub)
            between = _NOISE[1_000 : 1_000 + distance - len(said)]
            parts = [b"lite 6 " + between[7:20_000], b"lite 7 " + between[20_007:]]
            for document in (b"lite 4 ", said, *parts):
                self.hub.publish(Raw(document))
                self.hub.flush()
            second = Client(self.hub)
            second.fetch()
            self.hub.publish(Raw(said))
            self.hub.flush()
            for client in (first, second):
                frames, _ = deflated_frames(client.sink.taken)
                self.assertEqual([payload for _, payload in frames[-3:]], [*parts, said])

    def test_large_message(self) -> None:
        """One that is larger than the window is a primer alone."""
        first = Client(self.hub)
        self.publish(3)
        self.publish(padding=500_000)
        second = Client(self.hub)
        second.fetch()
        self.publish()
        self.assertEqual((first.items(), second.items()), ([0, 1, 2, 3, 4], [3, 4]))

    def test_begins_anew_when_nobody_is_there(self) -> None:
        """Who comes when all have left gets no message from before, and can read all since."""
        first = Client(self.hub)
        self.publish(50)
        first.subscription.close()
        self.publish(50)
        second = Client(self.hub)
        self.assertTrue(second.subscription.ready)
        self.publish(2)
        third = Client(self.hub)
        third.fetch()
        self.publish()
        self.assertEqual((second.items(), third.items()), ([100, 101, 102], [100, 101, 102]))
        self.assertEqual(self.channel.ring.messages, 3)

    def test_last_one_leaves_within_a_flush(self) -> None:
        """What is left of the flush is nobody's, and who comes then begins anew."""
        client = Client(self.hub)
        client.sink.on_take = client.subscription.close
        self.publish(400, padding=2_000)
        self.assertEqual(len(client.sink.offered), 1)
        self.assertEqual(self.channel.ring.size, 0)
        second = Client(self.hub)
        self.assertTrue(second.subscription.ready)
        self.publish(2)
        self.assertEqual(second.items(), [400, 401])

    def test_plain_and_compressed(self) -> None:
        """Clients of both wires get the same messages, each encoded once."""
        plain = Sink()
        self.hub.subscribe(Stream.LITE, WEBSOCKET, plain)
        client = Client(self.hub)
        message = Noisy(0, 100)
        self.hub.publish(message)
        self.hub.flush()
        self.assertEqual(message.encoded, ["lite"])
        self.assertEqual(client.items(), [0])
        self.assertIn(b"lite 0 ", plain.taken)

    def test_empty_blocks_are_left_out(self) -> None:
        """A frame does not hold what RFC 7692 section 7.2.1 has removed."""
        client = Client(self.hub)
        self.publish()
        self.assertFalse(client.sink.taken.endswith(FLUSH_TAIL))
        inflator = zlib.decompressobj(-zlib.MAX_WBITS)
        text = inflator.decompress(client.sink.taken[4:] + FLUSH_TAIL)
        self.assertEqual(number_of(text), 0)

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), st.integers(1, 12)),
                st.tuples(st.just("join"), st.integers(0, 3_000)),
                st.tuples(st.just("fetch"), st.integers(1, 9_000)),
                st.tuples(st.just("room"), st.integers(0, 9_000)),
                st.tuples(st.just("leave"), st.integers(0, 9)),
            ),
            max_size=50,
        ),
        st.integers(1, 60),
        st.integers(0, 4_000),
        st.booleans(),
    )
    @settings(deadline=None, max_examples=150)
    def test_whatever_happens(
        self, steps: list[tuple[str, int]], ring: int, padding: int, notices: bool
    ) -> None:
        """Any interleaving of joins, stalls and losses: every client inflates whole messages in
        order, from one on; what is missing was counted, and said where it asked."""
        self.begin(ring_messages=ring)
        clients: list[Client] = []
        gone: list[Client] = []
        for number, (step, amount) in enumerate(steps):
            client = clients[number % len(clients)] if clients else None
            if step == "publish":
                # Some padding is repeated, near and far.
                for _ in range(amount):
                    seed = self.published % (3 + amount)
                    self.hub.publish(Noisy(self.published, padding + amount, seed))
                    self.published += 1
                self.hub.flush()
            elif step == "join":
                clients.append(Client(self.hub, amount, notices=notices))
            elif client is None:
                continue
            elif step == "fetch":
                client.fetch(amount)
            elif step == "room":
                client.sink.room = amount
            elif amount == 0:
                clients.remove(client)
                client.sink.taken += client.subscription.close()
                gone.append(client)
        for client in clients:
            client.fetch()
            self.assertTrue(client.subscription.ready)
        for client in clients + gone:
            accounted: list[int] = []
            lost = 0
            since = client.subscription.since
            for each in client.items():
                if isinstance(each, int):
                    accounted.append(each)
                else:
                    begin, end = (int(name.removeprefix("e-")) for name in each[1:])
                    self.assertEqual(each[0], end + 1 - begin)
                    self.assertGreaterEqual(begin, since)
                    accounted.extend(range(begin, end + 1))
                    lost += each[0]
            self.assertEqual(accounted, sorted(set(accounted)))
            if client in gone:
                continue
            due = [number for number in accounted if number >= since]
            if notices:
                self.assertEqual(lost, client.subscription.lost)
                self.assertEqual(due, list(range(since, self.published)))
            else:
                self.assertEqual(self.published - since - len(due), client.subscription.lost)

    def test_lost_before_its_primer(self) -> None:
        """Who loses its place before it has taken its primer lost nothing from before it came."""
        self.begin(ring_messages=50)
        Client(self.hub)
        self.publish(100)
        client = Client(self.hub, room=0, notices=True)
        self.publish(flushes=100)
        client.fetch()
        first = 200 - 33
        self.assertEqual(
            client.items(), [(first - 100, "e-100", f"e-{first - 1}"), *range(first, 200)]
        )
        self.assertEqual(self.channel.lost, first - 100)
