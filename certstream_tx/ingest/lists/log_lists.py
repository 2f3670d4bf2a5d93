"""The service that knows which logs there are: the lists, kept fresh, and what is chosen."""

from collections.abc import Callable
from random import Random
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from certstream_tx.config import Config
from certstream_tx.ct.log_list import Log, LogList
from certstream_tx.events import logger
from certstream_tx.ingest.lists.fresh_list import Around, Fetches, FreshList
from certstream_tx.ingest.lists.list_cache import SignedList
from certstream_tx.ingest.lists.list_source import ListKey, NoKey, Packaged, packaged_list
from certstream_tx.ingest.lists.log_selection import followed, united, unmatched_names

log = logger("certstream_tx.ingest.lists.log_lists")

NOT_CHROMES: Final = (
    ". Unless ct_log.list_key names another key (PEM, RSA), a list must be signed by"
    " Chrome's; logs of your own can also be named in custom_logs and static_logs"
)
"""For somebody whose list is not signed as it should be."""
NOT_SIGNED: Final = (
    ". Unless it has a key (PEM, RSA) of its own in additional_log_lists, or stands there with"
    " signed: false, a list must be signed by Chrome's"
)


class LogLists(Service):
    """Gives the logs of the freshest lists at once, and looks for fresher ones from time to time.

    There is the list at ``ct_logs_url``, and there may be further ones: each is read, kept on disk
    and refused on its own, so that none is worse off for another. ``changed`` is called with every
    list that takes the place of the one before. ``in_thread`` runs a function outside of the
    reactor's thread.
    """

    def __init__(
        self,
        config: Config,
        fetcher: Fetches,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], None]], "Deferred[None]"],
        changed: Callable[[LogList], object],
        rng: Random,
        *,
        packaged: Packaged | None = None,
    ) -> None:
        """Raises ConfigError when the key of a list cannot be read."""
        packaged = packaged or packaged_list()
        self.config = config
        """by which logs are chosen"""
        self._changed = changed
        around = Around(
            fetcher,
            clock,
            in_thread,
            rng,
            float(config.ct_log.log_refresh_interval_secs),
            config.list_cache,
            self._list_changed,
            lambda: len(self.followed()),
        )
        self._main = _main_list(config, packaged, around)
        additional = [
            FreshList(
                each.url,
                _key_of(each.key, packaged, f"additional_log_lists[{place}].key")
                if each.signed
                else NoKey(),
                around,
                way_out=NOT_SIGNED if each.signed and each.key is None else _named(each.key),
            )
            for place, each in enumerate(config.additional_log_lists)
        ]
        # A log that several name is the first one's: what is signed comes first.
        additional.sort(key=lambda each: not each.signed)
        self._lists = [*([] if self._main is None else [self._main]), *additional]

    @property
    def current(self) -> LogList | None:
        """The list of ``ct_logs_url`` in force; None while there is none."""
        return None if self._main is None else self._main.current

    @property
    def age(self) -> float | None:
        """Seconds since it was made."""
        return None if self._main is None else self._main.age

    def followed(self) -> list[Log]:
        """The logs to follow now: of the lists in force, and of the configuration."""
        return followed(self.listed(), self.config)

    def choose_by(self, config: Config) -> None:
        """Choose by another configuration from now on; where lists are read stays the same."""
        self.config = config
        self._tell_unmatched()

    def load(self) -> LogList | None:
        """The freshest lists on disk that verify; to be called once, before the start."""
        if not self._lists:
            log.info("No log list is used: only the logs of the configuration are followed")
        for each in self._lists:
            each.load()
        self._tell_unmatched()
        return self.current

    def startService(self) -> None:
        """Begin to look for fresher lists."""
        Service.startService(self)
        for each in self._lists:
            each.startService()

    def stopService(self) -> "Deferred[None] | None":
        """Stop looking; requests under way are cancelled."""
        Service.stopService(self)
        stopping = [ended for each in self._lists if (ended := each.stopService()) is not None]
        if not stopping:
            return None
        return gatherResults(stopping).addCallback(lambda _: None)

    async def refresh(self) -> bool:
        """Ask for every list once, now; False when that of ``ct_logs_url`` could not be had."""
        results = [await each.refresh() for each in self._lists]
        return self._main is None or results[0]

    def listed(self) -> tuple[Log, ...]:
        """All logs of the lists in force, chosen or not."""
        return united(each.current.logs for each in self._lists if each.current is not None)

    def _list_changed(self, new: LogList) -> None:
        self._tell_unmatched()
        self._changed(new)

    def _tell_unmatched(self) -> None:
        listed = self.listed()
        if listed:
            for key, name in unmatched_names(listed, self.config):
                log.warn("{key}: nothing in the log list is called {name}", key=key, name=name)


def _main_list(config: Config, packaged: Packaged, around: Around) -> FreshList | None:
    """The list at ``ct_logs_url``."""
    if config.ct_logs_url is None:
        return None
    own_key = config.ct_log.list_key
    return FreshList(
        config.ct_logs_url,
        _key_of(own_key, packaged, "ct_log.list_key"),
        around,
        packaged=SignedList(packaged.data, packaged.signature, "this program"),
        way_out=NOT_CHROMES if own_key is None else _named(own_key),
    )


def _key_of(path: str | None, packaged: Packaged, named_by: str) -> ListKey:
    return ListKey(packaged.key) if path is None else ListKey.from_file(path, named_by)


def _named(path: str | None) -> str:
    return "" if path is None else f" ({path})"
