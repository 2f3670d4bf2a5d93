"""The collector of made certificates, shared by the scripts which make them."""

from __future__ import annotations

import base64
from typing import Any

from tests.golden.certificate_writer import (
    ISSUER,
    POISON,
    common_name,
    dns,
    signed,
    subject_alt_name,
    tbs_certificate,
)

Record = dict[str, Any]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Maker:
    """Collects the records; a certificate's default subject and DNS name are of its own name."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ders: dict[str, bytes] = {}

    def raw(self, label: str, purpose: str, der: bytes, **more: Any) -> bytes:
        """Record the bytes of a certificate (or of what a log might send as one)."""
        assert label not in self.ders, label
        self.ders[label] = der
        record = {"name": label, "for": purpose, "kind": "certificate", "der": encoded(der)}
        self.records.append(record | more)
        return der

    def make(self, label: str, purpose: str, **parts: Any) -> bytes:
        """Record a certificate made of `parts` (those of tbs_certificate), the rest as usual."""
        domain = f"{label}.example.test"
        parts.setdefault("subject", common_name(domain))
        parts.setdefault("extensions", [subject_alt_name(dns(domain))])
        chain = parts.pop("chain", None)
        algorithm = {"algorithm": parts["algorithm"]} if "algorithm" in parts else {}
        der = signed(tbs_certificate(**parts), **algorithm)
        return self.raw(label, purpose, der, **({"chain": chain} if chain else {}))

    def precertificate(
        self,
        label: str,
        purpose: str,
        extensions: list[bytes],
        chain: list[str],
        *,
        signer: bytes = ISSUER,
        issuer: bytes = ISSUER,
    ) -> None:
        """Record a submitted precertificate; the leaf's TBSCertificate goes without the poison, and
        names the issuer of the final certificate in place of a signer of precertificates."""
        subject = common_name(f"{label}.example.test")
        poisoned = [*extensions, POISON]
        der = signed(tbs_certificate(subject=subject, extensions=poisoned, issuer=signer))
        tbs = tbs_certificate(subject=subject, extensions=extensions, issuer=issuer)
        more = {"kind": "precertificate", "tbs": encoded(tbs), "chain": chain}
        self.raw(label, purpose, der, **more)

    def entry(self, label: str, purpose: str, leaf_input: bytes, extra_data: bytes) -> None:
        """Record a whole entry, for what is wrong outside the certificate."""
        bodies = {"leaf_input": encoded(leaf_input), "extra_data": encoded(extra_data)}
        self.records.append({"name": label, "for": purpose, "kind": "leaf"} | bodies)
