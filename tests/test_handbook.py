"""The pages for operators, held to the code: what they quote is said, what they run runs."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.reading import LEAVES
from certstream_tx.ingest.state.state_file import read_state
from certstream_tx.serve.metrics.table import HISTOGRAMS, METRICS
from tests.checkout import DOCS, ROOT
from tests.command_line.terminal import CommandTestCase
from tests.command_line.test_import_config import GO

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SWITCHING = (ROOT / "docs" / "switching.md").read_text()


def texts() -> Iterator[str]:
    """Every text in the code, with an ellipsis for what is filled in."""
    for path in (ROOT / "certstream_tx").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    part.value if isinstance(part, ast.Constant) else "…" for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"\{[^{}]*\}", "…", node.value)


def section(page: str, title: str) -> str:
    """What stands below a title."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


class QuotationTests(SynchronousTestCase):
    """docs/operations.md"""

    def test_what_it_says_is_said(self) -> None:
        """Each line that is explained is one that the server writes."""
        every = list(texts())
        quoted = 0
        for title in ("When it refuses to start", "What it says while it runs"):
            for row in re.findall(r"(?m)^\| (`.*?) \|", section(OPERATIONS, title)):
                for quotation in re.findall(r"`([^`]+)`", row):
                    parts = [part.strip(" :.,;()") for part in quotation.split("…")]
                    pattern = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
                    fixed = max(parts, key=len)  # looked for first, which is quick
                    found = any(fixed in text and pattern.search(text) for text in every)
                    self.assertTrue(found, quotation)
                    quoted += 1
        self.assertGreater(quoted, 30)

    def test_keys_and_metrics_exist(self) -> None:
        """What both pages name in the configuration and in the metrics is there."""
        sections = {path.partition(".")[0] for path in LEAVES if "." in path}
        metrics = {row.name for row in (*METRICS, *HISTOGRAMS)}
        for page in (OPERATIONS, SWITCHING):
            for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", page):
                if name.partition(".")[0] in sections:
                    self.assertIn(name, LEAVES)
            for name in re.findall(r"`(certstream_[a-z_]+)`", page):
                self.assertIn(name, metrics)


class MakeTests(SynchronousTestCase):
    """What the pages say about make."""

    def test_targets_exist(self) -> None:
        """Every target that a page names is one; each that is one is named."""
        targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
        pages = [ROOT / "README.md", *DOCS.glob("*.md")]
        text = "\n".join(page.read_text() for page in pages)
        named = set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", text))
        self.assertEqual(named - targets, set())
        self.assertEqual(targets - named, {"clean"})

    def test_chosen_tests_without_report(self) -> None:
        """What a part of the tests covers says nothing; all of them give the report."""
        # Of a make around this test.
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "TESTS")}
        for given, reports in (([], 1), (["TESTS=tests.ct"], 0)):
            planned = subprocess.run(
                ["make", "--dry-run", "trial", *given],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout
            self.assertEqual(planned.count("coverage report"), reports)


class SwitchingTests(CommandTestCase):
    """docs/switching.md"""

    def test_commands(self) -> None:
        """Each command is run, in the order of the page, among the files that it names."""
        from_rust = self.folder / "rust"
        from_go = self.folder / "go"
        ran = 0
        for title, folder, config, state in (
            (
                "From certstream-server-rust",
                from_rust,
                "port: 8090\nct_log:\n  request_timeout_secs: 20\n",
                '{"version":1,"logs":{"https://a.example/log":{"current_index":5}}}',
            ),
            ("From certstream-server-go", from_go, GO, '{"a.example/log":5}'),
        ):
            folder.mkdir()
            (folder / "config.yaml").write_text(config)
            (folder / "state.json").write_text(state)
            (folder / "ct_index.json").write_text(state)
            self.environment["CERTSTREAM_STATE_FILE"] = str(folder / "ours.json")
            took_over = False
            blocks = re.findall(r"(?ms)^```(json)?\n(.*?)^```$", section(SWITCHING, title))
            commands = "".join(block for language, block in blocks if not language)
            for line in commands.splitlines():
                command, _, output = line.partition(" > ")
                program, *words = command.split()
                self.assertEqual(program, "certstream-tx")
                arguments = [
                    str(folder / word) if word.endswith((".yaml", ".json")) else word
                    for word in words
                ]
                if words[0] == "import-state":
                    # Not the other server's configuration, which lies in the working folder there.
                    arguments += ["--config", str(folder / "none.yaml")]
                    (folder / "none.yaml").write_text("")
                    took_over = took_over or "--dry-run" not in words
                done = self.run_command(*arguments)
                self.assertEqual(done.status, 0, f"{line}\n{done.err}")
                self.assertEqual((folder / "ours.json").exists(), took_over)
                if output:
                    (folder / output).write_text(done.out)
                ran += 1
        self.assertEqual(ran, 7)

    def test_keys_of_the_other_server(self) -> None:
        """Each of its keys that the page names is one that the command knows."""
        from certstream_tx.command_line.from_go import KNOWN

        rows = re.findall(r"(?m)^\| (`(?:webserver|general|prometheus).*?) \|", SWITCHING)
        self.assertGreater(len(rows), 8)
        for row in rows:
            section_name = ""
            for name in re.findall(r"`([a-z_.]+)`", row):
                first, _, key = name.partition(".")
                if first in KNOWN and key:
                    section_name = first
                else:
                    key = name
                self.assertIn(key.partition(".")[0], KNOWN[section_name], row)

    def test_shapes(self) -> None:
        """The state files that it shows can be taken over."""
        for title, server in (
            ("From certstream-server-rust", "certstream-server-rust"),
            ("From certstream-server-go", "certstream-server-go"),
        ):
            shown = re.findall(r"(?ms)^```json\n(.*?)^```$", section(SWITCHING, title))
            for text in shown:
                self.assertEqual(read_state(text.encode()).written_by, server)
            self.assertEqual(len(shown), 1)
