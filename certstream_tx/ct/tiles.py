"""Tiles of static-ct-api logs: their paths, their hashes and their entries.

A tile is 256 wide; the last one of a level may be partial. A data tile is its entries one after the
other, without count or padding, so that a framing error leaves the entries after it unknown: the
whole tile is refused.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal, NamedTuple

from certstream_tx.ct.merkle import HASH_SIZE
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    StructError,
    TimestampedEntry,
    leaf_index,
    leaf_index_extension,
    read_certificate_at,
    read_timestamped_entry,
    write_certificate,
    write_timestamped_entry,
)

TILE_WIDTH: Final = 256
MAX_LEVEL: Final = 5  # 256**6 leaves are more than the 40 bits of a leaf index can number

_UINT16_MAX: Final = 2**16 - 1
# Hash prefix of a leaf, then version and leaf type: what a tile leaves out of each MerkleTreeLeaf.
_LEAF_HASH_START: Final = b"\x00\x00\x00"


class TileError(ValueError):
    """A tile that is not what its place in the tree demands."""


class TileLeaf(NamedTuple):
    """One entry of a data tile.

    precertificate: the precertificate as submitted; None for certificates
    fingerprints: SHA-256 of each certificate of the chain, the issuer first
    leaf_hash: the hash of the entry in the Merkle tree
    """

    entry: TimestampedEntry
    precertificate: bytes | None
    fingerprints: tuple[bytes, ...]
    leaf_hash: bytes


def tile_path(level: int | Literal["data"], n: int, width: int = TILE_WIDTH) -> str:
    """The path of tile ``n`` of a level below the monitoring prefix: ``tile/0/x001/x234/067.p/17``.

    Raises TileError when there can be no such tile.
    """
    if level != "data" and not 0 <= level <= MAX_LEVEL:
        raise TileError(f"there is no tile level {level}")
    if n < 0 or not 0 < width <= TILE_WIDTH:
        raise TileError(f"there is no tile {n} of width {width}")
    path = f"{n % 1000:03d}"
    while n := n // 1000:
        path = f"x{n % 1000:03d}/{path}"
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{path}{partial}"


def read_hash_tile(data: bytes, width: int) -> list[bytes]:
    """The ``width`` hashes of a hash tile. Raises TileError when it has another size."""
    if len(data) != width * HASH_SIZE or not 0 < width <= TILE_WIDTH:
        raise TileError(f"a hash tile of width {width} has {len(data)} bytes")
    return [data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE)]


def read_data_tile(data: bytes, first_index: int, width: int) -> list[TileLeaf]:
    """The ``width`` entries of a data tile whose first one is entry ``first_index`` of the log.

    Raises TileError when an entry cannot be read, when most say another position than their own
    (the tile is that of another place), or when anything is left over. What a few say is their own
    matter: see ``Entry.error``.
    """
    if not 0 < width <= TILE_WIDTH:
        raise TileError(f"there is no data tile of width {width}")
    leaves: list[TileLeaf] = []
    offset = elsewhere = 0
    for index in range(first_index, first_index + width):
        try:
            leaf, offset = _read_tile_leaf(data, offset)
        except StructError as error:
            raise TileError(f"entry {index} in its data tile: {error}") from None
        extensions = leaf.entry.extensions
        if extensions and extensions != leaf_index_extension(index):
            elsewhere += _is_elsewhere(extensions, index)
        leaves.append(leaf)
    if elsewhere * 2 > width:
        raise TileError(f"{elsewhere} of the {width} entries from {first_index} on say otherwise")
    if offset != len(data):
        raise TileError(f"{len(data) - offset} bytes follow the {width} entries of a data tile")
    return leaves


def write_tile_leaf(
    entry: TimestampedEntry, precertificate: bytes | None, fingerprints: Sequence[bytes]
) -> bytes:
    """The bytes of one entry in a data tile.

    Raises TileError when the parts do not belong together, StructError when one does not fit.
    """
    if (entry.entry_type == PRECERT_ENTRY) != (precertificate is not None):
        raise TileError("a precertificate belongs to a precert entry, and to no other")
    size = len(fingerprints) * HASH_SIZE
    if size > _UINT16_MAX or any(len(fingerprint) != HASH_SIZE for fingerprint in fingerprints):
        raise TileError("a chain's fingerprints do not fit")
    return b"".join(
        (
            write_timestamped_entry(entry),
            b"" if precertificate is None else write_certificate(precertificate),
            size.to_bytes(2, "big"),
            *fingerprints,
        )
    )


def _is_elsewhere(extensions: bytes, index: int) -> bool:
    try:
        return leaf_index(extensions) not in (None, index)
    except StructError:
        return False


def _read_tile_leaf(data: bytes, offset: int) -> tuple[TileLeaf, int]:
    """The TileLeaf at ``offset`` and the offset of what follows. Raises StructError."""
    entry, end = read_timestamped_entry(data, offset)
    digest = sha256(_LEAF_HASH_START + data[offset:end]).digest()
    precertificate = None
    if entry.entry_type == PRECERT_ENTRY:
        precertificate, end = read_certificate_at(data, end)
    start = end + 2
    size = int.from_bytes(data[end:start], "big")
    end = start + size
    if end > len(data):
        raise StructError("fingerprints are cut short")
    if size % HASH_SIZE:
        raise StructError(f"fingerprints of {size} bytes in all")
    fingerprints = tuple(
        [data[position : position + HASH_SIZE] for position in range(start, end, HASH_SIZE)]
    )
    return TileLeaf(entry, precertificate, fingerprints, digest), end
