"""Make the certificates that no public log shows, one or more for each rule of the wire format.

    python -m tests.golden.make_certificates

writes certificates.json: a list of records with `name`, `for` (what each is made for), `kind`
and the bytes in base64. Standard library only, and always the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.golden import make_extensions, make_identities
from tests.golden.assemble import (
    CERTIFICATES,
    KEY_HASH,
    certificate_list,
    leaf,
    precert_leaf,
    uint24,
    x509_leaf,
)
from tests.golden.certificate_writer import (
    ISSUER,
    POISON,
    SCT_OID,
    attribute,
    basic_constraints,
    common_name,
    dns,
    extended_key_usage,
    extension,
    generalized,
    key_usage,
    name,
    sct,
    sct_list,
    signed,
    subject_alt_name,
    subject_key_identifier,
    tbs_certificate,
    utc,
)
from tests.golden.der_writer import (
    boolean,
    explicit,
    integer,
    named_bits,
    null,
    octets,
    oid,
    sequence,
    tlv,
)
from tests.golden.maker import Maker, encoded


def algorithms(maker: Maker) -> None:
    rsa, ecdsa, dsa = "1.2.840.113549.1.1.", "1.2.840.10045.4.", "2.16.840.1.101.3.4.3."
    with_null = {
        "rsa-sha1": rsa + "5",
        "rsa-sha256": rsa + "11",
        "rsa-sha384": rsa + "12",
        "rsa-sha512": rsa + "13",
    }
    bare = {
        "ecdsa-sha256": ecdsa + "3.2",
        "ecdsa-sha384": ecdsa + "3.3",
        "ecdsa-sha512": ecdsa + "3.4",
        "dsa-sha1": "1.2.840.10040.4.3",
        "dsa-sha256": dsa + "2",
        "ed25519": "1.3.101.112",
    }
    for label, dotted in with_null.items():
        algorithm = sequence(oid(dotted), null())
        maker.make(f"algorithm-{label}", f"signature algorithm {dotted}", algorithm=algorithm)
    maker.make(
        "algorithm-rsa-sha256-without-null",
        "an RSA algorithm whose NULL parameters are left out",
        algorithm=sequence(oid(rsa + "11")),
    )
    for label, dotted in bare.items():
        algorithm = sequence(oid(dotted))
        maker.make(f"algorithm-{label}", f"signature algorithm {dotted}", algorithm=algorithm)
    for bits, dotted in {256: "1", 384: "2", 512: "3"}.items():
        digest = sequence(oid(f"2.16.840.1.101.3.4.2.{dotted}"), null())
        mask = sequence(oid(rsa + "8"), digest)
        parameters = sequence(
            explicit(0, digest), explicit(1, mask), explicit(2, integer(bits // 8))
        )
        maker.make(
            f"algorithm-rsa-pss-sha{bits}",
            "RSASSA-PSS, named by its hash parameter",
            algorithm=sequence(oid(rsa + "10"), parameters),
        )
    maker.make(
        "algorithm-rsa-sha1-of-oiw",
        "SHA-1 with RSA under its older identifier",
        algorithm=sequence(oid("1.3.14.3.2.29")),
    )
    maker.make(
        "algorithm-rsa-pss-sha1",
        "RSASSA-PSS with SHA-1 written out",
        algorithm=sequence(
            oid(rsa + "10"), sequence(explicit(0, sequence(oid("1.3.14.3.2.26"), null())))
        ),
    )
    maker.make(
        "algorithm-rsa-pss-default-hash",
        "RSASSA-PSS with empty parameters: SHA-1 is the default (RFC 4055 3.1)",
        algorithm=sequence(oid(rsa + "10"), sequence()),
    )
    for label, dotted in {
        "private": "1.3.6.1.4.1.99999.7.1",
        "ed448": "1.3.101.113",
        "rsa-md5": rsa + "4",
        "sm2": "1.2.156.10197.1.501",
    }.items():
        maker.make(
            f"algorithm-unknown-{label}",
            f"an algorithm that the table does not name ({dotted})",
            algorithm=sequence(oid(dotted)),
        )


def dates(maker: Maker) -> None:
    for label, purpose, first, last in (
        ("9999", "no well-defined expiry (RFC 5280 4.1.2.5)", utc("250101000000Z"),
         generalized("99991231235959Z")),
        ("utc-pivot-49", "UTCTime of year 49 is 2049", utc("490101000000Z"), utc("491231235959Z")),
        ("utc-pivot-50", "UTCTime of year 50 is 1950", utc("500101000000Z"), utc("501231235959Z")),
        ("before-2000", "UTCTime before 2000", utc("960229235959Z"), utc("991231235959Z")),
        ("before-1970", "negative Unix time", utc("690720201740Z"), utc("700101000000Z")),
        ("generalized-2050", "GeneralizedTime where it must be", utc("491231235959Z"),
         generalized("20500101000000Z")),
        ("generalized-early", "GeneralizedTime where UTCTime should be",
         generalized("20240229000001Z"), generalized("20240301000000Z")),
        ("reversed", "ends before it begins", utc("260101000000Z"), utc("250101000000Z")),
        ("not-after-broken", "one date no reader can read", utc("250601120000Z"),
         utc("2506XX120000Z")),
        ("not-before-impossible", "the 30th of February", utc("250230000000Z"),
         utc("250830115959Z")),
    ):  # fmt: skip
        maker.make(f"dates-{label}", purpose, validity=sequence(first, last))


def serials(maker: Maker) -> None:
    for label, purpose, content in (
        ("zero", "serial number 0", "00"),
        ("one-digit", "an odd number of digits (7)", "07"),
        ("three-digits", "an odd number of digits (0xabc)", "0abc"),
        ("leading-zero", "DER's leading 00 of a number whose first bit is set", "00b9976401"),
        ("minus-one", "the smallest negative magnitude", "ff"),
        ("minus-128", "negative, first bit set", "80"),
        ("minus-256", "negative, magnitude a digit longer than its bytes say", "ff00"),
        (
            "negative-huge",
            "a negative serial of 20 bytes",
            "8f" + "0123456789abcdef" * 2 + "010203",
        ),
        ("twenty-bytes", "as long as RFC 5280 allows", "7f" + "fedcba9876543210" * 2 + "0a0b0c"),
        ("huge", "64 bytes", "45" * 64),
        ("padded", "an INTEGER with more zeros in front than DER allows", "00000012"),
    ):
        serial = tlv(0x02, bytes.fromhex(content))
        maker.make(f"serial-{label}", purpose, serial=serial)


def chains(maker: Maker) -> None:
    ca = [
        basic_constraints(boolean(True)),
        key_usage(named_bits(5, 6)),
        subject_key_identifier(bytes(range(20))),
    ]
    root_name = name(attribute("O", "Made"), attribute("CN", "Made Root X"))
    signing_name = name(attribute("O", "Made"), attribute("CN", "Made Precertificate Signing"))
    maker.make("root", "a root", subject=root_name, issuer=root_name, extensions=ca)
    maker.make("intermediate", "an intermediate whose CN is no DNS name", subject=ISSUER,
               issuer=root_name, extensions=ca, chain=["root"])  # fmt: skip
    maker.make(
        "precertificate-signing",
        "a Precertificate Signing Certificate (RFC 6962 3.1)",
        subject=signing_name,
        issuer=root_name,
        extensions=[*ca, extended_key_usage("1.3.6.1.4.1.11129.2.4.4")],
        chain=["root"],
    )
    maker.make(
        "ca-with-dns-common-name",
        "the CN of a CA is not a domain, its DNS SANs are",
        subject=common_name("ca.example.test"),
        extensions=[basic_constraints(boolean(True)), subject_alt_name(dns("crl.example.test"))],
    )
    domain = subject_alt_name(dns("precertificate.example.test"))
    maker.precertificate("precertificate", "poison; issued by the intermediate", [domain],
                         ["intermediate", "root"])  # fmt: skip
    maker.precertificate("precertificate-by-signing", "issued by a precertificate signing "
                         "certificate", [subject_alt_name(dns("by-signing.example.test"))],
                         ["precertificate-signing", "root"],
                         signer=signing_name, issuer=root_name)  # fmt: skip
    maker.make("chain-empty", "an entry without chain")
    maker.make("chain-of-three", "a chain in order, one of it twice",
               chain=["intermediate", "root", "root"])  # fmt: skip
    rfc6962 = sct(bytes(range(32)), 1_750_000_000_000)
    # leaf_index 1234567 in CtExtensions (static-ct-api): type 0, length 5, uint40.
    tiled = sct(bytes(range(32, 64)), 1_750_000_000_001, bytes.fromhex("000005000012d687"))
    maker.make(
        "sct-list",
        "SCTs of both kinds of log, the static log's with its leaf index",
        extensions=[subject_alt_name(dns("sct-list.example.test")), sct_list(rfc6962, tiled)],
        chain=["intermediate", "root"],
    )
    maker.make(
        "sct-list-short",
        "an SCT list whose base64 needs padding and both characters of base64url",
        extensions=[
            subject_alt_name(dns("sct-list-short.example.test")),
            extension(SCT_OID, octets(bytes.fromhex("0005fbefbeffffff"))),
        ],
    )


def damage(maker: Maker) -> None:
    good = signed(
        tbs_certificate(
            subject=common_name("damaged.example.test"),
            extensions=[subject_alt_name(dns("damaged.example.test"))],
        )
    )
    maker.raw("trailing-bytes", "bytes after the certificate", good + b"\x00\x01tail")
    maker.raw("truncated", "a certificate cut in its TBSCertificate", good[:150])
    maker.raw("garbage", "no DER at all", b"not a certificate, \xff\xfe\x00 not even DER")
    maker.raw("not-a-certificate", "good DER that is no certificate", sequence(integer(1), null()))
    maker.raw("length-beyond-end", "a length of 2^32 - 1", b"\x30\x84\xff\xff\xff\xff" + good[4:])
    maker.make("chain-broken", "one unreadable certificate in the chain",
               chain=["intermediate", "garbage", "root"])  # fmt: skip
    maker.raw(
        "precertificate-garbage",
        "a precertificate that cannot be read",
        b"\x30\x03not",
        kind="precertificate",
        tbs=encoded(tbs_certificate(subject=common_name("never.example.test"))),
        chain=["intermediate"],
    )
    broken_entries(maker, good)


def broken_entries(maker: Maker, good: bytes) -> None:
    """Entries that are broken outside of the certificate; `good` is a certificate."""
    when = 1_750_000_500_123
    domain = "poisoned.example.test"
    names = [subject_alt_name(dns(domain))]
    tbs = tbs_certificate(subject=common_name(domain), extensions=names)
    poisoned = signed(tbs_certificate(subject=common_name(domain), extensions=[*names, POISON]))
    certificate, precertificate = x509_leaf(when, good), precert_leaf(when, KEY_HASH, tbs)
    no_chain = certificate_list([])
    for label, purpose, leaf_input, extra_data in (
        ("unknown-entry-type", "entry type 0x8000",
         leaf(when, 0x8000, uint24(b"who knows") + b"\0\0"), no_chain),
        ("leaf-garbage", "a leaf_input that is no MerkleTreeLeaf", bytes(7), no_chain),
        ("leaf-empty", "an empty leaf_input", b"", b""),
        ("leaf-of-11-bytes", "a leaf cut in its entry type", precertificate[:11], no_chain),
        ("leaf-of-12-bytes", "a leaf cut behind its entry type", precertificate[:12], no_chain),
        ("leaf-of-version-2", "a leaf of a version that is not known",
         b"\x01" + certificate[1:], no_chain),
        ("leaf-cut", "a leaf_input cut in its certificate", certificate[:-50], no_chain),
        ("leaf-with-tail", "a byte after the leaf", certificate + b"\0", no_chain),
        ("leaf-of-precertificate-cut", "a precertificate's leaf_input cut in its TBSCertificate",
         precertificate[:-50], uint24(good) + no_chain),
        ("extra-data-broken", "a good certificate whose extra_data is no chain",
         certificate, good[:40]),
        ("extra-data-empty", "a good certificate without any extra_data", certificate, b""),
        ("extra-data-with-tail", "a good certificate, a byte after its chain",
         certificate, certificate_list([good]) + b"\0"),
        ("extra-data-of-precertificate-empty", "a precertificate entry without precertificate",
         precertificate, b""),
        ("extra-data-of-precertificate-cut", "a precertificate whose chain is cut",
         precertificate, uint24(poisoned) + certificate_list([good])[:-1]),
    ):  # fmt: skip
        maker.entry(label, purpose, leaf_input, extra_data)


THEMES: tuple[Callable[[Maker], None], ...] = (
    make_identities.subjects,
    make_identities.common_names,
    make_identities.alternative_names,
    algorithms,
    dates,
    serials,
    make_extensions.extensions,
    make_extensions.broken_extensions,
    make_extensions.shapes,
    chains,
    damage,
)


def main() -> None:
    maker = Maker()
    for theme in THEMES:
        theme(maker)
    CERTIFICATES.write_text(json.dumps(maker.records, indent=1) + "\n")
    print(f"{len(maker.records)} records in {CERTIFICATES.name}")


if __name__ == "__main__":
    main()
