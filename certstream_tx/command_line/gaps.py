"""``certstream-tx gaps``: what is missing of each log; with ``--fill``, read without a server.

Listing only reads the state file, which is whole at any time, so a server may run meanwhile. It
tries its gaps by itself, sends what comes to its clients, and is told to try all of them now by
SIGHUP. Filling writes the state file and is for a server that is stopped.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import time
from typing import NamedTuple

from certstream_tx.command_line.configuration import in_force
from certstream_tx.command_line.failure import CommandError
from certstream_tx.command_line.filling import fill
from certstream_tx.command_line.in_reactor import in_reactor
from certstream_tx.command_line.lines import STREAMS
from certstream_tx.command_line.state_files import state_at
from certstream_tx.ct.json_values import one_line
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition
from certstream_tx.ingest.state.state_file import State


class Missing(NamedTuple):
    """One gap of one log."""

    log: SavedPosition
    gap: SavedGap


def run(arguments: Sequence[str]) -> int:
    """List, or fill; 1 when some of what was to be filled is missing still."""
    given = _parser().parse_args(arguments)
    config = in_force(given.config)
    path = given.state or config.ct_log.state_file
    if path is None:
        raise CommandError("ct_log.state_file is null: --state says where the state file is")
    if given.fill:
        return in_reactor(lambda reactor: fill(reactor, config, path, given.stream))
    missing = list(gaps_of(state_at(path)))
    print(as_json(missing) if given.json else as_text(missing, time()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "certstream-tx gaps",
        description="List the entries that logs did not give when it was their turn, out of the"
        " state file. A running server tries them by itself (kill -HUP has it try all of them now)."
        " With --fill this command tries all of them, while the server is stopped: what comes and"
        " is verified is written to standard output, a message (one line of JSON) each, and no"
        " longer missing afterwards.",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="configuration file, as of twistd certstream")
    add("--state", metavar="FILE", help="state file [default: ct_log.state_file in force]")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="list as JSON")
    what.add_argument("--fill", action="store_true", help="try all of them now")
    add("--stream", choices=STREAMS, default="full", help="which message (default: full)")
    return parser


def gaps_of(state: State) -> Iterable[Missing]:
    """By log, then by index. A gap that is filled and waits to be compared is none."""
    for saved in sorted(state.positions.values(), key=lambda each: each.name):
        for gap in saved.gaps:
            if gap.start < gap.end:
                yield Missing(saved, gap)


def as_json(missing: Iterable[Missing]) -> str:
    """An array of objects; ``end`` is the first index after the gap, times are UTC."""
    return json.dumps(
        [
            {
                "log": each.log.name,
                "url": each.log.url,
                "start": each.gap.start,
                "end": each.gap.end,
                "entries": each.gap.end - each.gap.start,
                "reason": each.gap.reason,
                "since": _moment(each.gap.since),
                "tries": each.gap.tries,
                "next_try": _moment(each.gap.due) if each.gap.due else None,
            }
            for each in missing
        ],
        indent=1,
    )


def as_text(missing: Sequence[Missing], now: float) -> str:
    """A paragraph a log, and a line that sums up."""
    lines: list[str] = []
    shown: SavedPosition | None = None
    for log, gap in missing:
        if log is not shown:
            shown = log
            lines.append(one_line(f"{log.name} ({log.url})"))
        lines += [
            f"  {gap.start} to {gap.end - 1}: {_entries(gap.end - gap.start)}",
            f"    {one_line(gap.reason) or 'no reason is known'}",
            f"    since {_moment(gap.since)}, {gap.tries} tries, {_next(gap.due, now)}",
        ]
    if not missing:
        return "Nothing is missing."
    logs = len({id(each.log) for each in missing})
    total = sum(each.gap.end - each.gap.start for each in missing)
    lines.append(f"{_entries(total)} missing, in {len(missing)} gap(s) of {logs} log(s)")
    return "\n".join(lines)


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _next(due: float, now: float) -> str:
    return f"next at {_moment(due)}" if due > now else "next as soon as a server has time"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
