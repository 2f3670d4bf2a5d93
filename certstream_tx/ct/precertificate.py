"""Whether a submitted precertificate is the one whose TBSCertificate the tree covers.

The leaf holds the TBSCertificate less its poison (RFC 6962 3.2); the precertificate itself comes
beside it, and nothing signed covers it. Where it was issued by a Precertificate Signing
Certificate, issuer and authority key identifier of the leaf are those of the final certificate.
"""

from struct import Struct
from struct import error as TooShort
from typing import Final

from certstream_tx.ct.der import OBJECT_IDENTIFIER, SEQUENCE, DerError, expect, read_header

POISON_OID: Final = bytes.fromhex("060a2b06010401d679020403")
POISON: Final = bytes.fromhex("3013") + POISON_OID + bytes.fromhex("0101ff04020500")
"""The whole extension, as all write it: critical, its value an ASN.1 NULL."""
AUTHORITY_KEY_ID: Final = bytes.fromhex("0603551d23")

MAX_EXTENSIONS: Final = 1000
"""Of one certificate; real ones have about ten."""

# Two elements, one in the other, each with a length of two octets: tag and 0x82, length, twice.
_HEADS: Final = Struct(">HHHH")
_SEQUENCE: Final = 0x3082
_EXTENSIONS: Final = 0xA382
_OUTER: Final = Struct(">HH")
_VERSION_3: Final = b"\xa0\x03\x02\x01\x02"
_LESS: Final = len(POISON)


def is_of(precertificate: bytes, tbs: bytes, signer: bytes | None = None) -> bool:
    """Whether ``tbs`` is the TBSCertificate of ``precertificate`` less its poison (DER, all).

    ``signer``: the certificate that signed it, if that is a Precertificate Signing Certificate:
    then issuer and authority key identifier may be those of the signer instead.

    Raises DerError when the precertificate cannot be taken apart.
    """
    return _is_plainly(precertificate, tbs) or _is_by_parts(precertificate, tbs, signer)


def _is_plainly(pre: bytes, tbs: bytes) -> bool:
    """The usual case, in a bit more than a microsecond: all lengths concerned have two octets, the
    poison is as usual, and nobody but the issuer signed. False says nothing.

    Both are the same but for the poison, and the three lengths that count it.
    """
    try:
        outer, _, inner, size = _HEADS.unpack_from(pre)
        if outer != _SEQUENCE or inner != _SEQUENCE or pre[8:13] != _VERSION_3:
            return False
        # Behind the version: serial number, algorithm, issuer, validity, subject, key.
        serial = pre[14]
        at = 15 + serial
        algorithm = pre[at + 1]
        at += 2 + algorithm
        issuer = pre[at + 1]
        at += 2 + issuer if issuer < 0x80 else 3 + pre[at + 2]
        validity = pre[at + 1]
        at += 2 + validity
        subject = pre[at + 1]
        at += 2 + subject if subject < 0x80 else 3 + pre[at + 2]
        key = pre[at + 1]
        at += 2 + key if key < 0x80 else 4 + (pre[at + 2] << 8 | pre[at + 3])
        if (
            (serial | algorithm | validity) & 0x80
            or issuer > 0x81
            or issuer == 0x80
            or subject > 0x81
            or subject == 0x80
            or 0x80 <= key != 0x82
        ):
            return False
        end = 8 + size
        tag, length, inner, inner_length = _HEADS.unpack_from(pre, at)
        poison = pre.find(POISON, at + 8, end)
        return (
            tag == _EXTENSIONS
            and inner == _SEQUENCE
            and poison > 0
            and end <= len(pre)
            and len(tbs) == end - 4 - _LESS
            and _HEADS.unpack_from(tbs, at - 4)
            == (_EXTENSIONS, length - _LESS, _SEQUENCE, inner_length - _LESS)
            and tbs[:4] == _OUTER.pack(_SEQUENCE, size - _LESS)
            and tbs.startswith(pre[8:at], 4)
            and tbs.startswith(pre[at + 8 : poison], at + 4)
            and tbs.endswith(pre[poison + _LESS : end])
        )
    except (IndexError, TooShort):
        return False


def _is_by_parts(pre: bytes, tbs: bytes, signer: bytes | None) -> bool:
    """The same, part by part."""
    start, _ = expect(pre, 0, len(pre), SEQUENCE)
    parts, extensions = _parts(pre, start)
    try:
        leaf = _parts(tbs, 0)
        if expect(tbs, 0, len(tbs), SEQUENCE)[1] != len(tbs):
            return False
    except DerError:
        return False
    bare = [each for each in extensions if _oid(each) != POISON_OID]
    if len(bare) != len(extensions) - 1:
        return False
    if (parts, bare) == leaf:
        return True
    return signer is not None and _reissued(parts, bare, signer) == leaf


def _reissued(
    parts: list[bytes], extensions: list[bytes], signer: bytes
) -> tuple[list[bytes], list[bytes]] | None:
    """What the issuer of the final certificate would have made of it."""
    try:
        start, _ = expect(signer, 0, len(signer), SEQUENCE)
        signer_parts, signer_extensions = _parts(signer, start)
    except DerError:
        return None
    issued = parts.copy()
    issued[_issuer_place(parts)] = signer_parts[_issuer_place(signer_parts)]
    key_ids = [each for each in signer_extensions if _oid(each) == AUTHORITY_KEY_ID]
    return issued, [
        key_ids[0] if key_ids and _oid(each) == AUTHORITY_KEY_ID else each for each in extensions
    ]


def _issuer_place(parts: list[bytes]) -> int:
    """Behind version, serial number and algorithm; the first may be missing."""
    return 3 if parts[0][:1] == b"\xa0" else 2


def _parts(der: bytes, at: int) -> tuple[list[bytes], list[bytes]]:
    """The elements of the TBSCertificate at ``at`` before its extensions, of which there are at
    least four; then the extensions. Raises DerError."""
    at, stop = expect(der, at, len(der), SEQUENCE)
    parts: list[bytes] = []
    extensions: list[bytes] = []
    while at < stop:
        tag, start, behind = read_header(der, at, stop)
        if tag == 0xA3:
            first, last = expect(der, start, behind, SEQUENCE)
            if last != behind or behind != stop:
                raise DerError("bytes follow the extensions")
            while first < last:
                if len(extensions) >= MAX_EXTENSIONS:
                    raise DerError("too many extensions")
                _, _, next_one = read_header(der, first, last)
                extensions.append(der[first:next_one])
                first = next_one
        else:
            parts.append(der[at:behind])
        at = behind
    if len(parts) < 4:
        raise DerError("a TBSCertificate is cut short")
    return parts, extensions


def _oid(extension: bytes) -> bytes:
    """The whole OBJECT IDENTIFIER that an Extension begins with; empty when there is none."""
    try:
        start, end = expect(extension, 0, len(extension), SEQUENCE)
        tag, _, stop = read_header(extension, start, end)
    except DerError:
        return b""
    return extension[start:stop] if tag == OBJECT_IDENTIFIER else b""
