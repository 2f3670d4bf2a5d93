"""The set of logs that are followed: one poller each, started and stopped as the lists change."""

from collections.abc import Callable, Iterable

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredLock

from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger

log = logger("certstream_tx.ingest.followed_logs")


class FollowedLogs(MultiService):
    """Holds the pollers; :meth:`follow` says which logs there should be."""

    def __init__(self, make_poller: Callable[[Log], IService]) -> None:
        MultiService.__init__(self)
        self._make_poller = make_poller
        self._pollers: dict[str, tuple[Log, IService]] = {}
        self._changing = DeferredLock()

    @property
    def logs(self) -> tuple[Log, ...]:
        """The logs followed now."""
        return tuple(followed for followed, _ in self._pollers.values())

    def follow(self, logs: Iterable[Log]) -> Deferred[None]:
        """Follow exactly these logs from now on.

        A log that is followed already and did not change is left alone; one whose URL, key or state
        changed is started anew from its position. Fires when all that had to stop have stopped.
        """
        wanted = {each.state_key: each for each in logs}
        return self._changing.run(lambda: Deferred.fromCoroutine(self._follow(wanted)))

    async def _follow(self, wanted: dict[str, Log]) -> None:
        for key, (followed, poller) in list(self._pollers.items()):
            replacement = wanted.get(key)
            if replacement == followed:
                continue
            del self._pollers[key]
            # The old poller must have ended before a new one of the same log begins:
            # two of them would both move its position.
            stopping = poller.disownServiceParent()
            if stopping is not None:
                await stopping
            if replacement is None:
                log.info("No longer following {name} ({url})", name=followed.name, url=followed.url)
        for key, new in wanted.items():
            if key not in self._pollers:
                poller = self._make_poller(new)
                self._pollers[key] = (new, poller)
                poller.setServiceParent(self)
