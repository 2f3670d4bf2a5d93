"""Tests of :mod:`certstream_tx.config.printing`: the values in force, and the reference page."""

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, describe, load, reference_page
from certstream_tx.config.foreign import IGNORED, MAPPED
from certstream_tx.config.keys import PREFIX, Support, leaves
from certstream_tx.config.logs import CustomLog, StaticLog
from certstream_tx.config.reading import LEAVES
from tests.checkout import DOCS

PAGE = DOCS / "configuration.md"


class DescribeTests(SynchronousTestCase):
    """``--check-config``."""

    def test_every_key(self) -> None:
        """Each in a line of its own, with its value in force."""
        lines = describe(Config())
        self.assertEqual([line.split(": ")[0] for line in lines], list(LEAVES))
        for line in ('host: "0.0.0.0"', "port: 8080", "protocols.tcp_port: 8081", "listen: []"):
            self.assertIn(line, lines)
        self.assertIn('ct_log.list_cache: "log_lists"', lines)
        self.assertTrue(
            any(line.startswith('ct_log.user_agent: "certstream-tx/') for line in lines)
        )

    def test_origins(self) -> None:
        """Where a value comes from stands behind it."""
        loaded = load({"port": "81"}, {"CERTSTREAM_BUFFER_SIZE": "9"}, read_file=lambda path: None)
        lines = describe(loaded.config, loaded.origins)
        self.assertIn("port: 81  # command line", lines)
        self.assertIn("buffer_size: 9  # CERTSTREAM_BUFFER_SIZE", lines)

    def test_tokens_are_masked(self) -> None:
        """Texts and digests; names may be seen."""
        digest = "ab" * 32
        yaml = f"auth: {{tokens: [hunter2, {{sha256: {digest}, name: ci}}]}}"
        loaded = load({}, {}, read_file=lambda path: yaml.encode())
        text = "\n".join(describe(loaded.config, loaded.origins))
        self.assertNotIn("hunter2", text)
        self.assertNotIn(digest, text)
        self.assertIn('auth.tokens: ["***", {"name": "ci", "token": "sha256:***"}]', text)

    def test_values_are_json(self) -> None:
        """Also of logs with keys, networks and mappings."""
        key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="
        yaml = f"""
custom_logs: [{{name: a, url: "http://a", key: {key}}}]
trusted_proxies: [10.0.0.0/8]
ct_log: {{operator_rate_limits: {{a: 1}}, list_cache: null}}
"""
        loaded = load({}, {}, read_file=lambda path: yaml.encode())
        values = {
            path: json.loads(value)
            for path, value in (line.split(": ", 1) for line in describe(loaded.config))
        }
        self.assertEqual(values["custom_logs"], [{"name": "a", "url": "http://a", "key": key}])
        self.assertEqual(values["trusted_proxies"], ["10.0.0.0/8"])
        self.assertEqual(values["ct_log.operator_rate_limits"], {"a": 1})
        self.assertIsNone(values["ct_log.list_cache"])


class PageTests(SynchronousTestCase):
    """docs/configuration.md."""

    def test_page_is_that_of_the_code(self) -> None:
        """``make docs`` has been run since the keys were changed."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), reference_page())

    def test_every_key_and_name_is_on_it(self) -> None:
        """Keys, those of records, environment names, keys of other servers."""
        page = reference_page()
        for leaf in (*LEAVES.values(), *leaves(CustomLog), *leaves(StaticLog)):
            rows = [line for line in page.splitlines() if line.startswith(f"| `{leaf.path}` |")]
            row = next((row for row in rows if leaf.key.meaning in row), "")
            self.assertIn(leaf.key.kind.expected, row)
            for name in leaf.env_names if leaf.path in LEAVES else ():
                self.assertIn(f"`{name.removeprefix(PREFIX)}`", row)
            self.assertEqual("*not supported yet*" in row, leaf.key.support is Support.REFUSED)
            self.assertEqual("*no effect yet*" in row, leaf.key.support is Support.IGNORED)
        for path in (*IGNORED, *MAPPED):
            self.assertIn(f"`{path}`", page)

    def test_program_prints_it(self) -> None:
        """``python -m certstream_tx.config``, which ``make docs`` runs."""
        printed = subprocess.run(
            [sys.executable, "-m", "certstream_tx.config"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            check=True,
            cwd=PAGE.parent.parent,
        ).stdout
        self.assertEqual(printed, reference_page())
