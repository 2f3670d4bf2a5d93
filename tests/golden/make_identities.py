"""Made certificates for names: subjects in all string types, common names, alternative names."""

from __future__ import annotations

from tests.golden.certificate_writer import (
    attribute,
    basic_constraints,
    common_name,
    dns,
    email,
    extension,
    ip,
    name,
    subject_alt_name,
    uri,
)
from tests.golden.der_writer import (
    BMP,
    GENERAL,
    GRAPHIC,
    IA5,
    NUMERIC,
    PRINTABLE,
    T61,
    UNIVERSAL,
    UTF8,
    VISIBLE,
    boolean,
    explicit,
    implicit,
    oid,
    sequence,
    set_of,
    tlv,
)
from tests.golden.maker import Maker

STRING_TYPES: tuple[tuple[str, int, bytes], ...] = (
    ("utf8", UTF8, "Zürich 東京 🔒".encode()),
    ("printable", PRINTABLE, b"Plain (text) +,-./:=?"),
    ("ia5", IA5, b"user@example.test *_&"),
    ("t61", T61, b"Caf\xe9 M\xfcnchen"),
    ("bmp", BMP, "Łódź 東京".encode("utf-16-be")),
    ("universal", UNIVERSAL, "Ωmega 🔒".encode("utf-32-be")),
    ("visible", VISIBLE, b"Visible ~text~"),
    ("numeric", NUMERIC, b"0123 456"),
    ("general", GENERAL, b"General text"),
    ("graphic", GRAPHIC, b"Graphic text"),
)
# What is not text in its type. A lead byte of UTF-8 never stands before a fitting follower, so
# that readers agree on the number of replacements whether they take IA5String as ASCII or UTF-8.
BROKEN_STRINGS: tuple[tuple[str, int, bytes], ...] = (
    ("utf8-stray-byte", UTF8, b"a\xffb"),
    ("utf8-truncated", UTF8, b"abc\xe2\x82"),
    ("utf8-latin1", UTF8, b"Stra\xdfe"),
    ("printable", PRINTABLE, b"a\xffb"),
    ("ia5", IA5, b"a\xfeb"),
    ("bmp-odd-length", BMP, b"\x00a\x00b\x00"),
    ("bmp-lone-surrogate", BMP, b"\x00a\xd8\x00\x00b"),
    ("universal-beyond-unicode", UNIVERSAL, b"\x00\x00\x00a\x00\x11\x00\x00\x00\x00\x00b"),
    ("universal-truncated", UNIVERSAL, b"\x00\x00\x00a\x00\x00"),
    ("visible", VISIBLE, b"a\xffb"),
    ("numeric", NUMERIC, b"1\xff2"),
)
OTHER_ATTRIBUTES = (
    attribute("SN", "Surname"),
    attribute("serialNumber", "SN-1"),
    attribute("street", "Main street 1"),
    attribute("title", "Dr"),
    attribute("GN", "Given"),
    attribute("businessCategory", "Private Organization"),
    attribute("organizationIdentifier", "NTRNL-12345678"),
    attribute("DC", "example", IA5),
    attribute("UID", "uid-1"),
    attribute("1.3.6.1.4.1.99999.3", "private"),
)


