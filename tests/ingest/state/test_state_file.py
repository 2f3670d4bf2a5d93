"""The format of the state file, and its replacement as a whole."""

import json
import os
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import CompactRange, _levels
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.state.saved_log import MAX_HEADS, MAX_REASON, SavedGap, SavedRange
from certstream_tx.ingest.state.state_file import (
    SavedPosition,
    StateError,
    bare_url,
    read_state,
    replace_file,
    write_state,
)
from tests.ingest.fake_log import range_of

sizes = st.integers(0, 2**64 - 1)
KEYS = [
    *("format", "version", "logs", "name", "url", "position", "nodes", "x", "gaps", "heads"),
    *("verified_head", "part", "start", "end", "size", "before"),
]


hashes = st.binary(min_size=32, max_size=32)
heads = st.builds(SignedHead, sizes, sizes, hashes, st.binary(max_size=80))


@st.composite
def ranges(draw: st.DrawFn, size: int, start: int = 0) -> SavedRange:
    """Any range that ends at a size."""
    count = len(_levels(start, size))
    node = draw(hashes)
    return SavedRange(start, size, tuple(node[i % 32 :] + node[: i % 32] for i in range(count)))


@st.composite
def positions(draw: st.DrawFn) -> SavedPosition:
    """Any position that may be saved."""
    *edges, position = sorted(draw(st.lists(sizes, min_size=5, max_size=5)))
    gaps = []
    known = 0
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        before = draw(ranges(start, known if draw(st.booleans()) else 0))
        after = draw(st.none() | ranges(end))
        reason = draw(st.text(max_size=MAX_REASON))
        since = draw(st.floats(0, 1e10))
        gaps.append(SavedGap(start, end, since, reason, draw(sizes), before, after))
        known = end
    whole = draw(st.none() | ranges(position))
    return SavedPosition(
        draw(st.text()),
        draw(st.text()),
        position,
        None if whole is None else whole.nodes,
        draw(sizes),
        draw(ranges(position, known)) if whole is None and draw(st.booleans()) else None,
        draw(st.none() | heads),
        tuple(draw(st.lists(heads, max_size=MAX_HEADS))),
        tuple(gaps[: draw(st.integers(0, 2))]),
    )


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

    def test_present_version(self) -> None:
        """A file as the last version wrote it is read; that one read ours by the same names."""
        tree = range_of(5)
        old = {
            "format": "certstream-tx",
            "version": 1,
            "logs": {
                "a": {
                    "name": "A",
                    "url": "https://a.example",
                    "position": 5,
                    "verified_size": 4,
                    "nodes": [b64encode(node).decode() for node in tree.nodes],
                }
            },
        }
        saved = read_state(json.dumps(old).encode()).positions["a"]
        self.assertEqual(saved, SavedPosition("A", "https://a.example", 5, tuple(tree.nodes), 4))
        self.assertEqual(saved.range(), tree)
        self.assertEqual(json.loads(write_state({"a": saved})), old)
        gap = SavedGap(2, 3, 7.0, "why", 9, SavedRange.of(range_of(2)))
        ours = json.loads(write_state({"a": replace(saved, gaps=(gap,))}))
        self.assertEqual(ours["version"], 1)
        self.assertEqual(ours["logs"]["a"] | old["logs"]["a"], ours["logs"]["a"])

    def test_later_version(self) -> None:
        """What a later version writes besides is passed over, at every level."""
        saved = SavedPosition(
            "A",
            "https://a.example",
            5,
            verified_head=SignedHead(4, 1, b"r" * 32, b"s"),
            gaps=(SavedGap(2, 3, 7.0, "why", 9, SavedRange.of(range_of(2))),),
        )
        document = json.loads(write_state({"a": saved}))
        log = document["logs"]["a"]
        for each in (document, log, log["verified_head"], log["gaps"][0], log["gaps"][0]["before"]):
            each["more"] = {"of": "it"}
        self.assertEqual(read_state(json.dumps(document).encode()).positions["a"], saved)
        # And what it leaves out of a gap is not missed.
        for key in ("since", "reason", "tries", "before", "after"):
            del log["gaps"][0][key]
        (gap,) = read_state(json.dumps(document).encode()).positions["a"].gaps
        self.assertEqual(gap, SavedGap(2, 3, 0, "", 0, SavedRange(2, 2, ())))
        self.assertEqual(gap.gap().before, CompactRange.beginning_at(2))

    def test_gaps_that_cannot_be(self) -> None:
        """Gaps, heads and ranges that contradict themselves refuse the file, naming the log."""
        two, three = SavedRange.of(range_of(2)), SavedRange.of(range_of(3))
        saved = SavedPosition(
            "A",
            "https://a.example",
            9,
            part=SavedRange(8, 9, (b"n" * 32,)),
            verified_head=SignedHead(4, 1, b"r" * 32, b"s"),
            gaps=(
                SavedGap(2, 3, 7.0, "why", 9, two, three),
                SavedGap(5, 8, 7.0, "why", 9, SavedRange(5, 5, ())),
            ),
        )
        good = json.loads(write_state({"a": saved}))
        read_state(json.dumps(good).encode())
        for path, wrong in (
            ("gaps.0.start", 4),
            ("gaps.0.end", 6),
            ("gaps.1.end", 10),
            ("gaps.0.end", -1),
            ("gaps.0.tries", "9"),
            ("gaps.0.since", None),
            ("gaps.0.reason", 5),
            ("gaps.0.before.size", 3),
            ("gaps.0.before.nodes", []),
            ("gaps.0.after.size", 4),
            ("gaps.0.after.nodes.0", "AAAA"),
            ("gaps.0", None),
            ("gaps", {}),
            ("gaps", 5),
            ("part.start", 7),
            ("part.size", 8),
            ("part", []),
            ("verified_head.tree_size", 1.5),
            ("verified_head.sha256_root_hash", "AAAA"),
            ("verified_head.tree_head_signature", "%"),
            ("verified_head", "x"),
            ("heads", [{}]),
            ("heads", "x"),
        ):
            document = json.loads(json.dumps(good))
            place = document["logs"]["a"]
            *way, last = path.split(".")
            for step in way:
                place = place[int(step) if step.isdigit() else step]
            place[int(last) if last.isdigit() else last] = wrong
            with self.assertRaises(StateError) as refused:
                read_state(json.dumps(document).encode())
            self.assertIn("log a (A)", str(refused.exception), path)

    def test_sizes(self) -> None:
        """A log takes 2 KB, a gap 3, and reasons and heads are bounded."""
        tree = SavedRange(0, 2**40 - 1, (b"n" * 32,) * 40)
        gap = SavedGap(
            2**40 - 1, 2**40, 7.0, "x" * 10_000, 9, tree, SavedRange(0, 2**40, tree.nodes[:1])
        )
        log = SavedPosition("A" * 50, "https://a.example/2026h1", tree.size, tree.nodes, 4)
        alone = len(write_state({"a": log}))
        self.assertLess(alone, 3000)
        kept = SavedGap.of(gap.gap())
        self.assertEqual(len(kept.reason), MAX_REASON)
        self.assertLess(len(write_state({"a": replace(log, gaps=(kept,))})) - alone, 4000)

    documents = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )

    @settings(deadline=None, max_examples=200)
    @given(documents, st.booleans())
    def test_any_json(self, document: object, marked: bool) -> None:
        """Nor does any JSON, with or without our mark; what is read can be written."""
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
