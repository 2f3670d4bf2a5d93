"""What came with an entry, held against the leaf: real ones pass, every change is noticed."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct import chain as chain_module
from certstream_tx.ct.chain import issuer_of, lead_of, read_issuer, same_name
from certstream_tx.ct.der import DerError
from certstream_tx.ct.entry import entry_of, read_entry
from certstream_tx.ct.precertificate import POISON, _is_by_parts, _is_plainly, is_of
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    X509_ENTRY,
    TimestampedEntry,
    leaf_index_extension,
    read_extra_data,
    read_leaf,
    write_extra_data,
    write_leaf,
)
from certstream_tx.ct.submission import (
    NO_LEAD,
    OTHER_KEY,
    OTHER_PRECERTIFICATE,
    held_certificate,
    held_precertificate,
)
from certstream_tx.ct.tiles import TileLeaf, read_data_tile
from tests.ct.issued import Logged, authority, der, key, logged, named, precertificate_signer
from tests.ct.issued import certificate as issue
from tests.ct.samples import PROPERTY, fixture, page_entries
from tests.golden.certificate_writer import attribute, common_name, name, signed, tbs_certificate

ISSUER = authority(1, "Issuer")
OTHER = authority(2, "Other issuer")
SIGNER = precertificate_signer(3, "Signer", ISSUER)
USUAL = logged("a.example.test", ISSUER)
BY_SIGNER = logged("b.example.test", ISSUER, SIGNER)


def real() -> list[tuple[TimestampedEntry, bytes | None, tuple[bytes, ...]]]:
    """The real entries: leaf, submitted precertificate, chain."""
    entries = []
    for record in page_entries():
        leaf = read_leaf(record.leaf_input)
        entries.append((leaf, *read_extra_data(leaf.entry_type, record.extra_data)))
    tile = read_data_tile(fixture("static/navigli2025h2/tile/data/000"), 0, 256)
    return entries + [(leaf.entry, leaf.precertificate, ()) for leaf in tile]


REAL = real()
PRECERTIFICATES = [(pre, leaf) for leaf, pre, _ in REAL if pre is not None]


def hold(what: Logged, chain: tuple[bytes, ...] | None = None) -> tuple[str | None, bool, int]:
    """Hold a precertificate against its leaf."""
    chain = what.chain if chain is None else chain
    return held_precertificate(what.precertificate, what.tbs, what.key_hash, chain)


class PrecertificateTests(SynchronousTestCase):
    """The precertificate and its TBSCertificate."""

    def test_real_ones(self) -> None:
        """All 270 are what they should be, by either way of finding out."""
        self.assertEqual(len(PRECERTIFICATES), 270)
        for pre, leaf in PRECERTIFICATES:
            self.assertTrue(_is_plainly(pre, leaf.certificate))
            self.assertTrue(_is_by_parts(pre, leaf.certificate, None))

    @PROPERTY
    @given(st.integers(0, len(PRECERTIFICATES) - 1), st.integers(0, 1 << 30), st.integers(1, 255))
    def test_every_changed_byte(self, which: int, place: int, change: int) -> None:
        """A byte changed anywhere in the TBSCertificate, or in that of the submitted one, is
        noticed, but for what only the poison says of itself."""
        pre, leaf = PRECERTIFICATES[which]
        tbs = bytearray(leaf.certificate)
        tbs[place % len(tbs)] ^= change
        self.assertFalse(is_of(pre, bytes(tbs)))
        changed = bytearray(pre)
        # The length of the outermost SEQUENCE belongs to the signature, too.
        at = 4 + place % (len(leaf.certificate) + len(POISON))
        changed[at] ^= change
        if pre.find(POISON) + 14 <= at < pre.find(POISON) + len(POISON):
            return
        try:
            same = is_of(bytes(changed), leaf.certificate)
        except DerError:
            same = False
        self.assertFalse(same, at)

    def test_anywhere_else(self) -> None:
        """The poison may stand anywhere, and the lengths may have any form."""
        first = logged("c.example.test", ISSUER, poison_first=True)
        self.assertTrue(is_of(first.precertificate, first.tbs))
        pre, leaf = PRECERTIFICATES[0]
        poison = pre.find(POISON)
        begin = pre.rfind(b"\xa3\x82", 0, poison) + 8
        moved = pre[:begin] + POISON + pre[begin:poison] + pre[poison + len(POISON) :]
        tbs = leaf.certificate
        self.assertTrue(_is_plainly(moved, tbs) and _is_by_parts(moved, tbs, None))
        for place in range(len(tbs)):
            changed = tbs[:place] + bytes((tbs[place] ^ 1,)) + tbs[place + 1 :]
            self.assertFalse(_is_plainly(moved, changed), place)
        # Extensions of less than 128 bytes: their lengths have one octet with and without poison.
        both = [POISON, b"\x30\x07\x06\x03\x55\x1d\x0f\x04\x00"]
        short = signed(tbs_certificate(subject=common_name("x"), extensions=both))
        leaf = tbs_certificate(subject=common_name("x"), extensions=both[1:])
        self.assertFalse(_is_plainly(short, leaf))
        self.assertTrue(is_of(short, leaf))

    def test_poison_is_needed_once(self) -> None:
        """A final certificate, or one with two poisons, is no precertificate."""
        names = [b"\x30\x07\x06\x03\x55\x1d\x0f\x04\x00"]
        leaf = tbs_certificate(subject=common_name("x"), extensions=names)
        for poisons in ([], [POISON, POISON]):
            made = signed(tbs_certificate(subject=common_name("x"), extensions=[*names, *poisons]))
            self.assertFalse(is_of(made, leaf))

    def test_signing_certificates(self) -> None:
        """Issuer and key identifier may be those of the signer, when there is one, and no other."""
        self.assertFalse(is_of(BY_SIGNER.precertificate, BY_SIGNER.tbs))
        self.assertTrue(is_of(BY_SIGNER.precertificate, BY_SIGNER.tbs, SIGNER.der))
        self.assertFalse(is_of(BY_SIGNER.precertificate, BY_SIGNER.tbs, OTHER.der))
        self.assertTrue(is_of(USUAL.precertificate, USUAL.tbs, SIGNER.der))
        self.assertFalse(is_of(BY_SIGNER.precertificate, USUAL.tbs, SIGNER.der))

    def test_unreadable(self) -> None:
        """What is no precertificate at all is told from one that differs."""
        for bad in (
            b"",
            b"\x30",
            b"\x30\x03not",
            b"\x30\x82\x00\x04\x30\x82\xff\xff",
            USUAL.tbs[:9],
        ):
            self.assertRaises(DerError, is_of, bad, USUAL.tbs)
        for bad in (b"", b"\x30\x82", USUAL.tbs[:-1], USUAL.tbs + b"\x00"):
            self.assertFalse(is_of(USUAL.precertificate, bad))

    @PROPERTY
    @given(st.binary(max_size=60), st.binary(max_size=60))
    def test_any_bytes(self, pre: bytes, tbs: bytes) -> None:
        """Bytes of any kind are refused, with no error but DerError."""
        for head in (b"", b"\x30\x82\x00\x30\x30\x82\x00\x20"):
            with contextlib.suppress(DerError):
                self.assertFalse(is_of(head + pre, tbs))


class ChainTests(SynchronousTestCase):
    """The chain of an entry."""

    def setUp(self) -> None:
        chain_module._leads.clear()

    def test_real_ones(self) -> None:
        """Every real chain leads on from its certificate."""
        checked = 0
        for leaf, pre, chain in REAL[:40]:
            if pre is None:
                held = held_certificate(leaf.certificate, chain)
            else:
                held = held_precertificate(pre, leaf.certificate, leaf.issuer_key_hash, chain)
            self.assertEqual(held, (None, True, len(chain)))
            checked += len(chain)
        self.assertGreater(checked, 80)

    def test_other_chain(self) -> None:
        """The chain of another certificate is told, and none of it passed on; longer and longer
        ones as far as they lead."""
        leaf, _, chain = next(each for each in REAL if each[1] is None and len(each[2]) > 1)
        other = next(c for _, p, c in REAL if p is None and c and c[0] != chain[0])
        for wrong, count in (
            (other, 0),
            (chain[1:], 0),
            ((*chain[:1], *other), 1),
            ((*chain, OTHER.der), len(chain)),
            ((chain[0], chain[0], *chain[1:]), 1),
        ):
            self.assertEqual(held_certificate(leaf.certificate, wrong), (NO_LEAD, True, count))
            # Once more, from memory.
            self.assertEqual(held_certificate(leaf.certificate, wrong), (NO_LEAD, True, count))
        self.assertEqual(held_certificate(leaf.certificate, chain), (None, True, len(chain)))
        self.assertEqual(held_certificate(leaf.certificate, ()), (None, True, 0))

    def test_unreadable_member(self) -> None:
        """What cannot be read leads nowhere and contradicts nothing: it is shown as what it is."""
        leaf, _, chain = next(each for each in REAL if each[1] is None and len(each[2]) > 1)
        for broken in ((b"garbage", *chain), (chain[0], b"garbage", OTHER.der)):
            held = held_certificate(leaf.certificate, broken)
            self.assertEqual(held, (None, True, len(broken)))
        self.assertEqual(held_certificate(b"garbage", chain), (None, True, len(chain)))

    def test_issuer_key(self) -> None:
        """A precertificate's chain leads to the key that was logged, or is not passed on."""
        self.assertEqual(hold(USUAL), (None, True, 1))
        self.assertEqual(hold(USUAL, ()), (None, True, 0))
        self.assertEqual(hold(USUAL, (OTHER.der, ISSUER.der)), (OTHER_KEY, True, 0))
        self.assertEqual(hold(USUAL, (b"garbage",)), (OTHER_KEY, True, 0))
        self.assertEqual(hold(USUAL, (ISSUER.der, OTHER.der)), (NO_LEAD, True, 1))
        same_name_other_key = authority(7, "Issuer")
        self.assertEqual(hold(USUAL, (same_name_other_key.der,)), (OTHER_KEY, True, 0))

    def test_signing_certificate(self) -> None:
        """A Precertificate Signing Certificate leads to the key by the one who issued it."""
        self.assertEqual(hold(BY_SIGNER), (None, True, 2))
        # Not without its own issuer, nor for one that it did not sign, nor without its purpose.
        self.assertEqual(hold(BY_SIGNER, (SIGNER.der,))[0], OTHER_KEY)
        of_other = precertificate_signer(4, "Signer", OTHER)
        self.assertEqual(hold(BY_SIGNER, (of_other.der, ISSUER.der))[0], OTHER_PRECERTIFICATE)
        self.assertEqual(hold(BY_SIGNER, (of_other.der, OTHER.der))[0], OTHER_PRECERTIFICATE)
        plain = der(issue(named("Signer"), key(3), ISSUER.name, ISSUER.key))
        error, readable, count = hold(BY_SIGNER, (plain, ISSUER.der))
        self.assertEqual((error, readable, count), (OTHER_PRECERTIFICATE, True, 0))
        other_name = precertificate_signer(3, "Another signer", ISSUER)
        self.assertEqual(hold(BY_SIGNER, (other_name.der, ISSUER.der))[2], 0)

    def test_other_precertificate(self) -> None:
        """That is said before anything else."""
        mixed = Logged(BY_SIGNER.precertificate, USUAL.tbs, USUAL.key_hash, (OTHER.der,))
        self.assertEqual(hold(mixed), (OTHER_PRECERTIFICATE, True, 0))
        garbage = Logged(b"\x30\x03not", USUAL.tbs, USUAL.key_hash, USUAL.chain)
        error, readable, count = hold(garbage)
        self.assertIn("cannot be read", error or "")
        self.assertEqual((readable, count), (False, 1))

    def test_names_in_other_encodings(self) -> None:
        """String types, case and spaces make no other name (RFC 5280 7.1); all else does."""
        one = name(attribute("O", "Some  Trust"), attribute("CN", "CA 1"))
        for tag, organisation in ((0x13, "some trust"), (0x0C, " Some Trust ")):
            alike = name(attribute("O", organisation, tag), attribute("CN", "CA 1", tag))
            self.assertTrue(same_name(one, alike))
        for other in (
            name(attribute("O", "Some Trust"), attribute("CN", "CA 2")),
            name(attribute("O", "Some Trust")),
            name(attribute("CN", "CA 1"), attribute("O", "Some  Trust")),
            b"",
            b"\x30\x03not",
        ):
            self.assertFalse(same_name(one, other))

    def test_issuer_of(self) -> None:
        """The issuer's name is found, or the certificate is no certificate."""
        for leaf, pre, _ in REAL[:40]:
            certificate = leaf.certificate if pre is None else pre
            self.assertEqual(issuer_of(certificate), read_issuer(certificate).issuer)
        for bad in (b"", b"\x30", b"\x30\x82\x01\x00\x30\x82", b"\x02\x01\x05", b"\x30\x00"):
            self.assertRaises(DerError, issuer_of, bad)

    @PROPERTY
    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes of any kind raise DerError and nothing else, or give bytes of their own."""
        for reader in (issuer_of, read_issuer):
            with contextlib.suppress(DerError):
                reader(data)
        held_certificate(data, (data, data))
        held_precertificate(data, data, bytes(32), (data,))

    def test_memory_is_bounded(self) -> None:
        """However many chains come, few are remembered, and no giants."""
        self.patch(chain_module, "MAX_REMEMBERED", 4)
        for number in range(1, 30):
            lead_of((authority(number, f"CA {number}").der,))
            self.assertLessEqual(len(chain_module._leads), 4)
        self.patch(chain_module, "MAX_BYTES", 10)
        chain_module._leads.clear()
        lead_of((ISSUER.der,))
        self.assertEqual(chain_module._leads, {})


class EntryTests(SynchronousTestCase):
    """What becomes of it in an entry."""

    def entry(self, submitted: Logged, precertificate: bytes, chain: tuple[bytes, ...]):  # type: ignore[no-untyped-def]
        """An entry of a page, and the same of a tile: all but the index they have in common."""
        leaf = TimestampedEntry(5, PRECERT_ENTRY, submitted.key_hash, submitted.tbs)
        leaf_input = write_leaf(leaf)
        read = read_entry(3, leaf_input, write_extra_data(precertificate, chain))
        tile_leaf = TileLeaf(leaf, precertificate, (), read.leaf_hash)
        self.assertEqual(entry_of(tile_leaf, 3, chain), read)
        return read, leaf_input

    def test_genuine(self) -> None:
        """Nothing is said of what is in order."""
        for each in (USUAL, BY_SIGNER):
            read, _ = self.entry(each, each.precertificate, each.chain)
            self.assertEqual((read.error, read.proven), (None, None))
            self.assertEqual((read.submitted, read.chain), (each.precertificate, each.chain))

    def test_other_precertificate(self) -> None:
        """What was submitted is nowhere in the entry, what the tree covers is."""
        read, leaf_input = self.entry(USUAL, BY_SIGNER.precertificate, USUAL.chain)
        self.assertEqual((read.error, read.submitted), (OTHER_PRECERTIFICATE, leaf_input))
        self.assertEqual(read.chain, USUAL.chain)
        assert read.proven is not None
        self.assertTrue(read.proven.endswith(USUAL.tbs))
        self.assertEqual(read.proven[:1], b"\x30")
        self.assertNotIn(b"b.example.test", read.proven + read.submitted)

    def test_other_chain(self) -> None:
        """The precertificate stays, the chain does not."""
        read, _ = self.entry(USUAL, USUAL.precertificate, (OTHER.der,))
        self.assertEqual((read.error, read.chain), (OTHER_KEY, ()))
        self.assertEqual((read.submitted, read.proven), (USUAL.precertificate,) * 2)

    def test_unreadable_precertificate(self) -> None:
        """One that cannot be read is an entry that cannot be read."""
        read, _ = self.entry(USUAL, b"\x30\x03not", USUAL.chain)
        self.assertIn("cannot be read", read.error)
        self.assertEqual((read.submitted, read.proven), (b"\x30\x03not", None))

    def test_wrong_chain_of_a_certificate(self) -> None:
        """The tree covers a certificate: it is proven, whatever came with it."""
        issued = der(issue(named("x"), key(9), ISSUER.name, ISSUER.key))
        leaf_input = write_leaf(TimestampedEntry(5, X509_ENTRY, None, issued))
        read = read_entry(3, leaf_input, write_extra_data(None, [OTHER.der]))
        self.assertEqual((read.error, read.chain), (NO_LEAD, ()))
        self.assertEqual((read.submitted, read.proven), (issued, issued))

    def test_position(self) -> None:
        """An entry that says another position than its own is told, on pages too."""
        issued = der(issue(named("x"), key(9), ISSUER.name, ISSUER.key))
        for said, error in (
            (leaf_index_extension(3), None),
            (b"", None),
            (b"\x07\x00\x01x" + leaf_index_extension(3), None),
            (b"\x07\x00\x01x", None),
            (leaf_index_extension(4), "it says that it is entry 4"),
            (b"\x00\x00", "its extensions cannot be read: an extension is cut short"),
        ):
            leaf_input = write_leaf(TimestampedEntry(5, X509_ENTRY, None, issued, said))
            read = read_entry(3, leaf_input, write_extra_data(None, [ISSUER.der]))
            self.assertEqual((read.error, read.chain), (error, (ISSUER.der,)))
            self.assertEqual(read.submitted, issued)
            self.assertEqual(read.proven, None if error is None else issued)
