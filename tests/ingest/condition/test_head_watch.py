"""The newest head of a log, as far as its answers let it be known."""

from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.condition.cadence import LONGEST
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import Unavailable
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import FakeLog, events, head_of


class HeadWatchTests(SynchronousTestCase):
    """A log whose heads are told beforehand."""

    def watch(self, *heads: SignedHead | Exception, final_size: int | None = None) -> HeadWatch:
        """Look until all of these have come."""
        self.clock = Clock()
        self.client = FakeLog(self.clock, 0)
        self.client.head_faults = list(heads)
        self.stats = LogStats("Test log", "https://log.example", "rfc6962", None, None)
        self.seen: list[SignedHead] = []
        state = None if final_size is None else "readonly"
        watch = HeadWatch(
            Log("Test log", "https://log.example", "rfc6962", state=state, final_size=final_size),
            self.client,
            self.clock,
            self.stats,
            Outcomes(self.stats, PollSettings(), Random(1), self.clock),
            1.0,
            Random(2),
            seen=self.seen.append,
            behind=lambda: False,
        )
        self.watching = Deferred.fromCoroutine(watch.watch())
        self.watching.addErrback(lambda failure: failure.trap(CancelledError))
        self.addCleanup(self.watching.cancel)
        while self.client.head_faults:
            self.clock.advance(0.1)
            self.assertLess(self.clock.seconds(), LONGEST * (len(heads) + 1))
        self.clock.advance(0)
        return watch

    def test_the_largest_rules(self) -> None:
        """A replica that lags is counted and passed on, and changes nothing."""
        heads = [head_of(100), head_of(90), head_of(120)]
        watch = self.watch(*heads[:2])
        self.assertEqual(watch.newest, heads[0])
        self.assertEqual((self.stats.head_size, self.stats.head_regressions), (100, 1))
        watch = self.watch(*heads)
        self.assertEqual(watch.newest, heads[2])
        self.assertEqual(self.seen, heads)

    def test_same_size(self) -> None:
        """A later head of the same tree takes the place of the former, one of another tree not."""
        former, later, other = head_of(100, 1000), head_of(100, 2000), head_of(100, 3000, bytes(32))
        watch = self.watch(former, later, other)
        self.assertEqual(watch.newest, later)
        self.assertEqual(self.seen, [former, later, other])

    def test_failures(self) -> None:
        """After a failure it goes on."""
        watch = self.watch(Unavailable("connect", "refused"), head_of(100))
        self.assertEqual(watch.newest, head_of(100))

    def test_read_only(self) -> None:
        """A log that ended is read to where its list says; that it shows more is told."""
        with events("warn") as told:
            watch = self.watch(head_of(120), final_size=100)
        self.assertEqual(watch.limit(head_of(120)), 100)
        self.assertEqual(watch.limit(head_of(80)), 80)
        self.assertEqual(len(told), 1)
        self.assertIn("read-only", told[0])

    def test_reaching(self) -> None:
        """Who needs a head of some size gets the first one that is as large."""
        watch = self.watch(head_of(100))
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(watch.reaching(100))), head_of(100)
        )
        waiting = Deferred.fromCoroutine(watch.reaching(101))
        self.client.head_faults = [head_of(100), head_of(130)]
        while self.client.head_faults:
            self.assertNoResult(waiting)
            self.clock.advance(0.1)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), head_of(130))
