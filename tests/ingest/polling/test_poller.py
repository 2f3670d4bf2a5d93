"""The poller against a log in memory: what it asks for, and what it makes of the answers."""

from pathlib import Path
from random import Random
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.http.errors import (
    BadBody,
    BadSignature,
    Lagging,
    MerkleMismatch,
    Refused,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.state.positions import Positions, SavedPosition
from certstream_tx.ingest.state.state_lock import StateLock
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import FakeLog, Follower, events, head_of, range_of

KEY = "url:https://log.example"


class PollerCase(SynchronousTestCase):
    """A clock, and followers that are stopped at the end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.followers: list[Follower] = []
        self.addCleanup(self.stop_all)

    def follow(self, client: FakeLog, **around: Any) -> Follower:
        """Start a poller that reads by this client."""
        follower = Follower(self.clock, client, **around)
        self.followers.append(follower)
        follower.poller.startService()
        return follower

    def stop_all(self) -> None:
        """Stop every poller; nothing may be left on the clock then."""
        for follower in self.followers:
            if follower.poller.running:
                self.successResultOf(follower.poller.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def saved(self, position: int, *, proven: bool = True) -> Positions:
        """Positions with one of the test log."""
        positions = Positions(None, self.clock, lambda write: write())  # type: ignore
        nodes = tuple(range_of(position).nodes) if proven else None
        last = SavedPosition("Test log", "https://log.example", position, nodes)
        positions.register(KEY, lambda: last)
        positions.unregister(KEY)
        return positions


class StartTests(PollerCase):
    """Where reading begins."""

    def test_first_start(self) -> None:
        """A log never read before begins a little before its head, and is read to it."""
        follower = self.follow(FakeLog(self.clock, 1000))
        follower.run(1)
        self.assertEqual(follower.indexes, list(range(1000 - 256, 1000)))
        self.assertEqual(follower.stats.started_at, 744)
        self.assertEqual(follower.stats.position, 1000)
        self.assertEqual(follower.stats.verified_size, 1000)

    def test_unknown_key(self) -> None:
        """It is told once; whatever the heads say, nothing counts as verified."""
        log = FakeLog(self.clock, 1000)
        stats = LogStats("Test log", "https://log.example", "rfc6962", None, None, keyless=True)
        with events("warn") as told:
            follower = self.follow(log, stats=stats, positions=self.saved(900))
            follower.run(1)
            log.size = 1100
            follower.run(3)
        self.assertEqual(len(told), 1, told)
        self.assertIn("Test log: its key is not known", told[0])
        self.assertEqual((follower.stats.position, follower.stats.verified_size), (1100, 0))
        self.assertEqual(follower.poller.snapshot().verified_size, 0)  # type: ignore[union-attr]

    def test_small_log(self) -> None:
        """The overlap never reaches below index 0, and an empty log is waited for."""
        log = FakeLog(self.clock, 0)
        follower = self.follow(log)
        follower.run(3)
        self.assertEqual(follower.published, [])
        log.size = 5
        follower.run(3)
        self.assertEqual(follower.indexes, [0, 1, 2, 3, 4])
        self.assertEqual(follower.stats.verified_size, 5)

    def test_saved_position(self) -> None:
        """A saved position continues there, however far the head has gone on, still verified."""
        log = FakeLog(self.clock, 700)
        log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 9
        follower = self.follow(log, positions=self.saved(100))
        follower.run(2)
        self.assertEqual(follower.indexes, list(range(100, 700)))
        self.assertEqual(follower.stats.verified_size, 700)
        self.assertEqual(len(log.proof_faults), 9)

    def test_saved_unverified(self) -> None:
        """A position saved without hashes is proven by the log first."""
        follower = self.follow(FakeLog(self.clock, 700), positions=self.saved(100, proven=False))
        follower.run(2)
        self.assertEqual(follower.indexes, list(range(100, 700)))
        self.assertEqual(follower.stats.verified_size, 700)

    def test_saved_beyond_head(self) -> None:
        """A head before the saved position is a late replica: wait, never go back."""
        log = FakeLog(self.clock, 80)
        for proven in (True, False):
            log.size = 80
            follower = self.follow(log, positions=self.saved(100, proven=proven))
            follower.run(30)
            self.assertEqual(follower.published, [])
            self.assertEqual(follower.poller.snapshot().position, 100)
            log.size = 110
            follower.run(20)
            self.assertEqual(follower.indexes, list(range(100, 110)))
            self.assertEqual(follower.stats.verified_size, 110)

    def test_position_is_saved_before_anything_came(self) -> None:
        """Where a first start begins is known at once: a crash before the first entry keeps it."""
        log = FakeLog(self.clock, 1000)
        log.entry_faults = lambda start, end: Unavailable("connect", "refused")
        follower = self.follow(log)
        self.assertIsNone(follower.poller.snapshot())
        follower.run(1)
        self.assertEqual(follower.poller.snapshot().position, 744)


class TailTests(PollerCase):
    """At the head of a log that grows."""

    def test_tail(self) -> None:
        """Each entry comes once, in order, and every head is compared with what was read."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        for grown in range(20):
            log.size = 300 + grown * 7
            follower.run(1)
        follower.run(2)
        self.assertEqual(follower.indexes, list(range(44, 433)))
        self.assertEqual(follower.stats.verified_size, 433)
        self.assertEqual(follower.stats.entries, 433 - 44)
        self.assertEqual(follower.stats.last_entry_timestamp, 1_700_000_000.432)

    def test_idle_stretches(self) -> None:
        """A head that stands still is looked at ever less, up to 15 s, and often once it moves."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(5)
        early = log.heads
        follower.run(300)
        late = log.heads
        self.assertGreaterEqual(early, 3)
        self.assertTrue(300 / 15 / 1.2 <= late - early <= 300 / 15 * 1.2 + 8, late - early)
        log.size += 1
        follower.run(18.1)
        self.assertEqual(follower.stats.position, 301)
        before = log.heads
        for _ in range(10):
            log.size += 1
            follower.run(1.3)
        self.assertGreaterEqual(log.heads - before, 9)

    def test_smaller_head(self) -> None:
        """A smaller head is no rollback: it is counted, and the largest stays the head."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(3)
        log.head_faults = [head_of(250), head_of(299)]
        follower.run(8)
        self.assertEqual(follower.stats.head_regressions, 2)
        self.assertEqual(follower.stats.head_size, 300)
        self.assertEqual(follower.stats.root_mismatches, 0)
        log.size = 310
        follower.run(8)
        self.assertEqual(follower.indexes, list(range(44, 310)))

    def test_partial_tile(self) -> None:
        """What the client finds not worth asking for is asked for once it changes its mind."""
        log = FakeLog(self.clock, 80)
        log.partial_allowed = False
        follower = self.follow(log)
        follower.run(60)
        self.assertEqual(follower.stats.position, 64)
        self.assertEqual(follower.stats.verified_size, 0)
        log.partial_allowed = True
        follower.run(1.1)
        self.assertEqual(follower.indexes, list(range(80)))
        self.assertEqual(follower.stats.verified_size, 80)

    def test_heads_within_a_tile(self) -> None:
        """A head passed in the midst of a batch is compared too."""
        log = FakeLog(self.clock, 64)
        log.partial_allowed = False
        follower = self.follow(log)
        follower.run(2)
        for size in (70, 90):
            log.size = size
            follower.run(3)
        log.size = 97
        follower.run(3)
        self.assertEqual(follower.stats.position, 96)
        self.assertEqual(follower.stats.verified_size, 90)
        self.assertEqual(follower.stats.root_mismatches, 0)


class CatchUpTests(PollerCase):
    """Far behind the head."""

    def test_pipelined(self) -> None:
        """Several requests are in flight, never more than the client wants; order is kept."""
        log = FakeLog(self.clock, 3200, latency=1.0)
        follower = self.follow(log, positions=self.saved(0))
        follower.run(40, 0.25)
        self.assertEqual(follower.indexes, list(range(3200)))
        self.assertEqual(log.most_in_flight, 4)
        self.assertEqual(len(log.asked), 100)
        self.assertEqual(follower.stats.verified_size, 3200)

    def test_depth_is_read_each_time(self) -> None:
        """The client may deepen while it goes on."""
        log = FakeLog(self.clock, 3200, latency=1.0)
        follower = self.follow(log, positions=self.saved(0))
        follower.run(3)
        log.depth = 16
        follower.run(3)
        self.assertEqual(log.most_in_flight, 16)

    def test_few_heads(self) -> None:
        """While there is much to read the head is looked at rarely, and not right after."""
        for batches in range(100, 110):
            log = FakeLog(self.clock, 4 * 32 * batches, latency=1.0)
            follower = self.follow(log, positions=self.saved(0))
            while len(log.asked) < 4 * batches:
                follower.run(0.1)
            caught_up = self.clock.seconds()
            before = log.looks[-1]
            self.assertLessEqual(log.heads, batches / 15 + 1)
            follower.run(40)
            self.assertEqual(follower.stats.position, log.size)
            after = next(look for look in log.looks if look > before)
            self.assertTrue(after - caught_up >= 0.6 or after - before >= 15, (before, after))
            self.stop_all()

    def test_short_answers(self) -> None:
        """An answer with less than asked for is used, and the rest of the range is asked next."""
        log = FakeLog(self.clock, 640, latency=0.3)
        log.entry_faults = lambda start, end: max(1, (end - start) // 2)
        follower = self.follow(log, positions=self.saved(0))
        follower.run(60)
        self.assertEqual(follower.indexes, list(range(640)))
        self.assertEqual(
            sorted({start for start, _ in log.asked}), [s for s, _ in sorted(log.asked)]
        )

    def test_one_failing_range(self) -> None:
        """While one range fails, what was fetched beyond it is kept and used, not fetched twice."""
        log = FakeLog(self.clock, 640, latency=0.1)
        left = [5]

        def fail_second(start: int, end: int) -> Exception | None:
            if start == 32 and left[0]:
                left[0] -= 1
                return Unavailable("cut", "connection lost")
            return None

        log.entry_faults = fail_second
        follower = self.follow(log, positions=self.saved(0))
        follower.run(20)
        self.assertEqual(follower.indexes, list(range(640)))
        starts = [start for start, _ in log.asked]
        self.assertEqual(starts.count(32), 6)
        self.assertEqual(len(starts), 20 + 5)

    def test_bounded_buffer(self) -> None:
        """A range that stays away does not let more be fetched than a few batches beyond it."""
        log = FakeLog(self.clock, 6400)
        log.entry_faults = lambda start, end: BadBody("no") if start == 0 else None
        budget = Budget(1000)
        follower = self.follow(log, positions=self.saved(0), budget=budget)
        follower.run(2)
        self.assertEqual(follower.published, [])
        self.assertLessEqual(max(end for _, end in log.asked), 32 * (4 + 2))

    def test_budget_is_shared(self) -> None:
        """Logs share the entries in flight, a dead log never keeps a living one from reading."""
        budget = Budget(64)
        dead, living = FakeLog(self.clock, 640), FakeLog(self.clock, 640, latency=0.2)
        dead.entry_faults = lambda start, end: Unavailable("connect", "refused")
        for _ in range(3):
            self.follow(dead, positions=self.saved(0), budget=budget)
        follower = self.follow(living, positions=self.saved(0), budget=budget)
        follower.run(30)
        self.assertEqual(follower.indexes, list(range(640)))
        self.assertLessEqual(living.most_in_flight, 3)
        self.stop_all()
        self.assertTrue(budget.take(64))


class FailureTests(PollerCase):
    """Nothing a log does ends a poller."""

    def test_dead_log(self) -> None:
        """A log that is down is told as unhealthy once, asked one thing at a time, then read on."""
        log = FakeLog(self.clock, 640)
        follower = self.follow(log, positions=self.saved(0), settings=PollSettings())
        down = Unavailable("connect", "connection refused")
        log.entry_faults = lambda start, end: down
        log.head_faults = [down] * 200
        with events() as told:
            follower.run(300)
            asked = len(log.asked) + log.heads
            self.assertLess(asked, 320)
            self.assertEqual(len([text for text in told if "cannot be read" in text]), 1, told)
            self.assertGreaterEqual(follower.stats.consecutive_failures, 5)
            self.assertFalse(follower.poller.healthy)
            log.head_faults = []
            log.entry_faults = lambda start, end: None
            follower.run(12)
        self.assertEqual(follower.indexes, list(range(640)))
        self.assertEqual(len([text for text in told if "can be read again" in text]), 1, told)
        self.assertEqual(follower.stats.consecutive_failures, 0)
        self.assertTrue(follower.poller.healthy)

    def test_entries_fail_while_heads_come(self) -> None:
        """A log whose heads come is ill all the same when its entries do not."""
        log = FakeLog(self.clock, 640)
        log.entry_faults = lambda start, end: Unavailable("server", "HTTP 500", 500)
        follower = self.follow(log)
        follower.run(120)
        self.assertFalse(follower.poller.healthy)

    def test_throttled(self) -> None:
        """429 is pace: no failure, no backoff of our own, for heads and entries alike."""
        log = FakeLog(self.clock, 640)
        left = [30]

        def throttle(start: int, end: int) -> Exception | None:
            left[0] -= 1
            return Throttled("HTTP 429") if left[0] > 0 else None

        log.entry_faults = throttle
        log.head_faults = [Throttled("HTTP 429", 60.0)] * 10
        follower = self.follow(log)
        follower.run(6)
        self.assertEqual(follower.indexes, list(range(640 - 256, 640)))
        self.assertTrue(follower.poller.healthy)
        self.assertEqual(follower.stats.consecutive_failures, 0)

    def test_lagging(self) -> None:
        """A replica behind its head is asked again soon, and only after long is that a failure."""
        log = FakeLog(self.clock, 640)
        log.entry_faults = lambda start, end: Lagging("need tree size")
        follower = self.follow(log, settings=PollSettings(health_check_interval=2.0))
        follower.run(3)
        self.assertEqual(follower.stats.consecutive_failures, 0)
        self.assertGreater(len(log.asked), 3)
        follower.run(200)
        self.assertGreater(follower.stats.consecutive_failures, 0)
        log.entry_faults = lambda start, end: None
        follower.run(6)
        self.assertEqual(follower.stats.position, 640)

    def test_bad_signature(self) -> None:
        """Heads with a bad signature move nothing, and three in a row are told once."""
        log = FakeLog(self.clock, 640)
        log.head_faults = [BadSignature("not by this key")] * 5
        with events("error") as told:
            follower = self.follow(log)
            follower.run(10)
        self.assertEqual(follower.stats.position, 640)
        self.assertEqual(len(told), 1, told)

    def test_own_errors(self) -> None:
        """An error of this program is told once with its traceback, and tried again like any."""
        log = FakeLog(self.clock, 640)
        left = [8]

        def trip(start: int, end: int) -> Exception | None:
            left[0] -= 1
            return RuntimeError("a bug") if left[0] > 0 else None

        log.entry_faults = trip
        log.head_faults = [RuntimeError("a bug")] * 3
        follower = self.follow(log)
        follower.run(30)
        self.assertEqual(follower.indexes, list(range(640 - 256, 640)))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_foreign_cancellation(self) -> None:
        """Something that was cancelled, but not by stopping, is tried again."""
        log = FakeLog(self.clock, 640)
        left = [3]

        def cancelled(start: int, end: int) -> Exception | None:
            left[0] -= 1
            return CancelledError() if left[0] > 0 else None

        log.entry_faults = cancelled
        log.head_faults = [CancelledError()]
        log.proof_faults = [CancelledError()]
        follower = self.follow(log)
        follower.run(30)
        self.assertEqual(follower.indexes, list(range(640 - 256, 640)))
        self.flushLoggedErrors(CancelledError)

    def test_wrong_entries(self) -> None:
        """Entries that were not asked for are refused: taking them would lose others."""
        log = FakeLog(self.clock, 640)
        honest = log.entry
        log.entry = lambda index: honest(index + 1)  # type: ignore[method-assign]
        follower = self.follow(log)
        follower.run(3)
        self.assertEqual(follower.published, [])
        log.entry = honest  # type: ignore[method-assign]
        follower.run(6)
        self.assertEqual(follower.indexes, list(range(640 - 256, 640)))

    def test_hub_refuses(self) -> None:
        """Where the hub takes nothing the position waits; then no entry is missing or doubled."""
        log = FakeLog(self.clock, 640)
        follower = self.follow(log)
        full = [True]

        def refuse(message: Any) -> None:
            if full[0] and message.index >= 500:
                raise RuntimeError("no room")

        follower.refuse = refuse
        follower.run(10)
        self.assertEqual(follower.stats.position, 500)
        full[0] = False
        follower.run(10)
        self.assertEqual(follower.indexes, list(range(640 - 256, 640)))
        self.assertEqual(follower.stats.verified_size, 640)
        self.flushLoggedErrors(RuntimeError)


class ReadOnlyTests(PollerCase):
    """Logs that have ended."""

    def test_ends(self) -> None:
        """A read-only log is read to its final size, checked there, then looked at hourly."""
        log = FakeLog(self.clock, 500)
        final = Log(
            "Ended", "https://log.example", "rfc6962", state="readonly", final_size=480,
            final_root=range_of(480).root(),
        )  # fmt: skip
        with events("warn") as told:
            follower = self.follow(log, log=final)
            follower.run(60)
        self.assertEqual(follower.indexes, list(range(480 - 256, 480)))
        self.assertEqual(follower.stats.verified_size, 480)
        self.assertEqual(len(told), 1, told)
        self.assertIn("read-only", told[0])
        looked = log.heads
        follower.run(4 * 3600, 60)
        self.assertTrue(3 <= log.heads - looked <= 5)
        self.assertEqual(follower.stats.position, 480)

    def test_wrong_end(self) -> None:
        """A read-only log whose entries do not give the root in the list is told as such, but the
        list may be wrong."""
        log = FakeLog(self.clock, 480)
        final = Log(
            "Ended", "https://log.example", "rfc6962", state="readonly", final_size=480,
            final_root=b"x" * 32,
        )  # fmt: skip
        with events("warn") as told:
            follower = self.follow(log, log=final)
            follower.run(10)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertEqual(len(told), 1, told)
        self.assertFalse(follower.stats.inconsistent)


class VerificationTests(PollerCase):
    """Whether what is read is what was signed."""

    def test_changed_entry(self) -> None:
        """An entry that is not the one signed is noticed at the next head, and streamed on."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(2)
        log.changed = {305}
        log.size = 310
        with events("error") as told:
            follower.run(3)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertEqual(follower.stats.verified_size, 300)
        self.assertIn("tree of 310", told[0])
        self.assertIsNone(follower.poller.snapshot().nodes)
        log.size = 320
        follower.run(3)
        self.assertEqual(follower.indexes, list(range(44, 320)))
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertEqual(follower.stats.verified_size, 300)
        follower.run(60)
        for log.size in (330, 340):
            follower.run(16)
        self.assertEqual(follower.stats.verified_size, 340)

    def test_no_proofs(self) -> None:
        """A log that proves nothing is streamed after few attempts, unverified, with a warning."""
        log = FakeLog(self.clock, 300)
        log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 5
        with events("warn") as told:
            follower = self.follow(log)
            follower.run(5)
        self.assertEqual(follower.indexes, list(range(44, 300)))
        self.assertFalse(follower.poller.verified)
        self.assertEqual(follower.stats.verified_size, 0)
        self.assertEqual(len(told), 1)
        self.assertIn("unverified", told[0])
        while log.proof_faults or not follower.poller.verified:
            self.assertLess(self.clock.seconds(), 300)
            log.size += 1
            follower.run(5)
        log.size += 1
        follower.run(20)
        self.assertEqual(follower.stats.verified_size, log.size)
        self.assertEqual(follower.indexes, list(range(44, log.size)))

    def test_wrong_proof(self) -> None:
        """A proof that does not lead to the signed root, or proves something else, is not used."""
        log = FakeLog(self.clock, 300)
        log.proof_faults = [MerkleMismatch("other root")] * 2
        proper = log.range_at

        async def other(start: int, head: SignedHead) -> CompactRange:
            log.range_at = proper  # type: ignore[method-assign]
            return range_of(start - 1).copy()

        log.range_at = other  # type: ignore[method-assign]
        follower = self.follow(log)
        follower.run(10)
        self.assertEqual(follower.stats.verified_size, 300)

    def test_proof_fails_by_own_error(self) -> None:
        """An error of this program while proving does not keep the log from being read."""
        log = FakeLog(self.clock, 300)
        log.proof_faults = [ZeroDivisionError()] * 4
        follower = self.follow(log)
        follower.run(10)
        self.assertEqual(follower.indexes, list(range(44, 300)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_contradicting_heads(self) -> None:
        """Two heads of one size with different roots are told; the tree that was read is kept."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(1)
        log.head_faults = [head_of(300, root=b"y" * 32)]
        with events("error") as told:
            follower.run(5)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertIn("two different trees", told[0])
        log.size = 310
        follower.run(10)
        self.assertEqual(follower.stats.verified_size, 310)


class StopTests(PollerCase):
    """Stopping, in each state, and going on."""

    def test_stop_in_each_state(self) -> None:
        """Whenever it is stopped nothing stays in flight or on the clock, and nothing is lost."""
        for steps in range(0, 60, 3):
            clock = self.clock = Clock()
            log = FakeLog(clock, 640, latency=0.25)
            budget = Budget(1000)
            positions = self.saved(0)
            first = Follower(clock, log, positions=positions, budget=budget)
            first.poller.startService()
            clock.pump([0.1] * steps)
            self.successResultOf(first.poller.stopService())
            self.assertEqual(clock.getDelayedCalls(), [])
            self.assertEqual(log.in_flight, 0)
            self.assertTrue(budget.take(1000))
            budget.give(1000)
            second = Follower(clock, log, positions=positions, budget=budget)
            second.poller.startService()
            clock.pump([0.1] * 100)
            self.successResultOf(second.poller.stopService())
            self.assertEqual(first.indexes + second.indexes, list(range(640)), steps)
            self.assertEqual(second.stats.verified_size, 640)

    def test_late_answer(self) -> None:
        """What a client gives after it was told to stop is not used, and its budget returns."""
        log = FakeLog(self.clock, 640)
        late: Deferred[None] = Deferred()
        honest = log.entries

        async def stubborn(start: int, end: int, head: SignedHead) -> Any:
            try:
                await Deferred()
            except CancelledError:
                await late
            return await honest(start, end, head)

        log.entries = stubborn  # type: ignore[method-assign]
        budget = Budget(1000)
        follower = self.follow(log, budget=budget)
        follower.run(1)
        self.assertFalse(budget.take(1000))
        self.successResultOf(follower.poller.stopService())
        late.callback(None)
        follower.run(1)
        self.assertEqual(follower.published, [])
        self.assertTrue(budget.take(1000))

    def test_crashes(self) -> None:
        """Killed at any moment, it goes on with nothing missing, and repeats what a save covers."""
        rng = Random(5)
        path = Path(self.mktemp()).absolute()
        size, received, last_second = 1000, list[int](), 0
        for _ in range(60):
            clock = Clock()
            log = FakeLog(clock, size, latency=rng.choice((0.0, 0.1, 0.4)))
            positions = Positions(str(path), clock, execute)
            positions.load()
            follower = Follower(clock, log, positions=positions)
            positions.startService()
            follower.poller.startService()
            read = [0] * 11
            for _ in range(rng.randint(1, 60)):
                log.size += 5
                follower.run(0.1)
                read.append(len(follower.published))
            self.assertEqual(follower.stats.root_mismatches, 0)
            # Nothing is stopped: all that is left of the process is its file.
            cast(StateLock, positions._lock).release()
            size = log.size
            if received and follower.indexes:
                repeated = received[-1] + 1 - follower.indexes[0]
                self.assertTrue(0 <= repeated <= last_second, (repeated, last_second))
            if follower.indexes:
                last_second = read[-1] - read[-12]
            received += follower.indexes
        self.assertEqual(sorted(set(received)), list(range(received[0], received[-1] + 1)))
        self.assertGreater(received[-1] - received[0], 5000)

    def test_start_again(self) -> None:
        """A poller that is started again goes on where it was."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log)
        follower.run(1)
        self.successResultOf(follower.poller.stopService())
        log.size = 400
        follower.poller.startService()
        follower.run(3)
        self.assertEqual(follower.indexes, list(range(44, 400)))
        self.assertEqual(follower.stats.verified_size, 400)
