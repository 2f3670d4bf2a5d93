"""20,000 connection attempts from thousands of loopback addresses in 30 seconds.

Everything that connects and misbehaves: connections that say nothing, half a head, resets, refused
handshakes, rubbish, and streams beyond every limit. Meanwhile health and metrics answer, a client
that was there before gets its stream, and afterwards every place is free again.
"""

import asyncio
import contextlib
import json
import random
import resource
import socket
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import BIN, ServerProcess

ATTEMPTS = 20_000
SECONDS = 30
PLACES = 300
PLACES_EACH = 3
OPEN_FILES = 4096
"""of the server: few enough for the bound on waiting connections to be reached"""
ANSWER_SECONDS = 2.0
"""in which health and metrics must answer, while two processes share two cores"""
REQUEST_SECONDS = 30 + 15
"""after which the server closes a connection that does not go on"""

HEAD = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: %d\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SAYS = {
    "silent": b"",
    "half a head": HEAD % b"/" + b"Upgra",
    "websocket": HEAD % b"/" + UPGRADE % 13,
    "full websocket": HEAD % b"/full-stream" + UPGRADE % 13,
    "refused handshake": HEAD % b"/" + UPGRADE % 99,
    "events": HEAD % b"/sse?stream=lite" + b"\r\n",
    "document": HEAD % b"/stats" + b"\r\n",
    "lines": b"f",
    "rubbish": bytes(range(256)),
    "reset": HEAD % b"/" + UPGRADE % 13,
}


