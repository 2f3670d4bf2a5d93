"""Stopping a real server: quickly, politely, and with nothing lost, whatever its clients do."""

import signal
import socket
import time
from typing import Any

from benchmarks.processes import result
from tests.integration.followed_log import PATIENCE, WIRES, FollowedLogTestCase

GONE_SECONDS = 2.0
"""from the signal to the end of the process"""


class StoppingTests(FollowedLogTestCase):
    """With clients of which some do not read."""

    clients = 200
    stalled = 20
    configuration = WIRES
    took = 0.0

    def stop(self) -> float:
        """End the server as an operator would; returns how long that took."""
        begun = time.monotonic()
        self.server.process.terminate()
        while self.lets_in():
            self.assertLess(time.monotonic(), begun + GONE_SECONDS / 2, "lets in clients still")
        self.assertEqual(self.server.process.wait(PATIENCE), -signal.SIGTERM)
        self.took = time.monotonic() - begun
        return self.took

    def lets_in(self) -> bool:
        """Whether a new client is."""
        with socket.socket() as late:
            return late.connect_ex(("127.0.0.1", self.port)) == 0

    def check_stop(self, mode: str) -> dict[str, Any]:
        """Who reads gets everything that was read and a clean end; who does not is cut off after a
        second. The position saved is that behind the last message."""
        load = self.load(self.clients, 60, "--stalled", str(self.stalled), mode=mode)
        self.until(
            lambda: self.metric("certstream_clients_behind") >= self.stalled, "nobody stalls"
        )
        took = self.stop()
        counted = result(load)
        groups = counted["groups"]
        self.assertEqual(counted["failed"], 0)
        self.assertEqual(groups["readers"]["dropped"], self.clients - self.stalled)
        self.assertEqual(groups["stalled"]["dropped"], self.stalled)
        self.assertEqual(counted["cut"], self.stalled, "only who does not read is cut off")
        self.assertNotIn("Traceback", self.printed())
        self.assertNotIn("Not stopped within", self.printed())
        self.assertLess(took, GONE_SECONDS)
        self.assertEqual(self.saved(), counted["last_index"] + 1)
        return counted

    def test_websocket(self) -> None:
        """Readers are told why: close 1001."""
        counted = self.check_stop("ws")
        self.assertEqual(counted["closes"], {"1001": self.clients - self.stalled})

    def test_log_hangs(self) -> None:
        """A log that has stopped to answer does not hold it up either."""
        load = self.load(self.clients, 60)
        delivered = "certstream_messages_delivered_total"
        self.until(lambda: self.metric(delivered) > 500 * self.clients, "no messages")
        self.log.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(0.2)
            took = self.stop()
        finally:
            self.log.process.send_signal(signal.SIGCONT)
        counted = result(load)
        self.assertLess(took, GONE_SECONDS)
        self.assertEqual(self.saved(), counted["last_index"] + 1)
