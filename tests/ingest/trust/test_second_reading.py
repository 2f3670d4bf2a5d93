"""Honest logs of which one page came damaged: none is accused, whatever happens then."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.http.errors import BadBody, FetchError, Lagging, Refused, Unavailable
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.trust import kept_hashes, second_reading, verification
from certstream_tx.ingest.trust.doubts import Doubt
from tests.ingest.fake_log import FakeLog, Follower, events, hash_of, head_of, range_of
from tests.ingest.polling.test_poller import KEY
from tests.ingest.trust.test_log_trust import TrustCase

NOT_FOUND = Refused("not_found", "HTTP 404", 404)
DOWN = Unavailable("connect", "refused")


class FailingLog(FakeLog):
    """A log that is down, gives nothing a second time, or no proofs, as long as it is told to."""

    down: FetchError | None = None
    nothing_again: FetchError | None = None
    no_proofs: FetchError | None = None

    def __init__(self, *log: Any, **more: Any) -> None:
        super().__init__(*log, **more)
        self.proofs: list[int] = []
        self.entry_faults = lambda start, end: self.down

    async def head(self) -> SignedHead:
        if self.down:
            self.head_faults.append(self.down)
        return await super().head()

    async def entries_again(self, start: int, end: int, head: SignedHead) -> Any:
        if fault := self.down or self.nothing_again:
            self.again_faults.append(fault)
        return await super().entries_again(start, end, head)

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        self.proofs.append(start)
        if fault := self.down or self.no_proofs:
            self.proof_faults.append(fault)
        return await super().range_at(start, head)


class SecondReadingTests(TrustCase):
    """Entries in doubt that cannot be read again prove nothing."""

    def in_doubt(self, log: FailingLog, *, slips: bool = True, **settings: Any) -> Follower:
        """Verified up to 300, and then entry 305 comes wrong."""
        follower = self.caught_up(log, settings=PollSettings(**settings))
        log.changed = {305}
        log.slips = {305} if slips else set()
        log.size = 320
        later, log.nothing_again = log.nothing_again, DOWN
        self.until(follower, lambda: follower.stats.root_mismatches > 0)
        log.nothing_again = later
        return follower

    def until(self, follower: Follower, happens: Callable[[], bool]) -> None:
        """Let time pass, but not for ever."""
        for _ in range(20_000):
            if happens():
                return
            follower.run(0.1)
        self.fail("it never happens")

    def well(self, follower: Follower, size: int) -> None:
        """The entry came once more as it is, all is verified, and nobody is accused."""
        self.until(follower, lambda: follower.stats.verified_size == size)
        self.assertFalse(follower.stats.inconsistent)
        self.assertFalse(follower.stats.stopped)
        self.assertEqual(self.found(), [])
        self.assertEqual(follower.indexes.count(305), 2)

    def test_log_that_is_down(self) -> None:
        """A log that cannot be reached for minutes, or lags, is not accused; its entry comes."""
        for fault in (DOWN, Unavailable("server", "HTTP 503", 503), Lagging("behind")):
            for stop in ("stop", "continue"):
                log = FailingLog(self.clock, 300, latency=0.05)
                follower = self.in_doubt(log, on_inconsistency=stop)
                log.down = fault
                follower.run(200, 0.5)
                self.assertFalse(follower.stats.inconsistent)
                log.down = None
                log.size = 340
                self.well(follower, 340)
                self.stop_all()

    def test_not_hammered(self) -> None:
        """A log that is unhealthy is asked for its head alone."""
        log = FailingLog(self.clock, 300, latency=0.05)
        follower = self.in_doubt(log)
        log.down = DOWN
        self.until(follower, lambda: not follower.poller.healthy)
        asked = len(log.asked_again)
        follower.run(600, 0.5)
        self.assertLessEqual(len(log.asked_again), asked + 1)

    def test_refused_again(self) -> None:
        """What is refused, or is garbage, for an hour is told, stays unverified, and is asked for
        again, ever less often."""
        for fault in (NOT_FOUND, BadBody("no JSON"), Unavailable("server", "HTTP 500", 500)):
            log = FailingLog(self.clock, 300)
            log.nothing_again = fault
            follower = self.in_doubt(log, on_inconsistency="stop")
            log.size = 330
            with events("warn") as told:
                follower.run(3600, 0.5)
            self.assertIn("cannot be read again", told[0])
            self.assertIn(fault.reason, told[0])
            self.assertLess(len(told), 8, told)
            self.assertLess(len(log.asked_again), 200)
            self.assertEqual(follower.stats.verified_size, 300)
            self.assertFalse(follower.poller.verified)
            self.assertEqual(follower.stats.position, 330)
            log.nothing_again = None
            self.well(follower, 330)
            self.stop_all()

    def test_others_do_not_wait(self) -> None:
        """A doubt that cannot be looked into does not keep the next one from it."""
        log = FailingLog(self.clock, 300)
        follower = self.in_doubt(log, slips=True)
        trust = follower.poller._trust
        again = log.entries_again

        async def entries_again(start: int, end: int, head: SignedHead) -> Any:
            if start >= 300:
                raise NOT_FOUND
            return await again(start, end, head)

        log.entries_again = entries_again  # type: ignore[method-assign]
        follower.run(1)
        tree = CompactRange()
        tree.extend([b"x" * 32] * 40)
        trust.doubts(Doubt(None, 40, tree, None, range_of(40)))
        with events("warn") as told:
            follower.run(200, 0.5)
        self.assertTrue(any("from 0 to 39" in text for text in told), told)
        self.assertFalse(follower.stats.inconsistent)

    def test_persists_after_an_outage(self) -> None:
        """What stays wrong is still evidence once the log is well again."""
        log = FailingLog(self.clock, 300, latency=0.05)
        follower = self.in_doubt(log, slips=False)
        log.down = DOWN
        follower.run(200, 0.5)
        self.assertEqual(self.found(), [])
        log.down = None
        self.until(follower, lambda: follower.stats.inconsistent)
        (document,) = self.found("mismatch")
        self.assertEqual(document["wrong_entries"], [305])


class ManyInDoubtTests(TrustCase):
    """More than are remembered."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(kept_hashes, "MAX_KEPT", 64)
        self.patch(verification, "SPOT_EVERY", 1_000_000)

    def behind(self, *, slips: bool = True) -> tuple[FailingLog, Follower]:
        """A log that was away gives no proofs; of what came since one page came wrong."""
        log = FailingLog(self.clock, 3000, page=256, latency=0.02)
        log.changed = {1500}
        log.slips = {1500} if slips else set()
        log.no_proofs = NOT_FOUND
        return log, self.follow(log, evidence=self.evidence, positions=self.saved(0))

    def test_read_again_as_a_whole(self) -> None:
        """However many they are: a cache's slip is told from what the log changed."""
        for slips in (True, False):
            log, follower = self.behind(slips=slips)
            with events("warn") as told:
                follower.run(60)
            self.assertEqual(log.asked_again[0], (0, 3000))
            self.assertEqual(follower.stats.inconsistent, not slips)
            self.assertEqual(len(self.found("mismatch")), not slips)
            if slips:
                self.assertIn("not known any more which", told[1])
                self.assertEqual(follower.stats.verified_size, 3000)
                self.assertEqual(follower.indexes, list(range(3000)))
            self.stop_all()

    def test_too_many(self) -> None:
        """Only so many are read again, behind a tree that the log proves: without one, none."""
        self.patch(second_reading, "MAX_AGAIN", 1000)
        log, follower = self.behind()
        with events("warn") as told:
            follower.run(1000, 0.5)
        self.assertIn("cannot be read again (HTTP 404)", told[1])
        self.assertEqual((log.asked_again, follower.stats.inconsistent), ([], False))
        self.assertEqual(follower.stats.verified_size, 0)
        log.no_proofs = None
        follower.run(3700, 0.5)
        self.assertEqual(log.asked_again[0], (2000, 3000))
        self.assertEqual(follower.stats.verified_size, 3000)
        self.assertFalse(follower.stats.inconsistent)