class Attack:
    """All the attempts."""

    def __init__(self, http: int, lines: int, rng: random.Random) -> None:
        self.http, self.lines, self.rng = http, lines, rng
        self.outcomes: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Begin every attempt in its time, and wait for the last to end."""
        begin = time.monotonic()
        for i in range(ATTEMPTS):
            due = begin + SECONDS * i / ATTEMPTS
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.attempt(self.rng.choice(list(SAYS))))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        self.seconds = time.monotonic() - begin
        for task in list(self.tasks):
            await task

    def source(self) -> str:
        """One in five attempts comes from one and the same address."""
        if self.rng.random() < 0.2:
            return "127.66.66.66"
        return f"127.{self.rng.randrange(1, 20)}.{self.rng.randrange(256)}.1"

    async def attempt(self, kind: str) -> None:
        """One connection, from its begin to its end."""
        port = self.lines if kind == "lines" else self.http
        patience = self.rng.uniform(0.1, 12)
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", port, local_addr=(self.source(), 0)), 10
            )
        except (OSError, TimeoutError):
            self.outcomes["not connected"] += 1
            return
        try:
            writer.write(SAYS[kind])
            first = await asyncio.wait_for(reader.read(64), patience)
            self.outcomes[f"{kind}: {first[9:12].decode('latin-1') if first else 'closed'}"] += 1
            async with asyncio.timeout(patience):
                while await reader.read(1 << 16):
                    pass
        except TimeoutError:
            self.outcomes[f"{kind}: left"] += 1
        except OSError:
            self.outcomes[f"{kind}: reset"] += 1
        if kind == "reset":
            peer = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


async def ask(port: int, path: bytes) -> tuple[float, str]:
    """Seconds until the answer was there, and the answer."""
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD % path + b"Connection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return time.monotonic() - begin, answer.decode()


async def metrics(port: int) -> tuple[float, dict[str, float]]:
    """All samples without labels."""
    seconds, text = await ask(port, b"/metrics")
    pairs = [line.split(" ") for line in text.splitlines() if line.startswith(("certs", "proc"))]
    return seconds, {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2}


class Watch:
    """What a monitor sees meanwhile, and a client that was there before."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.health: list[float] = []
        self.scrapes: list[float] = []
        self.most_places = 0.0
        self.received = 0
        self.longest_silence = 0.0
        self._last = time.monotonic()

    async def probe(self) -> None:
        """Health ten times a second, metrics once."""
        for i in range(1 << 30):
            seconds, answer = await asyncio.wait_for(ask(self.port, b"/health"), 10)
            assert answer.startswith("HTTP/1.1 200"), answer
            assert answer.endswith("OK"), answer
            self.health.append(seconds)
            if i % 10 == 0:
                seconds, samples = await asyncio.wait_for(metrics(self.port), 10)
                self.scrapes.append(seconds)
                self.most_places = max(self.most_places, samples["certstream_places_taken"])
            await asyncio.sleep(0.1)

    async def listen(self) -> None:
        """A WebSocket client from an address of its own."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=("127.0.0.77", 0)
        )
        writer.write(SAYS["websocket"])
        self._last = time.monotonic()
        while data := await reader.read(1 << 16):
            now = time.monotonic()
            self.longest_silence = max(self.longest_silence, now - self._last)
            self._last = now
            self.received += len(data)
        raise AssertionError("the client that was there before was dropped")


class LimitTests(SynchronousTestCase):
    """The server in a process of its own."""

    def setUp(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_flood(self) -> None:
        """Every place comes back, health and metrics answer throughout, nobody else is hurt."""
        seed = random.randrange(1 << 32)
        with tempfile.TemporaryDirectory() as folder:
            with socket.create_server(("127.0.0.1", 0)) as free:
                lines = free.getsockname()[1]
            config = {
                "protocols": {"sse": True, "tcp": True},
                "listen_tcp": [f"tcp:{lines}:interface=127.0.0.1"],
                "connection_limit": {
                    "enabled": True,
                    "max_connections": PLACES,
                    "per_ip_limit": PLACES_EACH,
                },
                "rate_limit": {"enabled": True, "per_second": 5, "burst_size": 10},
            }
            (Path(folder) / "config.yaml").write_text(json.dumps(config))
            limited = ("/bin/sh", "-c", f'ulimit -n {OPEN_FILES} && exec "$0" "$@"')
            with ServerProcess(
                "--demo",
                directory=folder,
                launcher=(*limited, str(BIN / "twistd"), "--nodaemon", "--pidfile="),
            ) as server:
                asyncio.run(self.flood(server.port, lines, seed))
            self.assertNotIn("Traceback", server.output)
            self.assertLess(len(server.output), 20_000, "a flood must not flood the log")

    async def flood(self, port: int, lines: int, seed: int) -> None:
        attack = Attack(port, lines, random.Random(seed))
        watch = Watch(port)
        _, before = await metrics(port)
        watching = [asyncio.create_task(watch.listen()), asyncio.create_task(watch.probe())]
        await asyncio.sleep(1)
        attacking = asyncio.create_task(attack.run())
        done, _ = await asyncio.wait(
            [attacking, *watching], return_when=asyncio.FIRST_COMPLETED, timeout=SECONDS * 4
        )
        for task in done:
            await task
        self.assertTrue(attacking.done(), "the attack took too long")
        print(f"\n{ATTEMPTS} attempts in {attack.seconds:.1f} s, seed {seed}")
        print(", ".join(f"{k} {n}" for k, n in sorted(attack.outcomes.items())))

        after = await self.all_free(port)
        for task in watching:
            task.cancel()
        rejected = {
            name.removeprefix("certstream_"): after[name] - before[name]
            for name in after
            if name.endswith("_rejected") or "waiting_dropped" in name
        }
        health = sorted(watch.health)
        print(
            f"{rejected}\nhealth {len(health)} times: median {health[len(health) // 2]:.3f} s,"
            f" longest {health[-1]:.3f} s; metrics {len(watch.scrapes)} times: longest"
            f" {max(watch.scrapes):.3f} s\nplaces: at most {watch.most_places:.0f} of {PLACES};"
            f" resident {before['process_resident_memory_bytes'] / 1e6:.0f} MB before,"
            f" {after['process_resident_memory_bytes'] / 1e6:.0f} MB after; open files"
            f" {before['process_open_fds']:.0f}, {after['process_open_fds']:.0f}\nthe client that"
            f" was there before got {watch.received} bytes, longest pause"
            f" {watch.longest_silence:.2f} s"
        )
        self.assertLess(attack.seconds, SECONDS * 1.5, "the attack was too slow to be one")
        self.assertLess(health[-1], ANSWER_SECONDS)
        self.assertLess(max(watch.scrapes), ANSWER_SECONDS)
        self.assertLessEqual(watch.most_places, PLACES)
        self.assertGreater(watch.most_places, PLACES * 0.9, "the limit was never reached")
        for name in ("connection_limit_rejected", "per_ip_limit_rejected", "rate_limit_rejected"):
            self.assertGreater(rejected[name], 0, name)
        self.assertGreater(rejected["connections_waiting_dropped_total"], 0)
        self.assertLess(watch.longest_silence, 11)
        self.assertLess(after["process_open_fds"], before["process_open_fds"] + 20)

    async def all_free(self, port: int) -> dict[str, float]:
        """Metrics, once only the client that was there before has a place, and nobody waits."""
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            _, samples = await metrics(port)
            places = samples["certstream_places_taken"]
            waiting = samples["certstream_connections_waiting"]
            # One that waits is whoever asks.
            if places == 1 and waiting <= 2:
                return samples
            if time.monotonic() > deadline:
                raise AssertionError(f"{places} places are taken, {waiting} connections wait")
            await asyncio.sleep(0.5)
