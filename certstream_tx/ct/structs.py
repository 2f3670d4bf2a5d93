"""The TLS structures of log entries, from and to bytes (RFC 6962 3.1, 3.4 and 4.6).

All integers are big-endian; times are milliseconds since the epoch. What cannot be read raises
StructError, and nothing else does.
"""

from collections.abc import Iterable
from struct import Struct
from struct import error as TooShort
from typing import Final, NamedTuple

X509_ENTRY: Final = 0
PRECERT_ENTRY: Final = 1

# Real chains have up to ten certificates; a list of one-byte ones must not become a million.
MAX_CHAIN: Final = 64
# One extension is known; twenty thousand empty ones in each entry would hold a tile for a second.
MAX_EXTENSIONS: Final = 64

_UINT64_MAX: Final = 2**64 - 1
_UINT40_MAX: Final = 2**40 - 1
_UINT24_MAX: Final = 2**24 - 1
_UINT16_MAX: Final = 2**16 - 1
_KEY_HASH_SIZE: Final = 32
_LEAF_INDEX: Final = 0  # the extension type, static-ct-api
_LEAF_INDEX_SIZE: Final = 5

_LEAF_START: Final = b"\x00\x00"  # version v1, leaf type timestamped_entry
# A uint24 is read as its high byte and its low 16 bits.
_X509_HEAD: Final = Struct(">QHBH")
_PRECERT_LENGTH: Final = Struct(">BH")
_ENTRY_START: Final = Struct(">QH")
_UINT24: Final = Struct(">BH")
_UINT16: Final = Struct(">H")
_EXTENSION_HEAD: Final = Struct(">BH")


class StructError(ValueError):
    """Bytes that are not the structure they should be."""


class TimestampedEntry(NamedTuple):
    """What a log signs for, and what the Merkle leaf holds (RFC 6962 3.4).

    timestamp: milliseconds since the epoch, as the log says
    entry_type: X509_ENTRY or PRECERT_ENTRY
    issuer_key_hash: SHA-256 of the final issuer's SubjectPublicKeyInfo; precertificates only
    certificate: the DER certificate, or the DER TBSCertificate of a precertificate
    extensions: the CtExtensions as they came, without their length
    """

    timestamp: int
    entry_type: int
    issuer_key_hash: bytes | None
    certificate: bytes
    extensions: bytes = b""


def read_leaf(leaf_input: bytes) -> TimestampedEntry:
    """Read a MerkleTreeLeaf (``leaf_input``); nothing may follow it. Raises StructError."""
    if leaf_input[:2] != _LEAF_START:
        raise StructError("a leaf does not begin with version 1 and a timestamped entry")
    entry, end = read_timestamped_entry(leaf_input, 2)
    if end != len(leaf_input):
        raise StructError(f"{len(leaf_input) - end} bytes follow the leaf")
    return entry


def write_leaf(entry: TimestampedEntry) -> bytes:
    """The MerkleTreeLeaf that holds ``entry``. Raises StructError when a field does not fit."""
    return _LEAF_START + write_timestamped_entry(entry)


def read_timestamped_entry(data: bytes, offset: int) -> tuple[TimestampedEntry, int]:
    """Read the TimestampedEntry at ``offset``; returns it and the offset of what follows.

    Raises StructError, also for an entry type that is neither of the two known ones: what it holds,
    and so where it ends, is not known.
    """
    issuer_key_hash = None
    try:
        timestamp, entry_type, high, low = _X509_HEAD.unpack_from(data, offset)
        start = offset + 13
        if entry_type == PRECERT_ENTRY:
            issuer_key_hash = data[offset + 10 : offset + 42]
            high, low = _PRECERT_LENGTH.unpack_from(data, offset + 42)
            start = offset + 45
        elif entry_type != X509_ENTRY:
            raise StructError(f"unknown entry type {entry_type}")
        certificate_end = start + (high << 16 | low)
        (extensions_size,) = _UINT16.unpack_from(data, certificate_end)
    except TooShort:
        raise StructError("an entry is cut short") from None
    if certificate_end == start:
        raise StructError("an entry has an empty certificate")
    extensions_start = certificate_end + 2
    end = extensions_start + extensions_size
    if end > len(data):
        raise StructError("an entry is cut short")
    return (
        TimestampedEntry(
            timestamp,
            entry_type,
            issuer_key_hash,
            data[start:certificate_end],
            data[extensions_start:end],
        ),
        end,
    )


