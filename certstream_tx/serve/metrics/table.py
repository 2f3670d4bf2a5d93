"""The table of all metrics: name, type, labels, meaning, and how each is read.

Where dashboards of certstream servers already use a name, it is that name, to the letter.
"""

import platform

from certstream_tx import __version__
from certstream_tx.serve.metrics.access import ACCESS
from certstream_tx.serve.metrics.caches import CACHES
from certstream_tx.serve.metrics.delivery import DELIVERY, HISTOGRAMS
from certstream_tx.serve.metrics.logs import LOGS
from certstream_tx.serve.metrics.rows import HistogramRow, MetricRow, one
from certstream_tx.serve.metrics.slow import SLOW
from certstream_tx.serve.metrics.status import STATUS

__all__ = ["GROUPS", "HISTOGRAMS", "METRICS", "HistogramRow", "MetricRow"]

BUILD = MetricRow(
    "certstream_build_info",
    "gauge",
    "The server's version and Python's; always 1.",
    lambda sources: iter([((__version__, platform.python_version()), 1)]),
    ("version", "python"),
)

RELOADS = (
    MetricRow(
        "certstream_config_reloads",
        "counter",
        "Times that the configuration was read again and taken over.",
        one(lambda s: s.reloads.applied),
    ),
    MetricRow(
        "certstream_config_reload_failures_total",
        "counter",
        "Times that it was read again and not taken over, because it is not valid.",
        one(lambda s: s.reloads.failed),
    ),
    MetricRow(
        "certstream_config_in_force",
        "gauge",
        "Whether what was read last is in force: 0 when it was not valid, and nothing changed.",
        one(lambda s: not s.reloads.last_failed),
    ),
)

METRICS = (*DELIVERY, *SLOW, *ACCESS, *LOGS, *STATUS, *CACHES, *RELOADS, BUILD)

GROUPS: tuple[tuple[str, tuple[MetricRow | HistogramRow, ...]], ...] = (
    ("Clients and delivery", (*DELIVERY, *HISTOGRAMS)),
    ("Slow clients", SLOW),
    ("Access", ACCESS),
    ("What is read from the logs", LOGS),
    ("How the logs are", STATUS),
    ("Memory", CACHES),
    ("The server", (*RELOADS, BUILD)),
)
"""all of them, as they are documented"""
