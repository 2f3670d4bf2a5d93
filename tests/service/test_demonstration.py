"""Tests of :mod:`certstream_tx.service.demonstration`."""

from twisted.application.service import MultiService, Service
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log
from certstream_tx.demo.service import DemoLogs
from certstream_tx.ingest.lists.followed_logs import FollowedLogs
from certstream_tx.service.demonstration import PATIENCE, Demonstration, OfflineFallback
from tests.events import collected_events


class DemonstrationTests(SynchronousTestCase):
    """When the built-in logs are followed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answered = False
        self.public = FollowedLogs(lambda log: Service())
        self.own = FollowedLogs(lambda log: Service())
        self.public.follow([Log(name="a", url="https://a.example", kind="rfc6962")])
        self.demonstration = Demonstration(lambda: DemoLogs(MemoryReactorClock()), self.own)
        self.server = MultiService()

    def fall_back(self) -> None:
        self.server.addService(self.public)
        OfflineFallback(
            self.clock, lambda: self.answered, self.public, self.demonstration
        ).setServiceParent(self.server)
        self.server.startService()

    def names(self) -> list[str]:
        return [log.name for log in (*self.public.logs, *self.own.logs)]

    def test_follows_both_logs(self) -> None:
        """One of each kind, which say what they are."""
        self.demonstration.startService()
        self.assertEqual({log.kind for log in self.own.logs}, {"rfc6962", "tiled"})
        self.assertTrue(all("demonstration" in log.name for log in self.own.logs))
        self.successResultOf(self.demonstration.stopService())

    def test_public_logs_answer(self) -> None:
        """They stay."""
        self.fall_back()
        self.answered = True
        self.clock.advance(PATIENCE)
        self.assertEqual(self.names(), ["a"])

    def test_no_public_log_answers(self) -> None:
        """The demonstration takes their place, and stops with the server."""
        self.fall_back()
        self.clock.advance(PATIENCE - 1)
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(1)
        self.assertEqual(len(self.names()), 2)
        self.assertNotIn("a", self.names())
        self.successResultOf(self.server.stopService())
        self.assertFalse(self.demonstration.running)

    def test_never_both(self) -> None:
        """A list that comes later does not bring the public logs back among made-up ones."""
        self.fall_back()
        self.clock.advance(PATIENCE)
        with collected_events() as events:
            self.public.follow([Log(name="late", url="https://late.example", kind="rfc6962")])
        self.assertNotIn("late", self.names())
        self.assertEqual(events, [])
        self.successResultOf(self.server.stopService())

    def test_one_line(self) -> None:
        """However many logs there were, that they are left is one line."""
        self.public.follow(
            Log(name=str(i), url=f"https://{i}.example", kind="rfc6962") for i in range(50)
        )
        self.fall_back()
        with collected_events() as events:
            self.clock.advance(PATIENCE)
        about = [event for event in events if "No" in event["log_format"]]
        self.assertEqual(len(about), 1)
        self.successResultOf(self.server.stopService())

    def test_stopped_before_it_is_decided(self) -> None:
        """No timer is left behind."""
        self.fall_back()
        self.server.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.names(), ["a"])
