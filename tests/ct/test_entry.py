"""Entries of both kinds of logs: real ones, and ones that are broken in each of their parts."""

from hashlib import sha256

from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import UNREADABLE_ENTRY, Entry, entry_of, read_entry, update_type
from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    X509_ENTRY,
    TimestampedEntry,
    write_certificate,
    write_extra_data,
    write_leaf,
)
from certstream_tx.ct.tiles import TileLeaf, read_data_tile
from tests.ct.samples import PROPERTY, damaged, fixture, page_entries, page_entry

CERTIFICATE = page_entry(1111014091)
PRECERTIFICATE = page_entry(1111014090)
POISON = "1.3.6.1.4.1.11129.2.4.3"


class RealEntryTests(SynchronousTestCase):
    """Entries as logs serve them."""

    def test_page(self) -> None:
        """All 40: nothing is wrong, and what was submitted is a certificate of the right type."""
        types = []
        for record in page_entries():
            entry = read_entry(*record)
            self.assertIsNone(entry.error)
            self.assertEqual(entry.index, record.position)
            self.assertEqual(entry.leaf_hash, leaf_hash(record.leaf_input))
            oids = {
                extension.oid.dotted_string
                for extension in load_der_x509_certificate(entry.submitted).extensions
            }
            self.assertEqual(POISON in oids, entry.entry_type == PRECERT_ENTRY)
            self.assertTrue(entry.chain)
            types.append(update_type(entry.entry_type))
        self.assertEqual(types.count("X509LogEntry"), 26)
        self.assertEqual(types.count("PrecertLogEntry"), 14)

    def test_chain_begins_with_the_issuer(self) -> None:
        """The first certificate of the chain is the one that issued what was submitted."""
        for record in page_entries():
            entry = read_entry(*record)
            submitted = load_der_x509_certificate(entry.submitted)
            self.assertEqual(load_der_x509_certificate(entry.chain[0]).subject, submitted.issuer)

    def test_tile(self) -> None:
        """An entry of a data tile is the same kind of entry, with the chain it is given."""
        leaf = read_data_tile(fixture("static/navigli2025h2/tile/data/000"), 0, 256)[7]
        entry = entry_of(leaf, 7, ())
        self.assertEqual(
            entry,
            Entry(
                index=7,
                timestamp=leaf.entry.timestamp,
                entry_type=PRECERT_ENTRY,
                submitted=leaf.precertificate or b"",
                chain=(),
                leaf_hash=leaf.leaf_hash,
                error=None,
            ),
        )
        self.assertEqual(load_der_x509_certificate(entry.submitted).version.name, "v3")

    def test_tile_certificate(self) -> None:
        """Of a final certificate, the certificate in the leaf is what was submitted."""
        leaf = TileLeaf(TimestampedEntry(5, X509_ENTRY, None, b"final"), None, (), bytes(32))
        self.assertEqual(
            entry_of(leaf, 3, ()), Entry(3, 5, X509_ENTRY, b"final", (), bytes(32), None)
        )


