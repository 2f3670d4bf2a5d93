"""Following one log: its entries, one after the other, for as long as somebody asks for them."""

from dataclasses import replace
from random import SystemRandom
from types import TracebackType
from typing import Any, Final, Self

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime

from certstream_tx.config import Config
from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.poller import LogPoller
from certstream_tx.ingest.state.positions import Positions, SavedPosition
from certstream_tx.library.entry_queue import EntryQueue
from certstream_tx.library.settings import loaded
from certstream_tx.service.log_clients import LogClients, poll_settings, stats_of
from certstream_tx.stats import LogStats

MAX_WAITING: Final = 64
"""Entries that wait to be asked for; some batches more wait to be read. To read certificates out of
as many takes about 6 ms."""


def follow(
    reactor: Any,
    log: Log,
    *,
    start: int | None = None,
    max_waiting: int = MAX_WAITING,
    **ct_log: object,
) -> "Following":
    """Follow one log::

        async with follow(reactor, log) as entries:
            async for entry in entries:
                ...

    It never ends by itself. What goes wrong on the way to the log is told to Twisted's log, and
    tried again.

    Nothing is asked of the log until the block is entered, nor after it is left. Who takes entries
    slowly slows the reading down: what waits is bounded. Entries come in order, each once, but for
    those that could not be read when it was their turn, which come later, and those that come once
    more because the log gave others than it signed at first.

    :param start: index of the first entry, or, below 0, how many before the newest one; None: what
        is logged from now on. To go on later, keep ``entry.index + 1``
    :param max_waiting: entries that may wait to be asked for
    :param ct_log: keys of that section of the configuration, such as ``contact`` (an address of
        yours, for the log's operator), ``poll_interval_ms`` or ``batch_size``
    :raises ConfigError: a setting is wrong
    :raises SignatureError: the log's key cannot be used
    """
    if max_waiting < 1:
        raise ValueError("max_waiting is not 1 or more")
    overlap = -start if start is not None and start < 0 else 0
    config = loaded({"ct_log": ct_log}).config
    settings = replace(
        poll_settings(config, log.url), start_overlap_leaves=overlap, asked_for_by_name=True
    )
    begin = None if overlap else start
    return Following(reactor, log, config, settings, begin, max_waiting)


class Following:
    """The entries of one log; :func:`follow` makes it. It can be entered once."""

    def __init__(
        self,
        reactor: Any,
        log: Log,
        config: Config,
        settings: PollSettings,
        start: int | None,
        max_waiting: int,
    ) -> None:
        self.log: Final = log
        self.stats: LogStats = stats_of(log)
        """what is known of the log and its reading now: ``head_size``, ``verified_size`` (up to
        where the entries are proven to be those that the log signed), ``verification``, ``errors``
        and more"""
        self._clients = LogClients(config, reactor)
        self._entries = EntryQueue(reactor, max_waiting)
        self._poller = LogPoller(
            log,
            self._clients.client(log, self.stats, config.ct_log.partial_tile_wait_secs),
            self._entries,
            _Beginning(log, start, reactor),
            reactor,
            self.stats,
            settings,
            SystemRandom(),
            Budget(),
        )
        self._entered = False
        self._inside = False

    async def __aenter__(self) -> Self:
        """Begin to read the log."""
        if self._entered:
            raise RuntimeError("a log is followed once: call follow() again")
        self._entered = self._inside = True
        self._poller.startService()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all requests and connections."""
        self._inside = False
        self._entries.close()
        await self._poller.stopService()
        await self._clients.http.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        """The next entry, waited for as long as it takes."""
        if not self._inside:
            raise RuntimeError("a log is followed within `async with follow(...) as entries:`")
        return await self._entries.next()


class _Beginning(Positions):
    """No state file: a log begins where it was asked to."""

    def __init__(self, log: Log, start: int | None, clock: IReactorTime) -> None:
        super().__init__(None, clock, maybeDeferred)
        self._begin = None
        if start is not None:
            self._begin = SavedPosition(log.name, log.url, start)

    def position_of(self, state_key: str, url: str | None = None) -> SavedPosition | None:
        """See ``Positions``."""
        return self._begin
