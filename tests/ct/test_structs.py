"""Leaves and extra_data: real ones, every truncation, and bytes of any kind."""

from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    MAX_CHAIN,
    MAX_EXTENSIONS,
    PRECERT_ENTRY,
    X509_ENTRY,
    StructError,
    TimestampedEntry,
    leaf_index,
    leaf_index_extension,
    read_certificate_at,
    read_extra_data,
    read_leaf,
    read_timestamped_entry,
    write_certificate,
    write_extra_data,
    write_leaf,
    write_timestamped_entry,
)
from tests.ct.samples import (
    FEW,
    PROPERTY,
    certificates,
    damaged,
    page_entries,
    page_entry,
    timestamped_entries,
)

ENTRY_TYPES = (X509_ENTRY, PRECERT_ENTRY)
# The worked examples: real entries of Argon2026h2, one of each type.
CERTIFICATE = page_entry(1111014091)
PRECERTIFICATE = page_entry(1111014090)


class WorkedExampleTests(SynchronousTestCase):
    """Two real entries, field by field."""

    def test_certificate(self) -> None:
        """The x509 entry: sizes, time and chain as they were read off the bytes by hand."""
        leaf = CERTIFICATE.leaf_input
        self.assertEqual(len(leaf), 976)
        self.assertEqual(leaf[:15].hex(), "00000000019e46b788440000" + "0003bf")
        entry = read_leaf(leaf)
        self.assertEqual(entry.timestamp, 1779302893636)
        self.assertEqual(entry.entry_type, X509_ENTRY)
        self.assertIsNone(entry.issuer_key_hash)
        self.assertEqual(entry.certificate, leaf[15:974])
        self.assertEqual(entry.extensions, b"")
        self.assertEqual(len(CERTIFICATE.extra_data), 1408)
        precertificate, chain = read_extra_data(X509_ENTRY, CERTIFICATE.extra_data)
        self.assertIsNone(precertificate)
        self.assertEqual(len(chain[0]), 825)
        self.assertEqual(sum(len(each) + 3 for each in chain), 1405)
        self.assertEqual(
            b64encode(leaf_hash(leaf)), b"lcl0cBMDYHuK+jSMbhWxKUKTkAsNs8l+9vpfD3yedUs="
        )

    def test_precertificate(self) -> None:
        """The precert entry: issuer key hash, TBSCertificate, submitted precertificate, chain."""
        leaf = PRECERTIFICATE.leaf_input
        entry = read_leaf(leaf)
        self.assertEqual(entry.timestamp, 1779302893443)
        self.assertEqual(entry.entry_type, PRECERT_ENTRY)
        assert entry.issuer_key_hash is not None
        self.assertEqual(entry.issuer_key_hash[:4].hex(), "c83bbda2")
        self.assertEqual(entry.issuer_key_hash[-3:].hex(), "dd016e")
        self.assertEqual(leaf[44:47].hex(), "000318")
        self.assertEqual(entry.certificate, leaf[47:839])
        self.assertEqual(entry.extensions, b"")
        precertificate, chain = read_extra_data(PRECERT_ENTRY, PRECERTIFICATE.extra_data)
        assert precertificate is not None
        self.assertEqual(len(precertificate), 1093)
        self.assertEqual(sum(len(each) + 3 for each in chain), 2672)
        self.assertEqual(
            b64encode(leaf_hash(leaf)), b"lCCl0FZVeiWLKTitqqeO/IsYy8ZGlGgMXIe+M+rxkSI="
        )


