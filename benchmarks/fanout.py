"""Delivery: how many clients get how many messages, how late, and what that takes.

A local log of its own process grows at a set rate, the server follows it, and ``wsload`` is the
clients. Beside it, in the same minutes: a sender in C that does nothing but send (the limit of the
machine), and ``certstream-server-rust`` where that is installed. Latency is from ``seen`` to the
client's having received; the share delivered is of what stood in the log.

On two cores all of them share the machine with the log and the clients, and figures of a noisy
machine vary by tens of percent: ratios within a row are worth more than any figure.
"""

import json
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from benchmarks.processes import (
    Running,
    compiled,
    folder,
    follow,
    listening_port,
    log_command,
    result,
    running,
    server_command,
    wsload,
)

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
WARMUP = 3.0
MESSAGES = 256
"""different ones that the C sender sends in turn"""
PATIENCE = 60.0
"""seconds for anything to begin"""
FEED = {"ct_log": {"poll_interval_ms": 20}}
"""one log asked 50 times a second stands for sixty that are asked every second"""
GROWTH = ("--kind", "rfc6962", "--growth-interval", "0.01")


@dataclass(frozen=True)
class Row:
    """A load, and what is asked of the server under it."""

    clients: int
    rate: int
    share: float = 1.0
    """of all messages; of the C sender's where ``beside``"""
    beside: bool = False
    p50: float | None = None
    """ms"""
    p99: float | None = None
    cores: float | None = None
    memory: float = 110.0
    """MB"""

    def missed(self, ours: "Measured", sender: "Measured") -> list[str]:
        """Which of it was not met."""
        wanted = self.share * (sender.share if self.beside else 1.0)
        checks: list[tuple[str, float, float | None]] = [
            ("p50", ours.p50, self.p50),
            ("p99", ours.p99, self.p99),
            ("cores", ours.cores, self.cores),
            ("MB", ours.memory, self.memory),
        ]
        missed = [f"{n} {got:.3g} > {bar:g}" for n, got, bar in checks if bar and got > bar]
        if ours.share < wanted:
            missed.insert(0, f"share {ours.share:.1%} < {wanted:.1%}")
        return missed


ROWS = (
    Row(100, 1000, p50=6, p99=30),
    Row(1000, 20, p50=10),
    Row(500, 300, p50=8, cores=0.5),
    Row(1000, 300, share=0.995, p50=15, p99=80),
    Row(1000, 1000, share=0.95, beside=True),
    Row(2000, 300, share=0.95, beside=True),
    Row(8000, 10, p50=150, memory=140),
)

WIRES = {
    "ws": "WebSocket",
    "sse": "Server-Sent Events",
    "tcp": "lines over TCP",
    "wsz": "WebSocket, compressed",
    "ssez": "Server-Sent Events, compressed",
}
WIRES_ROW = Row(500, 300)


@dataclass(frozen=True)
class Measured:
    """What a server did under a load."""

    share: float
    messages: float
    """a second"""
    megabytes: float
    """a second"""
    p50: float
    p99: float
    cores: float
    memory: float
    dropped: int

    def cells(self) -> str:
        """Of a table's row."""
        lost = f", {self.dropped} dropped" if self.dropped else ""
        share, p50, p99 = f"{self.share:.1%}", f"{self.p50:.1f}", f"{self.p99:.1f}"
        messages = f"{self.messages:,.0f}"
        if self.p50 < 0:  # the load client does not look into what is compressed
            share = messages = p50 = p99 = "-"
        return (
            f"{share}{lost} | {messages} | {self.megabytes:,.0f} | "
            f"{p50} | {p99} | {self.cores:.2f} | {self.memory:.0f}"
        )


def measure(server: Running, port: int, row: Row, mode: str = "ws", path: str = "/") -> Measured:
    """Put the load of ``row`` on a server."""
    load = wsload(mode, port, path, row.clients, SECONDS, WARMUP, ("--announce",))
    assert load.stderr is not None
    for line in load.stderr:
        if "measuring" in line:
            break
    begin, cpu = time.monotonic(), server.cpu_seconds()
    time.sleep(SECONDS)
    used = (server.cpu_seconds() - cpu) / (time.monotonic() - begin)
    counted = result(load)
    # Who was dropped may have been one of the readers that were not sampled.
    stayed = 1 - counted["groups"]["readers"]["dropped"] / row.clients
    return Measured(
        share=max(0.0, counted["share"]) * stayed,
        messages=counted["msgs_per_s"],
        megabytes=counted["MB_per_s"],
        p50=counted["lat_ms_p50"],
        p99=counted["lat_ms_p99"],
        cores=used,
        memory=server.peak_mb(),
        dropped=counted["dropped"] + counted["failed"],
    )


# The servers


