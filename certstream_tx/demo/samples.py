"""The packaged real entries, and where in them the serial number stands."""

import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SERIAL_TAIL = 7
"""bytes of a serial number that are replaced. What stands before them stays, so that the number
keeps its length, is positive and has no needless leading zero: the shortest sample has 8."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A real log entry."""

    submitted: bytes
    """DER: the certificate, or the precertificate"""
    chain: tuple[bytes, ...]
    """DER, the issuer first"""
    issuer_key_hash: bytes | None
    """of a precertificate: SHA-256 of its issuer's key; None: a final certificate"""
    logged: bytes
    """DER that the leaf holds: the certificate, or the TBSCertificate of a precertificate"""

    @property
    def is_precertificate(self) -> bool:
        return self.issuer_key_hash is not None


@cache
def samples() -> tuple[Sample, ...]:
    """All packaged entries, final certificates and precertificates mixed."""
    packaged = json.loads((files("certstream_tx") / "data" / "demo_entries.json").read_bytes())
    issuers = [b64decode(der) for der in packaged["issuers"]]
    found = []
    for entry in packaged["entries"]:
        chain = tuple(issuers[place] for place in entry["chain"])
        if "certificate" in entry:
            certificate = b64decode(entry["certificate"])
            found.append(Sample(certificate, chain, None, certificate))
        else:
            found.append(
                Sample(
                    b64decode(entry["precertificate"]),
                    chain,
                    b64decode(entry["issuer_key_hash"]),
                    b64decode(entry["tbs_certificate"]),
                )
            )
    return tuple(found)


def serial_tail(der: bytes, *, tbs: bool = False) -> int:
    """Where the replaced part of the serial number begins, in a certificate or a TBSCertificate.

    Good for the packaged samples, not for what a stranger sends: nothing is checked but the serial.
    """
    at, end = _content(der, 0)
    if not tbs:
        at, end = _content(der, at)
    if der[at] == 0xA0:  # the version, there in all but version 1
        at = _content(der, at)[1]
    start, end = _content(der, at)
    head = 2 if der[start] == 0 else 1
    if der[at] != 0x02 or end - start < head + SERIAL_TAIL or der[start] >= 0x80:
        raise ValueError("no serial number of 8 bytes or more")
    return end - SERIAL_TAIL


def _content(der: bytes, at: int) -> tuple[int, int]:
    """The start and the end of the content of the DER element at a place."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(der[at + 2 : start], "big")
    return start, start + length
