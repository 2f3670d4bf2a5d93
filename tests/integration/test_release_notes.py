"""certstream-server-rust's release notes, with a real server: their configuration, its effects."""

import json
import signal
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus

from tests.config.test_release_notes import EXAMPLES, VARIABLES, all_examples
from tests.integration.demo_process import Demo, demo_logs
from tests.integration.restarted import Collector
from tests.integration.server_process import LOCAL, ServerProcess, clean_environment, run_to_end
from tests.integration.test_endpoints import connect

FIRST, SECOND = "secret-token-1", "secret-token-2"
"""those of the example"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def line_of(port: int, said: bytes) -> dict[str, Any]:
    """The first line of the raw TCP stream."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(said)
        with client.makefile("rb") as lines:
            message: dict[str, Any] = json.loads(lines.readline())
            return message


class ReleaseNotesTestCase(SynchronousTestCase):
    """A folder with demonstration logs in it, which are followed instead of the public ones."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="release-notes")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.state = self.folder / "state.json"

    @contextmanager
    def logs(self, example: str) -> Iterator[Demo]:
        """The logs, and config.yaml: the example, and who they are."""
        with demo_logs(self.folder, "--rate", "100", "--size", "300") as demo:
            self.write(example)
            yield demo

    def write(self, example: str) -> None:
        # JSON is YAML, but for the outermost braces beside the lines of the example.
        followed = json.loads((self.folder / "certstream.yaml").read_text())
        own = "".join(f"{key}: {json.dumps(value)}\n" for key, value in followed.items())
        new = self.folder / "config.yaml.new"
        new.write_text(own + example)
        new.rename(self.folder / "config.yaml")

    def ask(self, server: ServerProcess, path: str, token: str = "") -> tuple[int, HTTPMessage]:
        """Status and header of an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(server.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers

    def assert_values(self, environment: dict[str, str], expected: dict[str, object]) -> None:
        """They are in force, as the server itself tells."""
        done = run_to_end("--check-config", environment=environment, directory=str(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        told = [line.partition("#")[0].strip() for line in done.stdout.splitlines()]
        for path, value in expected.items():
            self.assertIn(f"{path}: {json.dumps(value)}", told)


class ConfigurationExampleTests(ReleaseNotesTestCase):
    """All sections of their example in one file."""

    def setUp(self) -> None:
        super().setUp()
        # Their variable over their file: there is no /data here, nor is each port free.
        self.environment = clean_environment(
            CERTSTREAM_CT_LOG_STATE_FILE=str(self.state),
            CERTSTREAM_CT_LOG_PARTIAL_TILE_WAIT_SECS="0",
            CERTSTREAM_LISTEN_TCP=LOCAL,
        )

    def test_values(self) -> None:
        """What the example says is what is in force."""
        # Whether its folder is there is looked at, too.
        text = all_examples().replace("/data/state.json", str(self.state))
        (self.folder / "config.yaml").write_text(text)
        everything: dict[str, object] = {}
        for _, expected in EXAMPLES.values():
            everything |= expected
        everything["ct_log.state_file"] = str(self.state)
        self.assert_values(clean_environment(), everything)

    def test_start(self) -> None:
        """Tokens are asked for on every wire, the burst is bounded, a change of the file comes in
        force by itself, and after a restart each log goes on where it was."""
        with self.logs(all_examples()) as demo:
            log = demo.process.process
            with self.server() as server:
                lines = int(server.wait_for(r"Listening on tcp://127\.0\.0\.1:(\d+)")[1])
                with self.assertRaises(InvalidStatus) as refused:
                    connect(server.ws + "/")
                self.assertEqual(refused.exception.response.status_code, 401)
                self.assertEqual(self.ask(server, "/sse")[0], 401)
                self.assertEqual(self.ask(server, "/sse", FIRST)[0], 200)
                message = line_of(lines, f"token {SECOND} d\n".encode())
                self.assertEqual(message["message_type"], "dns_entries")

                answers = [self.ask(server, "/latest.json", SECOND) for _ in range(40)]
                limited = [headers for status, headers in answers if status == 429]
                self.assertTrue(limited)
                self.assertTrue(limited[0]["Retry-After"].isdigit())
                self.write(all_examples().replace("per_second: 10", "per_second: 1000"))
                server.wait_for(r"rate_limit.per_second: 10 -> 1000")
                answers = [self.ask(server, "/latest.json", FIRST) for _ in range(10)]
                self.assertEqual({status for status, _ in answers}, {200})

                collected = self.collect(server, FIRST)
                log.send_signal(signal.SIGSTOP)
                server.stop()
                collected.join(10)
            first = {url: index for _, (url, index) in collected.got}
            saved = {
                each["url"]: each["position"]
                for each in json.loads(self.state.read_text())["logs"].values()
            }
            self.assertEqual(saved, {url: last + 1 for url, last in first.items()})
            with self.server() as server:
                collected = self.collect(server, SECOND, log)
                server.stop()
                collected.join(10)
            second: dict[str, int] = {}
            for _, (url, index) in collected.got:
                second.setdefault(url, index)
            self.assertEqual(second, saved)

    def server(self) -> ServerProcess:
        return ServerProcess(directory=str(self.folder), environment=self.environment)

    def collect(self, server: ServerProcess, token: str, stopped: Any = None) -> Collector:
        """A client, once it has got messages of both logs; a log that was stopped goes on."""
        collector = Collector(f"{server.ws}/?dedup=off&token={token}")
        collector.start()
        self.assertTrue(collector.connected.wait(10))
        if stopped is not None:
            stopped.send_signal(signal.SIGCONT)
        while len({url for _, (url, _) in collector.got}) < 2:
            collector.join(0.05)
            self.assertTrue(collector.is_alive(), server.output)
        return collector


class VariableTests(ReleaseNotesTestCase):
    """Their environment variables."""

    def environment(self, switch: str) -> dict[str, str]:
        """All of them."""
        self.port = free_port()
        return clean_environment(
            CERTSTREAM_CT_LOG_STATE_FILE=str(self.state),
            CERTSTREAM_WS_ENABLED=switch,
            CERTSTREAM_SSE_ENABLED=switch,
            CERTSTREAM_TCP_ENABLED=switch,
            CERTSTREAM_TCP_PORT=str(self.port),
        )

    def test_on(self) -> None:
        """The streams are there, that of lines on its port, and positions in the file."""
        environment = self.environment("true")
        expected = {path: value for _, path, value in VARIABLES.values()}
        expected |= {"ct_log.state_file": str(self.state), "protocols.tcp_port": self.port}
        self.assert_values(environment, expected)
        environment["CERTSTREAM_HOST"] = "127.0.0.1"
        with (
            self.logs(""),
            ServerProcess(
                "--port=0", listen=None, environment=environment, directory=str(self.folder)
            ) as server,
        ):
            with connect(server.ws + "/full-stream", max_size=None) as client:
                self.assertIn("message_type", json.loads(client.recv(20)))
            self.assertEqual(self.ask(server, "/sse?stream=domains")[0], 200)
            self.assertIn("as_der", line_of(self.port, b"f")["data"]["leaf_cert"])
            server.stop()
            self.assertEqual(len(json.loads(self.state.read_text())["logs"]), 2)

    def test_off(self) -> None:
        """No stream is there."""
        environment = self.environment("false")
        with ServerProcess("--demo", environment=environment) as server:
            with self.assertRaises(InvalidStatus) as refused:
                connect(server.ws + "/")
            self.assertEqual(refused.exception.response.status_code, 404)
            self.assertEqual(self.ask(server, "/sse")[0], 404)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port))
            self.assertEqual(self.ask(server, "/health")[0], 200)
