"""Tests of :mod:`certstream_tx.command_line.gaps` and of what fills them."""

import json
import sys
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from certstream_tx.command_line.filling import LogFilling
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ingest.state.late import Differs, LatePosition
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition, SavedRange
from certstream_tx.ingest.state.state_file import State, read_state, write_state
from certstream_tx.service.log_clients import stats_of
from tests.command_line.terminal import CommandTestCase
from tests.demo.http import ask
from tests.ingest.fake_log import hash_of, range_of
from tests.ingest.faults import Answer
from tests.ingest.fronted_log import FrontedLog
from tests.ingest.polling.test_lost_entries import asks_for

SIZE = 600


def part(start: int, end: int, hashes: Any = None) -> CompactRange:
    """The tree over some entries."""
    tree = CompactRange.beginning_at(start)
    tree.extend(map(hash_of, range(start, end)) if hashes is None else hashes(start, end))
    return tree


def holes(*gaps: tuple[int, int], hashes: Any = None, due: float = 0.0) -> SavedPosition:
    """A log that was read to its end, but for these."""
    saved, read = [], 0
    for start, end in gaps:
        before = SavedRange.of(part(read, start, hashes))
        saved.append(SavedGap(start, end, 1_800_000_000, "HTTP 404", 7, before, None, due))
        read = end
    rest = SavedRange.of(part(read, SIZE, hashes))
    return SavedPosition("Mine", "https://mine.example", SIZE, None, 0, rest, gaps=tuple(saved))


class ListTests(CommandTestCase):
    """Out of a file."""

    def state(self, **positions: SavedPosition) -> str:
        """A state file with these."""
        return self.file("state.json", write_state(positions).decode())

    def test_text(self) -> None:
        """For people: the log, the range, why, since when, and when it is tried."""
        path = self.state(a=holes((3, 4), (9, 19), due=4_000_000_000))
        ran = self.run_command("gaps", "--state", path)
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertEqual(
            ran.out.splitlines(),
            [
                "Mine (https://mine.example)",
                "  3 to 3: 1 entry",
                "    HTTP 404",
                "    since 2027-01-15T08:00:00Z, 7 tries, next at 2096-10-02T07:06:40Z",
                "  9 to 18: 10 entries",
                "    HTTP 404",
                "    since 2027-01-15T08:00:00Z, 7 tries, next at 2096-10-02T07:06:40Z",
                "11 entries missing, in 2 gap(s) of 1 log(s)",
            ],
        )

    def test_times_that_cannot_be(self) -> None:
        """Those of a damaged file, which is no reason to give its positions up."""
        document = json.loads(write_state({"a": holes((3, 4), due=4_000_000_000)}))
        (gap,) = document["logs"]["a"]["gaps"]
        for key in ("since", "due"):
            for time in (1e300, -1e300, 10**30, 1e17, -1):
                gap.update(since=1, due=1)
                gap[key] = time
                path = self.file("state.json", json.dumps(document))
                for form in ((), ("--json",)):
                    ran = self.run_command("gaps", *form, "--state", path)
                    self.assertEqual((ran.status, ran.err), (0, ""), time)
                    self.assertIn("1970-01-01T00:00:0", ran.out)

    def test_hostile_text(self) -> None:
        """What a log said cannot make up lines, or speak to the terminal."""
        saved = holes((3, 4))
        gap = replace(saved.gaps[0], reason="a\nb\x1b[2J\x9b1m\u202e")
        named = replace(saved, name="Mi\x07ne\r", url="https://a\n.example", gaps=(gap,))
        ran = self.run_command("gaps", "--state", self.state(a=named))
        self.assertEqual((ran.status, len(ran.out.splitlines())), (0, 5))
        self.assertTrue(ran.out.replace("\n", "").isprintable(), ran.out)

    def test_json(self) -> None:
        """For programs."""
        ran = self.run_command("gaps", "--json", "--state", self.state(a=holes((9, 19))))
        self.assertEqual(
            json.loads(ran.out),
            [
                {
                    "log": "Mine",
                    "url": "https://mine.example",
                    "start": 9,
                    "end": 19,
                    "entries": 10,
                    "reason": "HTTP 404",
                    "since": "2027-01-15T08:00:00Z",
                    "tries": 7,
                    "next_try": None,
                }
            ],
        )

    def test_nothing_missing(self) -> None:
        """Of a closed gap that waits to be compared nothing is missing."""
        path = self.state(a=holes((9, 9)))
        self.assertEqual(self.run_command("gaps", "--state", path).out, "Nothing is missing.\n")
        ran = self.run_command("gaps", "--json", "--state", path)
        self.assertEqual(json.loads(ran.out), [])

    def test_files_that_are_none(self) -> None:
        """One line that names the file, also for what would be filled."""
        for content in ("", "{", '{"format": "certstream-tx"}', '{"a": 1}'):
            path = self.file("state.json", content)
            ran = self.run_command("gaps", "--state", path)
            self.assertEqual((ran.status, ran.out), (1, ""))
            self.assertIn(path, ran.err)
        ran = self.run_command("gaps", "--state", str(self.folder / "none.json"))
        self.assertIn("No such file", ran.err)


