"""Made certificates for extensions: every key of the table, damage, and odd frames."""

from __future__ import annotations

from tests.golden.certificate_writer import (
    CRITICAL,
    EXPLICITLY_NOT_CRITICAL,
    ISSUER,
    PUBLIC_KEY,
    authority_info_access,
    authority_key_identifier,
    basic_constraints,
    common_name,
    cps,
    distribution_point,
    distribution_points,
    dns,
    email,
    extended_key_usage,
    extension,
    key_usage,
    policies,
    policy,
    signed,
    subject_alt_name,
    subject_key_identifier,
    tbs_certificate,
    user_notice,
)
from tests.golden.der_writer import (
    BMP,
    IA5,
    VISIBLE,
    bits,
    boolean,
    explicit,
    implicit,
    integer,
    named_bits,
    null,
    octets,
    oid,
    sequence,
    tlv,
)
from tests.golden.maker import Maker

ISSUERS, OCSP, TIME_STAMPING = "1.3.6.1.5.5.7.48.2", "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.3"
KEY_ID = bytes.fromhex("00deadbeef0123456789abcdef0123456789abff")
USAGES = (
    "digital-signature",
    "content-commitment",
    "key-encipherment",
    "data-encipherment",
    "key-agreement",
    "certificate-signing",
    "crl-signing",
    "encipher-only",
    "decipher-only",
)
# Every purpose that OpenSSL 3.0 has a name for, and two that have none. Not in numeric order.
PURPOSES = (
    "1.3.6.1.5.5.7.3.2",
    *(f"1.3.6.1.5.5.7.3.{last}" for last in (1, *range(3, 11), *range(17, 20), *range(21, 33))),
    "2.5.29.37.0",
    "1.3.6.1.4.1.311.10.3.1",
    "1.3.6.1.4.1.311.10.3.3",
    "1.3.6.1.4.1.311.10.3.4",
    "1.3.6.1.4.1.311.20.2.2",
    "1.3.6.1.4.1.311.2.1.21",
    "1.3.6.1.4.1.311.2.1.22",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.5.2.3.4",
    "1.3.6.1.5.2.3.5",
    "1.3.6.1.4.1.11129.2.4.4",
    "1.3.6.1.4.1.99999.1",
    "2.25.329800735698586629295641978511506172918",
)


def san(label: str) -> bytes:
    return subject_alt_name(dns(f"{label}.example.test"))


def every_extension(label: str) -> dict[str, bytes]:
    """One good extension for each key of the table but those that only Certificate Transparency
    uses, by key."""
    return {
        "keyUsage": key_usage(named_bits(0, 2)),
        "extendedKeyUsage": extended_key_usage("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"),
        "basicConstraints": basic_constraints(critical=CRITICAL),
        "subjectKeyIdentifier": subject_key_identifier(KEY_ID),
        "authorityKeyIdentifier": authority_key_identifier(KEY_ID[::-1]),
        "authorityInfoAccess": authority_info_access((OCSP, "http://o.example.test")),
        "subjectAltName": san(label),
        "issuerAltName": extension("2.5.29.18", sequence(email("ca@example.test"))),
        "certificatePolicies": policies(policy("2.23.140.1.2.1")),
        "crlDistributionPoints": distribution_points(distribution_point("http://c.example.test/1")),
    }


