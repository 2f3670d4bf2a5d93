"""A session that another server began is continued by ours, and no index is missing."""

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.state.state_file import bare_url, read_state
from tests.integration.restarted import Collector
from tests.integration.server_process import ServerProcess, clean_environment

SIZE = 700
POSITIONS = {"rfc6962": 301, "tiled": 402}
"""where the other server had come to"""
PATIENCE = 15.0
"""seconds for the client to get what was logged since"""


class SwitchingTests(SynchronousTestCase):
    """The logs are a process of their own, which stands still until the client is there."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="switching")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.log = subprocess.Popen(
            [sys.executable, "-m", "certstream_tx.demo", "--rate", "20", "--size", str(SIZE)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end_log)
        assert self.log.stdout is not None
        url = [self.log.stdout.readline() for _ in range(3)][-1].partition(": ")[2].strip()
        with urllib.request.urlopen(url, timeout=10) as answer:
            (operator,) = json.load(answer)["operators"]
        self.urls = {
            "rfc6962": operator["logs"][0]["url"],
            "tiled": operator["tiled_logs"][0]["monitoring_url"],
        }
        with urllib.request.urlopen(url.replace(".json", "_pubkey.pem"), timeout=10) as key:
            (self.folder / "key.pem").write_bytes(key.read())
        self.state = self.folder / "state.json"
        (self.folder / "config.yaml").write_text(
            json.dumps(
                {
                    "ct_logs_url": url,
                    "ct_log": {
                        "list_key": str(self.folder / "key.pem"),
                        "state_file": str(self.state),
                        "poll_interval_ms": 200,
                        "partial_tile_wait_secs": 0,
                    },
                }
            )
        )

    def end_log(self) -> None:
        self.log.send_signal(signal.SIGCONT)
        self.log.kill()
        self.log.wait()
        assert self.log.stdout is not None
        self.log.stdout.close()

    def rust_state(self) -> str:
        """As certstream-server-rust leaves it: URLs, and the next index."""
        logs = {
            url: {"current_index": POSITIONS[kind], "tree_size": SIZE, "last_success": 1779302893}
            for kind, url in self.urls.items()
        }
        return json.dumps({"version": 1, "logs": logs})

    def go_state(self) -> str:
        """As certstream-server-go leaves it: host and path, and the last index."""
        return json.dumps({bare_url(url): POSITIONS[kind] - 1 for kind, url in self.urls.items()})

    def assert_continued(self, first: dict[str, int]) -> None:
        """From the first index of each log on, everything comes, once."""
        self.log.send_signal(signal.SIGSTOP)
        with ServerProcess(directory=str(self.folder)) as server:
            collector = Collector(server.ws + "/")
            collector.start()
            self.assertTrue(collector.connected.wait(10))
            self.log.send_signal(signal.SIGCONT)
            deadline = time.monotonic() + PATIENCE
            expected = sum(SIZE - index for index in first.values())
            while len(collector.got) < expected and time.monotonic() < deadline:
                time.sleep(0.05)
            server.stop()
            collector.join(10)
        for kind, url in self.urls.items():
            indexes = [i for _, (where, i) in collector.got if where == url.rstrip("/")]
            self.assertEqual(indexes, list(range(first[kind], first[kind] + len(indexes))), kind)
            self.assertGreaterEqual(first[kind] + len(indexes), SIZE, server.output)
        saved = read_state(self.state.read_bytes())
        self.assertEqual(saved.written_by, "certstream-tx")
        self.assertEqual(len(saved.positions), 2)

    def test_from_rust(self) -> None:
        """By the server itself, out of the file that its configuration names."""
        self.state.write_text(self.rust_state())
        self.assert_continued(POSITIONS)
        kept = self.folder / "state.json.before-import"
        self.assertEqual(kept.read_text(), self.rust_state())

    def test_from_go(self) -> None:
        """By the command, out of a file elsewhere; its last index is read once more."""
        theirs = self.folder / "ct_index.json"
        theirs.write_text(self.go_state())
        done = subprocess.run(
            [sys.executable, "-m", "certstream_tx.command_line", "import-state", str(theirs)],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("2 positions of certstream-server-go", done.stdout)
        self.assert_continued({kind: index - 1 for kind, index in POSITIONS.items()})
