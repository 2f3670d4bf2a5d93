"""Where a log list comes from, what must have signed it, and whether it may replace another."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit, urlunsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from certstream_tx.config import ConfigError
from certstream_tx.ct.log_list import LogList, LogListError, read_log_list, verify_log_list
from certstream_tx.ingest.lists.list_cache import SignedList
from certstream_tx.ingest.lists.log_selection import LIVE_STATES

SHRUNK: Final = 0.5
"""A list with less than this share of the live logs of the one before is taken for an accident."""
MAX_KEY_BYTES: Final = 64 * 1024


class Packaged(NamedTuple):
    """The list that comes with this program, and the key that signs it."""

    data: bytes
    signature: bytes
    key: bytes


def packaged_list() -> Packaged:
    """Chrome's list as it was when this version was made."""
    folder = files("certstream_tx") / "data"
    names = ("log_list.json", "log_list.sig", "log_list_pubkey.pem")
    return Packaged(*((folder / name).read_bytes() for name in names))


def signature_url(url: str) -> str:
    """Where the signature of a list is: ``.sig`` in place of ``.json``, or after the path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.removesuffix(".json") + ".sig"))


class Offer(NamedTuple):
    """A list that verified."""

    source: SignedList
    log_list: LogList

    @property
    def live(self) -> int:
        """How many logs it has whose entries count."""
        return sum(log.state in LIVE_STATES for log in self.log_list.logs)

    @property
    def date(self) -> str:
        """The day on which it was made."""
        if not self.log_list.timestamp:
            return "an unknown day"
        return f"{datetime.fromtimestamp(self.log_list.timestamp, UTC):%Y-%m-%d}"


class ListKey:
    """The key that signs the list: Chrome's, or that of somebody's own list."""

    def __init__(self, pem: bytes, path: str | None = None) -> None:
        """``path``: where the configuration has it from; None for the packaged key."""
        self._pem = pem
        self.path = path

    @classmethod
    def from_file(cls, path: str, named_by: str = "ct_log.list_key") -> Self:
        """The key that this key of the configuration names. Raises ConfigError."""
        try:
            with open(path, "rb") as file:
                pem = file.read(MAX_KEY_BYTES)
        except OSError as error:
            raise ConfigError((f"{named_by}: {path}: {error.strerror or error}",)) from None
        try:
            key = load_pem_public_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, RSAPublicKey):
            raise ConfigError((f"{named_by}: expected a PEM file of an RSA key, got {path}",))
        return cls(pem, path)

    def read(self, source: SignedList) -> Offer:
        """A list that this key signed. Raises LogListError."""
        verify_log_list(source.data, source.signature, self._pem)
        # Somebody's own list may name logs inside their network.
        return Offer(source, read_log_list(source.data, allow_http=self.path is not None))


class NoKey:
    """In the place of a key, for a list that nobody signs: TLS alone vouches for what it says.

    What stands for its signature is the hash of its bytes. It tells whether the list changed.
    """

    def read(self, source: SignedList) -> Offer:
        """A list whose logs are marked. Raises LogListError."""
        if source.signature != sha256(source.data).digest():
            raise LogListError("the log list is not whole")
        found = read_log_list(source.data)
        marked = tuple(replace(log, unsigned=True) for log in found.logs)
        return Offer(source, replace(found, logs=marked))


class Objection(NamedTuple):
    """Why a list that verifies is not used all the same."""

    kind: str
    reason: str


def objection(offer: Offer, current: Offer | None, *, outdated: bool) -> Objection | None:
    """What speaks against putting a list in the place of the current one; None: nothing does.

    ``outdated``: the current one is so old that what it held says little about today.
    """
    if not offer.live:
        return Objection("empty", "it has no live log")
    if current is None:
        return None
    if offer.log_list.timestamp < current.log_list.timestamp:
        return Objection("older", f"it is of {offer.date}, the one in use of {current.date}")
    if offer.live < SHRUNK * current.live and not outdated:
        return Objection(
            "shrunk", f"it has {offer.live} live logs, the one in use has {current.live}"
        )
    return None
