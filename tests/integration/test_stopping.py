"""Stopping a real server: quickly, politely, and with nothing lost, whatever its clients do."""

import json
import shutil
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import (
    Running,
    folder,
    follow,
    listening_port,
    log_command,
    metric,
    result,
    running,
    server_command,
    wsload,
)

GONE_SECONDS = 2.0
"""from the signal to the end of the process"""
RATE = 400
"""messages a second: what makes clients that do not read wait soon"""
PATIENCE = 20.0


class StoppingTests(SynchronousTestCase):
    """A log, a server that follows it, and clients of which some do not read."""

    clients = 200
    stalled = 20

    def setUp(self) -> None:
        if shutil.which("cc") is None:
            raise SkipTest("the load client is written in C, and there is no compiler")
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.place = self.stack.enter_context(folder())
        options = ("--kind", "rfc6962", "--rate", str(RATE))
        self.log = self.stack.enter_context(running(log_command(*options), self.place, "log"))
        self.config = follow(self.place, self.log, {"ct_log": {"poll_interval_ms": 50}})
        self.server = self.stack.enter_context(
            running(server_command("--config", str(self.config)), self.place, "server")
        )
        self.port = listening_port(self.server)

    def until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def stop(self) -> float:
        """End the server as an operator would; returns how long that took."""
        begun = time.monotonic()
        self.server.process.terminate()
        time.sleep(0.1)
        with socket.socket() as late:
            self.assertNotEqual(late.connect_ex(("127.0.0.1", self.port)), 0, "let in")
        self.assertEqual(self.server.process.wait(PATIENCE), -signal.SIGTERM)
        return time.monotonic() - begun

    def saved(self) -> int:
        """The position in the state file."""
        (log,) = json.loads((self.place / "state.json").read_text())["logs"].values()
        return int(log["position"])

    def load(self, mode: str, path: str, stalled: int) -> Any:
        return wsload(mode, self.port, path, self.clients, 60, 0, ("--stalled", str(stalled)))

    def test_stop(self) -> None:
        """Who reads gets everything that was read, close 1001 and a clean end; who does not is cut
        off after a second. The position saved is that behind the last message."""
        load = self.load("ws", "/", self.stalled)
        behind = "certstream_clients_behind"
        self.until(lambda: metric(self.port, behind) >= self.stalled, "nobody stalls")
        took = self.stop()
        counted = result(load)
        self.check(counted)
        self.assertEqual(counted["closes"], {"1001": self.clients - self.stalled})
        self.assertLess(took, GONE_SECONDS)
        self.assertEqual(self.saved(), counted["last_index"] + 1)

    def test_log_hangs(self) -> None:
        """A log that has stopped to answer does not hold it up either."""
        load = self.load("ws", "/", 0)
        self.until(lambda: metric(self.port, "certstream_messages_delivered_total"), "no message")
        self.log.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(0.2)
            took = self.stop()
        finally:
            self.log.process.send_signal(signal.SIGCONT)
        counted = result(load)
        self.assertLess(took, GONE_SECONDS)
        self.assertEqual(self.saved(), counted["last_index"] + 1)

    def check(self, counted: dict[str, Any]) -> None:
        """What holds on every wire."""
        groups = counted["groups"]
        self.assertEqual(counted["failed"], 0)
        self.assertEqual(groups["readers"]["dropped"], self.clients - self.stalled)
        self.assertEqual(groups["stalled"]["dropped"], self.stalled)
        self.assertEqual(counted["cut"], self.stalled, "only who does not read is cut off")
        printed = self.output(self.server)
        self.assertNotIn("Traceback", printed)
        self.assertNotIn("Not stopped within", printed)

    def output(self, process: Running) -> str:
        """What it printed."""
        return Path(process.output).read_text()
