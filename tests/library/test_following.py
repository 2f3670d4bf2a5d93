"""Tests of certstream_tx.library.following, against a demonstration log on the loopback."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from certstream_tx import ConfigError, Entry, Log, follow
from certstream_tx.ct.signatures import SignatureError
from certstream_tx.demo.service import DemoLogs

SIZE = 1000
FAST = {"poll_interval_ms": 20, "partial_tile_wait_secs": 0}


class FollowTests(TestCase):
    """A log of 1000 entries that grows by 100 a second."""

    timeout = 20

    def setUp(self) -> None:
        self.demo = DemoLogs(reactor, rate=200, size=SIZE)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        self.log, self.tiled = self.demo.logs

    async def first(self, count: int, **how: Any) -> list[Entry]:
        """So many entries."""
        taken: list[Entry] = []
        async with follow(reactor, how.pop("log", self.log), **FAST, **how) as entries:
            async for entry in entries:
                taken.append(entry)
                if len(taken) == count:
                    break
        return taken

    async def test_from_the_start(self) -> None:
        """Every entry, in order, beyond what there was at first."""
        for log in (self.log, self.tiled):
            taken = await self.first(SIZE + 10, log=log, start=0)
            self.assertEqual([entry.index for entry in taken], list(range(SIZE + 10)))

    async def test_goes_on(self) -> None:
        """At the index that it is given."""
        taken = await self.first(3, start=700)
        self.assertEqual([entry.index for entry in taken], [700, 701, 702])

    async def test_before_the_newest(self) -> None:
        """So many of them."""
        (entry,) = await self.first(1, start=-600)
        self.assertGreaterEqual(entry.index, SIZE - 600)
        self.assertLess(entry.index, SIZE)

    async def test_from_now_on(self) -> None:
        """Nothing of what there was."""
        (entry,) = await self.first(1)
        self.assertGreaterEqual(entry.index, SIZE)

    async def test_verified(self) -> None:
        """What is proven is told."""
        async with follow(reactor, self.log, start=0, **FAST) as entries:
            async for _ in entries:
                if entries.stats.verified_size > SIZE:
                    break
        self.assertEqual(entries.stats.verification, "verified")

    async def test_slow_reader(self) -> None:
        """The log is not read ahead of who takes nothing, but for some pages."""
        demo = DemoLogs(reactor, rate=1, size=20_000, kinds=["rfc6962"])
        demo.startService()
        self.addCleanup(demo.stopService)
        (log,) = demo.logs
        async with follow(reactor, log, start=0, max_waiting=10, batch_size=64, **FAST) as entries:
            await anext(entries)
            await deferLater(reactor, 0.5)  # type: ignore[arg-type]
            self.assertLessEqual(entries.stats.position, 20)
            asked = entries.stats.requests
            await deferLater(reactor, 0.3)  # type: ignore[arg-type]
            # The head goes on being looked at; no entries are asked for.
            self.assertLess(asked, 40)
            self.assertLessEqual(entries.stats.position, 20)

    async def test_cancelled(self) -> None:
        """While it waits: all ends, and nothing is left in the reactor."""
        waiting = Deferred.fromCoroutine(self.first(10**9))
        await deferLater(reactor, 0.2)  # type: ignore[arg-type]
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting

    async def test_only_within(self) -> None:
        """Entries are had within the block, and it is entered once."""
        following = follow(reactor, self.log)
        with self.assertRaises(RuntimeError):
            await anext(following)
        async with following:
            pass
        with self.assertRaises(RuntimeError):
            await anext(following)
        with self.assertRaises(RuntimeError):
            async with following:
                pass


class RefusalTests(SynchronousTestCase):
    """What makes no sense is said at once."""

    def refused(self, expected: type[Exception], make: Callable[[], object], text: str) -> None:
        self.assertIn(text, str(self.assertRaises(expected, make)))

    def test_refusals(self) -> None:
        """Settings, keys and counts."""
        log = Log("a", "https://a.example", "rfc6962")
        bad_key = Log("a", "https://a.example", "rfc6962", key=b"nothing")
        self.refused(ConfigError, lambda: follow(reactor, log, pol="x"), "ct_log.pol")
        self.refused(ConfigError, lambda: follow(reactor, log, batch_size=-1), "ct_log.batch_size")
        self.refused(ValueError, lambda: follow(reactor, log, max_waiting=0), "max_waiting")
        self.assertRaises(SignatureError, follow, reactor, bad_key)
