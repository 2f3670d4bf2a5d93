"""Whether the certificates that came with an entry lead on from it (RFC 6962 3.1).

Nothing signed covers a chain. Signatures are not checked here, which would cost more than all the
rest: what is checked is that each certificate is named as the issuer of the one before it, and that
a precertificate's issuer has the key that the tree names.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from certstream_tx.ct.der import (
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    DerError,
    elements,
    expect,
    read_header,
    read_text,
)

PRECERTIFICATE_SIGNING: Final = bytes.fromhex("060a2b06010401d679020404")
"""The extended key usage of a Precertificate Signing Certificate (RFC 6962 3.1), as an element."""

MAX_REMEMBERED: Final = 2048
MAX_BYTES: Final = 16 * 1024
"""Chains that are remembered, and how large one may be for that: there are a few hundred in all
public logs, 4 KB each."""


class Issuer(NamedTuple):
    """What must be known of a certificate to be somebody's issuer.

    subject, issuer: its names, DER; key_hash: SHA-256 of its SubjectPublicKeyInfo
    signs_precertificates: whether it is a Precertificate Signing Certificate
    """

    subject: bytes
    issuer: bytes
    key_hash: bytes
    signs_precertificates: bool


class Lead(NamedTuple):
    """A chain: its first certificate, and how many, that one included, lead on one from the other.

    From a certificate that cannot be read on that cannot be told: all do.
    """

    chain: tuple[bytes, ...]
    first: Issuer
    leading: int


# By the end of the first certificate, its issuer's signature, which is quick to find: whether it
# is the same chain is looked at then. Few first certificates come with more than one.
_leads: dict[bytes, Lead] = {}
_KEY: Final = 24

_LONG: Final = b"\x30\x82"  # a SEQUENCE whose length has two octets
_VERSION_3: Final = b"\xa0\x03\x02\x01\x02"


def lead_of(chain: tuple[bytes, ...]) -> Lead:
    """Where a chain leads; it must have a first certificate. Raises DerError when that cannot be
    read."""
    key = chain[0][-_KEY:]
    lead = _leads.get(key)
    if lead is None or lead.chain != chain:
        first = read_issuer(chain[0])
        lead = Lead(chain, first, 1 + _leading(first.issuer, chain[1:]))
        if sum(map(len, chain)) <= MAX_BYTES:
            if len(_leads) >= MAX_REMEMBERED:
                _leads.clear()
            _leads[key] = lead
    return lead


def is_issued_by(der: bytes, name: bytes) -> bool:
    """Whether a certificate gives its issuer this name (DER). Raises DerError."""
    if der[4:6] == _LONG and der[8:13] == _VERSION_3 and len(der) > 270:
        # The usual case, in half the time: two elements of no great length follow the version.
        serial = der[14]
        at = 15 + serial
        algorithm = der[at + 1]
        if not (serial | algorithm) & 0x80 and der.startswith(name, at + 2 + algorithm):
            return True
    return same_name(issuer_of(der), name)


def issuer_of(der: bytes) -> bytes:
    """The DER of the name that a certificate gives its issuer. Raises DerError."""
    at, end = expect(der, 0, len(der), SEQUENCE)
    at, end = expect(der, at, end, SEQUENCE)
    if at < end and der[at] == 0xA0:
        at = read_header(der, at, end)[2]
    at = read_header(der, at, end)[2]
    at = read_header(der, at, end)[2]
    return der[at : read_header(der, at, end)[2]]


def read_issuer(der: bytes) -> Issuer:
    """What a certificate says of itself as an issuer. Raises DerError."""
    at, end = expect(der, 0, len(der), SEQUENCE)
    at, end = expect(der, at, end, SEQUENCE)
    if at < end and der[at] == 0xA0:
        at = read_header(der, at, end)[2]
    at = read_header(der, at, end)[2]
    first = read_header(der, at, end)[2]
    validity = read_header(der, first, end)[2]
    subject = read_header(der, validity, end)[2]
    key = read_header(der, subject, end)[2]
    behind = read_header(der, key, end)[2]
    return Issuer(
        der[subject:key],
        der[first:validity],
        sha256(der[key:behind]).digest(),
        PRECERTIFICATE_SIGNING in der[behind:end],
    )


def same_name(one: bytes, other: bytes) -> bool:
    """Whether two names (DER) are the same, in whatever encoding."""
    return one == other or _alike(one, other)


def _leading(issuer: bytes, chain: tuple[bytes, ...]) -> int:
    """How many lead on, the first of them from one whose issuer has this name."""
    for count, der in enumerate(chain):
        try:
            this = read_issuer(der)
        except DerError:
            break
        if not same_name(this.subject, issuer):
            return count
        issuer = this.issuer
    return len(chain)


@lru_cache(maxsize=1024)
def _alike(one: bytes, other: bytes) -> bool:
    """Whether two names are the same in other encodings (RFC 5280 7.1): string types, case and
    white space do not count."""
    try:
        return _comparable(one) == _comparable(other)
    except DerError:
        return False


def _comparable(name: bytes) -> list[list[tuple[bytes, str]]]:
    at, end = expect(name, 0, len(name), SEQUENCE)
    parts: list[list[tuple[bytes, str]]] = []
    for tag, first, last in elements(name, at, end):
        if tag != SET:
            raise DerError("a name that is none")
        attributes = []
        for _, start, stop in elements(name, first, last):
            kind, oid, behind = read_header(name, start, stop)
            if kind != OBJECT_IDENTIFIER:
                raise DerError("an attribute without an object identifier")
            value, text, text_end = read_header(name, behind, stop)
            said = " ".join(read_text(value, name[text:text_end]).casefold().split())
            attributes.append((name[oid:behind], said))
        parts.append(sorted(attributes))
    return parts
