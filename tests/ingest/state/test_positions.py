"""The service that keeps positions: what reaches the disk, when, and what stops a start."""

import errno
import json
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from certstream_tx.ingest.state.positions import Positions, StateFileError
from certstream_tx.ingest.state.state_file import SavedPosition, replace_file
from tests.ingest.fake_log import events, range_of

A = SavedPosition("A", "https://a.example", 5, tuple(range_of(5).nodes), 4)
B = SavedPosition("B", "https://b.example", 7)


class PositionsCase(SynchronousTestCase):
    """A folder, a clock, and positions that are stopped at the end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.path = self.folder / "state.json"
        self.opened: list[Positions] = []
        self.addCleanup(self.close_all)

    def close_all(self) -> None:
        """Release every lock."""
        for positions in self.opened:
            self.successResultOf(positions.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def positions(
        self,
        in_thread: Callable[[Callable[[], None]], "Deferred[None]"] = execute,
        before_save: Callable[[], None] = lambda: None,
        replace: Callable[[str, bytes], None] = replace_file,
    ) -> Positions:
        """Positions over the test's file, loaded."""
        positions = Positions(str(self.path), self.clock, in_thread, before_save, replace=replace)
        positions.load()
        self.opened.append(positions)
        return positions

    def restart(self) -> Positions:
        """Stop all there is, and load anew."""
        self.close_all()
        self.opened.clear()
        return self.positions()

    def on_disk(self) -> dict[str, int]:
        """What the file says now: position by state key."""
        logs = json.loads(self.path.read_text())["logs"]
        return {key: log["position"] for key, log in logs.items()}


class SavingTests(PositionsCase):
    """From the logs to the disk and back."""

    def test_round_trip(self) -> None:
        """What was saved is there again, whole, after a restart."""
        positions = self.positions()
        self.assertIsNone(positions.position_of("a"))
        positions.register("a", lambda: A)
        positions.register("b", lambda: B)
        positions.register("c", lambda: None)
        positions.startService()
        again = self.restart()
        self.assertEqual(again.position_of("a"), A)
        self.assertEqual(again.position_of("b"), B)
        self.assertIsNone(again.position_of("c"))

    def test_every_second(self) -> None:
        """A moving position is at most a second behind on the disk; one at rest is not written."""
        writes: list[bytes] = []

        def replace(path: str, data: bytes) -> None:
            writes.append(data)
            replace_file(path, data)

        positions = self.positions(replace=replace)
        position = [0]
        positions.register("b", lambda: SavedPosition("B", "https://b.example", position[0]))
        positions.startService()
        for position[0] in range(1, 6):
            self.clock.advance(1)
            self.assertEqual(self.on_disk(), {"b": position[0]})
        self.assertEqual(len(writes), 6)
        self.clock.pump([1] * 20)
        self.assertEqual(len(writes), 6)
        self.assertEqual(positions.saved_at, self.clock.seconds())

    def test_on_stop(self) -> None:
        """What moved since the last save is saved at the stop."""
        positions = self.positions()
        position = [1]
        positions.register("b", lambda: SavedPosition("B", "https://b.example", position[0]))
        positions.startService()
        position[0] = 9
        self.successResultOf(positions.stopService())
        self.assertEqual(self.on_disk(), {"b": 9})

    def test_flushed_first(self) -> None:
        """What is saved never passes what was flushed before."""
        read = flushed = 0

        def flush() -> None:
            nonlocal flushed
            flushed = read

        def replace(path: str, data: bytes) -> None:
            self.assertLessEqual(json.loads(data)["logs"]["b"]["position"], flushed)
            replace_file(path, data)

        positions = self.positions(before_save=flush, replace=replace)
        positions.register("b", lambda: SavedPosition("B", "https://b.example", read))
        positions.startService()
        for read in range(1, 4):
            self.clock.advance(1)
            self.assertEqual(self.on_disk(), {"b": read})

    def test_slow_disk(self) -> None:
        """One save at a time, none of them cut short; a stop waits, then saves the newest."""
        pending: list[tuple[Callable[[], None], Deferred[None]]] = []

        def in_thread(write: Callable[[], None]) -> "Deferred[None]":
            done: Deferred[None] = Deferred()
            pending.append((write, done))
            return done

        positions = self.positions(in_thread=in_thread)
        position = [1]
        positions.register("b", lambda: SavedPosition("B", "https://b.example", position[0]))
        positions.startService()
        position[0] = 2
        self.clock.pump([1] * 10)
        self.assertEqual(len(pending), 1)
        stopping = positions.stopService()
        self.assertNoResult(stopping)
        write, done = pending.pop()
        write()
        done.callback(None)
        self.assertEqual(self.on_disk(), {"b": 1})
        write, done = pending.pop()
        write()
        done.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.on_disk(), {"b": 2})
        self.assertEqual(pending, [])

    def test_logs_not_followed_stay(self) -> None:
        """The position of a log that is not followed now is kept, and so is one that just ended."""
        positions = self.positions()
        positions.register("a", lambda: A)
        positions.startService()
        positions.unregister("a")
        positions = self.restart()
        positions.register("b", lambda: B)
        positions.startService()
        again = self.restart()
        self.assertEqual(again.position_of("a"), A)
        self.assertEqual(again.position_of("b"), B)

    def test_key_that_came_later(self) -> None:
        """A position saved by URL is found when the log's key is known, and moves to it."""
        positions = self.positions()
        positions.register("url:https://b.example", lambda: B)
        positions.startService()
        positions = self.restart()
        self.assertIsNone(positions.position_of("id", "https://other.example"))
        self.assertEqual(positions.position_of("id", "https://b.example"), B)
        positions.startService()
        self.clock.advance(1)
        self.assertEqual(self.on_disk(), {"id": 7})

    def test_off(self) -> None:
        """Without a file nothing is kept, and nothing is written."""
        positions = Positions(None, self.clock, execute)
        positions.load()
        positions.register("a", lambda: A)
        positions.startService()
        self.clock.advance(5)
        self.successResultOf(positions.stopService())
        self.assertEqual(os.listdir(self.folder), [])

    def test_symbolic_link(self) -> None:
        """A state file behind a link is replaced where it lies; the link stays one."""
        real = self.folder / "real.json"
        self.path.symlink_to(real)
        positions = self.positions()
        positions.register("b", lambda: B)
        positions.startService()
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(self.on_disk(), {"b": 7})


