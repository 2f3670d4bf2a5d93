"""Certificates taken apart by hand, independent of how the demonstration logs change them."""

from collections.abc import Iterator

POISON = bytes.fromhex("060a2b06010401d679020403")
"""the object identifier 1.3.6.1.4.1.11129.2.4.3, in DER (RFC 6962 3.1)"""


def elements(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each DER element of a content: tag, content, the whole element."""
    at = 0
    while at < len(content):
        length, start = content[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start], "big")
        yield content[at], content[start : start + length], content[at : start + length]
        at = start + length


def element(tag: int, content: bytes) -> bytes:
    """A DER element."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def tbs_without_poison(precertificate: bytes) -> bytes:
    """The TBSCertificate of a precertificate, its poison taken out."""
    ((_, certificate, _),) = elements(precertificate)
    _, tbs, _ = next(elements(certificate))
    fields = []
    removed = 0
    for tag, content, whole in elements(tbs):
        if tag != 0xA3:
            fields.append(whole)
            continue
        ((_, extensions, _),) = elements(content)
        kept = [one for _, inner, one in elements(extensions) if not inner.startswith(POISON)]
        removed += sum(1 for _ in elements(extensions)) - len(kept)
        fields.append(element(0xA3, element(0x30, b"".join(kept))))
    assert removed == 1, f"{removed} poison extensions"
    return element(0x30, b"".join(fields))
