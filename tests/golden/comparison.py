"""What the cross-checking readers share: the differences that they report."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

NAME_KEYS = ("C", "CN", "L", "O", "OU", "ST", "emailAddress")
# Key usages as OpenSSL names them, and as the wire format does.
BOTH_USAGES = {
    "Digital Signature": "Digital Signature",
    "Non Repudiation": "Content Commitment",
    "Key Encipherment": "Key Encipherment",
    "Data Encipherment": "Data Encipherment",
    "Key Agreement": "Key Agreement",
    "Certificate Sign": "Certificate Signing",
    "CRL Sign": "CRL Signing",
    "Encipher Only": "Encipher Only",
    "Decipher Only": "Decipher Only",
}


def differing(pairs: dict[str, tuple[Any, Any]]) -> list[tuple[str, Any, Any]]:
    return [(field, *pair) for field, pair in pairs.items() if pair[0] != pair[1]]


def ours(expected: Document, which: str) -> Document:
    name = expected[which]
    return {key: name[key] for key in NAME_KEYS if name[key] is not None}
