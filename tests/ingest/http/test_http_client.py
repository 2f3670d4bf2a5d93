"""Tests of certstream_tx.ingest.http.http_client, on sockets of 127.0.0.1."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import crypto
from twisted.internet import reactor, tcp
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from certstream_tx.ingest.http.fetch import Fetcher, FetchError, make_http_client
from certstream_tx.ingest.http.http_client import LogHTTPClient, SharedContextPolicy

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


def make_certificate(*names: x509.GeneralName) -> PrivateCertificate:
    """A certificate for these names that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a log in a test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, SHA256())
    return PrivateCertificate.fromCertificateAndKeyPair(
        Certificate(crypto.X509.from_cryptography(certificate)),
        KeyPair(crypto.PKey.from_cryptography_key(key)),
    )


class Hello(Resource):
    """Says where the request came from, so that connections can be told apart."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return str(request.getClientAddress().port).encode()


class Staller(Protocol):
    """Answers with the begin of a body, and then neither writes nor reads."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(HEAD + b"x")  # type: ignore[union-attr]
        producer: IPushProducer = self.transport  # type: ignore[assignment]
        producer.pauseProducing()
        self.factory.stalled.callback(self)  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.lost.callback(None)  # type: ignore[union-attr]


class SocketCase(TestCase):
    """A client whose connections are closed at the end."""

    timeout = 20

    def client(self, **kwargs: Any) -> LogHTTPClient:
        client = make_http_client(reactor, **kwargs)
        self.addCleanup(client.close)
        return client

    def fetcher(self, client: LogHTTPClient, **kwargs: Any) -> Fetcher:
        return Fetcher(client, reactor, "tests (a@b.example)", 10, **kwargs)  # type: ignore[arg-type]

    def serve(self, factory: Any, certificate: PrivateCertificate | None = None) -> int:
        if certificate is None:
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        else:
            port = reactor.listenSSL(  # type: ignore[attr-defined]
                0, factory, certificate.options(), interface="127.0.0.1"
            )
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def client_connections(self) -> list[Any]:
        return [each for each in reactor.getReaders() if isinstance(each, tcp.Client)]  # type: ignore[attr-defined]

    async def failure(self, getting: Any) -> FetchError:
        try:
            await getting
        except FetchError as error:
            return error
        raise self.failureException("no FetchError was raised")


