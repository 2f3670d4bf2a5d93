"""The values of the extensions the wire format names, as its text.

Each reader takes the value of an extension (the content of its extnValue, from ``at`` to ``end``)
and returns its text, which is empty where it says nothing there are words for. It raises DerError
when the value cannot be read.
"""

from binascii import b2a_base64
from typing import Final

from certstream_tx.ct.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    elements,
    expect,
    members,
    read_header,
    read_oid,
    read_text,
    sequences,
)
from certstream_tx.x509.general_names import (
    AlternativeNames,
    alternative_names,
    general_name,
    general_names,
)
from certstream_tx.x509.purposes import LONG_NAMES


def subject_key_identifier(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.2: ``keyid:aa:bb``."""
    start, stop = expect(der, at, end, OCTET_STRING)
    return "keyid:" + der[start:stop].hex(":")


def authority_key_identifier(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.1: the key identifier only, ``keyid:aa:bb``."""
    for tag, start, stop in members(der, at, end):
        if tag == 0x80:
            return "keyid:" + der[start:stop].hex(":")
    raise DerError("no key identifier")


_KEY_USAGES: Final = (
    "Digital Signature",
    "Content Commitment",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Signing",
    "CRL Signing",
    "Encipher Only",
    "Decipher Only",
)


def key_usage(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.3."""
    start, stop = expect(der, at, end, BIT_STRING)
    bits = der[start + 1 : stop]  # the first octet counts the unused bits, which are zero
    return ", ".join(
        word
        for bit, word in enumerate(_KEY_USAGES)
        if bit >> 3 < len(bits) and bits[bit >> 3] & 0x80 >> (bit & 7)
    )


def extended_key_usage(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.12: OpenSSL's long names, dotted OIDs for others."""
    purposes = []
    for tag, start, stop in members(der, at, end):
        if tag != OBJECT_IDENTIFIER:
            raise DerError("key purpose is not an OID")
        oid = read_oid(der[start:stop])
        purposes.append(LONG_NAMES.get(oid, oid))
    return ", ".join(purposes)


def basic_constraints(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.9: ``CA:TRUE, pathlen:0``."""
    ca = "CA:FALSE"
    path_length = ""
    for tag, start, stop in members(der, at, end):
        if tag == BOOLEAN:
            ca = "CA:TRUE" if any(der[start:stop]) else "CA:FALSE"
        elif tag == INTEGER and 0 < stop - start <= 8:
            path_length = f", pathlen:{int.from_bytes(der[start:stop], 'big', signed=True)}"
        else:
            raise DerError("not a BasicConstraints")
    return ca + path_length


_CPS: Final = "1.3.6.1.5.5.7.2.1"
_USER_NOTICE: Final = "1.3.6.1.5.5.7.2.2"


def certificate_policies(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.4: a line for each policy and, indented, each CPS pointer and the explicit
    text of each user notice; other qualifiers are left out."""
    lines: list[str] = []
    for start, stop in sequences(der, at, end):
        oid_start, oid_stop = expect(der, start, stop, OBJECT_IDENTIFIER)
        lines.append(f"Policy: {read_oid(der[oid_start:oid_stop])}\n")
        if oid_stop < stop:
            lines.extend(_qualifier(der, *bounds) for bounds in sequences(der, oid_stop, stop))
    return "".join(lines)


def _qualifier(der: bytes, at: int, end: int) -> str:
    """The line of a policy qualifier; none when it is of another kind or broken."""
    try:
        start, at = expect(der, at, end, OBJECT_IDENTIFIER)
        oid = read_oid(der[start:at])
        if oid == _CPS:
            tag, start, stop = read_header(der, at, end)
            return f"  CPS: {read_text(tag, der[start:stop])}\n"
        if oid == _USER_NOTICE:
            for tag, start, stop in members(der, at, end):
                if tag != SEQUENCE:  # which would refer to a notice by its number
                    return f"  User Notice: {read_text(tag, der[start:stop])}\n"
    except DerError:
        pass
    return ""


def crl_distribution_points(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.13: two lines for each full name of each point."""
    lines: list[str] = []
    for point, point_end in sequences(der, at, end):
        for tag, start, stop in elements(der, point, point_end):
            if tag != 0xA0:  # not its name
                continue
            tag, start, stop = read_header(der, start, stop)
            if tag == 0xA0:  # not relative to an issuer
                lines.extend(f"Full Name:\n {words}\n" for words in general_names(der, start, stop))
    return "".join(lines)


def authority_info_access(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.2.1: where each access method leads, ``URI:http://i, URI:http://o``."""
    locations = []
    for start, stop in sequences(der, at, end):
        _, location = expect(der, start, stop, OBJECT_IDENTIFIER)
        tag, start, stop = read_header(der, location, stop)
        words = general_name(tag, der[start:stop])
        if words is not None:
            locations.append(words)
    return ", ".join(locations)


def subject_alt_name(der: bytes, at: int, end: int) -> AlternativeNames:
    """RFC 5280, 4.2.1.6."""
    return alternative_names(der, *expect(der, at, end, SEQUENCE))


def issuer_alt_name(der: bytes, at: int, end: int) -> str:
    """RFC 5280, 4.2.1.7: as the subject's."""
    return ", ".join(general_names(der, *expect(der, at, end, SEQUENCE)))


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def signed_certificate_timestamps(der: bytes, at: int, end: int) -> str:
    """RFC 6962, 3.3: base64url of the whole value, an OCTET STRING with its tag and length."""
    return b2a_base64(der[at:end], newline=False).translate(_URL_SAFE).decode()


def poison(der: bytes, at: int, end: int) -> bool:
    """RFC 6962, 3.1: that it is there is all it says."""
    return True
