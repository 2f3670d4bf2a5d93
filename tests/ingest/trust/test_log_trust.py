"""Logs that are caught: changed entries, forks, forged heads, rollbacks."""

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import execute

from certstream_tx.ct.merkle import CompactRange, leaf_hash
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.http.errors import BadSignature, MerkleMismatch, Refused, Unavailable
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.state.evidence import Evidence
from certstream_tx.ingest.trust import verification as verification_module
from certstream_tx.ingest.trust.proving import AGAIN
from certstream_tx.ingest.trust.rollback import ROLLBACK_SECONDS
from tests.ingest.fake_log import FakeLog, Follower, events, hash_of, head_of, range_of
from tests.ingest.polling.test_poller import PollerCase


def other_hash(index: int) -> bytes:
    """Of an entry on the other branch of a fork."""
    return leaf_hash(b"other %d" % index)


class ForkingLog(FakeLog):
    """A log with two trees that part at an entry; both are proven, each by its own heads."""

    def __init__(self, *log: Any, fork: int, **more: Any) -> None:
        super().__init__(*log, **more)
        self.fork = fork
        self.on_branch = False
        self.entries_of_branch = False

    def branch(self, size: int) -> CompactRange:
        """The other tree."""
        tree = range_of(min(self.fork, size)).copy()
        tree.extend([other_hash(index) for index in range(self.fork, size)])
        return tree

    async def head(self) -> SignedHead:
        head = await super().head()
        if not self.on_branch:
            return head
        return SignedHead(head.size, head.timestamp, self.branch(head.size).root(), b"")

    def entry(self, index: int, changed: "set[int] | None" = None) -> Any:
        entry = super().entry(index, changed)
        if self.entries_of_branch and index >= self.fork:
            entry = entry._replace(leaf_hash=other_hash(index))
        return entry

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        if self.branch(head.size).root() == head.root:
            return self.branch(start)
        return await super().range_at(start, head)


