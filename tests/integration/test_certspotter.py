"""The demonstration RFC 6962 log before an independent judge: SSLMate's monitor certspotter.

It recomputes the tree from the entries it reads and compares the root with the signed head, parses
every certificate, and compares every precertificate with its leaf.
"""

import json
import re
import shutil
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.demo.log_list import write_log_list
from certstream_tx.demo.service import DemoLogs
from tests.integration.server_process import ServerProcess

PROGRAM = shutil.which("certspotter")
SIZE = 600
"""entries at the start: three pages, so that the ranges it asks for are cut"""
RATE = 60.0
PATIENCE = 10.0
"""seconds for one run, which takes well below one"""
POLL = 0.05


class _Output(ProcessProtocol):
    """Collects what the program says; ``ended`` fires with the reason of its end."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.ended: Deferred[Exception] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value)


class CertspotterTests(TestCase):
    """Debian's certspotter (0.16 or later) follows the log."""

    timeout = 25

    def setUp(self) -> None:
        if PROGRAM is None:
            raise SkipTest("certspotter is not installed (Debian: apt-get install certspotter)")
        self.service = DemoLogs(reactor, rate=RATE, size=SIZE, kinds=("rfc6962",))
        self.service.startService()
        self.addCleanup(self.service.stopService)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.log_list = self.folder / "log_list.json"
        self.log_list.write_bytes(write_log_list(self.service.logs, reactor.seconds()))
        self.watch_list = self.folder / "watchlist"
        self.watch_list.write_text(".\n")  # every name there is

    async def run_until_verified(self, state: Path, size: int, *options: str) -> _Output:
        """Run it until it has verified ``size`` entries, then end it as an operator would."""
        output = _Output()
        assert PROGRAM is not None
        process = reactor.spawnProcess(
            output,
            PROGRAM,
            [
                PROGRAM,
                *("-logs", str(self.log_list)),
                *("-watchlist", str(self.watch_list)),
                *("-state_dir", str(state)),
                *("-stdout", "-no_save", "-verbose"),
                *options,
            ],
            # Its own folder for settings: no mail and no hooks of the user.
            env={"HOME": str(self.folder), "CERTSPOTTER_CONFIG_DIR": str(self.folder / "config")},
        )
        deadline = reactor.seconds() + PATIENCE
        # One that has nothing left to do is still let begin: before that it does not hear SIGTERM.
        while not output.ended.called and not (
            self.verified(state) >= size and b"saving state" in output.err
        ):
            if reactor.seconds() > deadline:
                process.signalProcess("KILL")
                await output.ended
                self.fail(f"only {self.verified(state)} of {size} entries:\n{output.err.decode()}")
            await deferLater(reactor, POLL)
        if not output.ended.called:
            process.signalProcess("TERM")
        reason = await output.ended
        # It exits with 0 on SIGTERM, with another status on trouble of its own.
        self.assertIsInstance(reason, ProcessDone, output.err.decode())
        return output

    def state(self, state: Path) -> dict[str, Any]:
        """What it noted about the log; empty before the first note."""
        for path in state.glob("logs/*/state.json"):
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        return {}

    def verified(self, state: Path) -> int:
        """The size of the tree that it recomputed and found signed.

        The head that it notes beside it may be an older one, when it was ended in between.
        """
        verified = self.state(state).get("verified_position")
        return verified["size"] if verified else 0

    def check_contentment(self, state: Path, output: _Output) -> None:
        """It complained of nothing: no failed head, no malformed entry, no word of an error."""
        for kind in ("unverified_sths", "malformed_entries", "healthchecks"):
            self.assertEqual(list(state.glob(f"logs/*/{kind}/*")), [])
        for line in output.err.decode().splitlines():
            if "stopped with error context canceled" not in line:  # its own end, when told to stop
                self.assertNotRegex(line, "(?i)error|fail|invalid|malformed|inconsistent")

    def found(self, output: _Output) -> list[int]:
        """Indexes of the entries it reported."""
        (log,) = self.service.logs
        pattern = rf"Log Entry = (\d+) @ {re.escape(log.url)}/"
        return [int(index) for index in re.findall(pattern, output.out.decode())]

    async def test_follows_from_the_beginning(self) -> None:
        """It verifies the whole log, reports every entry, and after a restart those that came."""
        state = self.folder / "state"
        first = await self.run_until_verified(state, SIZE)
        self.check_contentment(state, first)
        self.assertIn(b"starting from 0", first.err)
        indexes = self.found(first)
        self.assertEqual(indexes, list(range(len(indexes))))
        self.assertGreaterEqual(len(indexes), SIZE)
        self.assertIn(b"DNS Name = ", first.out)
        verified = self.verified(state)
        await deferLater(reactor, 10 / RATE)
        second = await self.run_until_verified(state, verified + 1)
        self.check_contentment(state, second)
        more = self.found(second)
        self.assertEqual(more, list(range(len(indexes), len(indexes) + len(more))))
        self.assertGreater(len(more), 0)

    async def test_follows_from_the_end(self) -> None:
        """It takes up the tree in the middle by its proofs, and verifies what comes after."""
        state = self.folder / "state"
        first = await self.run_until_verified(state, SIZE, "-start_at_end")
        self.check_contentment(state, first)
        self.assertEqual(self.found(first), [])
        verified = self.verified(state)
        await deferLater(reactor, 10 / RATE)
        second = await self.run_until_verified(state, verified + 1, "-start_at_end")
        self.check_contentment(state, second)
        self.assertEqual(self.found(second)[:1], [verified])

    async def test_agrees_with_the_server(self) -> None:
        """The server and the monitor follow the same log from its first entry while it grows; once
        it stands still, both say the same size and root, and these are the log's."""
        (log,) = self.service.logs
        assert log.key is not None
        state_file = self.folder / "state.json"
        # Where another server was at its first entry, so that nothing is left out.
        state_file.write_text(json.dumps({"version": 1, "logs": {log.url: {"current_index": 0}}}))
        config = self.folder / "config.yaml"
        said = {"name": "the log", "url": log.url, "key": b64encode(log.key).decode()}
        feed = {"state_file": str(state_file), "poll_interval_ms": 100}
        config.write_text(json.dumps({"ct_logs_url": None, "custom_logs": [said], "ct_log": feed}))
        server = ServerProcess("--config", str(config), directory=str(self.folder))
        await deferToThread(server.__enter__)
        self.addCleanup(deferToThread, server.__exit__, None, None, None)
        state = self.folder / "state"
        await self.run_until_verified(state, SIZE)
        self.service.stop_growth()
        (demo,) = self.service.demo_logs
        size = demo.tree.size
        monitor = await self.run_until_verified(state, size)
        self.check_contentment(state, monitor)
        deadline = reactor.seconds() + PATIENCE
        ours: dict[str, Any] = {}
        while ours.get("verified_size") != size:
            self.assertLess(reactor.seconds(), deadline, ours)
            await deferLater(reactor, POLL)
            (ours,) = json.loads(state_file.read_text())["logs"].values()
        theirs = self.state(state)["verified_position"]
        tree = CompactRange(theirs["size"], [b64decode(node) for node in theirs["nodes"]])
        head = ours["verified_head"]
        self.assertEqual((head["tree_size"], tree.size), (size, size))
        self.assertEqual(b64decode(head["sha256_root_hash"]), tree.root())
        self.assertEqual(b64decode(head["sha256_root_hash"]), demo.tree.root())
        self.assertEqual((ours["position"], ours.get("gaps", [])), (size, []))
