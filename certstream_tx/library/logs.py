"""Which logs there are."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from certstream_tx.ct.log_list import Log, read_log_list
from certstream_tx.ingest.lists.list_source import packaged_list
from certstream_tx.ingest.lists.log_selection import named

MAX_NAMED: Final = 10
"""in one line"""


def known_logs() -> tuple[Log, ...]:
    """The logs of Chrome's list as it was when this version was made, whatever their state.

    :func:`read_log_list` reads a fresher one.
    """
    return read_log_list(packaged_list().data).logs


def find_log(which: str, logs: Sequence[Log] | None = None) -> Log:
    """The log with this name, URL or (base64) log id, or with this part of a name.

    :param logs: among these; None: :func:`known_logs`
    :raises LookupError: there is none, or more than one; says which come near
    """
    logs = known_logs() if logs is None else logs
    part = which.casefold()
    found = named(which, logs) or [log for log in logs if part in log.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise LookupError(f"{which} can be any of {len(found)} logs: {_listed(found)}")
    near = get_close_matches(which, [log.name for log in logs], cutoff=0.4)
    hint = f"; is it {' or '.join(near)}?" if near else ""
    raise LookupError(f"there is no log {which} among the {len(logs)} that are known{hint}")


def _listed(logs: Sequence[Log]) -> str:
    more = len(logs) - MAX_NAMED
    names = [log.name for log in logs[:MAX_NAMED]]
    return ", ".join([*names, *([f"and {more} more"] if more > 0 else [])])