class BrokenEntryTests(SynchronousTestCase):
    """An entry that is broken is an entry all the same."""

    def test_broken_chain_of_a_certificate(self) -> None:
        """A final certificate does not need its extra_data: it is there, only its chain is not."""
        whole = read_entry(*CERTIFICATE)
        for extra_data in (
            b"",
            b"\x00",
            CERTIFICATE.extra_data[:-1],
            CERTIFICATE.extra_data + b"x",
        ):
            entry = read_entry(CERTIFICATE.position, CERTIFICATE.leaf_input, extra_data)
            self.assertIsNone(entry.error)
            self.assertEqual(entry.submitted, whole.submitted)
            self.assertEqual(entry.leaf_hash, whole.leaf_hash)
            self.assertEqual(entry.chain, ())

    def test_broken_chain_of_a_precertificate(self) -> None:
        """A precertificate that can be read is passed on though the chain behind it is broken."""
        whole = read_entry(*PRECERTIFICATE)
        alone = write_certificate(whole.submitted)
        for extra_data in (alone, alone + b"\x00\x00", PRECERTIFICATE.extra_data[:-1]):
            entry = read_entry(PRECERTIFICATE.position, PRECERTIFICATE.leaf_input, extra_data)
            self.assertIsNone(entry.error)
            self.assertEqual(entry.submitted, whole.submitted)
            self.assertEqual(entry.chain, ())

    def test_no_precertificate(self) -> None:
        """Without its precertificate the entry says so, and keeps the leaf, time and hash."""
        index, leaf_input, extra_data = PRECERTIFICATE
        for broken in (b"", b"\x00\x00\x00", extra_data[:1000], b"\xff" * 10):
            entry = read_entry(index, leaf_input, broken)
            self.assertIn("precertificate", entry.error or "")
            self.assertEqual(entry.entry_type, PRECERT_ENTRY)
            self.assertEqual(entry.timestamp, 1779302893443)
            self.assertEqual(entry.submitted, leaf_input)
            self.assertEqual(entry.chain, ())
            self.assertEqual(entry.leaf_hash, leaf_hash(leaf_input))

    def test_unknown_entry_type(self) -> None:
        """An entry of a type to come keeps its type, time and bytes."""
        leaf_input = CERTIFICATE.leaf_input[:10] + b"\x00\x07" + CERTIFICATE.leaf_input[12:]
        entry = read_entry(5, leaf_input, CERTIFICATE.extra_data)
        self.assertEqual(entry.error, "unknown entry type 7")
        self.assertEqual(entry.entry_type, 7)
        self.assertEqual(entry.timestamp, 1779302893636)
        self.assertEqual(entry.submitted, leaf_input)
        self.assertEqual(entry.leaf_hash, leaf_hash(leaf_input))
        self.assertEqual(update_type(entry.entry_type), "X509LogEntry")

    def test_unreadable_leaf(self) -> None:
        """A leaf that ends early, or begins wrongly, is kept as it came."""
        for leaf_input in (b"", b"\x00", b"\x01" + CERTIFICATE.leaf_input[1:], bytes(11)):
            entry = read_entry(5, leaf_input, b"")
            self.assertEqual(
                entry,
                Entry(
                    5,
                    0,
                    UNREADABLE_ENTRY,
                    leaf_input,
                    (),
                    sha256(b"\x00" + leaf_input).digest(),
                    entry.error,
                ),
            )
            self.assertTrue(entry.error)
        self.assertEqual(update_type(UNREADABLE_ENTRY), "X509LogEntry")

    def test_cut_leaf_keeps_what_is_there(self) -> None:
        """Time and type of a leaf whose certificate is cut are still told."""
        entry = read_entry(5, PRECERTIFICATE.leaf_input[:100], PRECERTIFICATE.extra_data)
        self.assertEqual(entry.entry_type, PRECERT_ENTRY)
        self.assertEqual(entry.timestamp, 1779302893443)
        self.assertEqual(entry.submitted, PRECERTIFICATE.leaf_input[:100])

    def test_head_without_certificate(self) -> None:
        """Twelve bytes are enough for time and type, all bits of them, and eleven are not."""
        head = bytes.fromhex("0000" + "8102030405060708" + "8a0b")
        entry = read_entry(5, head, b"")
        self.assertEqual((entry.timestamp, entry.entry_type), (0x8102030405060708, 0x8A0B))
        entry = read_entry(5, head[:-1], b"")
        self.assertEqual((entry.timestamp, entry.entry_type), (0, UNREADABLE_ENTRY))

    def test_certificate_of_any_bytes(self) -> None:
        """What is inside the certificate is not looked at here."""
        leaf = write_leaf(TimestampedEntry(9, X509_ENTRY, None, b"not DER"))
        entry = read_entry(0, leaf, write_extra_data(None, [b"nor this"]))
        self.assertEqual(
            entry, Entry(0, 9, X509_ENTRY, b"not DER", (b"nor this",), leaf_hash(leaf), None)
        )

    @PROPERTY
    @given(
        st.one_of(
            st.binary(max_size=80),
            damaged(CERTIFICATE.leaf_input),
            damaged(PRECERTIFICATE.leaf_input),
            st.just(PRECERTIFICATE.leaf_input),
        ),
        st.one_of(st.binary(max_size=80), damaged(PRECERTIFICATE.extra_data)),
    )
    def test_any_bytes(self, leaf_input: bytes, extra_data: bytes) -> None:
        """Nothing raises; the hash is that of the bytes; something was always submitted."""
        entry = read_entry(3, leaf_input, extra_data)
        self.assertEqual(entry.leaf_hash, leaf_hash(leaf_input))
        self.assertTrue(entry.submitted in leaf_input or entry.submitted in extra_data)
        self.assertTrue(all(certificate in extra_data for certificate in entry.chain))
        if entry.error is None:
            self.assertIsNone(entry.proven)
