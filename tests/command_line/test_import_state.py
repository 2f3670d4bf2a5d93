"""Tests of :mod:`certstream_tx.command_line.import_state`."""

import json
from pathlib import Path
from typing import Any

from certstream_tx.command_line import import_state
from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.lists.list_cache import ListCache
from certstream_tx.ingest.lists.list_source import packaged_list
from certstream_tx.ingest.state.state_file import MAX_STATE_BYTES, SavedPosition, State, read_state
from certstream_tx.ingest.state.state_lock import StateLock
from tests.command_line.terminal import CommandTestCase, Ran
from tests.ingest.lists.made_lists import listed, made_list, public_pem

CONFIG = """\
ct_logs_url: null
ct_log: {state_file: %s}
custom_logs:
- {name: Mine, url: "https://mine.example/log/"}
- {name: New, url: "https://new.example/log"}
"""


def rust(**indexes: int) -> str:
    """A state file of certstream-server-rust."""
    logs = {
        url: {"current_index": index, "tree_size": index + 9, "last_success": 1779302893}
        for url, index in indexes.items()
    }
    return json.dumps({"version": 1, "logs": logs})


class ImportStateTests(CommandTestCase):
    """From file to file."""

    def setUp(self) -> None:
        super().setUp()
        self.output = self.folder / "state.json"
        self.config = self.file("config.yaml", CONFIG % self.output)

    def import_state(self, content: str | bytes, *options: str) -> Ran:
        path = self.folder / "theirs.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.run_command("import-state", str(path), "--config", self.config, *options)

    def written(self, path: Path | None = None) -> State:
        return read_state((path or self.output).read_bytes())

    def positions(self) -> dict[str, int]:
        return {key: saved.position for key, saved in self.written().positions.items()}

    def test_rust(self) -> None:
        """The next index to read stays the next index to read."""
        ran = self.import_state(rust(**{"https://mine.example/log/": 42}))
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertEqual(self.positions(), {"url:https://mine.example/log": 42})
        self.assertEqual(self.written().written_by, "certstream-tx")
        (saved,) = self.written().positions.values()
        self.assertEqual(saved.name, "Mine")
        self.assertIn("certstream-server-rust", ran.out)

    def test_go(self) -> None:
        """The last index read is read once more."""
        ran = self.import_state(json.dumps({"mine.example/log": 41, "other.example/x": 7}))
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertEqual(
            self.positions(), {"url:https://mine.example/log": 41, "url:other.example/x": 7}
        )
        self.assertEqual(
            ran.out.splitlines(),
            [
                f"{self.folder}/theirs.json: 2 positions of certstream-server-go",
                f"{self.output}: 2 positions written",
                "Of logs that are not known here, kept by URL: 1",
                "  other.example/x at 7",
                "Logs without a position, which begin near their heads: 1",
                "  New",
            ],
        )

    def test_logs_of_the_list(self) -> None:
        """A log of the public list gets the key that the server uses for it: its log id."""
        self.config = self.file(
            "config.yaml", f"ct_log: {{state_file: {self.output}, excluded_operators: [Google]}}\n"
        )
        known = json.loads(packaged_list().data)
        google = next(one for one in known["operators"] if one["name"] == "Google")["logs"]
        other = next(one for one in known["operators"] if one["name"] != "Google" and one["logs"])
        live = next(log for log in other["logs"] if {"usable", "qualified"} & log["state"].keys())
        ran = self.import_state(rust(**{google[0]["url"]: 5, live["url"]: 6}))
        self.assertEqual(ran.status, 0, ran.err)
        self.assertEqual(self.positions(), {google[0]["log_id"]: 5, live["log_id"]: 6})
        self.assertIn("Of logs that are known and not followed, kept: 1\n", ran.out)
        self.assertIn(f"  {google[0]['description']} at 5\n", ran.out)
        self.assertNotIn("not known here", ran.out)

    def test_own_list(self) -> None:
        """A list of one's own is known from what the server has kept of it beside its state."""
        url = "https://lists.example/list.json"
        key = self.folder / "key.pem"
        key.write_bytes(public_pem())
        cache = ListCache(str(self.folder / "log_lists"), url)
        cache.store(*made_list([listed(1)], 1.7e9), 1.7e9)
        self.config = self.file(
            "config.yaml",
            f"ct_logs_url: {url}\nct_log: {{state_file: {self.output}, list_key: {key}}}\n",
        )
        ran = self.import_state(json.dumps({"log1.example/ct": 5}))
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertEqual(self.positions(), {listed(1)["log_id"]: 5})
        for path in (self.folder / "log_lists").iterdir():
            path.write_bytes(b"garbage")
        ran = self.import_state(json.dumps({"log1.example/ct": 5}), "--force")
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertEqual(self.positions(), {"url:log1.example/ct": 5})

    def test_output(self) -> None:
        """It can be written elsewhere; without any place it is said."""
        elsewhere = self.folder / "elsewhere.json"
        ran = self.import_state(rust(a=1), "--output", str(elsewhere))
        self.assertEqual(ran.status, 0, ran.err)
        self.assertEqual(len(self.written(elsewhere).positions), 1)
        self.assertFalse(self.output.exists())
        self.config = self.file("config.yaml", CONFIG % "null")
        ran = self.import_state(rust(a=1))
        self.assertEqual((ran.status, ran.out), (1, ""))
        self.assertIn("--output", ran.err)

    def test_dry_run(self) -> None:
        """It says the same, whatever is there or however it is configured, and writes nothing."""
        before = sorted(self.folder.iterdir())
        ran = self.import_state(rust(**{"https://mine.example/log/": 42}), "--dry-run")
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertIn("1 positions of certstream-server-rust\n", ran.out)
        self.assertIn(f"{self.output}: 1 positions would be written, nothing was", ran.out)
        self.assertIn("Logs without a position, which begin near their heads: 1\n  New\n", ran.out)
        self.assertEqual(sorted(self.folder.iterdir()), [*before, self.folder / "theirs.json"])
        self.output.write_text("precious")
        self.assertEqual(self.import_state(rust(a=1), "--dry-run").status, 0)
        self.assertEqual(self.output.read_text(), "precious")
        self.config = self.file("config.yaml", CONFIG % "null")
        self.assertEqual(self.import_state(rust(a=1), "--dry-run").status, 0)

    def test_file_that_is_there(self) -> None:
        """It is not touched, unless that is asked for; then it is kept under another name."""
        self.output.write_text("precious")
        ran = self.import_state(rust(a=1))
        self.assertEqual((ran.status, ran.out), (1, ""))
        self.assertEqual(ran.err.count("\n"), 1)
        self.assertIn("--force", ran.err)
        self.assertEqual(self.output.read_text(), "precious")
        ran = self.import_state(rust(a=1), "--force")
        self.assertEqual(ran.status, 0, ran.err)
        self.assertEqual(self.positions(), {"url:a": 1})
        kept = self.folder / "state.json.before-import"
        self.assertEqual(kept.read_text(), "precious")

    def test_in_place(self) -> None:
        """A file can become ours where it is."""
        text = rust(**{"https://mine.example/log/": 42})
        self.output.write_text(text)
        ran = self.run_command("import-state", str(self.output), "--config", self.config, "--force")
        self.assertEqual(ran.status, 0, ran.err)
        self.assertEqual(self.positions(), {"url:https://mine.example/log": 42})
        self.assertEqual((self.folder / "state.json.before-import").read_text(), text)

    def test_running_server(self) -> None:
        """While a server has the state file, nothing is written."""
        lock = StateLock(str(self.output))
        lock.take()
        self.addCleanup(lock.release)
        ran = self.import_state(rust(a=1), "--force")
        self.assertEqual((ran.status, ran.out), (1, ""))
        self.assertIn("in use by another process", ran.err)
        self.assertFalse(self.output.exists())

    def test_refused(self) -> None:
        """What is no state file: one line, and nothing is written."""
        for content, reason in (
            (b"", "it is empty"),
            (b'{"cut', "not JSON"),
            (b"[]", "no object"),
            (b"{}", "nothing in it"),
            (b'{"a": "b"}', '"a" in it is no host and path'),
            (b'{"a.example": "b"}', '"a.example" in it has no index'),
            (b'{"logs": {}}', 'without a "version"'),
            (b'{"version": 1, "logs": []}', 'without "logs"'),
            (b'{"version": 1, "logs": {"https://a/": {}}}', '"https://a/" in its "logs" has no'),
            (b'{"format": "other"}', 'its "format" is "other"'),
            (b'{"a": 1}', "certstream-server-go ({HOST/PATH: INDEX})"),
            (b'{"a": 1}', 'rust ({"version": 1, "logs": {URL: {"current_index": INDEX'),
            (b" " * (MAX_STATE_BYTES + 1), "larger than"),
        ):
            ran = self.import_state(content)
            self.assertEqual((ran.status, ran.out), (1, ""), content[:20])
            self.assertEqual(ran.err.count("\n"), 1)
            self.assertIn(reason, ran.err)
        self.assertFalse(self.output.exists())
        ran = self.run_command("import-state", str(self.folder / "missing"))
        self.assertEqual(ran.status, 1)
        self.assertIn("No such file", ran.err)

    def test_folder_that_is_not_there(self) -> None:
        """Where to write must exist."""
        ran = self.import_state(rust(a=1), "--output", str(self.folder / "no" / "state.json"))
        self.assertEqual(ran.status, 1)
        self.assertIn("does not exist", ran.err)

    def test_bad_configuration(self) -> None:
        """What is wrong with it is told as by the server."""
        self.config = self.file("config.yaml", "port: many\n")
        self.assertIn("port: expected an integer", self.import_state(rust(a=1)).err)
        self.config = self.file("config.yaml", "ct_log: {list_key: /nonexistent/key.pem}\n")
        ran = self.import_state(rust(a=1))
        self.assertEqual(ran.status, 1)
        self.assertIn("ct_log.list_key: /nonexistent/key.pem", ran.err)


