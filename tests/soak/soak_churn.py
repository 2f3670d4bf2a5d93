"""10,000 clients a minute come and go in every way beside 500 that stay: nothing stays behind."""

import contextlib
import heapq
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import result
from tests.integration.followed_log import WIRES, FollowedLogTestCase

STEADY = 500
CHURN = 10_000 / 60
"""clients a second"""
WARMUP = 30.0
"""seconds in which caches and pools fill"""
SECONDS = 180.0
LONGEST = 2.0
"""seconds that a client stays"""
QUIET = 6.0
"""seconds after the last has left, in which what has a time limit of its own ends"""

HEAD = b"GET %s HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SAYS = (
    UPGRADE % b"/",
    UPGRADE % b"/full-stream",
    UPGRADE % b"/domains-only",
    HEAD % b"/sse" + b"\r\n",
    HEAD % b"/health" + b"\r\n",
    (UPGRADE % b"/")[:60],
    b"",
)
CLOSE_FRAME = b"\x88\x82\0\0\0\0\x03\xe8"

Counts = tuple[Counter[str], float, float]
"""objects by type, open files, resident MB"""


def end_politely(client: socket.socket) -> None:
    """A close frame, and what comes until the other side's end, for a moment."""
    client.settimeout(0.02)
    with contextlib.suppress(OSError):
        client.sendall(CLOSE_FRAME)
        for _ in range(10):
            if not client.recv(1 << 18):
                break


def end_by_reset(client: socket.socket) -> None:
    """As a client does that crashes."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end_half(client: socket.socket) -> None:
    """Close one side only, then all."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)


def end(client: socket.socket) -> None:
    """Just close."""


ENDS: tuple[Callable[[socket.socket], None], ...] = (end_politely, end_by_reset, end_half, end)


class ChurnTests(FollowedLogTestCase):
    """With a server that can be asked what is in it."""

    rate = 50.0
    configuration = WIRES
    server_program = (sys.executable, str(Path(__file__).parent / "counted_twistd.py"))

    def counts(self) -> Counts:
        """What is there now."""
        before = len(re.findall("^objects: ", self.printed(), re.M))
        os.kill(self.server.process.pid, signal.SIGUSR2)
        lines: list[str] = []

        def there() -> bool:
            lines[:] = re.findall("^objects: (.*)$", self.printed(), re.M)
            return len(lines) > before

        self.until(there, "it does not count")
        files = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        return Counter(json.loads(lines[-1])), files, self.server.resident_mb()

    def come_and_go(self, seconds: float) -> int:
        """Clients that come and go; returns how many."""
        dice = random.Random(5)
        begun = time.monotonic()
        came = 0
        here: list[tuple[float, int, socket.socket]] = []
        while (now := time.monotonic()) < begun + seconds or here:
            if now < begun + seconds and came < (now - begun) * CHURN:
                line = dice.random() < 0.15
                port = self.lines_port if line else self.port
                client = socket.create_connection(("127.0.0.1", port), 5)
                client.sendall(dice.choice((b"f", b"d", b"")) if line else dice.choice(SAYS))
                came += 1
                heapq.heappush(here, (now + dice.uniform(0, LONGEST), came, client))
            elif here and here[0][0] <= now:
                _, _, client = heapq.heappop(here)
                dice.choice(ENDS)(client)
                client.close()
            else:
                time.sleep(0.001)
        return came

    def test_nothing_is_left(self) -> None:
        """Objects, open files and memory are what they were; who stayed received everything."""
        steady = self.load(STEADY, WARMUP + SECONDS + 4 * QUIET)
        self.until(lambda: self.metric("certstream_ws_connections_total") == STEADY, "not open")
        self.come_and_go(WARMUP)
        time.sleep(QUIET)
        objects, files, memory = self.counts()
        came = self.come_and_go(SECONDS)
        time.sleep(QUIET)
        objects_after, files_after, memory_after = self.counts()
        self.assertEqual(self.metric("certstream_ws_connections_total"), STEADY)
        counted = result(steady)
        more = objects_after - objects
        print(
            f"\n{came} clients: objects {objects.total()} -> {objects_after.total()}"
            f" ({more.most_common(3)}), open files {files:.0f} -> {files_after:.0f},"
            f" {memory:.1f} -> {memory_after:.1f} MB; of {STEADY} that stayed each got"
            f" {counted['client_msgs_min']} to {counted['client_msgs_max']} messages,"
            f" p50 {counted['lat_ms_p50']:.1f} ms, p99 {counted['lat_ms_p99']:.1f} ms"
        )
        self.assertGreater(came, SECONDS * CHURN * 0.99)
        self.assertEqual((counted["dropped"], counted["failed"]), (0, 0))
        self.assertEqual(counted["share"], 1.0)
        # What caches of certificates hold varies by more than a few clients would leave behind,
        # so it is types of connections that are counted to the last one.
        for name, count in more.items():
            if name.startswith(("certstream_tx.serve", "certstream_tx.hub.sub", "autobahn")):
                self.assertLess(count, 10, name)
            self.assertLess(count, came / 50, name)
        self.assertLessEqual(abs(files_after - files), 3)
        self.assertLess(memory_after - memory, 5)
        self.assertNotIn("Traceback", self.printed())
