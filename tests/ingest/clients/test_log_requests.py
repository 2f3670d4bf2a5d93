"""Tests of certstream_tx.ingest.clients.log_requests."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.clients.log_requests import all_of
from certstream_tx.ingest.http.errors import BadBody, BadSignature, Throttled
from certstream_tx.ingest.pacing.pace import Pace
from tests.ingest.fronted_log import FrontedLog


class AllOfTests(SynchronousTestCase):
    """Several coroutines at once."""

    def setUp(self) -> None:
        self.waiting: list[Deferred[int]] = [Deferred(), Deferred(), Deferred()]
        self.all = Deferred.fromCoroutine(all_of(self.wait_for(each) for each in self.waiting))

    async def wait_for(self, waiting: "Deferred[int]") -> int:
        return await waiting

    def test_order(self) -> None:
        """Results stand in the order of the coroutines, not of their ends."""
        for number in (2, 0, 1):
            self.assertNoResult(self.all)
            self.waiting[number].callback(number)
        self.assertEqual(self.successResultOf(self.all), [0, 1, 2])

    def test_none(self) -> None:
        """Nothing to do is done at once."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(all_of([]))), [])

    def test_failure(self) -> None:
        """The first failure is raised as it is, and ends the others."""
        self.waiting[1].errback(BadBody("no"))
        self.failureResultOf(self.all, BadBody)
        for each in (self.waiting[0], self.waiting[2]):
            self.assertTrue(each.called)

    def test_cancelled(self) -> None:
        """Cancelling ends all of them."""
        self.all.cancel()
        self.failureResultOf(self.all, CancelledError)
        for each in self.waiting:
            self.assertTrue(each.called)


class CountingTests(SynchronousTestCase):
    """What is counted of a log's requests."""

    def test_kinds(self) -> None:
        """Failures by kind, bad signatures besides; throttling and our own mistakes are none."""
        fake = FrontedLog("rfc6962", 1)
        requests = fake.rfc6962()._requests
        for error in (
            BadBody("a"),
            BadBody("b", "too_large"),
            BadSignature("c"),
            Throttled("d"),
            CancelledError(),
            ZeroDivisionError(),
        ):
            with self.assertRaises(type(error)), requests.counting():
                raise error
        self.assertEqual(fake.stats.errors, {"bad_body": 1, "too_large": 1, "bad_signature": 1})
        self.assertEqual(fake.stats.bad_signatures, 1)


class SharedPaceTests(SynchronousTestCase):
    """Logs of one operator."""

    def test_shared(self) -> None:
        """Two logs of an operator share its pace, and take turns."""
        one = FrontedLog("rfc6962", 1000)
        other = FrontedLog("rfc6962", 1000, clock=one.clock)
        one.pace = other.pace = Pace(one.clock, 0.5)
        clients = [each.rfc6962() for each in (one, other)]
        head = one.head()
        for client in clients:
            for start in range(0, 768, 256):
                Deferred.fromCoroutine(client.entries(start, start + 256, head))
        counts = []
        for _ in range(6):
            counts.append((len(one.front.asked), len(other.front.asked)))
            one.clock.advance(0.5)
        self.assertEqual(counts, [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (3, 3)])
        self.assertEqual((one.stats.requests, other.stats.requests), (3, 3))