def write_timestamped_entry(entry: TimestampedEntry) -> bytes:
    """The bytes of ``entry`` in a leaf or a tile. Raises StructError when a field does not fit."""
    timestamp, entry_type, issuer_key_hash, certificate, extensions = entry
    if not 0 <= timestamp <= _UINT64_MAX:
        raise StructError(f"a timestamp cannot be {timestamp}")
    if entry_type == X509_ENTRY and issuer_key_hash is None:
        issuer = b""
    elif entry_type == PRECERT_ENTRY and len(issuer_key_hash or b"") == _KEY_HASH_SIZE:
        issuer = issuer_key_hash or b""
    else:
        raise StructError(f"entry type {entry_type} and its issuer key hash do not fit together")
    if len(extensions) > _UINT16_MAX:
        raise StructError("extensions are too long")
    return b"".join(
        (
            _ENTRY_START.pack(timestamp, entry_type),
            issuer,
            write_certificate(certificate),
            _UINT16.pack(len(extensions)),
            extensions,
        )
    )


def read_certificate_at(data: bytes, offset: int) -> tuple[bytes, int]:
    """Read one ASN.1Cert (a uint24 length, then DER); returns it and the offset of what follows.

    The DER itself is not looked at. Raises StructError.
    """
    try:
        high, low = _UINT24.unpack_from(data, offset)
    except TooShort:
        raise StructError("a certificate's length is cut short") from None
    start = offset + 3
    end = start + (high << 16 | low)
    if end == start:
        raise StructError("a certificate is empty")
    if end > len(data):
        raise StructError("a certificate is cut short")
    return data[start:end], end


def write_certificate(certificate: bytes) -> bytes:
    """One ASN.1Cert. Raises StructError when the certificate is empty or 16 MiB or more."""
    if not 0 < len(certificate) <= _UINT24_MAX:
        raise StructError(f"a certificate cannot have {len(certificate)} bytes")
    return len(certificate).to_bytes(3, "big") + certificate


def read_extra_data(entry_type: int, extra_data: bytes) -> tuple[bytes | None, tuple[bytes, ...]]:
    """Read ``extra_data``: the submitted precertificate (precert entries only) and the chain.

    The chain does not hold the certificate itself; its issuer comes first. None of this is covered
    by the Merkle tree. Raises StructError, also for a chain of more than MAX_CHAIN certificates.
    """
    if entry_type == X509_ENTRY:
        return None, _read_chain(extra_data, 0)
    if entry_type == PRECERT_ENTRY:
        precertificate, offset = read_certificate_at(extra_data, 0)
        return precertificate, _read_chain(extra_data, offset)
    raise StructError(f"unknown entry type {entry_type}")


def write_extra_data(precertificate: bytes | None, chain: Iterable[bytes]) -> bytes:
    """The ``extra_data`` of a precert entry, or of an x509 entry when there is no precertificate.

    Raises StructError when a certificate or the chain does not fit.
    """
    certificates = b"".join(map(write_certificate, chain))
    if len(certificates) > _UINT24_MAX:
        raise StructError("a chain is too long")
    start = b"" if precertificate is None else write_certificate(precertificate)
    return start + len(certificates).to_bytes(3, "big") + certificates


def leaf_index(extensions: bytes) -> int | None:
    """The position in its log that an entry of a static log carries, or None when it has none.

    Extensions of other types are passed over (static-ct-api). Raises StructError when the list of
    extensions is malformed, has more than MAX_EXTENSIONS, or says two positions.
    """
    index = None
    offset = count = 0
    while offset < len(extensions):
        count += 1
        if count > MAX_EXTENSIONS:
            raise StructError(f"an entry has more than {MAX_EXTENSIONS} extensions")
        try:
            kind, size = _EXTENSION_HEAD.unpack_from(extensions, offset)
        except TooShort:
            raise StructError("an extension is cut short") from None
        start = offset + 3
        offset = start + size
        if offset > len(extensions):
            raise StructError("an extension is cut short")
        if kind == _LEAF_INDEX:
            if size != _LEAF_INDEX_SIZE or index is not None:
                raise StructError("a leaf index is malformed or given twice")
            index = int.from_bytes(extensions[start:offset], "big")
    return index


def leaf_index_extension(index: int) -> bytes:
    """The CtExtensions that hold just the leaf index. Raises StructError from 2**40 on."""
    if not 0 <= index <= _UINT40_MAX:
        raise StructError(f"a leaf index cannot be {index}")
    return _EXTENSION_HEAD.pack(_LEAF_INDEX, _LEAF_INDEX_SIZE) + index.to_bytes(5, "big")


def _read_chain(data: bytes, offset: int) -> tuple[bytes, ...]:
    """The certificates of a chain that must reach from ``offset`` to the end of ``data``."""
    try:
        high, low = _UINT24.unpack_from(data, offset)
    except TooShort:
        raise StructError("a chain's length is cut short") from None
    offset += 3
    if offset + (high << 16 | low) != len(data):
        raise StructError("a chain does not end where the data ends")
    chain: list[bytes] = []
    while offset < len(data):
        if len(chain) == MAX_CHAIN:
            raise StructError(f"a chain has more than {MAX_CHAIN} certificates")
        certificate, offset = read_certificate_at(data, offset)
        chain.append(certificate)
    return tuple(chain)
