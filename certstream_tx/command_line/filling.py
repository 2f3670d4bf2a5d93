"""Trying every gap of a state file, while no server uses it."""

import os
import sys
from collections.abc import Iterable
from random import SystemRandom
from typing import Any, Final

from certstream_tx.command_line.failure import CommandError
from certstream_tx.command_line.known_logs import known_logs, log_clients
from certstream_tx.command_line.lines import writer
from certstream_tx.command_line.state_files import state_at
from certstream_tx.config import Config
from certstream_tx.ct.entry import Entry
from certstream_tx.ct.json_values import one_line
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import SignatureError
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.http.errors import FetchError, Unavailable
from certstream_tx.ingest.state.gaps import Gap
from certstream_tx.ingest.state.late import Differs, LatePosition
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition
from certstream_tx.ingest.state.state_file import (
    State,
    replace_file,
    write_state,
)
from certstream_tx.ingest.state.state_lock import StateFileError, StateLock
from certstream_tx.ingest.trust.proven_range import BeyondHead, ProvenRange
from certstream_tx.service.log_clients import LogClients, stats_of

PIECE: Final = 1024
"""Entries that are read, proven and written together: they wait in memory for their proof."""
TRIES: Final = 3
"""Failures in a row of one request before its piece is halved, or left."""
FAILURES: Final = 3
"""Pieces in a row, as small as can be, that fail before the rest of a gap is left: it is lost as a
whole, and to ask for each entry would take hours."""


async def fill(reactor: Any, config: Config, path: str, stream: str) -> int:
    """Write what comes to standard output, and take it out of the file's gaps; 1 when some of them
    stay. Raises CommandError."""
    path = os.path.realpath(path)
    lock = StateLock(path)
    try:
        lock.take()
        return await _fill(reactor, config, path, state_at(path), stream)
    except StateFileError as error:
        raise CommandError(
            f"{error}. (A running server tries gaps by itself; SIGHUP has it try all of them now)"
        ) from error
    finally:
        lock.release()


async def _fill(reactor: Any, config: Config, path: str, state: State, stream: str) -> int:
    lacking = {key: saved for key, saved in state.positions.items() if saved.gaps}
    clients = log_clients(config, reactor)
    missing = 0
    try:
        logs = await known_logs(reactor, config, clients) if lacking else {}
        for key, saved in lacking.items():
            log = logs.get(key)
            if log is None:
                missing += _missing(saved.gaps)
                _say(f"{saved.name}: not in the configuration, nor in a log list")
                continue
            filling = LogFilling(reactor, clients, log, path, state, stream)
            missing += await filling.run()
    finally:
        await clients.http.close()
    _say(f"{missing} entries are still missing" if missing else "Nothing is missing.")
    return 1 if missing else 0


class LogFilling:
    """Fills the gaps of one log."""

    def __init__(
        self,
        reactor: Any,
        clients: LogClients,
        log: Log,
        path: str,
        state: State,
        stream: str,
    ) -> None:
        self._reactor = reactor
        self._clients = clients
        self._log = log
        self._stats = stats_of(log)
        self._late = LatePosition(state.positions[log.state_key], self._stats, reactor)
        self._path = path
        self._state = state
        self._write = writer(log, stream, late=True)
        self._rng = SystemRandom()
        self._reason = ""

    async def run(self) -> int:
        """Try each gap; how many entries are missing afterwards."""
        try:
            # What of a tile is there already will not be more complete later.
            client = self._clients.client(self._log, self._stats, partial_wait=0)
            for gap in self._late.open:
                await self._gap(client, gap)
        except Unavailable as error:
            _say(f"{self._log.name} cannot be reached: {error.reason}")
        except (SignatureError, Differs) as error:
            _say(f"{self._log.name}: NOT VERIFIED: {error}")
            return _missing(self._state.positions[self._log.state_key].gaps)
        return _missing(self._late.open)

    async def _gap(self, client: LogClient, gap: Gap) -> None:
        """Read what can be read of a gap, in pieces as small as need be."""
        at, end, first = gap.start, gap.end, gap.start
        size, failures, came = PIECE, 0, 0
        while at < end and failures < FAILURES:
            stop = min(end, at + size)
            if not client.divisible:
                stop = client.span(at, end) or end
            if await self._piece(client, at, stop):
                at, size, failures, came = stop, min(size * 2, PIECE), 0, came + stop - at
            elif client.divisible and stop - at > 1:
                size = (stop - at) // 2
            else:
                at, size, failures = stop, PIECE, failures + 1
        what = f"{self._log.name}: {came} of the entries {first} to {end - 1} came"
        if came and self._log.key is None:
            what += ", NOT VERIFIED, for the log's key is not known"
        if came < end - first:
            what += f"; the others cannot be read ({self._reason})"
            for left in self._late.open:
                left.tries += first <= left.start < end
            self._save(self._late.saved())
        _say(what)

    async def _piece(self, client: LogClient, start: int, end: int) -> bool:
        """Read a piece, hold it against a signed head, and only then write it; whether it came.

        Raises Unavailable when the log cannot be reached, Differs.
        """
        entries: list[Entry] = []
        wanted = ProvenRange(client, start, end, self._reactor, self._rng, TRIES)
        try:
            await wanted.read(entries.extend)
        except BeyondHead as error:
            self._reason = f"the log has {error.size} entries"
            return False
        except FetchError as error:
            if isinstance(error, Unavailable) and error.kind == "connect":
                raise
            self._reason = error.reason
            return False
        saved = self._late.filled(start, [entry.leaf_hash for entry in entries])
        self._write(entries)
        sys.stdout.flush()
        self._save(saved)
        return True

    def _save(self, saved: SavedPosition) -> None:
        self._state.positions[self._log.state_key] = saved
        try:
            replace_file(self._path, write_state(self._state.positions))
        except OSError as error:
            raise CommandError(
                f"{self._path} cannot be written: {error.strerror or error}; what came last is"
                " still missing in it"
            ) from error


def _missing(gaps: Iterable[Gap | SavedGap]) -> int:
    return sum(gap.end - gap.start for gap in gaps)


def _say(what: str) -> None:
    print(one_line(what), file=sys.stderr)
