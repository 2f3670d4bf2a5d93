"""``certstream-tx backfill``: a range of one log as lines, as the server would have streamed it."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import Any

from certstream_tx.command_line.configuration import in_force
from certstream_tx.command_line.failure import CommandError
from certstream_tx.command_line.in_reactor import in_reactor
from certstream_tx.command_line.known_logs import known_logs, log_clients
from certstream_tx.command_line.lines import STREAMS, writer
from certstream_tx.config import Config
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignatureError
from certstream_tx.ingest.http.errors import FetchError, MerkleMismatch
from certstream_tx.ingest.trust.proven_range import BeyondHead, ProvenRange
from certstream_tx.library.logs import find_log
from certstream_tx.service.log_clients import stats_of


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
    return in_reactor(lambda reactor: _export(reactor, config, given))


def _index(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


async def _export(reactor: Any, config: Config, given: argparse.Namespace) -> int:
    clients = log_clients(config, reactor)
    try:
        log = _named(given.log, await known_logs(reactor, config, clients))
        # What of a tile is there already will not be more complete later.
        client = clients.client(log, stats_of(log), partial_wait=0)
        wanted = ProvenRange(client, given.start, given.end, reactor, SystemRandom())
        head = await wanted.read(writer(log, given.stream))
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


def _named(which: str, logs: Mapping[str, Log]) -> Log:
    try:
        return find_log(which, list(logs.values()))
    except LookupError as error:
        raise CommandError(str(error)) from None
