"""Sixty logs at once, 2,000 entries a second together, a hundred clients: each log is at its head.

``SOAK_SECONDS`` says how long (600). The lag of a log is measured at its entries: how old each was,
by the log's own time, when a client got it.
"""

import os
import time
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import folder, metric, result, wsload
from certstream_tx.ingest.polling.wanted import ASK_AGAIN
from tests.soak.many_logs import Client, configuration, log_process, per_log, quantile, server

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
RFC6962, TILED = 40, 20
RATE = 2000 / (RFC6962 + TILED)
PROCESSES = 2
CLIENTS = 100
POLL = 1.0
"""seconds, as it is by default; an interval varies by a fifth"""
PARTIAL_WAIT = 5.0
"""seconds: less than a tile takes to fill here (7.7 s), so that it is this that counts"""
SLACK = 1.0
"""seconds that growth in steps, requests, reading and clients take on a machine that is full"""
LOOK = 0.1
"""seconds between two looks at how busy the machine is"""
WARMUP = 10.0
MEMORY_MB = 150.0


class ManyLogsTests(SynchronousTestCase):
    """As many logs as there are, as fast as they are together."""

    timeout = SECONDS + 300

    def test_sixty_logs(self) -> None:
        """Lag within one poll, or within the wait for tiles; memory bounded; nothing missing."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        place = stack.enter_context(folder())
        every = [
            {"name": f"{kind}-{n}", "kind": kind, "fault": "none"}
            for kind, count in (("rfc6962", RFC6962), ("tiled", TILED))
            for n in range(count)
        ]
        processes = [
            stack.enter_context(log_process(place, f"logs{n}", every[n::PROCESSES], RATE, 300))
            for n in range(PROCESSES)
        ]
        feed = {"poll_interval_ms": int(POLL * 1000), "partial_tile_wait_secs": int(PARTIAL_WAIT)}
        config = configuration(place, processes, feed)
        process, port = stack.enter_context(server(place, config))
        # Their certificates are all different, so that what all others get is everything, too.
        client = Client(port, every=False)
        client.start()
        self.assertTrue(client.connected.wait(30))
        load = wsload("ws", port, "/", CLIENTS - 1, SECONDS, WARMUP)
        self.addCleanup(load.kill)
        began, cpu = time.time(), process.cpu_seconds()
        resident, held_up = [process.resident_mb()], 0.0
        while (now := time.time()) < began + WARMUP + SECONDS - 2:
            time.sleep(LOOK)
            # What other work on the machine keeps this process waiting, it does the server.
            held_up = max(held_up, time.time() - now - LOOK)
            if now - began > 10 * len(resident):
                resident.append(process.resident_mb())
        counted = result(load)
        ended = time.time()
        cores = (process.cpu_seconds() - cpu) / (ended - began)
        log_cores = [each.process.cpu_seconds() / (ended - began) for each in processes]
        numbers = per_log(port)
        lost = metric(port, "certstream_messages_dropped_total")
        truth: dict[str, Any] = {}
        for each in processes:
            truth |= each.ask("stop")
        time.sleep(PARTIAL_WAIT + POLL + 2 * SLACK)

        ages = {
            kind: [
                age
                for log in every
                if log["kind"] == kind
                for came, age in client.logs[log["name"]].ages
                if began + WARMUP < came <= ended
            ]
            for kind in ("rfc6962", "tiled")
        }
        requests = sum(log["certstream_ct_log_requests_total"] for log in numbers.values())
        throttled = sum(log["certstream_ct_log_rate_limited_total"] for log in numbers.values())
        entries = sum(len(log.counts) for log in client.logs.values())
        print(f"\n{len(every)} logs, {RATE * len(every):g} entries/s, {CLIENTS} clients,")
        print(f"{ended - began:.0f} s: {entries:,} entries of {len(client.logs)} logs,", end=" ")
        print(f"{requests / entries * 1000:.1f} requests per 1,000 entries, {throttled:.0f} 429s")
        for kind, found in ages.items():
            print(
                f"age at the client, {kind}: p50 {quantile(found, 0.5):.2f}, p99"
                f" {quantile(found, 0.99):.2f}, max {max(found):.2f} s"
            )
        print(f"this process was held up for {held_up:.2f} s at most; resident", end=" ")
        print("every 10 s:", *(f"{each:.0f}" for each in resident), "MB")
        print(
            f"server {cores:.2f} cores, peak {process.peak_mb():.0f} MB; logs"
            f" {sum(log_cores):.2f} cores; clients {counted['msgs_per_s']:,} messages/s,"
            f" {counted['MB_per_s']:.0f} MB/s, {counted['load_cpu']:.2f} cores, p99"
            f" {counted['lat_ms_p99']:.0f} ms, {lost:.0f} messages lost"
        )
        for log in every:
            got = client.logs[log["name"]].counts
            size = truth[log["name"]]["size"]
            self.assertEqual(set(range(min(got), size)) - set(got), set(), log["name"])
            self.assertEqual(max(got), size - 1)
            self.assertEqual(max(got.values()), 1)
            self.assertFalse(numbers[log["name"]]["certstream_ct_log_root_mismatches_total"])
            self.assertGreater(numbers[log["name"]]["certstream_ct_log_verified_size"], size * 0.8)
        self.assertLess(process.peak_mb(), MEMORY_MB)
        slack = SLACK + 2 * held_up
        self.assertLess(max(ages["rfc6962"]), POLL * 1.2 + slack)
        self.assertLess(max(ages["tiled"]), PARTIAL_WAIT + POLL * 1.2 + ASK_AGAIN + slack)
        self.assertLess(quantile(ages["rfc6962"], 0.99), POLL * 1.2 + SLACK / 2)
