"""The state file: what is kept of each log between two runs, and how the file is read and written.

Ours is JSON: ``{"format": "certstream-tx", "version": 1, "logs": {<state key>: {...}}}``. The files
of certstream-server-rust and certstream-server-go are read as well, so that a switch loses nothing.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from certstream_tx.ct.merkle import HASH_SIZE, MAX_SIZE

FORMAT = "certstream-tx"
VERSION = 1
MAX_STATE_BYTES = 64 * 1024 * 1024
"""A log takes about 1.5 KB, and there were fewer than 200 of them in all the years."""


class StateError(ValueError):
    """The content of a state file that cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class SavedPosition:
    """Where a log is to be read on.

    position: the next index to read; every entry before it was handed on
    nodes: the compact Merkle range of all entries before ``position``; None while unverified
    verified_size: largest tree size whose root was recomputed and matched a signed head
    """

    name: str
    url: str
    position: int
    nodes: tuple[bytes, ...] | None = None
    verified_size: int = 0


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
    raise StateError("it is JSON, but of no server's state file that is known here")


def write_state(positions: Mapping[str, SavedPosition]) -> bytes:
    """The state file that holds these positions."""
    logs = {
        key: {
            "name": saved.name,
            "url": saved.url,
            "position": saved.position,
            "verified_size": saved.verified_size,
            "nodes": None
            if saved.nodes is None
            else [b64encode(node).decode() for node in saved.nodes],
        }
        for key, saved in positions.items()
    }
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
    return {key: _read_log(key, log) for key, log in logs.items()}


def _read_log(key: str, log: Any) -> SavedPosition:
    if not isinstance(log, dict):
        raise StateError(f"log {key}: no object")
    name, url, nodes = log.get("name"), log.get("url"), log.get("nodes")
    position = _index(log.get("position"))
    verified_size = _index(log.get("verified_size", 0))
    if not isinstance(name, str) or not isinstance(url, str):
        raise StateError(f"log {key}: no name or no url")
    if position is None or verified_size is None:
        raise StateError(f"log {key} ({name}): no position, or one that cannot be")
    if nodes is None:
        return SavedPosition(name, url, position, None, verified_size)
    try:
        hashes = tuple(b64decode(node, validate=True) for node in nodes)
    except (TypeError, Base64Error, ValueError):
        raise StateError(f"log {key} ({name}): nodes that are no hashes") from None
    if len(hashes) != position.bit_count() or any(len(node) != HASH_SIZE for node in hashes):
        raise StateError(f"log {key} ({name}): nodes that do not belong to position {position}")
    return SavedPosition(name, url, position, hashes, verified_size)


def _read_rust(document: dict[str, Any]) -> dict[str, SavedPosition] | None:
    """``{"version": 1, "logs": {url: {"current_index": next index to read, ...}}}``"""
    logs = document.get("logs")
    if "format" in document or "version" not in document or not isinstance(logs, dict):
        return None
    return _by_url(
        {
            url: log.get("current_index") if isinstance(log, dict) else None
            for url, log in logs.items()
        }
    )


def _read_go(document: dict[str, Any]) -> dict[str, SavedPosition] | None:
    """``{host and path: last index read}``; read again, for a file made anew holds sizes."""
    return _by_url(document) if document else None


def _by_url(indexes: Mapping[str, Any]) -> dict[str, SavedPosition] | None:
    positions = {}
    for url, given in indexes.items():
        index = _index(given)
        if index is None:
            return None
        positions[f"url:{url.rstrip('/')}"] = SavedPosition(url, url.rstrip("/"), index)
    return positions


def _index(value: Any) -> int | None:
    """A tree size or index; None for anything else (JSON's true is an int to Python)."""
    return value if type(value) is int and 0 <= value <= MAX_SIZE else None
