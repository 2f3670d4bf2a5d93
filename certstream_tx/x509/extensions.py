"""The extensions of a certificate (RFC 5280, 4.2; RFC 6962, 3), as the wire format has them.

What they say repeats: the few thousand key usages, policies, issuer keys and addresses in use are
remembered by the bytes of the whole Extension, so that of a new certificate only what is its own
is read.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from certstream_tx.ct.der import (
    BOOLEAN,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    expect,
    read_header,
    read_oid,
)
from certstream_tx.x509 import extension_values as values
from certstream_tx.x509.cache import BoundedCache
from certstream_tx.x509.general_names import AlternativeNames

MAX_EXTRA: Final = 1000
"""OIDs listed of extensions the wire format does not name; real certificates have a few."""


class Extensions(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """The extensions clients know, as text; None (a key left out of the JSON) when absent."""

    authority_info_access: str | None = None
    authority_key_identifier: str | None = None
    basic_constraints: str | None = None
    certificate_policies: str | None = None
    crl_distribution_points: str | None = None
    ctl_poison_byte: bool = False
    ctl_signed_certificate_timestamp: str | None = None
    extended_key_usage: str | None = None
    issuer_alt_name: str | None = None
    key_usage: str | None = None
    subject_alt_name: str | None = None
    subject_key_identifier: str | None = None
    extra: tuple[str, ...] | None = None
    """The OIDs of the other extensions, dotted, each once."""


NO_EXTENSIONS: Final = Extensions()


class ReadExtensions(NamedTuple):
    """What the extensions of one certificate say."""

    extensions: Extensions
    dns_names: list[str]
    is_ca: bool


class _Kind(NamedTuple):
    """An extension the wire format names."""

    attribute: str
    """Of Extensions."""
    read: Callable[[bytes, int, int], Any]
    repeats: bool
    """Whether its value comes again in other certificates, so that it pays to remember it."""


_KINDS: Final = {
    b"\x55\x1d\x0e": _Kind("subject_key_identifier", values.subject_key_identifier, False),
    b"\x55\x1d\x0f": _Kind("key_usage", values.key_usage, True),
    b"\x55\x1d\x11": _Kind("subject_alt_name", values.subject_alt_name, False),
    b"\x55\x1d\x12": _Kind("issuer_alt_name", values.issuer_alt_name, True),
    b"\x55\x1d\x13": _Kind("basic_constraints", values.basic_constraints, True),
    b"\x55\x1d\x1f": _Kind("crl_distribution_points", values.crl_distribution_points, True),
    b"\x55\x1d\x20": _Kind("certificate_policies", values.certificate_policies, True),
    b"\x55\x1d\x23": _Kind("authority_key_identifier", values.authority_key_identifier, True),
    b"\x55\x1d\x25": _Kind("extended_key_usage", values.extended_key_usage, True),
    b"\x2b\x06\x01\x05\x05\x07\x01\x01": _Kind(
        "authority_info_access", values.authority_info_access, True
    ),
    b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02": _Kind(
        "ctl_signed_certificate_timestamp", values.signed_certificate_timestamps, False
    ),
    b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03": _Kind("ctl_poison_byte", values.poison, True),
}
_KINDS_BY_OID: Final = {bytes((OBJECT_IDENTIFIER, len(k))) + k: v for k, v in _KINDS.items()}

# False of a value that cannot be read. Most of the distinct ones in the public logs are addresses
# of CRL shards.
_remembered: BoundedCache[Any] = BoundedCache(max_entries=8192, max_bytes=4 << 20)


def read_extensions(der: bytes, at: int, end: int) -> ReadExtensions:
    """Read the Extensions that are ``der[at:end]``. Never raises.

    An extension that cannot be read is left out; where the list itself breaks off, what stands
    before is kept. Of a repeated extension the first that can be read counts.
    """
    found: dict[str, Any] = {}
    dns_names: list[str] = []
    extra: dict[str, None] = {}
    try:
        at, end = expect(der, at, end, SEQUENCE)
        while at < end:
            first = at
            tag, start, at = read_header(der, at, end)
            if tag != SEQUENCE or at - start < 2:
                continue
            oid_end = start + 2 + der[start + 1]
            kind = _KINDS_BY_OID.get(der[start:oid_end])
            if kind is None:
                if len(extra) < MAX_EXTRA and (oid := _oid(der, start, at)):
                    extra[oid] = None
                continue
            attribute, read, repeats = kind
            if attribute in found:
                continue
            if repeats:
                key = der[first:at]
                value = _remembered.get(key)
                if value is None:
                    value = _value(der, oid_end, at, read)
                    _remembered.put(key, value)
            else:
                value = _value(der, oid_end, at, read)
                if type(value) is AlternativeNames:
                    value, dns_names = value
            if value is not False:
                found[attribute] = value
    except DerError:
        pass
    if extra:
        found["extra"] = tuple(extra)
    is_ca = found.get("basic_constraints", "").startswith("CA:TRUE")
    return ReadExtensions(Extensions(**found), dns_names, is_ca)


def _oid(der: bytes, at: int, end: int) -> str | None:
    try:
        start, stop = expect(der, at, end, OBJECT_IDENTIFIER)
        return read_oid(der[start:stop])
    except DerError:
        return None


def _value(der: bytes, at: int, end: int, read: Callable[[bytes, int, int], Any]) -> Any:
    """What ``read`` makes of an Extension's value; ``der[at:end]`` is what follows its OID.
    False when it cannot be read."""
    try:
        tag, start, stop = read_header(der, at, end)
        if tag == BOOLEAN:  # critical
            tag, start, stop = read_header(der, stop, end)
        return read(der, start, stop) if tag == OCTET_STRING else False
    except DerError:
        return False
