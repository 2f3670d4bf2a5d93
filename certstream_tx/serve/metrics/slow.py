"""Metrics of clients that do not keep up, by protocol."""

from collections.abc import Callable, Iterator
from typing import Final

from certstream_tx.hub import Channel, Slow
from certstream_tx.serve.metrics.rows import MetricRow, Samples
from certstream_tx.serve.metrics.sources import Sources

PROTOCOLS: Final = {
    "websocket": ("ws", "WebSocket"),
    "sse": ("sse", "Server-Sent Events"),
    "tcp": ("tcp", "raw TCP"),
}
"""by the wire's protocol: as it stands in names, and in meanings"""


def _sum(protocol: str, value: Callable[[Channel], int]) -> Callable[[Sources], Samples]:
    def read(sources: Sources) -> Samples:
        channels = (c for c in sources.hub.channels() if c.wire.protocol == protocol)
        yield (), sum(map(value, channels))

    return read


def _rows() -> Iterator[MetricRow]:
    for protocol, (name, title) in PROTOCOLS.items():
        yield MetricRow(
            f"certstream_{name}_messages_lagged",
            "counter",
            f"Messages that {title} clients did not get because they read too slowly.",
            _sum(protocol, lambda c: c.lost),
        )
        yield MetricRow(
            f"certstream_{name}_disconnect_lag",
            "counter",
            f"Clients of {title} dropped because they lost too large a share of their stream.",
            _sum(protocol, lambda c: c.dropped[Slow.LAG]),
        )
        yield MetricRow(
            f"certstream_{name}_disconnect_write_timeout",
            "counter",
            f"Clients of {title} dropped because they took nothing for too long.",
            _sum(protocol, lambda c: c.dropped[Slow.STALL]),
        )


SLOW: Final = tuple(_rows())
