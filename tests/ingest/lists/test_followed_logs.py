"""Tests of :mod:`certstream_tx.ingest.lists.followed_logs`."""

from dataclasses import replace

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.lists.followed_logs import FollowedLogs


class SlowlyStopping(Service):
    """A poller that takes its time to stop."""

    def __init__(self, followed: Log) -> None:
        self.log = followed
        self.stopped: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return self.stopped


def made_log(name: str) -> Log:
    return Log(
        name=name,
        url=f"https://{name}.example/log",
        kind="rfc6962",
        log_id=None,
        key=None,
        operator=None,
        state="usable",
        interval=None,
        final_size=None,
        final_root=None,
        origin=None,
        mmd=None,
    )


class FollowedLogsTests(SynchronousTestCase):
    """Starting and stopping pollers as the wanted logs change."""

    def setUp(self) -> None:
        self.made: list[SlowlyStopping] = []
        self.followed = FollowedLogs(self.make)
        self.followed.startService()

    def make(self, log: Log) -> SlowlyStopping:
        self.made.append(SlowlyStopping(log))
        return self.made[-1]

    def test_starts_each_once(self) -> None:
        """A log that is followed already is left alone."""
        one, two = made_log("one"), made_log("two")
        self.successResultOf(self.followed.follow([one]))
        self.successResultOf(self.followed.follow([one, two]))
        self.assertEqual([poller.log for poller in self.made], [one, two])
        self.assertTrue(all(poller.running for poller in self.made))
        self.assertEqual(self.followed.logs, (one, two))

    def test_stops_what_is_gone(self) -> None:
        """A log that is no longer wanted is stopped, the others run on."""
        one, two = made_log("one"), made_log("two")
        self.successResultOf(self.followed.follow([one, two]))
        done = self.followed.follow([two])
        self.assertFalse(self.made[0].running)
        self.assertTrue(self.made[1].running)
        self.assertNoResult(done)
        self.made[0].stopped.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.followed.logs, (two,))

    def test_changed_log_starts_after_the_old_one_ended(self) -> None:
        """Never two pollers of one log at a time."""
        one = made_log("one")
        self.successResultOf(self.followed.follow([one]))
        self.followed.follow([replace(one, state="readonly")])
        self.assertEqual(len(self.made), 1)
        self.made[0].stopped.callback(None)
        self.assertEqual(len(self.made), 2)
        self.assertTrue(self.made[1].running)

    def test_changes_wait_for_each_other(self) -> None:
        """A second change while the first is under way comes after it."""
        one, two = made_log("one"), made_log("two")
        self.successResultOf(self.followed.follow([one]))
        self.followed.follow([])
        last = self.followed.follow([two])
        self.assertEqual(len(self.made), 1)
        self.made[0].stopped.callback(None)
        self.successResultOf(last)
        self.assertEqual(self.followed.logs, (two,))
