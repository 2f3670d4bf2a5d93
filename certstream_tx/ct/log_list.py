"""Lists of logs in Chrome's format v3: which logs there are, their keys and their states.

One bad log does not cost the others: it is left out, and the reason is told.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from certstream_tx.ct.json_values import (
    Unusable,
    read_base64,
    read_count,
    read_text,
    read_time,
    read_url,
)
from certstream_tx.ct.merkle import HASH_SIZE
from certstream_tx.ct.signatures import LogKey, SignatureError

# Chrome's list of all logs there ever were has about 150 KB and 170 logs.
MAX_LIST_BYTES: Final = 4 * 1024 * 1024
MAX_LOGS: Final = 1000
STATES: Final = ("pending", "qualified", "usable", "readonly", "retired", "rejected")

Kind = Literal["rfc6962", "tiled"]


class LogListError(ValueError):
    """A list of logs that cannot be read, or that is not signed as it should be."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log as a list or the configuration names it.

    url: where it is read, without trailing slash; of a tiled log its monitoring prefix
    log_id: SHA-256 of the key; None for a log that is followed without a key
    key: DER SubjectPublicKeyInfo
    state: one of STATES, or None where the list says none
    interval: when the certificates it takes expire, from and before, Unix seconds
    final_size, final_root: the last tree head of a readonly log
    origin: of a tiled log, the name in its checkpoints (submission prefix without scheme)
    mmd: maximum merge delay, seconds
    get_sth: of a tiled log, whether its head is read by get-sth: it has no checkpoint
    unsigned: whether nothing but the TLS of a list that nobody signed vouches for it
    """

    name: str
    url: str
    kind: Kind
    log_id: bytes | None = None
    key: bytes | None = None
    operator: str | None = None
    state: str | None = None
    interval: tuple[int, int] | None = None
    final_size: int | None = None
    final_root: bytes | None = None
    origin: str | None = None
    mmd: int | None = None
    get_sth: bool = False
    unsigned: bool = False

    @property
    def log_id_base64(self) -> str | None:
        """The log id as lists and messages write it."""
        return None if self.log_id is None else b64encode(self.log_id).decode()

    @property
    def state_key(self) -> str:
        """The key of this log in the state file."""
        return self.log_id_base64 or f"url:{self.url}"


@dataclass(frozen=True, slots=True)
class LogList:
    """A list of logs.

    version: as the list says, "" where it does not
    timestamp: when the list was made, Unix seconds; 0 where it does not say
    logs: every log that could be read, in the order of the list
    problems: one line for each log (or operator) that was left out
    """

    version: str
    timestamp: float
    logs: tuple[Log, ...]
    problems: tuple[str, ...]


def verify_log_list(data: bytes, signature: bytes, public_key_pem: bytes) -> None:
    """Check the detached signature of a list (RSA PKCS #1 v1.5, SHA-256, over its exact bytes).

    Raises LogListError.
    """
    try:
        key = load_pem_public_key(public_key_pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LogListError("the public key for log lists cannot be loaded") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise LogListError("the public key for log lists is not RSA")
    try:
        key.verify(signature, data, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise LogListError("the signature of the log list is not by its key") from None


def read_log_list(data: bytes, *, allow_http: bool = False) -> LogList:
    """Read a list in Chrome's format v3, ``logs`` and ``tiled_logs``.

    ``allow_http`` lets logs through that are not read over TLS (somebody's own list of test logs).
    Raises LogListError when it is no such list; a log that cannot be used only adds to
    ``problems``.
    """
    if len(data) > MAX_LIST_BYTES:
        raise LogListError(f"the log list has {len(data)} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LogListError(f"the log list is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("operators"), list):
        raise LogListError("the log list has no operators")
    try:
        made = document.get("log_list_timestamp")
        timestamp = 0.0 if made is None else read_time(made, "log_list_timestamp")
    except Unusable as error:
        raise LogListError(f"the log list: {error}") from None
    try:
        version = read_text(document.get("version"), "version")
    except Unusable:
        version = ""  # only people read it
    logs: list[Log] = []
    problems: list[str] = []
    seen: set[str] = set()
    count = 0
    for place, operator, kind, item in _items(document["operators"], problems):
        count += 1
        if count > MAX_LOGS:
            raise LogListError(f"the log list has more than {MAX_LOGS} logs")
        try:
            log = _log(item, kind, operator, allow_http=allow_http)
            if log.state_key in seen:
                raise Unusable("is listed twice")
        except Unusable as error:
            problems.append(f"{_label(item, place)}: {error}")
            continue
        seen.add(log.state_key)
        logs.append(log)
    return LogList(version, timestamp, tuple(logs), tuple(problems))


def _items(operators: list[Any], problems: list[str]) -> Iterator[tuple[str, str, Kind, Any]]:
    """Each log with its place in the list, its operator and its kind; bad operators are told."""
    if len(operators) > MAX_LOGS:
        raise LogListError(f"the log list has more than {MAX_LOGS} operators")
    kinds: tuple[tuple[str, Kind], ...] = (("logs", "rfc6962"), ("tiled_logs", "tiled"))
    for number, operator in enumerate(operators, 1):
        place = f"operator {number}"
        if not isinstance(operator, dict):
            problems.append(f"{place}: is not an object")
            continue
        try:
            name = read_text(operator.get("name"), "name")
        except Unusable as error:
            problems.append(f"{place}: {error}")
            continue
        for key, kind in kinds:
            items = operator.get(key)
            if items is None:
                continue
            if not isinstance(items, list):
                problems.append(f"{name}: {key} is not a list")
                continue
            for position, item in enumerate(items, 1):
                yield f"{name}, {key} {position}", name, kind, item


def _label(item: Any, place: str) -> str:
    """What to call a log that could not be read."""
    try:
        return f"{read_text(item['description'], 'description')} ({place})"
    except (Unusable, TypeError, KeyError):
        return place


def _log(item: Any, kind: Kind, operator: str, *, allow_http: bool) -> Log:
    """One log of a list. Raises Unusable."""
    if not isinstance(item, dict):
        raise Unusable("is not an object")
    where = "url" if kind == "rfc6962" else "monitoring_url"
    url = read_url(item.get(where), where, allow_http=allow_http)
    key = read_base64(item.get("key"), "key")
    log_id = sha256(key).digest()
    if "log_id" in item and read_base64(item["log_id"], "log_id") != log_id:
        raise Unusable("log_id is not the hash of key")
    try:
        LogKey(key)
    except SignatureError as error:
        raise Unusable(str(error)) from None
    origin = None
    if kind == "tiled":
        submission = read_url(item.get("submission_url"), "submission_url", allow_http=allow_http)
        origin = submission.partition("://")[2]
    state, final_size, final_root = _state(item.get("state"))
    return Log(
        name=read_text(item.get("description", url), "description"),
        url=url,
        kind=kind,
        log_id=log_id,
        key=key,
        operator=operator,
        state=state,
        interval=_interval(item.get("temporal_interval")),
        final_size=final_size,
        final_root=final_root,
        origin=origin,
        mmd=None if item.get("mmd") is None else read_count(item["mmd"], "mmd"),
    )


def _state(value: Any) -> tuple[str | None, int | None, bytes | None]:
    """The state, and the final size and root where it has them."""
    if value is None:
        return None, None, None
    if not isinstance(value, dict) or len(value) != 1:
        raise Unusable("state is not exactly one state")
    ((state, details),) = value.items()
    if state not in STATES:
        raise Unusable("state is not a known one")
    final = details.get("final_tree_head") if isinstance(details, dict) else None
    if final is None:
        return state, None, None
    if not isinstance(final, dict):
        raise Unusable("final_tree_head is not an object")
    root = read_base64(final.get("sha256_root_hash"), "sha256_root_hash")
    if len(root) != HASH_SIZE:
        raise Unusable("sha256_root_hash is not a hash")
    return state, read_count(final.get("tree_size"), "tree_size"), root


def _interval(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unusable("temporal_interval is not an object")
    start = int(read_time(value.get("start_inclusive"), "start_inclusive"))
    return start, int(read_time(value.get("end_exclusive"), "end_exclusive"))
