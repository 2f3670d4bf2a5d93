"""Many logs in processes of their own, a server that follows them, and what became of entries."""

import json
import re
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.processes import BIN, Running, listening_port, running, server_command
from tests.checkout import ROOT


@dataclass
class LogProcess:
    """Logs of one process."""

    process: Running
    port: int
    logs: list[dict[str, Any]]

    def ask(self, what: str) -> dict[str, Any]:
        """``truth``; ``stop``: the same, and no more growth; ``grow/9``: and 9 entries more."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{what}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def log_process(
    place: Path, name: str, logs: Sequence[dict[str, str]], rate: float, size: int
) -> Iterator[LogProcess]:
    """``logs``: each with name, kind and fault."""
    spec = json.dumps({"rate": rate, "size": size, "logs": list(logs)})
    command = [str(BIN / "python"), "-m", "tests.soak.faulty_logs", spec]
    with running(["env", f"PYTHONPATH={ROOT}", *command], place, name) as process:
        said = json.loads(process.wait_for(r"\{.*\}\n", 120).group(0))
        yield LogProcess(process, said["port"], said["logs"])


def configuration(
    place: Path, processes: Sequence[LogProcess], ct_log: dict[str, Any], **more: Any
) -> Path:
    """A file that follows all of them."""
    logs = [log for process in processes for log in process.logs]

    def section(kind: str) -> list[dict[str, Any]]:
        return [
            {key: log[key] for key in ("name", "url", "key")} for log in logs if log["kind"] == kind
        ]

    feed = {"state_file": str(place / "state.json"), "default_operator_rate_limit_ms": 0}
    path = place / "config.yaml"
    path.write_text(
        json.dumps(
            {
                "ct_logs_url": None,
                "custom_logs": section("rfc6962"),
                "static_logs": section("tiled"),
                **more,
                "ct_log": {**feed, **ct_log},
            }
        )
    )
    return path


@contextmanager
def server(place: Path, config: Path) -> Iterator[tuple[Running, int]]:
    """The server and its port."""
    with running(server_command("--config", str(config)), place, "server") as process:
        yield process, listening_port(process)


class _Source(msgspec.Struct):
    name: str
    timestamp: float = 0.0


class _Data(msgspec.Struct):
    cert_index: int
    source: _Source
    seen: float = 0.0
    late: bool = False
    parse_error: str | None = None


class _Message(msgspec.Struct):
    message_type: str
    data: _Data | None = None


_read = msgspec.json.Decoder(_Message).decode


@dataclass
class Delivered:
    """What came of one log: when each index came first, how old it was then, and how often."""

    counts: Counter[int] = field(default_factory=Counter)
    ages: list[tuple[float, float]] = field(default_factory=list)
    late: int = 0
    parse_errors: int = 0


class Client(Thread):
    """Takes the lite stream, until the connection ends; ``every``: every sighting of it."""

    def __init__(self, port: int, *, every: bool = True) -> None:
        super().__init__(daemon=True)
        self._url = f"ws://127.0.0.1:{port}/{'?dedup=off' if every else ''}"
        self.connected = Event()
        self.logs: dict[str, Delivered] = {}
        self.newest = 0.0

    def run(self) -> None:
        with connect(self._url, max_size=None, compression=None) as client:
            self.connected.set()
            try:
                while True:
                    self._take(client.recv())
            except ConnectionClosed:
                pass

    def _take(self, text: Any) -> None:
        data = _read(text).data
        if data is None:
            return
        now = time.time()
        log = self.logs.setdefault(data.source.name, Delivered())
        if data.cert_index not in log.counts and not data.late:
            log.ages.append((now, now - data.source.timestamp))
        log.counts[data.cert_index] += 1
        log.late += data.late
        log.parse_errors += data.parse_error is not None
        self.newest = now


def per_log(port: int) -> dict[str, dict[str, Any]]:
    """Every number of ``/api/logs``, or of the metrics where it is off, by the name of a log."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, dict[str, Any]] = {}
    for name, labels, value in re.findall(r"^(certstream_\w+)\{([^}]*)\} (\S+)$", text, re.M):
        said = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "log" in said:
            key = name + (f":{said['kind']}" if "kind" in said else "")
            found.setdefault(said["log"], {})[key] = float(value)
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def median(values: Sequence[float]) -> float:
    """0 when there are none."""
    return statistics.median(values) if values else 0.0
