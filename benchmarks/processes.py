"""Starting, measuring and ending the processes that a measurement is made of."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Running:
    """A process that was started here, and what it prints."""

    process: subprocess.Popen[bytes]
    output: Path
    started: float

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self) -> float:
        """Resident memory now, in MB (10**6 bytes)."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE / 1e6

    def peak_mb(self) -> float:
        """The most resident memory so far, in MB (10**6 bytes)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s*(\d+) kB", status)
        assert found
        return int(found.group(1)) * 1024 / 1e6

    def wait_for(self, pattern: str, timeout: float = 60) -> re.Match[str]:
        """The first match in what it printed."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = re.search(pattern, self.output.read_text(errors="replace"))
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f"no {pattern!r} in:\n{self.output.read_text(errors='replace')}")


@contextmanager
def running(command: Sequence[str], folder: Path, name: str) -> Iterator[Running]:
    """Start a command in a folder; end it on leaving."""
    output = folder / f"{name}.out"
    with output.open("wb") as sink:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield Running(process, output, started)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of its own for one measurement."""
    with tempfile.TemporaryDirectory(prefix="certstream-bench") as name:
        yield Path(name)


LISTEN = "tcp:0:interface=127.0.0.1:backlog=4096"


def server_command(*options: str, listen: str = LISTEN) -> list[str]:
    """``twistd certstream`` in the foreground, by default on a free port of the loopback."""
    return [
        str(BIN / "twistd"), "--nodaemon", "--pidfile=", "certstream", "--listen", listen, *options,
    ]  # fmt: skip


def listening_port(server: Running) -> int:
    """Where the server listens, once it does."""
    return int(server.wait_for(r"Listening on https?://[^ /]*:(\d+)").group(1))


def log_command(*options: str) -> list[str]:
    """The demonstration log as a process of its own."""
    return [str(BIN / "python"), "-m", "certstream_tx.demo", *options]


def follow(place: Path, log: Running, more: dict[str, Any] | None = None) -> Path:
    """A configuration that follows only this log (of one kind), from its first entry."""
    list_url = log.wait_for(r"(http://\S+/log_list\.json)", 120).group(1)
    with urllib.request.urlopen(list_url, timeout=30) as answer:
        (operator,) = json.load(answer)["operators"]
    (entry,) = operator.get("logs") or operator["tiled_logs"]
    url = (entry.get("url") or entry["monitoring_url"]).rstrip("/")
    section = "custom_logs" if "url" in entry else "static_logs"
    state = place / "state.json"
    state.write_text(json.dumps({"version": 1, "logs": {url: {"current_index": 0}}}))
    ct_log = {"state_file": str(state), "default_operator_rate_limit_ms": 0}
    config = place / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "ct_logs_url": None,
                section: [{"name": "bench", "url": url, "key": entry["key"]}],
                **(more or {}),
                "ct_log": ct_log | (more or {}).get("ct_log", {}),
            }
        )
    )
    return config


def metric(port: int, name: str) -> float:
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
    return sum(map(float, values))


def compiled(name: str) -> str:
    """Path of the program made from ``name.c`` here, compiled when it is not yet."""
    binary = HERE / "bin" / name
    source = HERE / f"{name}.c"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", binary, source], check=True)
    return str(binary)


def wsload(
    mode: str,
    port: int,
    path: str,
    clients: int,
    seconds: float,
    warmup: float = 2,
    options: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """The load client, started; :func:`result` waits for it."""
    return subprocess.Popen(
        [compiled("wsload"), *options, mode, "127.0.0.1", str(port), path, str(clients),
         str(seconds), str(warmup)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if "--announce" in options else None,
        text=True,
    )  # fmt: skip


def result(client: subprocess.Popen[str]) -> dict[str, Any]:
    """What the load client counted."""
    printed, _ = client.communicate(timeout=600)
    return dict(json.loads(printed))
