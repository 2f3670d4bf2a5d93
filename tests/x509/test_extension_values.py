"""What the values of extensions say, where the golden certificates leave a question open."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from certstream_tx.ct.der import DerError
from certstream_tx.x509 import extension_values as values
from certstream_tx.x509.purposes import LONG_NAMES
from tests.ct.samples import PROPERTY
from tests.golden.certificate_writer import common_name, cps, policy, uri, user_notice
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
    octets,
    oid,
    sequence,
    tlv,
)

READERS = [
    values.authority_info_access,
    values.authority_key_identifier,
    values.basic_constraints,
    values.certificate_policies,
    values.crl_distribution_points,
    values.extended_key_usage,
    values.issuer_alt_name,
    values.key_usage,
    values.signed_certificate_timestamps,
    values.subject_alt_name,
    values.subject_key_identifier,
]


def said(read: Callable[[bytes, int, int], object], value: bytes) -> object:
    """What a reader makes of a value that lies among other bytes."""
    return read(b"\x30" + value + b"\x30", 1, 1 + len(value))


class ExtensionValueTests(SynchronousTestCase):
    """Each reader on values as written and as not."""

    def test_authority_key_identifier(self) -> None:
        """The identifier alone, wherever it stands; without one there is nothing to say."""
        serial = implicit(2, b"\x05")
        key = implicit(0, b"\xab\x01")
        for value in (sequence(key, serial), sequence(serial, key)):
            self.assertEqual(said(values.authority_key_identifier, value), "keyid:ab:01")
        with self.assertRaises(DerError):
            said(values.authority_key_identifier, sequence(serial))

    def test_key_usage_of_any_width(self) -> None:
        """No bit, padding bits and bits nobody has named."""
        for value, text in (
            (named_bits(), ""),
            (bits(b"\x80\x00\x00"), "Digital Signature"),
            (bits(b"\xa0", 5), "Digital Signature, Key Encipherment"),
            (bits(b"\x00\x80", 7), "Decipher Only"),
            (bits(b"\x01\xff\xff"), "Encipher Only, Decipher Only"),
            (tlv(0x03), ""),
        ):
            self.assertEqual(said(values.key_usage, value), text)

    def test_basic_constraints(self) -> None:
        """CA by any octet that is not zero, path lengths of any size that makes sense."""
        for value, text in (
            (sequence(), "CA:FALSE"),
            (sequence(boolean(True)), "CA:TRUE"),
            (sequence(tlv(0x01, b"\x01")), "CA:TRUE"),
            (sequence(tlv(0x01)), "CA:FALSE"),
            (sequence(boolean(True), integer(0)), "CA:TRUE, pathlen:0"),
            (sequence(boolean(True), integer(70000)), "CA:TRUE, pathlen:70000"),
            (sequence(integer(1)), "CA:FALSE, pathlen:1"),
        ):
            self.assertEqual(said(values.basic_constraints, value), text)
        for value in (sequence(boolean(True), tlv(0x02, b"\x01" * 9)), sequence(octets(b""))):
            with self.assertRaises(DerError):
                said(values.basic_constraints, value)

    def test_policies(self) -> None:
        """Texts of every type; notices by number alone and other qualifiers are left out."""
        reference = sequence(tlv(VISIBLE, b"Org"), sequence(integer(1)))
        by_number = sequence(oid("1.3.6.1.5.5.7.2.2"), sequence(reference))
        other = sequence(oid("1.2.3"), octets(b"x"))
        broken = sequence(oid("1.3.6.1.5.5.7.2.1"))
        value = sequence(
            policy("1.2.3", cps("http://c/"), other, by_number, broken),
            policy("2.23.140.1.2.1"),
            policy("1.2.4", user_notice("nö".encode("utf-16-be"), BMP, reference)),
        )
        self.assertEqual(
            said(values.certificate_policies, value),
            "Policy: 1.2.3\n  CPS: http://c/\n"
            "Policy: 2.23.140.1.2.1\n"
            "Policy: 1.2.4\n  User Notice: nö\n",
        )

    def test_distribution_points(self) -> None:
        """Two lines for each URI; relative names, reasons and CRL issuers are left out."""
        value = sequence(
            sequence(explicit(0, explicit(0, uri("http://a/1"), uri("http://a/2")))),
            sequence(explicit(0, explicit(1, uri("http://r/"))), implicit(1, b"\x00\x60")),
            sequence(explicit(2, explicit(4, common_name("x")))),
            sequence(explicit(0, explicit(0, uri("http://b/")))),
        )
        self.assertEqual(
            said(values.crl_distribution_points, value),
            "Full Name:\n URI:http://a/1\nFull Name:\n URI:http://a/2\nFull Name:\n URI:http://b/\n",
        )

    def test_authority_info_access(self) -> None:
        """A location that has no words is left out, the others stay."""
        value = sequence(
            sequence(oid("1.3.6.1.5.5.7.48.1"), uri("http://o/")),
            sequence(oid("1.3.6.1.5.5.7.48.2"), explicit(4, common_name("x"))),
            sequence(oid("1.2.3"), uri("http://i/")),
        )
        text = "URI:http://o/, URI:http://i/"
        self.assertEqual(said(values.authority_info_access, value), text)

    def test_purposes(self) -> None:
        """Known purposes by name, others dotted; anything but an OID among them is an error."""
        value = sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.2.3"), oid("2.5.29.37.0"))
        text = "TLS Web Server Authentication, 1.2.3, Any Extended Key Usage"
        self.assertEqual(said(values.extended_key_usage, value), text)
        with self.assertRaises(DerError):
            said(values.extended_key_usage, sequence(tlv(IA5, b"x")))

    def test_purposes_are_named_as_by_openssl(self) -> None:
        """The table agrees with the openssl command, where it is installed."""
        openssl = shutil.which("openssl")
        if openssl is None:
            raise SkipTest("openssl is not installed")
        for dotted, name in LONG_NAMES.items():
            command = [openssl, "asn1parse", "-genstr", f"OID:{dotted}"]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            self.assertEqual(printed.partition("OBJECT")[2].strip().removeprefix(":"), name)

    def test_timestamps_are_not_understood(self) -> None:
        """The list is passed on as it is, padded, in the alphabet for URLs."""
        self.assertEqual(said(values.signed_certificate_timestamps, b"\xfb\xff"), "-_8=")

    @given(st.sampled_from(READERS), st.binary(max_size=60))
    @PROPERTY
    def test_any_bytes(self, read: Callable[[bytes, int, int], object], value: bytes) -> None:
        """Any bytes have a text or raise DerError."""
        for data in (value, sequence(value), sequence(sequence(value))):
            with contextlib.suppress(DerError):
                self.assertIsInstance(said(read, data), str | tuple)
