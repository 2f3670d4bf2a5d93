"""How long from the command until it listens, and what it weighs when idle."""

import json
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

from benchmarks.processes import BIN, folder, listening_port, metric, running, server_command

RUNS = 7
SETTLE_SECONDS = 30
"""before the memory of an idle server is read"""

IMPORTS = (
    "import twisted.internet.reactor, twisted.scripts.twistd, twisted.web.server, treq.client,"
    " autobahn.twisted.websocket, autobahn.twisted.resource, msgspec, yaml, prometheus_client,"
    " OpenSSL.SSL\n"
    "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6)"
)


def time_to_listening(place: Path, config: Path) -> float:
    """Seconds from the command to a connection that is answered."""
    with running(server_command("--config", str(config)), place, "server") as server:
        port = listening_port(server)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            answer.read()
        return time.monotonic() - server.started


def main() -> None:
    """Print both figures, each beside what the libraries alone take."""
    python = str(BIN / "python")
    with folder() as place:
        log_command = [python, "-m", "certstream_tx.demo", "--kind", "rfc6962", "--rate", "20"]
        with running(log_command, place, "log") as log:
            url = log.wait_for(r"\(RFC 6962\): (http://\S+)/", 60).group(1)
            config = place / "config.yaml"
            config.write_text(
                json.dumps(
                    {
                        "ct_logs_url": None,
                        "custom_logs": [{"name": "bench", "url": url}],
                        "ct_log": {"state_file": str(place / "state.json")},
                    }
                )
            )
            time_to_listening(place, config)  # the first fills Python's and Twisted's caches
            ours, imports = [], []
            for _ in range(RUNS):
                ours.append(time_to_listening(place, config))
                begun = time.monotonic()
                done = subprocess.run([python, "-c", IMPORTS], capture_output=True, check=True)
                imports.append(time.monotonic() - begun)
            print(
                f"start to listening: median {statistics.median(ours):.2f} s"
                f" (worst of {RUNS}: {max(ours):.2f} s);"
                f" importing the libraries alone {statistics.median(imports):.2f} s"
            )
            with running(server_command("--config", str(config)), place, "server") as server:
                port = listening_port(server)
                time.sleep(SETTLE_SECONDS)
                print(
                    f"idle, one log at 20 entries/s, no clients: {server.resident_mb():.1f} MB"
                    f" resident after {metric(port, 'certstream_messages_sent'):.0f} entries;"
                    f" the libraries alone {float(done.stdout):.1f} MB"
                )


if __name__ == "__main__":
    main()
