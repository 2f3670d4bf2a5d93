"""Tiles of static logs: a real one against its hashes, paths, and broken ones."""

from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import entry_of
from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    X509_ENTRY,
    StructError,
    TimestampedEntry,
    leaf_index,
    leaf_index_extension,
    write_leaf,
)
from certstream_tx.ct.tiles import (
    MAX_LEVEL,
    TileError,
    read_data_tile,
    read_hash_tile,
    tile_path,
    write_tile_leaf,
)
from tests.ct.samples import (
    FEW,
    PROPERTY,
    certificates,
    damaged,
    fixture,
    hashes,
    timestamped_entries,
)

DATA = fixture("static/navigli2025h2/tile/data/000")
HASHES = fixture("static/navigli2025h2/tile/0/000")
# The size of the first entry of the real tile, and so the start of the second.
FIRST_SIZE = 2715

Parts = tuple[TimestampedEntry, bytes | None, list[bytes]]


def parts() -> st.SearchStrategy[Parts]:
    """What a tile leaf is written from; no position is said."""
    return timestamped_entries(st.just(b"")).flatmap(
        lambda entry: st.tuples(
            st.just(entry),
            certificates() if entry.entry_type == PRECERT_ENTRY else st.none(),
            st.lists(hashes(), max_size=3),
        )
    )


def tile(leaves: Sequence[Parts]) -> bytes:
    """A data tile of these leaves."""
    return b"".join(write_tile_leaf(*leaf) for leaf in leaves)


def numbered(count: int, first: int = 0) -> list[Parts]:
    """Leaves that say their positions."""
    return [
        (
            TimestampedEntry(index, X509_ENTRY, None, b"certificate", leaf_index_extension(index)),
            None,
            [],
        )
        for index in range(first, first + count)
    ]


class PathTests(SynchronousTestCase):
    """Paths below the monitoring prefix."""

    def test_known_paths(self) -> None:
        """Three digits a group, all but the last with an x; partial tiles with their width."""
        for (level, n, width), path in {
            (0, 0, 256): "tile/0/000",
            (0, 999, 256): "tile/0/999",
            (0, 1000, 256): "tile/0/x001/000",
            (5, 1234067, 256): "tile/5/x001/x234/067",
            (0, 1234067, 17): "tile/0/x001/x234/067.p/17",
            (1, 0, 1): "tile/1/000.p/1",
            ("data", 1000000, 255): "tile/data/x001/x000/000.p/255",
        }.items():
            self.assertEqual(tile_path(level, n, width), path)  # type: ignore[arg-type]
        self.assertEqual(tile_path("data", 5), "tile/data/005")

    def test_no_such_tile(self) -> None:
        """Levels, numbers and widths that no tile has."""
        for level, n, width in (
            (-1, 0, 256),
            (MAX_LEVEL + 1, 0, 256),
            (0, -1, 256),
            (0, 0, 0),
            (0, 0, 257),
        ):
            self.assertRaises(TileError, tile_path, level, n, width)

    @PROPERTY
    @given(st.integers(0, 2**64))
    def test_paths_are_numbers(self, n: int) -> None:
        """The digits of a path are the number of the tile."""
        groups = tile_path(0, n).split("/")[2:]
        self.assertEqual(int("".join(groups).replace("x", "")), n)
        self.assertTrue(all(len(group) == 4 and group[0] == "x" for group in groups[:-1]))
        self.assertEqual(len(groups[-1]), 3)


