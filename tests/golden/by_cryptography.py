"""Certificates as pyca cryptography reads them, against the expected documents."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from tests.golden.comparison import BOTH_USAGES, Document, differing, ours

NAME_OIDS = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.COMMON_NAME: "CN",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.EMAIL_ADDRESS: "emailAddress",
}


def attempt(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # what a reader refuses is what is to be printed
        return f"{type(error).__name__}: {error}"[:120]


def compare(der: bytes, expected: Document) -> list[tuple[str, Any, Any]]:
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError as error:
        return [("all", str(error)[:120], "")] if expected["serial_number"] else []
    pairs = {
        "serial_number": (certificate.serial_number, int(expected["serial_number"], 16)),
        "not_before": (
            attempt(lambda: int(certificate.not_valid_before_utc.timestamp())),
            expected["not_before"],
        ),
        "not_after": (
            attempt(lambda: int(certificate.not_valid_after_utc.timestamp())),
            expected["not_after"],
        ),
        "subject": (attempt(lambda: name_values(certificate.subject)), ours(expected, "subject")),
        "issuer": (attempt(lambda: name_values(certificate.issuer)), ours(expected, "issuer")),
    }
    if expected["signature_algorithm"] != "unknown":
        digest = attempt(lambda: certificate.signature_hash_algorithm)
        pairs["hash"] = (
            digest.name if digest is not None and not isinstance(digest, str) else digest,
            next(iter(re.findall(r"sha\d+", expected["signature_algorithm"])), None),
        )
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension) as error:
        return [*differing(pairs), ("extensions", str(error)[:120], expected["extensions"])]
    shown: Document = {}
    for extension in extensions:
        key = OUR_KEYS.get(extension.oid.dotted_string)
        if key is None:
            shown.setdefault("extra", []).append(extension.oid.dotted_string)
        else:
            shown[key] = SHOW[key](extension.value)
    for key in shown.keys() | expected["extensions"].keys():
        pairs[key] = (shown.get(key), expected["extensions"].get(key))
    # Purposes have no names here; openssl's are compared below.
    pairs.pop("extendedKeyUsage", None)
    return differing(pairs)


def name_values(name: x509.Name) -> Document:
    values: dict[str, list[str]] = {}
    for attribute in name:
        if attribute.oid in NAME_OIDS:
            values.setdefault(NAME_OIDS[attribute.oid], []).append(str(attribute.value))
    return {key: ", ".join(several) for key, several in values.items()}


def general_names(names: Any) -> str:
    words: dict[type[x509.GeneralName], str] = {
        x509.DNSName: "DNS",
        x509.RFC822Name: "email",
        x509.IPAddress: "IP Address",
        x509.UniformResourceIdentifier: "URI",
    }
    shown = [f"{words[type(one)]}:{one.value}" for one in names if type(one) in words]
    return ", ".join(shown)


def colons(digest: bytes | None) -> str:
    return "keyid:" + (digest or b"").hex(":")


def constraints(value: x509.BasicConstraints) -> str:
    shown = "CA:TRUE" if value.ca else "CA:FALSE"
    return shown if value.path_length is None else f"{shown}, pathlen:{value.path_length}"


def policies(value: x509.CertificatePolicies) -> str:
    shown = ""
    for policy in value:
        shown += f"Policy: {policy.policy_identifier.dotted_string}\n"
        for one in policy.policy_qualifiers or ():
            if isinstance(one, str):
                shown += f"  CPS: {one}\n"
            else:
                shown += f"  User Notice: {one.explicit_text}\n"
    return shown


def points(value: x509.CRLDistributionPoints) -> str:
    return "".join(f"Full Name:\n {general_names(point.full_name)}\n" for point in value)


def usage(value: x509.KeyUsage) -> str:
    agreement = value.key_agreement
    bits = (
        value.digital_signature,
        value.content_commitment,
        value.key_encipherment,
        value.data_encipherment,
        agreement,
        value.key_cert_sign,
        value.crl_sign,
        # cryptography shows these two only beside keyAgreement.
        agreement and value.encipher_only,
        agreement and value.decipher_only,
    )
    return ", ".join(word for bit, word in zip(bits, BOTH_USAGES.values(), strict=True) if bit)


OUR_KEYS = {
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS.dotted_string: "authorityInfoAccess",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string: "authorityKeyIdentifier",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string: "subjectKeyIdentifier",
    ExtensionOID.BASIC_CONSTRAINTS.dotted_string: "basicConstraints",
    ExtensionOID.CERTIFICATE_POLICIES.dotted_string: "certificatePolicies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS.dotted_string: "crlDistributionPoints",
    ExtensionOID.EXTENDED_KEY_USAGE.dotted_string: "extendedKeyUsage",
    ExtensionOID.KEY_USAGE.dotted_string: "keyUsage",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string: "subjectAltName",
    ExtensionOID.ISSUER_ALTERNATIVE_NAME.dotted_string: "issuerAltName",
    ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS.dotted_string: (
        "ctlSignedCertificateTimestamp"
    ),
    ExtensionOID.PRECERT_POISON.dotted_string: "ctlPoisonByte",
}
SHOW: dict[str, Callable[[Any], Any]] = {
    "authorityInfoAccess": lambda value: general_names(one.access_location for one in value),
    "authorityKeyIdentifier": lambda value: colons(value.key_identifier),
    "subjectKeyIdentifier": lambda value: colons(value.digest),
    "basicConstraints": constraints,
    "certificatePolicies": policies,
    "crlDistributionPoints": points,
    "extendedKeyUsage": lambda value: "",
    "keyUsage": usage,
    "subjectAltName": general_names,
    "issuerAltName": general_names,
    "ctlSignedCertificateTimestamp": lambda value: base64.urlsafe_b64encode(
        value.public_bytes()
    ).decode(),
    "ctlPoisonByte": lambda value: True,
}
