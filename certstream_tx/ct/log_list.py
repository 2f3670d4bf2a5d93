"""Lists of logs in Chrome's format v3: which logs there are, their keys and their states.

One bad log does not cost the others: it is left out, and the reason is told.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from certstream_tx.ct.merkle import HASH_SIZE, MAX_SIZE
from certstream_tx.ct.signatures import LogKey, SignatureError

# Chrome's list of all logs there ever were has about 150 KB and 170 logs.
MAX_LIST_BYTES: Final = 4 * 1024 * 1024
MAX_LOGS: Final = 1000
MAX_TEXT: Final = 256  # characters of a name
MAX_URL: Final = 1024
MAX_KEY: Final = 4096  # characters of base64; RSA of 8192 bits takes 1400

STATES: Final = ("pending", "qualified", "usable", "readonly", "retired", "rejected")

Kind = Literal["rfc6962", "tiled"]

# RFC 3986 without the characters of queries, fragments and user names.
_URL_TEXT: Final = re.compile(r"[A-Za-z0-9._~:/%!$&'()*+,;=\[\]-]+")


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
        timestamp = 0.0 if made is None else _time(made, "log_list_timestamp")
    except _Unusable as error:
        raise LogListError(f"the log list: {error}") from None
    try:
        version = _text(document.get("version"), "version")
    except _Unusable:
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
                raise _Unusable("is listed twice")
        except _Unusable as error:
            problems.append(f"{_label(item, place)}: {error}")
            continue
        seen.add(log.state_key)
        logs.append(log)
    return LogList(version, timestamp, tuple(logs), tuple(problems))


class _Unusable(Exception):
    """Why one log cannot be used."""


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
            name = _text(operator.get("name"), "name")
        except _Unusable as error:
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
        return f"{_text(item['description'], 'description')} ({place})"
    except (_Unusable, TypeError, KeyError):
        return place


def _log(item: Any, kind: Kind, operator: str, *, allow_http: bool) -> Log:
    """One log of a list. Raises _Unusable."""
    if not isinstance(item, dict):
        raise _Unusable("is not an object")
    url = _url(item, "url" if kind == "rfc6962" else "monitoring_url", allow_http=allow_http)
    key = _base64(item.get("key"), "key")
    log_id = sha256(key).digest()
    if "log_id" in item and _base64(item["log_id"], "log_id") != log_id:
        raise _Unusable("log_id is not the hash of key")
    try:
        LogKey(key)
    except SignatureError as error:
        raise _Unusable(str(error)) from None
    origin = None
    if kind == "tiled":
        submission = _url(item, "submission_url", allow_http=allow_http)
        origin = submission.partition("://")[2]
    state, final_size, final_root = _state(item.get("state"))
    return Log(
        name=_text(item.get("description", url), "description"),
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
        mmd=None if item.get("mmd") is None else _count(item["mmd"], "mmd"),
    )


def _state(value: Any) -> tuple[str | None, int | None, bytes | None]:
    """The state, and the final size and root where it has them."""
    if value is None:
        return None, None, None
    if not isinstance(value, dict) or len(value) != 1:
        raise _Unusable("state is not exactly one state")
    ((state, details),) = value.items()
    if state not in STATES:
        raise _Unusable("state is not a known one")
    final = details.get("final_tree_head") if isinstance(details, dict) else None
    if final is None:
        return state, None, None
    if not isinstance(final, dict):
        raise _Unusable("final_tree_head is not an object")
    root = _base64(final.get("sha256_root_hash"), "sha256_root_hash")
    if len(root) != HASH_SIZE:
        raise _Unusable("sha256_root_hash is not a hash")
    return state, _count(final.get("tree_size"), "tree_size"), root


def _interval(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _Unusable("temporal_interval is not an object")
    start = int(_time(value.get("start_inclusive"), "start_inclusive"))
    return start, int(_time(value.get("end_exclusive"), "end_exclusive"))


def _url(item: dict[str, Any], key: str, *, allow_http: bool) -> str:
    """A URL prefix to which paths can be added after a slash."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise _Unusable(f"{key} is missing")
    if len(value) > MAX_URL or not _URL_TEXT.fullmatch(value):
        raise _Unusable(f"{key} is not a URL")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _Unusable(f"{key} is not a URL") from None
    if parts.scheme not in (("https", "http") if allow_http else ("https",)):
        raise _Unusable(f"{key} is not https")
    if not host or port == 0:
        raise _Unusable(f"{key} has no host or no port that can be")
    return value.rstrip("/")


def _text(value: Any, key: str) -> str:
    """Text for people: bounded, and safe in one line of a log or message."""
    if not isinstance(value, str) or not value.strip():
        raise _Unusable(f"{key} is missing or not text")
    if len(value) > MAX_TEXT:
        raise _Unusable(f"{key} is longer than {MAX_TEXT} characters")
    if value.isprintable():
        return value
    # Control and format characters, and lone surrogates, which no encoder takes.
    return "".join(c if c.isprintable() else "\ufffd" for c in value)


def _count(value: Any, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIZE:
        raise _Unusable(f"{key} is not a number it can be")
    return value


def _time(value: Any, key: str) -> float:
    """Unix seconds of an RFC 3339 date-time."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unusable(f"{key} is not a time") from None
    if moment.tzinfo is None:
        raise _Unusable(f"{key} has no time zone")
    return moment.timestamp()


def _base64(value: Any, key: str) -> bytes:
    if not isinstance(value, str) or len(value) > MAX_KEY:
        raise _Unusable(f"{key} is missing or too long")
    try:
        return b64decode(value, validate=True)
    except (Base64Error, ValueError):
        raise _Unusable(f"{key} is not base64") from None
