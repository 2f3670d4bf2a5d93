"""Access tokens: where a client may put one, and whether it is one of ours. Pure, and silent.

Of the tokens that let in only their SHA-256 is kept, and nothing here shows what a client gave.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from certstream_tx.config.tokens import MAX_TOKEN, Token

SUBPROTOCOL = "certstream"
"""what the server chooses of the subprotocols that a browser offers: never the token beside it"""
MAX_NAMES = 100
"""names of tokens that are counted one by one in metrics; all others together"""
UNNAMED, OTHERS = "unnamed", "others"

_SCHEME = re.compile(rb"bearer[ \t]+", re.IGNORECASE)  # RFC 9110 section 11.1: in any case
_BEARER = b"bearer."
_MAX_BASE64 = (MAX_TOKEN * 4 + 2) // 3
_LINE_WORD = b"token"


class Tokens:
    """The tokens that let in."""

    __slots__ = ("_digests", "labels")

    def __init__(self, tokens: Iterable[Token]) -> None:
        tokens = tuple(tokens)
        named = dict.fromkeys(token.name for token in tokens if token.name is not None)
        shown = set(list(named)[:MAX_NAMES])
        self._digests = tuple((_digest(token), _label(token.name, shown)) for token in tokens)
        self.labels = frozenset(label for _, label in self._digests)
        """under which their use is counted"""

    def __len__(self) -> int:
        return len(self._digests)

    def label_of(self, candidates: Iterable[bytes]) -> str | None:
        """The label of the token that one of ``candidates`` is; None when none is one.

        Every candidate is compared with every token, and what is compared is hashed, so that time
        tells neither how many bytes were right nor which token it was.
        """
        label = None
        for candidate in candidates:
            given = sha256(candidate).digest()
            for digest, own in self._digests:
                if compare_digest(digest, given):
                    label = own
        return label


def _digest(token: Token) -> bytes:
    if token.sha256 is not None:
        return bytes.fromhex(token.sha256)
    assert token.text is not None
    return sha256(token.text.encode("ascii")).digest()


def _label(name: str | None, shown: set[str]) -> str:
    if name is None:
        return UNNAMED
    return name if name in shown else OTHERS


# Where a client may put one


def in_header(values: Sequence[bytes]) -> bytes | None:
    """Of the configured header: ``Bearer <token>`` or the bare token, given once."""
    if len(values) != 1:
        return None
    value = values[0].strip(b" \t")
    scheme = _SCHEME.match(value)
    return _sized(value[scheme.end() :] if scheme else value)


class Query(NamedTuple):
    """A query without the token that it had."""

    token: bytes | None
    rest: bytes


def in_query(query: bytes) -> Query:
    """Of a URL's query: ``token=<token>``, percent-encoded, given once.

    A plus sign means itself: tokens have no spaces, and some have it.
    """
    given, rest = [], []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == b"token":
            given.append(value)
        else:
            rest.append(part)
    token = _sized(unquote_to_bytes(given[0])) if len(given) == 1 else None
    return Query(token, b"&".join(rest))


class Subprotocols(NamedTuple):
    """The subprotocols that a client offers, without the token among them."""

    token: bytes | None
    rest: tuple[bytes, ...]


def in_subprotocols(values: Iterable[bytes]) -> Subprotocols:
    """Of ``Sec-WebSocket-Protocol``: ``bearer.<base64url of the token, unpadded>``, once."""
    offered = [one.strip(b" \t") for value in values for one in value.split(b",")]
    given = [one for one in offered if one[: len(_BEARER)].lower() == _BEARER]
    rest = tuple(one for one in offered if one and one not in given)
    token = _unwrapped(given[0]) if len(given) == 1 else None
    return Subprotocols(token, rest)


def _unwrapped(subprotocol: bytes) -> bytes | None:
    text = subprotocol.removeprefix(_BEARER)
    if len(text) > _MAX_BASE64:
        return None
    try:
        token = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    # The decoder passes over what is not of the alphabet; there is one way to write a token.
    return _sized(token) if urlsafe_b64encode(token).rstrip(b"=") == text else None


class TokenLine(NamedTuple):
    """The first line of a client without headers."""

    token: bytes
    stream: bytes
    """what it asks for; empty when it does not say"""


def in_line(line: bytes) -> TokenLine | None:
    """Of the raw TCP stream's first line: ``token <token> [stream]``, without its end."""
    words = line.removesuffix(b"\r").split(b" ")
    if words[0] != _LINE_WORD or len(words) not in (2, 3):
        return None
    token = _sized(words[1])
    return None if token is None else TokenLine(token, words[2] if len(words) == 3 else b"")


def _sized(token: bytes) -> bytes | None:
    """None for what no token can be: only as much is hashed as a token has."""
    return token if 0 < len(token) <= MAX_TOKEN else None
