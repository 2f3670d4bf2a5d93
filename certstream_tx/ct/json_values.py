"""Values of a list of logs, one reader a kind: bounded, and safe to show; Unusable if it is not.

Each is given the value and the key that it stood at, for the reason.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from certstream_tx.ct.merkle import MAX_SIZE

MAX_TEXT: Final = 256  # characters of a name
MAX_URL: Final = 1024
MAX_KEY: Final = 4096  # characters of base64; RSA of 8192 bits takes 1400

# RFC 3986 without the characters of queries, fragments and user names.
_URL_TEXT: Final = re.compile(r"[A-Za-z0-9._~:/%!$&'()*+,;=\[\]-]+")


class Unusable(Exception):
    """Why a value cannot be used, and with it what it is about."""


def read_url(value: Any, key: str, *, allow_http: bool) -> str:
    """A URL prefix to which paths can be added after a slash."""
    if not isinstance(value, str) or not value:
        raise Unusable(f"{key} is missing")
    if len(value) > MAX_URL or not _URL_TEXT.fullmatch(value):
        raise Unusable(f"{key} is not a URL")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unusable(f"{key} is not a URL") from None
    if parts.scheme not in (("https", "http") if allow_http else ("https",)):
        raise Unusable(f"{key} is not https")
    if not host or port == 0:
        raise Unusable(f"{key} has no host or no port that can be")
    return value.rstrip("/")


def read_text(value: Any, key: str) -> str:
    """Text for people: bounded, and safe in one line of a log or message."""
    if not isinstance(value, str) or not value.strip():
        raise Unusable(f"{key} is missing or not text")
    if len(value) > MAX_TEXT:
        raise Unusable(f"{key} is longer than {MAX_TEXT} characters")
    return one_line(value)


def one_line(text: str) -> str:
    """Text without what would break a line, speak to a terminal, or cannot be encoded."""
    if text.isprintable():
        return text
    # Control and format characters, and lone surrogates, which no encoder takes.
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def read_count(value: Any, key: str) -> int:
    """A number of leaves, or of seconds."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIZE:
        raise Unusable(f"{key} is not a number it can be")
    return value


def read_time(value: Any, key: str) -> float:
    """Unix seconds of an RFC 3339 date-time."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unusable(f"{key} is not a time") from None
    if moment.tzinfo is None:
        raise Unusable(f"{key} has no time zone")
    return moment.timestamp()


def read_base64(value: Any, key: str) -> bytes:
    """What a text of base64 stands for."""
    if not isinstance(value, str) or len(value) > MAX_KEY:
        raise Unusable(f"{key} is missing or too long")
    try:
        return b64decode(value, validate=True)
    except (Base64Error, ValueError):
        raise Unusable(f"{key} is not base64") from None
