"""``kill -9`` at random moments while a client collects: nothing is missing afterwards."""

import os
import random
from contextlib import ExitStack

from benchmarks.processes import Running
from tests.integration.restarted import RestartedCase
from tests.soak.many_logs import log_process

KILLS = 20
FAULTY_KILLS = int(os.environ.get("KILLS", "50"))
FAULTS = (
    ("rfc6962", "none"),
    ("tiled", "none"),
    ("rfc6962", "short-pages"),
    ("rfc6962", "server-errors"),
    ("tiled", "server-errors"),
    ("tiled", "throttled"),
    ("rfc6962", "throttled-for"),
    ("rfc6962", "cut"),
    ("tiled", "wrong-length"),
    ("rfc6962", "malformed"),
    ("rfc6962", "ages"),
    ("tiled", "bad-signature"),
    ("rfc6962", "lost"),
    ("tiled", "lost"),
    ("tiled", "vanishing-tiles"),
    ("tiled", "replaced-tiles"),
)
"""what the logs do wrong: faults after which what is read is the tree"""
FAULTY_RATE = 15.0
"""entries a second of each of these logs"""


class KillTests(RestartedCase):
    """Logs without faults, as fast as can be."""

    def test_killed_at_random_moments(self) -> None:
        """The union of what was received has no hole, and repeats only what was not saved yet."""
        self.kill(KILLS, 2)

    def kill(self, kills: int, logs: int) -> None:
        """So many times; the logs are all there at the end, and whole."""
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        sessions = [self.session(6, kill=True)]
        sessions += [self.session(rng.uniform(0.3, 5), kill=True) for _ in range(kills - 1)]
        sessions += [self.session(12, kill=False)]
        received = self.received(sessions, seed)
        self.assertEqual(len(received.indexes), logs)
        self.check_complete(received, seed)
        total = sum(map(len, received.indexes.values()))
        self.assertGreater(total, kills * self.rate)
        missing = sum(map(len, self.gaps().values()))
        print(
            f"\n{kills} kills: {total} entries of {logs} logs, none lost, {missing} in gaps,"
            f" {sum(received.repeats.values())} repeated, at most"
            f" {max(received.repeats.values(), default=0)} after one kill"
        )


class FaultyKillTests(KillTests):
    """Logs of which most misbehave."""

    timeout = 1800
    rate = FAULTY_RATE

    def start_logs(self, stack: ExitStack) -> list[Running]:
        """One process with all of them."""
        logs = [{"name": f"{fault}-{kind}", "kind": kind, "fault": fault} for kind, fault in FAULTS]
        process = stack.enter_context(log_process(self.folder, "logs", logs, FAULTY_RATE, 300))

        def section(kind: str) -> list[dict[str, str]]:
            return [
                {key: log[key] for key in ("name", "url", "key")}
                for log in process.logs
                if log["kind"] == kind
            ]

        self.configure(
            ct_logs_url=None,
            custom_logs=section("rfc6962"),
            static_logs=section("tiled"),
            ct_log={
                "poll_interval_ms": 100,
                "partial_tile_wait_secs": 0,
                "request_timeout_secs": 3,
                "health_check_interval_secs": 2,
            },
        )
        return [process.process]

    def test_killed_at_random_moments(self) -> None:
        """The same, and what is missing at the end stands in the state file."""
        self.kill(FAULTY_KILLS, len(FAULTS))
