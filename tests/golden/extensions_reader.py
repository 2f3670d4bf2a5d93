"""The `extensions` object of the expected documents; part of reader.py."""

from __future__ import annotations

import base64
import functools
import ipaddress
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from asn1crypto import core, parser, x509

Document = dict[str, Any]

USAGES = {
    "digital_signature": "Digital Signature",
    "non_repudiation": "Content Commitment",
    "key_encipherment": "Key Encipherment",
    "data_encipherment": "Data Encipherment",
    "key_agreement": "Key Agreement",
    "key_cert_sign": "Certificate Signing",
    "crl_sign": "CRL Signing",
    "encipher_only": "Encipher Only",
    "decipher_only": "Decipher Only",
}


def elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag byte, content and whole of each element in turn; ValueError where there is none."""
    while data:
        _, _, _, header, content, trailer = parser.parse(data, strict=False)
        whole = header + content + trailer
        yield header[0], content, whole
        data = data[len(whole) :]


def optional(read: Callable[[], Any], otherwise: Any) -> Any:
    """A part that cannot be read leaves only that part out."""
    try:
        return read()
    except (ValueError, TypeError, KeyError):
        return otherwise


def colons(hexadecimal: str) -> str:
    return ":".join(re.findall("..", hexadecimal))


def address_text(content: bytes) -> str:
    """An IP address after RFC 5952; an IPv4-mapped one in groups too, whatever Python's version."""
    address = ipaddress.ip_address(content)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f"::ffff:{content[12:14].hex().lstrip('0')}:{content[14:].hex().lstrip('0')}"
    return str(address)


def general_names(value: x509.GeneralNames) -> list[tuple[str, str]]:
    names = []
    for general_name in value:
        content = general_name.chosen.contents
        if general_name.name == "ip_address":
            if len(content) in (4, 16):
                names.append(("IP Address", address_text(content)))
            continue
        word = {"dns_name": "DNS", "rfc822_name": "email", "uniform_resource_identifier": "URI"}
        if general_name.name in word:
            names.append((word[general_name.name], content.decode("ascii", "replace")))
    return names


def words(names: list[tuple[str, str]]) -> str:
    return ", ".join(f"{word}:{text}" for word, text in names)


@functools.cache
def openssl_long_name(dotted: str) -> str:
    """OpenSSL's long name of an OID, the OID itself where it has none."""
    command = ["openssl", "asn1parse", "-genstr", f"OID:{dotted}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return output.partition("OBJECT")[2].strip().removeprefix(":")


def key_identifier(identifier: bytes) -> str:
    return "keyid:" + colons(identifier.hex())


def constraints(value: bytes) -> str:
    basic = x509.BasicConstraints.load(value, strict=True)
    length = basic["path_len_constraint"].native
    shown = "CA:TRUE" if basic["ca"].native else "CA:FALSE"
    return shown if length is None else f"{shown}, pathlen:{length}"


def usages(value: bytes) -> str:
    present = x509.KeyUsage.load(value, strict=True).native
    return ", ".join(shown for usage, shown in USAGES.items() if usage in present)


def accesses(value: bytes) -> str:
    described = x509.AuthorityInfoAccessSyntax.load(value, strict=True)
    return words(general_names([one["access_location"] for one in described]))


def certificate_policies(value: bytes) -> str:
    lines = []
    for information in x509.CertificatePolicies.load(value, strict=True):
        lines.append(f"Policy: {information['policy_identifier'].dotted}\n")
        for qualifier in information["policy_qualifiers"] or ():
            if qualifier["policy_qualifier_id"].dotted == "1.3.6.1.5.5.7.2.1":
                lines.append(f"  CPS: {qualifier['qualifier'].contents.decode()}\n")
            else:
                lines.append(f"  User Notice: {qualifier['qualifier']['explicit_text'].native}\n")
    return "".join(lines)


def distribution_points(value: bytes) -> str:
    shown = ""
    for point in x509.CRLDistributionPoints.load(value, strict=True):
        for word, text in general_names(point["distribution_point"].chosen):
            shown += f"Full Name:\n {word}:{text}\n"
    return shown


def purposes(value: bytes) -> str:
    listed = x509.ExtKeyUsageSyntax.load(value, strict=True)
    return ", ".join(openssl_long_name(purpose.dotted) for purpose in listed)


def authority_key(value: bytes) -> str:
    identifier = x509.AuthorityKeyIdentifier.load(value, strict=True)["key_identifier"]
    return key_identifier(identifier.native)


def alternative_names(value: bytes) -> str:
    return words(general_names(x509.GeneralNames.load(value, strict=True)))


SHOWN: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "1.3.6.1.5.5.7.1.1": ("authorityInfoAccess", accesses),
    "2.5.29.35": ("authorityKeyIdentifier", authority_key),
    "2.5.29.14": (
        "subjectKeyIdentifier",
        lambda value: key_identifier(core.OctetString.load(value, strict=True).native),
    ),
    "2.5.29.19": ("basicConstraints", constraints),
    "2.5.29.32": ("certificatePolicies", certificate_policies),
    "2.5.29.31": ("crlDistributionPoints", distribution_points),
    "2.5.29.37": ("extendedKeyUsage", purposes),
    "2.5.29.15": ("keyUsage", usages),
    "2.5.29.17": ("subjectAltName", alternative_names),
    "2.5.29.18": ("issuerAltName", alternative_names),
    "1.3.6.1.4.1.11129.2.4.2": (
        "ctlSignedCertificateTimestamp",
        lambda value: base64.urlsafe_b64encode(value).decode(),
    ),
    "1.3.6.1.4.1.11129.2.4.3": ("ctlPoisonByte", lambda value: True),
}


def read_extensions(rest: list[tuple[int, bytes, bytes]]) -> Any:
    """DNS names of the SAN, the `extensions` object, and the raw values by OID."""
    shown: Document = {}
    values: dict[str, bytes] = {}
    for content in (content for tag, content, _ in rest if tag == 0xA3):
        for tag, extension, _ in elements(next(elements(content))[1]):
            if tag != 0x30:
                continue
            dotted, *_, value = (part for _, part, _ in elements(extension))
            identifier = core.ObjectIdentifier(contents=dotted).dotted
            values[identifier] = value
            if identifier not in SHOWN:
                shown.setdefault("extra", []).append(identifier)
                continue
            key, read = SHOWN[identifier]
            text = optional(functools.partial(read, value), None)
            if text is not None:
                shown[key] = text
    names = optional(lambda: alternatives(values), [])
    return [text for word, text in names if word == "DNS"], shown, values


def alternatives(values: dict[str, bytes]) -> list[tuple[str, str]]:
    return general_names(x509.GeneralNames.load(values["2.5.29.17"], strict=True))


def is_authority(values: dict[str, bytes]) -> bool:
    return bool(x509.BasicConstraints.load(values["2.5.29.19"], strict=True)["ca"].native)
