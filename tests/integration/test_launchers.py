"""Every way of starting the server, and what it says when it cannot start."""

import json
import os
import socket
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.checkout import ROOT
from tests.integration.server_process import (
    BIN,
    LOCAL,
    ServerProcess,
    clean_environment,
    run_to_end,
)

TWISTD = (str(BIN / "twistd"), "--nodaemon", "--pidfile=")
TWIST = (str(BIN / "twist"), "--log-format=text")


class LauncherTests(SynchronousTestCase):
    """twistd, twist and an application file, each from a foreign working directory."""

    def assert_serves(self, server: ServerProcess) -> None:
        with urllib.request.urlopen(server.url + "/health", timeout=10) as answer:
            self.assertEqual(answer.read(), b"OK")

    def test_twistd(self) -> None:
        """``twistd --nodaemon certstream``: on SIGTERM it stops, then dies of that signal."""
        with ServerProcess("--demo", launcher=TWISTD) as server:
            self.assert_serves(server)
            self.assertEqual(server.stop(), -15, server.output)
            self.assertNotIn("Traceback", server.output)

    def test_twist(self) -> None:
        """``twist certstream``, the same."""
        with ServerProcess("--demo", launcher=TWIST) as server:
            self.assert_serves(server)
            self.assertEqual(server.stop(), -15, server.output)
            self.assertNotIn("Traceback", server.output)

    def test_application_file(self) -> None:
        """``twistd -noy certstream.tac``, configured by the environment."""
        environment = clean_environment(
            CERTSTREAM_LISTEN=LOCAL,
            CERTSTREAM_CT_LOGS_URL="",
            CERTSTREAM_STATE_FILE="",
            CERTSTREAM_CONFIG="",
        )
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.yaml"
            config.write_text("custom_logs:\n- name: nobody there\n  url: http://127.0.0.1:9/log\n")
            with ServerProcess(
                launcher=(str(BIN / "twistd"), "--pidfile=", "-noy"),
                plugin=(str(ROOT / "certstream.tac"),),
                listen=None,
                environment=environment,
                directory=folder,
            ) as server:
                self.assert_serves(server)

    def test_daemon(self) -> None:
        """Without ``--nodaemon`` it becomes a daemon, with a pidfile and a log file."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with tempfile.TemporaryDirectory() as folder:
            done = run_to_end(
                "--demo",
                "--listen",
                f"tcp:{port}:interface=127.0.0.1",
                launcher=(str(BIN / "twistd"), "--logfile=server.log"),
                directory=folder,
            )
            pid = int((Path(folder) / "twistd.pid").read_text())
            try:
                self.assertEqual(done.returncode, 0, done.stderr)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as ok:
                    self.assertEqual(ok.read(), b"OK")
            finally:
                os.kill(pid, 15)
                _wait_until_gone(pid)

    def test_reads_configuration_file(self) -> None:
        """A YAML file in the working directory is found and used."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.yaml").write_text("streams: {full: false}\n")
            with ServerProcess("--demo", directory=folder) as server:
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(server.url + "/full-stream/example.json", timeout=10)
                self.assertEqual(refused.exception.code, 404)
                self.assertEqual(json.load(refused.exception), {"error": "Not Found"})


class RefusalTests(SynchronousTestCase):
    """What cannot start exits 1 with one clear line, never a traceback, never a deaf process."""

    def assert_refuses(
        self, *options: str, says: str, config: str | None = None, **environment: str
    ) -> None:
        """Under both launchers and as a daemon that never comes to be."""
        for launcher in (TWISTD, TWIST, (str(BIN / "twistd"), "--pidfile=")):
            with tempfile.TemporaryDirectory() as folder:
                if config is not None:
                    (Path(folder) / "config.yaml").write_text(config)
                done = run_to_end(
                    *options,
                    launcher=launcher,
                    directory=folder,
                    environment=clean_environment(**environment),
                )
                printed = done.stdout + done.stderr
                log = Path(folder) / "twistd.log"
                if log.exists():
                    printed += log.read_text()
                self.assertEqual(done.returncode, 1, printed)
                self.assertIn(says, printed)
                self.assertNotIn("Traceback", printed)
                # A daemon has two places to say it: the terminal that started it and its log.
                about = [line for line in printed.splitlines() if says in line]
                self.assertEqual(len(about), 2 if log.exists() else 1, printed)
                if not log.exists() and launcher is not TWIST:
                    # For whoever reads standard error alone, whatever the log's format is.
                    plain = [line for line in done.stderr.splitlines() if says in line]
                    self.assertTrue(plain and plain[0].startswith("certstream: "), done.stderr)

    def test_port_taken(self) -> None:
        """The port is named, and why, to a daemon's terminal too, which is shown 100 bytes."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assert_refuses(
                "--demo",
                "--listen",
                f"tcp:{port}:interface=127.0.0.1",
                says=f"cannot listen (Address already in use) on tcp:{port}",
            )

    def test_bad_option(self) -> None:
        """An unknown option is named."""
        self.assert_refuses("--no-such-option", says="no-such-option")

    def test_bad_value(self) -> None:
        """A bad value on the command line names its key."""
        self.assert_refuses("--port", "many", says="port: expected an integer")

    def test_bad_endpoint(self) -> None:
        """A bad endpoint string is named."""
        self.assert_refuses("--demo", "--listen", "nosuch:1", says="nosuch:1")

    def test_bad_configuration(self) -> None:
        """An unknown key is named with the nearest known one."""
        self.assert_refuses(config="ct_log:\n  batch_sise: 12\n", says="ct_log.batch_size")

    def test_bad_environment(self) -> None:
        """A bad environment value names its variable."""
        self.assert_refuses(CERTSTREAM_BUFFER_SIZE="huge", says="CERTSTREAM_BUFFER_SIZE")

    def test_unusable_proxy(self) -> None:
        """A proxy of another kind is named by its variable."""
        self.assert_refuses(
            "--listen",
            LOCAL,
            says="HTTPS_PROXY: expected http://",
            HTTPS_PROXY="socks5://proxy.example:1080",
        )

    def test_unreadable_configuration(self) -> None:
        """A file that was asked for and is not there."""
        self.assert_refuses("--config", "/nonexistent/config.yaml", says="/nonexistent/config.yaml")

    def test_state_file_of_something_else(self) -> None:
        """A state file that cannot be read is named and kept."""
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            state.write_text('{"cut off')
            self.assert_refuses("--listen", LOCAL, "--state-file", str(state), says=f"{state}")
            self.assertEqual(state.read_text(), '{"cut off')

    def test_check_config(self) -> None:
        """``--check-config`` prints the resolved values and exits 0, or 1 with the problems."""
        done = run_to_end("--port", "8123", "--check-config")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("port: 8123", done.stdout)
        done = run_to_end("--port", "0x", "--check-config")
        self.assertEqual(done.returncode, 1)
        self.assertIn("port:", done.stderr)

    def test_version(self) -> None:
        """``--version`` names the program, not Twisted."""
        done = run_to_end("--version")
        self.assertEqual(done.returncode, 0)
        self.assertIn("certstream-tx ", done.stdout)


def _wait_until_gone(pid: int) -> None:
    """Until the process has ended; fails the test after ten seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still there 10 s after SIGTERM")
