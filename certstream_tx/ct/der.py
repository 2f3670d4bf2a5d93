"""Reading DER (X.690) as certificates in the wild are written.

Everything works on indices into one ``bytes`` object and copies nothing until a value is wanted.
Tolerant where real certificates are wrong and the meaning is still plain: lengths and integers
longer than need be, bytes after an element, times without seconds or with an offset, text that is
not of the encoding its tag promises. Indefinite lengths and tags of several bytes are refused:
nothing in a certificate needs them.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

MAX_LENGTH_OCTETS: Final = 8
"""Octets of a long length: four say 4 GiB; a few more are leading zeros."""

MAX_OID_OCTETS: Final = 128
"""The longest in use are UUIDs of 20; a number without bound would cost quadratic time to print."""

MAX_TIME_OCTETS: Final = 32
"""``YYYYMMDDHHMMSS``, a fraction and an offset."""


class DerError(ValueError):
    """The bytes are not what they should be."""


def read_header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The element at ``at``: its tag octet, where its content starts and where it stops.

    Raises DerError when the element does not lie wholly within ``data[at:end]``.
    """
    start = at + 2
    if start > end:
        raise DerError("element cut off")
    tag = data[at]
    if tag & 0x1F == 0x1F:
        raise DerError("tag of several octets")
    length = data[at + 1]
    if length >= 0x80:
        octets = length & 0x7F
        if not 0 < octets <= MAX_LENGTH_OCTETS:
            raise DerError("length indefinite or out of bounds")
        start += octets
        length = int.from_bytes(data[at + 2 : start], "big")
    stop = start + length
    if stop > end:
        raise DerError("element cut off")
    return tag, start, stop


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Start and stop of the content of the element at ``at``, which must have this tag."""
    found, start, stop = read_header(data, at, end)
    if found != tag:
        raise DerError(f"tag {found:#04x} where {tag:#04x} belongs")
    return start, stop


def elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and stop of each element of ``data[at:end]``; DerError where one is cut off."""
    while at < end:
        element = read_header(data, at, end)
        yield element
        at = element[2]


def members(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and stop of each element of the SEQUENCE at ``at``."""
    start, stop = expect(data, at, end, SEQUENCE)
    return elements(data, start, stop)


def sequences(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and stop of each SEQUENCE in the SEQUENCE OF SEQUENCE at ``at``; DerError at others."""
    for tag, start, stop in members(data, at, end):
        if tag != SEQUENCE:
            raise DerError(f"tag {tag:#04x} where a SEQUENCE belongs")
        yield start, stop


def read_oid(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content in dotted decimals (X.690, 8.19)."""
    if len(content) > MAX_OID_OCTETS:
        raise DerError("object identifier out of bounds")
    return _dotted(content)


@lru_cache(maxsize=4096)
def _dotted(content: bytes) -> str:
    if not content or content[-1] >= 0x80:
        raise DerError("object identifier cut off")
    arcs: list[int] = []
    arc = 0
    for octet in content:
        if octet == 0x80 and arc == 0:
            raise DerError("object identifier padded")
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))


def read_integer_hex(content: bytes) -> str:
    """An INTEGER's content in upper-case hex of whole octets, a negative one as its magnitude
    behind ``-``. Linear in time: serial numbers of any length are met."""
    if content and content[0] >= 0x80:
        magnitude = -int.from_bytes(content, "big", signed=True)
        return "-" + magnitude.to_bytes(len(content), "big").lstrip(b"\0").hex().upper()
    return (content.lstrip(b"\0") or b"\0").hex().upper()


_UTF8_TAGS: Final = frozenset(
    {
        0x0C,  # UTF8String
        0x12,  # NumericString
        0x13,  # PrintableString
        0x15,  # VideotexString
        0x16,  # IA5String
        0x19,  # GraphicString
        0x1A,  # VisibleString
        0x1B,  # GeneralString
    }
)
_T61_STRING: Final = 0x14
_UNIVERSAL_STRING: Final = 0x1C
_BMP_STRING: Final = 0x1E


def read_text(tag: int, content: bytes) -> str:
    """The text of any ASN.1 string type; what does not decode becomes U+FFFD.

    The single-octet types are read as UTF-8, which agrees with them wherever they are used as
    meant. T61String is UTF-8 where it decodes and ISO 8859-1 otherwise: issuers write either, and
    nobody the escapes of T.61. DerError when the tag is not of a string.
    """
    if tag in _UTF8_TAGS:
        return content.decode("utf-8", "replace")
    if tag == _BMP_STRING:
        return content.decode("utf-16-be", "replace")
    if tag == _UNIVERSAL_STRING:
        return content.decode("utf-32-be", "replace")
    if tag == _T61_STRING:
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content.decode("latin-1")
    raise DerError(f"tag {tag:#04x} is not of a string")


_TWO_DIGITS: Final = {b"%02d" % n: n for n in range(100)}
_CLOCK = rb"(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,]\d+)?(?:Z|([+-])(\d\d)(\d\d))?"
_UTC_TIME = re.compile(rb"(\d{6})" + _CLOCK)
_GENERALIZED_TIME = re.compile(rb"(\d{8})" + _CLOCK)
_UNIX_EPOCH: Final = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=4096)
def _midnight(digits: bytes) -> int:
    """Unix seconds of the start of the day ``YYMMDD`` or ``YYYYMMDD``."""
    year = int(digits[:-4])
    if len(digits) == 6:
        year += 1900 if year >= 50 else 2000  # RFC 5280, 4.1.2.5.1
    try:
        day = date(year, int(digits[-4:-2]), int(digits[-2:]))
    except ValueError as e:
        raise DerError(f"no such day: {digits.decode()}") from e
    return (day.toordinal() - _UNIX_EPOCH) * 86400


def read_time(tag: int, content: bytes) -> int:
    """Unix seconds of a UTCTime or GeneralizedTime (RFC 5280, 4.1.2.5).

    Also read are times without seconds, with a fraction (dropped), with an offset, and without
    any zone, which is then UTC. DerError for anything else and for days that do not exist.
    """
    if tag == UTC_TIME and len(content) == 13 and content[12] == 0x5A:
        # Nearly every certificate; what is not of this shape in detail fails over.
        try:
            hours = _TWO_DIGITS[content[6:8]]
            minutes = _TWO_DIGITS[content[8:10]]
            seconds = _TWO_DIGITS[content[10:12]]
            if hours < 24 and minutes < 60 and seconds < 60:
                return _midnight(content[:6]) + hours * 3600 + minutes * 60 + seconds
        except (KeyError, ValueError):
            pass
    if tag == UTC_TIME:
        pattern = _UTC_TIME
    elif tag == GENERALIZED_TIME:
        pattern = _GENERALIZED_TIME
    else:
        raise DerError(f"tag {tag:#04x} is not of a time")
    match = pattern.fullmatch(content[: MAX_TIME_OCTETS + 1])
    if match is None or len(content) > MAX_TIME_OCTETS:
        raise DerError("time not readable")
    day, hour, minute, second, sign, offset_hours, offset_minutes = match.groups()
    clock = int(hour) * 3600 + int(minute or 0) * 60 + int(second or 0)
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise DerError("no such time of day")
    if sign:
        offset = int(offset_hours) * 3600 + int(offset_minutes) * 60
        clock += offset if sign == b"-" else -offset
    return _midnight(day) + clock
