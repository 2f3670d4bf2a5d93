"""One log entry, ready to be read as a certificate: the same for both kinds of logs.

Reading never fails. The leaf hash is that of the bytes as they came, so that a malformed entry
still enters the tree, and an entry that cannot be taken apart says why.
"""

from dataclasses import dataclass
from typing import Final

from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    StructError,
    read_certificate_at,
    read_extra_data,
    read_leaf,
)
from certstream_tx.ct.tiles import TileLeaf

# The entry type of a leaf too broken to tell; on the wire it is a uint16.
UNREADABLE_ENTRY: Final = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log.

    index: its position in the log
    timestamp: milliseconds since the epoch, as the log says; 0 when it cannot be read
    entry_type: X509_ENTRY, PRECERT_ENTRY, another uint16, or UNREADABLE_ENTRY
    submitted: the DER certificate, or the DER precertificate as it was submitted (with its poison)
    chain: the DER certificates above it, its issuer first; empty when extra_data cannot be read
    leaf_hash: its hash in the Merkle tree
    error: None, or why ``submitted`` is not known; ``submitted`` is then the leaf as it came, which
        the tree covers and which no other entry shares
    """

    index: int
    timestamp: int
    entry_type: int
    submitted: bytes
    chain: tuple[bytes, ...]
    leaf_hash: bytes
    error: str | None = None


def read_entry(index: int, leaf_input: bytes, extra_data: bytes) -> Entry:
    """Read one entry of a get-entries page (RFC 6962 4.6); ``index`` is not on the page itself.

    Never raises. The tree does not cover ``extra_data``: where only its chain is malformed the
    entry has no chain, where a precertificate cannot be had from it the entry has an ``error``.
    """
    digest = leaf_hash(leaf_input)
    try:
        timestamp, entry_type, _, certificate, _ = read_leaf(leaf_input)
    except StructError as error:
        return _unreadable(index, leaf_input, digest, str(error))
    try:
        precertificate, chain = read_extra_data(entry_type, extra_data)
    except StructError:
        precertificate, chain = None, ()
        if entry_type == PRECERT_ENTRY:
            try:
                precertificate, _ = read_certificate_at(extra_data, 0)
            except StructError as error:
                reason = f"no precertificate in extra_data: {error}"
                return _unreadable(index, leaf_input, digest, reason)
    submitted = certificate if precertificate is None else precertificate
    return Entry(index, timestamp, entry_type, submitted, chain, digest)


def entry_of(leaf: TileLeaf, index: int, chain: tuple[bytes, ...]) -> Entry:
    """The entry that a leaf of a data tile holds, with the chain its fingerprints stand for."""
    timestamp, entry_type, _, certificate, _ = leaf.entry
    submitted = certificate if leaf.precertificate is None else leaf.precertificate
    return Entry(index, timestamp, entry_type, submitted, chain, leaf.leaf_hash)


def update_type(entry_type: int) -> str:
    """The ``update_type`` of a message about an entry of this type."""
    return "PrecertLogEntry" if entry_type == PRECERT_ENTRY else "X509LogEntry"


def _unreadable(index: int, leaf_input: bytes, digest: bytes, reason: str) -> Entry:
    """An entry that could not be taken apart, with the parts of its fixed head that are there."""
    head_is_there = leaf_input[:2] == b"\x00\x00" and len(leaf_input) >= 12
    timestamp = int.from_bytes(leaf_input[2:10], "big") if head_is_there else 0
    entry_type = int.from_bytes(leaf_input[10:12], "big") if head_is_there else UNREADABLE_ENTRY
    return Entry(index, timestamp, entry_type, leaf_input, (), digest, reason)
