"""A small DER writer which also writes what no certificate library agrees to write.

It computes tags and lengths and nothing else, so that certificates can be made with any string
type, any algorithm identifier and any kind of damage. Standard library only.
"""

from __future__ import annotations

UTF8, NUMERIC, PRINTABLE, T61, IA5 = 0x0C, 0x12, 0x13, 0x14, 0x16
GRAPHIC, VISIBLE, GENERAL, UNIVERSAL, BMP = 0x19, 0x1A, 0x1B, 0x1C, 0x1E
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18


def tlv(tag: int, *contents: bytes) -> bytes:
    """One element with its definite length in the fewest bytes (X.690 10.1)."""
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*elements: bytes) -> bytes:
    return tlv(0x30, *elements)


def set_of(*elements: bytes) -> bytes:
    return tlv(0x31, *elements)


def integer(value: int) -> bytes:
    """INTEGER in the fewest bytes, two's complement (X.690 8.3)."""
    magnitude = value if value >= 0 else -value - 1
    return tlv(0x02, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def null() -> bytes:
    return tlv(0x05)


def octets(*contents: bytes) -> bytes:
    return tlv(0x04, *contents)


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes([unused]), content)


def named_bits(*positions: int) -> bytes:
    """BIT STRING of a named bit list: trailing zero bits left out (X.690 11.2.2)."""
    if not positions:
        return bits(b"")
    width = max(positions) + 1
    number = sum(1 << (width - 1 - position) for position in positions)
    unused = -width % 8
    return bits((number << unused).to_bytes((width + unused) // 8, "big"), unused)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER; the first two arcs share one number (X.690 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        content += bytes(reversed(septets))
    return tlv(0x06, content)


def explicit(number: int, *contents: bytes) -> bytes:
    """[number] constructed: EXPLICIT, or IMPLICIT of a constructed type."""
    return tlv(0xA0 | number, *contents)


def implicit(number: int, content: bytes) -> bytes:
    """[number] primitive: IMPLICIT of a primitive type."""
    return tlv(0x80 | number, content)
