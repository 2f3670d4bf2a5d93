"""Signature algorithms by the words of the wire format."""

from functools import lru_cache
from typing import Final

from certstream_tx.ct.der import OBJECT_IDENTIFIER, SEQUENCE, DerError, expect, members, read_oid

UNKNOWN: Final = "unknown"

_MAX_ALGORITHM_BYTES: Final = 256
"""RSASSA-PSS with all its parameters takes 70."""

_WORDS: Final = {
    "1.2.840.113549.1.1.5": "sha1, rsa",
    "1.3.14.3.2.29": "sha1, rsa",  # an older name of the same, ISO's
    "1.2.840.113549.1.1.11": "sha256, rsa",
    "1.2.840.113549.1.1.12": "sha384, rsa",
    "1.2.840.113549.1.1.13": "sha512, rsa",
    "1.2.840.10045.4.3.2": "ecdsa, sha256",
    "1.2.840.10045.4.3.3": "ecdsa, sha384",
    "1.2.840.10045.4.3.4": "ecdsa, sha512",
    "1.2.840.10040.4.3": "dsa, sha1",
    "2.16.840.1.101.3.4.3.2": "dsa, sha256",
    "1.3.101.112": "ed25519",
}
_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
_HASHES: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


def signature_algorithm(identifier: bytes) -> str:
    """``sha256, rsa`` and the like for an AlgorithmIdentifier (RFC 5280, 4.1.1.2); UNKNOWN for
    others and for what cannot be read."""
    if len(identifier) > _MAX_ALGORITHM_BYTES:
        return UNKNOWN
    return _read(identifier)


@lru_cache(maxsize=256)
def _read(identifier: bytes) -> str:
    try:
        oid, parameters, end = _algorithm(identifier, 0, len(identifier))
        if oid != _RSASSA_PSS:
            return _WORDS.get(oid, UNKNOWN)
        digest = _pss_hash(identifier, parameters, end)
    except DerError:
        return UNKNOWN
    return UNKNOWN if digest is None else f"{digest}, rsa-pss"


def _algorithm(der: bytes, at: int, end: int) -> tuple[str, int, int]:
    """The OID of an AlgorithmIdentifier, and where its parameters lie."""
    start, end = expect(der, at, end, SEQUENCE)
    start, at = expect(der, start, end, OBJECT_IDENTIFIER)
    return read_oid(der[start:at]), at, end


def _pss_hash(der: bytes, at: int, end: int) -> str | None:
    """The hashAlgorithm of RSASSA-PSS-params, SHA-1 when left out (RFC 4055, 3.1)."""
    for tag, start, stop in members(der, at, end):
        if tag == 0xA0:
            return _HASHES.get(_algorithm(der, start, stop)[0])
    return "sha1"
