"""The pipeline under random answers: every index comes, in order, once."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import BadBody, Lagging, Refused, Throttled, Unavailable
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.pipeline import Pipeline
from certstream_tx.ingest.polling.ranges import GIVE_UP_SECONDS
from certstream_tx.ingest.polling.wanted import BATCHES_BEHIND
from certstream_tx.ingest.state.gaps import Unreadable
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import FakeLog, head_of

FAULTS = (
    Unavailable("cut", "connection lost"),
    Refused("refused", "HTTP 403", 403),
    BadBody("no JSON"),
    Throttled("HTTP 429", 2.0),
    Lagging("need tree size"),
    RuntimeError("a bug"),
)


class RandomLog(FakeLog):
    """Answers late, short, wrongly, at sizes of page that change."""

    def __init__(self, clock: Clock, size: int, rng: Random) -> None:
        super().__init__(clock, size)
        self.rng = rng

    def span(self, position: int, head_size: int) -> int | None:
        self.page = self.rng.choice((1, 8, 32, 50))
        self.depth = self.rng.randint(1, 6)
        return super().span(position, head_size) if self.rng.random() < 0.9 else None

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        self.latency = self.rng.choice((0.0, 0.1, 3.0))
        await deferLater(self.clock, self.latency)
        if self.rng.random() < 0.3:
            raise self.rng.choice(FAULTS)
        return [self.entry(index) for index in range(start, self.rng.randint(start + 1, end))]


class PipelineTests(SynchronousTestCase):
    """What comes out is what went in."""

    def pipeline(self, log: FakeLog, clock: Clock, budget: Budget, position: int) -> Pipeline:
        """A pipeline from a position on, of a log that is asked whatever comes of it: it would be
        heads that tell when an unhealthy one is to be asked again."""
        stats = LogStats("Test", "https://log.example", "rfc6962", None, None)
        outcomes = Outcomes(stats, PollSettings(unhealthy_threshold=10**6), Random(2), clock)
        return Pipeline(log, budget, clock, outcomes, position)

    @settings(deadline=None, max_examples=60)
    @given(seed=st.integers(0, 2**32), position=st.integers(0, 100), size=st.integers(101, 400))
    def test_everything_in_order(self, seed: int, position: int, size: int) -> None:
        """Whatever answers come, and however slowly they are read."""
        clock, rng, budget = Clock(), Random(seed), Budget(100)
        log = RandomLog(clock, size, rng)
        pipeline = self.pipeline(log, clock, budget, position)
        got: list[int] = []

        async def consume() -> None:
            while True:
                entries = await pipeline.next()
                await deferLater(clock, rng.choice((0.0, 0.5)))
                if isinstance(entries, Unreadable):
                    self.assertGreaterEqual(clock.seconds() - entries.since, GIVE_UP_SECONDS)
                    got.extend(range(entries.start, entries.end))
                else:
                    got.extend(entry.index for entry in entries)

        consuming = Deferred.fromCoroutine(consume())
        for head in [*sorted(rng.randint(position, size) for _ in range(5)), size]:
            pipeline.follow(head_of(head), head)
            clock.pump([0.5] * rng.randint(0, 30))
        for _ in range(10_000):
            if len(got) >= size - position:
                break
            clock.advance(0.5)
        self.assertEqual(got, list(range(position, size)))
        consuming.addErrback(lambda _: None).cancel()
        pipeline.close()
        clock.advance(10)
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertTrue(budget.take(100))
        self.flushLoggedErrors(RuntimeError)

    def test_bound(self) -> None:
        """What nobody reads is not fetched on and on."""
        clock = Clock()
        log = FakeLog(clock, 6400)
        pipeline = self.pipeline(log, clock, Budget(10_000), 0)
        pipeline.follow(head_of(6400), 6400)
        clock.pump([1] * 20)
        self.assertEqual(len(log.asked), log.depth + BATCHES_BEHIND)
        self.assertTrue(pipeline.behind)
        for read in range(1, 5):
            self.assertEqual(len(self.successResultOf(Deferred.fromCoroutine(pipeline.next()))), 32)
            clock.advance(1)
            self.assertEqual(len(log.asked), log.depth + BATCHES_BEHIND + read)
        pipeline.close()

    def test_budget(self) -> None:
        """Entries are charged from asking to reading, and no longer."""
        clock = Clock()
        budget = Budget(3 * 32)
        log = FakeLog(clock, 6400)
        pipeline = self.pipeline(log, clock, budget, 0)
        pipeline.follow(head_of(6400), 6400)
        clock.advance(1)
        self.assertEqual(len(log.asked), 3)
        self.assertFalse(budget.take(1))
        for read in range(1, 5):
            self.successResultOf(Deferred.fromCoroutine(pipeline.next()))
            clock.advance(1)
            # While a batch is read it still counts, only what follows it may be asked beyond.
            self.assertEqual(len(log.asked), 3 + read - 1)
        pipeline.close()
        self.assertTrue(budget.take(96))

    def test_freed_by_another(self) -> None:
        """A log that waits for the budget goes on when another one gives its share back."""
        clock = Clock()
        budget = Budget(64)
        first, second = FakeLog(clock, 640), FakeLog(clock, 640, latency=1.0)
        one = self.pipeline(first, clock, budget, 0)
        one.follow(head_of(640), 640)
        other = self.pipeline(second, clock, budget, 0)
        other.follow(head_of(640), 640)
        clock.advance(0.5)
        self.assertEqual(second.asked, [(0, 32)])
        one.close()
        self.assertEqual(second.asked, [(0, 32), (32, 64)])
        other.close()

    def test_range_grows_with_the_head(self) -> None:
        """The last range, when it failed, is asked again up to the newest head."""
        clock = Clock()
        log = FakeLog(clock, 10)
        faults: list[Exception] = [Unavailable("cut", "lost")] * 2
        log.entry_faults = lambda start, end: faults.pop() if faults else None
        pipeline = self.pipeline(log, clock, Budget(), 0)
        pipeline.follow(head_of(10), 10)
        while faults:
            clock.advance(0.01)
        pipeline.follow(head_of(30), 30)
        clock.advance(1)
        self.assertEqual(log.asked, [(0, 10), (0, 10), (0, 30)])
        pipeline.close()

    def test_first_range_waits_while_there_is_no_budget(self) -> None:
        """What all others wait for is asked for again, though they have taken all the budget."""
        clock = Clock()
        log = FakeLog(clock, 100, page=10)
        faults: list[Exception] = [Unavailable("cut", "lost")]
        log.entry_faults = lambda start, end: faults.pop() if start == 0 and faults else None
        pipeline = self.pipeline(log, clock, Budget(30), 0)
        pipeline.follow(head_of(100), 100)
        clock.pump([0.001] * 5 + [0.5])
        self.assertEqual(log.asked, [(0, 10), (10, 20), (20, 30), (30, 40), (0, 10)])
        self.assertEqual(len(self.successResultOf(Deferred.fromCoroutine(pipeline.next()))), 10)
        pipeline.close()

    def test_one_probe(self) -> None:
        """A log that fails repeatedly is asked for one range at a time, each after a wait."""
        clock = Clock()
        log = FakeLog(clock, 6400)
        log.entry_faults = lambda start, end: Unavailable("connect", "refused")
        pipeline = self.pipeline(log, clock, Budget(), 0)
        pipeline.follow(head_of(6400), 6400)
        clock.pump([0.1] * 600)
        log.most_in_flight = 0
        before = len(log.asked)
        clock.pump([0.1] * 600)
        self.assertEqual(log.most_in_flight, 1)
        self.assertLess(len(log.asked) - before, 60)
        self.assertGreater(len(log.asked) - before, 12)
        pipeline.close()
