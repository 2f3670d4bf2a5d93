"""Limits on every wire: who gets a place, and that each comes back, however its connection ends."""

import contextlib
from collections.abc import Callable
from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.texts import Network
from certstream_tx.config.tokens import Token
from certstream_tx.framing import OPCODE_CLOSE
from certstream_tx.hub import Stream
from certstream_tx.serve.access.addresses import Networks
from certstream_tx.serve.access.policy import ConnectionLimit, Policy, RateLimit
from certstream_tx.serve.access.tokens import Tokens
from certstream_tx.serve.answers import JSON, Document, Node, Page
from certstream_tx.serve.bounded import ABORT_SECONDS, REQUEST_SECONDS
from certstream_tx.serve.site import Surface
from certstream_tx.serve.wires.tcp import CHOICE_SECONDS, HANDSHAKE_SECONDS, LineFactory
from certstream_tx.serve.wires.websocket import StreamProtocol
from tests.serve.links import Link, PlainLink, TLSLink
from tests.serve.memory import SocketTransport
from tests.serve.visitor import Answer, House, masked
from tests.serve.wires.clients import CLIENTS, TCPClient, WebSocketClient, WireClient

LINKS: tuple[type[Link], ...] = (PlainLink, TLSLink)
TOKEN = b"s3cret"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def proxies(*networks: str) -> Networks:
    return Networks(map(Network().from_text, networks))


class ProxiedLink(PlainLink):
    """Through a proxy that speaks the PROXY protocol."""

    def wrapped(self, factory: IProtocolFactory) -> IProtocolFactory:
        """As the endpoint ``haproxy:`` does."""
        wrapped: IProtocolFactory = HAProxyWrappingFactory(factory)
        return wrapped

    def introduce(self, address: str) -> None:
        """The proxy's line about the client."""
        self.send(b"PROXY TCP4 %s 192.0.2.2 4711 8080\r\n" % address.encode())


class LimitsTestCase(SynchronousTestCase):
    """A site with limits."""

    def make_house(self, policy: Policy) -> House:
        self.house = House(policy=policy, surface=Surface(sse=True))
        self.addCleanup(self.house.close)
        self.gate = self.house.gate
        self.counts = self.gate.counts
        return self.house

    def connect(self, client: type[WireClient], link: type[Link] = PlainLink) -> WireClient:
        connected = client(self.house, link)
        self.addCleanup(connected.link.hang_up)
        return connected

    def link(self, peer: str = "192.0.2.1") -> PlainLink:
        """A connection to the site, whose address is known when it is made."""
        address = (IPv6Address if ":" in peer else IPv4Address)("TCP", peer, 1)
        with patch.object(SocketTransport, "peer", address):
            link = PlainLink(self.house.site, self.house.clock)
        link.transport.peer = address
        self.addCleanup(link.hang_up)
        return link

    def ask(self, link: PlainLink, path: bytes, *headers: bytes) -> Answer:
        """The answer to a request."""
        link.send(b"GET %s HTTP/1.1\r\nHost: a\r\n" % path + b"".join(headers) + b"\r\n")
        head, _, body = link.received().partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        fields = {n.lower(): v for n, _, v in (line.partition(b": ") for line in lines)}
        return Answer(int(status.split(b" ")[1]), fields, body)

    def assert_empty(self) -> None:
        self.assertEqual((self.gate.slots.total, self.gate.slots.networks), (0, 0))


