"""500 clients, 100 reloads, good ones and bad ones, by rename, by swapped link and by SIGHUP."""

import asyncio
import json
import os
import random
import signal
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.asyncio.client import connect

from tests.integration.server_process import ServerProcess

CLIENTS = 500
RELOADS = 100
BAD_SHARE = 0.3
RATE = 4
"""entries a second: what is shown is that everybody stays, not how much they are sent"""


class Files:
    """The configuration's file, in the ways in which it is replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = 0

    def rename(self, text: str) -> None:
        """As editors do."""
        new = self.folder / "config.yaml.new"
        new.write_text(text)
        new.rename(self.folder / "config.yaml")

    def swap(self, text: str) -> None:
        """As Kubernetes does."""
        self.versions += 1
        version = self.folder / f"version{self.versions}"
        version.mkdir()
        (version / "config.yaml").write_text(text)
        self.link("..data", version.name)
        if not (self.folder / "config.yaml").is_symlink():
            self.link("config.yaml", "..data/config.yaml")

    def link(self, name: str, target: str) -> None:
        new = self.folder / f"{name}.new"
        new.symlink_to(target)
        new.rename(self.folder / name)


def good(number: int) -> str:
    """A configuration whose values belong together: header, token and limit carry its number."""
    values = {
        "hot_reload": {"enabled": True},
        "auth": {
            "enabled": True,
            "tokens": [f"token-{number}"],
            "header_name": f"X-Key-{number}",
        },
        "connection_limit": {
            "enabled": True,
            "max_connections": 10_000 + number,
            "per_ip_limit": None,
        },
        "rate_limit": {"enabled": True, "per_second": 1000 + number, "burst_size": 2000},
        "trusted_proxies": [f"192.0.2.{number % 250}"],
        "log_level": "info",
    }
    return json.dumps(values)


def bad(number: int, rng: random.Random) -> str:
    """The same with a mistake, or what is left of it."""
    whole = good(number)
    values: dict[str, Any] = json.loads(whole)
    match rng.randrange(5):
        case 0:
            return whole[: rng.randrange(1, len(whole))]
        case 1:
            values["rate_limit"]["per_second"] = "fast"
        case 2:
            del values["auth"]
        case 3:
            values["ratelimit"] = {}
        case 4:
            return ""
    return json.dumps(values)


class ReloadTests(SynchronousTestCase):
    """The server in a process of its own."""

    def test_reloads(self) -> None:
        """No client is dropped, and what is in force is always one configuration, whole."""
        seed = random.randrange(1 << 32)
        print(f"\nseed {seed}")
        self.rng = random.Random(seed)
        with tempfile.TemporaryDirectory() as name:
            self.files = Files(Path(name))
            self.files.swap(good(0))
            with ServerProcess("--demo", "--demo-rate", str(RATE), directory=name) as server:
                self.server = server
                asyncio.run(self.run_all())
                server.stop()
                self.assertNotIn("Traceback", server.output)
                self.assertNotIn("token-", server.output)

    async def run_all(self) -> None:
        self.received = [0] * CLIENTS
        clients = [asyncio.create_task(self.listen(i)) for i in range(CLIENTS)]
        while min(self.received) == 0:
            await asyncio.sleep(0.1)
        reloading = asyncio.create_task(asyncio.to_thread(self.reloads))
        done, _ = await asyncio.wait([reloading, *clients], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
        self.assertTrue(reloading.done(), "a client was dropped")
        before = list(self.received)
        await asyncio.sleep(3)
        self.assertTrue(all(now > then for now, then in zip(self.received, before, strict=True)))
        for task in clients:
            task.cancel()

    async def listen(self, number: int) -> None:
        """A client that came in with the first token, and stays."""
        headers = {"X-Key-0": "token-0"}
        async with connect(
            self.server.ws + "/domains-only", additional_headers=headers, max_size=None
        ) as client:
            async for _ in client:
                self.received[number] += 1

    # In a thread of its own

    def reloads(self) -> None:
        """All of them, one after the other."""
        in_force, applied, failed = 0, 0, 0
        begin = time.monotonic()
        for number in range(1, RELOADS + 1):
            ways: list[Callable[[str], None]] = [self.hang_up, self.files.rename, self.files.swap]
            way = ways[number % 3]
            wrong = self.rng.random() < BAD_SHARE
            way(bad(number, self.rng) if wrong else good(number))
            if wrong:
                failed += 1
                self.wait_for("certstream_config_reload_failures_total", failed, in_force, number)
            else:
                applied += 1
                self.wait_for("certstream_config_reloads", applied, in_force, number)
                in_force = number
            self.assert_in_force(in_force, number)
            # What it tells would fill the pipe, and then it would wait for somebody to read.
            self.server._read(0)
        print(
            f"{applied} reloads taken over, {failed} refused, in {time.monotonic() - begin:.0f} s;"
            f" {CLIENTS} clients stayed"
        )

    def hang_up(self, text: str) -> None:
        self.files.rename(text)
        os.kill(self.server.process.pid, signal.SIGHUP)

    def wait_for(self, metric: str, value: int, before: int, after: int) -> None:
        """Until it has been read; meanwhile it is one or the other, never a mixture."""
        deadline = time.monotonic() + 20
        while self.metric(metric) < value:
            self.assertLess(time.monotonic(), deadline, f"{metric} is not {value}")
            self.assertEqual(self.status(before, after), 401)
            self.assertEqual(self.status(after, before), 401)
            time.sleep(0.05)
        self.assertEqual(self.metric(metric), value)

    def assert_in_force(self, expected: int, last: int) -> None:
        self.assertEqual(self.status(expected, expected), 200)
        if last != expected:
            self.assertEqual(self.status(last, last), 401)
        self.assertEqual(self.status(expected, expected + 1), 401)
        self.assertEqual(self.status(expected + 1, expected), 401)

    def status(self, header: int, token: int) -> int:
        """Of a request with one configuration's header and another's token."""
        request = urllib.request.Request(
            self.server.url + "/stats", headers={f"X-Key-{header}": f"token-{token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(self.server.url + "/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split(" ")[1])
        raise AssertionError(name)
