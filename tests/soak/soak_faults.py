"""Logs over real HTTP that misbehave, each in its own way, one in all of them, beside ones that do
not: nothing is lost, each is followed within seconds of its head, the others are not slowed.

Each fault of the list has a log of each kind that can have it (``tests.soak.faults``):

==================================  ==========================================================
short, aligned pages                short-pages, aligned-pages
429 with and without Retry-After    throttled-for, throttled (a quarter of the time)
5xx                                 server-errors (30 %), down (ten seconds of 502)
stalls before and within the body   no-answer, stalls (5 %)
cut bodies, wrong lengths           cut (20 %), wrong-length (30 %)
bad JSON, bad base64                bad-json, bad-base64, html (30 %)
extra entries, zero entries         extra-entries, zero-entries (30 %)
replicas of different ages          ages
bad signatures                      bad-signature (half of the heads)
a changed entry, a changed chain    changed-entry, changed-tile, changed-chain
rollback, fork                      rollback, fork
malformed DER, unknown leaf types   malformed, unknown-types (every 7th, all in the tree)
gzip bombs                          bombs
tiles that vanish, replaced ones    vanishing-tiles, replaced-tiles, lost (for ever)
connection refused                  refused (ten seconds)
all of them                         all (25 % of the answers)
==================================  ==========================================================

The same in memory, a fault at a time, each with its counters: ``tests/ingest/polling/
test_poller_faults.py``, ``test_lost_entries.py``, ``tests/ingest/trust/test_trust_faults.py``. A
log that is down for minutes is there (``test_down_for_long``), and so is a clock that jumps
(``tests/ingest/condition/test_outcomes.py``, ``tests/ingest/pacing/test_pace.py``).
"""

import json
import os
import time
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import folder
from tests.soak.faults import FAULTS, OUTAGE, RFC6962_ONLY, TILED_ONLY
from tests.soak.many_logs import Client, configuration, log_process, per_log, quantile, server

SECONDS = float(os.environ.get("FAULT_SECONDS", "40"))
RATE = float(os.environ.get("FAULT_RATE", "60"))
"""entries a second of each log; there are 50 of them"""
SIZE = 400
"""entries of each at the start"""
BEHIND = 5.0
"""seconds after the last entry was logged within which everything is there, of whatever log"""
ALL_BEHIND = 10.0
"""the same of the log that has all faults: two heads that hang take 6 s"""
WELL_BEHIND = 1.5
"""seconds that one without a fault may be behind at any time, beside all those with one: polls of
0.1 s on a machine that is full"""
REPEATS = ("fork", "all", "changed-tile", "changed-entry")
"""of these some entries may be read again, for they were in doubt"""
AGREES_NEVER = ("changed-entry", "changed-tile")
"""what was read of these cannot be the tree"""


def logs() -> list[dict[str, str]]:
    """A log for each fault and kind."""
    found = []
    for fault in FAULTS:
        for kind, others in (("rfc6962", TILED_ONLY), ("tiled", RFC6962_ONLY)):
            if fault not in others:
                found.append({"name": f"{fault}-{kind}", "kind": kind, "fault": fault})
    return found


