"""Tests of :mod:`certstream_tx.service.options`."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import __version__
from certstream_tx.service.options import MAX_DEMO_RATE, Options


class OptionsTests(SynchronousTestCase):
    """From the command line to the configuration."""

    def parsed(self, *arguments: str, **environment: str) -> Options:
        options = Options({f"CERTSTREAM_{key}": value for key, value in environment.items()})
        options.parseOptions(list(arguments))
        return options

    def refused(self, *arguments: str, **environment: str) -> str:
        with self.assertRaises(SystemExit) as ended:
            self.parsed(*arguments, **environment)
        self.assertIsInstance(ended.exception.code, str)
        return str(ended.exception.code)

    def test_defaults(self) -> None:
        """Nothing said: nothing changed."""
        options = self.parsed()
        self.assertEqual(options.config.port, 8080)
        self.assertEqual(options.demo_rate, 20.0)
        self.assertFalse(options["demo"])

    def test_command_line_over_environment_over_file(self) -> None:
        """Who says it last does not matter, but where."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.yaml"
            path.write_text("port: 1001\nhost: 127.0.0.1\nlog_level: warn\n")
            options = self.parsed(
                "--config", str(path), "--port", "1003", PORT="1002", LOG_LEVEL="error"
            )
        self.assertEqual(options.config.port, 1003)
        self.assertEqual(options.config.log_level, "error")
        self.assertEqual(options.config.host, "127.0.0.1")

    def test_several_endpoints(self) -> None:
        """``--listen`` may be repeated."""
        options = self.parsed("--listen", "tcp:1", "--listen", "unix:/run/x")
        self.assertEqual(options.config.listen, ("tcp:1", "unix:/run/x"))

    def test_no_state(self) -> None:
        """An empty ``--state-file`` turns it off."""
        self.assertIsNone(self.parsed("--state-file", "").config.ct_log.state_file)

    def test_unknown_option(self) -> None:
        """One line that names it, not the help."""
        said = self.refused("--prot", "1")
        self.assertIn("--prot", said)
        self.assertEqual(len(said.splitlines()), 1)

    def test_unexpected_argument(self) -> None:
        """There are no arguments besides options."""
        self.assertIn("certstream:", self.refused("serve"))

    def test_problems_are_all_told(self) -> None:
        """One line each."""
        said = self.refused("--port", "many", BUFFER_SIZE="huge")
        self.assertEqual(len(said.splitlines()), 2)
        self.assertTrue(all(line.startswith("certstream: ") for line in said.splitlines()))

    def test_demo_rate(self) -> None:
        """A number above 0, with a bound; what is not is named."""
        self.assertEqual(self.parsed("--demo-rate", "0.5").demo_rate, 0.5)
        for bad in ("0", "-1", "nan", "inf", "many", "", str(MAX_DEMO_RATE + 1)):
            self.assertIn("--demo-rate", self.refused("--demo-rate", bad), bad)

    def test_directory_as_configuration(self) -> None:
        """What is there but cannot be read refuses to start, naming it."""
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn(folder, self.refused("--config", folder))

    def test_version(self) -> None:
        """Its own version, not Twisted's."""
        printed: list[str] = []
        import sys

        self.patch(sys, "stdout", type("Stdout", (), {"write": printed.append}))
        with self.assertRaises(SystemExit) as ended:
            Options().parseOptions(["--version"])
        self.assertEqual(ended.exception.code, 0)
        self.assertEqual(printed, [f"certstream-tx {__version__}\n"])

    def test_help(self) -> None:
        """Each option's text stands for itself, without runs of blanks."""
        usage = Options().getUsage(width=400)
        self.assertIn("--listen=", usage)
        self.assertNotRegex(usage, r"[a-z,] {2,}[a-z]")
        self.assertNotIn("The same", usage)
