"""Distinguished names (RFC 5280, 4.1.2.4), as the ``subject`` and ``issuer`` of the wire format."""

from collections.abc import Iterator
from sys import getsizeof
from typing import Final

import msgspec

from certstream_tx.ct.der import (
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    DerError,
    elements,
    expect,
    members,
    read_header,
    read_oid,
    read_text,
)
from certstream_tx.x509.cache import BoundedCache


class Name(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "country": "C",
        "common_name": "CN",
        "locality": "L",
        "organization": "O",
        "organizational_unit": "OU",
        "state": "ST",
        "email": "emailAddress",
    },
):
    """The attributes of a name that clients know; None where the name has none.

    A repeated attribute holds all its values, joined by ``, `` in the certificate's order.
    ``email_address`` equals ``email``: both keys have been in use.
    """

    country: str | None = None
    common_name: str | None = None
    locality: str | None = None
    organization: str | None = None
    organizational_unit: str | None = None
    state: str | None = None
    email: str | None = None
    email_address: str | None = None
    aggregated: str | None = None
    """``/C=../CN=../L=../O=../OU=../ST=../emailAddress=..``; ``""`` of an empty name."""


UNREADABLE_NAME: Final = Name()

_KEYS: Final = {
    "2.5.4.6": "C",
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.8": "ST",
    "1.2.840.113549.1.9.1": "emailAddress",
}
"""By attribute type, in the order of ``aggregated``."""

# Issuers: a few hundred in all public logs. Subjects of more than a CN repeat while the same
# certificate arrives from several logs.
_names: BoundedCache[Name] = BoundedCache(
    # The attributes apart take about what they take together.
    max_entries=4096,
    max_bytes=2 << 20,
    weigh=lambda name: 2 * getsizeof(name.aggregated),
)

_COMMON_NAME_OID: Final = b"\x06\x03\x55\x04\x03"


def read_name(der: bytes) -> Name:
    """The Name that is ``der``; UNREADABLE_NAME where it is broken, never an error."""
    size = len(der)
    # Nothing but a CN, as of most certificates: these are not worth remembering.
    if (
        der[6:11] == _COMMON_NAME_OID
        and 12 < size < 0x80
        and der[12] == size - 13
        and der[5] == size - 6
        and der[3] == size - 4
        and der[1] == size - 2
        and der[0] == SEQUENCE
        and der[2] == SET
        and der[4] == SEQUENCE
        and (der[11] == 0x0C or der[11] == 0x13)
    ):
        text = der[13:].decode("utf-8", "replace")
        return Name(None, text, None, None, None, None, None, None, "/CN=" + text)
    name = _names.get(der)
    if name is None:
        try:
            name = _read_name(der)
        except DerError:
            name = UNREADABLE_NAME
        _names.put(der, name)
    return name


def read_common_names(der: bytes) -> list[str]:
    """Each CN of a Name by itself, in its order; DerError when the Name is broken."""
    return [text for key, text in _attributes(der) if key == "CN"]


def _read_name(der: bytes) -> Name:
    values: dict[str, list[str]] = {}
    for key, text in _attributes(der):
        values.setdefault(key, []).append(text)
    joined = {key: ", ".join(values[key]) for key in _KEYS.values() if key in values}
    email = joined.get("emailAddress")
    return Name(
        country=joined.get("C"),
        common_name=joined.get("CN"),
        locality=joined.get("L"),
        organization=joined.get("O"),
        organizational_unit=joined.get("OU"),
        state=joined.get("ST"),
        email=email,
        email_address=email,
        aggregated="".join(f"/{key}={text}" for key, text in joined.items()),
    )


def _attributes(der: bytes) -> Iterator[tuple[str, str]]:
    """Key and text of each attribute that has a key, in the order of the Name; one whose value is
    no string is left out."""
    for tag, rdn, rdn_end in members(der, 0, len(der)):
        if tag != SET:
            raise DerError("relative name is not a SET")
        for tag, start, stop in elements(der, rdn, rdn_end):
            if tag != SEQUENCE:
                raise DerError("attribute is not a SEQUENCE")
            oid_start, oid_stop = expect(der, start, stop, OBJECT_IDENTIFIER)
            tag, start, stop = read_header(der, oid_stop, stop)
            try:
                key = _KEYS.get(read_oid(der[oid_start:oid_stop]))
                if key is not None:
                    yield key, read_text(tag, der[start:stop])
            except DerError:
                continue
