"""All logs that a command may be about: those of the lists, chosen or not, and of one's own; and
what reads them."""

import os
from dataclasses import replace
from random import SystemRandom
from typing import Any

from twisted.internet.defer import maybeDeferred

from certstream_tx.command_line.failure import CommandError
from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.ingest.lists.log_selection import check_own_logs
from certstream_tx.service.log_clients import LogClients


def log_clients(config: Config, reactor: Any) -> LogClients:
    """What reads logs, through the proxy that the environment names. Raises CommandError."""
    try:
        return LogClients(config, reactor, os.environ)
    except ConfigError as error:
        raise CommandError(str(error)) from None


async def known_logs(reactor: Any, config: Config, clients: LogClients) -> dict[str, Log]:
    """By state key. Raises CommandError when the list cannot be had."""
    lists = _lists(config, clients, reactor)
    if lists.load() is None and config.ct_logs_url is not None:
        # The server keeps the list; a command leaves its folder alone.
        uncached = replace(config, ct_log=replace(config.ct_log, list_cache=None))
        lists = _lists(uncached, clients, reactor)
        if not await lists.refresh():
            raise CommandError(f"the log list {config.ct_logs_url} cannot be had")
    return {log.state_key: log for log in (*lists.listed(), *lists.followed())}


def _lists(config: Config, clients: LogClients, reactor: Any) -> LogLists:
    try:
        check_own_logs(config)
        return LogLists(
            config, clients.fetcher, reactor, maybeDeferred, lambda _: None, SystemRandom()
        )
    except ConfigError as error:
        raise CommandError(str(error)) from None
