"""Tests of :mod:`certstream_tx.command_line.main`."""

import io
import subprocess
import sys
from base64 import b64encode

from certstream_tx import __version__
from certstream_tx.command_line.main import COMMANDS
from tests.command_line.terminal import CommandTestCase
from tests.integration.server_process import clean_environment


class MainTests(CommandTestCase):
    """What every command has in common."""

    def test_nothing_asked(self) -> None:
        """Said what there is, on standard error."""
        ran = self.run_command()
        self.assertEqual((ran.status, ran.out), (2, ""))
        for name in COMMANDS:
            self.assertIn(name, ran.err)

    def test_help(self) -> None:
        """The same on standard output; and every command has its own."""
        self.assertEqual(self.run_command("--help").status, 0)
        for name in COMMANDS:
            ran = self.run_command(name, "--help")
            self.assertEqual((ran.status, ran.err), (0, ""), name)
            self.assertIn(f"usage: certstream-tx {name}", ran.out)

    def test_unknown_command(self) -> None:
        """One line."""
        ran = self.run_command("import")
        self.assertEqual((ran.status, ran.out), (2, ""))
        self.assertEqual(ran.err.count("\n"), 1)
        self.assertIn("'import'", ran.err)

    def test_version(self) -> None:
        """As a command and as an option."""
        for word in ("version", "--version"):
            self.assertEqual(self.run_command(word), (0, f"certstream-tx {__version__}\n", ""))

    def test_wrong_options(self) -> None:
        """Status 2 for each command, and nothing on standard output."""
        for name in COMMANDS:
            ran = self.run_command(name, "--no-such-option")
            self.assertEqual((ran.status, ran.out), (2, ""), name)

    def test_nobody_reads(self) -> None:
        """A reader that has enough, such as ``head``, is no error to speak of."""

        class Closed(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        path = self.file("config.yaml", "port: 1\n")

        def command(arguments: list[str]) -> int:
            from certstream_tx.command_line.main import main

            self.patch(sys, "stdout", Closed())
            return main(arguments)

        ran = self.run_command("import-config", path, command=command)
        self.assertEqual((ran.status, ran.err), (1, ""))

    def test_as_a_process(self) -> None:
        """It can be run as a module; nothing of Twisted's network is loaded for a mere question."""
        script = (
            "import sys; from certstream_tx.command_line.main import main; main(['version']);"
            "print(sorted(m for m in sys.modules if m.startswith(('twisted', 'yaml'))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            env=clean_environment(),
        )
        self.assertEqual(done.stdout, f"certstream-tx {__version__}\n[]\n")


class CheckConfigTests(CommandTestCase):
    """``check-config``: what ``twistd certstream --check-config`` does."""

    def test_good(self) -> None:
        """The values in force, with where they come from; tokens masked."""
        path = self.file("c.yaml", "port: 8123\nauth: {tokens: [secret-token]}\n")
        ran = self.run_command("check-config", path)
        self.assertEqual(ran.status, 0, ran.err)
        self.assertIn(f"port: 8123  # {path}", ran.out)
        self.assertNotIn("secret-token", ran.out)

    def test_environment(self) -> None:
        """It is looked at as well."""
        self.environment["CERTSTREAM_PORT"] = "8124"
        self.assertIn("port: 8124  # CERTSTREAM_PORT", self.run_command("check-config").out)

    def test_bad(self) -> None:
        """A line for each problem, and status 1."""
        path = self.file("c.yaml", "port: many\nhots: x\n")
        ran = self.run_command("check-config", path)
        self.assertEqual((ran.status, ran.out), (1, ""))
        self.assertEqual(len(ran.err.splitlines()), 2)

    def test_files(self) -> None:
        """Those that it names are looked at, none is made."""
        missing = self.folder / "missing"
        key = b64encode(b"0" * 40).decode()  # begins as one
        path = self.file(
            "c.yaml",
            f"tls_cert: {missing}/c.pem\ntls_key: {missing}/k.pem\n"
            f"ct_log: {{state_file: {missing}/state.json, list_key: {missing}/list.pem}}\n"
            f"additional_log_lists: [{{url: 'https://a.example/l.json', key: {missing}/l.pem}}]\n"
            f"custom_logs: [{{name: a, url: 'https://a.example', key: '{key}'}}]\n",
        )
        self.environment["HTTPS_PROXY"] = "socks5://a.example:1"
        ran = self.run_command("check-config", path)
        self.assertEqual(ran.status, 1)
        self.assertIn("port: 8080", ran.out)
        starts = ["tls_cert ", "state file ", "custom_logs, a: key", "ct_log.list_key: "]
        starts += ["additional_log_lists[0].key: ", "HTTPS_PROXY: "]
        for line, start in zip(ran.err.splitlines(), starts, strict=True):
            self.assertTrue(line.startswith(f"certstream: {start}"), line)
        self.environment.clear()
        state = self.file("state.json", "{}")
        path = self.file("c.yaml", f"ct_log: {{state_file: {state}}}\n")
        self.assertIn("cannot be used", self.run_command("check-config", path).err)
        path = self.file("c.yaml", f"ct_log: {{state_file: {self.folder}/new.json}}\n")
        before = set(self.folder.iterdir())
        self.assertEqual(self.run_command("check-config", path).status, 0)
        self.assertEqual(set(self.folder.iterdir()), before)
