"""Logs that record the same certificates, followed by a whole server: who gets which sighting."""

import json
import time
from collections import defaultdict
from contextlib import ExitStack
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.sync.client import connect

from benchmarks.processes import folder, metric
from tests.soak.many_logs import configuration, log_process, server

SIZE = 700
"""certificates, the same in each log"""
LOGS = ({"name": "pages", "kind": "rfc6962"}, {"name": "tiles", "kind": "tiled"})
PATIENCE = 30.0


class Sightings(Thread):
    """What one client gets."""

    def __init__(self, url: str, wanted: int) -> None:
        super().__init__(daemon=True)
        self._client = connect(url, max_size=None)
        self._client.recv()  # a heartbeat: it is subscribed
        self._wanted = wanted
        self.logs: defaultdict[str, list[str]] = defaultdict(list)
        """names of the logs, by certificate"""

    def run(self) -> None:
        count, deadline = 0, time.monotonic() + PATIENCE
        with self._client as client:
            # Once all that is wanted came, for a second what should not.
            while time.monotonic() < deadline:
                try:
                    message: Any = json.loads(client.recv(1.0))
                except TimeoutError:
                    if count >= self._wanted:
                        return
                    continue
                if message["message_type"] == "certificate_update":
                    data = message["data"]
                    self.logs[data["leaf_cert"]["sha256"]].append(data["source"]["name"])
                    count += 1


class DedupTests(SynchronousTestCase):
    """An RFC 6962 log and a static one."""

    def test_two_logs_with_the_same_certificates(self) -> None:
        """Each certificate once as a rule, from each log with ``?dedup=off``; what is left out is
        counted, and all of it is verified."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        place = stack.enter_context(folder())
        logs = [{**each, "fault": "none", "entries": "the same"} for each in LOGS]
        process = stack.enter_context(log_process(place, "logs", logs, 0.0, 0))
        feed = {"poll_interval_ms": 50, "partial_tile_wait_secs": 0, "start_overlap_leaves": SIZE}
        _, port = stack.enter_context(server(place, configuration(place, [process], feed)))
        address = f"ws://127.0.0.1:{port}/"
        clients = [Sightings(address, SIZE), Sightings(f"{address}?dedup=off", 2 * SIZE)]
        for client in clients:
            client.start()
        process.ask(f"grow/{SIZE}")
        for client in clients:
            client.join(PATIENCE + 5)
        once, every = (client.logs for client in clients)
        self.assertEqual({len(logs) for logs in once.values()}, {1})
        self.assertEqual(len(once), SIZE)
        self.assertEqual({tuple(sorted(logs)) for logs in every.values()}, {("pages", "tiles")})
        self.assertEqual(every.keys(), once.keys())
        self.assertEqual(metric(port, "certstream_duplicates_filtered"), SIZE)
        self.assertEqual(metric(port, "certstream_dedup_cache_size"), SIZE)
        self.assertEqual(metric(port, "certstream_ct_log_verified_size"), 2 * SIZE)