class PlacesTests(LimitsTestCase):
    """A place is taken once and comes back."""

    def each_wire(self, end: Callable[[WireClient], None]) -> None:
        """A client of each wire and link takes a place, ``end`` ends it, the place is there."""
        for client in CLIENTS:
            for link in LINKS:
                self.make_house(Policy(connections=ConnectionLimit(1, 1)))
                one = self.connect(client, link)
                one.subscribe()
                self.assertEqual(self.gate.slots.total, 1, (client, link))
                end(one)
                self.house.seconds(10)
                one.link.turn()
                self.assert_empty()
                again = self.connect(client, link)
                again.subscribe()
                self.assertEqual(len(self.house.clients), 1, (client, link))
                again.link.hang_up()
                self.assert_empty()

    def test_broken_off(self) -> None:
        """The client is gone."""
        self.each_wire(lambda one: one.link.hang_up())

    def test_aborted(self) -> None:
        """The server cuts it off."""
        self.each_wire(lambda one: one.link.application.abort())

    def test_left(self) -> None:
        """The server takes leave, and the client is slow to answer, or is not there."""
        self.each_wire(lambda one: one.link.application.leave(1001, "bye"))

    def test_closed_by_the_client(self) -> None:
        """A WebSocket client takes leave."""
        self.make_house(Policy())
        one = self.connect(WebSocketClient)
        one.subscribe()
        one.link.send(masked(OPCODE_CLOSE, b"\x03\xe8"))
        one.link.turn()
        self.house.seconds(5)
        one.link.turn()
        self.assert_empty()

    def test_protocol_violation(self) -> None:
        """A WebSocket client sends rubbish."""
        self.make_house(Policy())
        one = self.connect(WebSocketClient)
        one.subscribe()
        one.link.send(b"\xff" * 20)
        one.link.turn()
        self.house.seconds(5)
        one.link.turn()
        self.assert_empty()

    def test_failed_handshake(self) -> None:
        """autobahn refuses it, the path is none, the stream is off, the body is too long."""
        self.make_house(Policy(connections=ConnectionLimit(1, 1)))
        for path, headers in [
            (b"/", UPGRADE),
            (b"/", UPGRADE.replace(b"13", b"99") + KEY),
            (b"/", UPGRADE + KEY + b"Origin: http://a:b:c\r\n"),
            (b"/", UPGRADE + KEY + b"Content-Length: 99999\r\n"),
            (b"/", UPGRADE + KEY + b"Content-Length: 2\r\n"),
            (b"/domains-only/x", UPGRADE + KEY),
            (b"/full-stream", b""),
        ]:
            link = self.link()
            link.send(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, headers) + b"  ")
            link.received()
            self.house.seconds(3)
            link.turn()
            link.hang_up()
            self.assert_empty()

    def test_handshake_raises(self) -> None:
        """Even when autobahn fails, which it should not."""
        self.make_house(Policy())
        link = self.link()

        def fail(*arguments: object) -> None:
            raise RuntimeError("broken")

        self.patch(StreamProtocol, "dataReceived", fail)
        with contextlib.suppress(Exception):  # the reactor would end the connection for it
            link.send(b"GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n" % (UPGRADE, KEY))
        self.assertEqual(self.gate.slots.total, 1)
        link.hang_up()
        self.assert_empty()
        self.assertTrue(self.flushLoggedErrors())

    def test_tls_that_never_comes_to_be(self) -> None:
        """A client that connects and does not shake hands waits for its time, and no longer."""
        self.make_house(Policy())
        lines = TCPClient.factory(self.house)
        for factory, seconds in (
            (self.house.site, REQUEST_SECONDS + ABORT_SECONDS),
            (lines, HANDSHAKE_SECONDS),
        ):
            silent = TLSLink(factory, self.house.clock, shake_hands=False)
            rubbish = TLSLink(factory, self.house.clock, shake_hands=False)
            rubbish.transport.arrive(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(len(self.gate.waiting) + self.gate.slots.total, 2)
            self.house.clock.pump([1] * seconds)
            for link in (silent, rubbish):
                link.transport.turn()
                self.assertIsNotNone(link.closed)
            self.assert_empty()
            self.assertEqual(len(self.gate.waiting), 0)

    def test_documents(self) -> None:
        """A request has a place while it is answered, as often as its connection is used."""
        self.make_house(Policy(connections=ConnectionLimit(1, 1)))
        seen = []

        def document() -> Document:
            seen.append(self.gate.slots.total)
            return Document(JSON, b"{}")

        self.house.site.resource.putChild(b"stats", Page(document))
        link = self.link()
        for _ in range(3):
            self.assertEqual(self.ask(link, b"/stats").status, 200)
            self.assert_empty()
            self.assertEqual(len(self.gate.waiting), 1)
        link.send(b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        self.assertEqual(link.received().count(b"HTTP/1.1 200"), 3)
        self.assertEqual(seen, [1] * 6)
        self.assertEqual(self.ask(link, b"/stats", b"Connection: close\r\n").status, 200)
        link.turn()
        self.assert_empty()
        self.assertEqual(len(self.gate.waiting), 0)

    def test_event_stream_that_is_none(self) -> None:
        """HEAD of a stream, and a stream that is off, take no place for longer than the answer."""
        self.house = House(streams=[Stream.LITE], surface=Surface(sse=True))
        self.gate = self.house.gate
        self.addCleanup(self.house.close)
        for line in (b"HEAD /sse", b"GET /sse?stream=full", b"POST /sse"):
            link = self.link()
            link.send(line + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(link.received())
            self.assert_empty()
            link.hang_up()

    def test_broken_page(self) -> None:
        """A mistake of ours gives the place back."""

        class Broken(Node):
            def get(self, request: object) -> bytes:
                raise RuntimeError("broken")

        self.make_house(Policy())
        self.house.site.resource.putChild(b"broken", Broken())
        self.assertEqual(self.ask(self.link(), b"/broken").status, 500)
        self.assert_empty()
        self.flushLoggedErrors(RuntimeError)


class LimitTests(LimitsTestCase):
    """How many."""

    def test_total(self) -> None:
        """No more than the limit, over all wires; a place that becomes free can be taken."""
        self.make_house(Policy(connections=ConnectionLimit(3, None)))
        held = [self.connect(client) for client in CLIENTS]
        for one in held:
            one.subscribe()
        answer = self.ask(self.link(), b"/", UPGRADE, KEY)
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.headers[b"retry-after"], b"10")
        self.assertEqual(answer.headers[b"content-type"], JSON)
        self.assertEqual(answer.body, b'{"error":"Too Many Requests"}')
        self.assertEqual(self.ask(self.link(), b"/sse").status, 429)
        refused = self.connect(TCPClient)
        refused.link.turn()
        self.assertIsNotNone(refused.link.closed)
        self.assertEqual(self.counts.full_rejected, 3)
        held[2].link.hang_up()
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 101)

    def test_by_network(self) -> None:
        """An IPv4 address, or an IPv6 /64, has so many; others are not concerned."""
        self.make_house(Policy(connections=ConnectionLimit(100, 2)))
        for peers, statuses in [
            (("192.0.2.1",) * 3, (101, 101, 429)),
            (("192.0.2.3",), (101,)),
            (("2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"), (101, 101, 429)),
            (("2001:db8:0:1::1",), (101,)),
        ]:
            for peer, status in zip(peers, statuses, strict=True):
                answer = self.ask(self.link(peer), b"/", UPGRADE, KEY)
                self.assertEqual(answer.status, status, peer)
        self.assertEqual(self.counts.network_rejected, 2)
        self.assertEqual(self.counts.full_rejected, 0)

    def test_turned_on_later(self) -> None:
        """Who was there before counts; nobody has to go."""
        self.make_house(Policy())
        held = [self.connect(client) for client in CLIENTS]
        for one in held:
            one.subscribe()
        self.gate.replace_policy(Policy(connections=ConnectionLimit(2, None)))
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 429)
        self.house.seconds(5)
        self.assertEqual(len(self.house.clients), 3)
        held[0].link.hang_up()
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 429)
        held[1].link.hang_up()
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 101)

    def test_open_pages(self) -> None:
        """Health, metrics and examples answer when there is no place and no rate left."""
        self.make_house(Policy(connections=ConnectionLimit(1, 1), rate=RateLimit(1, 1)))
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 101)
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 429)
        link = self.link()
        for path in (b"/health", b"/metrics", b"/example.json", b"/") * 20:
            self.assertEqual(self.ask(link, path).status, 200, path)

    def test_refused_without_token(self) -> None:
        """Who has no token takes no place, and cannot fill them for others."""
        tokens = Tokens([Token(text=TOKEN.decode())])
        self.make_house(Policy(tokens=tokens, connections=ConnectionLimit(1, 1)))
        for _ in range(5):
            self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY).status, 401)
        self.assert_empty()
        good = b"Authorization: %s\r\n" % TOKEN
        self.assertEqual(self.ask(self.link(), b"/", UPGRADE, KEY, good).status, 101)


