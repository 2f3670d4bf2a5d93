"""Certificates: the frame, the domains, and what is left out of a broken one.

Every rule of the wire format is held by tests/golden; here is what those leave open.
"""

from hashlib import sha1, sha256

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.certificate import (
    MAX_CERTIFICATE_BYTES,
    looks_like_dns_name,
    read_certificate,
    unread_certificate,
)
from certstream_tx.x509.extensions import Extensions
from certstream_tx.x509.names import UNREADABLE_NAME
from tests.ct.samples import PROPERTY
from tests.golden.certificate_writer import (
    ISSUER,
    VALIDITY,
    attribute,
    basic_constraints,
    common_name,
    dns,
    extension,
    ip,
    name,
    signed,
    subject_alt_name,
    tbs_certificate,
    utc,
)
from tests.golden.der_writer import boolean, explicit, integer, oid, sequence, tlv

SUBJECT = common_name("a.example")
GOOD = signed(tbs_certificate(subject=SUBJECT, extensions=[subject_alt_name(dns("b.example"))]))


def domains(subject: bytes, *extensions: bytes) -> list[str]:
    """``all_domains`` of a certificate with this subject."""
    certificate = read_certificate(signed(tbs_certificate(subject=subject, extensions=extensions)))
    assert certificate.error is None
    return certificate.all_domains


class DomainTests(SynchronousTestCase):
    """all_domains."""

    def test_common_name_first(self) -> None:
        """The CN stands first, the rest in order, each once, compared as written."""
        names = subject_alt_name(*map(dns, ["b.example", "A.example", "a.example", "b.example"]))
        self.assertEqual(domains(SUBJECT, names), ["a.example", "b.example", "A.example"])

    def test_of_a_ca(self) -> None:
        """The CN of a CA is no domain, its alternative names are."""
        ca = basic_constraints(boolean(True))
        names = subject_alt_name(dns("b.example"))
        self.assertEqual(domains(SUBJECT, ca, names), ["b.example"])
        self.assertEqual(domains(SUBJECT, names, ca), ["b.example"])

    def test_several_common_names(self) -> None:
        """Each CN counts by itself."""
        subject = name(
            attribute("CN", "x.example"), attribute("CN", "An Org"), attribute("CN", "y.example")
        )
        self.assertEqual(
            domains(subject, subject_alt_name(dns("y.example"), dns("z"))),
            ["x.example", "y.example", "z"],
        )
        self.assertEqual(domains(name(attribute("CN", "x.example, y.example"))), [])

    def test_addresses_only(self) -> None:
        """A certificate for an address has no domain, wherever the address stands."""
        self.assertEqual(domains(common_name("192.0.2.1"), subject_alt_name(ip("c0000201"))), [])

    def test_very_many_names(self) -> None:
        """A certificate of very many names is read whole, once each."""
        names = [dns(b"%06x" % (i % 20_000)) for i in range(30_000)]
        found = domains(SUBJECT, subject_alt_name(*names))
        self.assertEqual(len(found), 20_001)

    @given(
        st.from_regex(r"(\*\.)?[A-Za-z0-9_-]{1,63}(\.[a-z_-]{1,63}){1,3}\.[a-z]", fullmatch=True)
    )
    @PROPERTY
    def test_looks_like_dns_name(self, text: str) -> None:
        """What has the shape is a DNS name up to 253 characters; no part of the shape may fail."""
        self.assertEqual(looks_like_dns_name(text), len(text) <= 253)
        for wrong in (text + ".", "." + text, text + "\n", "x*." + text, text + " ", text + "é"):
            self.assertFalse(looks_like_dns_name(wrong), wrong)

    def test_dns_name_edges(self) -> None:
        """One label is none, an address is none, a number among labels is one."""
        for text, yes in (
            ("a.b", True),
            ("*.b", False),
            ("*.a.b", True),
            ("localhost", False),
            ("", False),
            (".", False),
            ("1.2.3.4", False),
            ("1.2.3", True),
            ("1.2.3.4.in-addr.arpa", True),
            ("x" * 63 + ".b", True),
            ("x" * 64 + ".b", False),
            (".".join(["x" * 62] * 4) + ".a", True),
            (".".join(["x" * 62] * 4) + ".ab", False),
        ):
            self.assertEqual(looks_like_dns_name(text), yes, text)


