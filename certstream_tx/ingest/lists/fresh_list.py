"""One list of logs, from disk at the start, from the network hourly: the freshest good one."""

from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import NamedTuple, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.log_list import MAX_LIST_BYTES, LogList, LogListError
from certstream_tx.events import logger
from certstream_tx.ingest.http.errors import FetchError
from certstream_tx.ingest.lists.list_cache import MAX_SIGNATURE_BYTES, ListCache, SignedList
from certstream_tx.ingest.lists.list_source import ListKey, NoKey, Offer, objection, signature_url
from certstream_tx.ingest.lists.troubles import Troubles
from certstream_tx.ingest.pacing.backoff import backoff_delay

log = logger("certstream_tx.ingest.lists.fresh_list")

FIRST_REFRESH = 2.0
"""Seconds after the start: the logs come first, their list is at hand already."""
RETRY_INITIAL = 60.0
RETRY_LONGEST = 3600.0
"""Seconds between attempts while the list cannot be had."""
JITTER = 0.1
"""Share of the interval by which it varies, so that many servers do not ask at once."""
MAX_AGE = 70 * 86_400.0
"""Seconds. Chrome itself stops relying on a list that is older than ten weeks."""
MAX_PROBLEMS_TOLD = 10


class Fetches(Protocol):
    """What is asked of the network."""

    async def get(self, url: str, *, max_bytes: int) -> bytes:
        """The body of a good answer; raises FetchError."""
        ...


class Around(NamedTuple):
    """What every list is given.

    :param interval: seconds between two looks for a fresher list; 0: only at the start
    :param in_thread: runs a function outside of the reactor's thread
    :param changed: called with every list that takes the place of another after the start
    :param followed: how many logs are followed now
    """

    fetcher: Fetches
    clock: IReactorTime
    in_thread: Callable[[Callable[[], None]], "Deferred[None]"]
    rng: Random
    interval: float
    cache_folder: str | None
    changed: Callable[[LogList], object]
    followed: Callable[[], int]


