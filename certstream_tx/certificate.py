"""Certificates, as the ``leaf_cert`` of the wire format, read at the speed of the logs.

Thousands a second are read on one core, so the frame of a certificate (RFC 5280, 4.1) is walked
here by index, once, in one function; what repeats from certificate to certificate (issuers,
policies, key usages, the issuer's key and addresses) is remembered by its bytes. Everything else
is in ``x509/``, a module for each kind of part.

Reading never fails. A part that cannot be read (a name, a date, an extension) is left out; when
the frame is broken, ``error`` says why and the fields are empty. Nothing is verified, and nothing
that a certificate contains can cost more than time linear in its size.
"""

import re
from hashlib import sha1, sha256
from typing import Final

import msgspec

from certstream_tx.ct.der import (
    INTEGER,
    SEQUENCE,
    DerError,
    expect,
    read_header,
    read_integer_hex,
    read_time,
)
from certstream_tx.x509.algorithms import UNKNOWN, signature_algorithm
from certstream_tx.x509.extensions import NO_EXTENSIONS, Extensions, ReadExtensions, read_extensions
from certstream_tx.x509.names import UNREADABLE_NAME, Name, read_common_names, read_name

MAX_CERTIFICATE_BYTES: Final = 256 * 1024
"""Larger ones are not taken apart: the worst of this size already takes a tenth of a second, in
which nothing else is done. Real ones of the most names are below 200 KB."""


class Certificate(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a certificate says, by the names the wire format has for it.

    ``error`` is no part of ``leaf_cert``: it is None, or why nothing could be read.
    """

    subject: Name
    issuer: Name
    all_domains: list[str]
    """The CN when it looks like a DNS name, then the DNS names, each once."""
    fingerprint: str
    sha1: str
    sha256: str
    serial_number: str
    signature_algorithm: str
    not_before: int
    not_after: int
    is_ca: bool
    extensions: Extensions
    error: str | None = None


_label = r"[A-Za-z0-9_-]{1,63}"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_label}(?:\.{_label})+")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def looks_like_dns_name(text: str) -> bool:
    """Whether a CN is a name of the DNS: dotted labels, a wildcard in front or not, no address."""
    return (
        len(text) <= 253 and _DNS_NAME.fullmatch(text) is not None and _IPV4.fullmatch(text) is None
    )


def read_certificate(der: bytes) -> Certificate:
    """Read an X.509 certificate or precertificate. Never raises: see ``error``.

    Bytes after the certificate are hashed with it and otherwise ignored.
    """
    try:
        return _read(der)
    except DerError as error:
        return unread_certificate(der, str(error))


def unread_certificate(der: bytes, reason: str) -> Certificate:
    """What can be said of bytes that cannot be read as a certificate: their hashes."""
    fingerprint, digest = _fingerprints(der)
    return Certificate(
        subject=UNREADABLE_NAME,
        issuer=UNREADABLE_NAME,
        all_domains=[],
        fingerprint=fingerprint,
        sha1=fingerprint,
        sha256=digest,
        serial_number="",
        signature_algorithm=UNKNOWN,
        not_before=0,
        not_after=0,
        is_ca=False,
        extensions=NO_EXTENSIONS,
        error=reason,
    )


def _fingerprints(der: bytes) -> tuple[str, str]:
    """SHA-1 and SHA-256, ``AA:BB:..``."""
    return (
        sha1(der, usedforsecurity=False).digest().hex(":").upper(),
        sha256(der).digest().hex(":").upper(),
    )


def _read(der: bytes) -> Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise DerError(f"larger than {MAX_CERTIFICATE_BYTES} bytes")
    at, end = expect(der, 0, len(der), SEQUENCE)
    at, end = expect(der, at, end, SEQUENCE)

    # TBSCertificate: [0] version, on which nothing here depends; serial number; algorithm; issuer;
    # validity; subject; key; then what is optional.
    if at < end and der[at] == 0xA0:
        _, _, at = read_header(der, at, end)
    start, at = expect(der, at, end, INTEGER)
    serial_number = read_integer_hex(der[start:at])
    start = at
    _, _, at = read_header(der, start, end)
    algorithm = signature_algorithm(der[start:at])
    start = at
    _, _, at = read_header(der, start, end)
    issuer = read_name(der[start:at])
    _, start, at = read_header(der, at, end)
    not_before, not_after = _validity(der, start, at)
    start = at
    _, _, at = read_header(der, start, end)
    subject_der = der[start:at]
    subject = read_name(subject_der)
    extensions, domains, is_ca = _optional_fields(der, at, end)

    common_name = subject.common_name
    if common_name is not None and not is_ca:
        if looks_like_dns_name(common_name):
            domains.insert(0, common_name)
        elif ", " in common_name:  # several, joined
            domains[:0] = filter(looks_like_dns_name, read_common_names(subject_der))
    if len(domains) > 1:
        domains = list(dict.fromkeys(domains))
    fingerprint, digest = _fingerprints(der)
    return Certificate(
        subject,
        issuer,
        domains,
        fingerprint,
        fingerprint,
        digest,
        serial_number,
        algorithm,
        not_before,
        not_after,
        is_ca,
        extensions,
    )


def _validity(der: bytes, at: int, end: int) -> tuple[int, int]:
    """Both dates; 0 for one that cannot be read."""
    not_before = not_after = 0
    try:
        tag, start, at = read_header(der, at, end)
        not_before = _date(tag, der[start:at])
        tag, start, at = read_header(der, at, end)
        not_after = _date(tag, der[start:at])
    except DerError:
        pass
    return not_before, not_after


def _date(tag: int, content: bytes) -> int:
    try:
        return read_time(tag, content)
    except DerError:
        return 0


def _optional_fields(der: bytes, at: int, end: int) -> ReadExtensions:
    """The extensions among what follows the subject: the key, unique identifiers, extensions."""
    try:
        while at < end:
            tag, start, at = read_header(der, at, end)
            if tag == 0xA3:
                return read_extensions(der, start, at)
    except DerError:
        pass
    return ReadExtensions(NO_EXTENSIONS, [], False)