class FrameTests(SynchronousTestCase):
    """What stands around the parts."""

    def test_read(self) -> None:
        """A certificate is read with its hashes."""
        certificate = read_certificate(GOOD)
        self.assertIsNone(certificate.error)
        self.assertEqual(certificate.serial_number, "1234567890ABCDEF")
        self.assertEqual(certificate.fingerprint, sha1(GOOD).digest().hex(":").upper())
        self.assertEqual(certificate.sha1, certificate.fingerprint)
        self.assertEqual(certificate.sha256, sha256(GOOD).digest().hex(":").upper())
        self.assertEqual((certificate.not_before, certificate.not_after), (1748779200, 1756555199))

    def test_trailing_bytes(self) -> None:
        """Bytes behind the certificate change the hashes and nothing else."""
        longer = GOOD + b"\x00trailing"
        certificate = read_certificate(longer)
        self.assertEqual(certificate.sha256, sha256(longer).digest().hex(":").upper())
        plain = read_certificate(GOOD)
        for field in plain.__struct_fields__:
            if field not in ("fingerprint", "sha1", "sha256"):
                self.assertEqual(getattr(certificate, field), getattr(plain, field))

    def test_versions(self) -> None:
        """Any version, none, and one that is no number are read alike."""
        for version in (None, 0, 2, 5, -1):
            der = signed(tbs_certificate(subject=SUBJECT, version=version))
            self.assertEqual(read_certificate(der).all_domains, ["a.example"])
        odd = sequence(
            explicit(0, b""), integer(1), sequence(), ISSUER, VALIDITY, SUBJECT, sequence()
        )
        self.assertEqual(read_certificate(sequence(odd)).all_domains, ["a.example"])

    def test_longer_lengths_than_needed(self) -> None:
        """A frame with lengths of four octets, as in BER, is read."""

        def long_form(tag: int, *contents: bytes) -> bytes:
            body = b"".join(contents)
            return bytes([tag, 0x84]) + len(body).to_bytes(4, "big") + body

        tbs = long_form(
            0x30,
            long_form(0x02, b"\x05"),
            long_form(0x30, oid("1.2.840.10045.4.3.2")),
            ISSUER,
            long_form(0x30, utc("250601120000Z"), utc("250830115959Z")),
            long_form(0x30, long_form(0x31, long_form(0x30, oid("2.5.4.3"), tlv(0x0C, b"a.b")))),
            sequence(),
            long_form(0xA3, long_form(0x30, subject_alt_name(dns("b.example")))),
        )
        certificate = read_certificate(long_form(0x30, tbs))
        self.assertEqual(certificate.all_domains, ["a.b", "b.example"])
        self.assertEqual(certificate.signature_algorithm, "ecdsa, sha256")
        self.assertEqual(certificate.not_after, 1756555199)

    def test_parts_left_out(self) -> None:
        """A broken name, date or algorithm leaves out itself."""
        broken = tlv(0x05)
        for replaced, empty in (
            ({"issuer": broken}, {"issuer": UNREADABLE_NAME}),
            ({"subject": broken}, {"subject": UNREADABLE_NAME, "all_domains": ["b.example"]}),
            ({"algorithm": broken}, {"signature_algorithm": "unknown"}),
            ({"validity": broken}, {"not_before": 0, "not_after": 0}),
            ({"validity": sequence(utc("250601120000Z"))}, {"not_after": 0}),
            ({"validity": sequence(broken, utc("250830115959Z"))}, {"not_before": 0}),
        ):
            arguments = {"subject": SUBJECT, "extensions": [subject_alt_name(dns("b.example"))]}
            der = signed(tbs_certificate(**(arguments | replaced)))  # type: ignore[arg-type]
            certificate = read_certificate(der)
            self.assertIsNone(certificate.error)
            whole = read_certificate(GOOD)
            for field in ("subject", "issuer", "all_domains", "serial_number", "not_before"):
                self.assertEqual(
                    getattr(certificate, field), empty.get(field, getattr(whole, field)), replaced
                )
            for field, value in empty.items():
                self.assertEqual(getattr(certificate, field), value)

    def test_broken_tail(self) -> None:
        """What breaks behind the subject leaves out the extensions."""
        tbs = tbs_certificate(subject=SUBJECT, tail=[b"\x83\x7f"])
        certificate = read_certificate(signed(tbs))
        self.assertEqual((certificate.error, certificate.all_domains), (None, ["a.example"]))

    def test_other_fields_in_front(self) -> None:
        """Unique identifiers, constructed ones too, are not taken for the extensions."""
        names = explicit(3, sequence(subject_alt_name(dns("b.example"))))
        for other in (b"\x81\x02\x00\x05", explicit(1, sequence(extension("1.2.3"))), names[:0]):
            tbs = tbs_certificate(subject=SUBJECT, tail=[other, names])
            self.assertEqual(read_certificate(signed(tbs)).all_domains, ["a.example", "b.example"])

    def test_second_extensions_field(self) -> None:
        """The first [3] counts."""
        second = explicit(3, sequence(subject_alt_name(dns("c.example"))))
        tbs = tbs_certificate(
            subject=SUBJECT, extensions=[subject_alt_name(dns("b.example"))], tail=[second]
        )
        self.assertEqual(read_certificate(signed(tbs)).all_domains, ["a.example", "b.example"])


