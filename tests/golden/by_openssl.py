"""Certificates as the `openssl` command line reads them, against the expected documents."""

from __future__ import annotations

import datetime
import ipaddress
import re
import subprocess
from collections.abc import Callable
from typing import Any

from tests.golden.comparison import BOTH_USAGES, NAME_KEYS, Document, differing, ours

OPENSSL_ALGORITHMS = {
    "sha1, rsa": "sha1WithRSAEncryption",
    "sha256, rsa": "sha256WithRSAEncryption",
    "sha384, rsa": "sha384WithRSAEncryption",
    "sha512, rsa": "sha512WithRSAEncryption",
    "ecdsa, sha256": "ecdsa-with-SHA256",
    "ecdsa, sha384": "ecdsa-with-SHA384",
    "ecdsa, sha512": "ecdsa-with-SHA512",
    "dsa, sha1": "dsaWithSHA1",
    "dsa, sha256": "dsa_with_SHA256",
    "ed25519": "ED25519",
}


def openssl(der: bytes, *options: str) -> str:
    command = ["openssl", "x509", "-inform", "DER", "-noout", *options]
    run = subprocess.run(command, input=der, capture_output=True, check=False)
    return run.stdout.decode("utf-8", "replace")


def compare(der: bytes, expected: Document) -> list[tuple[str, Any, Any]]:
    plain = openssl(
        der, "-serial", "-startdate", "-enddate", "-dateopt", "iso_8601", "-fingerprint"
    )
    if not plain:
        return [("all", "unreadable", "")] if expected["serial_number"] else []
    fields = dict(line.partition("=")[::2] for line in plain.splitlines() if "=" in line)
    text = openssl(der, "-text", "-nameopt", "sname,utf8,sep_multiline")
    algorithm = re.findall(r"Signature Algorithm: (\S+)", text)[0]
    pairs: dict[str, tuple[Any, Any]] = {
        "serial_number": (fields.get("serial"), expected["serial_number"]),
        # What comes after the certificate is not in openssl's fingerprint.
        "sha1": (fields.get("SHA1 Fingerprint"), expected["sha1"]),
        "not_before": (openssl_time(fields.get("notBefore", "")), expected["not_before"]),
        "not_after": (openssl_time(fields.get("notAfter", "")), expected["not_after"]),
        "subject": (openssl_name(der, "subject"), ours(expected, "subject")),
        "issuer": (openssl_name(der, "issuer"), ours(expected, "issuer")),
    }
    named = expected["signature_algorithm"]
    if "rsa-pss" in named:
        hashes = re.findall(r"Hash Algorithm: (sha\d+)", text)
        pairs["signature_algorithm"] = (f"{hashes[0]}, rsa-pss" if hashes else algorithm, named)
    elif named != "unknown":
        pairs["signature_algorithm"] = (algorithm, OPENSSL_ALGORITHMS[named])
    for key, heading in HEADINGS.items():
        theirs = openssl_extension(text, heading)
        mine = expected["extensions"].get(key)
        pairs[key] = (theirs and OPENSSL_SHOW[key](theirs), mine)
    return differing(pairs)


def openssl_time(text: str) -> int | str:
    try:
        moment = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%SZ")
    except ValueError:
        return text
    epoch = datetime.datetime(1970, 1, 1)
    return int((moment - epoch).total_seconds())


def openssl_name(der: bytes, which: str) -> Document:
    lines = openssl(der, f"-{which}", "-nameopt", "sname,utf8,sep_multiline").split("\n")[1:]
    values: dict[str, list[str]] = {}
    for key, value in re.findall(r"(\w+)=(.*?)(?=\n    | \+ |\Z)", "\n".join(lines), re.S):
        if key in NAME_KEYS:
            values.setdefault(key, []).append(value.removesuffix("\n"))
    return {key: ", ".join(several) for key, several in values.items()}


def openssl_extension(text: str, heading: str) -> str | None:
    """The indented lines below the heading of one extension in `openssl x509 -text`."""
    pattern = rf"\n {{12}}{re.escape(heading)}: ?(?:critical)?\n((?: {{13,}}.*\n|\n(?= {{13,}}))*)"
    found = re.search(pattern, text)
    return found.group(1) if found else None


def flat(text: str) -> str:
    return " ".join(text.split())


def openssl_names(text: str) -> str:
    shown = []
    for one in flat(text).split(", "):
        word, _, value = one.partition(":")
        if word == "IP Address":
            one = f"{word}:{ipaddress.ip_address(value)}" if "<" not in value else ""
        elif word not in ("DNS", "email", "URI"):
            one = ""
        shown.append(one)
    return ", ".join(filter(None, shown))


def openssl_policies(text: str) -> str:
    shown = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        value = {"X509v3 Any Policy": "2.5.29.32.0"}.get(value, value)
        if key == "Policy":
            shown += f"Policy: {value}\n"
        elif key == "CPS":
            shown += f"  CPS: {value}\n"
        elif key == "Explicit Text":
            shown += f"  User Notice: {value}\n"
    return shown


HEADINGS = {
    "authorityInfoAccess": "Authority Information Access",
    "authorityKeyIdentifier": "X509v3 Authority Key Identifier",
    "subjectKeyIdentifier": "X509v3 Subject Key Identifier",
    "basicConstraints": "X509v3 Basic Constraints",
    "certificatePolicies": "X509v3 Certificate Policies",
    "crlDistributionPoints": "X509v3 CRL Distribution Points",
    "extendedKeyUsage": "X509v3 Extended Key Usage",
    "keyUsage": "X509v3 Key Usage",
    "subjectAltName": "X509v3 Subject Alternative Name",
    "issuerAltName": "X509v3 Issuer Alternative Name",
}
OPENSSL_SHOW: dict[str, Callable[[str], str]] = {
    "authorityInfoAccess": lambda text: ", ".join(
        line.partition(" - ")[2] for line in map(str.strip, text.splitlines()) if line
    ),
    "authorityKeyIdentifier": lambda text: (
        "keyid:" + flat(text).removeprefix("keyid:").split(" ")[0].lower()
    ),
    "subjectKeyIdentifier": lambda text: "keyid:" + flat(text).lower(),
    "basicConstraints": flat,
    "certificatePolicies": openssl_policies,
    "crlDistributionPoints": lambda text: "".join(
        f"Full Name:\n {uri}\n" for uri in re.findall(r"URI:\S+", text)
    ),
    "extendedKeyUsage": flat,
    "keyUsage": lambda text: ", ".join(
        BOTH_USAGES.get(word, word) for word in flat(text).split(", ")
    ),
    "subjectAltName": openssl_names,
    "issuerAltName": openssl_names,
}
