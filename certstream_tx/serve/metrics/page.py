"""Prints the page of metrics: ``python -m certstream_tx.serve.metrics.page > docs/metrics.md``."""

from collections.abc import Iterator

from certstream_tx.serve.metrics.table import GROUPS, HistogramRow, MetricRow

_HEAD = """\
# Metrics

This page is generated (`make docs`). `/metrics` has the Prometheus text format 0.0.4. Names that
dashboards of certstream servers read are the same here, to the letter, also where a counter's name
has no `_total`. Counters begin at 0 with the server, those of a log when it begins to be followed.

`log` is a log's name, `source_id` is `ctlog:<log id>` or `url:<url>`, `log_type` is `rfc6962` or
`static_ct`; `wire` is the protocol and, behind a `+`, what is done to it. No label ever holds an
address of a client.
"""
_TAIL = """\

## The process

`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
`process_open_fds`, `process_max_fds` and `process_start_time_seconds`, as Prometheus' client
libraries give them.
"""


def metrics_page() -> str:
    """The page, in Markdown."""
    return _HEAD + "".join(_sections()) + _TAIL


def _sections() -> Iterator[str]:
    for title, rows in GROUPS:
        yield f"\n## {title}\n\n| metric | type | labels | |\n|---|---|---|---|\n"
        for row in rows:
            yield _line(row)


def _line(row: MetricRow | HistogramRow) -> str:
    kind, labels = ("histogram", ()) if isinstance(row, HistogramRow) else (row.kind, row.labels)
    return f"| `{row.name}` | {kind} | {', '.join(labels)} | {row.help} |\n"


if __name__ == "__main__":
    print(metrics_page(), end="")
