"""Pollers with the real clients against logs that misbehave over HTTP, each in one way or in all.

Whatever the log does, every index arrives, once, and leads to the root that was signed; in order,
but for what failed so often that others passed it.
"""

import gzip
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from certstream_tx.ct.tiles import TILE_WIDTH
from certstream_tx.demo.log import Kind
from certstream_tx.ingest.poll_settings import PollSettings
from tests.demo.http import ask
from tests.ingest.fake_log import Follower, events
from tests.ingest.faults import GZIP, Answer, Cut, Fault, Stall, any_fault, damaged_head
from tests.ingest.fronted_log import Front, FrontedLog

SIZE = 1000


class _CutResource(Resource):
    isLeaf = True

    def __init__(self, cut: Cut) -> None:
        super().__init__()
        self.cut = cut

    def render_GET(self, request: Request) -> int:
        for name, value in self.cut.headers.items():
            request.setHeader(name, value)
        if self.cut.body is not None:
            request.write(self.cut.body)
        request.transport.loseConnection()
        return NOT_DONE_YET


class CuttingFront(Front):
    """A front that can also cut connections; ``fresh``: no cache was to answer the last one."""

    fresh = False

    def getChildWithDefault(self, path: bytes, request: Request) -> Resource:
        uri = request.uri.decode("ascii").removeprefix("/2026/")
        self.fresh = request.requestHeaders.hasHeader("cache-control")
        fault: Any = self.rule(uri)
        if isinstance(fault, Cut):
            self.asked.append(uri)
            return _CutResource(fault)
        self.next.append(fault)
        return super().getChildWithDefault(path, request)


