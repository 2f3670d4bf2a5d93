"""Rows of the table of metrics: what a metric is, and how it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from certstream_tx.hub import Histogram
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.stats import LogStats

Samples = Iterator[tuple[tuple[str, ...], float]]
"""label values in the order of the metric's labels, value"""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric: its name, type, labels and meaning, and how it is read."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[Sources], Samples]
    labels: tuple[str, ...] = ()

    def family(self, sources: Sources) -> Metric:
        """Read it."""
        metric = Metric(self.name, self.help, self.kind)
        for values, value in self.read(sources):
            metric.add_sample(self.name, dict(zip(self.labels, values, strict=True)), value)
        return metric


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """One histogram of the hub."""

    name: str
    help: str
    read: Callable[[Sources], Histogram]

    def family(self, sources: Sources) -> Metric:
        """Read it."""
        histogram = self.read(sources)
        below = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
            below += count
            buckets.append((floatToGoString(bound), below))
        return HistogramMetricFamily(self.name, self.help, buckets, histogram.total)


LOG = ("log", "source_id")
"""labels of a log"""


def each_log(
    value: Callable[[LogStats], float | None], kind: str = ""
) -> Callable[[Sources], Samples]:
    """Reads a number of every log (of one kind); a log that has none yet is left out."""

    def read(sources: Sources) -> Samples:
        for log in sources.logs():
            number = value(log) if kind in ("", log.kind) else None
            if number is not None:
                yield (log.name, log.source_id), number

    return read


def one(value: Callable[[Sources], float]) -> Callable[[Sources], Samples]:
    """Reads a single number."""
    return lambda sources: iter([((), value(sources))])