class TLSTests(SocketCase):
    """One context for all connections, and every name verified."""

    def policy(self, certificate: PrivateCertificate) -> SharedContextPolicy:
        return SharedContextPolicy(trusted=certificate.original)

    async def test_verified(self) -> None:
        """A certificate of a trusted issuer for the address asked for is accepted."""
        certificate = make_certificate(x509.IPAddress(ip_address("127.0.0.1")))
        port = self.serve(Site(Hello()), certificate)
        fetcher = self.fetcher(self.client(policy=self.policy(certificate)))
        self.assertTrue(await fetcher.get(f"https://127.0.0.1:{port}/", max_bytes=10))

    async def test_host_name(self) -> None:
        """A host's name is verified, and sent to the server that it may choose by it."""
        names: list[bytes | None] = []

        class Noting(CertificateOptions):
            def getContext(self) -> Any:
                context = super().getContext()
                context.set_tlsext_servername_callback(
                    lambda connection: names.append(connection.get_servername())
                )
                return context

        certificate = make_certificate(x509.DNSName("localhost"))
        options = Noting(
            privateKey=certificate.privateKey.original, certificate=certificate.original
        )
        port = reactor.listenSSL(0, Site(Hello()), options, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        fetcher = self.fetcher(self.client(policy=self.policy(certificate)))
        url = f"https://localhost:{port.getHost().port}/"
        self.assertTrue(await fetcher.get(url, max_bytes=10))
        self.assertEqual(names, [b"localhost"])

    async def test_other_name(self) -> None:
        """A trusted certificate for another name, or for none, is refused."""
        for names in ([x509.DNSName("localhost")], [x509.IPAddress(ip_address("127.0.0.2"))], []):
            certificate = make_certificate(*names)
            port = self.serve(Site(Hello()), certificate)
            fetcher = self.fetcher(self.client(policy=self.policy(certificate)))
            error = await self.failure(fetcher.get(f"https://127.0.0.1:{port}/", max_bytes=10))
            self.assertEqual(error.kind, "connect")
            self.assertIn("TLS: certificate verify failed", error.reason)

    async def test_not_trusted(self) -> None:
        """A certificate that nobody vouches for is refused by the default client."""
        certificate = make_certificate(x509.IPAddress(ip_address("127.0.0.1")))
        port = self.serve(Site(Hello()), certificate)
        error = await self.failure(
            self.fetcher(self.client()).get(f"https://127.0.0.1:{port}/", max_bytes=10)
        )
        self.assertEqual(error.kind, "connect")
        self.assertIn("TLS", error.reason)

    async def test_one_context(self) -> None:
        """Connections to several hosts share one context, and so one trust store."""
        policy = SharedContextPolicy()
        made = [
            policy.creatorForNetloc(host, 443).clientConnectionForTLS(None)  # type: ignore[arg-type]
            for host in (b"a.example", b"b.example", b"192.0.2.1", b"2001:db8::1")
        ]
        self.assertEqual(len({id(each.get_context()) for each in made}), 1)

    async def test_abort(self) -> None:
        """A TLS connection is closed even when its peer has stopped to take part."""
        certificate = make_certificate(x509.IPAddress(ip_address("127.0.0.1")))
        await self.abort("https", certificate, self.policy(certificate))

    async def abort(
        self,
        scheme: str,
        certificate: PrivateCertificate | None = None,
        policy: SharedContextPolicy | None = None,
    ) -> None:
        factory = Factory.forProtocol(Staller)
        factory.stalled, factory.lost = Deferred(), Deferred()
        port = self.serve(factory, certificate)
        fetcher = self.fetcher(self.client(policy=policy))
        getting = Deferred.fromCoroutine(
            fetcher.get(f"{scheme}://127.0.0.1:{port}/", max_bytes=1_000_000)
        )
        staller = await factory.stalled
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        self.assertEqual(len(self.client_connections()), 1)
        getting.cancel()
        with self.assertRaises(CancelledError):
            await getting
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        self.assertEqual(self.client_connections(), [])
        staller.transport.resumeProducing()
        await factory.lost


class ConnectionTests(SocketCase):
    """Connections without TLS."""

    async def test_kept(self) -> None:
        """Requests after one another share a connection; it is closed with the client."""
        port = self.serve(Site(Hello()))
        client = make_http_client(reactor)
        fetcher = self.fetcher(client)
        url = f"http://127.0.0.1:{port}/"
        answers = {await fetcher.get(url, max_bytes=10) for _ in range(5)}
        self.assertEqual(len(answers), 1)
        self.assertEqual(len(self.client_connections()), 1)
        await client.close()
        self.assertEqual(self.client_connections(), [])

    async def test_taken_in_turn(self) -> None:
        """Of several kept connections each has its turn: some logs throttle by connection."""
        port = self.serve(Site(Hello()))
        fetcher = self.fetcher(self.client())
        url = f"http://127.0.0.1:{port}/"
        together = [Deferred.fromCoroutine(fetcher.get(url, max_bytes=10)) for _ in range(3)]
        first = [await each for each in together]
        after = [await fetcher.get(url, max_bytes=10) for _ in range(3)]
        self.assertEqual(len(set(first)), 3)
        self.assertEqual(set(after), set(first))

    async def test_kept_connection_that_died(self) -> None:
        """A kept connection that the log has closed meanwhile costs no failure."""
        site = Site(Hello(), timeout=0.1)
        port = self.serve(site)
        fetcher = self.fetcher(self.client())
        url = f"http://127.0.0.1:{port}/"
        first = await fetcher.get(url, max_bytes=10)
        await deferLater(reactor, 0.2)  # type: ignore[arg-type]
        self.assertNotEqual(await fetcher.get(url, max_bytes=10), first)

    async def test_abort(self) -> None:
        """Cancelling within a body closes the socket."""
        await TLSTests.abort(self, "http")  # type: ignore[arg-type]

    async def test_refused(self) -> None:
        """Where nothing listens."""
        port = reactor.listenTCP(0, Site(Hello()), interface="127.0.0.1")  # type: ignore[attr-defined]
        number = port.getHost().port
        await port.stopListening()
        fetcher = self.fetcher(self.client())
        error = await self.failure(fetcher.get(f"http://127.0.0.1:{number}/", max_bytes=10))
        self.assertEqual(error.kind, "connect")

    async def test_large_page(self) -> None:
        """A body of the size of a page of 1,024 entries comes whole, with and without a length."""
        body = bytes(range(256)) * (7 * 4096)

        class Large(Resource):
            isLeaf = True

            def render_GET(self, request: Request) -> bytes:
                if request.uri == b"/length":
                    request.setHeader(b"Content-Length", b"%d" % len(body))
                return body

        port = self.serve(Site(Large()))
        fetcher = self.fetcher(self.client())
        for path in ("length", "chunked"):
            url = f"http://127.0.0.1:{port}/{path}"
            self.assertEqual(await fetcher.get(url, max_bytes=len(body)), body)

    async def test_endless_head(self) -> None:
        """A log that sends header lines without end is hung up on."""

        class Endless(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000)  # type: ignore[union-attr]

        port = self.serve(Factory.forProtocol(Endless))
        fetcher = self.fetcher(self.client())
        error = await self.failure(fetcher.get(f"http://127.0.0.1:{port}/", max_bytes=10))
        self.assertEqual(error.kind, "cut")
