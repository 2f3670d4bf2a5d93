"""``certstream-tx import-state``: another server's positions as a state file of ours.

The server does the same by itself when its state file is one of another server's. This is for those
who want to see first what would become of it, or whose file lies elsewhere.
"""

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from certstream_tx.command_line.configuration import in_force
from certstream_tx.command_line.failure import CommandError, read_bounded
from certstream_tx.command_line.state_files import state_at
from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.log_list import Log, LogListError
from certstream_tx.ingest.lists.list_cache import ListCache, SignedList
from certstream_tx.ingest.lists.list_source import ListKey, Offer, packaged_list
from certstream_tx.ingest.lists.log_selection import followed
from certstream_tx.ingest.state.state_file import (
    MAX_STATE_BYTES,
    SavedPosition,
    State,
    bare_url,
    replace_file,
    write_state,
)
from certstream_tx.ingest.state.state_lock import StateFileError, StateLock

BACKUP = ".before-import"


class Matched(NamedTuple):
    """Positions under the keys that the server uses, and how they fit to the logs it knows.

    unknown: those whose log is neither in the log list nor in the configuration
    left: those of logs that are known and not followed (retired, or excluded)
    beginning: logs that will be followed, of which there is no position
    """

    positions: dict[str, SavedPosition]
    unknown: list[SavedPosition]
    left: list[SavedPosition]
    beginning: list[Log]


def run(arguments: Sequence[str]) -> int:
    """Write the state file and say what is in it."""
    given = _parser().parse_args(arguments)
    config = in_force(given.config)
    target = given.output or config.ct_log.state_file
    if target is None and not given.dry_run:
        raise CommandError("ct_log.state_file is null: --output says where to write")
    state = state_at(given.file)
    listed = _listed(config)
    matched = match(state, listed, followed(listed, config))
    outcome = f"{len(matched.positions)} positions would be written, nothing was (--dry-run)"
    if target is not None:
        target = os.path.realpath(target)
        outcome = f"{target}: {outcome}"
        if not given.dry_run:
            _write(target, write_state(matched.positions), force=given.force)
            outcome = f"{target}: {len(matched.positions)} positions written"
    print(
        f"{given.file}: {len(state.positions)} positions of {state.written_by}", outcome, sep="\n"
    )
    _tell("Of logs that are not known here, kept by URL", map(_shown, matched.unknown))
    _tell("Of logs that are known and not followed, kept", map(_shown, matched.left))
    _tell(
        "Logs without a position, which begin near their heads",
        sorted(log.name for log in matched.beginning),
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "certstream-tx import-state",
        description="Write our state file with the positions of a state file of"
        " certstream-server-rust or certstream-server-go. The server must not run.",
    )
    parser.add_argument("file", metavar="FILE", help="the other server's state file")
    parser.add_argument(
        "--output", metavar="FILE", help="where to write [default: ct_log.state_file in force]"
    )
    parser.add_argument(
        "--config", metavar="FILE", help="configuration file, as of twistd certstream"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written, and write nothing"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=f"replace a file that is there; it is kept with {BACKUP} at the end of its name",
    )
    return parser


def match(state: State, listed: Iterable[Log], chosen: Sequence[Log]) -> Matched:
    """Find the log of each position; of two positions of one log the one that misses nothing."""
    known = {log.state_key: log for log in (*listed, *chosen)}
    by_url = _by_url(known.values())
    positions: dict[str, SavedPosition] = {}
    unknown, left = [], []
    follows = {log.state_key for log in chosen}
    for key, saved in state.positions.items():
        log = known.get(key) or by_url.get(bare_url(saved.url))
        if log is None:
            unknown.append(saved)
        else:
            key, saved = log.state_key, replace(saved, name=log.name, url=log.url)
            if key not in follows:
                left.append(saved)
        before = positions.get(key)
        if before is None or saved.position < before.position:
            positions[key] = saved
    beginning = [log for log in chosen if log.state_key not in positions]
    return Matched(positions, unknown, left, beginning)


def _by_url(logs: Iterable[Log]) -> Mapping[str, Log]:
    """By what names a log's place: where it is read, and where a tiled one is submitted to."""
    found: dict[str, Log] = {}
    for log in logs:
        found[bare_url(log.url)] = log
        if log.origin is not None:
            found.setdefault(log.origin, log)
    return found


def _listed(config: Config) -> tuple[Log, ...]:
    """The logs of the freshest list on this machine; none where none verifies."""
    if config.ct_logs_url is None:
        return ()
    packaged = packaged_list()
    own_key = config.ct_log.list_key
    sources = [SignedList(packaged.data, packaged.signature, "this program")]
    try:
        key = ListKey(packaged.key) if own_key is None else ListKey.from_file(own_key)
        if config.list_cache is not None:
            sources += ListCache(config.list_cache, config.ct_logs_url).load()
    except (ConfigError, OSError) as error:
        raise CommandError(f"the log list cannot be read: {error}") from error
    offers: list[Offer] = []
    for source in sources:
        try:
            offers.append(key.read(source))
        except LogListError:
            continue
    newest = max(offers, key=lambda offer: offer.log_list.timestamp, default=None)
    return newest.log_list.logs if newest is not None else ()


def _write(target: str, data: bytes, *, force: bool) -> None:
    lock = StateLock(target)
    try:
        lock.take()
        if os.path.lexists(target):
            if not force:
                raise CommandError(
                    f"{target} is there already, nothing was written: --force replaces it and keeps"
                    f" it as {target}{BACKUP}. (The server takes over a file of another server by"
                    " itself.)"
                )
            replace_file(f"{target}{BACKUP}", read_bounded(target, MAX_STATE_BYTES))
        replace_file(target, data)
    except StateFileError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        lock.release()


def _shown(saved: SavedPosition) -> str:
    return f"{saved.name} at {saved.position}"


def _tell(what: str, items: Iterable[str]) -> None:
    """How many there are, and a line for each; nothing when there are none."""
    lines = [f"  {item}" for item in items]
    if lines:
        print(f"{what}: {len(lines)}", *lines, sep="\n")