class RealTileTests(SynchronousTestCase):
    """A full data tile of a staging log and the hash tile it must agree with."""

    def test_agrees_with_its_hash_tile(self) -> None:
        """256 entries, each with the hash the log published for it."""
        leaves = read_data_tile(DATA, 0, 256)
        self.assertEqual([leaf.leaf_hash for leaf in leaves], read_hash_tile(HASHES, 256))

    def test_entries(self) -> None:
        """The entries are precertificates that say their positions and name two issuers."""
        leaves = read_data_tile(DATA, 0, 256)
        for index, leaf in enumerate(leaves):
            self.assertEqual(leaf_index(leaf.entry.extensions), index)
            self.assertEqual(leaf_hash(write_leaf(leaf.entry)), leaf.leaf_hash)
            self.assertEqual(leaf.entry.entry_type, PRECERT_ENTRY)
            self.assertIsNotNone(leaf.precertificate)
        first = leaves[0]
        self.assertEqual(first.entry.timestamp, 0x19697235BFD)
        self.assertEqual((first.entry.issuer_key_hash or b"")[:4].hex(), "b3e49ac8")
        self.assertEqual(len(first.entry.certificate), 1145)
        self.assertEqual(len(first.precertificate or b""), 1446)
        self.assertEqual(len(first.fingerprints), 2)
        self.assertEqual(leaves[255].entry.extensions.hex(), "00000500000000ff")

    def test_written_as_it_was(self) -> None:
        """What was read, written again, is the same bytes."""
        again = [
            write_tile_leaf(leaf.entry, leaf.precertificate, leaf.fingerprints)
            for leaf in read_data_tile(DATA, 0, 256)
        ]
        self.assertEqual(len(again[0]), FIRST_SIZE)
        self.assertEqual(b"".join(again), DATA)

    def test_every_truncation_is_refused(self) -> None:
        """A tile that ends anywhere in its first two entries does not hold two; nor the last."""
        second_end = FIRST_SIZE + len(
            write_tile_leaf(*read_data_tile(DATA, 0, 256)[1][:3])  # entry, precertificate, chain
        )
        read_data_tile(DATA[:second_end], 0, 2)
        for end in range(second_end):
            self.assertRaises(TileError, read_data_tile, DATA[:end], 0, 2)
        self.assertRaises(TileError, read_data_tile, DATA[:-1], 0, 256)

    def test_wrong_width_or_place(self) -> None:
        """The tile of another width, or read as another tile, is refused."""
        self.assertRaises(TileError, read_data_tile, b"", 0, 0)
        self.assertRaises(TileError, read_data_tile, tile(numbered(257)), 0, 257)
        for width in (0, -1, 255, 257, 300):
            self.assertRaises(TileError, read_data_tile, DATA, 0, width)
        failure = self.assertRaises(TileError, read_data_tile, DATA, 256, 256)
        self.assertIn("256", str(failure))

    def test_trailing_bytes_are_refused(self) -> None:
        """Nothing may follow the last entry."""
        self.assertRaises(TileError, read_data_tile, DATA + b"\x00", 0, 256)


