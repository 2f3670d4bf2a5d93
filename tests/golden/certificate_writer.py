"""Certificates from parts, each of which may be anything: the frame of RFC 5280 4.1 and no more.

Signatures are 64 fixed bytes and the key is the generator of P-256: no reader of a log entry
checks either, and so the same script always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.golden.der_writer import (
    GENERALIZED_TIME,
    IA5,
    UTC_TIME,
    UTF8,
    bits,
    boolean,
    explicit,
    implicit,
    integer,
    null,
    octets,
    oid,
    sequence,
    set_of,
    tlv,
)

ATTRIBUTES = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "street": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "title": "2.5.4.12",
    "GN": "2.5.4.42",
    "businessCategory": "2.5.4.15",
    "organizationIdentifier": "2.5.4.97",
    "emailAddress": "1.2.840.113549.1.9.1",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
}
ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
SIGNATURE = bytes(range(64))
# The public key whose private key is 1.
GENERATOR = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
PUBLIC_KEY = sequence(
    sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(GENERATOR)
)

POISON_OID = "1.3.6.1.4.1.11129.2.4.3"
SCT_OID = "1.3.6.1.4.1.11129.2.4.2"


def attribute(key: str, value: str | bytes, tag: int = UTF8) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return sequence(oid(ATTRIBUTES.get(key, key)), tlv(tag, content))


def name(*attributes: bytes) -> bytes:
    """A Name with one attribute in each relative distinguished name."""
    return sequence(*(set_of(one) for one in attributes))


def common_name(value: str) -> bytes:
    return name(attribute("CN", value))


ISSUER = name(attribute("C", "NL", 0x13), attribute("O", "Made"), attribute("CN", "Made CA 1"))


def utc(text: str) -> bytes:
    return tlv(UTC_TIME, text.encode())


def generalized(text: str) -> bytes:
    return tlv(GENERALIZED_TIME, text.encode())


VALIDITY = sequence(utc("250601120000Z"), utc("250830115959Z"))


def extension(dotted: str, *value: bytes, critical: bytes = b"") -> bytes:
    """One Extension; `critical` is its BOOLEAN as it shall stand, or nothing."""
    return sequence(oid(dotted), critical, octets(*value))


CRITICAL, EXPLICITLY_NOT_CRITICAL = boolean(True), boolean(False)


def dns(text: str | bytes) -> bytes:
    return implicit(2, text.encode() if isinstance(text, str) else text)


def email(text: str) -> bytes:
    return implicit(1, text.encode())


def uri(text: str) -> bytes:
    return implicit(6, text.encode())


def ip(hexadecimal: str) -> bytes:
    return implicit(7, bytes.fromhex(hexadecimal))


def subject_alt_name(*names: bytes) -> bytes:
    return extension("2.5.29.17", sequence(*names))


def basic_constraints(ca: bytes = b"", path_length: bytes = b"", critical: bytes = b"") -> bytes:
    return extension("2.5.29.19", sequence(ca, path_length), critical=critical)


def key_usage(usage: bytes) -> bytes:
    return extension("2.5.29.15", usage, critical=CRITICAL)


def extended_key_usage(*purposes: str) -> bytes:
    return extension("2.5.29.37", sequence(*map(oid, purposes)))


def subject_key_identifier(identifier: bytes) -> bytes:
    return extension("2.5.29.14", octets(identifier))


def authority_key_identifier(identifier: bytes, *more: bytes) -> bytes:
    return extension("2.5.29.35", sequence(implicit(0, identifier), *more))


def authority_info_access(*accesses: tuple[str, str]) -> bytes:
    """Accesses are (method OID, URI) in the order in which they shall stand."""
    described = (sequence(oid(method), uri(location)) for method, location in accesses)
    return extension("1.3.6.1.5.5.7.1.1", sequence(*described))


def policies(*items: bytes) -> bytes:
    return extension("2.5.29.32", sequence(*items))


def policy(dotted: str, *qualifiers: bytes) -> bytes:
    return sequence(oid(dotted), sequence(*qualifiers) if qualifiers else b"")


def cps(text: str) -> bytes:
    return sequence(oid("1.3.6.1.5.5.7.2.1"), tlv(IA5, text.encode()))


def user_notice(text: bytes, tag: int = UTF8, reference: bytes = b"") -> bytes:
    return sequence(oid("1.3.6.1.5.5.7.2.2"), sequence(reference, tlv(tag, text)))


def distribution_points(*points: bytes) -> bytes:
    return extension("2.5.29.31", sequence(*points))


def distribution_point(location: str, *more: bytes) -> bytes:
    return sequence(explicit(0, explicit(0, uri(location))), *more)


POISON = extension(POISON_OID, null(), critical=CRITICAL)


def sct_list(*scts: bytes) -> bytes:
    """The SCT list extension of RFC 6962 3.3: TLS vectors inside an inner OCTET STRING."""
    vector = b"".join(len(sct).to_bytes(2, "big") + sct for sct in scts)
    return extension(SCT_OID, octets(len(vector).to_bytes(2, "big") + vector))


def sct(log_id: bytes, timestamp: int, extensions: bytes = b"") -> bytes:
    """A v1 SCT, `timestamp` in milliseconds, with an ECDSA signature that nobody can check."""
    signature = sequence(integer(1 << 254), integer(3 << 250))
    return (
        b"\x00"
        + log_id
        + timestamp.to_bytes(8, "big")
        + len(extensions).to_bytes(2, "big")
        + extensions
        + b"\x04\x03"
        + len(signature).to_bytes(2, "big")
        + signature
    )


def tbs_certificate(
    *,
    subject: bytes,
    extensions: Iterable[bytes] | bytes | None = None,
    serial: bytes = integer(0x1234567890ABCDEF),
    algorithm: bytes = ECDSA_SHA256,
    issuer: bytes = ISSUER,
    validity: bytes = VALIDITY,
    version: int | None = 2,
    tail: Sequence[bytes] = (),
) -> bytes:
    """A TBSCertificate. `extensions`: single ones, or the ready content of [3], or no field."""
    if isinstance(extensions, bytes):
        last = explicit(3, extensions)
    else:
        last = b"" if extensions is None else explicit(3, sequence(*extensions))
    head = b"" if version is None else explicit(0, integer(version))
    return sequence(head, serial, algorithm, issuer, validity, subject, PUBLIC_KEY, last, *tail)


def signed(tbs: bytes, algorithm: bytes = ECDSA_SHA256) -> bytes:
    return sequence(tbs, algorithm, bits(SIGNATURE))
