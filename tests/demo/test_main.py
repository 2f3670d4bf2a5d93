"""``python -m certstream_tx.demo``: its options, its identity file, and the process itself."""

import json
import sys
from base64 import b64decode
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log, read_log_list
from certstream_tx.demo.__main__ import identity, options
from tests.checkout import ROOT
from tests.ct.consistency import verify_consistency


class OptionsTests(SynchronousTestCase):
    """The command line and the identity file."""

    def test_defaults(self) -> None:
        """Without options: both logs, at the default rate, new at each start."""
        chosen = options([])
        first = identity(chosen, 17.5)
        self.assertEqual((chosen.rate, chosen.size, chosen.kinds), (20, 300, ["rfc6962", "tiled"]))
        self.assertEqual(first[1], 17500)
        self.assertNotEqual(identity(options([]), 17.5)[0], first[0])

    def test_growth_interval(self) -> None:
        """No longer than what the rate is bounded for."""
        self.assertEqual(options(["--growth-interval", "0.01"]).growth_interval, 0.01)
        self.patch(sys, "stderr", StringIO())
        for wrong in ("0", "0.2", "often"):
            with self.assertRaises(SystemExit):
                options(["--growth-interval", wrong])

    def test_identity_file(self) -> None:
        """The file is made at first; later it says what the logs are, whatever the time."""
        path = Path(self.mktemp())
        arguments = ["--identity", str(path), "--rate", "3", "--size", "5", "--kind", "tiled"]
        first = identity(options(arguments), 100)
        again = options(["--identity", str(path)])
        self.assertEqual(identity(again, 900), first)
        self.assertEqual((again.rate, again.size, again.kinds), (3, 5, ["tiled"]))
        self.assertEqual(identity(options(arguments), 900), first)
        other = options(["--identity", str(path), "--rate", "4"])
        self.assertRaises(ValueError, identity, other, 900)

    def test_not_an_identity_file(self) -> None:
        """Any other file is refused."""
        path = Path(self.mktemp())
        for text in ("", "[]", "{}", '{"seed": "00"}'):
            path.write_text(text)
            self.assertRaises(ValueError, identity, options(["--identity", str(path)]), 1)


class ProcessTests(SynchronousTestCase):
    """The process, asked over its port."""

    def start(self, *arguments: str) -> tuple[Popen[str], HTTPConnection, dict[str, Log]]:
        """Start it; returns it, a connection to it, and its logs by kind."""
        process = Popen(
            [sys.executable, "-m", "certstream_tx.demo", *arguments],
            cwd=ROOT,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        lines = [process.stdout.readline() for _ in range(3)]
        self.assertIn("RFC 6962", lines[0])
        self.assertIn("static-ct-api", lines[1])
        place = lines[2].rpartition("//")[2].partition("/")[0]
        connection = HTTPConnection(place, timeout=10)
        self.addCleanup(connection.close)
        listed = read_log_list(self.get(connection, "/log_list.json"), allow_http=True)
        return process, connection, {log.kind: log for log in listed.logs}

    def get(self, connection: HTTPConnection, path: str) -> bytes:
        connection.request("GET", path)
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return response.read()

    def json(self, connection: HTTPConnection, path: str) -> Any:
        return json.loads(self.get(connection, path))

    def stop(self, process: Popen[str]) -> None:
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 0)
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(), "")

    def test_same_logs_after_a_restart(self) -> None:
        """With an identity file a killed process comes back with the same logs, grown further."""
        path = str(Path(self.mktemp()).absolute())
        arguments = ("--identity", path, "--rate", "200", "--size", "40")
        process, connection, logs = self.start(*arguments)
        early = self.json(connection, "/rfc6962/ct/v1/get-sth")
        process.kill()
        process.wait()
        process, connection, again = self.start("--identity", path)
        self.assertEqual(again["rfc6962"].log_id, logs["rfc6962"].log_id)
        self.assertEqual(again["tiled"].log_id, logs["tiled"].log_id)
        late = self.json(connection, "/rfc6962/ct/v1/get-sth")
        first, second = early["tree_size"], late["tree_size"]
        self.assertGreater(second, first)
        proof = self.json(
            connection, f"/rfc6962/ct/v1/get-sth-consistency?first={first}&second={second}"
        )
        verify_consistency(
            first,
            second,
            [b64decode(node) for node in proof["consistency"]],
            b64decode(early["sha256_root_hash"]),
            b64decode(late["sha256_root_hash"]),
        )
        self.stop(process)

    def test_port_taken(self) -> None:
        """A port that is taken ends it with one line and status 1."""
        _, connection, _ = self.start("--size", "0")
        second = Popen(
            [sys.executable, "-m", "certstream_tx.demo", "--port", str(connection.port)],
            cwd=ROOT,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
        )
        self.addCleanup(second.kill)
        output, _ = second.communicate(timeout=10)
        self.assertEqual(second.returncode, 1)
        self.assertEqual(len(output.splitlines()), 1, output)
        self.assertIn("do not start", output)