class DataTileTests(SynchronousTestCase):
    """The data tile reader and writer."""

    @PROPERTY
    @given(st.lists(parts(), min_size=1, max_size=5), st.integers(0, 2**40))
    def test_read_undoes_write(self, leaves: list[Parts], first: int) -> None:
        """What is written is read as it was; each hash is that of the leaf."""
        read = read_data_tile(tile(leaves), first, len(leaves))
        self.assertEqual(
            [(leaf.entry, leaf.precertificate, list(leaf.fingerprints)) for leaf in read], leaves
        )
        self.assertEqual(
            [leaf.leaf_hash for leaf in read],
            [sha256(b"\x00" + write_leaf(entry)).digest() for entry, _, _ in leaves],
        )

    @FEW
    @given(st.lists(parts(), min_size=1, max_size=3))
    def test_every_truncation_is_refused(self, leaves: list[Parts]) -> None:
        """A tile that ends anywhere before its end is none."""
        data = tile(leaves)
        for end in range(len(data)):
            self.assertRaises(TileError, read_data_tile, data[:end], 0, len(leaves))

    @PROPERTY
    @given(
        st.one_of(st.binary(max_size=120), damaged(DATA[:FIRST_SIZE]), damaged(tile(numbered(2)))),
        st.integers(0, 3),
    )
    def test_any_bytes(self, data: bytes, width: int) -> None:
        """Bytes of any kind are a tile that is written as it was, or raise TileError."""
        try:
            leaves = read_data_tile(data, 0, width)
        except TileError:
            return
        self.assertEqual(len(leaves), width)
        self.assertEqual(tile([(each[0], each[1], list(each[2])) for each in leaves]), data)

    def test_position_must_be_its_own(self) -> None:
        """A tile most of whose entries say another position is that of another place; what single
        ones say is told with them, and one that says none is fine."""
        leaves = numbered(3, first=512)
        read_data_tile(tile(leaves), 512, 3)
        self.assertRaises(TileError, read_data_tile, tile(leaves), 511, 3)
        self.assertRaises(
            TileError, read_data_tile, tile([leaves[0], leaves[0], leaves[1]]), 512, 3
        )
        for place, other in ((0, 1), (1, 0), (2, 1)):
            moved = leaves.copy()
            moved[place] = leaves[other]
            read = read_data_tile(tile(moved), 512, 3)
            errors = [entry_of(leaf, index, ()).error for index, leaf in enumerate(read, 512)]
            expected: list[str | None] = [None, None, None]
            expected[place] = f"it says that it is entry {512 + other}"
            self.assertEqual(errors, expected)
        silent: list[Parts] = [(entry._replace(extensions=b""), a, b) for entry, a, b in leaves]
        self.assertEqual(len(read_data_tile(tile(silent), 511, 3)), 3)

    def test_malformed_extensions(self) -> None:
        """Extensions that are no list of extensions are told with their entry; the others stay."""
        ((entry, _, _),) = numbered(1)
        bad = tile([(entry._replace(extensions=b"\x00\x00"), None, [])])
        (leaf,) = read_data_tile(bad, 0, 1)
        read = entry_of(leaf, 0, ())
        self.assertIn("extensions cannot be read", read.error or "")
        self.assertEqual((read.submitted, read.proven), (entry.certificate, entry.certificate))

    def test_fingerprints_of_half_a_hash(self) -> None:
        """The fingerprints are whole hashes."""
        ((entry, _, _),) = numbered(1)
        start = write_tile_leaf(entry, None, [])[:-2]
        good = start + b"\x00\x20" + bytes(32)
        self.assertEqual(read_data_tile(good, 0, 1)[0].fingerprints, (bytes(32),))
        for wrong, reason in (
            (b"\x00\x1f" + bytes(31), "31 bytes"),
            (b"\x00\x40" + bytes(32), "cut short"),
        ):
            failure = self.assertRaises(TileError, read_data_tile, start + wrong, 0, 1)
            self.assertIn(reason, str(failure))

    def test_unknown_entry_type(self) -> None:
        """What comes after an entry of unknown type cannot be located: the tile is refused."""
        data = bytearray(tile(numbered(2)))
        data[9] = 7
        failure = self.assertRaises(TileError, read_data_tile, bytes(data), 0, 2)
        self.assertIn("unknown entry type 7", str(failure))

    def test_does_not_write_what_does_not_fit(self) -> None:
        """Parts that do not belong together, or fingerprints that are none or too many."""
        final = TimestampedEntry(1, X509_ENTRY, None, b"certificate")
        pre = TimestampedEntry(1, PRECERT_ENTRY, bytes(32), b"tbs")
        for entry, precertificate, fingerprints in (
            (final, b"precertificate", []),
            (pre, None, []),
            (final, None, [bytes(31)]),
            (final, None, [bytes(32)] * 2048),
        ):
            self.assertRaises(TileError, write_tile_leaf, entry, precertificate, fingerprints)
        self.assertRaises(StructError, write_tile_leaf, pre, b"", [])
        longest = write_tile_leaf(final, None, [bytes(32)] * 2047)
        self.assertEqual(len(read_data_tile(longest, 0, 1)[0].fingerprints), 2047)


class HashTileTests(SynchronousTestCase):
    """The hash tile reader."""

    @PROPERTY
    @given(st.binary(max_size=200), st.integers(-1, 8))
    def test_any_bytes(self, data: bytes, width: int) -> None:
        """Only the size matters: 32 bytes times a width from 1 to 256."""
        if len(data) == width * 32 and width > 0:
            self.assertEqual(b"".join(read_hash_tile(data, width)), data)
        else:
            self.assertRaises(TileError, read_hash_tile, data, width)

    def test_sizes(self) -> None:
        """A full tile has 8192 bytes; empty and wider ones do not exist."""
        self.assertEqual(len(read_hash_tile(bytes(8192), 256)), 256)
        self.assertEqual(read_hash_tile(bytes(32), 1), [bytes(32)])
        for size, width in ((8191, 256), (8193, 256), (0, 0), (8224, 257)):
            self.assertRaises(TileError, read_hash_tile, bytes(size), width)
