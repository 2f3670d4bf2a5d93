"""The state file: what is kept of each log between two runs, and how the file is read and written.

Ours is JSON: ``{"format": "certstream-tx", "version": 1, "logs": {<state key>: {...}}}``. The files
of certstream-server-rust and certstream-server-go are read as well, so that a switch loses nothing.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from certstream_tx.config.kind import shown
from certstream_tx.ingest.state.saved_log import (
    SavedPosition,
    StateError,
    index,
    read_log,
    write_log,
)

__all__ = [
    "SavedPosition",
    "State",
    "StateError",
    "bare_url",
    "read_state",
    "replace_file",
    "write_state",
]

FORMAT = "certstream-tx"
VERSION = 1
RUST_SHAPE = '{"version": 1, "logs": {URL: {"current_index": INDEX, ...}}}'
GO_SHAPE = "{HOST/PATH: INDEX}"
MAX_STATE_BYTES = 64 * 1024 * 1024
"""A log takes about 2 KB and a gap 3, and there were fewer than 200 logs in all the years."""


@dataclass(frozen=True, slots=True)
class State:
    """The content of a state file: its positions by state key, and which server wrote it."""

    positions: dict[str, SavedPosition]
    written_by: Literal["certstream-tx", "certstream-server-rust", "certstream-server-go"]


def bare_url(url: str) -> str:
    """Host and path alone: how one log's URL compares between configurations and servers."""
    return url.partition("://")[2].rstrip("/") if "://" in url else url.rstrip("/")


def read_state(data: bytes) -> State:
    """Read a state file of any of the three servers. Raises StateError."""
    if not data.strip():
        raise StateError("it is empty")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise StateError(f"it is not JSON, or was cut short ({error})") from None
    if not isinstance(document, dict):
        raise StateError("it is JSON, but no object")
    if document.get("format") == FORMAT:
        return State(_read_ours(document), "certstream-tx")
    if (positions := _read_rust(document)) is not None:
        return State(positions, "certstream-server-rust")
    if (positions := _read_go(document)) is not None:
        return State(positions, "certstream-server-go")
    raise StateError(
        f'{_missing(document)}. Known are the state files of {FORMAT} ({{"format": "{FORMAT}",'
        f" ...}}), certstream-server-rust ({RUST_SHAPE}) and certstream-server-go ({GO_SHAPE})"
    )


def write_state(positions: Mapping[str, SavedPosition]) -> bytes:
    """The state file that holds these positions."""
    logs = {key: write_log(saved) for key, saved in positions.items()}
    document = {"format": FORMAT, "version": VERSION, "logs": logs}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def replace_file(path: str, data: bytes) -> None:
    """Put ``data`` where ``path`` is, whole or not at all, also when the machine stops meanwhile.

    Raises OSError; the file at ``path`` is then as it was.
    """
    temporary = f"{path}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    # The rename itself must be on the disk before anybody relies on it.
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_ours(document: dict[str, Any]) -> dict[str, SavedPosition]:
    version, logs = document.get("version"), document.get("logs")
    if version != VERSION:
        raise StateError(f"it has version {version!r}, this program reads version {VERSION}")
    if not isinstance(logs, dict):
        raise StateError('it has no "logs"')
    return {key: read_log(key, log) for key, log in logs.items()}


def _read_rust(document: dict[str, Any]) -> dict[str, SavedPosition] | None:
    """``{"version": 1, "logs": {url: {"current_index": next index to read, ...}}}``"""
    logs = document.get("logs")
    if "format" in document or "version" not in document or not isinstance(logs, dict):
        return None
    return _by_url({url: _current_index(log) for url, log in logs.items()})


def _read_go(document: dict[str, Any]) -> dict[str, SavedPosition] | None:
    """``{host and path: last index read}``; read again, for a file made anew holds sizes."""
    if not document or not all(map(_names_log, document)):
        return None
    return _by_url(document)


def _missing(document: dict[str, Any]) -> str:
    """What keeps it from being a state file that is known."""
    logs = document.get("logs")
    if "format" in document:
        return f'it is JSON, but its "format" is {shown(document["format"])}'
    if "logs" in document or "version" in document:
        if "version" not in document:
            return 'it is JSON with "logs", but without a "version"'
        if not isinstance(logs, dict):
            return 'it is JSON with a "version", but without "logs" by their URLs'
        wrong = next(url for url, log in logs.items() if _current_index(log) is None)
        return f'it is JSON, but {shown(wrong)} in its "logs" has no "current_index", 0 or more'
    wrong = next((name for name in document if not _names_log(name)), None)
    if wrong is not None:
        return f"it is JSON, but {shown(wrong)} in it is no host and path of a log"
    wrong = next((name for name in document if index(document[name]) is None), None)
    if wrong is not None:
        return f"it is JSON, but {shown(wrong)} in it has no index, 0 or more"
    return "it is JSON, but there is nothing in it"


def _current_index(log: object) -> int | None:
    return index(log.get("current_index")) if isinstance(log, dict) else None


def _names_log(name: str) -> bool:
    """Every public host has a dot; a document of something else, with numbers in it, has not."""
    return "." in name.partition("/")[0]


def _by_url(indexes: Mapping[str, Any]) -> dict[str, SavedPosition] | None:
    positions = {}
    for url, given in indexes.items():
        position = index(given)
        if position is None:
            return None
        positions[f"url:{url.rstrip('/')}"] = SavedPosition(url, url.rstrip("/"), position)
    return positions