def extensions(maker: Maker) -> None:
    noticed = policy("1.3.6.1.4.1.99999.5.2", user_notice(b"In UTF-8: \xc3\xbc"))
    reference = sequence(tlv(0x0C, b"Organisation"), sequence(integer(1), integer(2)))
    issuer_and_serial = (explicit(1, explicit(4, ISSUER)), implicit(2, b"\x01\x02"))
    points = (
        distribution_point("http://c.example.test/1.crl"),
        distribution_point("ldap://c.example.test/cn=2,o=x?certificateRevocationList"),
        distribution_point("http://c.example.test/3.crl", implicit(1, b"\x01\x06")),
    )
    for label, purpose, made in (
        ("aia-issuers", "one caIssuers", authority_info_access((ISSUERS, "http://i.test/x.crt"))),
        ("aia-several", "several accesses, kept in certificate order whatever their method",
         authority_info_access((ISSUERS, "http://i.test/1"), (OCSP, "http://o.test/1"),
                               (OCSP, "http://o.test/2"), (TIME_STAMPING, "http://t.test/"),
                               (ISSUERS, "ldap://i.test/cn=2,o=x"))),
        ("aki", "a key identifier", authority_key_identifier(KEY_ID)),
        ("aki-with-issuer", "a key identifier with issuer and serial number, which are not shown",
         authority_key_identifier(KEY_ID, *issuer_and_serial)),
        ("aki-short", "a key identifier of one byte", authority_key_identifier(b"\x0a")),
        ("ski", "a key identifier", subject_key_identifier(KEY_ID)),
        ("basic-ca", "CA", basic_constraints(boolean(True), critical=CRITICAL)),
        ("basic-ca-pathlen-0", "CA with pathlen 0",
         basic_constraints(boolean(True), integer(0), critical=CRITICAL)),
        ("basic-ca-pathlen-300", "CA with pathlen 300",
         basic_constraints(boolean(True), integer(300), critical=CRITICAL)),
        ("basic-no-ca", "no CA", basic_constraints(critical=CRITICAL)),
        ("basic-explicitly-no-ca", "cA given as FALSE, which DER forbids",
         basic_constraints(boolean(False), critical=CRITICAL)),
        ("policies-several", "several policies", policies(policy("2.23.140.1.2.1"),
         policy("2.5.29.32.0"), policy("1.3.6.1.4.1.99999.5.1"))),
        ("policies-cps", "CPS qualifiers", policies(
            policy("2.23.140.1.2.2"),
            policy("1.3.6.1.4.1.99999.5.1", cps("https://cps.example.test/a"),
                   cps("https://cps.example.test/b")))),
        ("policies-notice", "user notices in every DisplayText", policies(
            noticed,
            policy("1.3.6.1.4.1.99999.5.3", user_notice(b"In IA5String", IA5)),
            policy("1.3.6.1.4.1.99999.5.4", user_notice(b"In VisibleString", VISIBLE)),
            policy("1.3.6.1.4.1.99999.5.5",
                   user_notice("In BMPString: \u0141".encode("utf-16-be"), BMP)))),
        ("policies-both", "both qualifiers in one policy, a notice with a reference", policies(
            policy("2.23.140.1.1", cps("https://cps.example.test/"),
                   user_notice(b"Read it", reference=reference)),
            noticed)),
        ("crl-one", "one distribution point", distribution_points(points[0])),
        ("crl-several", "several distribution points, one with reasons",
         distribution_points(*points)),
        ("eku-server", "one purpose", extended_key_usage("1.3.6.1.5.5.7.3.1")),
        ("eku-many", "many purposes in certificate order, two that have no name",
         extended_key_usage(*PURPOSES)),
        ("usage-all", "all nine bits", key_usage(named_bits(*range(9)))),
        ("extra", "extensions the table does not name, in certificate order",
         b"".join((extension("1.3.6.1.4.1.99999.9", octets(b"x")),
                   extension("1.3.6.1.5.5.7.1.24", sequence(integer(5))),
                   extension("2.25.329800735698586629295641978511506172918", null()),
                   extension("2.5.29.30", sequence(explicit(0, sequence(dns("example.test"))))),
                   extension("1.3.6.1.4.1.311.21.1", integer(0), critical=CRITICAL)))),
        ("extra-not-der", "an unknown extension whose value is no DER",
         extension("1.3.6.1.4.1.99999.10", b"\xff\xff not DER")),
    ):  # fmt: skip
        maker.make(f"ext-{label}", purpose, extensions=[san(label), made])
    for position, usage in enumerate(USAGES):
        maker.make(f"ext-usage-{usage}", f"key usage bit {position} alone",
                   extensions=[san(usage), key_usage(named_bits(position))])  # fmt: skip
    maker.make("ext-usage-ca", "two bits in the middle of a byte",
               extensions=[san("usage-ca"), key_usage(named_bits(5, 6))])  # fmt: skip
    maker.make("ext-all", "every key in one certificate",
               extensions=list(every_extension("ext-all").values()))  # fmt: skip
    maker.make(
        "ext-all-critical",
        "critical or not, what is shown is the same",
        extensions=[
            extension("2.5.29.17", sequence(dns("critical.example.test")), critical=CRITICAL),
            extension("2.5.29.15", named_bits(0)),
            extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1")), critical=CRITICAL),
            extension("2.5.29.19", sequence(boolean(True)), critical=EXPLICITLY_NOT_CRITICAL),
            extension("2.5.29.14", octets(KEY_ID), critical=EXPLICITLY_NOT_CRITICAL),
            extension("1.3.6.1.4.1.99999.9", null(), critical=CRITICAL),
        ],
    )


def broken_extensions(maker: Maker) -> None:
    oids = {
        "keyUsage": "2.5.29.15",
        "extendedKeyUsage": "2.5.29.37",
        "basicConstraints": "2.5.29.19",
        "subjectKeyIdentifier": "2.5.29.14",
        "authorityKeyIdentifier": "2.5.29.35",
        "authorityInfoAccess": "1.3.6.1.5.5.7.1.1",
        "subjectAltName": "2.5.29.17",
        "issuerAltName": "2.5.29.18",
        "certificatePolicies": "2.5.29.32",
        "crlDistributionPoints": "2.5.29.31",
    }
    for key, dotted in oids.items():
        label = f"broken-{key}"
        for damage, value in (("garbage", b"\xff\xff\xff\xff"), ("empty", b"")):
            made = every_extension(f"{label}-{damage}")
            made[key] = extension(dotted, value)
            maker.make(f"{label}-{damage}", f"{key} alone cannot be read ({damage})",
                       extensions=list(made.values()))  # fmt: skip
    maker.make(
        "broken-frame",
        "an element that is no Extension, among good ones",
        extensions=[
            key_usage(named_bits(0)),
            integer(5),
            san("broken-frame"),
        ],
    )
    maker.make("broken-block", "nothing in the extensions can be read",
               extensions=b"\x30\x7fjunk")  # fmt: skip


def shapes(maker: Maker) -> None:
    maker.make("version-1", "a v1 certificate: no version, no extensions",
               version=None, extensions=None)  # fmt: skip
    maker.make("version-3-without-extensions", "v3 without the extensions field", extensions=None)
    maker.make("extensions-empty", "an extensions field without any extension", extensions=[])
    identifier = bits(b"\x01\x02\x03")[1:]
    maker.raw(
        "unique-identifiers",
        "issuerUniqueID and subjectUniqueID in front of the extensions",
        with_unique_identifiers(b"\x81" + identifier, b"\x82" + identifier),
    )


def with_unique_identifiers(*identifiers: bytes) -> bytes:
    """A certificate with [1] and [2] where RFC 5280 4.1 puts them: after the key."""
    label = "unique-identifiers.example.test"
    plain = tbs_certificate(subject=common_name(label), extensions=[subject_alt_name(dns(label))])
    header = 4 if plain[1] == 0x82 else 3
    body = plain[header:].replace(PUBLIC_KEY, PUBLIC_KEY + b"".join(identifiers))
    return signed(sequence(body))
