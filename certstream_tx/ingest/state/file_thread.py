"""One thread of our own for writing files, which waits for no other work."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class FileThread(Service):
    """Runs functions one after the other outside of the reactor's thread.

    The reactor's own threads look up host names: where a name server does not answer, all of them
    wait for it, and a position would be saved half a minute late.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        # No thread before the first use: twistd forks for a daemon, and threads do not follow.
        self._pool = ThreadPool(minthreads=0, maxthreads=1, name="files")

    def startService(self) -> None:
        """Take work from now on."""
        Service.startService(self)
        self._pool.start()

    def stopService(self) -> None:
        """Finish what was begun and end the thread."""
        Service.stopService(self)
        self._pool.stop()

    def run(self, work: Callable[[], None]) -> "Deferred[None]":
        """Fires when ``work`` was done, or fails with what it raised."""
        done: Deferred[None] = deferToThreadPool(self._reactor, self._pool, work)
        return done
