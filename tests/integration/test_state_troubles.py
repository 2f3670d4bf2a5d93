"""What may happen to a state file: nothing is lost, and the server says what is wrong with it."""

import json
import os
import shutil
import time
from contextlib import ExitStack
from unittest import SkipTest

from tests.integration.restarted import TWISTD, RestartedCase, Session
from tests.integration.server_process import run_to_end

SMALL = 700
"""bytes that a file may have: the lock file has fewer, the state file more"""


class StateTroublesTests(RestartedCase):
    """A server that follows two logs, a client that takes everything, and a disk."""

    def owner_only(self) -> tuple[str, ...]:
        """What makes the modes of files count, also for root."""
        if os.geteuid() != 0:
            return ()
        if shutil.which("setpriv") is None:
            raise SkipTest("root may write everywhere, and setpriv is not installed")
        return ("setpriv", "--bounding-set=-dac_override")

    def test_full_disk(self) -> None:
        """It is said once, streaming goes on, and what could be saved last is where it goes on."""
        if shutil.which("prlimit") is None:
            raise SkipTest("prlimit is not installed")
        sessions = [self.session(1.2, kill=True)]
        with ExitStack() as stack:
            server, collector = self.start(stack, ("prlimit", f"--fsize={SMALL}:unlimited"))
            server.wait_for(rf"The state file {self.state_file} cannot be written: File too large")
            before = len(collector.got)
            time.sleep(0.7)
            self.assertGreater(len(collector.got), before)
            # Killed while nothing could be saved: all of this session comes again.
            sessions.append(self.end(server, collector, kill=True))
        self.check_end(sessions, unsaved=10)

    def test_read_only_folder(self) -> None:
        """Refused at the start; while it runs as a full disk, and over once it can be written."""
        launcher = self.owner_only()
        folder = self.state_file.parent
        self.addCleanup(folder.chmod, 0o755)
        folder.chmod(0o500)
        done = run_to_end(directory=str(self.folder), launcher=(*launcher, *TWISTD))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"state file {self.state_file}: nothing can be written in", done.stderr)
        folder.chmod(0o700)
        with ExitStack() as stack:
            server, collector = self.start(stack, launcher)
            time.sleep(1.2)
            folder.chmod(0o500)
            server.wait_for(
                rf"The state file {self.state_file} cannot be written: Permission denied"
            )
            folder.chmod(0o700)
            server.wait_for(rf"The state file {self.state_file} is written again")
            sessions = [self.end(server, collector, kill=True)]
        self.check_end(sessions)

    def test_spoilt_files(self) -> None:
        """Truncated, empty, another program's: refused with one line, left as it is; a good copy
        in its place, and it goes on where that was."""
        sessions = [self.session(1.3, kill=True)]
        good = self.state_file.read_bytes()
        for spoilt in (good[: len(good) // 2], b"", b'{"users": [1, 2]}'):
            self.state_file.write_bytes(spoilt)
            done = run_to_end("--config", "config.yaml", directory=str(self.folder))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"state file {self.state_file} cannot be used: ", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertEqual(self.state_file.read_bytes(), spoilt)
        self.state_file.write_bytes(good)
        self.check_end(sessions, unsaved=2)

    def check_end(self, sessions: list[Session], unsaved: float = 0) -> None:
        """One more session, and then nothing is missing."""
        sessions.append(self.session(1.2, kill=False))
        received = self.received(sessions, unsaved=unsaved)
        self.assertEqual(len(received.indexes), 2)
        self.check_complete(received)
        for log in json.loads(self.state_file.read_text())["logs"].values():
            self.assertIn(log["position"] - 1, received.indexes[log["url"]])
