"""Parts that few servers need: their code is loaded when they are first wanted."""

from collections.abc import Callable
from functools import cache
from typing import Any

from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.service.demonstration import BuiltInLogs


def metrics_text(sources: Sources) -> Callable[[], bytes]:
    """What gives the text of ``/metrics``; the first time takes some 10 ms longer."""

    @cache
    def text() -> Callable[[], bytes]:
        from certstream_tx.serve.metrics.exposition import Exposition

        return Exposition(sources).text

    return lambda: text()()


def demo_logs(reactor: Any, rate: float) -> BuiltInLogs:
    """The demonstration logs, growing by ``rate`` entries a second."""
    from certstream_tx.demo.service import DemoLogs

    return DemoLogs(reactor, rate=rate)
