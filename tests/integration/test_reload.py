"""A running server, and changes of its configuration: by SIGHUP and by the file alone."""

import json
import os
import signal
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.server_process import ServerProcess, clean_environment


class ReloadTests(SynchronousTestCase):
    """One server, its whole life."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.said = ""
        """by the server, as far as its pages were turned"""

    def write(self, **values: Any) -> None:
        """A new file in the place of the one there is, as editors do it."""
        new = self.folder / "config.yaml.new"
        new.write_text(json.dumps(values))
        new.rename(self.folder / "config.yaml")

    def connect(self, server: ServerProcess, token: str | None = None) -> ClientConnection:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = connect(server.ws + "/", additional_headers=headers, max_size=None)
        self.addCleanup(client.close)
        return client

    def assert_refused(self, server: ServerProcess, token: str | None, status: int) -> None:
        with self.assertRaises(InvalidStatus) as caught:
            self.connect(server, token)
        self.assertEqual(caught.exception.response.status_code, status)

    def hang_up(self, server: ServerProcess, pattern: str) -> None:
        """SIGHUP, until ``pattern`` is told; what was told before does not count."""
        self.turn_over(server)
        os.kill(server.process.pid, signal.SIGHUP)
        server.wait_for(pattern)

    def turn_over(self, server: ServerProcess) -> None:
        """What comes next is waited for on a new page."""
        self.said += server.output
        server.output = ""

    def test_life(self) -> None:
        """Tokens and limits come into use, a mistake changes nothing, clients stay, and what the
        environment says stays above the file."""
        self.write(log_level="info")
        environment = clean_environment(CERTSTREAM_RATE_LIMIT_ENABLED="false")
        with ServerProcess("--demo", directory=str(self.folder), environment=environment) as server:
            first = self.connect(server)
            everything = {
                "auth": {"enabled": True, "tokens": ["hunter2", "hunter3"]},
                "rate_limit": {"enabled": True, "per_second": 1, "burst_size": 1},
                "connection_limit": {"enabled": True, "max_connections": 2},
                "hot_reload": {"enabled": True},
            }
            self.write(**everything, port=1234)
            self.hang_up(server, r"connection_limit.enabled: false -> true")
            server.wait_for(r"port: 8080 -> 1234: in force after a restart")
            self.assert_refused(server, None, 401)
            self.assert_refused(server, "hunter4", 401)
            second = self.connect(server, "hunter2")
            self.assert_refused(server, "hunter3", 429)

            self.write(**everything, log_level="loud")
            self.hang_up(server, r"The configuration was not taken over, the former values stay")
            self.assertIn("log_level: expected one of debug, info, warn, error", server.output)
            self.assert_refused(server, "hunter2", 429)

            everything["auth"]["tokens"] = ["hunter5"]
            everything["connection_limit"]["enabled"] = False
            self.turn_over(server)
            self.write(**everything)
            server.wait_for(r"auth.tokens: .*\(1 added, 2 removed\)")
            self.assert_refused(server, "hunter2", 401)
            third = self.connect(server, "hunter5")
            for client in (first, second, third):
                self.assertIn("message_type", json.loads(client.recv(10)))

            with urllib.request.urlopen(server.url + "/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
            self.assertIn("\ncertstream_config_reloads 2.0\n", metrics)
            self.assertIn("\ncertstream_config_reload_failures_total 1.0\n", metrics)
            self.assertIn("\ncertstream_auth_rejected 3.0\n", metrics)
            self.assertIn("\ncertstream_connection_limit_rejected 2.0\n", metrics)
            self.assertIn("\ncertstream_rate_limit_rejected 0.0\n", metrics)
            self.assertEqual(server.stop(), -15, server.output)
            self.turn_over(server)
            self.assertNotIn("Traceback", self.said)
            self.assertNotIn("hunter", self.said)

    def test_without_a_file(self) -> None:
        """SIGHUP never ends the server: there may be nothing to be read."""
        environment = clean_environment(CERTSTREAM_CONFIG="")
        with ServerProcess("--demo", environment=environment) as server:
            self.hang_up(server, r"nothing that can change now has changed")
            with urllib.request.urlopen(server.url + "/health", timeout=10) as answer:
                self.assertEqual(answer.read(), b"OK")
