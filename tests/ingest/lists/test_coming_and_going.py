"""Logs that come and go: what becomes of their pollers as the list changes from hour to hour."""

from base64 import b64encode
from dataclasses import replace
from typing import Any

from twisted.internet.defer import succeed

from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.http.errors import Throttled
from certstream_tx.ingest.lists.followed_logs import FollowedLogs
from certstream_tx.ingest.lists.leaving import LAST_HEAD, PATIENCE, read_out
from certstream_tx.ingest.polling.poller import LogPoller
from certstream_tx.ingest.state.gaps import Unreadable
from certstream_tx.ingest.state.positions import Positions
from certstream_tx.service.live import ChosenLogs
from tests.ingest.fake_log import FakeLog, Follower, range_of
from tests.ingest.lists.made_lists import DAY, listed, log_key, made_list
from tests.ingest.lists.test_log_lists import HOUR, PACKAGED_AT, LogListsTestCase


def hold(start: int, end: int) -> Throttled:
    """No entries for now, which is no failure."""
    return Throttled("HTTP 429")


class ComingAndGoingTests(LogListsTestCase):
    """Ten listed logs of 1000 entries behind real pollers; time passes, lists are published."""

    def setUp(self) -> None:
        super().setUp()
        self.logs: dict[str, FakeLog] = {}
        self.followers: list[Follower] = []
        self.positions = Positions(None, self.clock, lambda write: succeed(write()))
        self.followed = FollowedLogs(
            self.make_poller, lambda log: read_out(self.follower(log).stats, self.clock)
        )
        self.lists = self.made(changed=lambda _: self.chosen.follow(), log_refresh_interval_secs=60)
        self.chosen = ChosenLogs(self.lists, self.followed, lambda config: None)
        self.days = 1.0
        self.lists.load()
        self.publish(map(listed, range(10)))
        self.chosen.follow()
        self.followed.startService()
        self.lists.startService()
        self.addCleanup(self.stop)
        self.run_for(120)

    def stop(self) -> None:
        self.lists.stopService()
        self.successResultOf(self.followed.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def make_poller(self, log: Log) -> LogPoller:
        client = self.logs.setdefault(log.url, FakeLog(self.clock, 1000, page=250))
        self.followers.append(Follower(self.clock, client, log=log, positions=self.positions))
        return self.followers[-1].poller

    def follower(self, log: Log) -> Follower:
        """The last one of a log."""
        return [f for f in self.followers if f.log.state_key == log.state_key][-1]

    def of(self, number: int) -> list[Follower]:
        """All there were of a log, first one first."""
        return [f for f in self.followers if f.log.key == log_key(number)]

    def publish(self, logs: Any) -> None:
        self.days += 0.01
        self.network.offer(made_list(logs, PACKAGED_AT + self.days * DAY))

    def run_for(self, seconds: float) -> None:
        self.clock.pump([2.0] * int(seconds / 2))

    def without(self, *gone: int) -> list[dict[str, Any]]:
        return [listed(number) for number in range(10) if number not in gone]

    def test_added(self) -> None:
        """A new log starts, the others are left alone."""
        self.publish(map(listed, range(11)))
        self.run_for(120)
        self.assertEqual(self.of(10)[0].stats.position, 1000)
        self.assertEqual(len(self.followers), 11)

    def test_gaps_by_hand(self) -> None:
        """What is missing of any of them is tried again at once when somebody asks."""
        log = self.logs[self.of(3)[0].log.url]
        follower = self.of(3)[0]
        follower.poller._skip(Unreadable(1000, 1010, "HTTP 404", 3, 0.0), 3600.0)
        log.size = 1010
        self.run_for(60)
        self.assertEqual(follower.stats.gap_entries, 10)
        self.followed.try_gaps()
        self.run_for(10)
        self.assertEqual(follower.stats.gap_entries, 0)

    def test_removed_and_retired(self) -> None:
        """Each is read on to the last head it signed, then stopped, its position kept."""
        gone = (
            [],
            [listed(3, "retired")],
            [listed(3, "rejected")],
            [listed(3, state=None)],
        )
        for size, what in enumerate(gone, 1):
            self.publish(self.without())
            self.run_for(130)
            follower = self.of(3)[-1]
            log = self.logs[follower.log.url]
            log.entry_faults = hold
            log.size += 60
            self.publish(self.without(3) + what)
            self.run_for(70)
            log.entry_faults = lambda start, end: None
            self.assertTrue(follower.poller.running, "still read")
            self.run_for(2 * LAST_HEAD)
            self.assertFalse(follower.poller.running)
            self.assertEqual(follower.stats.position, log.size)
            saved = self.positions.position_of(follower.log.state_key)
            assert saved is not None
            self.assertEqual((saved.position, len(self.of(3))), (log.size, size))
            self.assertNotIn(follower.log, self.followed.logs)
            asked = len(log.looks)
            self.run_for(200)
            self.assertEqual(len(log.looks), asked, "nothing more is asked of it")

    def test_gone_and_silent(self) -> None:
        """One that does not answer any more is given up after a while."""
        (follower,) = self.of(3)
        log = self.logs[follower.log.url]
        log.size += 10
        self.run_for(1)
        log.entry_faults = lambda start, end: ConnectionError()
        log.head_faults = [ConnectionError() for _ in range(10_000)]
        follower.stats.head_size += 10
        self.publish(self.without(3))
        self.run_for(PATIENCE)
        self.assertTrue(follower.poller.running)
        self.run_for(200)
        self.assertFalse(follower.poller.running)
        self.flushLoggedErrors()

    def test_back_before_it_was_read_out(self) -> None:
        """A log that comes back meanwhile is left alone, as if nothing had been."""
        (follower,) = self.of(3)
        self.logs[follower.log.url].entry_faults = hold
        self.logs[follower.log.url].size += 10_000
        self.publish(self.without(3))
        self.run_for(70)
        self.assertTrue(self.followed.is_leaving(follower.log))
        self.publish(self.without())
        self.run_for(70)
        self.assertFalse(self.followed.is_leaving(follower.log))
        self.run_for(2 * LAST_HEAD)
        self.assertTrue(follower.poller.running)
        self.assertEqual(len(self.of(3)), 1)

    def test_retired_when_first_seen(self) -> None:
        """Is never asked anything."""
        self.publish([*self.without(), listed(10, "retired"), listed(11, "rejected")])
        self.run_for(200)
        self.assertEqual(self.of(10) + self.of(11), [])

    def test_readonly(self) -> None:
        """Goes on from its position to the final head of the list, and no further."""
        log = self.logs[self.of(3)[0].log.url]
        log.size = 1400
        final = listed(3, state=None)
        root = range_of(1200).root()
        tree_head = {"tree_size": 1200, "sha256_root_hash": b64encode(root).decode()}
        final["state"] = {"readonly": {"final_tree_head": tree_head}}
        log.entry_faults = hold
        self.publish([*self.without(3), final])
        self.run_for(70)
        log.entry_faults = lambda start, end: None
        self.run_for(200)
        first, second = self.of(3)
        self.assertFalse(first.poller.running)
        self.assertEqual(second.indexes, list(range(first.stats.position, 1200)))
        self.assertEqual(second.stats.verified_size, 1200)

    def test_another_url(self) -> None:
        """Only that log's poller is started anew, and reads on where the other one was."""
        before = self.of(3)[0]
        self.logs["https://new.example"] = FakeLog(self.clock, 1100)
        self.publish([*self.without(3), listed(3, url="https://new.example/")])
        self.run_for(120)
        _, after = self.of(3)
        self.assertFalse(before.poller.running)
        self.assertEqual(after.indexes, list(range(1000, 1100)))
        self.assertEqual(after.stats.verified_size, 1100)
        self.assertEqual(len(self.followers), 11)

    def test_another_key(self) -> None:
        """Is another log: it begins before its head. The one whose URL it took ends at once."""
        (before,) = self.of(3)
        self.publish([*self.without(3), listed(11, url=listed(3)["url"])])
        self.run_for(70)
        (after,) = self.of(11)
        self.assertFalse(before.poller.running)
        self.assertEqual(after.stats.started_at, 744)
        self.assertIsNotNone(self.positions.position_of(before.log.state_key))

    def test_excluded(self) -> None:
        """What the configuration does not want is stopped at once, read out or not; what left the
        lists before goes on."""
        for number in (3, 4, 5):
            log = self.logs[self.of(number)[0].log.url]
            log.entry_faults = hold
            log.size += 10_000
        self.publish(self.without(3, 4))
        self.run_for(70)
        config = self.lists.config
        ct_log = replace(config.ct_log, excluded_logs=("log 4", "log 5"))
        self.chosen.prepare(replace(config, ct_log=ct_log))()
        self.assertEqual(
            [bool(self.of(number)[0].poller.running) for number in (3, 4, 5, 6)],
            [True, False, False, True],
        )

    def test_bad_lists_change_nothing(self) -> None:
        """Older, half as long, empty, changed after it was signed: every log is followed on."""
        good = dict(self.network.there)
        for days, numbers in ((-1, range(10)), (5, range(4)), (6, range(0))):
            self.network.offer(made_list(map(listed, numbers), PACKAGED_AT + days * DAY))
            self.run_for(70)
        self.network.there = good | {
            url: body + b" " for url, body in good.items() if isinstance(body, bytes)
        }
        self.run_for(HOUR / 10)
        self.assertEqual(len(self.followed.logs), 10)
        self.assertTrue(all(f.poller.running for f in self.followers))
        self.assertEqual(len(self.followers), 10)