@contextmanager
def ours(
    place: Path, rate: int, more: dict[str, Any] | None = None
) -> Iterator[tuple[Running, int]]:
    """This server, and the log that it follows."""
    place.mkdir()
    with running(log_command("--rate", str(rate), *GROWTH), place, "log") as log:
        config = follow(place, log, FEED | (more or {}))
        command = server_command("--config", str(config))
        with running(command, place, "server") as server:
            yield server, listening_port(server)


@contextmanager
def sender(place: Path, rate: int, messages: Path) -> Iterator[tuple[Running, int]]:
    """The sender in C."""
    place.mkdir()
    with running([compiled("sender"), str(rate), str(messages)], place, "sender") as server:
        yield server, listening_port(server)


@contextmanager
def rust(place: Path, rate: int) -> Iterator[tuple[Running, int] | None]:
    """certstream-server-rust on a log of the same kind; None where it does not come up."""
    place.mkdir()
    port = _free_port()
    with running(log_command("--rate", str(rate), *GROWTH), place, "log") as log:
        config = json.loads(follow(place, log).read_text())
        (place / "config.yaml").write_text(
            json.dumps(
                {"host": "127.0.0.1", "port": port, "custom_logs": config["custom_logs"]}
                | {"ct_log": {"state_file": str(place / "rust.json"), "poll_interval_ms": 20}}
            )
        )
        with running(["certstream-server-rust"], place, "rust") as server:
            yield (server, port) if _answers(server, port) else None


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _answers(server: Running, port: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.2)
    return False


def record(place: Path) -> Path:
    """A file of real messages, with gaps for what differs each time they are sent."""
    path = place / "messages"
    documents: list[str] = []
    with (
        ours(place / "recorded", 500) as (server, port),
        connect(f"ws://127.0.0.1:{port}/", max_size=None, max_queue=None) as client,
    ):
        deadline = time.monotonic() + PATIENCE
        while len(documents) < MESSAGES:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no messages from:\n{server.output.read_text()}")
            text = str(client.recv(30))
            if '"certificate_update"' in text:
                text = re.sub(r'"seen":[\d.]+', '"seen":@SEEN@', text)
                documents.append(re.sub(r'"cert_index":\d+', '"cert_index":@INDEX@', text))
    path.write_text("\n".join(documents) + "\n")
    return path


def machine() -> str:
    """What it was measured on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}),"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()};"
        f" load average before: {load}"
    )


HEADER = (
    "| {first} | server | delivered | msgs/s | MB/s | p50 | p99 | cores | MB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def compare(place: Path, rows: Sequence[Row]) -> Iterator[str]:
    """Print the table of all servers; gives the verdict on each row."""
    messages = record(place)
    print(HEADER.format(first="clients x msgs/s"))
    for i, row in enumerate(rows):
        name = f"{row.clients:,} x {row.rate:,}"
        with sender(place / f"sender{i}", row.rate, messages) as (server, port):
            limit = measure(server, port, row)
        print(f"| {name} | sender in C | {limit.cells()} |", flush=True)
        with ours(place / f"ours{i}", row.rate) as (server, port):
            us = measure(server, port, row)
        print(f"| {name} | certstream-tx | {us.cells()} |", flush=True)
        if shutil.which("certstream-server-rust"):
            with rust(place / f"rust{i}", row.rate) as peer:
                cells = measure(*peer, row).cells() if peer else "does not start here"
            print(f"| {name} | certstream-server-rust | {cells} |", flush=True)
        missed = row.missed(us, limit)
        yield f"- {name}: {'missed: ' + ', '.join(missed) if missed else 'met'}"


def compare_wires(place: Path) -> None:
    """Print the table of the wires."""
    row = WIRES_ROW
    print(HEADER.format(first=f"{row.clients:,} x {row.rate:,}"))
    more = {
        "protocols": {"sse": True, "tcp": True},
        "listen_tcp": ["tcp:0:interface=127.0.0.1:backlog=4096"],
    }
    for mode, name in WIRES.items():
        with ours(place / mode, row.rate, more) as (server, port):
            path = "/sse" if mode.startswith("sse") else "/"
            if mode == "tcp":
                path = "l"
                port = int(server.wait_for(r"Listening on tcp://[^ /]*:(\d+)").group(1))
            cells = measure(server, port, row, mode, path).cells()
        print(f"| {name} | certstream-tx | {cells} |", flush=True)


def main(rows: Sequence[Row] = ROWS) -> None:
    """Print the tables, then what was missed."""
    chosen = os.environ.get("BENCH_ROWS")
    if chosen:
        rows = [row for row in rows if f"{row.clients}x{row.rate}" in chosen.split(",")]
    print(f"{machine()}; {SECONDS:g} s each\n")
    with folder() as place:
        verdicts = list(compare(place, rows))
        print("\nBars:\n\n" + "\n".join(verdicts) + "\n")
        compare_wires(place)


if __name__ == "__main__":
    main()
