"""The format of the state file, and its replacement as a whole."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.state_file import (
    SavedPosition,
    StateError,
    bare_url,
    read_state,
    replace_file,
    write_state,
)

sizes = st.integers(0, 2**64 - 1)


@st.composite
def positions(draw: st.DrawFn) -> SavedPosition:
    """Any position that may be saved."""
    position = draw(sizes)
    count = position.bit_count()
    hashes = st.binary(min_size=32, max_size=32)
    nodes = draw(st.none() | st.lists(hashes, min_size=count, max_size=count).map(tuple))
    return SavedPosition(draw(st.text()), draw(st.text()), position, nodes, draw(sizes))


class FormatTests(SynchronousTestCase):
    """Bytes to positions and back."""

    @settings(deadline=None, max_examples=50)
    @given(st.dictionaries(st.text(), positions(), max_size=4))
    def test_round_trip(self, saved: dict[str, SavedPosition]) -> None:
        """What was written is what is read."""
        state = read_state(write_state(saved))
        self.assertEqual(state.positions, saved)
        self.assertEqual(state.written_by, "certstream-tx")

    @settings(deadline=None, max_examples=200)
    @given(st.binary() | st.text().map(str.encode))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes that are no state file raise the error of state files, and nothing else."""
        with self.assertRaises(StateError):
            read_state(data)

    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["format", "version", "logs", "name", "url", "position", "nodes", "x"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )

    @settings(deadline=None, max_examples=200)
    @given(json, st.booleans())
    def test_any_json(self, document: object, marked: bool) -> None:
        """Nor does any JSON, with or without our mark; what is read can be written."""
        import json

        if marked and isinstance(document, dict):
            document = {"logs": document} | document | {"format": "certstream-tx", "version": 1}
        try:
            state = read_state(json.dumps(document).encode())
        except StateError as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertEqual(read_state(write_state(state.positions)).positions, state.positions)

    def test_bare_url(self) -> None:
        """URLs compare without scheme and without the slash at the end."""
        for url in ("https://a.example/b/", "http://a.example/b", "a.example/b/", "a.example/b"):
            self.assertEqual(bare_url(url), "a.example/b")


class ReplaceTests(SynchronousTestCase):
    """A file is replaced whole or not at all."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.path = self.folder / "state.json"

    def test_replaced(self) -> None:
        """The new content is there, and nothing besides it."""
        for content in (b"one", b"two, longer", b""):
            replace_file(str(self.path), content)
            self.assertEqual(self.path.read_bytes(), content)
        self.assertEqual(os.listdir(self.folder), ["state.json"])

    def test_order(self) -> None:
        """The content is on the disk before the name changes, the name before it returns."""
        calls: list[str] = []
        fsync, replace = os.fsync, os.replace

        def traced_fsync(fd: int) -> None:
            folder = os.path.isdir(os.readlink(f"/proc/self/fd/{fd}"))
            calls.append("folder" if folder else "file")
            fsync(fd)

        def traced_replace(source: str, target: str) -> None:
            calls.append("rename")
            self.assertEqual(os.path.dirname(source), os.path.dirname(target))
            replace(source, target)

        self.patch(os, "fsync", traced_fsync)
        self.patch(os, "replace", traced_replace)
        replace_file(str(self.path), b"content")
        self.assertEqual(calls, ["file", "rename", "folder"])

    def test_failure(self) -> None:
        """When it fails at any step the old file stays, and no temporary one is left."""
        replace_file(str(self.path), b"old")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        for step in ("fsync", "replace"):
            with self.subTest(step):
                self.patch(os, step, fail)
                with self.assertRaises(OSError):
                    replace_file(str(self.path), b"new")
                self.assertEqual(self.path.read_bytes(), b"old")
                self.assertEqual(os.listdir(self.folder), ["state.json"])

    def test_link_as_temporary_file(self) -> None:
        """A link planted where the temporary file goes is not followed."""
        other = self.folder / "other"
        other.write_bytes(b"mine")
        (self.folder / "state.json.tmp").symlink_to(other)
        with self.assertRaises(OSError):
            replace_file(str(self.path), b"new")
        self.assertEqual(other.read_bytes(), b"mine")
