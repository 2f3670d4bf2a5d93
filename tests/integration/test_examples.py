"""The examples and docs/library.md, as a reader would run them."""

import base64
import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import folder
from certstream_tx import read_entry
from tests.checkout import ROOT
from tests.integration.demo_process import demo_logs
from tests.integration.server_process import BIN, ServerProcess, clean_environment

EXAMPLES = ROOT / "examples"
LIBRARY = (ROOT / "docs" / "library.md").read_text()


class ExampleTestCase(SynchronousTestCase):
    """Demonstration logs that grow, in a folder with their list."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.place = stack.enter_context(folder())
        self.demo = stack.enter_context(
            demo_logs(
                self.place,
                "--rate",
                "100",
                listen=["tcp:0:interface=127.0.0.1"],
                ct_log={"state_file": None},
            )
        )

    def python(self, *command: object) -> subprocess.CompletedProcess[str]:
        """What came of it."""
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.place,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def lines(self, *command: object) -> list[str]:
        """What it printed; it must end well, and complain of nothing."""
        done = self.python(*command)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout.splitlines()


class ExampleTests(ExampleTestCase):
    """examples/"""

    def test_follow_one_log(self) -> None:
        """Entries in order, old ones and such as are logged meanwhile, with their names."""
        command = (EXAMPLES / "follow_one_log.py", "--list", self.demo.list_file)
        lines = self.lines(*command, "RFC 6962", "--start", "250", "--count", "100")
        self.assertEqual([int(line.split()[0]) for line in lines], list(range(250, 350)))
        self.assertGreater(sum("." in line for line in lines), 90)
        done = self.python(*command, "nowhere")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no log nowhere", done.stderr)

    def test_one_certificate(self) -> None:
        """A certificate as DER and as PEM, and a page of entries."""
        url = f"http://127.0.0.1:{self.demo.port}/rfc6962/ct/v1/get-entries?start=0&end=20"
        with urllib.request.urlopen(url, timeout=30) as answer:
            page = answer.read()
        (self.place / "page.json").write_bytes(page)
        leaves = json.loads(page)["entries"]
        leaf = leaves[0]
        der = read_entry(
            0, base64.b64decode(leaf["leaf_input"]), base64.b64decode(leaf["extra_data"])
        ).submitted
        (self.place / "one.der").write_bytes(der)
        (self.place / "one.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
        example = EXAMPLES / "one_certificate.py"
        messages = [json.loads(line) for line in self.lines(example, "page.json")]
        self.assertEqual([m["data"]["cert_index"] for m in messages], list(range(len(leaves))))
        (of_der,), (of_pem,) = self.lines(example, "one.der"), self.lines(example, "one.pem")
        self.assertEqual(of_der, of_pem)
        expected = messages[0]["data"]["leaf_cert"]
        del expected["as_der"]
        self.assertEqual(json.loads(of_der), expected)
        (self.place / "broken.der").write_bytes(der[:50])
        self.assertEqual(self.python(example, "broken.der").returncode, 1)

    def test_own_application(self) -> None:
        """The server runs beside the other service, follows, and ends with the application."""
        with ServerProcess(
            launcher=(str(BIN / "twistd"), "--nodaemon", "--pidfile="),
            plugin=("--python", str(EXAMPLES / "own_application.tac")),
            listen=None,
            directory=str(self.place),
        ) as server:
            server.wait_for("our own service is well, too")
            server.wait_for("pages: begins at entry")
            with urllib.request.urlopen(f"{server.url}/health", timeout=30) as answer:
                self.assertEqual(answer.status, 200)
            # twistd ends by the signal that it got.
            self.assertEqual(server.stop(), -signal.SIGTERM)
            self.assertIn("Server Shut Down", server.output)
            self.assertNotIn("Traceback", server.output)


class LibraryPageTests(ExampleTestCase):
    """docs/library.md"""

    def test_every_snippet(self) -> None:
        """Each runs to its end in a process of its own, in the folder with the list."""
        snippets = re.findall(r"(?ms)^```python\n(.*?)^```", LIBRARY)
        self.assertEqual(len(snippets), 4)
        printed = []
        for snippet in snippets:
            path = self.place / "snippet.py"
            path.write_text(snippet.replace(":8088", f":{self.demo.port}"))
            printed.append(self.lines(path))
        names, following, reading, server = printed
        self.assertEqual((names, server), ([], []))
        self.assertEqual(len(following), 30)
        self.assertRegex(following[-1], r"^\d+ \[")
        self.assertEqual(json.loads(reading[0])["data"]["cert_index"], 7)
        self.assertEqual(len(reading), 2)

    def test_commands(self) -> None:
        """The options that they use are there."""
        (shell,) = re.findall(r"(?ms)^```sh\n(.*?)^```", LIBRARY)
        first, second = shell.splitlines()
        self.assertEqual(first, "python -m certstream_tx.demo --port 8088")
        self.assertIn("--port", "\n".join(self.lines("-m", "certstream_tx.demo", "--help")))
        self.assertTrue(second.endswith("http://127.0.0.1:8088/log_list.json"))

    def test_names(self) -> None:
        """All that the package gives is named there."""
        import certstream_tx

        given = set(certstream_tx.__all__) - {"__version__"}
        (imported,) = re.findall(r"(?s)from certstream_tx import \((.*?)\)", LIBRARY)
        self.assertEqual(set(re.findall(r"\w+", imported)), given)
