"""Entries with fresh serial numbers, read back by the project's own readers and by others."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry, entry_of, read_entry
from certstream_tx.ct.structs import PRECERT_ENTRY, leaf_index, read_leaf
from certstream_tx.ct.tiles import read_data_tile
from certstream_tx.demo.entries import Entries
from certstream_tx.demo.samples import SERIAL_TAIL, samples
from tests.demo.certificates import tbs_without_poison

COUNT = 256
"""every sample more than six times, and a whole tile"""
SEED = b"any seed"
START = 1_700_000_000_000


def times(start: int, end: int) -> Iterator[int]:
    """An entry a millisecond."""
    return iter(range(START + start, START + end))


def plain(branch: int = 0, seed: bytes = SEED) -> Entries:
    return Entries(seed, branch, times, indexed=False)


def read_page(entries: Entries, start: int, end: int) -> list[Entry]:
    """A page of get-entries, as a client reads it."""
    return [
        read_entry(index, b64decode(item["leaf_input"]), b64decode(item["extra_data"]))
        for index, item in enumerate(json.loads(entries.page(start, end))["entries"], start)
    ]


def read_tile(entries: Entries) -> list[Entry]:
    """The first data tile, as a client reads it, with chains from the issuers it serves."""
    return [
        entry_of(leaf, index, tuple(entries.issuers[print_.hex()] for print_ in leaf.fingerprints))
        for index, leaf in enumerate(read_data_tile(entries.data_tile(0, COUNT), 0, COUNT))
    ]


class EntriesTests(SynchronousTestCase):
    """What the logs serve."""

    def test_readable(self) -> None:
        """Every entry of a page can be read, and has its place, its time and its chain."""
        for index, entry in enumerate(read_page(plain(), 0, COUNT)):
            sample = samples()[index % len(samples())]
            self.assertIsNone(entry.error)
            self.assertEqual((entry.index, entry.timestamp), (index, START + index))
            self.assertEqual(entry.entry_type == PRECERT_ENTRY, sample.is_precertificate)
            self.assertEqual(entry.chain, sample.chain)
            self.assertEqual(len(entry.submitted), len(sample.submitted))

    def test_page_is_plain_json(self) -> None:
        """The page put together from pieces is what a JSON writer makes of the same entries."""
        entries = plain()
        for start, end in ((0, 80), (79, 80), (COUNT, COUNT + 3)):
            expected = [
                {
                    "leaf_input": b64encode(entries.leaf_input(index)).decode(),
                    "extra_data": b64encode(entries.extra_data(index)).decode(),
                }
                for index in range(start, end)
            ]
            text = json.dumps({"entries": expected}, separators=(",", ":"))
            self.assertEqual(entries.page(start, end), text.encode())

    def test_only_the_serial_is_new(self) -> None:
        """An X.509 library reads each certificate: as it was, but for the serial number."""
        for entry in read_page(plain(), 0, COUNT):
            was = x509.load_der_x509_certificate(samples()[entry.index % len(samples())].submitted)
            now = x509.load_der_x509_certificate(entry.submitted)
            self.assertNotEqual(now.serial_number, was.serial_number)
            self.assertGreater(now.serial_number, 0)
            self.assertEqual(now.serial_number.bit_length(), was.serial_number.bit_length())
            self.assertEqual((now.subject, now.issuer), (was.subject, was.issuer))
            self.assertEqual(now.not_valid_after_utc, was.not_valid_after_utc)
            self.assertEqual(now.signature, was.signature)
            self.assertEqual(list(now.extensions), list(was.extensions))

    def test_no_two_alike(self) -> None:
        """Certificates and serials are all different, also between the two logs of one seed."""
        seen = [
            *(entry.submitted for entry in read_page(plain(0), 0, 5 * COUNT)),
            *(entry.submitted for entry in read_page(plain(1), 0, 5 * COUNT)),
        ]
        serials = {x509.load_der_x509_certificate(der).serial_number for der in seen}
        self.assertEqual(len(set(seen)), 10 * COUNT)
        self.assertEqual(len(serials), 10 * COUNT)
        tails = {serial % (1 << 8 * SERIAL_TAIL) for serial in serials}
        self.assertEqual(len(tails), 10 * COUNT)

    def test_another_start(self) -> None:
        """Another seed gives other certificates, the same seed the same ones."""
        first = {entry.submitted for entry in read_page(plain(), 0, COUNT)}
        again = {entry.submitted for entry in read_page(plain(), 0, COUNT)}
        other = {entry.submitted for entry in read_page(plain(seed=b"another"), 0, COUNT)}
        self.assertEqual(first, again)
        self.assertEqual(first & other, set())

    def test_precertificate_and_leaf(self) -> None:
        """The leaf of a precertificate holds it without its poison: the same new serial in both."""
        entries, seen = plain(), 0
        for entry in read_page(entries, 0, COUNT):
            if entry.entry_type == PRECERT_ENTRY:
                seen += 1
                logged = read_leaf(entries.leaf_input(entry.index)).certificate
                self.assertEqual(logged, tbs_without_poison(entry.submitted))
        self.assertGreater(seen, 60)

    def test_leaf_hashes(self) -> None:
        """The hashes given to the tree are those of the leaves that are served."""
        for entries in (plain(), Entries(SEED, 1, times, indexed=True)):
            expected = [
                sha256(b"\0" + entries.leaf_input(index)).digest() for index in range(COUNT)
            ]
            self.assertEqual(entries.leaf_hashes(0, COUNT), expected)
            self.assertEqual(entries.leaf_hashes(100, 130), expected[100:130])

    def test_data_tile(self) -> None:
        """A data tile holds the same kind of entries; every issuer in it is served."""
        entries = Entries(SEED, 1, times, indexed=True)
        found = read_tile(entries)
        self.assertEqual([entry.leaf_hash for entry in found], entries.leaf_hashes(0, COUNT))
        for index, entry in enumerate(found):
            self.assertIsNone(entry.error)
            sample = samples()[(index + len(samples()) // 2) % len(samples())]
            self.assertEqual(entry.chain, sample.chain)
            extensions = read_leaf(entries.leaf_input(index)).extensions
            self.assertEqual(leaf_index(extensions), index)
            x509.load_der_x509_certificate(entry.submitted)
            if entry.entry_type == PRECERT_ENTRY:
                logged = read_leaf(entries.leaf_input(index)).certificate
                self.assertEqual(logged, tbs_without_poison(entry.submitted))

    def test_issuers(self) -> None:
        """Issuers go by their fingerprints; roots are the last ones of the chains."""
        entries = plain()
        for fingerprint, der in entries.issuers.items():
            self.assertEqual(sha256(der).hexdigest(), fingerprint)
        self.assertEqual(set(entries.roots), {sample.chain[-1] for sample in samples()})
        self.assertEqual(len(set(entries.roots)), len(entries.roots))
