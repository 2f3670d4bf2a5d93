"""GeneralName (RFC 5280, 4.2.1.6) in the words OpenSSL prints.

``DNS:a``, ``email:b``, ``IP Address:1.2.3.4``, ``URI:c``, ``DirName:/C=UK/O=Org``,
``Registered ID:1.2.3.4``, ``othername: UPN::user@x`` (text where it is text, ``<unsupported>``
where it is not), ``X400Name:<unsupported>``, ``EdiPartyName:<unsupported>``. IPv6 addresses are in
their usual short form (RFC 5952), where OpenSSL writes all eight groups.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from certstream_tx.ct.der import (
    OBJECT_IDENTIFIER,
    DerError,
    elements,
    expect,
    read_header,
    read_oid,
    read_text,
)
from certstream_tx.x509.names import one_line

OTHER_NAME: Final = 0xA0
EMAIL: Final = 0x81
DNS: Final = 0x82
X400_ADDRESS: Final = 0xA3
DIRECTORY_NAME: Final = 0xA4
EDI_PARTY_NAME: Final = 0xA5
URI: Final = 0x86
IP_ADDRESS: Final = 0x87
REGISTERED_ID: Final = 0x88

UNSUPPORTED: Final = "<unsupported>"

_OTHER_NAME_FORMS: Final = {
    "1.3.6.1.4.1.311.20.2.3": "UPN",
    "1.3.6.1.5.5.7.8.5": "XmppAddr",
    "1.3.6.1.5.5.7.8.7": "SRVName",
    "1.3.6.1.5.5.7.8.8": "NAIRealm",
    "1.3.6.1.5.5.7.8.9": "SmtpUTF8Mailbox",
}


class AlternativeNames(NamedTuple):
    """What a subjectAltName says."""

    text: str
    """Every name in the certificate's order, ``DNS:a, IP Address:1.2.3.4``."""

    dns: list[str]
    """The DNS names alone, in the same order."""


def general_name(tag: int, data: bytes, start: int, stop: int) -> str:
    """The words for one name, its content ``data[start:stop]``; DerError when it has none."""
    if tag == DNS:
        return "DNS:" + data[start:stop].decode("utf-8", "replace")
    if tag == URI:
        return "URI:" + data[start:stop].decode("utf-8", "replace")
    if tag == EMAIL:
        return "email:" + data[start:stop].decode("utf-8", "replace")
    if tag == IP_ADDRESS:
        return "IP Address:" + _address(data[start:stop])
    if tag == DIRECTORY_NAME:
        return "DirName:" + one_line(data, start, stop)
    if tag == REGISTERED_ID:
        return "Registered ID:" + read_oid(data[start:stop])
    if tag == OTHER_NAME:
        return "othername: " + _other_name(data, start, stop)
    if tag == X400_ADDRESS:
        return "X400Name:" + UNSUPPORTED
    if tag == EDI_PARTY_NAME:
        return "EdiPartyName:" + UNSUPPORTED
    raise DerError(f"tag {tag:#04x} is not of a GeneralName")


def general_names(data: bytes, start: int, stop: int) -> Iterator[str]:
    """The words for each name of the GeneralNames whose content is ``data[start:stop]``; one that
    cannot be read is left out. DerError where the sequence itself breaks off."""
    for tag, name_start, name_stop in elements(data, start, stop):
        try:
            words = general_name(tag, data, name_start, name_stop)
        except DerError:
            continue
        yield words


def alternative_names(data: bytes, start: int, stop: int) -> AlternativeNames:
    """All names of the GeneralNames whose content is ``data[start:stop]``; DerError as above."""
    words: list[str] = []
    dns: list[str] = []
    at = start
    while at < stop:
        # The hottest loop of all: DNS names of less than 128 octets are read in place.
        if data[at] == DNS and at + 1 < stop and (length := data[at + 1]) < 0x80:
            name_start = at + 2
            at = name_start + length
            if at > stop:
                raise DerError("element cut off")
            name = data[name_start:at].decode("utf-8", "replace")
            dns.append(name)
            words.append("DNS:" + name)
            continue
        tag, name_start, at = read_header(data, at, stop)
        try:
            word = general_name(tag, data, name_start, at)
        except DerError:
            continue
        words.append(word)
        if tag == DNS:
            dns.append(word[4:])
    return AlternativeNames(", ".join(words), dns)


def _address(octets: bytes) -> str:
    if len(octets) == 4:
        return ".".join(map(str, octets))
    if len(octets) != 16:
        return "<invalid>"
    address = IPv6Address(octets)
    mapped = address.ipv4_mapped
    if mapped is None:
        return address.compressed
    # Python from 3.13 on ends these in dotted decimals: one form for all versions.
    return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}"


def _other_name(data: bytes, start: int, stop: int) -> str:
    oid_start, oid_stop = expect(data, start, stop, OBJECT_IDENTIFIER)
    oid = read_oid(data[oid_start:oid_stop])
    value_start, value_stop = expect(data, oid_stop, stop, 0xA0)
    tag, value_start, value_stop = read_header(data, value_start, value_stop)
    try:
        text = read_text(tag, data[value_start:value_stop])
    except DerError:
        text = UNSUPPORTED
    return f"{_OTHER_NAME_FORMS.get(oid, oid)}::{text}"