class FreshList(Service):
    """Gives the freshest list of one URL at once, and looks for a fresher one from time to time."""

    def __init__(
        self,
        url: str,
        key: ListKey | NoKey,
        around: Around,
        *,
        packaged: SignedList | None = None,
        way_out: str = "",
    ) -> None:
        """``packaged``: what there is to begin with; ``way_out``: told when the key is not the one
        that signed the list."""
        self._url = url
        self._key = key
        self._fetcher = around.fetcher
        self._clock = around.clock
        self._in_thread = around.in_thread
        self._rng = around.rng
        self._interval = around.interval
        self._changed = around.changed
        self._followed = around.followed
        self._packaged = packaged
        self._way_out = way_out
        self._cache: ListCache | None = None
        if around.cache_folder is not None:
            self._cache = ListCache(around.cache_folder, url)
        self._current: Offer | None = None
        self._troubles = Troubles(url)
        self._running: Deferred[None] | None = None

    @property
    def signed(self) -> bool:
        """Whether somebody signs it."""
        return isinstance(self._key, ListKey)

    @property
    def current(self) -> LogList | None:
        """The list in force; None while there is none."""
        return None if self._current is None else self._current.log_list

    @property
    def age(self) -> float | None:
        """Seconds since the list in force was made; None when it does not say."""
        if self.current is None or not self.current.timestamp:
            return None
        return max(0.0, self._clock.seconds() - self.current.timestamp)

    def load(self) -> LogList | None:
        """The freshest list on disk that verifies; to be called once, before the start."""
        sources = [*self._cached(), *([] if self._packaged is None else [self._packaged])]
        good = [offer for offer in map(self._read_from_disk, sources) if offer is not None]
        if not good:
            log.info("There is no log list yet: it is read from {url}", url=self._url)
            return None
        # Of two that are equally fresh the first counts: the cached one is of this URL.
        self._take(max(good, key=lambda offer: offer.log_list.timestamp))
        return self.current

    def startService(self) -> None:
        """Begin to look for fresher lists."""
        Service.startService(self)
        self._running = Deferred.fromCoroutine(self._keep_fresh())

    def stopService(self) -> "Deferred[None] | None":
        """Stop looking; a request under way is cancelled."""
        Service.stopService(self)
        running, self._running = self._running, None
        if running is None:
            return None
        running.addErrback(_ended)
        running.cancel()
        return running

    async def refresh(self) -> bool:
        """Ask for the list once, now; False when it could not be had."""
        try:
            source = await self._fetch()
            if source is None:
                self._troubles.over()
                return True
            offer = self._key.read(source)
        except CancelledError:
            raise
        except FetchError as error:
            self._troubles.tell(
                error.kind, "The log list {url} cannot be read: {reason}", error.reason
            )
            return False
        except LogListError as error:
            self._refuse("unusable", f"{error}{self._way_out}")
            return False
        if against := objection(offer, self._current, outdated=self._outdated()):
            way_out = ""
            if against.kind == "shrunk" and self._cache is not None:
                way_out = f"; if that is meant, remove {self._cache.folder} and start again"
            self._refuse(against.kind, against.reason + way_out)
            return True
        self._troubles.over()
        self._take(offer)
        await self._store(offer)
        self._announce(offer.log_list)
        return True

    async def _fetch(self) -> SignedList | None:
        """The list as it is now; None when it is the one in force.

        The signature comes first: when it did not change, neither did the list.
        """
        known = None if self._current is None else self._current.source.signature
        signature = b""
        if self.signed:
            address = signature_url(self._url)
            signature = await self._fetcher.get(address, max_bytes=MAX_SIGNATURE_BYTES)
            if signature == known:
                return None
        data = await self._fetcher.get(self._url, max_bytes=MAX_LIST_BYTES)
        if not self.signed:
            signature = sha256(data).digest()
            if signature == known:
                return None
        return SignedList(data, signature, self._url)

    async def _keep_fresh(self) -> None:
        interval = self._interval
        failures = 0
        delay = FIRST_REFRESH if self._current is not None else 0.0
        while True:
            await deferLater(self._clock, delay * self._rng.uniform(1 - JITTER, 1 + JITTER))
            try:
                failures = 0 if await self.refresh() else failures + 1
            except CancelledError:
                raise
            except Exception:
                log.failure("An error of this program while the log list was refreshed")
                failures += 1
            self._tell_age()
            if failures:
                longest = min(RETRY_LONGEST, interval or RETRY_LONGEST)
                delay = backoff_delay(failures, RETRY_INITIAL, longest, self._rng)
            elif interval:
                delay = interval
            else:
                return

    # Reading

    def _cached(self) -> list[SignedList]:
        if self._cache is None:
            return []
        try:
            return self._cache.load()
        except OSError as error:
            log.warn(
                "The log lists in {folder} cannot be read: {reason}",
                folder=self._cache.folder,
                reason=error.strerror or error,
            )
            return []

    def _read_from_disk(self, source: SignedList) -> Offer | None:
        try:
            return self._key.read(source)
        except LogListError as error:
            log.debug("The log list of {origin}: {reason}", origin=source.origin, reason=error)
            return None

    # Using

    def _take(self, offer: Offer) -> None:
        # Its bytes are not needed any more: the signature tells whether another one differs.
        self._current = offer._replace(source=offer.source._replace(data=b""))
        new = offer.log_list
        age = self.age
        aged = "" if age is None else " {age} days old,"
        log.info(
            "Log list {version} of {date}," + aged + " from {origin}: {live} live logs,"
            " {count} followed",
            version=new.version or "without version",
            date=offer.date,
            age=None if age is None else round(age / 86_400),
            origin=offer.source.origin,
            live=offer.live,
            count=self._followed(),
        )
        for problem in new.problems[:MAX_PROBLEMS_TOLD]:
            log.warn("Left out of the log list: {problem}", problem=problem)
        self._troubles.may_come_again("age")
        self._tell_age()

    def _announce(self, log_list: LogList) -> None:
        try:
            self._changed(log_list)
        except Exception:
            log.failure("The new log list could not be put to use")

    async def _store(self, offer: Offer) -> None:
        cache, source = self._cache, offer.source
        if cache is None:
            return

        def write() -> None:
            cache.store(source.data, source.signature, offer.log_list.timestamp)

        try:
            await self._in_thread(write)
        except CancelledError:
            raise
        except OSError as error:
            reason = f"{error.strerror or error} ({cache.folder})"
            self._troubles.tell(
                "cache", "The log list {url} could not be kept on disk: {reason}", reason
            )

    # Telling

    def _outdated(self) -> bool:
        return self.age is not None and self.age > MAX_AGE

    def _tell_age(self) -> None:
        if self._outdated():
            days = f"{round((self.age or 0.0) / 86_400)} days old"
            self._troubles.tell(
                "age",
                "The log list in use is {reason}: logs that came since are missing. Is {url} "
                "within reach?",
                days,
            )

    def _refuse(self, kind: str, reason: str) -> None:
        self._troubles.tell(kind, "The log list {url} is not used: {reason}", reason)


def _ended(failure: Failure) -> None:
    """The end of a service that was stopped."""
    failure.trap(CancelledError)
