"""A log that stands still until a client is there, and server processes that follow it in turn."""

import json
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.processes import Running, folder, log_command, running
from tests.integration.server_process import BIN, ServerProcess

TWISTD = (str(BIN / "twistd"), "--nodaemon", "--pidfile=")
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


class Session(NamedTuple):
    """One server process: what its client got, and when it ended."""

    collector: Collector
    ended: float


class Received(NamedTuple):
    """What all clients got together."""

    indexes: dict[str, set[int]]
    """by the URL of the log"""
    repeats: Counter[int]
    """entries that had come before, by the number of the session"""


class RestartedCase(SynchronousTestCase):
    """The log is a process of its own; its messages are taken by a client of each session."""

    rate = 120.0
    """entries a second, both logs together"""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(folder())
        self.state_file = self.folder / "state" / "state.json"
        self.state_file.parent.mkdir()
        self.logs = self.start_logs(stack)
        self.addCleanup(self.go_on)

    def start_logs(self, stack: ExitStack) -> list[Running]:
        """The processes of the logs, and a configuration that follows them."""
        options = ("--rate", str(self.rate), "--size", "700")
        process = stack.enter_context(running(log_command(*options), self.folder, "logs"))
        url = process.wait_for(r"http://\S+/log_list\.json").group(0)
        with urllib.request.urlopen(url.replace(".json", "_pubkey.pem"), timeout=10) as key:
            (self.folder / "key.pem").write_bytes(key.read())
        self.configure(ct_logs_url=url, ct_log={"list_key": str(self.folder / "key.pem")})
        return [process]

    def configure(self, *, ct_log: dict[str, Any], **more: Any) -> None:
        """Write the configuration."""
        feed = {
            "state_file": str(self.state_file),
            "list_cache": None,
            "poll_interval_ms": 200,
            "partial_tile_wait_secs": 1,
        }
        (self.folder / "config.yaml").write_text(json.dumps({**more, "ct_log": feed | ct_log}))

    def stand_still(self) -> None:
        for log in self.logs:
            log.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        for log in self.logs:
            log.process.send_signal(signal.SIGCONT)

    def start(
        self, stack: ExitStack, launcher: Sequence[str] = ()
    ) -> tuple[ServerProcess, Collector]:
        """A server and a client of it, which misses nothing: until then the logs stand still."""
        self.stand_still()
        server = stack.enter_context(
            ServerProcess(directory=str(self.folder), launcher=(*launcher, *TWISTD))
        )
        return server, self.collect(server)

    def collect(self, server: ServerProcess) -> Collector:
        """A client of a server; once it is there the logs go on."""
        collector = Collector(server.ws + "/?dedup=off")
        collector.start()
        self.assertTrue(collector.connected.wait(20))
        self.go_on()
        return collector

    def end(self, server: ServerProcess, collector: Collector, *, kill: bool) -> Session:
        """End it; what came of it."""
        ended = time.monotonic()
        if kill:
            server.kill()
        else:
            server.stop()
        collector.join(10)
        self.assertNotIn("Traceback", server.output)
        return Session(collector, ended)

    def session(self, seconds: float, *, kill: bool) -> Session:
        """Run one server process for so long."""
        with ExitStack() as stack:
            server, collector = self.start(stack)
            time.sleep(seconds)
            return self.end(server, collector, kill=kill)

    def received(self, sessions: Sequence[Session], seed: int = 0, unsaved: float = 0) -> Received:
        """All that came; only what was not saved when a session ended may come again, in another.

        ``unsaved``: seconds more before that end in which nothing could be saved.
        """
        indexes: dict[str, set[int]] = {}
        last_seen: dict[Entry, tuple[int, float]] = {}
        repeats: Counter[int] = Counter()
        for number, session in enumerate(sessions):
            for when, entry in session.collector.got:
                if entry in last_seen:
                    before, at = last_seen[entry]
                    self.assertNotEqual(before, number, f"{entry} twice in one session")
                    late = sessions[before].ended - at
                    self.assertLess(late, STATE_INTERVAL + GRACE + unsaved, f"{entry}, seed {seed}")
                    repeats[number] += 1
                last_seen[entry] = (number, when)
                indexes.setdefault(entry[0], set()).add(entry[1])
        return Received(indexes, repeats)

    def gaps(self) -> dict[str, set[int]]:
        """What stands in the state file as missing, by the URL of the log."""
        saved = json.loads(self.state_file.read_text())["logs"].values()
        return {
            log["url"]: {
                index for gap in log.get("gaps", ()) for index in range(gap["start"], gap["end"])
            }
            for log in saved
        }

    def check_complete(self, received: Received, seed: int = 0) -> None:
        """Nothing is missing between the first index and the last, but what is said to be."""
        gaps = self.gaps()
        for url, indexes in received.indexes.items():
            every = indexes | gaps.get(url, set())
            missing = set(range(min(every), max(every) + 1)) - every
            self.assertEqual(missing, set(), f"{url}, seed {seed}")
