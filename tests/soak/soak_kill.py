"""``kill -9`` at random moments while a client collects: nothing is missing afterwards."""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.integration.server_process import ServerProcess

KILLS = 20
RATE = 120
"""entries a second, both logs together"""
STATE_INTERVAL = 1.0
"""seconds between two writes of the state file"""
GRACE = 0.5
"""seconds a write, its fsync and a message's way to the client may take on a busy machine"""

Entry = tuple[str, int]
"""URL of the log, index"""


class Collector(Thread):
    """A client of one server process: notes what it gets and when, until the connection ends."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.connected = Event()
        self.got: list[tuple[float, Entry]] = []

    def run(self) -> None:
        with connect(self._url, max_size=None) as client:
            # The first frame is the heartbeat of a subscribed client.
            client.recv()
            self.connected.set()
            try:
                while True:
                    message = json.loads(client.recv())
                    if message["message_type"] == "certificate_update":
                        data = message["data"]
                        entry = (data["source"]["url"], data["cert_index"])
                        self.got.append((time.monotonic(), entry))
            except ConnectionClosed:
                pass


class KillTests(SynchronousTestCase):
    """The log is a process of its own, which stands still until the client is there again."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="soak-kill"))
        self.log = subprocess.Popen(
            [sys.executable, "-m", "certstream_tx.demo", "--rate", str(RATE), "--size", "700"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end_log)
        assert self.log.stdout is not None
        url = [self.log.stdout.readline() for _ in range(3)][-1].partition(": ")[2].strip()
        with urllib.request.urlopen(url.replace(".json", "_pubkey.pem"), timeout=10) as key:
            (self.folder / "key.pem").write_bytes(key.read())
        (self.folder / "config.yaml").write_text(
            json.dumps(
                {
                    "ct_logs_url": url,
                    "ct_log": {
                        "list_key": str(self.folder / "key.pem"),
                        "state_file": str(self.folder / "state.json"),
                        "poll_interval_ms": 200,
                        "partial_tile_wait_secs": 1,
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

    def session(self, seconds: float, end: str) -> tuple[Collector, float]:
        """Run one server process to its ``end``; what the client got, and when the end was."""
        self.log.send_signal(signal.SIGSTOP)
        with ServerProcess(directory=str(self.folder)) as server:
            collector = Collector(server.ws + "/")
            collector.start()
            self.assertTrue(collector.connected.wait(10))
            self.log.send_signal(signal.SIGCONT)
            time.sleep(seconds)
            ended = time.monotonic()
            if end == "kill":
                server.kill()
            else:
                server.stop()
            collector.join(10)
            self.assertNotIn("Traceback", server.output)
        return collector, ended

    def test_killed_at_random_moments(self) -> None:
        """The union of what was received has no hole, and repeats only what was not saved yet."""
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        sessions = [self.session(6, "kill")]
        sessions += [self.session(rng.uniform(0.3, 5), "kill") for _ in range(KILLS - 1)]
        sessions += [self.session(8, "stop")]

        received: dict[str, set[int]] = {}
        last_seen: dict[Entry, tuple[int, float]] = {}
        repeats: Counter[int] = Counter()
        for number, (collector, _) in enumerate(sessions):
            for when, entry in collector.got:
                if entry in last_seen:
                    before, at = last_seen[entry]
                    self.assertNotEqual(before, number, f"{entry} twice in one session")
                    unsaved = sessions[before][1] - at
                    self.assertLess(unsaved, STATE_INTERVAL + GRACE, f"{entry}, seed {seed}")
                    repeats[number] += 1
                last_seen[entry] = (number, when)
                received.setdefault(entry[0], set()).add(entry[1])

        self.assertEqual(len(received), 2)
        for url, indexes in received.items():
            first, last = min(indexes), max(indexes)
            missing = set(range(first, last + 1)) - indexes
            self.assertEqual(missing, set(), f"{url}, seed {seed}")
        total = sum(map(len, received.values()))
        self.assertGreater(total, 20 * RATE)
        print(
            f"\n{KILLS} kills: {total} entries of {len(received)} logs, none missing,"
            f" {sum(repeats.values())} repeated, at most {max(repeats.values())} after one kill"
        )