class WriteFailureTests(PositionsCase):
    """A disk that does not take the file."""

    def test_full_disk(self) -> None:
        """It is told once, tried again, the old file stays whole, and then all is saved."""
        broken: list[OSError] = []

        def replace(path: str, data: bytes) -> None:
            if broken:
                raise broken[0]
            replace_file(path, data)

        positions = self.positions(replace=replace)
        position = [1]
        positions.register("b", lambda: SavedPosition("B", "https://b.example", position[0]))
        positions.startService()
        for code in (errno.ENOSPC, errno.EROFS):
            before = position[0]
            broken[:] = [OSError(code, os.strerror(code))]
            with events() as told:
                for _ in range(5):
                    position[0] += 1
                    self.clock.advance(1)
                self.assertEqual(self.on_disk(), {"b": before})
                self.assertEqual(len(told), 1, told)
                self.assertIn(str(self.path), told[0])
                self.assertIn(os.strerror(code), told[0])
                broken.clear()
                self.clock.advance(1)
            self.assertEqual(len(told), 2, told)
            self.assertEqual(self.on_disk(), {"b": position[0]})

    def test_folder_vanishes(self) -> None:
        """A real failure to write, at the stop too, is told and ends nothing."""
        positions = self.positions()
        positions.register("b", lambda: B)
        for name in os.listdir(self.folder):
            os.unlink(self.folder / name)
        self.folder.rmdir()
        with events("error") as told:
            positions.startService()
            self.clock.pump([1] * 3)
            self.successResultOf(positions.stopService())
        self.assertEqual(len(told), 1, told)

    def test_own_error(self) -> None:
        """An error of this program while saving is told, saves nothing, and is tried again."""
        wrong = [True]

        def flush() -> None:
            if wrong:
                raise ZeroDivisionError

        positions = self.positions(before_save=flush)
        positions.register("b", lambda: B)
        positions.startService()
        self.clock.pump([1] * 3)
        self.assertFalse(self.path.exists())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        wrong.clear()
        self.clock.advance(1)
        self.assertEqual(self.on_disk(), {"b": 7})

    def test_killed_while_writing(self) -> None:
        """A temporary file left half written is no state file, and the next save replaces it."""
        positions = self.positions()
        positions.register("b", lambda: B)
        positions.startService()
        self.restart()
        (self.folder / "state.json.tmp").write_text('{"format":')
        positions = self.restart()
        self.assertEqual(positions.position_of("b"), B)
        positions.register("a", lambda: A)
        positions.startService()
        self.assertEqual(self.on_disk(), {"a": 5, "b": 7})
        self.assertFalse((self.folder / "state.json.tmp").exists())


