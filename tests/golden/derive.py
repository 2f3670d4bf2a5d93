"""Derive the expected messages of every golden entry.

    python -m tests.golden.derive

Needs asn1crypto (1.5) and the `openssl` command line (3.0), see reader.py; it imports nothing of
the server. It writes expected/*.jsonl.gz, one entry a line: `name`, and the documents `full`,
`lite` and `domains_only` (null where there is none). crosscheck.py compares what it reads with
two further readers. It need not run in the tests: the documents are committed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tests.checkout import FIXTURES
from tests.golden.assemble import (
    ANY_REASON,
    HERE,
    LIVE_SOURCES,
    MADE_LOG,
    MADE_SOURCE,
    MADE_TILE,
    MADE_TILE_NUMBER,
    NAVIGLI_SOURCE,
    NAVIGLI_TILE,
    SEEN,
    TILED_SOURCE,
    LogSource,
    made_entries,
)
from tests.golden.reader import leaf_cert

Document = dict[str, Any]


class Bytes:
    """A cursor over TLS presentation language (RFC 8446 3)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.offset : self.offset + count]
        if len(part) != count:
            raise ValueError("cut short")
        self.offset += count
        return part

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        return self.take(self.number(width))

    @property
    def rest(self) -> int:
        return len(self.data) - self.offset


def messages(
    source: LogSource,
    index: int,
    timestamp: int,
    entry_type: int,
    submitted: bytes,
    chain: list[bytes],
    *,
    unread: bool = False,
) -> Document:
    """The expected documents of one entry, `timestamp` in milliseconds."""
    leaf, unreadable = leaf_cert(submitted)
    if source.kind == "rfc6962":
        link = f"{source.url}/ct/v1/get-entries?start={index}&end={index}"
    else:
        link = f"{source.url}/tile/data/{tile_number(index // 256)}"
    data = {
        "update_type": "PrecertLogEntry" if entry_type == 1 else "X509LogEntry",
        "cert_index": index,
        "cert_link": link,
        "seen": SEEN,
        "submission_timestamp": timestamp / 1000,
        "source": {
            "name": source.name,
            "url": source.url,
            "timestamp": timestamp / 1000,
            "type": source.kind,
            "operator": source.operator,
            "log_id": source.log_id,
        },
        "leaf_cert": leaf,
        "chain": [leaf_cert(certificate, domains=False)[0] for certificate in chain],
    }
    if unread or unreadable:
        data["parse_error"] = ANY_REASON
    lite = {key: value for key, value in data.items() if key != "chain"}
    lite["leaf_cert"] = {key: value for key, value in leaf.items() if key != "as_der"}
    domains = leaf["all_domains"]
    return {
        "full": {"message_type": "certificate_update", "data": data},
        "lite": {"message_type": "certificate_update", "data": lite},
        "domains_only": {"message_type": "dns_entries", "data": domains} if domains else None,
    }


def tile_number(number: int) -> str:
    """Groups of three digits, `x` in front of all but the last (static-ct-api)."""
    groups = f"{number:0{(len(str(number)) + 2) // 3 * 3}}"
    parts = [groups[start : start + 3] for start in range(0, len(groups), 3)]
    return "/".join(["x" + part for part in parts[:-1]] + parts[-1:])


def certificate_list(cursor: Bytes) -> list[bytes]:
    inner = Bytes(cursor.vector(3))
    if cursor.rest:
        raise ValueError("bytes after the chain")
    chain = []
    while inner.rest:
        chain.append(inner.vector(3))
    return chain


