"""``certstream-tx backfill``: a range of one log as lines, as the server would have streamed it."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import SystemRandom
from typing import Any, Final

from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.task import react

from certstream_tx.command_line.configuration import in_force
from certstream_tx.command_line.failure import CommandError
from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignatureError
from certstream_tx.ingest.http.errors import FetchError, MerkleMismatch
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.ingest.lists.log_selection import check_own_logs
from certstream_tx.ingest.trust.proven_range import BeyondHead, ProvenRange
from certstream_tx.library.logs import find_log
from certstream_tx.library.messages import message_of
from certstream_tx.message.documents import Message
from certstream_tx.service.log_clients import LogClients, stats_of

STREAMS: Final[dict[str, Callable[[Message], bytes | None]]] = {
    "full": Message.full,
    "lite": Message.lite,
    "domains-only": Message.domains_only,
}


def run(arguments: Sequence[str]) -> int:
    """Export; 1 when the range could not be read or is not proven."""
    parser = argparse.ArgumentParser(
        "certstream-tx backfill",
        description="Write entries START to END - 1 of one log to standard output, a message (one"
        " line of JSON) each, and verify them against a head that the log signed. They are written"
        " as they are read: only if the command ends with status 0 are they those of the log.",
    )
    add = parser.add_argument
    add("log", metavar="LOG", help="its name (or a part of it), its URL or its id (base64)")
    add("start", metavar="START", type=_index, help="index of the first entry")
    add("end", metavar="END", type=_index, help="index after the last entry")
    add("--stream", choices=STREAMS, default="full", help="which message (default: full)")
    add("--config", metavar="FILE", help="configuration file, as of twistd certstream")
    given = parser.parse_args(arguments)
    if given.start >= given.end:
        parser.error("START is not before END")
    config = in_force(given.config)
    return _in_reactor(lambda reactor: _export(reactor, config, given))


def _index(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _in_reactor(main: Callable[[Any], Awaitable[int]]) -> int:
    """What ``main`` gives or raises; 1 when the reactor was stopped before."""
    status = 1
    errors: list[Exception] = []

    async def kept(reactor: Any) -> None:
        nonlocal status
        try:
            status = await main(reactor)
        except CancelledError:
            raise
        except Exception as error:
            errors.append(error)

    with suppress(SystemExit):
        react(kept)
    if errors:
        raise errors[0]
    return status


async def _export(reactor: Any, config: Config, given: argparse.Namespace) -> int:
    clients = LogClients(config, reactor)
    try:
        log = await _find(reactor, config, clients, given.log)
        # What of a tile is there already will not be more complete later.
        client = clients.client(log, stats_of(log), partial_wait=0)
        wanted = ProvenRange(client, given.start, given.end, reactor, SystemRandom())
        head = await wanted.read(_writer(log, STREAMS[given.stream]))
    except BeyondHead as error:
        raise CommandError(f"{log.name} has {error.size} entries, none after that") from None
    except MerkleMismatch as error:
        raise CommandError(f"{log.name}: NOT VERIFIED: {error.reason}") from None
    except (FetchError, SignatureError) as error:
        raise CommandError(f"{log.name} cannot be read: {error}") from None
    finally:
        await clients.http.close()
    sys.stdout.flush()
    what = f"{log.name}: entries {given.start} to {given.end - 1}"
    if log.key is None:
        raise CommandError(f"{what} are NOT VERIFIED: the log's key is not known")
    print(f"{what} are those of the head that it signed at {head.size}", file=sys.stderr)
    return 0


def _writer(
    log: Log, encode: Callable[[Message], bytes | None]
) -> Callable[[Sequence[Entry]], None]:
    """Writes the messages about entries to standard output."""
    write = sys.stdout.buffer.write

    def take(entries: Sequence[Entry]) -> None:
        for entry in entries:
            document = encode(message_of(entry, log))
            if document is not None:
                write(document + b"\n")

    return take


async def _find(reactor: Any, config: Config, clients: LogClients, which: str) -> Log:
    """The log, of those of the configuration and of all in the list, chosen or not."""
    logs = _lists(config, clients, reactor)
    if logs.load() is None and config.ct_logs_url is not None:
        # The server keeps the list; a command leaves its folder alone.
        uncached = replace(config, ct_log=replace(config.ct_log, list_cache=None))
        logs = _lists(uncached, clients, reactor)
        if not await logs.refresh():
            raise CommandError(f"the log list {config.ct_logs_url} cannot be had")
    every = {log.state_key: log for log in logs.current.logs} if logs.current else {}
    every |= {log.state_key: log for log in logs.followed()}
    try:
        return find_log(which, list(every.values()))
    except LookupError as error:
        raise CommandError(str(error)) from None


def _lists(config: Config, clients: LogClients, reactor: Any) -> LogLists:
    try:
        check_own_logs(config)
        return LogLists(
            config, clients.fetcher, reactor, maybeDeferred, lambda _: None, SystemRandom()
        )
    except ConfigError as error:
        raise CommandError(str(error)) from None
