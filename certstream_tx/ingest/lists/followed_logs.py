"""The set of logs that are followed: one poller each, started and stopped as the lists change."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.python.failure import Failure

from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger
from certstream_tx.ingest.polling.poller import LogPoller

log = logger("certstream_tx.ingest.lists.followed_logs")


class FollowedLogs(MultiService):
    """Holds the pollers; :meth:`follow` says which logs there should be.

    ``read_out`` waits until all that is to be had of a log that is being followed was read.
    """

    def __init__(
        self,
        make_poller: Callable[[Log], IService],
        read_out: Callable[[Log], Coroutine[Any, Any, None]] = lambda log: _nothing(),
    ) -> None:
        MultiService.__init__(self)
        self._make_poller = make_poller
        self._read_out = read_out
        self._pollers: dict[str, tuple[Log, IService]] = {}
        self._leaving: dict[str, Deferred[None]] = {}
        self._changing = DeferredLock()
        self._closed = False

    @property
    def logs(self) -> tuple[Log, ...]:
        """The logs followed now, those that are leaving among them."""
        return tuple(followed for followed, _ in self._pollers.values())

    def is_leaving(self, followed: Log) -> bool:
        """Whether a log is only followed until it was read to its end."""
        return followed.state_key in self._leaving

    def try_gaps(self) -> None:
        """Have what is missing of all of them tried now."""
        pollers = [each for _, each in self._pollers.values() if isinstance(each, LogPoller)]
        if missing := sum(each.try_gaps() for each in pollers):
            log.info("{count} missing entries are tried again now", count=missing)

    def follow(
        self, logs: Iterable[Log], to_be_read_out: Callable[[Log], bool] = lambda log: False
    ) -> Deferred[None]:
        """Follow exactly these logs from now on.

        A log that is followed already and did not change is left alone; one whose URL, key or state
        changed is started anew from its position. Of those that are not among them any more, those
        ``to_be_read_out`` are stopped once they were, unless another log took their URL. Fires when
        all others that had to stop have stopped.
        """
        wanted = {} if self._closed else {each.state_key: each for each in logs}
        return self._changing.run(
            lambda: Deferred.fromCoroutine(self._follow(wanted, to_be_read_out))
        )

    def close(self) -> Deferred[None]:
        """Follow none from now on, whoever asks for some later."""
        self._closed = True
        return self.follow(())

    def stopService(self) -> "Deferred[None]":
        """Stop them all, read out or not."""
        for key in list(self._leaving):
            self._stay(key)
        stopped: Deferred[None] = MultiService.stopService(self)
        return stopped

    async def _follow(self, wanted: dict[str, Log], to_be_read_out: Callable[[Log], bool]) -> None:
        urls = {each.url for each in wanted.values()}
        for key, (followed, _) in list(self._pollers.items()):
            replacement = wanted.get(key)
            if replacement is None and followed.url not in urls and to_be_read_out(followed):
                self._leave(key, followed)
                continue
            self._stay(key)
            if replacement != followed:
                await self._stop(key, told=replacement is None and not self._closed)
        for key, new in wanted.items():
            if key not in self._pollers:
                poller = self._make_poller(new)
                self._pollers[key] = (new, poller)
                poller.setServiceParent(self)

    async def _stop(self, key: str, *, told: bool) -> None:
        """End a poller. It must have ended before a new one of the same log begins: two of them
        would both move its position."""
        followed, poller = self._pollers.pop(key)
        stopping = poller.disownServiceParent()
        if stopping is not None:
            await stopping
        if told:
            log.info("No longer following {name} ({url})", name=followed.name, url=followed.url)

    def _leave(self, key: str, followed: Log) -> None:
        """Stop a log once it was read out."""
        if key not in self._leaving:
            leaving = self._leaving[key] = Deferred.fromCoroutine(self._read_out(followed))
            leaving.addCallbacks(lambda _: self._left(key), _cancelled)
            leaving.addErrback(_failed)

    def _stay(self, key: str) -> None:
        """A log is wanted again, or not even until it was read out."""
        leaving = self._leaving.pop(key, None)
        if leaving is not None:
            leaving.cancel()

    def _left(self, key: str) -> None:
        async def stop() -> None:
            # It may have been wanted again, and was then left alone, while this waited.
            if self._leaving.pop(key, None) is not None:
                await self._stop(key, told=True)

        self._changing.run(lambda: Deferred.fromCoroutine(stop())).addErrback(_failed)


async def _nothing() -> None:
    """There is nothing to wait for."""


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


def _failed(failure: Failure) -> None:
    log.failure("An error of this program while a log was left", failure)