class MatchTests(CommandTestCase):
    """Which log a position belongs to."""

    tiled = Log("T", "https://mon.example/t", "tiled", log_id=b"t" * 32, origin="log.example/t")

    def match(self, logs: list[Log], **indexes: int) -> Any:
        positions = {f"url:{url}": SavedPosition(url, url, index) for url, index in indexes.items()}
        return import_state.match(State(positions, "certstream-server-go"), logs, logs)

    def test_tiled_log_by_either_address(self) -> None:
        """Where it is read, and where certificates are submitted to it."""
        for url in ("mon.example/t", "log.example/t", "https://mon.example/t/"):
            matched = self.match([self.tiled], **{url: 3})
            self.assertEqual(list(matched.positions), [self.tiled.state_key])
            self.assertEqual(matched.unknown, [])

    def test_two_positions_of_one_log(self) -> None:
        """The one from which nothing is missed."""
        for first, second in ((3, 9), (9, 3)):
            matched = self.match(
                [self.tiled], **{"mon.example/t": first, "https://log.example/t": second}
            )
            self.assertEqual([saved.position for saved in matched.positions.values()], [3])

    def test_file_of_ours(self) -> None:
        """It stays what it is, verified size and all."""
        saved = SavedPosition("T", self.tiled.url, 1, (b"n" * 32,), 1)
        state = State({self.tiled.state_key: saved}, "certstream-tx")
        matched = import_state.match(state, [self.tiled], [self.tiled])
        self.assertEqual(matched.positions, state.positions)
        self.assertEqual((matched.unknown, matched.left, matched.beginning), ([], [], []))
