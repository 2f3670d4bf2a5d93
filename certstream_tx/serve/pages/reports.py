"""What the server tells of itself as JSON: its numbers, its logs, its newest certificates."""

from collections import Counter
from itertools import islice
from re import ASCII, compile
from typing import Any, Final

import msgspec
from twisted.web.http import NOT_FOUND, SERVICE_UNAVAILABLE

from certstream_tx.hub.newest import CAPACITY
from certstream_tx.serve.answers import JSON, Document, error_document
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.pages.log_reports import LogCounts, report
from certstream_tx.stats import LogStatus

MAX_LATEST_BYTES: Final = 1024 * 1024
"""of ``/latest.json``, but for its first message: a log can make a message large"""

_DIGEST: Final = compile(r"[0-9a-f]{64}|[0-9a-f]{40}", ASCII)
_encode: Final = msgspec.json.Encoder().encode


class Reports:
    """The documents of one server; each is made when it is asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._started_at = sources.now()

    def legacy_stats(self) -> Document:
        """``/stats``, as the first certstream server had it; no client's address is in it."""
        sources = self._sources
        return _document(
            {
                "processed_certificates": sources.hub.counts.published,
                "current_users": self._connections(),
                "workers": {log.url: log.entries for log in sources.logs()},
            }
        )

    def stats(self) -> Document:
        """``/api/stats``."""
        hub = self._sources.hub
        return _document(
            {
                "uptime_seconds": self._uptime(),
                "connections": self._connections(),
                "throughput": {
                    "messages_sent": sum(c.messages_sent for c in hub.channels()),
                    "certificates_processed": hub.counts.published,
                    "bytes_sent": sum(c.bytes_sent for c in hub.channels()),
                },
                "memory": {
                    "cache_entries": len(hub.newest),
                    "cache_capacity": hub.newest.capacity,
                },
            }
        )

    def logs(self) -> Document:
        """``/api/logs``."""
        logs = list(self._sources.logs())
        counts = LogCounts.of(logs)
        now = self._sources.now()
        return _document(
            {
                "total_logs": counts.total,
                "healthy": counts.healthy,
                "degraded": counts.degraded,
                "unhealthy": counts.unhealthy,
                "logs": [report(log, now) for log in logs],
            }
        )

    def deep_health(self) -> Document:
        """``/health/deep``."""
        counts = LogCounts.of(self._sources.logs())
        return _document(
            {
                "status": counts.status,
                "logs_healthy": counts.healthy,
                "logs_degraded": counts.degraded,
                "logs_unhealthy": counts.unhealthy,
                "logs_total": counts.total,
                "active_connections": self._connections()["total"],
                "uptime_secs": self._uptime(),
            },
            SERVICE_UNAVAILABLE if counts.status is LogStatus.UNHEALTHY else 200,
        )

    def latest(self) -> Document:
        """``/latest.json``: the newest lite messages, newest first."""
        messages: list[bytes] = []
        size = 0
        for message in islice(reversed(self._sources.hub.newest), CAPACITY):
            payload = message.lite()
            size += len(payload)
            if messages and size > MAX_LATEST_BYTES:
                break
            messages.append(payload)
        return Document(JSON, b'{"messages":[' + b",".join(messages) + b"]}")

    def certificate(self, text: str) -> Document:
        """``/api/cert/{hash}``: the newest full message of one certificate that is kept."""
        digest = text.replace(":", "").lower()
        if _DIGEST.fullmatch(digest):
            found = self._sources.hub.newest.find(bytes.fromhex(digest))
            if found is not None:
                return Document(JSON, found.full())
        return Document(JSON, error_document("Not Found"), NOT_FOUND)

    def _connections(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for channel in self._sources.hub.channels():
            counts[channel.wire.protocol] += len(channel)
        return {"total": counts.total()} | {
            protocol: counts[protocol] for protocol in ("websocket", "sse", "tcp")
        }

    def _uptime(self) -> int:
        return max(0, int(self._sources.now() - self._started_at))


def _document(value: Any, status: int = 200) -> Document:
    return Document(JSON, _encode(value), status)