class LatePositionTests(CommandTestCase):
    """The tree around gaps, whatever the order in which they are filled."""

    def test_any_order(self) -> None:
        """Once all are filled, the tree is that of all entries."""
        gaps = ((3, 9), (17, 18), (200, 300))
        for seed in range(20):
            rng = Random(seed)
            saved = holes(*gaps)
            pieces = [(3, 5), (5, 9), (17, 18), (200, 256), (256, 300)]
            rng.shuffle(pieces)
            for start, end in pieces:
                late = LatePosition(saved, stats(), Clock())
                saved = late.filled(start, [hash_of(i) for i in range(start, end)])
            self.assertEqual(saved.gaps, ())
            self.assertEqual(saved.range(), range_of(SIZE))

    def test_differs(self) -> None:
        """What does not lead to what the log proved is not taken."""
        gap = SavedGap(5, 6, 0, "", 1, SavedRange.of(range_of(5)), SavedRange.of(range_of(6)))
        saved = SavedPosition("M", "https://m", 6, tuple(range_of(6).nodes), gaps=(gap,))
        late = LatePosition(saved, stats(), Clock())
        self.assertRaises(Differs, late.filled, 5, [hash_of(7)])
        late = LatePosition(saved, stats(), Clock())
        self.assertEqual(late.filled(5, [hash_of(5)]).gaps, ())


def stats() -> Any:
    return stats_of(FrontedLog("rfc6962", 1).listed)


class FillingTests(CommandTestCase):
    """One log in memory whose gaps are tried by hand."""

    def fill(self, fronted: FrontedLog, saved: SavedPosition, client: Any) -> int:
        """Try; how many entries are missing then."""
        self.path = self.folder / "state.json"
        state = State({fronted.listed.state_key: saved}, "certstream-tx")
        self.out = BytesIO()
        self.patch(sys, "stdout", TextIOWrapper(self.out))
        self.err = self.patched_stderr()
        filling = LogFilling(
            fronted.clock,
            SimpleNamespace(client=lambda log, stats, partial_wait: client),  # type: ignore
            fronted.listed,
            str(self.path),
            state,
            "lite",
        )
        running = Deferred.fromCoroutine(filling.run())
        for _ in range(2000):
            if running.called:
                break
            fronted.clock.advance(0.5)
            fronted.agent.flush()
        return self.successResultOf(running)

    def patched_stderr(self) -> BytesIO:
        err = BytesIO()
        self.patch(sys, "stderr", TextIOWrapper(err, write_through=True))
        return err

    def written(self) -> SavedPosition:
        """What was saved."""
        (saved,) = read_state(Path(self.path).read_bytes()).positions.values()
        return saved

    def indexes(self) -> list[int]:
        return [json.loads(line)["data"]["cert_index"] for line in self.out.getvalue().splitlines()]

    def test_all_but_one(self) -> None:
        """An entry that cannot be read stays alone, and is told; its neighbours come."""
        fronted = FrontedLog("rfc6962", SIZE)
        fronted.front.rule = lambda path: Answer(404) if asks_for(path, 120) else None
        saved = holes((100, 140), (500, 501), hashes=fronted.leaf_hashes)
        self.assertEqual(self.fill(fronted, saved, fronted.rfc6962()), 1)
        self.assertEqual(self.indexes(), [*range(100, 120), *range(121, 140), 500])
        (gap,) = self.written().gaps
        self.assertEqual((gap.start, gap.end, gap.tries), (120, 121, 8))
        self.assertIn(b"39 of the entries 100 to 139 came; the others", self.err.getvalue())
        fronted.front.rule = lambda path: None
        self.assertEqual(self.fill(fronted, self.written(), fronted.rfc6962()), 0)
        self.assertEqual(self.indexes(), [120])
        self.assertEqual(self.written().range().root(), fronted.log.tree.root(SIZE))

    def test_tiles(self) -> None:
        """A tile is had as a whole; one that is lost does not keep others."""
        fronted = FrontedLog("tiled", SIZE)
        fronted.front.rule = lambda path: Answer(404) if path.startswith("tile/data/000") else None
        saved = holes((0, 512), hashes=fronted.leaf_hashes)
        self.assertEqual(self.fill(fronted, saved, fronted.static(0)), 256)
        self.assertEqual(self.indexes(), list(range(256, 512)))
        (gap,) = self.written().gaps
        self.assertEqual((gap.start, gap.end), (0, 256))

    def test_changed(self) -> None:
        """What is not in the tree that the log signed is not written, and stays missing."""
        fronted = FrontedLog("tiled", SIZE)
        changed = Answer(200, self.changed_tile(fronted))
        fronted.front.rule = lambda path: changed if path.startswith("tile/data/001") else None
        saved = holes((256, 512), hashes=fronted.leaf_hashes)
        self.assertEqual(self.fill(fronted, saved, fronted.static(0)), 256)
        self.assertEqual(self.out.getvalue(), b"")
        self.assertIn(b"are not those of the head", self.err.getvalue())

    def changed_tile(self, fronted: FrontedLog) -> bytes:
        """A tile with another bit in a certificate."""
        body = bytearray(ask(self, fronted.front.behind, "tile/data/001").body)
        body[200] ^= 1
        return bytes(body)
