"""Make one small static-ct-api data tile with its issuers, from the made certificates.

    python -m tests.golden.make_tile

The tile's leaves show every shape that a TileLeaf has: final certificate and precertificate, no
issuer, one, several, extensions of CtExtensions that are unknown or missing, a certificate that
cannot be read. Standard library only, and always the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tests.golden.assemble import (
    FIRST_TIMESTAMP,
    KEY_HASH,
    MADE_LOG,
    MADE_TILE,
    MADE_TILE_NUMBER,
    MADE_TILE_WIDTH,
    made_entries,
    precert_leaf,
    uint24,
    x509_leaf,
)

# (name of the made certificate, names of its chain, kind of CtExtensions)
LEAVES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("sct-list", ("intermediate", "root"), "index"),
    ("precertificate", ("intermediate", "root"), "index"),
    ("precertificate-by-signing", ("precertificate-signing", "root"), "index"),
    ("san-ip-only", ("intermediate", "root"), "index"),
    ("subject-every-key", (), "index"),
    ("san-hundred", ("intermediate",), "unknown type in front"),
    ("garbage", ("intermediate", "root"), "index"),
    ("ext-all", ("intermediate", "root", "root"), "none"),
    ("precertificate-garbage", ("intermediate",), "index"),
)


def ct_extensions(kind: str, index: int) -> bytes:
    leaf_index = b"\x00\x00\x05" + index.to_bytes(5, "big")
    if kind == "none":
        return b""
    return leaf_index if kind == "index" else b"\x07\x00\x03xyz" + leaf_index


def tile_leaf(position: int, record: dict[str, Any], chain: list[bytes], kind: str) -> bytes:
    """One TileLeaf: TimestampedEntry, the precertificate, the chain's fingerprints."""
    timestamp = FIRST_TIMESTAMP + 1001 * position
    extensions = ct_extensions(kind, MADE_TILE_NUMBER * 256 + position)
    der = base64.b64decode(record["der"])
    if record["kind"] == "precertificate":
        tbs = base64.b64decode(record["tbs"])
        # A TimestampedEntry is a MerkleTreeLeaf without its first two bytes.
        leaf = precert_leaf(timestamp, KEY_HASH, tbs, extensions)[2:] + uint24(der)
    else:
        leaf = x509_leaf(timestamp, der, extensions)[2:]
    fingerprints = b"".join(hashlib.sha256(issuer).digest() for issuer in chain)
    return leaf + len(fingerprints).to_bytes(2, "big") + fingerprints


def main() -> None:
    records = {record["name"]: record for record in made_entries()}
    assert len(LEAVES) == MADE_TILE_WIDTH
    tile = b""
    (MADE_LOG / "issuer").mkdir(parents=True, exist_ok=True)
    for position, (label, names, kind) in enumerate(LEAVES):
        chain = [base64.b64decode(records[name]["der"]) for name in names]
        for issuer in chain:
            (MADE_LOG / "issuer" / hashlib.sha256(issuer).hexdigest()).write_bytes(issuer)
        tile += tile_leaf(position, records[label], chain, kind)
    MADE_TILE.parent.mkdir(parents=True, exist_ok=True)
    MADE_TILE.write_bytes(tile)
    print(f"{len(LEAVES)} leaves, {len(tile)} bytes")


if __name__ == "__main__":
    main()
