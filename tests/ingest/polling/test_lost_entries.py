"""Logs over HTTP that keep some of their entries to themselves: nothing stops, nothing is lost."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from certstream_tx.ct.tiles import TILE_WIDTH
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.gap_filling import AGAIN
from certstream_tx.ingest.polling.ranges import GIVE_UP_SECONDS
from tests.ingest.fake_log import Follower, events
from tests.ingest.faults import Answer, Stall
from tests.ingest.polling.test_poller_faults import SIZE, Fault, FaultCase

START = SIZE - 700


def asks_for(path: str, index: int) -> bool:
    """Whether a request is for a page in which this entry would be."""
    if not path.startswith("ct/v1/get-entries"):
        return False
    query = parse_qs(urlsplit(path).query)
    return int(query["start"][0]) <= index <= int(query["end"][0])


class LostCase(FaultCase):
    """One log of which a part cannot be read."""

    def follow(self, **settings: Any) -> Follower:
        """Begin to follow the log."""
        follower = self.follower = Follower(
            self.clock,
            self.client(),
            log=self.fronted.listed,
            stats=self.fronted.stats,
            settings=PollSettings(start_overlap_leaves=700, **settings),
        )
        follower.poller.startService()
        self.addCleanup(self.end)
        return follower

    def end(self) -> None:
        """Stop it; nothing may be left on the clock."""
        assert self.follower is not None
        self.successResultOf(self.follower.poller.stopService())
        self.fronted.agent.flush()
        self.step(0.1)
        left = [call for call in self.clock.getDelayedCalls() if "Pace" not in str(call)]
        self.assertEqual(left, [])

    def until(self, follower: Follower, position: int, within: float) -> float:
        """Let time pass until the position is there; how long that took."""
        began = self.clock.seconds()
        while follower.stats.position < position:
            self.assertLess(self.clock.seconds() - began, within, follower.stats)
            self.step(0.5)
        return self.clock.seconds() - began

    def check(self, follower: Follower) -> list[tuple[int, int]]:
        """Every index was published or is listed, none is both; gives the gaps."""
        saved = follower.poller.snapshot()
        assert saved is not None
        gaps = [(gap.start, gap.end) for gap in saved.gaps if gap.start < gap.end]
        missing = [index for gap in gaps for index in range(*gap)]
        self.assertEqual(
            sorted(follower.indexes + missing), list(range(START, follower.stats.position))
        )
        in_time = [message.index for message in follower.published if not message.late]
        self.assertEqual(in_time, sorted(in_time))
        self.assertEqual(follower.stats.gap_entries, len(missing))
        self.assertEqual(follower.stats.root_mismatches, 0)
        return gaps

    def shaky(self, lost: Callable[[str], bool]) -> None:
        """Three answers in ten are faults of every kind, and some never come right."""

        def fault(path: str) -> Fault:
            if lost(path):
                return Answer(404)
            body = self.honest(path)
            faults = (
                Answer(self.rng.choice((400, 403, 404, 500, 502, 503))),
                Answer(429),
                Answer(429, b"", {b"Retry-After": b"2"}),
                Answer(200, body[:-1]),
                Answer(200, b"<html>"),
                Stall(body[:50]),
            )
            return self.rng.choice(faults) if self.rng.random() < 0.3 else None

        self.misbehave(fault)

    def check_filled(self, follower: Follower) -> None:
        """Once the fault ends, everything is there, and proven to the head."""
        self.front.rule = lambda path: None
        self.log.add(33)
        began = self.clock.seconds()
        while self.check(follower):
            self.assertLess(self.clock.seconds() - began, AGAIN[1] * 1.2, follower.stats)
            self.step(10)
        self.step(20)
        self.assertEqual(follower.stats.verified_size, self.log.tree.size)
        self.assertGreater(follower.stats.late_entries, 0)


class LostPageTests(LostCase):
    """Pages of an RFC 6962 log."""

    kind = "rfc6962"
    head = "ct/v1/get-sth"
    entries = "ct/v1/get-entries"

    def covers(self, path: str, *indexes: int) -> bool:
        """Whether a request asks for one of these entries."""
        return any(asks_for(path, index) for index in indexes)

    def test_poison_entry(self) -> None:
        """Whatever a log answers for one entry, the others of its page are read in time."""
        answers = (
            Answer(400, b"bad entry"),
            Answer(404),
            Answer(500, b"internal"),
            Answer(200, b"<html>moved</html>"),
            Answer(200, b'{"entries":[{"leaf_input":"%%%","extra_data":""}]}'),
            Answer(200, b""),
        )
        for answer in answers:
            self.setUp()
            self.misbehave(lambda path, a=answer: a if self.covers(path, 600) else None)
            follower = self.follow()
            with events("warn") as told:
                took = self.until(follower, SIZE, 60)
            self.assertTrue(GIVE_UP_SECONDS <= took < GIVE_UP_SECONDS + 20, took)
            self.assertEqual(self.check(follower), [(600, 601)], answer)
            self.assertEqual(len([text for text in told if "cannot be read (" in text]), 1, told)
            self.assertGreater(sum(follower.stats.errors.values()), 10)
            self.assertLess(len(self.front.asked), 120)
            self.check_filled(follower)
            self.end()
        self.doCleanups()

    def test_stalls(self) -> None:
        """An entry whose answer never comes is given up too, though each try takes its time."""
        self.misbehave(lambda path: Stall() if self.covers(path, 600) else None)
        follower = self.follow()
        self.until(follower, SIZE, 900)
        (gap,) = self.check(follower)
        self.assertTrue(gap[0] <= 600 < gap[1] <= gap[0] + 256, gap)
        self.assertGreater(follower.stats.errors["timeout"], 4)
        self.check_filled(follower)

    def test_among_other_faults(self) -> None:
        """An entry that never comes right is found among answers of which many are faults."""
        self.shaky(lambda path: self.covers(path, 600))
        follower = self.follow()
        self.until(follower, SIZE, 600)
        gaps = self.check(follower)
        self.assertTrue(any(start <= 600 < end for start, end in gaps), gaps)
        self.assertLess(follower.stats.gap_entries, 300)
        self.check_filled(follower)

    def test_growing_log(self) -> None:
        """While an entry stays away the log grows on, and its head is followed."""
        self.misbehave(lambda path: Answer(404) if self.covers(path, 600, 1010) else None)
        follower = self.follow()
        for _ in range(60):
            self.log.add(5)
            self.step(1)
        self.step(5)
        self.assertEqual(follower.stats.position, self.log.tree.size)
        self.assertEqual(self.check(follower), [(600, 601), (1010, 1011)])
        self.assertLessEqual(follower.stats.verified_size, 600)
        self.check_filled(follower)


class LostTileTests(LostCase):
    """Tiles of a static log."""

    kind = "tiled"
    head = "checkpoint"
    entries = "tile/data/"
    partial_wait = 2.0

    def client(self) -> Any:
        """A client that takes partial tiles after so long."""
        return self.fronted.static(self.partial_wait)

    def test_tile_stays_away(self) -> None:
        """A tile that is lost, refused, garbage or of another place is a gap as a whole."""
        for answer in (
            Answer(404),
            Answer(410),
            Answer(403, b"forbidden"),
            Answer(200, b"<html>moved</html>"),
            Answer(200, self.honest("tile/data/002")[:-3]),
            Answer(200, self.honest("tile/data/001")),
        ):
            self.setUp()
            self.misbehave(lambda path, a=answer: a if path.startswith("tile/data/002") else None)
            follower = self.follow()
            for _ in range(60):
                self.log.add(10)
                self.step(1)
            self.step(25)
            self.assertEqual(self.check(follower), [(2 * TILE_WIDTH, 3 * TILE_WIDTH)], answer)
            self.assertGreaterEqual(follower.stats.position, 6 * TILE_WIDTH)
            self.assertLess(sum("tile/data/" in path for path in self.front.asked), 70)
            self.check_filled(follower)
            self.end()
        self.doCleanups()

    def test_among_other_faults(self) -> None:
        """A tile that is lost for good is found among answers of which many are faults."""
        self.shaky(lambda path: path.startswith("tile/data/002"))
        follower = self.follow()
        for _ in range(30):
            self.log.add(10)
            self.step(1)
        self.until(follower, SIZE + 300, 600)
        self.assertEqual(self.check(follower), [(2 * TILE_WIDTH, 3 * TILE_WIDTH)])
        self.check_filled(follower)

    def test_newest_tile_is_lost(self) -> None:
        """A tile lost at the log's head keeps nobody waiting until something follows it."""
        self.misbehave(lambda path: Answer(404) if path.startswith("tile/data/003") else None)
        follower = self.follow(health_check_interval=10.0)
        self.step(60)
        self.assertEqual(follower.stats.position, 3 * TILE_WIDTH)
        self.assertEqual(self.check(follower), [])
        self.log.add(40)
        self.until(follower, SIZE + 40, 240)
        self.assertEqual(self.check(follower), [(3 * TILE_WIDTH, 4 * TILE_WIDTH)])
        self.check_filled(follower)

    def test_head_of_a_growing_log(self) -> None:
        """Whether a tile comes back soon, later or never, the log is followed within 5 s of its
        head, at no more requests than without the fault, and the tile comes late."""
        self.partial_wait = 0.0
        asked: dict[tuple[int, Any], int] = {}
        for seconds, lost in (
            (0, ()),
            (8, ("005",)),
            (9999, ("005", "007")),
        ):
            self.setUp()
            since: dict[str, float] = {}

            def fault(
                path: str, seconds: int = seconds, lost: Any = lost, at: Any = since
            ) -> Fault:
                name = path.removeprefix("tile/data/")[:3]
                if not path.startswith("tile/data/") or name not in lost:
                    return None
                begun = at.setdefault(name, self.clock.seconds())
                return Answer(404) if self.clock.seconds() < begun + seconds else None

            self.misbehave(fault)
            follower = self.follow(poll_interval=0.1, health_check_interval=2.0)
            sizes: list[tuple[float, int]] = []
            for second in range(24 * 10):
                self.log.add(6)
                sizes.append((self.clock.seconds(), self.log.tree.size))
                self.step(0.1)
                while sizes and sizes[0][1] <= follower.stats.position:
                    del sizes[0]
                if sizes:
                    lag = self.clock.seconds() - sizes[0][0]
                    self.assertLess(lag, 5.0, (seconds, lost, second))
            asked[seconds, lost] = len(self.front.asked)
            gone = [name for name in lost if seconds > 30]
            self.assertEqual(
                self.check(follower),
                [(int(name) * TILE_WIDTH, (int(name) + 1) * TILE_WIDTH) for name in gone],
            )
            if gone:
                self.check_filled(follower)
            self.assertEqual(self.check(follower), [])
            self.assertGreater(follower.stats.verified_size, 8 * TILE_WIDTH)
            self.end()
        self.assertLessEqual(max(asked.values()), asked[0, ()] * 1.02)
        self.doCleanups()

    def test_many_tiles_are_lost(self) -> None:
        """A log that lost its oldest tiles is read from the first that is there."""
        self.log.add(40 * TILE_WIDTH)
        lost = {f"tile/data/{n:03d}" for n in range(2, 30)}
        self.misbehave(lambda path: Answer(404) if path in lost else None)
        settings = PollSettings(start_overlap_leaves=self.log.tree.size - START)
        follower = self.follower = Follower(
            self.clock, self.client(), log=self.fronted.listed, stats=self.fronted.stats,
            settings=settings,
        )  # fmt: skip
        follower.poller.startService()
        self.addCleanup(self.end)
        self.until(follower, self.log.tree.size, 120)
        missing = {index for gap in self.check(follower) for index in range(*gap)}
        self.assertEqual(set(range(2 * TILE_WIDTH, 30 * TILE_WIDTH)) - missing, set())
        self.step(AGAIN[0] * 1.3)
        self.assertEqual(self.check(follower), [(2 * TILE_WIDTH, 30 * TILE_WIDTH)])
        self.front.rule = lambda path: None
        self.step(AGAIN[1] * 0.2)
        self.assertEqual(self.check(follower), [])
        self.assertEqual(follower.stats.verified_size, self.log.tree.size)
