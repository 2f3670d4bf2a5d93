"""``/metrics`` in the Prometheus text format 0.0.4.

It is written here because the client library's own writer adds ``_total`` to the name of every
counter, and some names that dashboards use have no such ending.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.metrics.table import HISTOGRAMS, METRICS, HistogramRow, MetricRow


class Exposition:
    """The text of ``/metrics``.

    :param rows: the metrics, further ones than `METRICS` included
    """

    def __init__(self, sources: Sources, rows: Iterable[MetricRow] = METRICS) -> None:
        self._sources = sources
        self._rows: tuple[MetricRow | HistogramRow, ...] = (*rows, *HISTOGRAMS)
        self._process = ProcessCollector(registry=None)

    def text(self) -> bytes:
        """All metrics as they stand now."""
        families = [row.family(self._sources) for row in self._rows]
        families += self._process.collect()
        return "".join(line for family in families for line in lines(family)).encode("utf-8")


def lines(metric: Metric) -> Iterator[str]:
    """One metric in the text format; nothing when it has no samples."""
    if not metric.samples:
        return
    # The library's own counters name their family without the ending that their samples have.
    counter = metric.type == "counter" and metric.samples[0].name == f"{metric.name}_total"
    name = metric.samples[0].name if counter else metric.name
    yield f"# HELP {name} {_escape(metric.documentation)}\n"
    yield f"# TYPE {name} {metric.type}\n"
    for sample in metric.samples:
        labels = ",".join(f'{k}="{_escape(v, quote=True)}"' for k, v in sample.labels.items())
        shown = f"{{{labels}}}" if labels else ""
        yield f"{sample.name}{shown} {floatToGoString(sample.value)}\n"


def _escape(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text
