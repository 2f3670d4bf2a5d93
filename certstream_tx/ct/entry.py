"""One log entry, ready to be read as a certificate: the same for both kinds of logs.

Reading never fails. The leaf hash is that of the bytes as they came, so that a malformed entry
still enters the tree, and an entry that cannot be taken apart says why. What came with an entry on
the log's word alone, and is not what the tree covers, is never passed on as if it were.
"""

from typing import Final, NamedTuple

from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    StructError,
    TimestampedEntry,
    leaf_index,
    leaf_index_extension,
    read_certificate_at,
    read_extra_data,
    read_leaf,
    write_leaf,
)
from certstream_tx.ct.submission import (
    OTHER_PRECERTIFICATE,
    held_certificate,
    held_precertificate,
)
from certstream_tx.ct.tiles import TileLeaf

# The entry type of a leaf too broken to tell; on the wire it is a uint16.
UNREADABLE_ENTRY: Final = -1


class Entry(NamedTuple):
    """An entry of a log.

    index: its position in the log
    timestamp: milliseconds since the epoch, as the log says; 0 when it cannot be read
    entry_type: X509_ENTRY, PRECERT_ENTRY, another uint16, or UNREADABLE_ENTRY
    submitted: the DER certificate, or the DER precertificate as it was submitted (with its poison)
    chain: the DER certificates above it, its issuer first, as far as they lead on from it; empty
        when extra_data cannot be read
    leaf_hash: its hash in the Merkle tree
    error: None, or what is wrong: ``submitted`` is not known, or not what the tree covers, and is
        then the leaf as it came, which no other entry shares; or the chain, or the position that
        the entry says, is not its own
    proven: where there is an ``error`` and the certificate can be read all the same, DER of which
        the tree covers the TBSCertificate
    """

    index: int  # type: ignore[assignment]  # of tuples, which nobody looks for here
    timestamp: int
    entry_type: int
    submitted: bytes
    chain: tuple[bytes, ...]
    leaf_hash: bytes
    error: str | None = None
    proven: bytes | None = None


def read_entry(index: int, leaf_input: bytes, extra_data: bytes) -> Entry:
    """Read one entry of a get-entries page (RFC 6962 4.6); ``index`` is not on the page itself.

    Never raises. The tree does not cover ``extra_data``: where only its chain is malformed the
    entry has no chain, where a precertificate cannot be had from it the entry has an ``error``.
    """
    digest = leaf_hash(leaf_input)
    try:
        leaf = read_leaf(leaf_input)
    except StructError as error:
        return _unreadable(index, leaf_input, digest, str(error))
    try:
        precertificate, chain = read_extra_data(leaf.entry_type, extra_data)
    except StructError:
        precertificate, chain = None, ()
        if leaf.entry_type == PRECERT_ENTRY:
            try:
                precertificate, _ = read_certificate_at(extra_data, 0)
            except StructError as error:
                reason = f"no precertificate in extra_data: {error}"
                return _unreadable(index, leaf_input, digest, reason)
    return _held(index, leaf, precertificate, chain, digest, leaf_input)


def entry_of(leaf: TileLeaf, index: int, chain: tuple[bytes, ...]) -> Entry:
    """The entry that a leaf of a data tile holds, with the chain its fingerprints stand for."""
    return _held(index, leaf.entry, leaf.precertificate, chain, leaf.leaf_hash, None)


def _held(
    index: int,
    leaf: TimestampedEntry,
    precertificate: bytes | None,
    chain: tuple[bytes, ...],
    digest: bytes,
    leaf_input: bytes | None,
) -> Entry:
    """The entry, all that came with it held against what the tree covers.

    ``leaf_input``: as it came, if it came in one piece.
    """
    timestamp, entry_type, key_hash, certificate, extensions = leaf
    if precertificate is None:
        submitted = certificate
        error, readable, count = held_certificate(certificate, chain)
    else:
        submitted = precertificate
        error, readable, count = held_precertificate(precertificate, certificate, key_hash, chain)
        if error is OTHER_PRECERTIFICATE:
            whole = write_leaf(leaf) if leaf_input is None else leaf_input
            proven = _wrapped(certificate)
            return Entry(index, timestamp, entry_type, whole, chain[:count], digest, error, proven)
    if extensions and extensions != leaf_index_extension(index):
        error = _other_index(extensions, index) or error
    if error is None:
        return Entry(index, timestamp, entry_type, submitted, chain, digest)
    return Entry(
        index,
        timestamp,
        entry_type,
        submitted,
        chain[:count],
        digest,
        error,
        submitted if readable else None,
    )


def _other_index(extensions: bytes, index: int) -> str | None:
    """What is wrong with the position that an entry says, if it says one."""
    try:
        said = leaf_index(extensions)
    except StructError as error:
        return f"its extensions cannot be read: {error}"
    return None if said in (None, index) else f"it says that it is entry {said}"


def _wrapped(tbs: bytes) -> bytes:
    """A TBSCertificate within the SEQUENCE that every certificate is."""
    size = len(tbs)
    if size < 0x80:
        return bytes((0x30, size)) + tbs
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x30, 0x80 | len(length))) + length + tbs


def update_type(entry_type: int) -> str:
    """The ``update_type`` of a message about an entry of this type."""
    return "PrecertLogEntry" if entry_type == PRECERT_ENTRY else "X509LogEntry"


def _unreadable(index: int, leaf_input: bytes, digest: bytes, reason: str) -> Entry:
    """An entry that could not be taken apart, with the parts of its fixed head that are there."""
    head_is_there = leaf_input[:2] == b"\x00\x00" and len(leaf_input) >= 12
    timestamp = int.from_bytes(leaf_input[2:10], "big") if head_is_there else 0
    entry_type = int.from_bytes(leaf_input[10:12], "big") if head_is_there else UNREADABLE_ENTRY
    return Entry(index, timestamp, entry_type, leaf_input, (), digest, reason)