def subjects(maker: Maker) -> None:
    for label, tag, content in STRING_TYPES:
        subject = name(attribute("O", content, tag))
        maker.make(f"subject-{label}", f"a name in string type {tag:#04x}", subject=subject)
    for label, tag, content in BROKEN_STRINGS:
        subject = name(attribute("C", "NL", PRINTABLE), attribute("O", content, tag))
        purpose = f"bytes that are not text in string type {tag:#04x}"
        maker.make(f"subject-undecodable-{label}", purpose, subject=subject)
    all_types = (attribute("OU", content, tag) for _, tag, content in STRING_TYPES)
    maker.make("subject-all-string-types", "one attribute repeated in every string type",
               subject=name(*all_types))  # fmt: skip
    maker.make("subject-empty", "an empty subject", subject=name())
    maker.make("issuer-empty", "an empty issuer", issuer=name())
    maker.make(
        "subject-repeated",
        "repeated attributes, interleaved, joined in certificate order",
        subject=name(
            attribute("OU", "second comes first"),
            attribute("O", "One"),
            attribute("OU", "a"),
            attribute("CN", "subject-repeated.example.test"),
            attribute("OU", "b, c"),
            attribute("O", "Two"),
        ),
    )
    maker.make(
        "subject-multi-valued",
        "two attributes in one relative distinguished name",
        subject=sequence(
            set_of(attribute("C", "DE", PRINTABLE)),
            set_of(attribute("O", "Org"), attribute("OU", "Unit")),
            set_of(attribute("CN", "subject-multi-valued.example.test")),
        ),
    )
    every = (
        attribute("emailAddress", "who@example.test", IA5),
        attribute("CN", "subject-every-key.example.test"),
        attribute("OU", "Unit"),
        attribute("O", "Organisation"),
        attribute("L", "Amsterdam"),
        attribute("ST", "Noord-Holland"),
        attribute("C", "NL", PRINTABLE),
    )
    maker.make("subject-every-key", "every key, in the order opposite to aggregated's",
               subject=name(*every))  # fmt: skip
    maker.make("issuer-every-key", "every key in the issuer", issuer=name(*reversed(every)))
    maker.make("subject-with-others", "attributes that have no key, among those that have",
               subject=name(*OTHER_ATTRIBUTES[:5], *every, *OTHER_ATTRIBUTES[5:]))  # fmt: skip
    maker.make("subject-others-only", "only attributes that have no key",
               subject=name(*OTHER_ATTRIBUTES))  # fmt: skip
    maker.make("subject-email-only", "only an e-mail address",
               subject=name(attribute("emailAddress", "only@example.test", IA5)))  # fmt: skip
    maker.make(
        "subject-email-twice",
        "two e-mail addresses",
        subject=name(
            attribute("emailAddress", "a@example.test", IA5),
            attribute("emailAddress", "b@example.test", UTF8),
        ),
    )
    maker.make(
        "subject-awkward-text",
        "text that JSON must escape and that aggregated does not",
        subject=name(
            attribute("O", 'A/CN=b, "quoted" \\back\\ <tag> & \t\n\r\x00\x7f\u2028\ufeff'),
            attribute("CN", "awkward\x00.example.test"),
        ),
    )
    maker.make("subject-empty-value", "an attribute whose value is empty",
               subject=name(attribute("O", ""), attribute("L", "Here")))  # fmt: skip
    maker.make("subject-broken", "a subject in which nothing can be read",
               subject=tlv(0x30, b"\x31\x7fjunk"))  # fmt: skip
    maker.make("issuer-broken", "an issuer in which nothing can be read",
               issuer=tlv(0x30, b"\x31\x7fjunk"))  # fmt: skip


def common_names(maker: Maker) -> None:
    """CN against the shape of a DNS name; the one SAN shows whether CN stands before it."""
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 56 + ".test"])
    too_long = longest.replace(".test", "d.test")
    assert (len(longest), len(too_long)) == (253, 254)
    for label, purpose, value in (
        ("dns-name", "an ordinary one", "www.example.test"),
        ("underscore-and-digits", "letters, digits, - and _", "_a1-b.0-9.xn--mnchen-3ya.test"),
        ("wildcard", "a wildcard", "*.example.test"),
        ("upper-case", "letters of either case", "WWW.Example.TEST"),
        ("longest-label", "a label of 63", "a" * 63 + ".test"),
        ("longest-name", "a name of 253", longest),
        ("idn", "an IDN in its A-label form", "xn--bcher-kva.example.test"),
        ("organisation", "not a DNS name: blanks", "Example Organisation Ltd."),
        ("blank-and-dot", "not a DNS name: a blank, though dots", "www example.test"),
        ("single-label", "not a DNS name: no dot", "localhost"),
        ("label-too-long", "not a DNS name: a label of 64", "a" * 64 + ".test"),
        ("name-too-long", "not a DNS name: 254 characters", too_long),
        ("empty-label", "not a DNS name: an empty label", "www..example.test"),
        ("leading-dot", "not a DNS name: a dot in front", ".example.test"),
        ("inner-wildcard", "not a DNS name: * is allowed in front only", "www.*.example.test"),
        ("partial-wildcard", "not a DNS name: * is no part of a label", "w*.example.test"),
        ("email", "not a DNS name: an e-mail address", "who@example.test"),
        ("uri", "not a DNS name: a URI", "https://www.example.test/"),
        ("port", "not a DNS name: with a port", "www.example.test:8443"),
        ("non-ascii", "not a DNS name: an IDN in its U-label form", "bücher.example.test"),
        ("trailing-newline", "not a DNS name: a line end", "www.example.test\n"),
        ("empty", "an empty CN", ""),
        ("ipv6", "not a DNS name: an IPv6 address", "2001:db8::1"),
    ):
        maker.make(
            f"cn-{label}",
            f"CN: {purpose}",
            subject=common_name(value),
            extensions=[subject_alt_name(dns("san.example.test"))],
        )
    maker.make(
        "cn-ipv4",
        "CN: an IPv4 address is no DNS name",
        subject=common_name("192.0.2.7"),
        extensions=[subject_alt_name(ip("c0000207"))],
    )
    maker.make("cn-without-san", "CN: the only name", extensions=[])
    maker.make(
        "cn-in-the-middle",
        "CN stands first although it is the second SAN; SANs repeat",
        subject=common_name("b.example.test"),
        extensions=[
            subject_alt_name(
                dns("a.example.test"),
                dns("b.example.test"),
                dns("c.example.test"),
                dns("a.example.test"),
                dns("b.example.test"),
            )
        ],
    )
    maker.make(
        "cn-explicitly-no-ca",
        "cA given as FALSE: CN counts",
        extensions=[
            basic_constraints(boolean(False)),
            subject_alt_name(dns("san.example.test")),
        ],
    )
    maker.make("cn-nowhere", "neither CN nor SAN", subject=name(), extensions=[])


