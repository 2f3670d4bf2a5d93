"""When the built-in logs are followed: on request, or because no public log answers."""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger
from certstream_tx.ingest.lists.followed_logs import FollowedLogs

log = logger("certstream_tx")

PATIENCE = 10.0
"""seconds the public logs are given before the demonstration takes their place"""


class BuiltInLogs(Protocol):
    """Logs of the server's own, as a service that provides them while it runs."""

    @property
    def logs(self) -> Sequence[Log]:
        """The logs, once the service runs."""
        ...

    def setServiceParent(self, parent: MultiService) -> None:
        """Run with this one."""
        ...


class Demonstration(MultiService):
    """The built-in logs, served and followed.

    :param make: makes the logs, once they are wanted: few servers ever want them
    """

    def __init__(self, make: Callable[[], BuiltInLogs], followed: FollowedLogs) -> None:
        MultiService.__init__(self)
        self._make = make
        self._followed = followed

    def startService(self) -> None:
        """Serve the logs, then follow them as any other."""
        if self.running:
            return
        built_in = self._make()
        built_in.setServiceParent(self)
        self._followed.setServiceParent(self)
        MultiService.startService(self)
        self._followed.follow(built_in.logs)
        log.info("Following demonstration logs: their certificates are made up from real ones")


class OfflineFallback(Service):
    """Follows the demonstration logs instead of the public ones if none of those answers."""

    def __init__(
        self,
        clock: IReactorTime,
        answered: Callable[[], bool],
        followed: FollowedLogs,
        demonstration: Demonstration,
    ) -> None:
        self._clock = clock
        self._answered = answered
        self._followed = followed
        self._demonstration = demonstration
        self._judgement: IDelayedCall | None = None

    def startService(self) -> None:
        """Give the public logs their time."""
        super().startService()
        self._judgement = self._clock.callLater(PATIENCE, self._judge)

    def stopService(self) -> None:
        """Judge no more."""
        super().stopService()
        if self._judgement is not None and self._judgement.active():
            self._judgement.cancel()

    def _judge(self) -> None:
        if self._answered():
            return
        log.warn(
            "No public log answered within {seconds:.0f} s: demonstration logs are followed"
            " instead, until the next start",
            seconds=PATIENCE,
        )
        stopped: Deferred[None] = self._followed.close()
        stopped.addErrback(lambda failure: log.failure("while leaving the public logs", failure))
        assert self.parent is not None, "it runs as a part of the server"
        self._demonstration.setServiceParent(self.parent)
