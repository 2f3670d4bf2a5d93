"""Tests of :mod:`certstream_tx.ingest.lists.list_cache`: the newest good list on disk."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import MAX_LIST_BYTES
from certstream_tx.ingest.lists.list_cache import MAX_PAIRS, ListCache

URL = "https://lists.example/log_list.json"


class ListCacheTests(SynchronousTestCase):
    """In a real folder."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "log_lists"
        self.cache = ListCache(str(self.folder), URL)

    def loaded(self) -> list[tuple[bytes, bytes]]:
        return [(pair.data, pair.signature) for pair in self.cache.load()]

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_nothing_there(self) -> None:
        """No folder is no list, and is not made by looking."""
        self.assertEqual(self.loaded(), [])
        self.assertFalse(self.folder.exists())

    def test_store_and_load(self) -> None:
        """The folder is made when it is needed; another process finds the pair."""
        self.cache.store(b"list", b"signature", 1e9)
        self.assertEqual(self.loaded(), [(b"list", b"signature")])
        again = ListCache(str(self.folder), URL).load()
        self.assertEqual(again[0].data, b"list")
        self.assertTrue(again[0].origin.endswith("-001000000000.json"), again[0].origin)

    def test_new_replaces_old(self) -> None:
        """One pair is left, also after an older one was stored."""
        self.cache.store(b"1", b"a", 1e9)
        self.cache.store(b"2", b"b", 2e9)
        self.assertEqual((self.loaded(), len(self.names())), ([(b"2", b"b")], 2))
        self.cache.store(b"0", b"c", 5e8)
        self.assertEqual((self.loaded(), len(self.names())), ([(b"0", b"c")], 2))

    def test_the_old_pair_is_there_until_the_new_one_is_whole(self) -> None:
        """Whichever write fails, something good is left."""
        self.cache.store(b"1", b"a", 1e9)
        # A folder where the new signature should be: its rename fails, as on a full disk.
        (self.folder / self.names()[0].replace("001000000000.json", "002000000000.sig")).mkdir()
        with self.assertRaises(OSError):
            self.cache.store(b"2", b"b", 2e9)
        self.assertIn((b"1", b"a"), [(p[0], p[1]) for p in self._readable()])

    def _readable(self) -> list[tuple[bytes, bytes]]:
        for path in self.folder.iterdir():
            if path.is_dir():
                path.rmdir()
        return self.loaded()

    def test_half_a_pair(self) -> None:
        """Is not offered; the whole one beside it is."""
        self.cache.store(b"1", b"a", 1e9)
        (self.folder / self.names()[0].replace("001000000000", "002000000000")).write_bytes(b"2")
        self.assertEqual(self.loaded(), [(b"1", b"a")])

    def test_other_lists_are_left_alone(self) -> None:
        """Pairs of another URL and foreign files are neither offered nor removed."""
        other = ListCache(str(self.folder), URL + "2")
        other.store(b"other", b"o", 1e9)
        (self.folder / "notes.txt").write_text("mine")
        self.cache.store(b"1", b"a", 2e9)
        self.assertEqual(self.loaded(), [(b"1", b"a")])
        self.assertEqual(other.load()[0].data, b"other")
        self.assertIn("notes.txt", self.names())

    def test_bounds(self) -> None:
        """Neither the number nor the size of files found there is without limit."""
        self.cache.store(b"1", b"a", 1e9)
        stem = str(self.folder / self.names()[0].removesuffix("001000000000.json"))
        for i in range(20):
            for end in ("json", "sig"):
                Path(f"{stem}{2_000_000_000 + i:012d}.{end}").write_bytes(b"x")
        self.assertEqual(len(self.cache.load()), MAX_PAIRS)
        newest = Path(f"{stem}{2_000_000_019:012d}.json")
        with newest.open("wb") as file:
            file.truncate(MAX_LIST_BYTES * 4)
        self.assertEqual(len(self.cache.load()[0].data), MAX_LIST_BYTES)

    def test_independent_of_the_working_directory(self) -> None:
        """A daemon changes it after the configuration was read."""
        here = os.getcwd()
        relative = ListCache(os.path.relpath(self.folder), URL)
        try:
            os.chdir("/")
            relative.store(b"1", b"a", 1e9)
        finally:
            os.chdir(here)
        self.assertEqual(self.loaded(), [(b"1", b"a")])
