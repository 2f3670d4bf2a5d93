"""How clients of each wire ask for every sighting of a certificate, or for fewer."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.serving import Dedup
from certstream_tx.hub import View
from certstream_tx.serve.metrics.caches import CACHES
from certstream_tx.serve.metrics.delivery import DELIVERY
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.site import Surface
from tests.hub.messages import Numbered, number_of
from tests.hub.test_dedup import CERTIFICATE, PRECERTIFICATE
from tests.serve.links import PlainLink
from tests.serve.visitor import House
from tests.serve.wires.clients import TCPClient

EVERY, FIRST, PAIR = [0, 1, 2, 3], [0, 2], [0]
"""messages of each view"""


class DedupTests(SynchronousTestCase):
    """Four sightings: a precertificate twice, then its certificate twice."""

    def setUp(self) -> None:
        self.house = self.make_house(Dedup())

    def make_house(self, dedup: Dedup) -> House:
        house = House(surface=Surface(sse=True), dedup=dedup)
        self.addCleanup(house.close)
        return house

    def publish(self) -> None:
        for number, certificate in enumerate((PRECERTIFICATE,) * 2 + (CERTIFICATE,) * 2):
            self.house.hub.publish(Numbered(number, certificate=certificate))
        self.house.hub.flush()

    def test_websocket(self) -> None:
        """``?dedup=`` beside whatever else the query has, on every path."""
        for path in (b"/", b"/full-stream", b"/full-stream/", b"/domains-only"):
            for query, expected in (
                (b"", FIRST),
                (b"?dedup=off", EVERY),
                (b"?notices=1&dedup=off", EVERY),
                (b"?dedup=pair", PAIR),
                (b"?dedup=on", FIRST),
                (b"?dedup=%ff%00", FIRST),
                (b"?dedup", FIRST),
            ):
                self.house = self.make_house(Dedup())
                visitor = self.house.open(path + query)
                self.publish()
                self.assertEqual([number_of(t) for t in visitor.texts()], expected, path + query)

    def test_sse(self) -> None:
        """The same, and ids count what the client gets."""
        for query, expected in (
            (b"", FIRST),
            (b"&dedup=off", EVERY),
            (b"&dedup=pair", PAIR),
            (b"&dedup=%ff", FIRST),
        ):
            self.house = self.make_house(Dedup())
            visitor = self.house.visitor()
            visitor.request(b"/sse?stream=full" + query)
            self.assertEqual(visitor.answer().status, 200)
            visitor.received()
            self.publish()
            events = visitor.received().split(b"\n\n")[:-1]
            ids, documents = zip(*(event.split(b"\n") for event in events), strict=True)
            self.assertEqual([number_of(d.removeprefix(b"data: ")) for d in documents], expected)
            self.assertEqual(list(ids), [b"id: e-%d" % i for i in range(len(expected))])

    def test_tcp(self) -> None:
        """There is nothing to ask with: it is as the server is configured."""
        for dedup, expected in ((Dedup(), FIRST), (Dedup(enabled=False), EVERY)):
            self.house = self.make_house(dedup)
            client = TCPClient(self.house, PlainLink)
            self.addCleanup(client.link.hang_up)
            client.subscribe()
            self.publish()
            self.assertEqual([number_of(m) for m in client.messages()], expected)

    def test_switched_off(self) -> None:
        """Every sighting, whatever is asked for."""
        for query in (b"", b"?dedup=on", b"?dedup=pair"):
            self.house = self.make_house(Dedup(enabled=False))
            visitor = self.house.open(b"/" + query)
            self.publish()
            self.assertEqual([number_of(text) for text in visitor.texts()], EVERY)

    def test_heartbeats(self) -> None:
        """A view that is quiet has them, though others of its stream are busy."""
        quiet, busy = self.house.open(b"/"), self.house.open(b"/?dedup=off")
        for _ in range(15):
            self.house.hub.publish(Numbered(0, certificate=CERTIFICATE))
            self.house.seconds(1)
        self.assertEqual(len([t for t in busy.texts() if b"heartbeat" in t]), 0)
        self.assertEqual(len([t for t in quiet.texts() if b"heartbeat" in t]), 1)

    def test_metrics(self) -> None:
        """What was left out, what is remembered; views are no label of anything."""
        for path in (b"/", b"/?dedup=off"):
            self.house.open(path)
        self.publish()
        rows = {row.name: row for row in (*CACHES, *DELIVERY)}
        sources: Sources = self.house.sources

        def value(name: str) -> list[tuple[tuple[str, ...], float]]:
            return list(rows[name].read(sources))

        self.assertEqual(value("certstream_duplicates_filtered"), [((), 2)])
        self.assertEqual(value("certstream_dedup_cache_size"), [((), 2)])
        self.assertEqual(value("certstream_messages_delivered_total"), [(("lite", "websocket"), 6)])
        self.assertEqual(value("certstream_ws_connections_lite"), [((), 2)])

    def test_pages_know_no_views(self) -> None:
        """The newest message is the newest, although it was not sent to everybody."""
        self.house.open(b"/")
        self.publish()
        self.assertEqual(number_of(self.house.get(b"/example.json").body), 3)
        views = {channel.view for channel in self.house.hub.channels()}
        self.assertEqual(views, {View.FIRST})
