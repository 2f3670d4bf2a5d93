"""Server-sent events and raw TCP, from a real server to clients as people have them."""

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import ServerProcess, clean_environment

TIMEOUT = 30
"""seconds for a client to get what it waits for"""
STOP_SECONDS = 4.0
"""for a server on a busy machine to say goodbye and be gone"""


class WireTests(SynchronousTestCase):
    """One server with every wire, following the demonstration logs."""

    def setUp(self) -> None:
        self.server = ServerProcess(
            "--demo",
            "--demo-rate",
            "50",
            environment=clean_environment(
                CERTSTREAM_SSE_ENABLED="true",
                CERTSTREAM_TCP_ENABLED="true",
                CERTSTREAM_LISTEN_TCP="tcp:0:interface=127.0.0.1",
            ),
        )
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        found = self.server.wait_for(r"Listening on tcp://127\.0\.0\.1:(\d+)")
        self.tcp_port = int(found[1])

    def test_events_and_lines(self) -> None:
        """Whole events with consecutive ids, whole lines to a client that closed its side; when the
        server stops both end behind a whole message, and it is gone in time."""
        site = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT)
        self.addCleanup(site.close)
        site.request("GET", "/sse?stream=domains", headers={"Accept": "text/event-stream"})
        events = site.getresponse()
        self.assertEqual(
            (events.status, events.getheader("Content-Type")), (200, "text/event-stream")
        )
        lines = socket.create_connection(("127.0.0.1", self.tcp_port), timeout=TIMEOUT)
        self.addCleanup(lines.close)
        lines.sendall(b"f")
        lines.shutdown(socket.SHUT_WR)
        received = lines.makefile("rb")
        self.addCleanup(received.close)

        self.assertEqual([events.readline() for _ in range(2)], [b"retry: 2000\n", b"\n"])
        some = b"".join(events.readline() for _ in range(3 * 20))
        full = [json.loads(received.readline()) for _ in range(20)]
        began = time.monotonic()
        self.server.process.send_signal(signal.SIGTERM)
        some += events.read()
        full += map(json.loads, received)
        # twistd ends by the signal that it was sent.
        self.assertEqual(self.server.process.wait(STOP_SECONDS), -signal.SIGTERM)
        self.assertLess(time.monotonic() - began, STOP_SECONDS)
        self.server.stop()

        *whole, rest = some.split(b"\n\n")
        self.assertEqual(rest, b"")
        found = [re.fullmatch(rb"id: \w+-(\d+)\ndata: (.+)", event) for event in whole]
        numbers = [int(event[1]) for event in found if event]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(whole))))
        documents: list[Any] = [json.loads(event[2]) for event in found if event]
        self.assertEqual({d["message_type"] for d in documents}, {"dns_entries"})
        self.assertEqual({m["message_type"] for m in full}, {"certificate_update"})
        self.assertTrue(all(m["data"]["leaf_cert"]["as_der"] for m in full))
        self.assertNotIn("Traceback", self.server.output)

    def test_curl(self) -> None:
        """``curl -N`` shows events as they come; ``curl -I`` ends."""
        curl = shutil.which("curl")
        if curl is None:
            raise SkipTest("curl is not installed")
        url = f"{self.server.url}/sse?stream=lite"
        shown = subprocess.run(
            [curl, "-sN", "--max-time", "1", url], capture_output=True, check=False
        )
        self.assertEqual(shown.returncode, 28, "it runs until its time is over")
        self.assertGreater(shown.stdout.count(b"\ndata: {"), 20)
        head = subprocess.run([curl, "-sI", url], capture_output=True, timeout=TIMEOUT, check=True)
        self.assertTrue(head.stdout.startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_event_source(self) -> None:
        """The EventSource that browsers have: messages with ids, and no errors."""
        node = shutil.which("node")
        flags = ["--experimental-eventsource"]
        probe = [*flags, "-e", "process.exit(typeof EventSource === 'function' ? 0 : 1)"]
        if node is None or subprocess.run([node, *probe], check=False).returncode:
            raise SkipTest("node with an EventSource is not installed")
        script = """
let count = 0;
const source = new EventSource(process.argv[1]);
source.onmessage = (event) => {
    console.log(event.lastEventId, JSON.parse(event.data).data.source.name);
    if (++count === 20) process.exit(0);
};
source.onerror = () => process.exit(2);
"""
        done = subprocess.run(
            [node, *flags, "-e", script, f"{self.server.url}/sse"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall(r"(?m)^\w+-\d+ .*demonstration", done.stdout)), 20)