class UnconfirmedTests(TrustCase):
    """A run began behind entries that the one before it read, and did not compare."""

    def begun(self, no_proofs: FetchError | None, *, slips: bool = True) -> FailingLog:
        """Entry 305 came wrong right before the end of the last run; 325 does in this one."""
        log = FailingLog(self.clock, 340)
        log.no_proofs = no_proofs
        log.changed = {325}
        log.slips = {325} if slips else set()
        tree = range_of(305).copy()
        tree.extend([b"x" * 32, *map(hash_of, range(306, 310))])
        positions = self.saved(310)
        saved = positions.position_of(KEY, "https://log.example")
        assert saved is not None
        wrong = replace(saved, nodes=tuple(tree.nodes), verified_head=head_of(300))
        positions.register(KEY, lambda: wrong)
        positions.unregister(KEY)
        self.follow(log, evidence=self.evidence, positions=positions)
        return log

    def test_proven_beginning(self) -> None:
        """The log's own tree takes the place of what was read: nothing is said against the log."""
        self.begun(None)
        (follower,) = self.followers
        with events("warn") as told:
            follower.run(100)
        self.assertFalse(follower.stats.inconsistent)
        self.assertEqual(self.found(), [])
        self.assertEqual(follower.stats.verified_size, 340)
        self.assertEqual(follower.indexes, [*range(310, 340), 325])
        self.assertTrue(any("before entry 310" in text for text in told), told)

    def test_no_proof(self) -> None:
        """Without one nobody knows whose fault it is, even if the entries stay the same."""
        self.begun(NOT_FOUND, slips=False)
        (follower,) = self.followers
        with events("warn") as told:
            follower.run(1000, 0.5)
        self.assertFalse(follower.stats.inconsistent)
        self.assertEqual(self.found(), [])
        self.assertEqual(follower.stats.verified_size, 0)
        self.assertIn("cannot be read again (HTTP 404)", told[1])

    def test_persists(self) -> None:
        """Entries that do not lead from the tree that the log proves to the one that it signed."""
        self.begun(None, slips=False)
        (follower,) = self.followers
        follower.run(100)
        self.assertTrue(follower.stats.inconsistent)
        (document,) = self.found("mismatch")
        self.assertEqual(document["wrong_entries"], [325])
        self.assertEqual(document["verified"]["tree_size"], 310)
