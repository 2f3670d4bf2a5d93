"""Metrics of what is remembered: issuers of static logs, certificates for ``/api/cert``."""

from collections.abc import Callable

from certstream_tx.serve.metrics.rows import MetricRow, Samples, one
from certstream_tx.serve.metrics.sources import CacheCounts, Sources


def _issuers(value: Callable[[CacheCounts], float]) -> Callable[[Sources], Samples]:
    def read(sources: Sources) -> Samples:
        if sources.issuers is not None:
            yield (), value(sources.issuers)

    return read


CACHES = (
    MetricRow(
        "certstream_issuer_cache_hits",
        "counter",
        "Issuers of static logs' entries that were known already.",
        _issuers(lambda c: c.hits),
    ),
    MetricRow(
        "certstream_issuer_cache_misses",
        "counter",
        "Issuers of static logs' entries that had to be fetched, or could not be had.",
        _issuers(lambda c: c.misses),
    ),
    MetricRow(
        "certstream_issuer_cache_size",
        "gauge",
        "Issuers that are known.",
        _issuers(len),
    ),
    MetricRow(
        "certstream_duplicates_filtered",
        "counter",
        "Messages that were not sent to clients who had had their certificate from another log;"
        " not counted while there are none.",
        one(lambda s: s.hub.counts.duplicates),
    ),
    MetricRow(
        "certstream_dedup_cache_size",
        "gauge",
        "Certificates that are remembered, so as not to be sent again (`dedup`).",
        one(lambda s: s.hub.remembered),
    ),
    MetricRow(
        "certstream_certificate_cache_entries",
        "gauge",
        "Newest certificates that are kept for those who ask for one.",
        one(lambda s: len(s.hub.newest)),
    ),
    MetricRow(
        "certstream_certificate_cache_bytes",
        "gauge",
        "Bytes of these certificates and their chains, shared ones counted each time.",
        one(lambda s: s.hub.newest.size),
    ),
)
