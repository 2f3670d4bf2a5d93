"""Compare the expected documents with two further readers, and print where they differ.

    python -m tests.golden.crosscheck

Needs cryptography and the `openssl` command line, imports nothing of the server. Every
certificate of every golden entry is read by both; what each cannot read or reads otherwise is
printed. README.md says what was decided about each difference.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator

from tests.golden import by_cryptography, by_openssl
from tests.golden.assemble import HERE, NAVIGLI_TILE
from tests.golden.comparison import Document
from tests.golden.derive import Bytes


def documents() -> Iterator[tuple[str, bytes, Document]]:
    """Name, DER and expected leaf_cert of every golden certificate, those of chains too."""
    for path in sorted(HERE.glob("expected/*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            entry = json.loads(line)
            data = entry.get("full", entry["lite"])["data"]
            for certificate in (data["leaf_cert"], *data.get("chain", ())):
                if "as_der" in certificate:
                    der = base64.b64decode(certificate["as_der"])
                else:
                    der = navigli_certificate(data["cert_index"])
                yield entry["name"], der, certificate


def navigli_certificate(index: int) -> bytes:
    cursor = Bytes(NAVIGLI_TILE.read_bytes())
    for _ in range(index + 1):
        cursor.take(8 + 2 + 32)
        cursor.vector(3)
        cursor.vector(2)
        der = cursor.vector(3)
        cursor.vector(2)
    return der


def main() -> None:
    seen: set[bytes] = set()
    for name, der, expected in documents():
        if der in seen:
            continue
        seen.add(der)
        for reader, compare in (
            ("cryptography", by_cryptography.compare),
            ("openssl", by_openssl.compare),
        ):
            for field, theirs, ours in compare(der, expected):
                print(f"{name}: {reader} reads {field} as {theirs!r}, expected is {ours!r}")
    print(f"{len(seen)} certificates")


if __name__ == "__main__":
    main()
