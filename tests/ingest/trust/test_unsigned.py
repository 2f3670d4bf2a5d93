"""What nobody signed is held against nobody."""

from dataclasses import replace
from typing import Any

from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.stats import LogStats
from tests.ingest.fake_log import FakeLog, Follower, events, head_of
from tests.ingest.trust.test_log_trust import ForkingLog, TrustCase

STOP = PollSettings(on_inconsistency="stop")
LOG = Log("Test log", "https://log.example", "rfc6962", operator="Example")


class UnsignedTests(TrustCase):
    """Logs whose key is not known, and what a list of logs says."""

    def keyless(self, log: FakeLog) -> Follower:
        """Read up to its head, of which no signature can be checked."""
        stats = LogStats("Test log", "https://log.example", "rfc6962", None, None, keyless=True)
        follower = self.follow(log, evidence=self.evidence, stats=stats, settings=STOP)
        follower.run(3)
        self.assertEqual(follower.stats.position, log.size)
        return follower

    def assert_not_accused(self, follower: Follower, told: list[str], errors: list[str]) -> None:
        """It is told, and that is all."""
        self.assertTrue(any("nothing is held against it" in text for text in told), told)
        self.assertEqual((errors, self.found()), ([], []))
        self.assertFalse(follower.stats.inconsistent)
        self.assertFalse(follower.stats.stopped)
        self.assertGreater(follower.stats.root_mismatches, 0)

    def test_damaged_head(self) -> None:
        """A head damaged on its way, which no signature tells."""
        log = FakeLog(self.clock, 300)
        follower = self.keyless(log)
        log.head_faults = [head_of(300, root=b"y" * 32)]
        with events("warn") as told, events("error") as errors:
            follower.run(20)
        self.assert_not_accused(follower, told, errors)

    def test_damaged_head_of_growth(self) -> None:
        """One of a tree that is not there: the entries do not lead to it, however often."""
        log = FakeLog(self.clock, 300)
        follower = self.keyless(log)
        log.size = 320
        log.head_faults = [head_of(320, root=b"y" * 32)]
        with events("warn") as told, events("error") as errors:
            follower.run(100)
        self.assert_not_accused(follower, told, errors)
        self.assertEqual(follower.indexes, list(range(44, 320)))

    def test_fork(self) -> None:
        """Two trees, none of them signed."""
        log = ForkingLog(self.clock, 300, fork=280)
        follower = self.keyless(log)
        log.on_branch = log.entries_of_branch = True
        log.size = 320
        with events("warn") as told, events("error") as errors:
            follower.run(100)
        self.assert_not_accused(follower, told, errors)

    def test_wrong_list(self) -> None:
        """A list that names another last root than the log signed, before or after it was read."""
        for size, saved in ((300, 300), (320, 200)):
            log = FakeLog(self.clock, size)
            listed = replace(LOG, state="readonly", final_size=300, final_root=b"z" * 32)
            around: dict[str, Any] = {"log": listed, "positions": self.saved(saved)}
            with events("warn") as told, events("error") as errors:
                follower = self.follow(log, evidence=self.evidence, settings=STOP, **around)
                follower.run(100)
            self.assert_not_accused(follower, told, errors)
            self.stop_all()

    def test_signed(self) -> None:
        """The same heads are proof where they are signed."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        heads: list[Exception | SignedHead] = [head_of(300, root=b"y" * 32)]
        log.head_faults = heads
        follower.run(20)
        self.assertTrue(follower.stats.inconsistent)
        self.assertEqual(len(self.found()), 1)
