"""What an operator reads: a real server's log, under each launcher."""

import json
import os
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import (
    BIN,
    LOCAL,
    ServerProcess,
    clean_environment,
    run_to_end,
)


class LogFormatTests(SynchronousTestCase):
    """From the first line to the last."""

    def assert_json(self, output: str) -> None:
        """Every line is a document, and among them are that it listens and that it ended."""
        lines = [json.loads(line) for line in output.splitlines()]
        for line in lines:
            self.assertLessEqual({"time", "level", "logger", "message"}, set(line))
        said = [line["message"] for line in lines]
        self.assertTrue(any(text.startswith("Listening on ") for text in said), output)
        self.assertTrue(any(text.startswith("Main loop terminated") for text in said), output)

    def test_twistd_without_a_terminal(self) -> None:
        """JSON: what a container's or systemd's log is given."""
        with ServerProcess("--demo") as server:
            server.wait_for("begins at entry")
            server.stop()
        self.assert_json(server.output)

    def test_twist_told_to_write_text(self) -> None:
        """Text, though twist would write JSON where there is no terminal."""
        with ServerProcess(
            "--demo",
            launcher=(str(BIN / "twist"),),
            environment=clean_environment(CERTSTREAM_LOG_FORMAT="text"),
        ) as server:
            server.wait_for(r"(?m)^\S+ \[certstream_tx\.serve#info\] Listening on ")
            server.stop()
        self.assertNotIn('"message"', server.output)

    def test_daemon(self) -> None:
        """Its log file is JSON; its terminal stays silent."""
        with tempfile.TemporaryDirectory() as folder:
            done = run_to_end(
                "--demo",
                "--listen",
                LOCAL,
                launcher=(str(BIN / "twistd"), "--logfile=server.log"),
                directory=folder,
            )
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            pid = int((Path(folder) / "twistd.pid").read_text())
            os.kill(pid, 15)
            for _ in range(200):
                if not Path(f"/proc/{pid}").exists():
                    break
                time.sleep(0.05)
            self.assert_json((Path(folder) / "server.log").read_text())