class RealEntryTests(SynchronousTestCase):
    """All 40 real entries."""

    def test_written_as_they_were(self) -> None:
        """What was read, written again, is the same bytes."""
        for index, leaf_input, extra_data in page_entries():
            with self.subTest(index):
                entry = read_leaf(leaf_input)
                self.assertEqual(write_leaf(entry), leaf_input)
                precertificate, chain = read_extra_data(entry.entry_type, extra_data)
                self.assertEqual(write_extra_data(precertificate, chain), extra_data)

    def test_issuer_key_hash_is_that_of_the_chain(self) -> None:
        """The precertificates' issuer key hash is that of the first certificate of the chain."""
        checked = 0
        for _, leaf_input, extra_data in page_entries():
            entry = read_leaf(leaf_input)
            if entry.entry_type == PRECERT_ENTRY:
                _, chain = read_extra_data(PRECERT_ENTRY, extra_data)
                key = load_der_x509_certificate(chain[0]).public_key()
                spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                self.assertEqual(entry.issuer_key_hash, sha256(spki).digest())
                checked += 1
        self.assertEqual(checked, 14)

    def test_every_truncation_is_refused(self) -> None:
        """A leaf or extra_data that ends anywhere before its end is none."""
        for index, leaf_input, extra_data in (CERTIFICATE, PRECERTIFICATE):
            entry_type = read_leaf(leaf_input).entry_type
            with self.subTest(index):
                for end in range(len(leaf_input)):
                    self.assertRaises(StructError, read_leaf, leaf_input[:end])
                for end in range(len(extra_data)):
                    self.assertRaises(StructError, read_extra_data, entry_type, extra_data[:end])

    def test_trailing_bytes_are_refused(self) -> None:
        """Nothing may follow a leaf or a chain."""
        for _, leaf_input, extra_data in (CERTIFICATE, PRECERTIFICATE):
            entry_type = read_leaf(leaf_input).entry_type
            self.assertRaises(StructError, read_leaf, leaf_input + b"\x00")
            self.assertRaises(StructError, read_extra_data, entry_type, extra_data + b"\x00")


