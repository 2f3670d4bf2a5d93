"""``certstream-tx backfill`` as a real process, against real logs."""

import json
import subprocess
from base64 import b64encode
from contextlib import ExitStack

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import folder
from tests.integration.demo_process import demo_logs


class BackfillTests(SynchronousTestCase):
    """One log of each kind, and one of them without its key."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.place = stack.enter_context(folder())
        self.demo = stack.enter_context(demo_logs(self.place))

    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What came of it."""
        return self.demo.run("backfill", *arguments)

    def add_to_config(self, **log: str | None) -> None:
        """A log more, or another in its place."""
        config = json.loads(self.demo.config_file.read_text())
        config["custom_logs"] = [*config["custom_logs"], log]
        self.demo.config_file.write_text(json.dumps(config))

    def test_a_range_of_each_kind(self) -> None:
        """Each entry as a line, the same as the server's messages; the head that proves it told."""
        for log in ("pages", "tiles"):
            done = self.run_command(log, "3", "290")
            self.assertEqual(done.returncode, 0, done.stderr)
            messages = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual([m["data"]["cert_index"] for m in messages], list(range(3, 290)))
            self.assertEqual({m["data"]["source"]["name"] for m in messages}, {log})
            self.assertTrue(all("as_der" in m["data"]["leaf_cert"] for m in messages))
            self.assertRegex(
                done.stderr, rf"^{log}: entries 3 to 289 are those of the head that it signed at"
            )

    def test_named_by_id_and_url_and_another_stream(self) -> None:
        """Whatever the log is called by."""
        config = json.loads(self.demo.config_file.read_text())
        url = config["static_logs"][0]["url"]
        done = self.run_command(url, "0", "2", "--stream", "lite")
        first = json.loads(done.stdout.splitlines()[0])["data"]
        self.assertNotIn("chain", first)
        done = self.run_command(first["source"]["log_id"], "0", "2", "--stream", "domains-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout.splitlines()[0])["message_type"], "dns_entries")

    def test_without_a_key(self) -> None:
        """It is written, but it is not verified, and says so."""
        config = json.loads(self.demo.config_file.read_text())
        url = config["custom_logs"][0]["url"].replace("127.0.0.1", "localhost")
        self.add_to_config(name="keyless", url=url)
        done = self.run_command("keyless", "5", "7")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 2))
        self.assertIn("NOT VERIFIED", done.stderr)

    def test_another_key(self) -> None:
        """Nothing is written of a log that did not sign its head."""
        config = json.loads(self.demo.config_file.read_text())
        key = b64encode(
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()
        url = config["custom_logs"][0]["url"].replace("127.0.0.1", "localhost")
        self.add_to_config(name="another", url=url, key=key)
        done = self.run_command("another", "5", "7")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("another cannot be read", done.stderr)

    def test_refusals(self) -> None:
        """One line each, and a status."""
        for arguments, status, text in (
            (("nowhere", "0", "1"), 1, "there is no log nowhere"),
            (("es", "0", "1"), 1, "es can be any of 2 logs: pages, tiles"),
            (("pages", "0", "99999999"), 1, "entries, none after that"),
            (("pages", "7", "7"), 2, "START is not before END"),
            (("pages", "-1", "x"), 2, "usage"),
        ):
            done = self.run_command(*arguments)
            self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
            self.assertIn(text, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