class TrustCase(PollerCase):
    """A folder for evidence."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.evidence = Evidence(str(self.folder), self.clock, execute)

    def found(self, what: str = "") -> list[dict[str, Any]]:
        """The evidence, oldest first."""
        if not self.folder.exists():
            return []
        documents = [
            json.loads((self.folder / n).read_text()) for n in sorted(os.listdir(self.folder))
        ]
        return [document for document in documents if what in document["what"]]

    def caught_up(self, log: FakeLog, **around: Any) -> Follower:
        """A log that was read and verified to its head."""
        follower = self.follow(log, evidence=self.evidence, **around)
        follower.run(3)
        self.assertEqual(follower.stats.verified_size, log.size)
        return follower


class ChangedEntryTests(TrustCase):
    """Entries that are not those of the tree."""

    def test_slip(self) -> None:
        """What comes right the second time is handed on again, and all is verified as before."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.changed = {305, 307}
        log.slips = {305, 307}
        log.size = 320
        with events("warn") as told, events("error") as errors:
            follower.run(3)
        self.assertEqual((len(told), errors), (2, []), told)
        self.assertIn("2 of its entries", told[1])
        self.assertEqual(follower.indexes, [*range(44, 320), 305, 307])
        self.assertEqual([message.late for message in follower.published[-2:]], [True, True])
        self.assertEqual(follower.stats.corrected_entries, 2)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertFalse(follower.stats.inconsistent)
        log.size = 340
        follower.run(16)
        self.assertEqual(follower.stats.verified_size, 340)
        self.assertEqual(self.found(), [])

    def test_other_bounds(self) -> None:
        """The second reading asks for other pages than the first."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.changed = log.slips = {350}
        log.size = 420
        follower.run(10)
        self.assertEqual(follower.stats.corrected_entries, 1)
        self.assertEqual({*log.asked} & {*log.asked_again}, set())
        self.assertEqual(log.asked_again[0][0], 300)

    def test_second_reading_takes_patience(self) -> None:
        """It is tried again when it fails, while the log is read on."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.changed = log.slips = {305}
        log.again_faults = [Unavailable("server", "HTTP 500", 500)] * 5
        log.size = 320
        follower.run(2)
        self.assertEqual(follower.stats.root_mismatches, 1)
        self.assertNotEqual(log.again_faults, [])
        # No proof is asked for meanwhile: it would only confirm what is in doubt.
        self.assertFalse(follower.poller.verified)
        log.size = 330
        follower.run(30)
        self.assertEqual(follower.stats.corrected_entries, 1)
        self.assertEqual(follower.stats.verified_size, 330)

    def test_persists(self) -> None:
        """What stays wrong is evidence: which entry, what was served, what should have been."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.changed = {305}
        log.size = 320
        with events("error") as told:
            follower.run(3)
        self.assertIn("wrong are 305", told[0])
        self.assertIn(str(self.folder), told[1])
        self.assertTrue(follower.stats.inconsistent)
        (document,) = self.found("mismatch")
        self.assertEqual(document["range"], [300, 320])
        self.assertEqual(document["wrong_entries"], [305])
        self.assertEqual(document["heads"][0]["tree_size"], 320)
        self.assertEqual(document["verified"]["tree_size"], 300)
        self.assertEqual(document["verified_head"]["tree_size"], 300)
        (entry,) = document["entries"]
        self.assertEqual((entry["index"], entry["leaf_hash"]), (305, leaf_hash(b"changed").hex()))
        self.assertEqual(follower.indexes, list(range(44, 320)))
        follower.run(AGAIN[0] + 20)
        log.size = 340
        follower.run(20)
        self.assertEqual(follower.stats.verified_size, 340)
        self.assertTrue(follower.stats.inconsistent)
        self.assertEqual(len(self.found()), 1)

    def test_many_wrong(self) -> None:
        """Several wrong entries are all found, up to a bound."""
        for changed in ({301, 302, 318}, set(range(300, 320))):
            log = FakeLog(self.clock, 300)
            follower = self.caught_up(log)
            log.changed = set(changed)
            log.size = 320
            follower.run(3)
            wrong = self.found("mismatch")[-1]["wrong_entries"]
            self.assertEqual(wrong, sorted(changed)[:8])
            self.stop_all()

    def test_without_proofs(self) -> None:
        """A log that proves nothing is caught as well, if not at what."""
        log = FakeLog(self.clock, 300)
        follower = self.follow(log, evidence=self.evidence, positions=self.saved(200))
        follower.run(3)
        log.proof_faults = [Refused("not_found", "HTTP 404", 404)] * 1000
        log.changed = {305}
        log.size = 320
        with events("error") as told:
            follower.run(3)
        self.assertIn("does not prove which (HTTP 404)", told[0])
        (document,) = self.found("mismatch")
        self.assertEqual(document["range"], [300, 320])
        self.assertEqual(document["entries"], [])
        self.assertTrue(follower.stats.inconsistent)

    def test_far_from_heads(self) -> None:
        """In the midst of a long way to the head what was read is proven again and again."""
        self.patch(verification_module, "SPOT_EVERY", 500)
        log = FakeLog(self.clock, 10_000, latency=0.5)
        log.changed = {3210}
        follower = self.follow(log, evidence=self.evidence, positions=self.saved(0))
        while follower.stats.position < 2500:
            follower.run(1)
        self.assertGreater(follower.stats.verified_size, 1000)
        while follower.stats.position < 9000:
            follower.run(1)
        (document,) = self.found("mismatch")
        self.assertEqual(document["wrong_entries"], [3210])
        self.assertEqual(document["heads"][0]["tree_size"], 10_000)
        self.assertLess(document["range"][1], 4800)
        follower.run(200)
        self.assertEqual(follower.stats.verified_size, 10_000)

    def test_in_a_gap(self) -> None:
        """Entries that come late are held to the tree too, once more by another route."""
        for slips in (True, False):
            log = FakeLog(self.clock, 300)
            follower = self.caught_up(log)
            log.entry_faults = lambda start, end: (
                Refused("not_found", "HTTP 404", 404) if start <= 305 < end else None
            )
            log.size = 360
            follower.run(40)
            self.assertEqual(follower.stats.gaps_open, 1)
            log.entry_faults = lambda start, end: None
            log.changed = {305}
            log.slips = {305} if slips else set()
            follower.run(90)
            self.assertEqual(follower.stats.gaps_open, 0)
            self.assertEqual(follower.stats.root_mismatches, 1)
            self.assertEqual(follower.stats.inconsistent, not slips)
            self.assertEqual(follower.indexes.count(305), 2 if slips else 1)
            self.stop_all()

    def test_in_a_gap_after_a_restart(self) -> None:
        """The next process holds them to what the last one saved."""
        for slips in (True, False):
            log = FakeLog(self.clock, 300)
            positions = self.saved(200)
            self.caught_up(log, positions=positions)
            log.entry_faults = lambda start, end: (
                Refused("not_found", "HTTP 404", 404) if start <= 305 < end else None
            )
            log.size = 360
            self.followers[-1].run(40)
            self.stop_all()
            log.entry_faults = lambda start, end: None
            log.changed, log.slips = {305}, {305} if slips else set()
            follower = self.follow(log, evidence=self.evidence, positions=positions)
            follower.run(10)
            self.assertEqual(follower.stats.gaps_open, 0)
            self.assertEqual(follower.stats.root_mismatches, 1)
            self.assertEqual(follower.stats.inconsistent, not slips)
            self.assertEqual(follower.indexes, [305] * (1 + slips))
            self.stop_all()


class ContradictionTests(TrustCase):
    """Heads that cannot both be true."""

    def test_same_size(self) -> None:
        """Two roots of one size: both heads are kept for ever, told and counted once."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        forged = head_of(300, root=b"y" * 32)
        log.head_faults = [forged, forged, forged]
        with events("error") as told:
            follower.run(60)
        self.assertEqual(len([text for text in told if "two different trees" in text]), 1, told)
        self.assertEqual((follower.stats.contradictions, follower.stats.root_mismatches), (1, 1))
        self.assertTrue(follower.stats.inconsistent)
        (document,) = self.found("contradiction")
        self.assertEqual([head["tree_size"] for head in document["heads"]], [300, 300])
        log.size = 310
        follower.run(20)
        self.assertEqual(follower.stats.verified_size, 310)

    def test_forged_head_ahead(self) -> None:
        """A forged head that is reached before another comes is found out by the next one."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        # No honest head of this size is ever shown.
        log.size = 330
        log.head_faults = [head_of(310, root=b"y" * 32)]
        with events("error") as told:
            follower.run(60)
        self.assertTrue(follower.stats.inconsistent)
        self.assertEqual(follower.stats.contradictions, 1, told)
        (document,) = self.found("contradiction")
        self.assertEqual([head["tree_size"] for head in document["heads"]], [310, 330])
        self.assertEqual(follower.indexes, list(range(44, 330)))

    def test_older_head(self) -> None:
        """A smaller head that nobody compared is held against the newest, by a proof."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.size = 350
        follower.run(5)
        log.head_faults = [head_of(320), head_of(330, root=b"y" * 32)]
        with events("error") as told:
            follower.run(120)
        self.assertEqual(len([text for text in told if "not the beginning" in text]), 1, told)
        (document,) = self.found()
        self.assertEqual(document["heads"][0]["tree_size"], 330)
        self.assertEqual(document["proven"]["tree_size"], 330)
        self.assertEqual(follower.stats.contradictions, 1)
        self.assertEqual(follower.stats.verified_size, 350)

    def test_lagging_replicas(self) -> None:
        """Any number of older heads are no contradiction, and hardly cost a request."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        proofs: list[int] = []
        honest = log.range_at

        async def counted(start: int, head: SignedHead) -> CompactRange:
            proofs.append(start)
            return await honest(start, head)

        log.range_at = counted  # type: ignore[method-assign]
        for round in range(100):
            log.size += 7
            log.head_faults = [head_of(log.size - 3 - round % 40, self.now() - 5000)]
            follower.run(3)
        follower.run(60)
        self.assertEqual((follower.stats.contradictions, self.found()), (0, []))
        self.assertEqual(follower.stats.verified_size, log.size)
        self.assertLess(len(proofs), 400 / 30 + 3)
        self.assertGreater(follower.stats.head_regressions, 50)

    def now(self) -> int:
        """Milliseconds."""
        return int(self.clock.seconds() * 1000)

    def test_fork(self) -> None:
        """A log that goes on along another branch is caught by its own proofs."""
        for served in (True, False):
            self.clock.advance(1)
            log = ForkingLog(self.clock, 300, fork=290)
            follower = self.caught_up(log)
            log.on_branch = True
            log.entries_of_branch = served
            log.size = 320
            with events("error") as told:
                follower.run(5)
            self.assertTrue(any("does not extend" in text for text in told), told)
            self.assertTrue(any("not the beginning" in text for text in told), told)
            document = self.found("contradiction")[-1]
            self.assertEqual([head["tree_size"] for head in document["heads"]], [300, 320])
            self.assertTrue(follower.stats.inconsistent)
            log.size = 330
            follower.run(100)
            self.assertEqual(follower.indexes, list(range(44, 330)))
            self.stop_all()
            for name in os.listdir(self.folder):
                os.unlink(self.folder / name)

    def test_fork_while_away(self) -> None:
        """A fork that happened while nobody looked is caught by what was saved."""
        log = ForkingLog(self.clock, 300, fork=290)
        positions = self.saved(200)
        self.caught_up(log, positions=positions)
        self.stop_all()
        log.on_branch = log.entries_of_branch = True
        log.size = 320
        follower = self.follow(log, evidence=self.evidence, positions=positions)
        follower.run(5)
        self.assertTrue(follower.stats.inconsistent)
        (document,) = self.found("contradiction")
        self.assertEqual([head["tree_size"] for head in document["heads"]], [300, 320])


class StopTests(TrustCase):
    """``on_inconsistency: stop``."""

    settings = PollSettings(on_inconsistency="stop")

    def test_stops(self) -> None:
        """The log is not read on, and keeps its position; others are none of its business."""
        for cause in ("entry", "head"):
            log = FakeLog(self.clock, 300)
            follower = self.caught_up(log, settings=self.settings)
            if cause == "entry":
                log.changed = {305}
                log.size = 310
            else:
                log.head_faults = [head_of(300, root=b"y" * 32)]
            with events("error") as told:
                follower.run(20)
            self.assertTrue(any("not followed any more" in text for text in told), told)
            self.assertTrue(follower.stats.stopped)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            position = follower.stats.position
            log.size = 400
            follower.run(600, 1)
            self.assertEqual(follower.stats.position, position)
            self.assertEqual(follower.poller.snapshot().position, position)
            self.stop_all()
            for name in os.listdir(self.folder):
                os.unlink(self.folder / name)

    def test_stays_stopped(self) -> None:
        """After a restart too, until the evidence is moved away."""
        log = FakeLog(self.clock, 300)
        positions = self.saved(200)
        follower = self.caught_up(log, settings=self.settings, positions=positions)
        log.head_faults = [head_of(300, root=b"y" * 32)]
        follower.run(20)
        self.stop_all()
        log.size = 310
        with events("error") as told:
            again = self.follow(
                log, evidence=self.evidence, positions=positions, settings=self.settings
            )
            again.run(60)
        self.assertEqual((again.published, len(told)), ([], 1))
        self.assertIn(str(self.folder), told[0])
        self.assertTrue(again.stats.stopped and again.stats.inconsistent)
        self.stop_all()
        for name in os.listdir(self.folder):
            os.rename(self.folder / name, self.folder / f"{name}.seen")
        last = self.follow(log, evidence=self.evidence, positions=positions, settings=self.settings)
        last.run(5)
        self.assertEqual(last.indexes, list(range(300, 310)))
        self.assertFalse(last.stats.stopped or last.stats.inconsistent)

    def test_continues(self) -> None:
        """By default it is read on, and known as inconsistent after a restart as well."""
        log = FakeLog(self.clock, 300)
        positions = self.saved(200)
        follower = self.caught_up(log, positions=positions)
        log.head_faults = [head_of(300, root=b"y" * 32)]
        follower.run(20)
        self.stop_all()
        log.size = 310
        again = self.follow(log, evidence=self.evidence, positions=positions)
        again.run(5)
        self.assertEqual(again.indexes, list(range(300, 310)))
        self.assertTrue(again.stats.inconsistent)


class RollbackTests(TrustCase):
    """Logs that show less than they did."""

    def test_rollback(self) -> None:
        """Nothing but smaller trees, signed anew, for an hour: told once, and kept."""
        self.clock.advance(1000)
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.size = 280
        follower.run(ROLLBACK_SECONDS - 120, 1)
        self.assertFalse(follower.stats.rolled_back)
        with events("error") as told:
            follower.run(1800, 1)
        self.assertTrue(follower.stats.rolled_back)
        self.assertEqual((follower.stats.rollbacks, len(told)), (1, 2), told)
        (document,) = self.found("rollback")
        self.assertEqual([head["tree_size"] for head in document["heads"]], [300, 280])
        self.assertEqual(follower.stats.contradictions, 0)
        log.size = 320
        with events("info") as told:
            follower.run(60)
        self.assertTrue(any("has again" in text for text in told), told)
        self.assertFalse(follower.stats.rolled_back)
        self.assertEqual(follower.indexes, list(range(44, 320)))
        self.assertEqual(follower.stats.verified_size, 320)

    def test_lagging(self) -> None:
        """Replicas that lag for hours are none, as long as one of them does not, or none is new."""
        self.clock.advance(1000)
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        old = head_of(280, int(self.clock.seconds() * 1000) - 60_000)
        log.head_faults = [old] * 100_000
        follower.run(3 * ROLLBACK_SECONDS, 2)
        self.assertGreater(follower.stats.head_regressions, 100)
        self.assertEqual((follower.stats.rollbacks, follower.stats.rolled_back), (0, False))
        log.head_faults = []
        for _ in range(20):
            log.size = 280
            follower.run(ROLLBACK_SECONDS / 4, 1)
            log.size = 300
            follower.run(40, 1)
        self.assertEqual(follower.stats.rollbacks, 0)
        self.assertEqual(self.found(), [])


class SignatureStormTests(TrustCase):
    """Heads that the key did not sign."""

    def test_storm(self) -> None:
        """Thousands of them move nothing and are counted; the first true head is taken."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.head_faults = [BadSignature("not by this key")] * 5000
        log.size = 900
        with events("error") as told:
            follower.run(600)
        self.assertEqual(follower.stats.position, 300)
        self.assertEqual(follower.stats.head_size, 300)
        self.assertEqual(len(told), 1, told)
        self.assertFalse(follower.stats.inconsistent)
        log.head_faults = []
        follower.run(90)
        self.assertEqual(follower.indexes, list(range(44, 900)))


class ProofTests(TrustCase):
    """Proofs that do not prove."""

    def test_wrong_proofs_prove_nothing(self) -> None:
        """A gateway that mixes up proofs is no reason to call a log inconsistent."""
        log = FakeLog(self.clock, 300)
        follower = self.caught_up(log)
        log.size = 350
        follower.run(5)
        log.proof_faults = [MerkleMismatch("entry 320 is not proven")] * 50
        log.head_faults = [head_of(size) for size in range(320, 340)]
        follower.run(400)
        self.assertEqual((follower.stats.contradictions, self.found()), (0, []))
        self.assertFalse(follower.stats.inconsistent)


assert hash_of(0) != other_hash(0)
