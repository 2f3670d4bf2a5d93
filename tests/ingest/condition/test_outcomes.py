"""A log that cannot be read: how rarely it is asked, and how soon it is read when it can be."""

from itertools import pairwise
from typing import Any

from twisted.internet.task import deferLater

from certstream_tx.ingest.condition.outcomes import ALONE_SECONDS_ANSWERED, PROBE_JITTER
from certstream_tx.ingest.http.errors import (
    BadBody,
    BadSignature,
    Lagging,
    Refused,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.stats import LogStatus
from tests.ingest.fake_log import FakeLog, Follower, events
from tests.ingest.polling.test_poller import PollerCase

DOWN = Unavailable("connect", "refused")
QUICK = PollSettings(poll_interval=0.1, health_check_interval=2.0)
"""those under which an outage must be over within 5 s of its end"""
SHORTEST_PROBE = 1 - PROBE_JITTER


class DownLog(FakeLog):
    """A log that may be down: everything, or only its entries, or its heads. An attempt takes
    ``hang`` seconds."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.heads_down: Exception | None = None
        self.entries_down: Exception | None = None
        self.hang = 0.0
        self.proofs = 0

    async def head(self) -> Any:
        if self.heads_down is None:
            return await super().head()
        self.looks.append(self.clock.seconds())
        await self._fail(self.heads_down)

    async def entries(self, start: int, end: int, head: Any) -> Any:
        if self.entries_down is None:
            return await super().entries(start, end, head)
        self.asked.append((start, end))
        await self._fail(self.entries_down)

    async def range_at(self, start: int, head: Any) -> Any:
        self.proofs += 1
        if self.heads_down is not None:
            await self._fail(self.heads_down)
        return await super().range_at(start, head)

    async def _fail(self, error: Exception) -> None:
        await deferLater(self.clock, self.hang)
        raise error

    def goes_down(self, error: Exception = DOWN) -> None:
        """Everything fails."""
        self.heads_down = self.entries_down = error

    def comes_up(self) -> None:
        """Everything is well."""
        self.heads_down = self.entries_down = None


class BreakerCase(PollerCase):
    """Logs that were read for a while."""

    def begin(
        self, settings: PollSettings | None = None, **options: Any
    ) -> tuple[DownLog, Follower]:
        """A log and its follower, up to date."""
        log = DownLog(self.clock, 1000, **options)
        follower = self.follow(log, settings=settings or PollSettings())
        follower.run(2)
        self.assertEqual(follower.stats.position, 1000)
        return log, follower

    def until(self, follower: Follower, status: LogStatus, within: float) -> float:
        """Let time pass until that is the log's status; how long that took."""
        began = self.clock.seconds()
        while follower.stats.status is not status:
            self.assertLess(self.clock.seconds() - began, within, follower.stats)
            follower.run(0.1)
        return self.clock.seconds() - began


class StatusTests(BreakerCase):
    """What status a log has."""

    def test_outage(self) -> None:
        """Healthy, degraded, unhealthy, and healthy again after as many heads as configured."""
        log, follower = self.begin()
        statuses = [follower.stats.status]
        log.goes_down()
        with events("warn") as told:
            for status in (LogStatus.DEGRADED, LogStatus.UNHEALTHY):
                self.until(follower, status, 120)
                statuses.append(follower.stats.status)
            self.assertFalse(follower.poller.healthy)
            follower.run(300)
        self.assertEqual(statuses, ["healthy", "degraded", "unhealthy"])
        self.assertEqual(len(told), 1, told)
        self.assertIn("Its head is asked for every 60 s", told[0])
        log.comes_up()
        before = log.heads
        with events("info") as told:
            took = self.until(follower, LogStatus.HEALTHY, 65)
        self.assertLessEqual(took, 60 + 4)
        self.assertEqual(log.heads - before, 3)
        self.assertEqual(len(told), 1, told)
        self.assertTrue(follower.poller.healthy)
        self.assertEqual(follower.stats.consecutive_failures, 0)

    def test_thresholds_of_the_configuration(self) -> None:
        """How many failures and answers is as it was configured."""
        settings = PollSettings(
            retry_max_attempts=1,
            unhealthy_threshold=2,
            healthy_threshold=5,
            health_check_interval=10.0,
        )
        log, follower = self.begin(settings)
        log.goes_down()
        before = log.heads
        self.until(follower, LogStatus.UNHEALTHY, 30)
        self.assertEqual(log.heads - before, 2)
        log.comes_up()
        before = log.heads
        self.until(follower, LogStatus.HEALTHY, 20)
        self.assertEqual(log.heads - before, 5)

    def test_pace_is_no_sickness(self) -> None:
        """A log that asks for a slower pace, or whose replicas lag, stays healthy."""
        log, follower = self.begin(QUICK)
        for error in (Throttled("HTTP 429"), Throttled("HTTP 503", 1.0), Lagging("behind")):
            log.size += 50
            follower.run(1.5)
            log.entries_down = error
            log.size += 50
            follower.run(0.8)
            self.assertEqual(follower.stats.status, LogStatus.HEALTHY, error)
            log.comes_up()
            follower.run(1)
            log.heads_down = error if isinstance(error, Throttled) else None
            follower.run(20)
            self.assertEqual(follower.stats.status, LogStatus.HEALTHY, error)
            log.comes_up()
        follower.run(5)
        self.assertEqual(follower.stats.errors, {})
        self.assertEqual(follower.stats.position, log.size)

    def test_now_and_then(self) -> None:
        """Single failures make no difference; three in a row degrade, until three answers."""
        log, follower = self.begin(QUICK)
        for _ in range(20):
            log.head_faults = [DOWN, DOWN]
            follower.run(3)
            self.assertEqual(follower.stats.status, LogStatus.HEALTHY)
        log.head_faults = [DOWN] * 3
        self.until(follower, LogStatus.DEGRADED, 20)
        before = log.heads
        self.until(follower, LogStatus.HEALTHY, 60)
        self.assertEqual(log.heads - before, 3)

    def test_bad_signatures(self) -> None:
        """A log whose heads are not signed is unhealthy, and counted so."""
        log, follower = self.begin(QUICK)
        log.heads_down = BadSignature("another key")
        self.until(follower, LogStatus.UNHEALTHY, 120)
        self.assertGreaterEqual(follower.stats.head_errors, 15)

    def test_numbers(self) -> None:
        """Failed probes and the time of the last success are kept for who asks."""
        log, follower = self.begin(PollSettings(health_check_interval=10.0))
        success = follower.stats.last_success_at
        self.assertLessEqual(self.clock.seconds() - success, 2)
        log.goes_down()
        self.until(follower, LogStatus.UNHEALTHY, 120)
        self.assertEqual(follower.stats.health_checks_failed, 0)
        errors = follower.stats.head_errors
        follower.run(100)
        self.assertIn(follower.stats.health_checks_failed, range(9, 13))
        self.assertEqual(follower.stats.head_errors - errors, follower.stats.health_checks_failed)
        self.assertLess(follower.stats.last_success_at, self.clock.seconds() - 100)
        log.comes_up()
        follower.run(20)
        self.assertGreater(follower.stats.last_success_at, success + 100)


class RestTests(BreakerCase):
    """What is asked of a log that cannot be read."""

    def test_only_heads_and_rarely(self) -> None:
        """One head in each interval, shortened by chance, and nothing else at all."""
        log, follower = self.begin()
        log.size += 500
        log.goes_down()
        self.until(follower, LogStatus.UNHEALTHY, 120)
        asked, proofs, first = len(log.asked), log.proofs, log.heads
        position = follower.stats.position
        follower.run(1200)
        self.assertEqual((len(log.asked), log.proofs), (asked, proofs))
        self.assertEqual(follower.stats.position, position)
        looks = log.looks[first:]
        self.assertIn(len(looks), range(20, 26))
        intervals = [later - earlier for earlier, later in pairwise(looks)]
        self.assertGreaterEqual(min(intervals), 60 * SHORTEST_PROBE - 0.2)
        self.assertLessEqual(max(intervals), 60 + 0.2)
        self.assertGreater(max(intervals) - min(intervals), 3)

    def test_nothing_is_asked_before_it_is_well(self) -> None:
        """With the first heads nothing but heads; entries once there were enough."""
        log, follower = self.begin(PollSettings(health_check_interval=10.0, healthy_threshold=4))
        log.size += 500
        log.entries_down = DOWN
        self.until(follower, LogStatus.DEGRADED, 120)
        log.goes_down()
        self.until(follower, LogStatus.UNHEALTHY, 120)
        asked = len(log.asked)
        log.heads_down = None
        first = log.heads
        while log.heads - first < 4:
            self.assertEqual(len(log.asked), asked)
            follower.run(0.1)
        follower.run(0.2)
        # Entries still fail: it was given one request, and rests.
        self.assertEqual(len(log.asked), asked + 1)
        self.assertEqual(follower.stats.status, LogStatus.UNHEALTHY)

    def test_entries_alone(self) -> None:
        """Where heads come and no entries do, each interval has some heads and one request."""
        log, follower = self.begin(PollSettings(health_check_interval=10.0))
        log.size += 500
        log.entries_down = DOWN
        self.until(follower, LogStatus.UNHEALTHY, 120)
        asked, heads = len(log.asked), log.heads
        with events("warn") as told:
            follower.run(300)
        self.assertEqual(told, [])
        self.assertIn(len(log.asked) - asked, range(20, 31))
        self.assertLessEqual(log.heads - heads, 3.2 * (len(log.asked) - asked) + 3)
        self.assertEqual(follower.stats.status, LogStatus.UNHEALTHY)
        log.comes_up()
        follower.run(20)
        self.assertEqual(follower.stats.position, 1500)
        self.assertEqual(follower.stats.status, LogStatus.HEALTHY)

    def test_refused_for_long(self) -> None:
        """A log that answers everything but what it should has more time, and is unhealthy then."""
        for error in (Refused("refused", "HTTP 403", 403), BadBody("a page for people")):
            log, follower = self.begin()
            log.size += 500
            log.entries_down = error
            took = self.until(follower, LogStatus.UNHEALTHY, ALONE_SECONDS_ANSWERED + 120)
            self.assertGreater(took, ALONE_SECONDS_ANSWERED - 20)
            self.stop_all()

    def test_down_from_the_start(self) -> None:
        """A log that is down when the server starts is begun as if nothing had been."""
        log = DownLog(self.clock, 1000)
        log.goes_down()
        follower = self.follow(log, settings=QUICK)
        follower.run(120)
        self.assertEqual(follower.stats.status, LogStatus.UNHEALTHY)
        self.assertEqual((log.asked, log.proofs), ([], 0))
        log.comes_up()
        follower.run(5)
        self.assertEqual(follower.indexes, list(range(744, 1000)))
        self.assertEqual(follower.stats.verified_size, 1000)

    def test_never_heard_of(self) -> None:
        """Of a log that was asked for by name the first failure is told at once, and that it
        answers then; of others, and later, not before it is unhealthy."""
        for settings in (PollSettings(), PollSettings(asked_for_by_name=True)):
            log = DownLog(self.clock, 1000)
            log.goes_down()
            with events() as told:
                follower = self.follow(log, settings=settings)
                follower.run(3)
                self.assertEqual(len(told), int(settings.asked_for_by_name))
                log.comes_up()
                follower.run(10)
                for change in (log.goes_down, log.comes_up):
                    change()
                    follower.run(2)
            name = follower.stats.name
            expected = [
                f"{name} does not answer as a log, and is tried on: refused",
                f"{name} answers",
            ]
            about = [text for text in told if "answer" in text]
            self.assertEqual(about, expected if settings.asked_for_by_name else [])
            self.stop_all()

    def test_stopping(self) -> None:
        """A poller whose log rests stops at once."""
        log, follower = self.begin()
        log.goes_down()
        self.until(follower, LogStatus.UNHEALTHY, 120)
        follower.run(3)
        self.successResultOf(follower.poller.stopService())

    def test_clock_is_set_back(self) -> None:
        """A clock that is set back by a day does not put the next look off by a day."""
        log, follower = self.begin(PollSettings(health_check_interval=10.0))
        self.clock.advance(86_400)
        log.goes_down()
        self.until(follower, LogStatus.UNHEALTHY, 120)
        before = log.heads
        self.clock.rightNow -= 86_400
        for call in self.clock.getDelayedCalls():
            call.time -= 86_400  # what is due in seconds is due in seconds
        follower.run(21)
        self.assertGreater(log.heads, before)


class OutageEndTests(BreakerCase):
    """How soon a log is read on after an outage: within 5 s, where it is probed every 2."""

    def outage(self, lasts: float, *, hang: float = 0.0, what: str = "all") -> float:
        """Seconds from the end of an outage until all is read."""
        log, follower = self.begin(QUICK)
        log.hang = hang
        log.size += 300
        if what in ("all", "heads"):
            log.heads_down = DOWN
        if what in ("all", "entries"):
            log.entries_down = DOWN
        for _ in range(int(lasts * 2)):
            log.size += 5
            follower.run(0.5)
        follower.run(lasts % 0.5, step=0.05)
        log.comes_up()
        began = self.clock.seconds()
        while follower.stats.position < log.size:
            self.assertLess(self.clock.seconds() - began, 30, follower.stats)
            follower.run(0.1)
        self.assertEqual(follower.indexes, list(range(744, log.size)))
        self.stop_all()
        return self.clock.seconds() - began

    def test_within_five_seconds(self) -> None:
        """Whatever fails, for however long, and whether it fails at once or hangs."""
        for what in ("all", "heads", "entries"):
            for hang in (0.0, 1.0, 3.0):
                for lasts in (1.0, 7.3, 20.9, 45.4, 60.0, 91.7):
                    took = self.outage(lasts, hang=hang, what=what)
                    self.assertLess(took, 5, (what, hang, lasts))