class RateTests(LimitsTestCase):
    """How fast."""

    def test_requests(self) -> None:
        """A burst, then 429 with the time to wait, then one more a second; by client."""
        self.make_house(Policy(rate=RateLimit(1, 3)))
        link = self.link()
        statuses = [self.ask(link, b"/full-stream").status for _ in range(5)]
        self.assertEqual(statuses, [426, 426, 426, 429, 429])
        self.assertEqual(self.ask(link, b"/full-stream").headers[b"retry-after"], b"1")
        self.assertEqual(self.ask(self.link(peer="192.0.2.9"), b"/full-stream").status, 426)
        self.house.clock.advance(1)
        self.assertEqual(self.ask(link, b"/full-stream").status, 426)
        self.assertEqual(self.ask(link, b"/full-stream").status, 429)
        self.assertEqual(self.counts.rate_rejected, 4)

    def test_every_wire(self) -> None:
        """All wires draw on one bucket; a refused connection of the TCP stream is closed."""
        self.make_house(Policy(rate=RateLimit(1, 3)))
        for client in CLIENTS:
            self.connect(client).subscribe()
        self.assertEqual(len(self.house.clients), 3)
        refused = self.connect(TCPClient)
        refused.link.turn()
        self.assertIsNotNone(refused.link.closed)
        self.assertEqual(self.ask(self.link(), b"/sse").status, 429)

    def test_guesses_count(self) -> None:
        """Who guesses tokens is slowed down before it is told whether it was right."""
        tokens = Tokens([Token(text=TOKEN.decode())])
        self.make_house(Policy(tokens=tokens, rate=RateLimit(1, 3)))
        link = self.link()
        guesses = [self.ask(link, b"/sse?token=%d" % i).status for i in range(5)]
        self.assertEqual(guesses, [401, 401, 401, 429, 429])
        self.assertEqual(self.ask(link, b"/sse?token=" + TOKEN).status, 429)
        self.assertEqual(self.counts.auth_rejected, 3)

    def test_preflight(self) -> None:
        """A browser's question beforehand costs nothing."""
        self.make_house(Policy(rate=RateLimit(1, 1)))
        link = self.link()
        for _ in range(5):
            link.send(b"OPTIONS /sse HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"204", link.received()[:20])


class ProxyTests(LimitsTestCase):
    """Behind proxies."""

    def test_forwarded(self) -> None:
        """Limits are those of the client that a trusted proxy names."""
        self.make_house(
            Policy(connections=ConnectionLimit(9, 1), proxies=proxies("192.0.2.1", "10.0.0.0/8"))
        )

        def upgrade(*values: bytes, peer: str = "192.0.2.1") -> int:
            headers = [b"X-Forwarded-For: %s\r\n" % value for value in values]
            return self.ask(self.link(peer=peer), b"/", UPGRADE, KEY, *headers).status

        self.assertEqual(upgrade(b"198.51.100.1"), 101)
        self.assertEqual(upgrade(b"198.51.100.1"), 429)
        self.assertEqual(upgrade(b"198.51.100.2"), 101)
        self.assertEqual(upgrade(b"9.9.9.9, 198.51.100.2"), 429)
        self.assertEqual(upgrade(b"9.9.9.9", b"198.51.100.2", b"10.1.1.1"), 429)
        self.assertEqual(upgrade(b"198.51.100.2", b"198.51.100.3, 10.1.1.1"), 101)
        # Who is no proxy cannot be somebody else.
        self.assertEqual(upgrade(b"198.51.100.4", peer="203.0.113.1"), 101)
        self.assertEqual(upgrade(b"198.51.100.5", peer="203.0.113.1"), 429)

    def test_shared_connection(self) -> None:
        """Requests of several clients on one connection of a proxy are each their own."""
        self.make_house(Policy(rate=RateLimit(1, 2), proxies=proxies("192.0.2.1")))
        link = self.link()

        def ask(client: bytes) -> int:
            return self.ask(link, b"/full-stream", b"X-Forwarded-For: %s\r\n" % client).status

        self.assertEqual([ask(b"198.51.100.1") for _ in range(3)], [426, 426, 429])
        self.assertEqual([ask(b"198.51.100.2") for _ in range(3)], [426, 426, 429])

    def test_proxy_protocol(self) -> None:
        """The address is the one that the proxy's line names, on HTTP and on the TCP stream."""
        self.make_house(Policy(connections=ConnectionLimit(9, 1)))

        def http(address: str) -> int:
            link = ProxiedLink(self.house.site, self.house.clock)
            self.addCleanup(link.hang_up)
            link.introduce(address)
            return self.ask(link, b"/", UPGRADE, KEY).status

        self.assertEqual([http("198.51.100.1") for _ in range(2)], [101, 429])
        self.assertEqual(http("198.51.100.2"), 101)

        def tcp(address: str) -> bool:
            factory = LineFactory(self.house.clock, self.house.clients, self.gate)
            link = ProxiedLink(factory, self.house.clock)
            self.addCleanup(link.hang_up)
            waiting = len(self.gate.waiting)
            link.introduce(address)
            link.send(b"f")
            link.turn()
            self.assertEqual(len(self.gate.waiting), waiting - 1)
            return link.closed is None

        self.assertEqual([tcp("198.51.100.3") for _ in range(2)], [True, False])
        self.assertFalse(tcp("198.51.100.1"))

    def test_proxy_protocol_without_a_line(self) -> None:
        """A connection of the TCP stream that never introduces itself is the proxy's own, and one
        that breaks off leaves nothing behind."""
        self.make_house(Policy(connections=ConnectionLimit(9, 1)))
        factory = LineFactory(self.house.clock, self.house.clients, self.gate)
        gone, silent = (ProxiedLink(factory, self.house.clock) for _ in range(2))
        gone.hang_up()
        self.assertEqual(len(self.gate.waiting), 1)
        self.house.clock.advance(CHOICE_SECONDS)
        self.assertEqual(len(self.gate.waiting), 0)
        self.assertEqual(self.gate.slots.total, 1)
        silent.hang_up()
        self.assert_empty()


class WaitingTests(LimitsTestCase):
    """Connections that have asked for nothing."""

    def test_bound(self) -> None:
        """The oldest of who has the most is closed; others, and who asks at once, are not."""
        self.make_house(Policy())
        self.gate._most_waiting = lambda: 10
        patient = self.link(peer="198.51.100.1")
        flood = [self.link() for _ in range(30)]
        for link in flood:
            link.turn()
        self.assertEqual([link.closed is not None for link in flood], [True] * 21 + [False] * 9)
        self.assertEqual(self.counts.waiting_dropped, 21)
        self.assertEqual(self.ask(patient, b"/health").status, 200)
        self.assertEqual(self.ask(self.link(), b"/health").status, 200)

    def test_flood_from_everywhere(self) -> None:
        """Each from an address of its own: who speaks at once is heard, health included."""
        self.make_house(Policy())
        self.gate._most_waiting = lambda: 10
        for i in range(100):
            link = self.link(peer=f"127.0.1.{i}")
            if i % 10 == 0:
                self.assertEqual(self.ask(link, b"/health").status, 200)
                self.assertEqual(self.ask(link, b"/", UPGRADE, KEY).status, 101)
        self.assertEqual(len(self.gate.waiting), 10)
        self.assertEqual(len(self.house.clients), 10)

    def test_streams_do_not_wait(self) -> None:
        """Clients of a stream are no part of the crowd, and are never dropped for it."""
        self.make_house(Policy())
        self.gate._most_waiting = lambda: 5
        clients = [self.connect(client, link) for client in CLIENTS for link in LINKS]
        for client in clients:
            client.subscribe()
        self.assertEqual(len(self.gate.waiting), 0)
        for _ in range(20):
            self.link()
        for client in clients:
            client.link.turn()
            self.assertIsNone(client.link.closed)

    def test_time(self) -> None:
        """Nobody waits for longer than a request may take."""
        self.make_house(Policy())
        silent = self.link()
        self.house.clock.advance(REQUEST_SECONDS)
        silent.turn()
        self.assertIsNotNone(silent.closed)
        self.assertEqual(len(self.gate.waiting), 0)

    def test_trusted_proxy(self) -> None:
        """A proxy's many connections are not one client's."""
        self.make_house(Policy(proxies=proxies("10.0.0.1")))
        self.gate._most_waiting = lambda: 10
        of_proxy = [self.link("10.0.0.1") for _ in range(8)]
        for _ in range(10):
            self.link("203.0.113.1")
        for link in of_proxy:
            link.turn()
        self.assertEqual([link.closed for link in of_proxy], [None] * 8)


class TokenLineTests(LimitsTestCase):
    """Authentication on the raw TCP stream."""

    def setUp(self) -> None:
        self.make_house(Policy(tokens=Tokens([Token(text=TOKEN.decode(), name="nc")])))

    def say(self, *pieces: bytes, end: bool = False) -> WireClient:
        """A client that sends these."""
        client = self.connect(TCPClient)
        for piece in pieces:
            client.link.send(piece)
        if end:
            client.link.end()
        client.link.turn()
        return client

    def streams(self) -> set[Stream]:
        """Those that somebody gets."""
        return {channel.stream for channel in self.house.hub.channels() if len(channel)}

    def test_streams(self) -> None:
        """The token, and the stream behind it, whole or in pieces, with or without an end."""
        for pieces, stream in [
            ([b"token " + TOKEN + b"\n"], Stream.LITE),
            ([b"token " + TOKEN + b" full\n"], Stream.FULL),
            ([b"token " + TOKEN + b" f\r\n"], Stream.FULL),
            ([b"token " + TOKEN + b" domains-only\nmore"], Stream.DOMAINS_ONLY),
            ([b"tok", b"en " + TOKEN[:2], TOKEN[2:], b" d", b"\n"], Stream.DOMAINS_ONLY),
            ([b"token " + TOKEN + b" lite\n"], Stream.LITE),
        ]:
            client = self.say(*pieces)
            self.assertIsNone(client.link.closed, pieces)
            self.assertEqual(self.streams(), {stream}, pieces)
            client.link.hang_up()
        client = self.say(b"token " + TOKEN, end=True)
        self.assertEqual(self.streams(), {Stream.LITE})
        client.link.hang_up()
        self.assertEqual(self.counts.let_in["nc"], 7)
        self.assert_empty()

    def test_refused(self) -> None:
        """Anything else is closed, without a word, as soon as it is known."""
        wrong = [
            b"f\n",
            b"\n",
            TOKEN + b"\n",
            b"token " + TOKEN[:-1] + b"\n",
            b"token " + TOKEN.upper() + b"\n",
            b"token  " + TOKEN + b"\n",
            b"Token " + TOKEN + b"\n",
            b"token " + TOKEN + b" full now\n",
            b"token " + TOKEN + b"\x00\n",
            b"token %73" + TOKEN[1:] + b"\n",
            b"token " + b"x" * 100_000,
            b"\xff" * 1000,
            b"GET /?token=" + TOKEN + b" HTTP/1.1\r\n\r\n",
        ]
        for line in wrong:
            client = self.say(line)
            self.assertIsNotNone(client.link.closed, line[:40])
            self.assertEqual(bytes(client.data), b"")
        self.assertEqual(self.say(b"token", end=True).link.closed is None, False)
        self.assertEqual(self.counts.auth_rejected, len(wrong) + 1)
        self.assertEqual(self.streams(), set())
        self.assert_empty()

    def test_silent(self) -> None:
        """Who says nothing in time gets nothing."""
        client = self.say()
        self.house.clock.advance(CHOICE_SECONDS)
        client.link.turn()
        self.assertIsNotNone(client.link.closed)
        self.assertEqual(self.streams(), set())

    def test_turned_off_meanwhile(self) -> None:
        """Who was waiting for its line when tokens went out of use gets the stream."""
        client = self.say(b"tok")
        self.gate.replace_policy(Policy())
        client.link.send(b"en x\n")
        client.link.turn()
        self.assertIsNone(client.link.closed)
        self.assertEqual(self.streams(), {Stream.LITE})

    def test_turned_on_meanwhile(self) -> None:
        """Who has not chosen yet when tokens come into use needs one."""
        self.gate.replace_policy(Policy())
        client = self.say()
        self.gate.replace_policy(Policy(tokens=Tokens([Token(text=TOKEN.decode())])))
        self.house.clock.advance(CHOICE_SECONDS)
        client.link.turn()
        self.assertIsNotNone(client.link.closed)
