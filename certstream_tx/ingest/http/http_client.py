"""The HTTP client that all logs are read with: persistent HTTP/1.1 and one TLS context."""

from typing import Any, Final

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from certstream_tx.events import logger
from certstream_tx.ingest.http.answer_heads import BoundedHeads
from certstream_tx.ingest.http.connect_proxy import ConnectProxyEndpoint
from certstream_tx.ingest.http.proxies import Proxies

log = logger("certstream_tx.http")

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until TCP must be connected."""

IDLE_CONNECTION: Final = 75
"""Seconds an unused connection is kept: longer than any poll of a log that stands still."""

MAX_PER_HOST: Final = 16
"""Connections kept to one host: as many requests as a log client ever has in flight."""


@implementer(IOpenSSLClientConnectionCreator)
class _VerifiedConnection:
    """Makes TLS connections that are only set up with a certificate for one host name."""

    def __init__(self, context: SSL.Context, host: str, told: set[str]) -> None:
        self._context = context
        self._host = host
        self._told = told
        if isIPAddress(host) or isIPv6Address(host):
            self._server_name = None
            self._service: ServiceID = IPAddress_ID(host)
        else:
            self._server_name = host.encode("ascii")
            self._service = DNS_ID(host)

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        connection.set_verify(SSL.VERIFY_PEER, self._verified)
        return connection

    def _verified(
        self, _: SSL.Connection, certificate: crypto.X509, error: int, depth: int, chain_ok: int
    ) -> bool:
        # Called by OpenSSL for each certificate of the chain, where an exception would be lost.
        if not chain_ok or depth != 0:
            return bool(chain_ok)
        try:
            verify_service_identity(extract_patterns(certificate), [self._service], [])
        except (VerificationError, CertificateError):
            if self._host not in self._told:
                self._told.add(self._host)
                log.warn("The certificate that {host} shows is not for it", host=self._host)
            return False
        except Exception:
            log.failure("while the certificate of a server was checked")
            return False
        return True


@implementer(IPolicyForHTTPS)
class SharedContextPolicy:
    """Verifies servers against the platform's trust store, which is loaded once.

    Twisted's own policy loads the store for every connection: a megabyte and 10 ms each.
    """

    def __init__(self, trusted: crypto.X509 | None = None) -> None:
        """``trusted`` is one more certificate to trust (a private log's, or a test's)."""
        self._trusted = trusted
        self._context: SSL.Context | None = None
        self._told: set[str] = set()  # hosts: as many as are configured or listed

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """What makes the connections to one host. The first call loads the trust store."""
        if self._context is None:
            self._context = self._make_context()
        creator: IOpenSSLClientConnectionCreator = _VerifiedConnection(
            self._context, hostname.decode("ascii"), self._told
        )
        return creator

    def _make_context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB less for each idle connection
        context.set_default_verify_paths()
        if self._trusted is not None:
            store = context.get_cert_store()
            assert store is not None, "a context has one from the start"
            store.add_cert(self._trusted)
        # Connections replace this by a check that knows the host; none can do with less.
        context.set_verify(SSL.VERIFY_PEER)
        return context


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Where the client connects to: TCP, or TLS with its policy, and bounded heads on both; a proxy
    may stand between."""

    def __init__(
        self, reactor: Any, policy: IPolicyForHTTPS, timeout: float, proxies: Proxies
    ) -> None:
        self._reactor = reactor
        self._policy = policy
        self._timeout = timeout
        self._proxies = proxies

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host: bytes = uri.host.strip(b"[]")  # those of a literal IPv6 address
        endpoint = self._way(uri.scheme.decode("ascii"), host.decode("ascii"), uri.port)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(host, uri.port), endpoint)
        elif uri.scheme != b"http":
            raise SchemeNotSupported(f"not http or https: {uri.scheme!r}")
        bounded: IStreamClientEndpoint = BoundedHeads(endpoint)
        return bounded

    def _way(self, scheme: str, host: str, port: int) -> Any:
        proxy = self._proxies.for_host(scheme, host, port)
        if proxy is None:
            return self._tcp(host, port)
        endpoint = self._tcp(proxy.host, proxy.port)
        if proxy.scheme == "https":
            creator = self._policy.creatorForNetloc(proxy.host.encode("ascii"), proxy.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return ConnectProxyEndpoint(endpoint, proxy, host, port, self._reactor)

    def _tcp(self, host: str, port: int) -> Any:
        # An address needs no look-up, whose threads may all be waiting for a slow name server.
        if isIPAddress(host):
            return TCP4ClientEndpoint(self._reactor, host, port, timeout=self._timeout)
        if isIPv6Address(host):
            return TCP6ClientEndpoint(self._reactor, host, port, timeout=self._timeout)
        return HostnameEndpoint(self._reactor, host, port, timeout=self._timeout)


class _NoCookies(IndexableCookieJar):
    """Logs have no sessions; a jar that keeps what they set would grow without bound."""

    def add_cookie_header(self, request: object) -> None:
        """Send none."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Keep none."""


class LogHTTPClient(HTTPClient):
    """A treq client with its own pool of connections, to be closed at the end."""

    def __init__(self, agent: Agent, pool: HTTPConnectionPool) -> None:
        super().__init__(agent, cookiejar=_NoCookies())
        self._pool = pool

    def close(self) -> "Deferred[None]":
        """Close the idle connections. What is in flight is closed by cancelling it."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def make_http_client(
    reactor: Any,
    max_per_host: int = MAX_PER_HOST,
    *,
    connect_timeout: float = CONNECT_TIMEOUT,
    policy: IPolicyForHTTPS | None = None,
    proxies: Proxies | None = None,
) -> LogHTTPClient:
    """A client for one reactor (IReactorTCP, IReactorTime, IReactorPluggableNameResolver).

    It keeps up to ``max_per_host`` connections to a host and takes them in turn, which suits logs
    that throttle by connection. Certificates and host names are verified, behind a proxy too.
    """
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = max_per_host
    pool.cachedConnectionTimeout = IDLE_CONNECTION
    if policy is None:
        policy = SharedContextPolicy()
    endpoints = _Endpoints(reactor, policy, connect_timeout, proxies or Proxies({}))
    agent = Agent.usingEndpointFactory(reactor, endpoints, pool)
    return LogHTTPClient(agent, pool)