class UnreadableTests(SynchronousTestCase):
    """Certificates that cannot be read at all."""

    def test_fields(self) -> None:
        """There is a reason, there are hashes, and nothing else."""
        certificate = read_certificate(b"no certificate")
        self.assertTrue(certificate.error)
        self.assertEqual(
            certificate, unread_certificate(b"no certificate", certificate.error or "")
        )
        self.assertEqual(certificate.sha256, sha256(b"no certificate").digest().hex(":").upper())
        self.assertEqual((certificate.subject, certificate.issuer), (UNREADABLE_NAME,) * 2)
        self.assertEqual(certificate.all_domains, [])
        self.assertEqual(certificate.serial_number, "")
        self.assertEqual(certificate.signature_algorithm, "unknown")
        self.assertEqual((certificate.not_before, certificate.not_after), (0, 0))
        self.assertIs(certificate.is_ca, False)
        self.assertEqual(certificate.extensions, Extensions())

    def test_truncated(self) -> None:
        """A certificate cut at any byte is unreadable, and says so."""
        for end in range(len(GOOD)):
            self.assertTrue(read_certificate(GOOD[:end]).error, end)

    def test_too_large(self) -> None:
        """A certificate above the bound is hashed and not taken apart."""
        padding = bytes(MAX_CERTIFICATE_BYTES)
        certificate = read_certificate(GOOD + padding)
        self.assertIn("larger", certificate.error or "")
        self.assertEqual(certificate.sha1, sha1(GOOD + padding).digest().hex(":").upper())

    def test_encodes_without_an_error_field(self) -> None:
        """A certificate that was read has nothing beyond the fields of leaf_cert."""
        fields = msgspec.json.decode(msgspec.json.encode(read_certificate(GOOD)))
        self.assertEqual(
            list(fields),
            [
                "subject",
                "issuer",
                "all_domains",
                "fingerprint",
                "sha1",
                "sha256",
                "serial_number",
                "signature_algorithm",
                "not_before",
                "not_after",
                "is_ca",
                "extensions",
            ],
        )
