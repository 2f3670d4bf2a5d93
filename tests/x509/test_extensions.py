"""The list of extensions: what is left out, what counts twice, what is remembered."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.x509.extensions import MAX_EXTRA, Extensions, read_extensions
from tests.ct.samples import PROPERTY
from tests.golden.certificate_writer import (
    CRITICAL,
    EXPLICITLY_NOT_CRITICAL,
    POISON,
    basic_constraints,
    dns,
    extended_key_usage,
    extension,
    key_usage,
    subject_alt_name,
    subject_key_identifier,
)
from tests.golden.der_writer import boolean, named_bits, octets, oid, sequence, tlv

SERVER = extended_key_usage("1.3.6.1.5.5.7.3.1")
NAMES = subject_alt_name(dns("a.example"), dns("b.example"))


def read(*extensions: bytes) -> tuple[Extensions, list[str], bool]:
    """Read a list of extensions that lies among other bytes."""
    whole = sequence(*extensions)
    return read_extensions(b"\x30" + whole + b"\x30", 1, 1 + len(whole))


class ReadExtensionsTests(SynchronousTestCase):
    """Lists as written and as not."""

    def test_nothing(self) -> None:
        """No extension, or no list at all, says nothing."""
        nothing: tuple[Extensions, list[str], bool] = (Extensions(), [], False)
        self.assertEqual(read(), nothing)
        for broken in (b"", b"\x30\x05", b"\x31\x00", b"\x30\x80\x00\x00"):
            self.assertEqual(read_extensions(broken, 0, len(broken)), nothing)

    def test_several(self) -> None:
        """Names, the CA bit and the poison, critical or not."""
        for critical in (b"", CRITICAL, EXPLICITLY_NOT_CRITICAL):
            ca = basic_constraints(boolean(True), critical=critical)
            extensions, names, is_ca = read(NAMES, ca, POISON)
            self.assertEqual((names, is_ca), (["a.example", "b.example"], True))
            self.assertEqual(extensions.basic_constraints, "CA:TRUE")
            self.assertTrue(extensions.ctl_poison_byte)
            self.assertEqual(extensions.subject_alt_name, "DNS:a.example, DNS:b.example")

    def test_broken_one_is_left_out(self) -> None:
        """An extension without value, of another shape or with a broken value leaves out itself."""
        for broken in (
            sequence(oid("2.5.29.15")),
            sequence(oid("2.5.29.15"), CRITICAL),
            sequence(oid("2.5.29.15"), tlv(0x05)),
            extension("2.5.29.15"),
            extension("2.5.29.15", b"\x03\x09\x00"),
            extension("2.5.29.14", b"\x05\x00"),
            sequence(),
            sequence(b"\x06"),
            sequence(b"\x06\x00"),
            sequence(octets(b"x")),
            tlv(0x31, oid("2.5.29.15")),
            sequence(b"\x06\x84\xff\xff\xff\xff"),
            sequence(b"\x06\x09\x55\x1d\x0f"),
        ):
            for _ in range(2):  # read, and remembered
                extensions, names, _ = read(broken, SERVER, NAMES)
                expected = Extensions(
                    extended_key_usage="TLS Web Server Authentication",
                    subject_alt_name="DNS:a.example, DNS:b.example",
                )
                self.assertEqual(extensions, expected, broken)
                self.assertEqual(names, ["a.example", "b.example"])

    def test_what_stands_before_a_break_is_kept(self) -> None:
        """Where the list breaks off, what was read stays."""
        extensions, names, _ = read(NAMES, b"\x30\x7f")
        self.assertEqual(extensions.subject_alt_name, "DNS:a.example, DNS:b.example")
        self.assertEqual(names, ["a.example", "b.example"])

    def test_empty_at_the_end(self) -> None:
        """An extension without content may be the last of all bytes."""
        whole = sequence(NAMES, b"\x30\x00")
        self.assertEqual(read_extensions(whole, 0, len(whole))[1], ["a.example", "b.example"])

    def test_oid_does_not_reach_into_the_next(self) -> None:
        """An OID longer than its extension does not borrow the bytes behind it."""
        extensions, _, _ = read(sequence(b"\x06\x03"), b"\x55\x1d\x0f")
        self.assertEqual(extensions, Extensions())

    def test_repeated(self) -> None:
        """Of the same extension twice the first that can be read counts."""
        broken = extension("2.5.29.17", b"\x30\x01")
        second = subject_alt_name(dns("c.example"))
        extensions, names, _ = read(broken, NAMES, second)
        self.assertEqual(names, ["a.example", "b.example"])
        self.assertEqual(extensions.subject_alt_name, "DNS:a.example, DNS:b.example")

    def test_extra(self) -> None:
        """Unknown extensions by OID, in order, each once, up to a bound."""
        unknown = [extension(f"1.2.{i}") for i in range(MAX_EXTRA + 50)]
        extensions, _, _ = read(unknown[1], unknown[0], unknown[1], SERVER)
        self.assertEqual(extensions.extra, ("1.2.1", "1.2.0"))
        extensions, _, _ = read(*unknown, SERVER)
        self.assertEqual(len(extensions.extra or ()), MAX_EXTRA)
        self.assertIsNotNone(extensions.extended_key_usage)

    def test_memory_is_exact(self) -> None:
        """Values that differ in one bit are not taken for each other."""
        for _ in range(2):
            for bit, words in ((0, "Digital Signature"), (1, "Content Commitment")):
                extensions, _, _ = read(key_usage(named_bits(bit)))
                self.assertEqual(extensions.key_usage, words)

    def test_empty_text_is_there(self) -> None:
        """An extension that is there and says nothing has an empty text, remembered or not."""
        for _ in range(2):
            extensions, names, _ = read(key_usage(named_bits()), subject_alt_name())
            self.assertEqual((extensions.key_usage, extensions.subject_alt_name), ("", ""))
            self.assertEqual(names, [])

    @given(st.binary(max_size=80), st.integers(0, 80))
    @PROPERTY
    def test_any_bytes(self, data: bytes, cut: int) -> None:
        """Nothing raises, whatever follows or cuts a good extension."""
        good = NAMES + subject_key_identifier(b"\x01") + SERVER
        for whole in (data, sequence(data), sequence(good, data), sequence(good[:cut], data)):
            extensions, names, is_ca = read_extensions(whole, 0, len(whole))
            self.assertIsInstance(extensions, Extensions)
            self.assertIsInstance(is_ca, bool)
            self.assertEqual(bool(names), "DNS:" in (extensions.subject_alt_name or ""))
