"""``certstream-tx gaps`` as a real process: what is missing is listed, and read by hand."""

import json
import subprocess
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import folder
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.demo.log import DemoLog, Kind
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition, SavedRange
from certstream_tx.ingest.state.state_file import read_state, write_state
from certstream_tx.ingest.state.state_lock import StateLock
from tests.integration.demo_process import demo_logs
from tests.integration.server_process import ServerProcess

SIZE = 600
PAGES = ((100, 103), (300, 301))
TILES = ((256, 512),)


class GapsTests(SynchronousTestCase):
    """One log of each kind, read to an index, with holes before it."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.place: Path = stack.enter_context(folder())
        self.state = self.place / "state.json"
        identity = ("--identity", str(self.place / "identity"), "--size", str(SIZE), "--rate", "1")
        self.demo = stack.enter_context(
            demo_logs(self.place, *identity, ct_log={"state_file": str(self.state)})
        )
        known = json.loads((self.place / "identity").read_text())
        config = json.loads(self.demo.config_file.read_text())
        positions = {}
        kinds: tuple[tuple[Kind, str, str, tuple[tuple[int, int], ...]], ...] = (
            ("rfc6962", "pages", "custom_logs", PAGES),
            ("tiled", "tiles", "static_logs", TILES),
        )
        self.roots = {}
        for kind, name, section, gaps in kinds:
            log = DemoLog(
                kind,
                seed=bytes.fromhex(known["seed"]),
                clock=Clock(),
                size=SIZE,
                rate=1,
                began=known["began"],
            )
            key = b64encode(log.log_id).decode()
            positions[key] = self.with_holes(log, name, config[section][0]["url"], gaps)
            self.roots[key] = log.tree.root(SIZE)
        self.state.write_bytes(write_state(positions))

    def with_holes(
        self, log: DemoLog, name: str, url: str, gaps: tuple[tuple[int, int], ...]
    ) -> SavedPosition:
        """What a server saves that could not read these entries."""

        def tree(start: int, end: int) -> CompactRange:
            part = CompactRange.beginning_at(start)
            part.extend(log.entries.leaf_hashes(start, end))
            return part

        saved, read = [], 0
        for start, end in gaps:
            before = SavedRange.of(tree(read, start))
            saved.append(SavedGap(start, end, 1_800_000_000.0, "HTTP 404", 7, before))
            read = end
        part = SavedRange.of(tree(read, SIZE))
        return SavedPosition(name, url, SIZE, None, 0, part, gaps=tuple(saved))

    def gaps(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What came of it."""
        return self.demo.run("gaps", *arguments)

    def test_filled_by_hand(self) -> None:
        """Every entry comes as a line, and the trees around the holes are whole."""
        listed = json.loads(self.gaps("--json").stdout)
        self.assertEqual(
            [(each["log"], each["start"], each["end"]) for each in listed],
            [("pages", 100, 103), ("pages", 300, 301), ("tiles", 256, 512)],
        )
        self.check_refused_beside_a_server()
        done = self.gaps("--fill", "--stream", "lite")
        self.assertEqual(done.returncode, 0, done.stderr)
        messages = [json.loads(line)["data"] for line in done.stdout.splitlines()]
        self.assertEqual(
            [(each["source"]["name"], each["cert_index"]) for each in messages],
            [("pages", i) for gap in PAGES for i in range(*gap)]
            + [("tiles", i) for gap in TILES for i in range(*gap)],
        )
        self.assertTrue(all(each["late"] is True for each in messages))
        for key, saved in read_state(self.state.read_bytes()).positions.items():
            self.assertEqual((saved.gaps, saved.position), ((), SIZE))
            self.assertEqual(saved.range().root(), self.roots[key])
        again = self.gaps("--fill")
        self.assertEqual((again.returncode, again.stdout), (0, ""))
        self.assertIn("Nothing is missing.", again.stderr)
        self.assertIn("Nothing is missing.", self.gaps().stdout)

    def check_refused_beside_a_server(self) -> None:
        """It lists, but it does not write a file that a server uses."""
        before = self.state.read_bytes()
        lock = StateLock(str(self.state))
        lock.take()
        done = self.gaps("--fill")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("in use by another process", done.stderr)
        self.assertIn("SIGHUP", done.stderr)
        self.assertEqual(self.state.read_bytes(), before)
        self.assertIn("260 entries missing, in 3 gap(s) of 2 log(s)", self.gaps().stdout)
        lock.release()

    def test_a_log_that_is_gone(self) -> None:
        """What cannot be asked for any more stays, and is told."""
        config = json.loads(self.demo.config_file.read_text())
        self.demo.config_file.write_text(json.dumps({**config, "static_logs": []}))
        done = self.gaps("--fill")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 4))
        self.assertIn("tiles: not in the configuration", done.stderr)
        self.assertIn("256 entries are still missing", done.stderr)
        self.assertIn("  256 to 511: 256 entries", self.gaps().stdout)

    def test_a_server_fills_them(self) -> None:
        """A server that starts reads them by itself, and verifies all of it to its head."""
        with ServerProcess("--config", str(self.demo.config_file)) as server:
            server.wait_for("pages: every gap is filled")
            server.wait_for("tiles: every gap is filled")
        for saved in read_state(self.state.read_bytes()).positions.values():
            self.assertEqual((saved.gaps, saved.range().start), ((), 0))
            self.assertGreaterEqual(saved.verified_size, SIZE)
