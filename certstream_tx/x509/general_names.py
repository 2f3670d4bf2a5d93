"""GeneralName (RFC 5280, 4.2.1.6) in the four words the wire format has.

``DNS:a``, ``email:b``, ``IP Address:1.2.3.4``, ``URI:c``, as OpenSSL prints them, but for IPv6
addresses, which are in their usual short form (RFC 5952). Names of other kinds (directory names,
other names, registered IDs and the like) have no words there and are left out; ``as_der`` has them.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from certstream_tx.ct.der import DerError, elements, read_header

_DNS: Final = 0x82
_IP_ADDRESS: Final = 0x87
_TEXT_WORDS: Final = {0x81: "email:", _DNS: "DNS:", 0x86: "URI:"}


class AlternativeNames(NamedTuple):
    """What a subjectAltName says."""

    text: str
    """Every name in the certificate's order, ``DNS:a, IP Address:1.2.3.4``."""

    dns: list[str]
    """The DNS names alone, in the same order; an empty one is none."""


def general_name(tag: int, content: bytes) -> str | None:
    """The words for one name; None when there are none, or it cannot be read."""
    word = _TEXT_WORDS.get(tag)
    if word is not None:
        return word + content.decode("utf-8", "replace")
    if tag == _IP_ADDRESS:
        if len(content) == 4:
            return "IP Address:" + ".".join(map(str, content))
        if len(content) == 16:
            return "IP Address:" + _ipv6(content)
    return None


def general_names(data: bytes, at: int, end: int) -> Iterator[str]:
    """The words for each name of the GeneralNames whose content is ``data[at:end]``. DerError
    where the sequence breaks off."""
    for tag, start, stop in elements(data, at, end):
        words = general_name(tag, data[start:stop])
        if words is not None:
            yield words


def alternative_names(data: bytes, at: int, end: int) -> AlternativeNames:
    """All names of the GeneralNames whose content is ``data[at:end]``; DerError as above."""
    words: list[str] = []
    dns: list[str] = []
    while at < end:
        # The hottest loop of all: DNS names of less than 128 octets are read in place.
        if data[at] == _DNS and at + 1 < end and (length := data[at + 1]) < 0x80:
            start = at + 2
            at = start + length
            if at > end:
                raise DerError("element cut off")
            name = data[start:at].decode("utf-8", "replace")
            words.append("DNS:" + name)
            if name:
                dns.append(name)
            continue
        tag, start, at = read_header(data, at, end)
        text = general_name(tag, data[start:at])
        if text is not None:
            words.append(text)
            if tag == _DNS and start < at:
                dns.append(text.removeprefix("DNS:"))
    return AlternativeNames(", ".join(words), dns)


def _ipv6(octets: bytes) -> str:
    address = IPv6Address(octets)
    mapped = address.ipv4_mapped
    if mapped is None:
        return address.compressed
    # Python from 3.13 on ends these in dotted decimals: one form for all versions.
    return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}"
