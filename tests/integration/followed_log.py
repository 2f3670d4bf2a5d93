"""A log that grows, a server that follows it, and many clients: each in a process of its own."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
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
    running,
    server_command,
    wsload,
)

PATIENCE = 30.0
"""seconds for anything to happen"""
WIRES = {
    "protocols": {"sse": True, "tcp": True},
    "listen_tcp": ["tcp:0:interface=127.0.0.1:backlog=4096"],
}
"""configuration of every wire"""


class FollowedLogTestCase(SynchronousTestCase):
    """The log and the server; the clients are started by each test."""

    rate = 400.0
    """messages a second"""
    configuration: dict[str, Any] = {}
    server_program: Sequence[str] = ()
    """in place of ``twistd``"""

    def setUp(self) -> None:
        if shutil.which("cc") is None:
            raise SkipTest("the load client is written in C, and there is no compiler")
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.place = self.stack.enter_context(folder())
        options = ("--kind", "rfc6962", "--growth-interval", "0.01", "--rate", str(self.rate))
        self.log = self.stack.enter_context(running(log_command(*options), self.place, "log"))
        feed = {"ct_log": {"poll_interval_ms": 50}}
        config = follow(self.place, self.log, {**feed, **self.configuration})
        command = server_command("--config", str(config))
        if self.server_program:
            command = [*self.server_program, *command[1:]]
        self.server: Running = self.stack.enter_context(running(command, self.place, "server"))
        self.port = listening_port(self.server)

    @property
    def lines_port(self) -> int:
        """Where the raw TCP stream is."""
        return int(self.server.wait_for(r"Listening on tcp://[^ /]*:(\d+)").group(1))

    def load(
        self, clients: int, seconds: float, *options: str, mode: str = "ws", warmup: float = 0
    ) -> "subprocess.Popen[str]":
        """Clients of the lite stream, in a process of their own."""
        path = {"ws": "/", "sse": "/sse", "tcp": "l"}[mode]
        port = self.lines_port if mode == "tcp" else self.port
        client = wsload(mode, port, path, clients, seconds, warmup, options)
        self.addCleanup(client.kill)
        return client

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return metric(self.port, name)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for it."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def scrape_seconds(self) -> float:
        """How long a look at the metrics takes."""
        begun = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            answer.read()
        return time.monotonic() - begun

    def saved(self) -> int:
        """The position in the state file."""
        (log,) = json.loads((self.place / "state.json").read_text())["logs"].values()
        return int(log["position"])

    def printed(self) -> str:
        """What the server has said."""
        return self.server.output.read_text()
