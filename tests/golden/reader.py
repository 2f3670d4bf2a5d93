"""Read a certificate for the expected documents: asn1crypto and the `openssl` command line.

Needs asn1crypto (1.5) and OpenSSL (3.0) and imports nothing of the server. What each field looks
like is the wire format, written out once more here in the plainest way.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import re

from asn1crypto import algos, core

from tests.golden.extensions_reader import (
    Document,
    colons,
    elements,
    is_authority,
    optional,
    read_extensions,
)

CODECS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    # T61String as everybody writes it; OpenSSL reads it so too.
    0x14: "latin-1",
    0x16: "ascii",
    0x19: "ascii",
    0x1A: "ascii",
    0x1B: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
NAME_KEYS = {
    "2.5.4.6": "C",
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.8": "ST",
    "1.2.840.113549.1.9.1": "emailAddress",
}
# Which algorithms have words, and which words (docs/wire-format.md); what identifiers stand for
# them is asn1crypto's to know.
WORDS = {
    "rsassa_pkcs1v15": ("{}, rsa", ("sha1", "sha256", "sha384", "sha512")),
    "rsassa_pss": ("{}, rsa-pss", ("sha1", "sha256", "sha384", "sha512")),
    "ecdsa": ("ecdsa, {}", ("sha256", "sha384", "sha512")),
    "dsa": ("dsa, {}", ("sha1", "sha256")),
}
DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})+")


def leaf_cert(der: bytes, *, domains: bool = True) -> tuple[Document, bool]:
    """The whole `leaf_cert` object with `as_der`, and whether the certificate is unreadable."""
    document = unread_certificate(der)
    try:
        fields = tbs_fields(der)
    except ValueError:
        fields = []
    else:
        document |= read_fields(fields)
    if not domains:
        del document["all_domains"]
    return document, not fields


def unread_certificate(der: bytes) -> Document:
    nothing = dict.fromkeys((*NAME_KEYS.values(), "email_address", "aggregated"))
    sha1 = colons(hashlib.sha1(der).hexdigest().upper())
    return {
        "subject": dict(nothing),
        "issuer": dict(nothing),
        "all_domains": [],
        "as_der": base64.b64encode(der).decode(),
        "fingerprint": sha1,
        "sha1": sha1,
        "sha256": colons(hashlib.sha256(der).hexdigest().upper()),
        "serial_number": "",
        "signature_algorithm": "unknown",
        "not_before": 0,
        "not_after": 0,
        "is_ca": False,
        "extensions": {},
    }


def tbs_fields(der: bytes) -> list[tuple[int, bytes, bytes]]:
    """The elements of the TBSCertificate, a version always in front; ValueError if it is none."""
    tag, content, _ = next(elements(der), (0, b"", b""))
    parts = list(elements(content)) if tag == 0x30 else []
    if [part[0] for part in parts] != [0x30, 0x30, 0x03]:
        raise ValueError("not a certificate")
    fields = list(elements(parts[0][1]))
    if fields[0][0] != 0xA0:
        fields.insert(0, (0xA0, b"", b""))
    if [field[0] for field in fields[:7]] != [0xA0, 0x02, 0x30, 0x30, 0x30, 0x30, 0x30]:
        raise ValueError("not a TBSCertificate")
    return fields


def read_fields(fields: list[tuple[int, bytes, bytes]]) -> Document:
    _, serial, algorithm, issuer, validity, subject, _, *rest = fields
    extensions = optional(lambda: read_extensions(rest), ([], {}, {}))
    domains, shown, values = extensions
    is_ca = optional(lambda: is_authority(values), False)
    names, common_names = optional(lambda: read_name(subject[1]), (None, []))
    issuer_names, _ = optional(lambda: read_name(issuer[1]), (None, []))
    if not is_ca:
        domains = [*filter(is_dns_name, common_names), *domains]
    times = list(elements(validity[1]))
    document = {
        "all_domains": list(dict.fromkeys(domains)),
        "serial_number": serial_number(serial[1]),
        "signature_algorithm": optional(lambda: algorithm_name(algorithm[2]), "unknown"),
        "not_before": optional(lambda: unix_time(times[0]), 0),
        "not_after": optional(lambda: unix_time(times[1]), 0),
        "is_ca": is_ca,
        "extensions": shown,
    }
    if names is not None:
        document["subject"] = names
    if issuer_names is not None:
        document["issuer"] = issuer_names
    return document


def serial_number(content: bytes) -> str:
    number = int.from_bytes(content, "big", signed=True)
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + "0" * (len(digits) % 2) + digits


def unix_time(time: tuple[int, bytes, bytes]) -> int:
    text = time[1].decode("ascii")
    if time[0] == 0x17:
        # RFC 5280 4.1.2.5.1: years from 50 on are of the 20th century.
        text = ("19" if text[:2] >= "50" else "20") + text
    if not re.fullmatch(r"\d{14}Z", text):
        raise ValueError("not a time")
    moment = datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)
    return int((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds())


def algorithm_name(whole: bytes) -> str:
    algorithm = algos.SignedDigestAlgorithm.load(whole)
    if algorithm["algorithm"].native == "ed25519":
        return "ed25519"
    words, digests = WORDS[algorithm.signature_algo]
    if algorithm.hash_algo not in digests:
        return "unknown"
    return words.format(algorithm.hash_algo)


def text_of(tag: int, content: bytes) -> str:
    return content.decode(CODECS[tag], "replace")


def read_name(content: bytes) -> tuple[Document, list[str]]:
    """A name object and the common names in it."""
    values: dict[str, list[str]] = {}
    for _, rdn, _ in elements(content):
        for _, attribute, _ in elements(rdn):
            (_, dotted, _), (tag, value, _) = elements(attribute)
            key = NAME_KEYS.get(core.ObjectIdentifier(contents=dotted).dotted)
            if key:
                values.setdefault(key, []).append(text_of(tag, value))
    document: Document = dict.fromkeys(NAME_KEYS.values())
    document |= {key: ", ".join(several) for key, several in values.items()}
    present = [f"/{key}={document[key]}" for key in NAME_KEYS.values() if key in values]
    document |= {"email_address": document["emailAddress"], "aggregated": "".join(present)}
    return document, values.get("CN", [])


def is_dns_name(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and DNS_NAME.fullmatch(text) is not None
    return False
