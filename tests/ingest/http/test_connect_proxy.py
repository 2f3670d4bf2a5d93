"""Tests of certstream_tx.ingest.http.connect_proxy, in memory and through a real proxy."""

from base64 import b64encode
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from certstream_tx.ingest.http.connect_proxy import (
    ANSWER_TIMEOUT,
    MAX_ANSWER,
    ConnectProxyEndpoint,
    ProxyError,
)
from certstream_tx.ingest.http.http_client import SharedContextPolicy
from certstream_tx.ingest.http.proxies import Proxies, Proxy
from tests.ingest.fronted_log import pieces
from tests.ingest.http.test_answer_heads import Noting
from tests.ingest.http.test_http_client import Hello, SocketCase, make_certificate

LOGIN = b"Basic " + b64encode(b"me:hunter2")
PROXY = Proxy("http", "192.0.2.1", 3128, "HTTPS_PROXY")
OPEN = b"HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n"


class EndpointCase(SynchronousTestCase):
    """One attempt to connect to log.example by way of a proxy."""

    def setUp(self) -> None:
        self.begin(PROXY)

    def begin(self, proxy: Proxy, host: str = "log.example") -> None:
        self.reactor = MemoryReactorClock()
        direct = TCP4ClientEndpoint(self.reactor, proxy.host, proxy.port)
        endpoint = ConnectProxyEndpoint(direct, proxy, host, 443, self.reactor)
        self.connecting = endpoint.connect(Factory.forProtocol(Noting))

    def reach(self) -> None:
        """The proxy is there."""
        (client,) = self.reactor.tcpClients
        self.assertEqual(client[:2], ("192.0.2.1", 3128))
        self.tunnel = client[2].buildProtocol(None)
        self.transport = StringTransport()
        self.transport.abortConnection = self.abort  # type: ignore[method-assign]
        self.aborted = False
        self.tunnel.makeConnection(self.transport)

    def abort(self) -> None:
        self.aborted = True
        self.tunnel.connectionLost(Failure(ConnectionDone()))

    def receive(self, data: bytes, size: int = 65536) -> None:
        for piece in pieces(data, size):
            self.tunnel.dataReceived(piece)

    def assert_failed(self, says: str) -> None:
        """With that, the proxy's name and the host's, and nothing is left."""
        error = self.failureResultOf(self.connecting, ProxyError).value
        self.assertIn(
            "the proxy 192.0.2.1:3128 (HTTPS_PROXY), asked for log.example:443, ", str(error)
        )
        self.assertIn(says, str(error))
        self.assertNotIn("hunter2", str(error))
        self.assertNotIn(LOGIN.decode(), str(error))
        self.assertTrue(str(error).isprintable())
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class TunnelTests(EndpointCase):
    """A proxy that does as it is asked."""

    @settings(max_examples=30, deadline=None)
    @given(size=st.integers(1, 90))
    def test_open(self, size: int) -> None:
        """Then everything passes both ways, in whatever pieces it comes, up to the end."""
        self.begin(PROXY)
        self.reach()
        request = b"CONNECT log.example:443 HTTP/1.1\r\nHost: log.example:443\r\n\r\n"
        self.assertEqual(self.transport.value(), request)
        self.assertNoResult(self.connecting)
        self.receive(OPEN + b"\x16 first of the host", size)
        client: Any = self.successResultOf(self.connecting)
        self.assertEqual(client.received, b"\x16 first of the host")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        client.transport.write(b"hello")
        self.assertTrue(self.transport.value().endswith(b"\r\n\r\nhello"))
        self.receive(b", more", 1)
        self.assertEqual(client.received, b"\x16 first of the host, more")
        lost: list[Failure] = []
        client.connectionLost = lost.append
        self.tunnel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(lost), 1)

    def test_who_asks(self) -> None:
        """The proxy is told, where the variable says it; the host is not."""
        self.begin(Proxy("http", "192.0.2.1", 3128, "HTTPS_PROXY", LOGIN), "2001:db8::1")
        self.reach()
        lines = self.transport.value().split(b"\r\n")
        self.assertEqual(lines[0], b"CONNECT [2001:db8::1]:443 HTTP/1.1")
        self.assertEqual(lines[2:], [b"Proxy-Authorization: " + LOGIN, b"", b""])

    def test_old_answers(self) -> None:
        """HTTP/1.0, bare line feeds, and no reason."""
        for answer in (b"HTTP/1.0 200 OK\n\n", b"HTTP/1.1 204\r\n\r\n"):
            self.setUp()
            self.reach()
            self.receive(answer)
            self.successResultOf(self.connecting)


