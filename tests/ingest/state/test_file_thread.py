"""Tests of :mod:`certstream_tx.ingest.state.file_thread`."""

from threading import current_thread, main_thread
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from certstream_tx.ingest.state.file_thread import FileThread


class FileThreadTests(TestCase):
    """Work outside of the reactor's thread, in order."""

    def setUp(self) -> None:
        self.files = FileThread(reactor)
        self.files.startService()
        self.addCleanup(self.files.stopService)

    async def test_one_after_the_other(self) -> None:
        """All in one thread that is not the reactor's, in the order they came."""
        done: list[tuple[int, Any]] = []
        await gatherResults(
            [self.files.run(lambda i=i: done.append((i, current_thread()))) for i in range(20)]
        )
        self.assertEqual([i for i, _ in done], list(range(20)))
        threads = {thread for _, thread in done}
        self.assertEqual(len(threads), 1)
        self.assertNotIn(main_thread(), threads)

    async def test_failure(self) -> None:
        """What the work raises is what the Deferred fails with, and the thread goes on."""

        def fails() -> None:
            raise OSError("no space left")

        with self.assertRaises(OSError):
            await self.files.run(fails)
        await self.files.run(lambda: None)

    async def test_reactor_threads_are_not_needed(self) -> None:
        """It works while the reactor's own threads are not even started."""
        await self.files.run(lambda: None)
        self.assertIsNot(self.files._pool, reactor.getThreadPool())  # type: ignore[attr-defined]
