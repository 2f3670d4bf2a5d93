"""When the built-in logs are followed: on request, or because no public log answers."""

from collections.abc import Callable

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.demo.service import DemoLogs
from certstream_tx.events import logger
from certstream_tx.ingest.lists.followed_logs import FollowedLogs

log = logger("certstream_tx")

PATIENCE = 10.0
"""seconds the public logs are given before the demonstration takes their place"""


class Demonstration(MultiService):
    """The built-in logs, served and followed."""

    def __init__(self, demo_logs: DemoLogs, followed: FollowedLogs) -> None:
        MultiService.__init__(self)
        self._demo_logs = demo_logs
        self._followed = followed

    def startService(self) -> None:
        """Serve the logs, then follow them as any other."""
        if self.running:
            return
        for part in (self._demo_logs, self._followed):
            part.setServiceParent(self)
        MultiService.startService(self)
        self._followed.follow(self._demo_logs.logs)
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
