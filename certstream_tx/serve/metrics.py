"""The table of all metrics: name, type, labels, meaning, and how each is read.

Where dashboards of certstream servers already use a name, it is that name, to the letter.
"""

import platform

from certstream_tx import __version__
from certstream_tx.serve.access_metrics import ACCESS
from certstream_tx.serve.cache_metrics import CACHES
from certstream_tx.serve.delivery_metrics import DELIVERY, HISTOGRAMS
from certstream_tx.serve.log_metrics import LOGS
from certstream_tx.serve.metric_rows import HistogramRow, MetricRow, Sources
from certstream_tx.serve.slow_metrics import SLOW
from certstream_tx.serve.status_metrics import STATUS

__all__ = ["GROUPS", "HISTOGRAMS", "METRICS", "HistogramRow", "MetricRow", "Sources"]

BUILD = MetricRow(
    "certstream_build_info",
    "gauge",
    "The server's version and Python's; always 1.",
    lambda sources: iter([((__version__, platform.python_version()), 1)]),
    ("version", "python"),
)

METRICS = (*DELIVERY, *SLOW, *ACCESS, *LOGS, *STATUS, *CACHES, BUILD)

GROUPS: tuple[tuple[str, tuple[MetricRow | HistogramRow, ...]], ...] = (
    ("Clients and delivery", (*DELIVERY, *HISTOGRAMS)),
    ("Slow clients", SLOW),
    ("Access", ACCESS),
    ("What is read from the logs", LOGS),
    ("How the logs are", STATUS),
    ("Memory", CACHES),
    ("The server", (BUILD,)),
)
"""all of them, as they are documented"""
