"""Certificates issued for the tests: precertificates, final ones, and those who may sign them."""

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

PRECERTIFICATE_SIGNING = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.4")
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def key(number: int) -> ec.EllipticCurvePrivateKey:
    """Always the same keys."""
    return ec.derive_private_key(number, ec.SECP256R1())


def named(common_name: str) -> x509.Name:
    """A name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Party(NamedTuple):
    """Somebody who signs."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    der: bytes

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo."""
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(spki).digest()


def certificate(
    subject: x509.Name,
    subject_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
    authority_key: ec.EllipticCurvePrivateKey | None = None,
) -> x509.Certificate:
    """One certificate, always with an authority key identifier."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(subject_key.public_key())
        .serial_number(0x1234567890ABCDEF)
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                (authority_key or issuer_key).public_key()
            ),
            False,
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, x509.PrecertPoison))
    return builder.sign(issuer_key, SHA256())


def der(issued: x509.Certificate) -> bytes:
    """DER."""
    return issued.public_bytes(Encoding.DER)


@cache
def authority(number: int, common_name: str) -> Party:
    """A root of its own."""
    name, its_key = named(common_name), key(number)
    issued = certificate(name, its_key, name, its_key, x509.BasicConstraints(True, None))
    return Party(name, its_key, der(issued))


@cache
def precertificate_signer(number: int, common_name: str, issuer: Party) -> Party:
    """A Precertificate Signing Certificate of an issuer."""
    name, its_key = named(common_name), key(number)
    issued = certificate(
        name, its_key, issuer.name, issuer.key, x509.ExtendedKeyUsage([PRECERTIFICATE_SIGNING])
    )
    return Party(name, its_key, der(issued))


def names(*domains: str) -> x509.SubjectAlternativeName:
    """A subjectAltName."""
    return x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])


class Logged(NamedTuple):
    """A precertificate, and what a log makes of it."""

    precertificate: bytes
    tbs: bytes
    key_hash: bytes
    chain: tuple[bytes, ...]


def logged(
    domain: str, issuer: Party, signer: Party | None = None, *, poison_first: bool = False
) -> Logged:
    """A precertificate of an issuer, signed by a signer of its own if there is one."""
    subject, its_key = named(domain), key(99)
    usual = [names(domain), x509.BasicConstraints(False, None)]
    poisoned = [x509.PrecertPoison(), *usual] if poison_first else [*usual, x509.PrecertPoison()]
    by = signer or issuer
    submitted = certificate(subject, its_key, by.name, by.key, *poisoned)
    final = certificate(subject, its_key, issuer.name, issuer.key, *usual)
    chain = (issuer.der,) if signer is None else (signer.der, issuer.der)
    return Logged(der(submitted), final.tbs_certificate_bytes, issuer.key_hash, chain)