class RefusedTests(PositionsCase):
    """Files that stop a start: each is named, with a way out, and stays as it was."""

    def refused(self) -> str:
        """What is said when it does not start."""
        before = self.path.read_bytes() if self.path.is_file() else None
        with self.assertRaises(StateFileError) as caught:
            self.positions()
        text = str(caught.exception)
        self.assertIn(str(self.path), text)
        self.assertIn("ct_log.state_file", text)
        self.assertNotIn("\n", text)
        if before is not None:
            self.assertEqual(self.path.read_bytes(), before)
        return text

    def test_content(self) -> None:
        """Empty, cut short, or of something else."""
        positions = self.positions()
        positions.register("a", lambda: A)
        positions.startService()
        self.restart()
        self.close_all()
        whole = self.path.read_bytes()
        for content in (
            b"",
            b"\n",
            *(whole[:cut] for cut in range(1, len(whole) - 2, 7)),
            b"[]",
            b"null",
            b"{}",
            b'{"name": "package", "version": 1}',
            b'{"version": 99}',
            b"\x00" * 100,
            b"[" * 100_000,
            whole.replace(b'"version": 1', b'"version": 2'),
            whole.replace(b'"position": 5', b'"position": -5'),
            whole.replace(b'"position": 5', b'"position": 5.0'),
            whole.replace(b'"position": 5', b'"position": 7'),
            whole.replace(b'"name": "A"', b'"name": 3'),
            whole.replace(b64encode(range_of(5).nodes[0]), b"AAAA"),
            whole.replace(b64encode(range_of(5).nodes[0]), b"!"),
        ):
            self.assertNotEqual(content, whole)
            self.path.write_bytes(content)
            self.refused()
        self.path.write_bytes(whole)
        self.assertEqual(self.positions().position_of("a"), A)

    def test_too_large(self) -> None:
        """A file of gigabytes is not read whole to find out that it is none of ours."""
        with open(self.path, "wb") as file:
            file.truncate(65 << 20)
        self.assertIn("larger", self.refused())

    def test_folder_in_its_place(self) -> None:
        """The path is a folder."""
        self.path.mkdir()
        self.refused()

    def test_no_permission(self) -> None:
        """The file may not be read."""
        if os.geteuid() == 0:
            raise SkipTest("root may read everything")
        self.path.write_bytes(b"")
        self.path.chmod(0)
        self.assertIn("Permission", self.refused())

    def test_no_folder(self) -> None:
        """The folder is missing."""
        self.path = self.folder / "nowhere" / "state.json"
        self.assertIn("does not exist", self.refused())

    def test_folder_cannot_be_written(self) -> None:
        """Nothing can be written beside the file."""
        self.patch(os, "access", lambda path, mode: False)
        self.assertIn("writable", self.refused())

    def test_no_lock_file(self) -> None:
        """The lock file cannot be made."""
        (self.folder / "state.json.lock").mkdir()
        self.assertIn("state.json.lock", self.refused())

    def test_in_use(self) -> None:
        """A second process on the same file is refused, told who has it, until the first ends."""
        first = self.positions()
        self.assertIn(f"process {os.getpid()}", self.refused())
        self.successResultOf(first.stopService())
        self.positions()

    def test_refusing_releases(self) -> None:
        """A start that was refused does not keep the next one out."""
        self.path.write_bytes(b"{")
        self.refused()
        self.path.unlink()
        self.positions()


class OtherServersTests(PositionsCase):
    """State files of the servers that are switched from."""

    def test_rust(self) -> None:
        """Positions are taken over by URL, and the file is kept aside once ours replaces it."""
        theirs = json.dumps({
            "version": 1,
            "logs": {
                "https://ct.example/2026h1/": {
                    "current_index": 123, "tree_size": 200, "last_success": 1700000000,
                },
                "https://tiled.example/log": {
                    "current_index": 5, "tree_size": 5, "last_success": None,
                },
            },
        })  # fmt: skip
        self.path.write_text(theirs)
        with events("info") as told:
            positions = self.positions()
        self.assertIn("certstream-server-rust", told[0])
        self.assertEqual(self.path.read_text(), theirs)
        saved = positions.position_of("id", "https://ct.example/2026h1")
        assert saved is not None
        self.assertEqual((saved.position, saved.nodes), (123, None))
        positions.register("id", lambda: SavedPosition("N", "https://ct.example/2026h1", 124))
        positions.startService()
        self.assertEqual(self.on_disk(), {"id": 124, "url:https://tiled.example/log": 5})
        self.assertEqual((self.folder / "state.json.before-import").read_text(), theirs)

    def test_go(self) -> None:
        """Its last index is read again: whether it was read cannot be told from the file."""
        self.path.write_text('{"ct.example/2026h1": 123, "tiled.example/log/": 0}')
        positions = self.positions()
        for url, position in (("https://ct.example/2026h1", 123), ("http://tiled.example/log", 0)):
            saved = positions.position_of(url, url)
            assert saved is not None
            self.assertEqual(saved.position, position)
        positions.startService()
        self.assertEqual(
            self.on_disk(), {"https://ct.example/2026h1": 123, "http://tiled.example/log": 0}
        )

    def test_almost(self) -> None:
        """A file that only resembles theirs is refused, not half taken over."""
        for content in (
            '{"version": 1, "logs": {"https://ct.example": {"tree_size": 5}}}',
            '{"version": 1, "logs": {"https://ct.example": 5}}',
            '{"ct.example": -1}',
            '{"ct.example": true}',
            '{"ct.example": "5"}',
            '{"ct.example": 5, "other": null}',
        ):
            self.path.write_text(content)
            with self.assertRaises(StateFileError):
                self.positions()
