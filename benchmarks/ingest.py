"""Entries per second of one core: from a local log over HTTP to encoded messages.

The log is a process of its own, with all its entries at once; the server reads them from the first
one on, with one client on each stream in use. What counts is the server's own time on the
processor, so that the load client and the log, which share the machine, do not.
"""

import time

from benchmarks.processes import (
    folder,
    follow,
    listening_port,
    log_command,
    metric,
    running,
    server_command,
    wsload,
)

SIZE = 300_000
"""entries of the log: half a minute of reading"""
STANDING = ("--rate", "0", "--size", str(SIZE), "--max-entries", "1024")
"""options of a log that never grows"""
SKIP = 30_000
"""entries before the measurement begins: caches fill, the page size is learned"""
STREAMS = {
    "lite": ["/"],
    "full": ["/full-stream"],
    "domains-only": ["/domains-only"],
    "all three": ["/", "/full-stream", "/domains-only"],
    "none in use": [],
}


def measure(kind: str, paths: list[str]) -> tuple[float, float, float]:
    """Entries a core-second, entries a second, peak of resident MB."""
    with (
        folder() as place,
        running(log_command("--kind", kind, *STANDING), place, "log") as log,
        running(server_command("--config", str(follow(place, log))), place, "server") as server,
    ):
        port = listening_port(server)
        clients = [wsload("ws", port, path, 1, 120, 0) for path in paths]
        try:
            peak = 0.0

            def wait(entries: int) -> tuple[float, float, float]:
                nonlocal peak
                while (done := metric(port, "certstream_messages_sent")) < entries:
                    peak = max(peak, server.resident_mb())
                    time.sleep(0.1)
                return time.monotonic(), server.cpu_seconds(), done

            begin, cpu_begin, first = wait(SKIP)
            end, cpu_end, last = wait(SIZE - 10_000)
        finally:
            for client in clients:
                client.kill()
                client.communicate()
    entries = last - first
    return entries / (cpu_end - cpu_begin), entries / (end - begin), peak


def main() -> None:
    """Print the table."""
    print("| log | streams in use | entries per core-second | entries/s | peak MB |")
    print("|---|---|---|---|---|")
    for kind in ("rfc6962", "tiled"):
        for name, paths in STREAMS.items():
            per_core, per_second, peak = measure(kind, paths)
            print(
                f"| {kind} | {name} | {per_core:,.0f} | {per_second:,.0f} | {peak:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
