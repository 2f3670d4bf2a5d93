"""Keys of serving clients: protocols, streams, limits, access."""

from dataclasses import dataclass

from certstream_tx.config.keys import MAX_PORT, MAX_SECONDS, setting
from certstream_tx.config.kinds import Integer, ListOf, Nullable, Number, Switch
from certstream_tx.config.texts import HeaderName, Path
from certstream_tx.config.tokens import Token, TokenKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocols:
    """What is served."""

    websocket: bool = setting(Switch(), True, "streams over WebSocket", env=("WS_ENABLED",))
    sse: bool = setting(
        Switch(), False, "streams as Server-Sent Events at `/sse`", env=("SSE_ENABLED",)
    )
    tcp: bool = setting(
        Switch(), False, "streams as lines on a TCP port of its own", env=("TCP_ENABLED",)
    )
    tcp_port: int | None = setting(
        Nullable(Integer(0, MAX_PORT)),
        None,
        "that port; 0: one that is free",
        env=("TCP_PORT",),
        default_text="port + 1",
    )
    metrics: bool = setting(
        Switch(), True, "`/metrics` in Prometheus' format, and `/stats`", env=("METRICS_ENABLED",)
    )
    health: bool = setting(
        Switch(), True, "`/health`, `/health/deep` and `/ready`", env=("HEALTH_ENABLED",)
    )
    example_json: bool = setting(
        Switch(),
        True,
        "`/example.json` and its siblings, and `/latest.json`",
        env=("EXAMPLE_JSON_ENABLED",),
    )
    api: bool = setting(Switch(), False, "the pages below `/api/`", env=("API_ENABLED",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Which documents there are: a stream that is off is not encoded, and its paths are 404."""

    full: bool = setting(
        Switch(),
        True,
        "certificates with their DER and chain",
        env=("STREAM_FULL_ENABLED",),
    )
    lite: bool = setting(Switch(), True, "certificates without", env=("STREAM_LITE_ENABLED",))
    domains_only: bool = setting(
        Switch(), True, "only the names in them", env=("STREAM_DOMAINS_ONLY_ENABLED",)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """When a client that cannot keep up is dropped."""

    max_lost_share: float = setting(
        Number(0.01, 1),
        0.5,
        "lost more than this share of its stream within the window, and at least 1,000 messages",
    )
    window_secs: int = setting(Integer(1, 3600), 60, "the window, in seconds")
    stall_secs: int = setting(
        Integer(1, 3600), 10, "took nothing for this many seconds while data waited"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    """The same certificate from several logs, sent once, or each time to who asks for that."""

    enabled: bool = setting(Switch(), True, "leave repetitions out")
    capacity: int = setting(
        Integer(1, 50_000_000),
        1_000_000,
        "most certificates that are remembered, up to 45 bytes each, and as many pairs while a "
        "client asks for `?dedup=pair`",
    )
    ttl_secs: int = setting(
        Integer(1, MAX_SECONDS), 900, "for how many seconds, from the first time on"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What `/api/` remembers."""

    cache_capacity: int = setting(
        Integer(1, 1_000_000),
        1000,
        "newest certificates kept for `/api/cert`, 2 KB each; no more than 8 KB each are kept of "
        "large ones",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Requests of one client, an IPv4 address or an IPv6 /64; on the TCP stream, connections."""

    enabled: bool = setting(Switch(), False, "refuse what goes beyond (429)")
    per_second: int = setting(Integer(1, 1_000_000), 10, "requests a second, on average")
    burst_size: int = setting(Integer(1, 1_000_000), 20, "at once")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimit:
    """Streams, and requests that are being answered, at the same time."""

    enabled: bool = setting(Switch(), False, "refuse what goes beyond (429)")
    max_connections: int = setting(
        Integer(1, 10_000_000), 10_000, "in total", env=("MAX_CONNECTIONS",)
    )
    per_ip_limit: int | None = setting(
        Nullable(Integer(1, 10_000_000)),
        100,
        "of one client, an IPv4 address or an IPv6 /64; null: no limit",
        env=("PER_IP_LIMIT",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may use the streams and the pages that go with them (see security.md)."""

    enabled: bool = setting(Switch(), False, "only who has a token")
    tokens: tuple[Token, ...] = setting(
        ListOf(TokenKind(), "tokens, each a text or `{sha256: hex, name: label}`"), (), "the tokens"
    )
    header_name: str = setting(
        HeaderName(),
        "Authorization",
        "the header that carries one, as it is or as `Bearer <token>`",
        env=("AUTH_HEADER",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HotReload:
    """Changes of the file while the server runs; SIGHUP reads it again in any case."""

    enabled: bool = setting(
        Switch(), False, "watch the file, and read it again within four seconds when it changed"
    )
    watch_path: str | None = setting(
        Nullable(Path()),
        None,
        "watch another file instead, or a folder",
        default_text="the configuration file",
    )