def alternative_names(maker: Maker) -> None:
    hundred = [dns(f"host-{number:03}.example.test") for number in range(100)]
    directory_name = explicit(4, common_name("directory.example.test"))
    other_name = explicit(
        0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, tlv(UTF8, b"user@upn.test"))
    )
    registered = implicit(8, oid("1.2.3.4")[2:])
    for label, purpose, names in (
        ("hundred", "100 DNS names", hundred),
        ("ip-only", "IPv4 addresses only: no domains-only message",
         [ip("c0000201"), ip("00000000"), ip("ffffffff")]),
        ("ipv6-only", "IPv6 addresses only",
         [ip("20010db8000000000000000000000001"), ip("00" * 16), ip("00" * 15 + "01"),
          ip("20010db8000000010000000000010001"), ip("00" * 10 + "ffffc0000201"),
          ip("fe80000000000000abcdef0123456789")]),
        ("email-only", "an e-mail address only", [email("who@example.test")]),
        ("uri-only", "a URI only", [uri("spiffe://example.test/workload?a=b,c#d")]),
        ("mixed", "all four kinds, interleaved, in certificate order",
         [uri("https://example.test/"), dns("z.example.test"), ip("c0000201"),
          email("who@example.test"), dns("a.example.test"),
          ip("20010db8000000000000000000000001"), dns("m.example.test")]),
        ("idn", "IDNs, A-labels as they are",
         [dns("xn--bcher-kva.example.test"), dns("*.xn--fiqs8s.example.test")]),
        ("wildcard", "wildcards", [dns("*.example.test"), dns("example.test")]),
        ("duplicates", "the string keeps what all_domains drops",
         [dns("a.example.test"), dns("b.example.test"), dns("a.example.test")]),
        ("single-label", "a DNS SAN counts whatever it looks like",
         [dns("intranet"), dns("a..b"), dns("UPPER.example.test")]),
        ("undecodable", "a DNS SAN with a byte that is no text", [dns(b"a\xff.example.test")]),
        ("other-kinds", "kinds that have no word are left out",
         [other_name, dns("a.example.test"), directory_name, registered, email("w@example.test")]),
        ("broken-ip", "an IP address of 5 bytes is left out alone",
         [dns("a.example.test"), ip("c000020109"), dns("b.example.test")]),
    ):  # fmt: skip
        maker.make(f"san-{label}", purpose, subject=name(), extensions=[subject_alt_name(*names)])
    maker.make(
        "issuer-alt-name",
        "issuerAltName in the same words; its DNS names are no domains of the subject",
        extensions=[
            subject_alt_name(dns("subject.example.test")),
            extension(
                "2.5.29.18",
                sequence(
                    uri("http://ca.example.test/"),
                    email("ca@example.test"),
                    dns("ca.example.test"),
                    ip("c0000201"),
                ),
            ),
        ],
    )