def gzip_bomb() -> bytes:
    """200 MB of nothing in 200 KB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()


BOMB = gzip_bomb()


class FaultCase(SynchronousTestCase):
    """One log behind a front, followed by a poller; ``misbehave`` says how."""

    kind: Kind
    head: str
    entries: str

    def setUp(self) -> None:
        self.clock = Clock()
        self.rng = Random(7)
        self.follower: Follower | None = None
        self.make_log()

    def make_log(self, **resource: Any) -> None:
        """The log as it is without faults."""
        self.fronted = FrontedLog(self.kind, SIZE, self.clock, **resource)
        behind = self.fronted.front.behind
        self.front = CuttingFront(behind)
        self.fronted.agent._rootResource = self.front
        self.fronted.agent._serverFactory.resource = self.front
        self.log = self.fronted.log

    def honest(self, path: str) -> bytes:
        """What the log itself would answer now."""
        return ask(self, self.front.behind, path).body

    def damaged_head(self) -> bytes:
        """A head whose size is not the one that was signed."""
        return damaged_head(self.head, self.honest(self.head))

    def client(self) -> Any:
        """The client for this kind of log."""
        return self.fronted.rfc6962() if self.kind == "rfc6962" else self.fronted.static(2.0)

    def misbehave(
        self, fault: Callable[[str], Fault], *, share: float = 1.0, times: int | None = None
    ) -> None:
        """Answer with ``fault(path)`` this share of all requests, and so many times at most."""
        self.faults = 0

        def rule(path: str) -> Any:
            if (times is None or self.faults < times) and self.rng.random() < share:
                answer = fault(path)
                self.faults += answer is not None
                return answer
            return None

        self.front.rule = rule

    def on_entries(self, fault: Callable[[str], Fault]) -> Callable[[str], Fault]:
        """Only where entries are asked for."""
        return lambda path: fault(path) if path.startswith(self.entries) else None

    def on_head(self, fault: Callable[[str], Fault]) -> Callable[[str], Fault]:
        """Only where the head is asked for."""
        return lambda path: fault(path) if path == self.head else None

    def step(self, seconds: float) -> None:
        """Let time pass, and bytes."""
        follower = self.follower
        assert follower is not None
        for _ in range(round(seconds / 0.1)):
            follower.run(0.1)
            self.fronted.agent.flush()

    def read_all(
        self, within: float = 60.0, *, verified: bool = True, late: bool = False
    ) -> Follower:
        """Follow the log while it grows a little, to its end; the seconds it may take then.

        ``late``: some of it may come late, out of a gap.
        """
        settings = PollSettings(start_overlap_leaves=700)
        follower = self.follower = Follower(
            self.clock,
            self.client(),
            log=self.fronted.listed,
            stats=self.fronted.stats,
            settings=settings,
        )
        follower.poller.startService()
        for _ in range(4):
            self.step(2.5)
            self.log.add(33)
        began = self.clock.seconds()
        while follower.stats.position < self.log.tree.size:
            self.assertLess(self.clock.seconds() - began, within, follower.stats)
            self.step(0.5)
        while verified and follower.stats.verified_size < self.log.tree.size:
            self.assertLess(self.clock.seconds() - began, within + 15 + 600 * late, follower.stats)
            self.step(0.5)
        self.step(1)
        self.successResultOf(follower.poller.stopService())
        self.fronted.agent.flush()
        self.step(0.1)
        left = [call for call in self.clock.getDelayedCalls() if "Pace" not in str(call)]
        self.assertEqual(left, [])
        # The log may have grown before it showed its first head.
        start = follower.stats.started_at
        assert start is not None
        self.assertIn(start, range(SIZE - 700, SIZE - 700 + 4 * 33 + 1, 33))
        in_time = [message.index for message in follower.published if not message.late]
        self.assertEqual(in_time, sorted(in_time))
        indexes = sorted(follower.indexes) if late else follower.indexes
        self.assertEqual(indexes, list(range(start, SIZE + 4 * 33)))
        if verified:
            self.assertEqual(follower.stats.verified_size, SIZE + 4 * 33)
            self.assertEqual(follower.stats.root_mismatches, 0)
            self.assertEqual(follower.stats.parse_failures, 0)
        return follower


class BothKinds:
    """Faults that either kind of log may have."""

    def test_no_fault(self: Any) -> None:
        """Without any fault all goes well, at once, and without a failed request."""
        follower = self.read_all(5)
        self.assertEqual(follower.stats.errors, {})
        self.assertEqual(follower.stats.throttled, 0)

    def test_throttled(self: Any) -> None:
        """429 without Retry-After: slower, and no failure."""
        self.misbehave(lambda path: Answer(429, b"<html>slow down</html>"), share=0.3)
        follower = self.read_all(120)
        self.assertGreater(follower.stats.throttled, 3)
        self.assertEqual(follower.stats.errors, {})
        self.assertEqual(follower.stats.consecutive_failures, 0)

    def test_throttled_for_seconds(self: Any) -> None:
        """429 with the seconds to wait: nothing is asked before they have passed."""
        asked_at: list[float] = []
        throttled_at: list[float] = []

        def fault(path: str) -> Fault:
            asked_at.append(self.clock.seconds())
            if len(asked_at) % 7 == 0:
                throttled_at.append(self.clock.seconds())
                return Answer(429, b"", {b"Retry-After": b"5"})
            return None

        self.misbehave(fault)
        self.read_all(120)
        self.assertGreater(len(throttled_at), 1)
        for time in throttled_at:
            self.assertEqual([at for at in asked_at if time < at < time + 5], [])

    def test_throttled_until(self: Any) -> None:
        """429 with a date, its zone called GMT or UTC: nothing is asked before it."""
        until = [0.0]
        zones = ["GMT", "UTC", "GMT"]

        def fault(path: str) -> Fault:
            self.assertGreaterEqual(self.clock.seconds(), until[0])
            if not zones or self.rng.random() < 0.5:
                return None
            until[0] = float(int(self.clock.seconds()) + 8)
            date = datetime.fromtimestamp(until[0], UTC).strftime("%a, %d %b %Y %H:%M:%S ")
            return Answer(429, b"", {b"Retry-After": (date + zones.pop()).encode()})

        self.misbehave(fault)
        self.read_all(60)
        self.assertEqual(zones, [])

    def test_unavailable_with_retry_after(self: Any) -> None:
        """503 that says when to come back is pace too."""
        self.misbehave(lambda path: Answer(503, b"", {b"Retry-After": b"2"}), share=0.3)
        follower = self.read_all(180)
        self.assertEqual(follower.stats.consecutive_failures, 0)
        self.assertGreater(follower.stats.throttled, 0)

    def test_server_errors(self: Any) -> None:
        """A third of all answers are 5xx."""
        codes = (500, 502, 503, 504, 520)
        self.misbehave(lambda path: Answer(self.rng.choice(codes), b"<html>"), share=0.3)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["server"], 0)

    def test_stalled_bodies(self: Any) -> None:
        """Bodies that stop in the middle are given up in time, and their connections closed."""
        stalls: list[Stall] = []

        def fault(path: str) -> Fault:
            stalls.append(Stall(self.honest(path)[:100]))
            return stalls[-1]

        self.misbehave(fault, share=0.2)
        self.read_all(240)
        self.assertGreater(len(stalls), 0)
        self.assertTrue(all(stall.closed for stall in stalls))

    def test_no_answer(self: Any) -> None:
        """Requests that are never answered are given up in time."""
        stalls: list[Stall] = []

        def fault(path: str) -> Fault:
            stalls.append(Stall())
            return stalls[-1]

        self.misbehave(fault, share=0.2)
        follower = self.read_all(400)
        self.assertGreater(follower.stats.errors["timeout"], 0)
        self.assertTrue(all(stall.closed for stall in stalls))

    def test_connections_die(self: Any) -> None:
        """Connections end before, within and right after the head of an answer."""

        def fault(path: str) -> Fault:
            return self.rng.choice(
                (Cut(None), Cut(b""), Cut(self.honest(path)[:200]), Cut(self.honest(path), {}))
            )

        self.misbehave(fault, share=0.4)
        follower = self.read_all(120)
        self.assertGreater(follower.stats.errors["cut"], 0)

    def test_gzip_bombs(self: Any) -> None:
        """An answer that would unfold without end costs one request."""
        self.misbehave(lambda path: Answer(200, BOMB, GZIP), times=6)
        follower = self.read_all(120)
        self.assertGreater(follower.stats.errors["too_large"], 0)

    def test_broken_gzip(self: Any) -> None:
        """What is not the gzip it claims to be, or was cut, is asked for again."""

        def fault(path: str) -> Fault:
            body = self.honest(path)
            packed = gzip.compress(body)
            return Answer(200, self.rng.choice((body, packed[:-5], packed + b"x")), GZIP)

        self.misbehave(fault, share=0.3)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["bad_encoding"], 0)

    def test_pages_for_people(self: Any) -> None:
        """HTML with status 200, as gateways give it, is no answer."""
        page = b"<!DOCTYPE html><html><body>One moment, please</body></html>"
        self.misbehave(lambda path: Answer(200, page), share=0.3)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["bad_body"], 0)

    def test_cut_bodies(self: Any) -> None:
        """Bodies that were cut short, but whose length says so, are asked for again."""

        def fault(path: str) -> Fault:
            body = self.honest(path)
            return Answer(200, body[: self.rng.randrange(len(body))])

        self.misbehave(fault, share=0.3)
        self.read_all()

    def test_redirects(self: Any) -> None:
        """A redirect is not followed, and not the end."""
        target = {b"Location": b"https://elsewhere.example/"}
        self.misbehave(lambda path: Answer(302, b"", target), share=0.3)
        self.read_all()

    def test_older_heads(self: Any) -> None:
        """Replicas of different ages answer in turn: no rollback, and nothing is missing."""
        heads: list[bytes] = []

        def fault(path: str) -> Fault:
            heads.append(self.honest(path))
            return Answer(200, self.rng.choice(heads))

        self.misbehave(self.on_head(fault), share=0.8)
        follower = self.read_all()
        self.assertEqual(follower.stats.head_size, SIZE + 4 * 33)
        self.assertGreater(follower.stats.head_regressions, 0)

    def test_bad_signatures(self: Any) -> None:
        """Heads that the key did not sign move nothing."""
        self.misbehave(self.on_head(lambda path: Answer(200, self.damaged_head())), share=0.5)
        follower = self.read_all()
        self.assertGreater(follower.stats.bad_signatures, 0)

    def test_down_for_long(self: Any) -> None:
        """A log that is down for minutes is told so once, and read on within seconds of its end."""
        down_until = self.clock.seconds() + 300

        def fault(path: str) -> Fault:
            return Answer(502) if self.clock.seconds() < down_until else None

        self.misbehave(fault)
        with events() as told:
            self.read_all(down_until + 6 - self.clock.seconds())
        self.assertEqual(len([text for text in told if "cannot be read" in text]), 1, told)
        self.assertEqual(len([text for text in told if "can be read again" in text]), 1, told)
        self.assertLess(self.faults, 400)

    def test_all_at_once(self: Any) -> None:
        """Every fault there is, at random, in two answers of five."""

        def fault(path: str) -> Fault:
            if path == self.head and self.rng.random() < 0.3:
                return Answer(200, self.damaged_head())
            return any_fault(self.rng, self.honest(path), b"3")

        self.misbehave(fault, share=0.4)
        self.read_all(1200, late=True)


class RFC6962FaultTests(BothKinds, FaultCase):
    """Logs with get-sth and get-entries."""

    kind = "rfc6962"
    head = "ct/v1/get-sth"
    entries = "ct/v1/get-entries"

    def page(self, path: str, change: Callable[[list[Any]], object]) -> Answer:
        """The page that was asked for, changed."""
        page = json.loads(self.honest(path))
        change(page["entries"])
        return Answer(200, json.dumps(page).encode())

    def test_short_pages(self) -> None:
        """Pages of 17 entries, whatever was asked for."""
        self.make_log(max_entries=17, align=False)
        self.read_all()

    def test_single_entries(self) -> None:
        """Pages of one entry."""
        self.make_log(max_entries=1, align=False)
        self.read_all(300)

    def test_random_pages(self) -> None:
        """Pages of any number of entries."""

        def cut(entries: list[Any]) -> None:
            del entries[self.rng.randint(1, len(entries)) :]

        self.misbehave(self.on_entries(lambda path: self.page(path, cut)), share=0.8)
        self.read_all()

    def test_boundaries(self) -> None:
        """Pages that end on multiples of 32, or of 256."""
        for boundary in (32, 256):
            self.setUp()
            self.make_log(max_entries=boundary, align=True)
            self.read_all()

    def test_behind_the_head(self) -> None:
        """Replicas refuse what they do not have yet, in the words of two implementations."""
        words = (
            b"need tree size: %d to get leaves but only got: %d" % (SIZE, SIZE - 50),
            b"end is beyond the current tree size",
            b"",
        )

        def fault(path: str) -> Fault:
            end = int(parse_qs(urlsplit(path).query)["end"][0])
            near = end >= self.log.tree.size - 30
            return Answer(400, self.rng.choice(words)) if near else None

        self.misbehave(self.on_entries(fault), share=0.7)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["lagging"], 0)

    def test_pages_too_large(self) -> None:
        """A log that can only give small pages, and says so by failing, is asked for less."""

        def fault(path: str) -> Fault:
            query = parse_qs(urlsplit(path).query)
            many = int(query["end"][0]) - int(query["start"][0]) >= 64
            return Answer(413, b"larger than max") if many else None

        self.misbehave(self.on_entries(fault))
        self.read_all()

    def test_no_entries(self) -> None:
        """An empty page is not the end of the log."""
        empty = Answer(200, b'{"entries":[]}')
        self.misbehave(self.on_entries(lambda path: empty), share=0.4)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["bad_body"], 0)

    def test_more_entries_than_asked(self) -> None:
        """A page with more than was asked for is refused: nobody knows what it holds."""
        self.misbehave(
            self.on_entries(lambda path: self.page(path, lambda page: page.extend(page))), share=0.4
        )
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["bad_body"], 0)

    def test_bad_json(self) -> None:
        """Pages of other shapes are asked for again."""
        shapes = (
            b"{}",
            b"[]",
            b"null",
            b'{"entries":null}',
            b'{"entries":[{}]}',
            b"\xff",
            b"[" * 9,
        )
        self.misbehave(lambda path: Answer(200, self.rng.choice(shapes)), share=0.4)
        self.read_all()

    def test_bad_base64(self) -> None:
        """So are pages whose entries are no base64."""

        def spoil(entries: list[Any]) -> None:
            entries[-1]["leaf_input"] = "*" + entries[-1]["leaf_input"][1:]

        self.misbehave(self.on_entries(lambda path: self.page(path, spoil)), share=0.4)
        self.read_all()

    def test_changed_entry(self) -> None:
        """An entry that is not the one signed arrives, and is told of at the next head."""

        def change(path: str) -> Fault:
            start = int(parse_qs(urlsplit(path).query)["start"][0])

            def spoil(entries: list[Any]) -> None:
                if start <= 500 < start + len(entries):
                    leaf = bytearray(b64decode(entries[500 - start]["leaf_input"]))
                    leaf[100] ^= 1
                    entries[500 - start]["leaf_input"] = b64encode(leaf).decode()

            return self.page(path, spoil)

        self.misbehave(self.on_entries(change))
        with events("error") as told:
            follower = self.read_all(verified=False)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertEqual(len(told), 1)
        self.assertEqual(follower.stats.verified_size, 0)

    def test_malformed_entries(self) -> None:
        """Leaves that cannot be taken apart arrive as such, at their own index."""

        def spoil(entries: list[Any]) -> None:
            for entry in entries[::7]:
                leaf = b64decode(entry["leaf_input"])
                entry["leaf_input"] = b64encode(leaf[: self.rng.randrange(len(leaf))]).decode()

        self.misbehave(self.on_entries(lambda path: self.page(path, spoil)))
        follower = self.read_all(verified=False)
        self.assertGreaterEqual(follower.stats.parse_failures, 700 // 7)

    def test_no_proofs(self) -> None:
        """A log without proofs is read all the same, unverified, and says so."""
        self.misbehave(lambda path: Answer(404) if "proof" in path else None)
        with events("warn") as told:
            follower = self.read_all(verified=False)
        self.assertFalse(follower.poller.verified)
        self.assertTrue(any("unverified" in text for text in told), told)


class StaticFaultTests(BothKinds, FaultCase):
    """Logs with a checkpoint and tiles."""

    kind = "tiled"
    head = "checkpoint"
    entries = "tile/data/"

    def test_tiles_come_late(self) -> None:
        """A cache may not have the tiles that a checkpoint promises, for a while."""
        first_asked: dict[str, float] = {}

        def fault(path: str) -> Fault:
            since = first_asked.setdefault(path, self.clock.seconds())
            return Answer(404) if self.clock.seconds() < since + 4 else None

        self.misbehave(self.on_entries(fault))
        self.read_all()

    def test_partial_tiles_vanish(self) -> None:
        """Partial tiles are deleted once the full one exists, without notice."""

        def fault(path: str) -> Fault:
            if ".p/" not in path:
                return None
            _, level, n = path.split(".p/")[0].split("/")
            height = 1 if level == "data" else int(level) + 1
            full = (int(n) + 1) * TILE_WIDTH**height <= self.log.tree.size
            return Answer(404) if full else None

        self.misbehave(fault)
        self.read_all()
        self.assertGreater(self.log.tree.size // TILE_WIDTH, SIZE // TILE_WIDTH)

    def test_garbage_tiles(self) -> None:
        """Tiles with a changed length, bytes behind, or of another place."""

        def fault(path: str) -> Fault:
            body = self.honest(path)
            other = self.honest("tile/data/000")
            return Answer(200, self.rng.choice((body + b"\x00", body[1:], body + body, other)))

        self.misbehave(self.on_entries(fault), share=0.4)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["bad_body"], 0)

    def test_no_issuers(self) -> None:
        """Entries whose issuers cannot be had arrive without their chains."""
        self.misbehave(lambda path: Answer(404) if path.startswith("issuer") else None)
        follower = self.read_all()
        self.assertGreater(follower.stats.issuers_missing, 0)

    def test_gzip_without_a_word(self) -> None:
        """Tiles stored as gzip may come without their Content-Encoding."""
        self.misbehave(self.on_entries(lambda path: Answer(200, gzip.compress(self.honest(path)))))
        follower = self.read_all()
        self.assertEqual(follower.stats.errors, {})

    def test_bombs_without_a_word(self) -> None:
        """Such a tile may be a bomb, too."""
        self.misbehave(self.on_entries(lambda path: Answer(200, BOMB)), times=4)
        follower = self.read_all()
        self.assertGreater(follower.stats.errors["too_large"], 0)

    def test_no_hash_tiles(self) -> None:
        """A log without hash tiles is read all the same, unverified, and says so."""
        self.misbehave(lambda path: Answer(404) if path.startswith("tile/0/") else None)
        with events("warn") as told:
            follower = self.read_all(verified=False)
        self.assertFalse(follower.poller.verified)
        self.assertTrue(any("unverified" in text for text in told), told)