def page_entry(source: LogSource, index: int, leaf_input: bytes, extra_data: bytes) -> Document:
    """An entry as get-entries gives it (RFC 6962 4.6).

    What cannot be taken apart is shown as the bytes of its leaf_input; its head may still say
    when it came and what it is.
    """
    head = Bytes(leaf_input)
    timestamp = entry_type = 0
    try:
        if head.take(2) != b"\0\0":
            raise ValueError("not a MerkleTreeLeaf")
        timestamp, entry_type = head.number(8), head.number(2)
        certificate = signed_certificate(head, entry_type)
        extra = Bytes(extra_data)
        submitted = extra.vector(3) if entry_type == 1 else certificate
    except ValueError:
        return messages(source, index, timestamp, entry_type, leaf_input, [], unread=True)
    try:
        chain = certificate_list(extra)
    except ValueError:
        chain = []
    return messages(source, index, timestamp, entry_type, submitted, chain)


def signed_certificate(leaf: Bytes, entry_type: int) -> bytes:
    """The certificate or TBSCertificate that ends a MerkleTreeLeaf; ValueError unless it does."""
    if entry_type > 1:
        raise ValueError("unknown entry type")
    if entry_type == 1:
        leaf.take(32)
    certificate = leaf.vector(3)
    leaf.vector(2)
    if leaf.rest:
        raise ValueError("bytes after the leaf")
    return certificate


def tile_entries(
    source: LogSource, tile: bytes, first_index: int, issuers: dict[bytes, bytes]
) -> Iterator[tuple[int, Document]]:
    """The entries of a data tile; issuers that are not known leave the chain empty."""
    cursor, index = Bytes(tile), first_index
    while cursor.rest:
        timestamp, entry_type = cursor.number(8), cursor.number(2)
        if entry_type == 1:
            cursor.take(32)
        submitted = cursor.vector(3)
        cursor.vector(2)
        if entry_type == 1:
            submitted = cursor.vector(3)
        fingerprints = Bytes(cursor.vector(2))
        chain = [fingerprints.take(32) for _ in range(fingerprints.rest // 32)]
        known = [issuers[fingerprint] for fingerprint in chain if fingerprint in issuers]
        yield index, messages(source, index, timestamp, entry_type, submitted, known)
        index += 1


def live() -> Iterator[Document]:
    for entry in json.loads((FIXTURES / "live_entries.json").read_text()):
        source, index = LIVE_SOURCES[entry["log_name"]], int(entry["cert_index"])
        leaf_input = base64.b64decode(entry["leaf_input"])
        documents = page_entry(source, index, leaf_input, base64.b64decode(entry["extra_data"]))
        yield {"name": f"{source.name} {index}"} | documents


def made() -> Iterator[Document]:
    for record in made_entries():
        name, index, leaf_input = record["name"], record["index"], record["leaf_input"]
        documents = page_entry(MADE_SOURCE, index, leaf_input, record["extra_data"])
        yield {"name": name} | documents


def navigli() -> Iterator[Document]:
    for index, documents in tile_entries(NAVIGLI_SOURCE, NAVIGLI_TILE.read_bytes(), 0, {}):
        # Its issuers are not among the fixtures.
        del documents["full"]
        yield {"name": f"navigli {index}"} | documents


def made_tile() -> Iterator[Document]:
    issuers = {bytes.fromhex(path.name): path.read_bytes() for path in MADE_LOG.glob("issuer/*")}
    assert all(hashlib.sha256(der).digest() == key for key, der in issuers.items())
    first = MADE_TILE_NUMBER * 256
    for index, documents in tile_entries(TILED_SOURCE, MADE_TILE.read_bytes(), first, issuers):
        yield {"name": f"tile {index}"} | documents


def main() -> None:
    for name, entries in (
        ("live", live()),
        ("made", made()),
        ("navigli", navigli()),
        ("made_tile", made_tile()),
    ):
        lines = [json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in entries]
        # No time stamp, so that the same documents are the same file.
        packed = gzip.compress("".join(f"{line}\n" for line in lines).encode(), 9, mtime=0)
        path = HERE / "expected" / f"{name}.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(packed)
        print(f"{path.name}: {len(lines)} entries, {len(packed)} bytes")


if __name__ == "__main__":
    main()
