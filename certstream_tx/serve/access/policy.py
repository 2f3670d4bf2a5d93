"""What the configuration says about access, made ready for use."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from certstream_tx.config import Config
from certstream_tx.serve.access.addresses import Networks
from certstream_tx.serve.access.tokens import Tokens


class ConnectionLimit(NamedTuple):
    """Most connections at the same time."""

    total: int
    by_network: int | None


class RateLimit(NamedTuple):
    """Most requests of one client."""

    per_second: int
    burst: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Never changed, only replaced as a whole: nobody is judged by half of it."""

    tokens: Tokens | None = None
    """None: everybody is let in"""
    header_name: bytes = b"Authorization"
    """the header that may carry one"""
    connections: ConnectionLimit | None = None
    rate: RateLimit | None = None
    proxies: Networks = Networks()  # noqa: RUF009 (never changed)
    """whose X-Forwarded-For is believed"""

    @classmethod
    def of(cls, config: Config) -> Self:
        """What ``config`` says."""
        auth, connections, rate = config.auth, config.connection_limit, config.rate_limit
        return cls(
            tokens=Tokens(auth.tokens) if auth.enabled else None,
            header_name=auth.header_name.encode("ascii"),
            connections=(
                ConnectionLimit(connections.max_connections, connections.per_ip_limit)
                if connections.enabled
                else None
            ),
            rate=RateLimit(rate.per_second, rate.burst_size) if rate.enabled else None,
            proxies=Networks(config.trusted_proxies),
        )