class LeafTests(SynchronousTestCase):
    """The leaf reader and writer."""

    @PROPERTY
    @given(timestamped_entries())
    def test_read_undoes_write(self, entry: TimestampedEntry) -> None:
        """What is written is read as it was, alone and at an offset."""
        self.assertEqual(read_leaf(write_leaf(entry)), entry)
        written = write_timestamped_entry(entry)
        self.assertEqual(
            read_timestamped_entry(b"xyz" + written + b"more", 3), (entry, 3 + len(written))
        )

    @FEW
    @given(timestamped_entries())
    def test_every_truncation_is_refused(self, entry: TimestampedEntry) -> None:
        """A leaf that ends anywhere before its end is none."""
        leaf = write_leaf(entry)
        for end in range(len(leaf)):
            self.assertRaises(StructError, read_leaf, leaf[:end])

    @PROPERTY
    @given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(b"\x00\x00".__add__)))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes of any kind are a leaf that is written as it was, or raise StructError."""
        try:
            entry = read_leaf(data)
        except StructError:
            return
        self.assertEqual(write_leaf(entry), data)

    @PROPERTY
    @given(st.sampled_from((CERTIFICATE, PRECERTIFICATE)).flatmap(lambda e: damaged(e.leaf_input)))
    def test_damaged_leaves(self, data: bytes) -> None:
        """A real leaf with some bytes wrong is read as what it says, or raises StructError."""
        try:
            entry = read_leaf(data)
        except StructError:
            return
        self.assertEqual(write_leaf(entry), data)

    def test_refuses_other_versions_and_types(self) -> None:
        """Only version 1, timestamped entries, and the two known entry types are read."""
        leaf = CERTIFICATE.leaf_input
        for place in (0, 1, 10, 11):
            wrong = bytearray(leaf)
            wrong[place] = 2
            self.assertRaises(StructError, read_leaf, bytes(wrong))
        unknown = leaf[:10] + b"\x80\x00" + leaf[12:]
        failure = self.assertRaises(StructError, read_leaf, unknown)
        self.assertIn("32768", str(failure))

    def test_refuses_an_empty_certificate(self) -> None:
        """A certificate has at least one byte (ASN.1Cert<1..2^24-1>)."""
        empty = bytes(10) + b"\x00\x00" + bytes(3) + bytes(2)
        self.assertRaises(StructError, read_leaf, empty)

    def test_refuses_lengths_beyond_the_end(self) -> None:
        """A certificate or extensions that claim more than there is."""
        leaf = CERTIFICATE.leaf_input
        self.assertRaises(StructError, read_leaf, leaf[:12] + b"\xff\xff\xff" + leaf[15:])
        self.assertRaises(StructError, read_leaf, leaf[:-2] + b"\xff\xff")

    def test_largest_fields(self) -> None:
        """Every field at its largest, with lengths that need all their bytes."""
        largest = TimestampedEntry(
            2**64 - 1, PRECERT_ENTRY, b"\xff" * 32, bytes(2**24 - 1), bytes(2**16 - 1)
        )
        leaf = write_leaf(largest)
        self.assertEqual(read_leaf(leaf), largest)
        self.assertRaises(StructError, read_timestamped_entry, leaf[:-1], 2)
        middle = TimestampedEntry(1, X509_ENTRY, None, bytes(0x12345))
        self.assertEqual(read_leaf(write_leaf(middle)), middle)

    def test_does_not_write_what_does_not_fit(self) -> None:
        """Fields out of their range, or of the other entry type, are refused."""
        good = TimestampedEntry(1, X509_ENTRY, None, b"certificate")
        for wrong in (
            good._replace(timestamp=-1),
            good._replace(timestamp=2**64),
            good._replace(entry_type=2),
            good._replace(issuer_key_hash=bytes(32)),
            good._replace(entry_type=PRECERT_ENTRY),
            good._replace(entry_type=PRECERT_ENTRY, issuer_key_hash=bytes(31)),
            good._replace(certificate=b""),
            good._replace(certificate=bytes(2**24)),
            good._replace(extensions=bytes(2**16)),
        ):
            self.assertRaises(StructError, write_leaf, wrong)
        self.assertEqual(len(write_leaf(good._replace(extensions=bytes(2**16 - 1)))), 65563)


class ExtraDataTests(SynchronousTestCase):
    """The extra_data reader and writer."""

    @PROPERTY
    @given(st.one_of(st.none(), certificates()), st.lists(certificates(), max_size=5))
    def test_read_undoes_write(self, precertificate: bytes | None, chain: list[bytes]) -> None:
        """What is written is read as it was, for both types, with chains of any length."""
        entry_type = X509_ENTRY if precertificate is None else PRECERT_ENTRY
        self.assertEqual(
            read_extra_data(entry_type, write_extra_data(precertificate, chain)),
            (precertificate, tuple(chain)),
        )

    @FEW
    @given(st.one_of(st.none(), certificates()), st.lists(certificates(), max_size=4))
    def test_every_truncation_is_refused(
        self, precertificate: bytes | None, chain: list[bytes]
    ) -> None:
        """extra_data that ends anywhere before its end is none."""
        entry_type = X509_ENTRY if precertificate is None else PRECERT_ENTRY
        data = write_extra_data(precertificate, chain)
        for end in range(len(data)):
            self.assertRaises(StructError, read_extra_data, entry_type, data[:end])

    @PROPERTY
    @given(
        st.sampled_from((0, 1, 2, 65535, -1)),
        st.one_of(
            st.binary(max_size=60),
            damaged(CERTIFICATE.extra_data),
            damaged(PRECERTIFICATE.extra_data),
        ),
    )
    def test_any_bytes(self, entry_type: int, data: bytes) -> None:
        """Bytes of any kind are extra_data written as it was, or raise StructError."""
        try:
            precertificate, chain = read_extra_data(entry_type, data)
        except StructError:
            return
        self.assertEqual(write_extra_data(precertificate, chain), data)

    def test_refuses_lengths_that_disagree(self) -> None:
        """The inner length may not reach beyond the outer one, nor stop short of it."""
        for data in (
            b"\x00\x00\x04" + b"\x00\x00\x02A",
            b"\x00\x00\x05" + b"\x00\x00\x01A" + b"\x00",
            b"\x00\x00\x03" + b"\x00\x00\x00",
            b"\x00\x00\x04" + b"\xff\xff\xffA",
            b"\xff\xff\xff" + b"\x00\x00\x01A",
        ):
            self.assertRaises(StructError, read_extra_data, X509_ENTRY, data)

    def test_largest_chain(self) -> None:
        """A chain whose length needs all its bytes."""
        chain = (bytes(2**23), bytes(2**24 - 1 - 2**23 - 6))
        self.assertEqual(
            read_extra_data(PRECERT_ENTRY, write_extra_data(b"p", chain)), (b"p", chain)
        )

    def test_bounds_the_chain(self) -> None:
        """Sixteen megabytes of one-byte certificates do not become four million objects."""
        longest = [b"c"] * MAX_CHAIN
        self.assertEqual(
            read_extra_data(X509_ENTRY, write_extra_data(None, longest)), (None, tuple(longest))
        )
        one_more = write_extra_data(None, [*longest, b"c"])
        self.assertRaises(StructError, read_extra_data, X509_ENTRY, one_more)
        huge = write_certificate(b"c") * (2**24 // 4 - 1)
        data = len(huge).to_bytes(3, "big") + huge
        self.assertRaises(StructError, read_extra_data, X509_ENTRY, data)

    def test_does_not_write_what_does_not_fit(self) -> None:
        """A chain of 16 MiB, or an empty certificate, is refused."""
        self.assertRaises(StructError, write_extra_data, None, [bytes(2**23)] * 2)
        self.assertRaises(StructError, write_extra_data, b"", [])
        self.assertRaises(StructError, write_extra_data, None, [b""])

    @PROPERTY
    @given(st.binary(max_size=20), st.integers(0, 25))
    def test_one_certificate(self, data: bytes, offset: int) -> None:
        """A certificate is read from any offset, or StructError is raised."""
        try:
            certificate, end = read_certificate_at(data, offset)
        except StructError:
            return
        self.assertEqual(write_certificate(certificate), data[offset:end])


class LeafIndexTests(SynchronousTestCase):
    """The extension that says an entry's own position."""

    @PROPERTY
    @given(st.integers(0, 2**40 - 1))
    def test_read_undoes_write(self, index: int) -> None:
        """Every index of 40 bits comes back."""
        self.assertEqual(leaf_index(leaf_index_extension(index)), index)

    def test_known_bytes(self) -> None:
        """The bytes of the last entry of a first tile."""
        self.assertEqual(leaf_index_extension(255).hex(), "00000500000000ff")
        self.assertEqual(leaf_index(bytes.fromhex("00000500000000ff")), 255)

    def test_other_extensions_are_passed_over(self) -> None:
        """An unknown type before or after does not matter; without the known one there is none."""
        other = b"\x07\x00\x02ab"
        self.assertIsNone(leaf_index(b""))
        self.assertIsNone(leaf_index(other))
        self.assertEqual(leaf_index(other + leaf_index_extension(3) + other), 3)

    def test_bounds_the_extensions(self) -> None:
        """Extensions without end are refused before they take time."""
        other = b"\x07\x00\x00"
        most = other * (MAX_EXTENSIONS - 1) + leaf_index_extension(3)
        self.assertEqual(leaf_index(most), 3)
        self.assertRaises(StructError, leaf_index, most + other)

    def test_malformed(self) -> None:
        """Cut short, of another size, or given twice."""
        good = leaf_index_extension(1)
        for end in range(1, len(good)):
            self.assertRaises(StructError, leaf_index, good[:end])
        for wrong in (
            good + good,
            b"\x00\x00\x04abcd",
            b"\x00\x00\x06abcdef",
            b"\x00\x00\x00",
            good + b"\x07",
            b"\x07\xff\xff",
        ):
            self.assertRaises(StructError, leaf_index, wrong)
        for index in (-1, 2**40):
            self.assertRaises(StructError, leaf_index_extension, index)

    @PROPERTY
    @given(st.binary(max_size=40))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes of any kind have an index of 40 bits, none, or raise StructError."""
        try:
            index = leaf_index(data)
        except StructError:
            return
        self.assertTrue(index is None or 0 <= index < 2**40)