class FailureTests(EndpointCase):
    """A proxy that does not: what it did, and the way out."""

    def test_unreachable(self) -> None:
        """It is not there."""
        self.reactor.tcpClients[0][2].clientConnectionFailed(
            None, Failure(ConnectionRefusedError())
        )
        self.assert_failed("cannot be reached: Connection was refused")

    def test_echo(self) -> None:
        """Nothing is told of what it wrote: it may be the request, with the password."""
        echo = b"Proxy-Authorization: " + LOGIN
        for head in (b"HTTP/1.1 407 no: ", b"HTTP/1.1 502 ", b"HTTP/1.1 403 ", b"no HTTP: ", b""):
            self.setUp()
            self.begin(Proxy("http", "192.0.2.1", 3128, "HTTPS_PROXY", LOGIN))
            self.reach()
            self.receive(head + echo + b"\r\n" + echo + b"\r\n\r\n")
            self.assert_failed("")

    def test_refused(self) -> None:
        """It answers with another status, and is hung up on."""
        for answer, says in (
            (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", "refused: HTTP 403 Forbidden; let it allow"),
            (b"HTTP/1.1 405\r\n\r\n", "refused: HTTP 405 Method Not Allowed; let it allow"),
            (b"HTTP/1.1 407 No\x1b[1m\r\n\r\n", "HTTPS_PROXY=http://user:password@host:port"),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "could not reach it: HTTP 502 Bad Gateway"),
            (b"HTTP/1.1 100 Continue\r\n\r\n", "refused: HTTP 100"),
            (b"HTTP/1.1 599\r\n\r\n", "could not reach it: HTTP 599"),
        ):
            self.setUp()
            self.reach()
            self.receive(answer)
            self.assert_failed(says)
            self.assertTrue(self.aborted)

    def test_wrong_login(self) -> None:
        """It does not like the password; which it is nobody is told."""
        self.begin(Proxy("http", "192.0.2.1", 3128, "HTTPS_PROXY", LOGIN))
        self.reach()
        self.receive(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        self.assert_failed("it wants another user and password")

    def test_something_else(self) -> None:
        """What is there is no such proxy."""
        for answer in (b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"\x15\x03\0\n\n\xff"):
            self.setUp()
            self.reach()
            self.receive(answer)
            self.assert_failed("does not answer as an HTTP proxy")
            self.assertTrue(self.aborted)

    def test_endless(self) -> None:
        """Its answer is bounded, in whatever pieces it comes; more is not looked at."""
        for size in (100, MAX_ANSWER, 1_000_000):
            self.setUp()
            self.reach()
            self.receive(OPEN[:-2] + b"a: b\r\n" * 100_000 + b"\r\n", size)
            self.assert_failed("does not come to the end of its answer")
            self.assertTrue(self.aborted)

    def test_silent(self) -> None:
        """Nothing comes, or not all of it, however it trickles."""
        self.reach()
        for _ in range(int(ANSWER_TIMEOUT)):
            self.reactor.advance(0.9)
            self.receive(b"x")
        self.assertNoResult(self.connecting)
        self.reactor.advance(ANSWER_TIMEOUT * 0.1 + 0.1)
        self.assert_failed("did not answer within 15 s")
        self.assertTrue(self.aborted)

    def test_hung_up(self) -> None:
        """The connection ends before an answer came."""
        self.reach()
        self.receive(b"HTTP/1.1 200")
        self.tunnel.connectionLost(Failure(ConnectionDone()))
        self.assert_failed("gave no answer: hung up")

    def test_cancelled(self) -> None:
        """Nothing is left, at whatever moment."""
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.setUp()
        self.reach()
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.assertTrue(self.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class RealProxy(Protocol):
    """Connects to the port that it is asked for, always on 127.0.0.1; notes what it was asked."""

    far: Protocol | None = None

    def __init__(self, asked: list[bytes]) -> None:
        self.asked = asked
        self.said = b""

    def dataReceived(self, data: bytes) -> None:
        if self.far is not None:
            self.far.transport.write(data)  # type: ignore[union-attr]
            return
        self.said += data
        if self.said.endswith(b"\r\n\r\n"):
            self.asked.append(self.said)
            port = int(self.said.split()[1].rpartition(b":")[2])
            near, factory = self, ClientFactory()
            factory.noisy = False

            class Far(Protocol):
                def connectionMade(self) -> None:
                    near.far = self
                    near.transport.write(OPEN)  # type: ignore[union-attr]

                def dataReceived(self, data: bytes) -> None:
                    near.transport.write(data)  # type: ignore[union-attr]

                def connectionLost(self, reason: Any = None) -> None:
                    near.transport.loseConnection()  # type: ignore[union-attr]

            factory.protocol = Far
            reactor.connectTCP("127.0.0.1", port, factory)  # type: ignore[attr-defined]

    def connectionLost(self, reason: Any = None) -> None:
        if self.far is not None:
            self.far.transport.loseConnection()  # type: ignore[union-attr]


class RealProxyTests(SocketCase):
    """A log on this machine under a name that only the proxy can find."""

    def setUp(self) -> None:
        self.asked: list[bytes] = []

    def proxy(self, certificate: Any = None) -> str:
        factory: Any = Factory.forProtocol(lambda: RealProxy(self.asked))
        factory.noisy = False
        return f"127.0.0.1:{self.serve(factory, certificate)}"

    def proxies(self, proxy: str) -> Proxies:
        return Proxies.of({"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy})

    async def test_log(self) -> None:
        """Its certificate is verified for its name, connections are kept, and its name is not
        looked up here."""
        certificate = make_certificate(x509.DNSName("log.example"))
        port = self.serve(Site(Hello()), certificate)
        client = self.client(
            policy=SharedContextPolicy(trusted=certificate.original),
            proxies=self.proxies(f"http://me:hunter2@{self.proxy()}"),
        )
        fetcher = self.fetcher(client)
        url = f"https://log.example:{port}/"
        answers = {await fetcher.get(url, max_bytes=10) for _ in range(3)}
        self.assertEqual(len(answers), 1)
        (asked,) = self.asked
        self.assertTrue(asked.startswith(b"CONNECT log.example:%d HTTP/1.1\r\n" % port))
        self.assertIn(b"\r\nProxy-Authorization: " + LOGIN + b"\r\n", asked)

    async def test_other_name(self) -> None:
        """A certificate for another name, such as a proxy that looks inside shows, is refused."""
        certificate = make_certificate(x509.DNSName("proxy.example"))
        port = self.serve(Site(Hello()), certificate)
        client = self.client(
            policy=SharedContextPolicy(trusted=certificate.original),
            proxies=self.proxies(self.proxy()),
        )
        error = await self.failure(
            self.fetcher(client).get(f"https://log.example:{port}/", max_bytes=10)
        )
        self.assertEqual(error.kind, "connect")
        self.assertIn("TLS: certificate verify failed", error.reason)

    async def test_encrypted_proxy(self) -> None:
        """TLS within TLS, each verified for its own name."""
        here, log = x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("log.example")
        certificate = make_certificate(here, log)
        url = f"https://log.example:{self.serve(Site(Hello()), certificate)}/"
        policy = SharedContextPolicy(trusted=certificate.original)
        for proxy, trusted in ((certificate, True), (make_certificate(here), False)):
            proxies = self.proxies(f"https://{self.proxy(proxy)}")
            getting = self.fetcher(self.client(policy=policy, proxies=proxies)).get(
                url, max_bytes=10
            )
            if trusted:
                self.assertTrue(await getting)
            else:
                error = await self.failure(getting)
                self.assertIn("gave no answer: TLS with it failed", error.reason)

    async def test_plain_log(self) -> None:
        """Without TLS it is the same."""
        port = self.serve(Site(Hello()))
        fetcher = self.fetcher(self.client(proxies=self.proxies(self.proxy())))
        self.assertTrue(await fetcher.get(f"http://log.example:{port}/", max_bytes=10))
        self.assertEqual(len(self.asked), 1)

    async def test_refused(self) -> None:
        """The log cannot be read, and the operator is told why."""

        class Refusing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")  # type: ignore[union-attr]

        address = f"127.0.0.1:{self.serve(Factory.forProtocol(Refusing))}"
        fetcher = self.fetcher(self.client(proxies=self.proxies(address)))
        error = await self.failure(fetcher.get("https://log.example/", max_bytes=10))
        self.assertEqual(error.kind, "connect")
        self.assertEqual(
            error.reason,
            f"the proxy {address} (HTTPS_PROXY), asked for log.example:443, refused: HTTP 403"
            " Forbidden; let it allow this, or reach the host without it (NO_PROXY)",
        )

    async def test_cancelled(self) -> None:
        """A request that is given up while the proxy is silent leaves no connection."""
        came: Deferred[None] = Deferred()
        gone: Deferred[None] = Deferred()

        class Silent(Protocol):
            def dataReceived(self, data: bytes) -> None:
                came.callback(None)

            def connectionLost(self, reason: Any = None) -> None:
                gone.callback(None)

        address = f"127.0.0.1:{self.serve(Factory.forProtocol(Silent))}"
        fetcher = self.fetcher(self.client(proxies=self.proxies(address)))
        getting = Deferred.fromCoroutine(fetcher.get("https://log.example/", max_bytes=10))
        await came
        getting.cancel()
        with self.assertRaises(CancelledError):
            await getting
        await gone