class FaultTests(SynchronousTestCase):
    """One server, one client that takes every sighting, two processes of logs."""

    timeout = 900

    def test_each_fault_and_all(self) -> None:
        """Every index came, or stands in the gap list; nothing else came; the head was near."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        place = stack.enter_context(folder())
        every = logs()
        processes = [
            stack.enter_context(log_process(place, f"logs{n}", every[n::2], RATE, SIZE))
            for n in range(2)
        ]
        config = configuration(
            place,
            processes,
            {
                "poll_interval_ms": 100,
                "partial_tile_wait_secs": 0,
                "request_timeout_secs": 3,
                "health_check_interval_secs": 2,
                "start_overlap_leaves": SIZE,
            },
        )
        process, port = stack.enter_context(server(place, config))
        client = Client(port)
        client.start()
        self.assertTrue(client.connected.wait(20))
        began = time.time()
        self.held_up = 0.0
        while (now := time.time()) < began + SECONDS:
            time.sleep(0.1)
            # What other work on the machine keeps this process waiting, it does the server.
            self.held_up = max(self.held_up, time.time() - now - 0.1)
        stopped = time.time()
        truth: dict[str, Any] = {}
        for each in processes:
            truth |= each.ask("stop")
        time.sleep(ALL_BEHIND + 1)
        metrics = per_log(port)
        cores = process.cpu_seconds() / (time.time() - began)
        state = json.loads((place / "state.json").read_text())["logs"].values()
        gaps = {
            log["name"]: {
                index for gap in log.get("gaps", ()) for index in range(gap["start"], gap["end"])
            }
            for log in state
        }
        wrong: list[str] = []
        print(
            f"\n{len(every)} logs, {RATE:g} entries/s each, {stopped - began:.0f} s, {cores:.2f}"
            f" cores, {process.peak_mb():.0f} MB at most\n"
            f"{'log':26}{'entries':>8}{'gaps':>6}{'late':>6}{'twice':>6}{'p50 s':>7}{'max s':>7}"
            f"{'req/1000':>9}{'429s':>6}{'faults':>7}"
        )
        for log in every:
            wrong += self.judge(log, truth[log["name"]], client, metrics, gaps, began, stopped)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def judge(
        self,
        log: dict[str, str],
        truth: dict[str, Any],
        client: Client,
        metrics: dict[str, dict[str, float]],
        gaps: dict[str, set[int]],
        began: float,
        stopped: float,
    ) -> list[str]:
        """Print a line about a log; what is wrong with it."""
        name, fault, size = log["name"], log["fault"], truth["size"]
        got = client.logs.get(name)
        if got is None:
            return [f"{name}: nothing came"]
        numbers = metrics.get(name, {})
        missing = gaps.get(name, set())
        first = min({*got.counts, *missing})
        lost = set(range(first, size)) - set(got.counts) - missing
        twice = sum(count - 1 for count in got.counts.values())
        # What was there before this began is not late; nor is what an outage kept, until its end.
        calm = [
            age
            for came, age in got.ages
            if came - age > began + 3
            and not (fault in ("down", "refused") and came - age - began < OUTAGE[1] + BEHIND)
        ]
        print(
            f"{name:26}{len(got.counts):8}{len(missing):6}{got.late:6}{twice:6}"
            f"{quantile(calm, 0.5):7.2f}{max(calm, default=0):7.2f}"
            f"{truth['requests'] / size * 1000:9.0f}{truth['throttled']:6}{truth['faults']:7}"
        )
        wrong = []
        if lost:
            wrong.append(f"{name}: {len(lost)} entries are lost, {sorted(lost)[:5]}")
        if max(got.counts) >= size:
            wrong.append(f"{name}: entries that there are not came")
        if max({*got.counts, *missing}) < size - 1:
            wrong.append(f"{name}: {size - max(got.counts)} entries behind at the end")
        last = max(came for came, _ in got.ages) - stopped
        if last > (ALL_BEHIND if fault == "all" else BEHIND):
            wrong.append(f"{name}: at its head only {last:.1f} s after the end")
        if fault == "none" and max(calm, default=0) > WELL_BEHIND + 4 * self.held_up:
            wrong.append(f"{name}: {max(calm):.1f} s behind its head")
        if twice and fault not in REPEATS:
            wrong.append(f"{name}: {twice} entries came twice")
        if fault == "none" and truth["faults"] + len(missing) + got.late:
            wrong.append(f"{name}: slowed")
        return wrong + self.counted(fault, name, got, numbers)

    def counted(self, fault: str, name: str, got: Any, numbers: dict[str, float]) -> list[str]:
        """Whether the right counters moved."""

        def number(metric: str) -> float:
            return numbers.get(metric, 0.0)

        errors = "certstream_ct_log_errors_total"
        expected = {
            "throttled": number("certstream_ct_log_rate_limited_total"),
            "throttled-for": number("certstream_ct_log_rate_limited_total"),
            "server-errors": number(f"{errors}:server"),
            "down": number(f"{errors}:server"),
            "no-answer": number(f"{errors}:timeout"),
            "stalls": number(f"{errors}:timeout") + number(f"{errors}:stalled"),
            "cut": number(f"{errors}:cut"),
            "html": number(f"{errors}:bad_body"),
            "bombs": number(f"{errors}:too_large"),
            "refused": number(f"{errors}:connect"),
            "bad-signature": number("certstream_ct_log_bad_signatures_total"),
            "fork": number("certstream_ct_log_root_mismatches_total"),
            "changed-entry": number("certstream_ct_log_root_mismatches_total"),
            "changed-tile": number("certstream_ct_log_root_mismatches_total"),
            "changed-chain": got.parse_errors,
            "malformed": got.parse_errors,
            "unknown-types": got.parse_errors,
        }
        wrong = [] if expected.get(fault, 1) else [f"{name}: nothing was counted"]
        mismatches = number("certstream_ct_log_root_mismatches_total")
        if mismatches and fault not in (*AGREES_NEVER, "fork"):
            wrong.append(f"{name}: {mismatches:.0f} mismatches")
        return wrong
