"""Reading entries a second time: by other bounds, past caches, with what was served."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ingest.clients.log_client import LogClient, Served
from certstream_tx.ingest.http.errors import BadBody, Refused
from tests.ingest.faults import Answer
from tests.ingest.fronted_log import FrontedLog


class AgainCase(SynchronousTestCase):
    """A log, its client, and what was asked."""

    def start(self, kind: Any, size: int) -> None:
        """A log of so many entries."""
        self.fake = FrontedLog(kind, size)
        self.client: LogClient = self.fake.rfc6962() if kind == "rfc6962" else self.fake.static()
        self.head = self.fake.head()

    def again(self, start: int, end: int) -> "Deferred[list[Served]]":
        """Ask for entries a second time."""
        return Deferred.fromCoroutine(self.client.entries_again(start, end, self.head))

    def first(self, start: int, end: int) -> list[Any]:
        """Ask for them as usual."""
        return self.successResultOf(
            Deferred.fromCoroutine(self.client.entries(start, end, self.head))
        )

    def check(self, served: list[Served], start: int) -> None:
        """They are those of the log, with their leaves."""
        truth = self.fake.leaf_hashes(start, start + len(served))
        for index, each in enumerate(served, start):
            self.assertEqual(each.entry.index, index)
            self.assertEqual(each.entry.leaf_hash, truth[index - start])
            self.assertEqual(leaf_hash(each.leaf_input), truth[index - start])

    def fresh(self) -> list[bool]:
        """Of each request since the last look, whether caches were to be passed by."""
        headers = list(self.fake.front.headers)
        self.fake.front.headers.clear()
        return [each.getRawHeaders("cache-control") == ["no-cache"] for each in headers]


class RFC6962Tests(AgainCase):
    """get-entries."""

    def setUp(self) -> None:
        self.start("rfc6962", 1000)

    def test_other_bounds(self) -> None:
        """No page that was asked for before, wherever reading begins, never more than wanted."""
        for start in (0, 256, 300, 999):
            first = self.first(start, min(start + 256 - start % 256, 1000))
            usual = self.fake.asked()
            self.fresh()
            at = start
            while at < start + len(first):
                served = self.successResultOf(self.again(at, start + len(first)))
                self.check(served, at)
                at += len(served)
            self.assertEqual(at, start + len(first))
            if len(first) > 1:
                self.assertEqual({*usual} & {*self.fake.asked()}, set())
            self.assertTrue(all(self.fresh()))

    def test_usual_requests_may_be_cached(self) -> None:
        """Only the second reading bothers the log itself."""
        self.first(0, 256)
        self.assertEqual(self.fresh(), [False])

    def test_failures(self) -> None:
        """They are those of the first reading, and teach nothing."""
        depth = self.client.depth
        self.fake.front.next.append(Answer(404))
        self.failureResultOf(self.again(0, 10), Refused)
        self.fake.front.next.append(Answer(200, b"<html>"))
        self.failureResultOf(self.again(0, 10), BadBody)
        self.assertEqual(self.fake.stats.errors, {"not_found": 1, "bad_body": 1})
        self.assertEqual(self.client.depth, depth)
        self.failureResultOf(self.again(10, 10), ValueError)
        self.failureResultOf(self.again(10, 1001), ValueError)


class StaticTests(AgainCase):
    """Tiles."""

    def setUp(self) -> None:
        self.start("tiled", 700)

    def test_tile(self) -> None:
        """The tile itself, past caches, up to its end."""
        for start, end, path in (
            (0, 256, "tile/data/000"),
            (300, 600, "tile/data/001"),
            (600, 690, "tile/data/002.p/188"),
        ):
            self.fake.asked()
            self.fresh()
            served = self.successResultOf(self.again(start, end))
            self.check(served, start)
            self.assertEqual(len(served), min(end, start + 256 - start % 256) - start)
            asked = self.fake.asked()
            self.assertEqual([each for each in asked if "issuer" not in each], [path])
            self.assertTrue(self.fresh()[0])

    def test_full_by_now(self) -> None:
        """A tile that was partial at first is read by the width it has now."""
        self.first(600, 700)
        self.fake.log.add(100)
        self.head = self.fake.head()
        self.fake.asked()
        self.check(self.successResultOf(self.again(600, 700)), 600)
        self.assertEqual(self.fake.asked(), ["tile/data/002"])
