"""Clients people use, unmodified, against a real server that follows the demonstration logs."""

import asyncio
import json
import shutil
import subprocess
import sys
import urllib.request
from typing import Any
from unittest import SkipTest

import websockets
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import BIN, ServerProcess

NODE = shutil.which("node")
NODE_MODULES = BIN.parent / "node" / "node_modules"
TIMEOUT = 30
"""seconds for a client to get what it waits for"""


class ClientTests(SynchronousTestCase):
    """Each with a server of its own: trial knows no fixture of a class."""

    def setUp(self) -> None:
        self.server = ServerProcess("--demo", "--demo-rate", "50")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    def run_client(self, *command: str) -> str:
        """What a client printed until it ended by itself."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_python_library(self) -> None:
        """The PyPI client's ``listen_for_events`` calls back with certificates."""
        script = """
import sys, certstream
count = 0
def print_callback(message, context):
    global count
    assert message["message_type"] == "certificate_update", message
    data = message["data"]
    print(data["source"]["name"], data["leaf_cert"]["subject"]["CN"],
          data["leaf_cert"]["all_domains"][:1], flush=True)
    count += 1
    if count == 20:
        import os; os._exit(0)
certstream.listen_for_events(print_callback, url=sys.argv[1])
"""
        printed = self.run_client(sys.executable, "-c", script, self.server.ws + "/")
        self.assertEqual(printed.count("demonstration"), 20, printed)

    def test_python_command_line(self) -> None:
        """Its command line, as the README shows it, prints one line a certificate."""
        process = subprocess.Popen(
            [str(BIN / "certstream"), "--url", self.server.ws + "/"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin"},
        )
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(12)]
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        certificates = [line for line in lines if "http://127.0.0.1" in line]
        self.assertGreaterEqual(len(certificates), 5, "".join(lines))

    def collect(self, path: str, count: int) -> list[dict[str, Any]]:
        """The first messages that are no heartbeats, each a text frame of its own."""

        async def receive() -> list[dict[str, Any]]:
            got: list[dict[str, Any]] = []
            async with websockets.connect(self.server.ws + path, max_size=None) as client:
                while len(got) < count:
                    frame = await asyncio.wait_for(client.recv(), TIMEOUT)
                    self.assertIsInstance(frame, str)
                    message = json.loads(frame)
                    if message["message_type"] != "heartbeat":
                        got.append(message)
            return got

        return asyncio.run(receive())

    def test_lite_stream(self) -> None:
        """A plain client on ``/`` gets certificates without chain and DER."""
        for message in self.collect("/", 20):
            self.assertEqual(message["message_type"], "certificate_update")
            self.assertNotIn("chain", message["data"])
            self.assertNotIn("as_der", message["data"]["leaf_cert"])

    def test_full_stream(self) -> None:
        """On ``/full-stream`` both are there, from both kinds of log."""
        messages = self.collect("/full-stream", 600)
        for message in messages:
            self.assertIsInstance(message["data"]["chain"], list)
            self.assertTrue(message["data"]["leaf_cert"]["as_der"])
        self.assertEqual({m["data"]["source"]["type"] for m in messages}, {"rfc6962", "tiled"})
        self.assertTrue(all("demonstration" in m["data"]["source"]["name"] for m in messages))

    def test_domains_only_stream(self) -> None:
        """On ``/domains-only`` the data is a bare array of names; a trailing slash is the same."""
        for message in self.collect("/domains-only/", 20):
            self.assertEqual(message["message_type"], "dns_entries")
            self.assertTrue(message["data"])
            self.assertTrue(all(isinstance(name, str) for name in message["data"]))

    def test_no_two_messages_are_equal(self) -> None:
        """Every demonstration entry is a certificate of its own."""
        messages = self.collect("/", 100)
        seen = {m["data"]["leaf_cert"]["sha256"] for m in messages}
        self.assertEqual(len(seen), 100)

    def test_example(self) -> None:
        """``curl``'s first stop: a real message of each stream."""
        self.collect("/", 1)
        for path in ("/example.json", "/full-stream/example.json", "/domains-only/example.json"):
            with urllib.request.urlopen(self.server.url + path, timeout=TIMEOUT) as answer:
                self.assertIn("message_type", json.load(answer))

    def test_javascript_library(self) -> None:
        """The npm client, in node."""
        if NODE is None or not (NODE_MODULES / "certstream").is_dir():
            raise SkipTest("node with the npm package certstream is not installed")
        script = """
const CertStreamClient = require(process.argv[1] + '/certstream');
let count = 0;
const client = new CertStreamClient((message) => {
    if (message.message_type !== 'certificate_update') throw new Error(message.message_type);
    console.log(message.data.source.name, message.data.leaf_cert.all_domains[0]);
    if (++count === 20) process.exit(0);
}, true);
client.connect(process.argv[2]);
"""
        printed = self.run_client(NODE, "-e", script, str(NODE_MODULES), self.server.ws + "/")
        self.assertEqual(printed.count("demonstration"), 20, printed)

    def test_javascript_websocket(self) -> None:
        """The WebSocket that browsers have: text frames arrive as strings."""
        if NODE is None:
            raise SkipTest("node is not installed")
        script = """
let count = 0;
const socket = new WebSocket(process.argv[1]);
socket.onmessage = (event) => {
    if (typeof event.data !== 'string') throw new Error('not text');
    const message = JSON.parse(event.data);
    if (message.message_type === 'heartbeat') return;
    console.log(message.data.source.name);
    if (++count === 20) process.exit(0);
};
socket.onerror = () => process.exit(2);
"""
        flags = self.browser_flags(NODE)
        printed = self.run_client(NODE, *flags, "-e", script, self.server.ws + "/")
        self.assertEqual(printed.count("demonstration"), 20, printed)

    def browser_flags(self, node: str) -> list[str]:
        """What makes this node offer a browser's WebSocket; skips where it has none."""
        for flags in ([], ["--experimental-websocket"]):
            probe = subprocess.run(
                [node, *flags, "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"],
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
            if probe.returncode == 0:
                return flags
        raise SkipTest("this node has no WebSocket of its own")
